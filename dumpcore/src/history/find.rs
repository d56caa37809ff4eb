//! Finding paths by name over all dumps.
//!
//! The catalog knows from when to when a path was there. Without it the dumps
//! are walked, the newest first: each path is reported once, as the newest dump
//! has it, as soon as it is met; when it began is not known then.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};

use super::catalog::CatalogView;
use super::navigator::Navigator;
use super::version::{is_inside, look};
use super::walk_both::names_in;
use crate::catalog::Wanted;
use crate::model::error::Error;
use crate::model::fault::Fault;
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::path::RelPath;
use crate::model::time::Time;
use crate::policy::layout::DumpId;
use crate::policy::name_test::NameTest;
use crate::root::DumpRoot;
use crate::sys::errno;

/// A search for paths by name, in all dumps of a dump root: [`Navigator::find`].
#[derive(Clone, Debug)]
#[must_use = "nothing is looked for until it is run"]
pub struct Find<'a> {
    navigator: &'a Navigator,
    tests: Vec<NameTest>,
    below: Option<RelPath>,
    since: Option<DateTime<Utc>>,
    deleted: bool,
    larger: Option<u64>,
    most: Option<usize>,
    stop: Option<Arc<AtomicBool>>,
}

/// A path that has the name that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundPath {
    /// The name of its tree, then the path in it.
    pub path: RelPath,
    /// Where the last dump that has it has it.
    pub last_path: PathBuf,
    /// What it is there.
    pub kind: Kind,
    /// The first dump that has it; `None` without the catalog.
    pub first: Option<DumpId>,
    /// The last dump that has it.
    pub last: DumpId,
    /// How many inodes it was; `None` without the catalog.
    pub versions: Option<u64>,
    /// The space that its last version takes, in bytes; `None` of a directory.
    pub bytes: Option<u64>,
    /// Does the newest dump of its tree lack it? `false` also where that dump could
    /// not be looked through there.
    pub deleted: bool,
}

/// How a search ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FindReport {
    /// How many paths were reported.
    pub found: u64,
    /// What could not be looked through.
    pub faults: Vec<Fault>,
    /// How many directories this user may not read.
    pub closed: u64,
}

/// What a path that is found is told to.
type Each<'a> = &'a mut dyn FnMut(FoundPath) -> ControlFlow<()>;

impl Navigator {
    /// Looks for paths in all dumps. Nothing is found without a test.
    pub fn find(&self) -> Find<'_> {
        Find {
            navigator: self,
            tests: Vec::new(),
            below: None,
            since: None,
            deleted: false,
            larger: None,
            most: None,
            stop: None,
        }
    }
}

impl Find<'_> {
    /// Paths of which this holds; call it for each test, one has to hold.
    pub fn test(mut self, test: NameTest) -> Self {
        self.tests.push(test);
        self
    }

    /// Only at or below this path, which begins with the name of a tree.
    pub fn below(mut self, path: RelPath) -> Self {
        self.below = Some(path);
        self
    }

    /// Only what a dump of this moment or later has.
    pub fn since(mut self, moment: DateTime<Utc>) -> Self {
        self.since = Some(moment);
        self
    }

    /// Only what the newest dump of its tree lacks.
    pub fn deleted(mut self, yes: bool) -> Self {
        self.deleted = yes;
        self
    }

    /// Only what takes more space than this, in bytes.
    pub fn larger(mut self, bytes: u64) -> Self {
        self.larger = Some(bytes);
        self
    }

    /// At most this number of paths, the first ones in the order of [`run`](Self::run).
    pub fn most(mut self, paths: usize) -> Self {
        self.most = Some(paths);
        self
    }

    /// Ends early when this is set: what was found until then is reported. With
    /// the catalog the answer comes too soon for that.
    pub fn stop(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Searches until `each` breaks off. With the catalog paths come sorted;
    /// without it as they are met.
    ///
    /// # Errors
    /// The dump root, or the catalog, cannot be read.
    pub fn run(&self, catalog: Option<&CatalogView>, each: Each<'_>) -> Result<FindReport, Error> {
        match catalog {
            Some(catalog) => self.recorded(catalog, each),
            None => self.walked(each),
        }
    }

    fn recorded(&self, catalog: &CatalogView, each: Each<'_>) -> Result<FindReport, Error> {
        let nanos = |moment: DateTime<Utc>| {
            let nanos = Time::from(moment).as_nanos();
            i64::try_from(nanos.max(0)).unwrap_or(i64::MAX)
        };
        let wanted = Wanted {
            tests: &self.tests,
            below: self.below.as_ref(),
            since: self.since.map(nanos),
            deleted: self.deleted,
            larger: self.larger,
            most: self.most,
        };
        let found = catalog.view.find(&wanted);
        let mut report = FindReport::default();
        for row in found.map_err(|e| Error::Other(Box::new(e)))? {
            report.found += 1;
            let told = each(FoundPath {
                last_path: row.path.below(&self.top(row.last)),
                path: row.path,
                kind: row.inode.facts.kind,
                first: Some(row.first),
                last: row.last,
                versions: Some(row.versions),
                bytes: space(&row.inode.facts.meta()),
                deleted: row.deleted,
            });
            if told.is_break() {
                break;
            }
        }
        Ok(report)
    }

    fn is_stopped(&self) -> bool {
        let stop = self.stop.as_ref();
        stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    fn top(&self, dump: DumpId) -> PathBuf {
        self.navigator.listing.root().join(dump.path())
    }

    fn walked(&self, each: Each<'_>) -> Result<FindReport, Error> {
        let root = DumpRoot::open(self.navigator.listing.root())?;
        let mut walk = Walk {
            find: self,
            seen: HashSet::new(),
            trees: BTreeSet::new(),
            unread: HashSet::new(),
            lost_a_dump: false,
            report: FindReport::default(),
            each,
        };
        if walk.is_full() {
            return Ok(walk.report);
        }
        let since = self.since.unwrap_or(DateTime::<Utc>::MIN_UTC);
        for dump in self.navigator.listing.newest_first(since..) {
            match dump {
                Ok(dump) => {
                    if walk.dump(&root, DumpId::Dump(dump.name)).is_break() {
                        return Ok(walk.report);
                    }
                }
                Err(fault) => walk.note(fault),
            }
        }
        if self.since.is_none() && root.has(DumpId::First)? {
            let _ = walk.dump(&root, DumpId::First);
        }
        Ok(walk.report)
    }
}

/// The space that an entry takes; that of a directory says nothing.
fn space(meta: &Meta) -> Option<u64> {
    (meta.kind != Kind::Dir).then_some(meta.blocks * 512)
}

/// A walk through the dumps.
struct Walk<'a> {
    find: &'a Find<'a>,
    /// What was met in newer dumps.
    seen: HashSet<RelPath>,
    /// The trees of newer dumps.
    trees: BTreeSet<RelPath>,
    /// What the newest dump of its tree has, but could not be looked through there:
    /// whether it lacks a path below is not known.
    unread: HashSet<RelPath>,
    /// Was there a dump of which the trees are not known?
    lost_a_dump: bool,
    report: FindReport,
    each: Each<'a>,
}

impl Walk<'_> {
    fn note(&mut self, fault: Fault) {
        if errno::is_not_permitted(&fault.cause) {
            self.report.closed += 1;
        } else {
            self.report.faults.push(fault);
        }
    }

    /// Notes what could not be looked through.
    fn lose(&mut self, fault: Fault, within: &RelPath, deleted: bool) {
        if !deleted {
            self.unread.insert(within.clone());
        }
        self.note(fault);
    }

    /// Was as much found as was asked for?
    fn is_full(&self) -> bool {
        let most = self.find.most.map(|most| most as u64);
        most.is_some_and(|most| self.report.found >= most)
    }

    /// Is it not known whether the newest dump has this path?
    fn is_unsure(&self, within: &RelPath) -> bool {
        let bytes = within.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut ends = ends.map(|(end, _)| end).chain([bytes.len()]);
        !self.unread.is_empty()
            && ends.any(|end| self.unread.contains(&RelPath::from_bytes(&bytes[..end])))
    }

    fn dump(&mut self, root: &DumpRoot, dump: DumpId) -> ControlFlow<()> {
        let top = self.find.top(dump);
        let trees = match root.list_trees(dump) {
            Ok(trees) => trees,
            Err(fault) => {
                self.lost_a_dump = true;
                self.note(fault);
                return ControlFlow::Continue(());
            }
        };
        for tree in trees {
            let tree = RelPath::from(Path::new(&tree));
            let deleted = !self.trees.insert(tree.clone());
            if self.lost_a_dump && !deleted {
                self.unread.insert(tree.clone());
            }
            let start = match &self.find.below {
                Some(below) if !below.is_at_or_below(&tree) => continue,
                Some(below) if *below != tree => below,
                _ => {
                    self.tree(dump, tree.below(&top), tree, deleted)?;
                    continue;
                }
            };
            // A symlink on the way there would lead out of the dump.
            match is_inside(&top, &start.below(&top)) {
                Ok(false) => {}
                Ok(true) => {
                    let start = start.clone();
                    let is_dir = self.entry(dump, &start, &start.below(&top), None, deleted)?;
                    if is_dir {
                        self.tree(dump, start.below(&top), start, deleted)?;
                    }
                }
                Err(fault) => {
                    let start = start.clone();
                    self.lose(fault, &start, deleted);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// All that is below a directory.
    fn tree(
        &mut self,
        dump: DumpId,
        path: PathBuf,
        within: RelPath,
        deleted: bool,
    ) -> ControlFlow<()> {
        let mut left = vec![(path, within)];
        while let Some((path, within)) = left.pop() {
            if self.find.is_stopped() {
                return ControlFlow::Break(());
            }
            let names = match names_in(&path) {
                Ok(names) => names,
                Err(fault) => {
                    self.lose(fault, &within, deleted);
                    continue;
                }
            };
            let first = left.len();
            for listed in names.iter() {
                let name = listed.name.to_bytes();
                let below = path.join(std::ffi::OsStr::from_bytes(name));
                let inside = within.join(name);
                if self.entry(dump, &inside, &below, listed.kind, deleted)? {
                    left.push((below, inside));
                }
            }
            // The first name comes first.
            left[first..].reverse();
        }
        ControlFlow::Continue(())
    }

    /// Reports an entry, if it is one of those looked for. Is it a directory?
    fn entry(
        &mut self,
        dump: DumpId,
        within: &RelPath,
        path: &Path,
        kind: Option<Kind>,
        deleted: bool,
    ) -> ControlFlow<(), bool> {
        let name = within.as_bytes().rsplit(|b| *b == b'/').next();
        let whole = || Ok::<_, std::convert::Infallible>(within.clone());
        let Ok(is_one) = NameTest::any(&self.find.tests, name.unwrap_or_default(), whole);
        if !is_one && let Some(kind) = kind {
            return ControlFlow::Continue(kind == Kind::Dir);
        }
        let meta = match look(path) {
            Ok(Some(meta)) => meta,
            Ok(None) => return ControlFlow::Continue(false),
            Err(fault) => {
                self.lose(fault, within, deleted);
                return ControlFlow::Continue(false);
            }
        };
        let is_dir = meta.kind == Kind::Dir;
        if !is_one || !self.seen.insert(within.clone()) {
            return ControlFlow::Continue(is_dir);
        }
        let deleted = deleted && !self.is_unsure(within);
        let large = self
            .find
            .larger
            .is_none_or(|than| space(&meta).is_some_and(|space| space > than));
        if large && (deleted || !self.find.deleted) {
            self.report.found += 1;
            (self.each)(FoundPath {
                path: within.clone(),
                last_path: path.to_path_buf(),
                kind: meta.kind,
                first: None,
                last: dump,
                versions: None,
                bytes: space(&meta),
                deleted,
            })?;
            if self.is_full() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(is_dir)
    }
}
