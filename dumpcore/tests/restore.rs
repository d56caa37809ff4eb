//! Restoring, judged by the tree comparison, rsync and the fingerprint of history.

mod common;

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::restoring::{Ground, asking, done, names_in, plain_tree, put};
use dumpcore::{Restore, RestoreError, Restored};
use fixtures::compare::{Options, assert_same_tree};
use fixtures::fingerprint::Fingerprint;
use fixtures::tree::{Node, Tree, deep, depth_of, odd_tree, remove_deep};

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
    drop(deep(&top.join("came/with"), 3_000));
    let (entries, named) = would_remove(&ground, "up/tree");
    assert!(entries >= 3_008, "{entries}");
    assert_eq!(named, first);
    remove_deep(&top.join("came/with"));
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
        let fault = asking(restore, |_| true).unwrap_err();
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
        let before = Fingerprint::of(&ground.beside("dump"));
        let report = ground.restore(path).unwrap();
        assert!(report.is_complete(), "{report:?}");
        before.assert_unchanged(&ground.beside("dump"));
        // What the dump has besides is not brought back with them.
        let dump = ground.dump("up");
        for other in ["file", "again", "link", "holes"] {
            fs::remove_file(dump.join("tree").join(other)).unwrap();
        }
        let root = fs::File::open(dump.join("tree")).unwrap();
        let times = fs::FileTimes::new();
        let old = std::time::UNIX_EPOCH + Duration::new(1_000_000_000, 1);
        root.set_times(times.set_modified(old)).unwrap();
        assert_same_tree(&dump, &ground.main("up"), &Options::default());
        assert_eq!(names_in(&ground.main(""), "up"), ["up"]);
    }
}

#[test]
fn the_time_of_the_answer_is_no_time_of_work() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    fs::create_dir(ground.main("up/tree")).unwrap();
    let (navigator, place, version) = ground.find("up/tree");
    let restore = Restore::new(&navigator, &version, &place).unwrap();
    let thinks = Duration::from_secs(1);
    let report = asking(restore, |_| {
        std::thread::sleep(thinks);
        true
    });
    let report = report.unwrap();
    let all = (report.end - report.start).as_seconds_f64();
    assert!(report.waited >= thinks && all >= 1.0, "{report:?}");
    let work = all - report.waited.as_secs_f64();
    assert!((report.seconds() - work).abs() < 1e-6, "{report:?}");
    assert!(report.seconds() < all - 0.99, "{report:?}");
}

#[test]
fn a_dry_run_tells_the_plan_and_changes_nothing() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    fs::create_dir(ground.main("up/tree")).unwrap();
    fs::write(ground.main("up/tree/gained"), "newer").unwrap();
    let before = Fingerprint::of(&ground.main(""));
    let (navigator, place, version) = ground.find("up/tree");
    let restore = Restore::new(&navigator, &version, &place).unwrap();
    let restore = restore.dry_run(true);
    let planned = [
        restore.clone().run(),
        restore.run_asking(|_| panic!("asked in a dry run")),
    ];
    for planned in planned {
        let Ok(Restored::Planned(plan)) = planned else {
            panic!("{planned:?}");
        };
        assert!(plan.replaces);
        assert_eq!(plan.removes.first, [ground.main("up/tree/gained")]);
    }
    before.assert_unchanged(&ground.main(""));
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
    let place = navigator.locate(&path).unwrap();
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

#[test]
fn depth_and_length_of_paths_do_not_matter() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    drop(deep(&ground.dump("up/tree/deep"), 3_000));
    drop(deep(&ground.main("up/tree/sub"), 3_000));
    ground.restore("up/tree").unwrap();
    assert_eq!(depth_of(&ground.main("up/tree/deep")), 3_000);
    assert_eq!(names_in(&ground.main("up"), "tree"), ["tree"]);
    assert!(!ground.differs("up/tree"));
    for top in [ground.main("up/tree/deep"), ground.dump("up/tree/deep")] {
        remove_deep(&top);
    }
}

/// Elsewhere it has its own last name, a whole tree that of the dump.
#[test]
fn another_directory_serves_as_well() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    put(plain_tree(), &ground.main("up/tree"));
    fs::write(ground.main("up/tree/file"), "newer").unwrap();
    let to = ground.beside("to");
    fs::create_dir(&to).unwrap();
    for (path, name) in [
        ("up/tree", "tree"),
        ("up/tree/file", "file"),
        ("", "NEWAGE"),
    ] {
        let (navigator, place, version) = ground.find(path);
        let restore = || Restore::new(&navigator, &version, &place).unwrap().to(&to);
        let report = done(restore()).unwrap();
        assert!(report.is_complete() && !report.plan.replaces, "{report:?}");
        let dump = ground.dump(path);
        let dump = dump.components().as_path();
        ground.assert_same(dump, &to.join(name), &Options::default());
        let refused = done(restore()).unwrap_err();
        assert!(matches!(refused, RestoreError::Exists { .. }), "{refused}");
    }
    let kept = fs::read_to_string(ground.main("up/tree/file")).unwrap();
    assert_eq!(kept, "newer");
    let (navigator, place, version) = ground.find("up/tree");
    let restore = Restore::new(&navigator, &version, &place).unwrap();
    let missing = done(restore.to(ground.beside("missing"))).unwrap_err();
    assert!(matches!(missing, RestoreError::NoTree { .. }), "{missing}");
}

/// The symlink that leads to a main tree stays.
#[test]
fn a_whole_tree_is_restored_where_its_symlink_leads() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    let link = ground.beside("main");
    fs::rename(&link, ground.beside("disk")).unwrap();
    std::os::unix::fs::symlink("disk", &link).unwrap();
    fs::create_dir(ground.main("gained")).unwrap();
    let navigator = dumpcore::Navigator::new(ground.beside("dump")).main(link.join("NEWAGE"));
    for path in ["up/tree", ""] {
        let path = link.join("NEWAGE").join(path);
        let place = navigator.locate(&path).unwrap();
        let at = "2021-01-01T00:00:00Z".parse().unwrap();
        let version = navigator.version_at(&place, at).unwrap();
        let restore = Restore::new(&navigator, &version, &place).unwrap();
        asking(restore, |_| true).unwrap();
    }
    assert!(link.is_symlink());
    assert_same_tree(&ground.dump(""), &ground.main(""), &Options::default());
    assert_eq!(names_in(&ground.beside("disk"), "NEWAGE"), ["NEWAGE"]);
}

/// Where times are kept to the second, what dumps call unchanged is the same.
#[test]
#[ignore = "needs root: makes filesystems"]
fn what_a_dump_disk_could_not_keep_is_no_difference() {
    use fixtures::mounts::{Fs, Mount};
    let coarse = Mount::with(Fs::Ext4, 64, &["-I", "128"], "");
    let ground = Ground::with_dumps_in(coarse.path().join("dump"));
    put(plain_tree(), &ground.main("up/tree"));
    let mut copy = std::process::Command::new("cp");
    copy.arg("-a")
        .arg(ground.main("up/tree"))
        .arg(ground.dump("up"));
    assert!(copy.status().unwrap().success());
    assert!(!ground.differs("up/tree"));
    assert!(!ground.differs("up/tree/file"));
    let file = fs::File::options()
        .append(true)
        .open(ground.main("up/tree/file"));
    let other = std::time::UNIX_EPOCH + Duration::from_secs(1_100_000_001);
    let times = fs::FileTimes::new().set_modified(other);
    file.unwrap().set_times(times).unwrap();
    assert!(ground.differs("up/tree/file"), "a second later");
    let outcome = {
        let (navigator, place, version) = ground.find("up/tree");
        let restore = Restore::new(&navigator, &version, &place).unwrap();
        restore.only_if_differs(true).run_asking(|_| true)
    };
    assert!(matches!(outcome, Ok(Restored::Done(_))), "{outcome:?}");
    assert!(!ground.differs("up/tree"));
}

#[test]
#[ignore = "needs root and rsync: devices, owners and attributes of all kinds"]
fn rsync_finds_no_difference() {
    let ground = Ground::new();
    fs::create_dir(ground.dump("up/odd")).unwrap();
    odd_tree(&ground.dump("up/odd"), true);
    ground.restores("up/odd", &Options::default());
    fixtures::rsync::assert_rsync_same(&ground.dump("up/odd"), &ground.main("up/odd"));
}
