//! What tests of restoring share: a main tree, a dump of it, and what a
//! restoration comes to.

use std::fs;
use std::path::{Path, PathBuf};

use assert_fs::TempDir;
use dumpcore::{
    Location, Navigator, Restore, RestoreError, RestorePlan, RestoreReport, Restored, Version,
};
use fixtures::compare::{Options, assert_same_tree};
use fixtures::fingerprint::Fingerprint;
use fixtures::tree::{Node, Tree};

/// A main tree and a dump root.
pub(crate) struct Ground {
    dir: TempDir,
    dumps: PathBuf,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self::with_dumps_in("dump")
    }

    /// With the dump root somewhere else, beside the main tree or not.
    pub(crate) fn with_dumps_in(path: impl AsRef<Path>) -> Self {
        // The system's own directory for such things may lack attributes.
        let dir = TempDir::new_in(".").unwrap();
        let dumps = fs::canonicalize(dir.path()).unwrap().join(path);
        let dump = dumps.join("2020/0101/1000/NEWAGE/up");
        for path in [&dir.path().join("main/NEWAGE/up"), &dump] {
            fs::create_dir_all(path).unwrap();
        }
        Self { dir, dumps }
    }

    /// A path beside both.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(name)
    }

    pub(crate) fn main(&self, path: &str) -> PathBuf {
        let dir = fs::canonicalize(self.dir.path()).unwrap();
        dir.join("main/NEWAGE").join(path)
    }

    pub(crate) fn dump(&self, path: &str) -> PathBuf {
        self.dumps.join("2020/0101/1000/NEWAGE").join(path)
    }

    pub(crate) fn navigator(&self) -> Navigator {
        Navigator::new(&self.dumps).main(self.main(""))
    }

    /// Restores over whatever is there.
    pub(crate) fn restore(&self, path: &str) -> Result<RestoreReport, RestoreError> {
        let (navigator, place, version) = self.find(path);
        asking(Restore::new(&navigator, &version, &place)?, |_| true)
    }

    /// Does anything differ from the version?
    pub(crate) fn differs(&self, path: &str) -> bool {
        let (navigator, place, version) = self.find(path);
        let restore = Restore::new(&navigator, &version, &place).unwrap();
        let restored = restore.only_if_differs(true).run_asking(|_| false);
        match restored.unwrap() {
            Restored::Same => false,
            Restored::Declined => true,
            other => panic!("{other:?}"),
        }
    }

    /// What would go, as the question says.
    pub(crate) fn plan(&self, path: &str) -> Result<RestorePlan, RestoreError> {
        let (navigator, place, version) = self.find(path);
        let mut told = None;
        let ask = |plan: &RestorePlan| {
            told = Some(plan.clone());
            false
        };
        Restore::new(&navigator, &version, &place)?.run_asking(ask)?;
        Ok(told.expect("asked"))
    }

    pub(crate) fn find(&self, path: &str) -> (Navigator, Location, Version) {
        let navigator = self.navigator();
        let place = navigator.locate(self.main(path)).unwrap();
        let at = "2021-01-01T00:00:00Z".parse().unwrap();
        let version = navigator.version_at(&place, at).unwrap();
        (navigator, place, version)
    }

    /// Also of what is not a directory: each gets a name in one.
    pub(crate) fn assert_same(&self, old: &Path, new: &Path, options: &Options) {
        if fs::symlink_metadata(old).unwrap().is_dir() {
            return assert_same_tree(old, new, options);
        }
        let options = Options {
            links: false,
            root: false,
            dir_times: false,
            ..options.clone()
        };
        let [a, b] = [(old, "a"), (new, "b")].map(|(path, name)| {
            let dir = self.dir.path().join(name);
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir(&dir).unwrap();
            fs::hard_link(path, dir.join(path.file_name().unwrap())).unwrap();
            dir
        });
        assert_same_tree(&a, &b, &options);
    }

    /// Restores, and holds the outcome against the dump.
    pub(crate) fn restores(&self, path: &str, options: &Options) {
        let before = Fingerprint::of(&self.dumps);
        let names = names_in(self.main(path).parent().unwrap(), path);
        let report = self.restore(path).unwrap();
        assert!(report.is_complete(), "{report:?}");
        before.assert_unchanged(&self.dumps);
        let after = names_in(self.main(path).parent().unwrap(), path);
        assert_eq!(after, names, "nothing is left beside it");
        self.assert_same(&self.dump(path), &self.main(path), options);
    }
}

pub(crate) fn done(restore: Restore) -> Result<RestoreReport, RestoreError> {
    finished(restore.run()?)
}

pub(crate) fn asking(
    restore: Restore,
    ask: impl FnMut(&RestorePlan) -> bool,
) -> Result<RestoreReport, RestoreError> {
    finished(restore.run_asking(ask)?)
}

fn finished(restored: Restored) -> Result<RestoreReport, RestoreError> {
    match restored {
        Restored::Done(report) => Ok(*report),
        other => panic!("{other:?}"),
    }
}

/// All names in a directory, and that of `path`.
pub(crate) fn names_in(directory: &Path, path: &str) -> Vec<String> {
    let own = Path::new(path).file_name().unwrap().to_owned();
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .chain([own])
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

pub(crate) fn plain_tree() -> Tree {
    Tree::new()
        .with("", Node::dir().mode(0o750).mtime(1_000_000_000, 1))
        .with(
            "file",
            Node::file("text\n").mode(0o640).mtime(1_100_000_000, 2),
        )
        .with("again", Node::hard_link("file"))
        .with("link", Node::symlink("nowhere").mtime(1_200_000_000, 3))
        .with(
            "holes",
            Node::sparse(1 << 20, vec![(500_000, b"x".to_vec())]),
        )
        .with("sub", Node::dir().mode(0o500).mtime(1_300_000_000, 4))
        .with("sub/deeper", Node::dir().mtime(1_400_000_000, 5))
        .with("sub/deeper/again", Node::hard_link("file"))
}

pub(crate) fn put(tree: Tree, at: &Path) {
    fs::create_dir(at).unwrap();
    tree.write(at);
}
