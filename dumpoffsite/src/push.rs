//! `dumpoffsite push`: stores dumps as snapshots.

use std::ffi::OsString;

use clap::{Args, ValueHint};
use dumpcli::failure::Failure;
use dumpcore::{DumpName, DumpRoot, HeldDump, Printable};
use rustix::system::uname;

use crate::choose::{self, Asked, SetTree};
use crate::common::Settings;
use crate::desk::{self, Desk, Done};
use crate::push_report::{self, Line, Outcome};
use crate::repository::{Repository, Snapshot, Tree};

const HELP: &str = "\
Each tree of a dump becomes a snapshot with the time of the dump, the name of this
machine, the path of the tree that was dumped, and the name of the dump as its tag.
What has been pushed before is not pushed again. Only files that changed since the
snapshot before are read.

Examples:
  dumpoffsite push                    the newest dump of every tree of the set
  dumpoffsite push 2026/1122/2331     this dump
  dumpoffsite push --since 2w         all dumps of the last two weeks
  dumpoffsite push -n --all           show what would be pushed

Exit codes:
  0         done, or there was nothing to push
  1         failed: nothing was pushed
  2         wrong usage: options or configuration
  23        partly done: each entry that could not be read, and each dump that was
            not pushed, is named; or the `post` hook failed
  75        the `pre` hook exited with 75 (\"not now\")
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143): what was stored is
            kept, and the next push need not send it again";

/// Store dumps in the repository; without arguments the newest dump of every tree
/// of the set.
///
/// It needs no lock of the dump root: dumps are made meanwhile, and only the dump
/// that is being read is kept from being removed. Do not run `restic prune` of the
/// same repository at the same time.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Dump to push: its name (2026/1122/2331), its path, or a pin
    #[arg(value_name = "DUMP", value_hint = ValueHint::DirPath)]
    dumps: Vec<OsString>,
    /// Push all dumps from this moment on: a dump, a date, or how long ago (3d, 2w)
    #[arg(long, value_name = "WHEN", conflicts_with_all = ["dumps", "all"])]
    since: Option<OsString>,
    /// Push all dumps
    #[arg(long, conflicts_with = "dumps")]
    all: bool,
    /// Store nothing; show what would be pushed
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl Options {
    fn asked(&self) -> Asked<'_> {
        match &self.since {
            Some(when) => Asked::Since(when),
            None if self.all => Asked::All,
            None if !self.dumps.is_empty() => Asked::These(&self.dumps),
            None => Asked::Newest,
        }
    }
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Done {
    desk::at("push", settings, |desk| match options.dry_run {
        true => pushed(options, settings, desk),
        false => desk.between_hooks(settings, || pushed(options, settings, desk)),
    })
}

/// The name of this machine, as snapshots have it.
pub(crate) fn host() -> String {
    uname().nodename().to_string_lossy().into_owned()
}

fn pushed(options: &Options, settings: &Settings, desk: &Desk) -> Done {
    let root = DumpRoot::open(&settings.dump.value).map_err(|e| settings.explained(e))?;
    let dumps = choose::dumps(&options.asked(), settings, &root)?;
    let (repository, address) = desk.open(settings)?;
    let snapshots = repository.snapshots();
    desk.stores();
    let mut push = Push {
        settings,
        desk,
        root,
        snapshots: snapshots.map_err(|error| desk.failure(settings, error))?,
        repository,
        host: host(),
        dry_run: options.dry_run,
        lines: Vec::new(),
        failures: Vec::new(),
    };
    let mut dumps = dumps.into_iter();
    for (dump, trees) in dumps.by_ref() {
        if let Err(failure) = push.dump(dump, &trees) {
            // One dump may be half removed, and the next ones may well be pushed; not
            // so without the repository.
            let of_dump = matches!(failure, Failure::Core { .. });
            push.ended(dump, &trees, failure);
            if desk.control().is_stopped() || !of_dump {
                break;
            }
        }
    }
    for (dump, trees) in dumps {
        push.not_pushed(dump, &trees);
    }
    let Push {
        lines, failures, ..
    } = push;
    push_report::tell(desk, &address, (&lines, failures), options.dry_run)
}

struct Push<'a> {
    settings: &'a Settings,
    desk: &'a Desk,
    root: DumpRoot,
    repository: Repository,
    snapshots: Vec<Snapshot>,
    host: String,
    dry_run: bool,
    lines: Vec<Line>,
    failures: Vec<(DumpName, Failure)>,
}

impl Push<'_> {
    fn dump(&mut self, name: DumpName, wanted: &[SetTree]) -> Result<(), Failure> {
        let moment = self.root.listing().moment(name);
        let mut missing = Vec::new();
        for tree in wanted {
            let own = self.snapshots.iter().filter(|one| one.host == self.host);
            match own
                .into_iter()
                .find(|one| one.is_of(name, moment, &tree.path))
            {
                Some(one) => self.lines.push(Line {
                    dump: name,
                    tree: tree.clone(),
                    outcome: Outcome::There(one.id.clone()),
                }),
                None => missing.push(tree.clone()),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let explained = |error| match error {
            dumpcore::Error::Interrupted => Failure::Stopped,
            error => self.settings.explained(error),
        };
        let stop = self.desk.control().flag();
        let dump = HeldDump::open_until(&self.root, name, Some(stop)).map_err(explained)?;
        let trees = dump.trees().map_err(explained)?;
        for tree in missing {
            let Some(found) = trees.iter().find(|found| found.name() == tree.name) else {
                let path = Printable::path(&tree.path);
                let text = format!("the dump {name} does not have the tree {path} any more");
                self.failed(name, &tree, Failure::Failed(text));
                continue;
            };
            tracing::info!(
                DUMP_PATH = %found.path().display(),
                "starting to push {} of {name}", tree.path.display()
            );
            let what = Tree {
                dump: &dump,
                tree: found,
                path: &tree.path,
                host: &self.host,
            };
            let pushed = self.repository.push(&what, self.dry_run);
            let pushed = pushed.map_err(|error| self.desk.failure(self.settings, error))?;
            push_report::log(name, &tree, &pushed);
            self.lines.push(Line {
                dump: name,
                tree,
                outcome: Outcome::Pushed(Box::new(pushed)),
            });
        }
        Ok(())
    }

    /// Notes what ended the push of a dump: what it was about to push failed, and
    /// the trees behind that were not tried.
    fn ended(&mut self, dump: DumpName, wanted: &[SetTree], failure: Failure) {
        let told = self.lines.iter().filter(|line| line.dump == dump);
        let told: Vec<OsString> = told.map(|line| line.tree.name.clone()).collect();
        let mut left = wanted.iter().filter(|tree| !told.contains(&tree.name));
        match (self.desk.control().is_stopped(), left.next()) {
            (false, Some(tree)) => self.failed(dump, tree, failure),
            (_, tree) => {
                self.not_pushed(dump, tree);
                self.failures.push((dump, failure));
            }
        }
        self.not_pushed(dump, left);
    }

    fn failed(&mut self, dump: DumpName, tree: &SetTree, failure: Failure) {
        self.lines.push(Line {
            dump,
            tree: tree.clone(),
            outcome: Outcome::Failed(failure.to_string()),
        });
        self.failures.push((dump, failure));
    }

    /// Notes trees that nobody has tried to push.
    fn not_pushed<'t>(&mut self, dump: DumpName, trees: impl IntoIterator<Item = &'t SetTree>) {
        self.lines.extend(trees.into_iter().map(|tree| Line {
            dump,
            tree: tree.clone(),
            outcome: Outcome::NotPushed,
        }));
    }
}
