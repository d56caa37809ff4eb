//! Restoring, judged by the tree comparison and the fingerprint of history.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use assert_fs::TempDir;
use dumpcore::{
    Location, Navigator, Restore, RestoreError, RestorePlan, RestoreReport, Restored, Version,
};
use fixtures::compare::{Options, assert_same_tree};
use fixtures::fingerprint::Fingerprint;
use fixtures::tree::{Node, Tree, odd_tree};

struct Ground {
    dir: TempDir,
}

impl Ground {
    fn new() -> Self {
        // The system's own directory for such things may lack attributes.
        let dir = TempDir::new_in(".").unwrap();
        for path in ["main/NEWAGE/up", "dump/2020/0101/1000/NEWAGE/up"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        Self { dir }
    }

    fn main(&self, path: &str) -> PathBuf {
        let dir = fs::canonicalize(self.dir.path()).unwrap();
        dir.join("main/NEWAGE").join(path)
    }

    fn dump(&self, path: &str) -> PathBuf {
        let dir = self.dir.path().join("dump/2020/0101/1000/NEWAGE");
        dir.join(path)
    }

    fn navigator(&self) -> Navigator {
        Navigator::new(self.dir.path().join("dump")).main(self.main(""))
    }

    /// Restores over whatever is there.
    fn restore(&self, path: &str) -> Result<RestoreReport, RestoreError> {
        let (navigator, place, version) = self.find(path);
        done(Restore::new(&navigator, &version, &place)?.confirm(|_| true))
    }

    /// Does anything differ from the version?
    fn differs(&self, path: &str) -> bool {
        let (navigator, place, version) = self.find(path);
        let restore = Restore::new(&navigator, &version, &place).unwrap();
        let restored = restore.only_if_differs(true).confirm(|_| false).run();
        match restored.unwrap() {
            Restored::Same => false,
            Restored::Declined => true,
            other => panic!("{other:?}"),
        }
    }

    /// What would go, as whoever is asked is told.
    fn plan(&self, path: &str) -> Result<RestorePlan, RestoreError> {
        let (navigator, place, version) = self.find(path);
        let mut told = None;
        let ask = |plan: &RestorePlan| {
            told = Some(plan.clone());
            false
        };
        Restore::new(&navigator, &version, &place)?
            .confirm(ask)
            .run()?;
        Ok(told.expect("asked"))
    }

    fn find(&self, path: &str) -> (Navigator, Location, Version) {
        let navigator = self.navigator();
        let place = navigator.locate(Path::new("/"), &self.main(path)).unwrap();
        let at = "2021-01-01T00:00:00Z".parse().unwrap();
        let version = navigator.version_at(&place, at).unwrap();
        (navigator, place, version)
    }

    /// Also of what is no directory: each gets a name in one.
    fn assert_same(&self, old: &Path, new: &Path, options: &Options) {
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
    fn restores(&self, path: &str, options: &Options) {
        let before = Fingerprint::of(&self.dir.path().join("dump"));
        let names = names_in(self.main(path).parent().unwrap(), path);
        let report = self.restore(path).unwrap();
        assert!(report.is_complete(), "{report:?}");
        before.assert_unchanged(&self.dir.path().join("dump"));
        let after = names_in(self.main(path).parent().unwrap(), path);
        assert_eq!(after, names, "nothing is left beside it");
        self.assert_same(&self.dump(path), &self.main(path), options);
    }
}

fn done(restore: Restore<'_>) -> Result<RestoreReport, RestoreError> {
    match restore.run()? {
        Restored::Done(report) => Ok(*report),
        other => panic!("{other:?}"),
    }
}

/// All names in a directory, and that of `path`.
fn names_in(directory: &Path, path: &str) -> Vec<String> {
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

fn plain_tree() -> Tree {
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

fn put(tree: Tree, at: &Path) {
    fs::create_dir(at).unwrap();
    tree.write(at);
}

/// What stands in the way of a restoration.
fn obstacles() -> [fn(&Path); 5] {
    [
        |_| {},
        |path| fs::write(path, "newer").unwrap(),
        |path| std::os::unix::fs::symlink("elsewhere", path).unwrap(),
        |path| fs::create_dir(path).unwrap(),
        |path| {
            fs::create_dir_all(path.join("sub/newer")).unwrap();
            fs::write(path.join("file"), "newer").unwrap();
        },
    ]
}

#[test]
fn brings_back_whatever_it_was_over_whatever_is_there() {
    for obstacle in obstacles() {
        for path in ["up/tree", "up/tree/file", "up/tree/link", "up/tree/sub"] {
            let ground = Ground::new();
            put(plain_tree(), &ground.dump("up/tree"));
            if path != "up/tree" {
                fs::create_dir(ground.main("up/tree")).unwrap();
            }
            obstacle(&ground.main(path));
            ground.restores(path, &Options::default());
        }
    }
}

#[test]
fn names_of_one_file_stay_names_of_one_file() {
    use std::os::unix::fs::MetadataExt;
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    ground.restores("up/tree", &Options::default());
    let inode = |path: PathBuf| fs::metadata(path).unwrap().ino();
    let first = inode(ground.main("up/tree/file"));
    assert_eq!(inode(ground.main("up/tree/sub/deeper/again")), first);
    // But none of the dump's: writing here must not change history.
    assert_ne!(inode(ground.dump("up/tree/file")), first);
}

#[test]
fn what_is_the_same_is_known_to_be() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    assert!(ground.differs("up/tree"), "missing");
    ground.restores("up/tree", &Options::default());
    assert!(!ground.differs("up/tree"));
    let changes: [fn(&Path); 5] = [
        |top| fs::write(top.join("sub/deeper/again"), "TEXT\n").unwrap(),
        |top| fs::write(top.join("new"), "").unwrap(),
        |top| fs::remove_file(top.join("link")).unwrap(),
        |top| fs::set_permissions(top.join("sub"), Permissions::from_mode(0o700)).unwrap(),
        |top| xattr::set(top.join("file"), "user.note", b"x").unwrap(),
    ];
    for change in changes {
        change(&ground.main("up/tree"));
        assert!(ground.differs("up/tree"));
        ground.restores("up/tree", &Options::default());
        assert!(!ground.differs("up/tree"));
    }
}

fn would_remove(ground: &Ground, path: &str) -> (u64, Vec<PathBuf>) {
    let plan = ground.plan(path).unwrap();
    (plan.removes.entries, plan.removes.first)
}

#[test]
fn what_would_go_is_found_before() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    let top = ground.main("up/tree");
    assert_eq!(
        would_remove(&ground, "up/tree"),
        (0, Vec::new()),
        "nothing there"
    );
    ground.restores("up/tree", &Options::default());
    assert_eq!(
        would_remove(&ground, "up/tree"),
        (0, Vec::new()),
        "the same"
    );

    // What was written to is older again: that is what was asked for. What
    // has gone costs nothing.
    fs::write(top.join("file"), "newer").unwrap();
    fs::remove_file(top.join("holes")).unwrap();
    assert_eq!(would_remove(&ground, "up/tree"), (0, Vec::new()));

    // New far below, new with something in it, and of another type.
    fs::write(top.join("sub/deeper/new"), "").unwrap();
    fs::create_dir_all(top.join("came/with")).unwrap();
    fs::write(top.join("came/with/file"), "").unwrap();
    // A symlink is not followed.
    std::os::unix::fs::symlink("..", top.join("came/up")).unwrap();
    fs::remove_file(top.join("link")).unwrap();
    fs::create_dir(top.join("link")).unwrap();
    fs::write(top.join("link/below"), "").unwrap();
    let first = ["came", "link", "sub/deeper/new"].map(|name| top.join(name));
    assert_eq!(would_remove(&ground, "up/tree"), (7, first.to_vec()));
    // No more are named, but they are counted; the nearest are named.
    fs::write(top.join("zzz"), "").unwrap();
    let first = ["came", "link", "zzz"].map(|name| top.join(name));
    assert_eq!(would_remove(&ground, "up/tree"), (8, first.to_vec()));
    // Depth costs neither stack nor descriptors.
    drop(fixtures::tree::deep(&top.join("came/with"), 3_000));
    let (entries, named) = would_remove(&ground, "up/tree");
    assert!(entries >= 3_008, "{entries}");
    assert_eq!(named, first);
    fixtures::tree::remove_deep(&top.join("came/with"));
    assert_eq!(would_remove(&ground, "up/tree/file"), (0, Vec::new()));
    // A directory where a symlink was is such an entry itself.
    let whole = (2, vec![top.join("link")]);
    assert_eq!(would_remove(&ground, "up/tree/link"), whole);
}

/// A directory that may not be listed is one entry more that goes, unseen.
/// Root lists it.
#[test]
fn what_may_not_be_listed_counts_as_one() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    put(plain_tree(), &ground.main("up/tree"));
    let closed = ground.main("up/tree").join("sub");
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    let found = would_remove(&ground, "up/tree");
    fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();
    let unseen = (1, vec![closed]);
    let by_root = fixtures::is_root();
    assert_eq!(found, if by_root { (0, Vec::new()) } else { unseen });
}

#[test]
#[ignore = "needs root: mounts a tmpfs inside the tree"]
fn what_is_mounted_inside_is_not_removed() {
    use fixtures::mounts::{Fs, Mount};
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    let at = ground.main("up/tree/sub");
    fs::create_dir_all(&at).unwrap();
    fs::write(ground.main("up/tree/newer"), "stays").unwrap();
    let mount = Mount::new(Fs::Tmpfs, 16);
    fs::write(mount.path().join("precious"), "stays").unwrap();
    let run = |program: &str, words: &[&Path]| {
        let mut command = std::process::Command::new(program);
        assert!(command.args(words).status().unwrap().success());
    };
    run("mount", &[Path::new("--bind"), mount.path(), &at]);
    let asked = ground.plan("up/tree").unwrap_err();
    let refused = ground.restore("up/tree").unwrap_err();
    let names = names_in(&ground.main("up"), "tree");
    let there = at.join("precious").exists() && ground.main("up/tree/newer").exists();
    run("umount", &[&at]);
    for error in [asked, refused] {
        let RestoreError::Mounted { path } = error else {
            panic!("{error}");
        };
        assert_eq!(path, at);
    }
    assert!(there);
    assert_eq!(names, ["tree"]);
    ground.restores("up/tree", &Options::default());
}

#[test]
fn a_failure_leaves_what_was_there() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    fs::create_dir(ground.main("up/tree")).unwrap();
    fs::write(ground.main("up/tree/file"), "newer").unwrap();
    for path in ["up/tree", "up/tree/file"] {
        let (navigator, place, version) = ground.find(path);
        let away = ground.dump("up/away");
        fs::rename(ground.dump("up/tree"), &away).unwrap();
        let restore = Restore::new(&navigator, &version, &place).unwrap();
        let fault = done(restore.confirm(|_| true)).unwrap_err();
        assert!(matches!(fault, RestoreError::Fault(_)), "{fault}");
        let newer = fs::read_to_string(ground.main("up/tree/file")).unwrap();
        assert_eq!(newer, "newer");
        assert_eq!(names_in(&ground.main("up"), "tree"), ["tree"]);
        assert_eq!(names_in(&ground.main("up/tree"), "file"), ["file"]);
        fs::rename(away, ground.dump("up/tree")).unwrap();
    }
}

#[test]
fn directories_above_come_back_with_their_metadata_and_nothing_else() {
    for path in ["up/tree/sub/deeper/again", "up/tree/sub/deeper"] {
        let ground = Ground::new();
        put(plain_tree(), &ground.dump("up/tree"));
        fs::remove_dir(ground.main("up")).unwrap();
        let before = Fingerprint::of(&ground.dir.path().join("dump"));
        let report = ground.restore(path).unwrap();
        assert!(report.is_complete(), "{report:?}");
        before.assert_unchanged(&ground.dir.path().join("dump"));
        // What the dump has besides is not brought back with them.
        let dump = ground.dump("up");
        for other in ["file", "again", "link", "holes"] {
            fs::remove_file(dump.join("tree").join(other)).unwrap();
        }
        let root = fs::File::open(dump.join("tree")).unwrap();
        let times = fs::FileTimes::new();
        let old = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 1);
        root.set_times(times.set_modified(old)).unwrap();
        assert_same_tree(&dump, &ground.main("up"), &Options::default());
        assert_eq!(names_in(&ground.main(""), "up"), ["up"]);
    }
}

#[test]
fn a_failure_below_directories_that_are_gone_makes_none() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    fs::remove_dir(ground.main("up")).unwrap();
    let (navigator, place, version) = ground.find("up/tree/file");
    fs::remove_file(ground.dump("up/tree/file")).unwrap();
    let restore = || Restore::new(&navigator, &version, &place).unwrap();
    let gone = done(restore()).unwrap_err();
    assert!(matches!(gone, RestoreError::VersionGone { .. }), "{gone}");
    assert_eq!(fs::read_dir(ground.main("")).unwrap().count(), 0);
    fs::remove_dir(ground.main("")).unwrap();
    let refused = done(restore()).unwrap_err();
    assert!(matches!(refused, RestoreError::NoTree { .. }), "{refused}");
}

#[test]
fn a_dump_is_not_restored_into() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    let (navigator, _, version) = ground.find("up/tree");
    let path = fs::canonicalize(ground.dump("up/tree")).unwrap();
    let place = navigator.locate(Path::new("/"), &path).unwrap();
    let refused = Restore::new(&navigator, &version, &place).unwrap_err();
    assert!(matches!(refused, RestoreError::InDump { .. }), "{refused}");
}

#[test]
fn inherits_nothing_from_the_directory_it_comes_to() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/heir"));
    let acl = fixtures::acl::with_user(7, 7);
    let heir = ground.main("up/heir");
    put(Tree::new().with("", Node::dir().default_acl(acl)), &heir);
    for path in ["up/heir/file", "up/heir/link", "up/heir/sub"] {
        ground.restores(path, &Options::default());
    }
}

#[test]
#[ignore = "needs root: devices, owners and attributes of all kinds"]
fn brings_back_the_oddest_tree() {
    let ground = Ground::new();
    fs::create_dir(ground.dump("up/odd")).unwrap();
    odd_tree(&ground.dump("up/odd"), true);
    fs::create_dir(ground.main("up/odd")).unwrap();
    odd_tree(&ground.main("up/odd"), false);
    fs::write(ground.main("up/odd/newer"), "goes").unwrap();
    ground.restores("up/odd", &Options::default());
}
