//! What follows a dump that was published: old dumps go, and the links for Samba
//! are brought up to date.
//!
//! The dump is as good whatever happens here: trouble is told with its report.

use std::ffi::OsString;
use std::path::Path;

use dumpcli::Program;
use dumpcli::ending::Tended;
use dumpcli::options::Places;
use dumpcli::policies::Policies;
use dumpcli::pruning::AfterRun;
use dumpcli::settings::Sources;
use dumpcli::shadowing::ShadowAfter;
use dumpcore::{DumpRoot, Report, RunOptions, Tree};

/// Of which run it is what follows.
pub(crate) struct After<'a> {
    pub(crate) program: Program,
    pub(crate) places: &'a Places,
    pub(crate) sources: &'a Sources,
    pub(crate) root: &'a Path,
    /// The trees that were dumped.
    pub(crate) trees: Vec<Tree>,
    /// Does a run prune by itself?
    pub(crate) is_auto: bool,
    /// Does the next run recycle what expires?
    pub(crate) recycles: bool,
    /// Was the dump given its date?
    pub(crate) is_import: bool,
}

impl After<'_> {
    /// Does all of it that the configuration asks for; nothing in a dry run.
    pub(crate) fn tend(self, report: &Report, run: RunOptions) -> Tended {
        if report.dry_run {
            return Tended::default();
        }
        let pruned = match self.is_auto && report.is_complete() {
            // By the rules for newer dumps it might go at once.
            true if self.is_import && !is_newest(report, self.root) => {
                let why = "an older copy was imported; the next dump prunes";
                Some(AfterRun::skipped(why.to_owned()))
            }
            true => self.prune(report, run),
            false => None,
        };
        // Behind that, so that no link is left without its dump.
        let shadow = ShadowAfter::update(self.sources, self.root, &self.names());
        Tended { pruned, shadow }
    }

    /// Removes what no policy keeps of the trees that were dumped.
    fn prune(&self, report: &Report, run: RunOptions) -> Option<AfterRun> {
        let chosen = (self.sources, self.places.main.as_slice());
        let asked = &self.places.configuration;
        let policies = Policies::of_dump_root(self.program, asked, chosen, self.root);
        let policies = match policies {
            Ok(policies) => policies,
            Err(failure) => return Some(AfterRun::failed(failure.to_string())),
        };
        // A tree may have been named by an option.
        let policies = policies.dumping(self.trees.iter().cloned());
        if let Some(other) = policies.elsewhere() {
            return Some(AfterRun::elsewhere("[keep]", other));
        }
        if let Some(Err(wrong)) = self.sources.keep().map(|keep| keep.value.policy) {
            return Some(AfterRun::failed(wrong));
        }
        let names = self.names();
        let clashes = policies.clashes();
        let clashes = clashes.iter().filter(|clash| names.contains(&clash.tree));
        let clashes: Vec<String> = clashes.map(ToString::to_string).collect();
        let rules = policies.rules().only(names);
        let pruned = AfterRun::prune((self.root, report), rules, self.recycles, run);
        pruned.map(|pruned| pruned.and(clashes))
    }

    /// Their names in the dump.
    fn names(&self) -> Vec<OsString> {
        let names = self.trees.iter().filter_map(Tree::name_in_dump);
        names.collect()
    }
}

/// Is the dump that was made the newest one? Where that cannot be told, another
/// one may be.
fn is_newest(report: &Report, root: &Path) -> bool {
    let Ok(root) = DumpRoot::open(root) else {
        return false;
    };
    let newest = root.listing().newest_first(..).next();
    let newest = newest.and_then(Result::ok).map(|dated| dated.name);
    newest.is_some() && newest == report.name()
}
