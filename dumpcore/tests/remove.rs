//! Removing dumps: what goes, what may not, what others notice of it.

mod common;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{History, Stage, assert_names_noted};
use dumpcore::{Chain, DumpId, DumpRoot, Error, Event, NotADump, Reason, Removal, Remove, Warning};
use fixtures::chattr::{Freed, chattr};
use fixtures::tree::{Node, Tree};
use rustix::fs::{FlockOperation, flock};

/// The first dump of all: until there is a checkpoint, `current_chk` names it.
const FIRST: &str = "2029-12-30T00:00";

/// A dump root with dumps of these minutes, each with a file of its own.
fn with(minutes: &[&str]) -> Stage {
    let stage = Stage::new();
    Tree::new()
        .with("same", Node::file(vec![1; 100_000]))
        .with("dir/twice", Node::file(*b"twice"))
        .with("dir/link", Node::hard_link(*b"dir/twice"))
        .with("dir/to", Node::symlink(*b"../same"))
        .dated()
        .write(&stage.source);
    for minute in [FIRST].iter().chain(minutes) {
        add(&stage, minute);
    }
    stage
}

fn add(stage: &Stage, minute: &str) {
    fs::write(stage.source.join("own"), vec![2; 50_000]).expect("written");
    let report = stage.snapshot().at(minute.parse().expect("a minute"));
    let report = report.run().expect("published");
    assert_names_noted(&report.dump);
}

const THREE: [&str; 3] = ["2030-01-01T01:00", "2030-01-01T02:00", "2030-01-02T03:00"];

fn id(name: &str) -> DumpId {
    DumpId::parse(name.as_bytes()).expect(name)
}

fn removing(stage: &Stage, names: &[&str]) -> Remove {
    let remove = Remove::new(&stage.dump);
    names
        .iter()
        .fold(remove, |remove, name| remove.dump(id(name)))
}

#[track_caller]
fn remove(stage: &Stage, names: &[&str]) -> Removal {
    removing(stage, names).run().expect("run")
}

/// The one dump that was left, and why.
#[track_caller]
fn left(removal: &Removal) -> &Reason {
    assert!(removal.removed.is_empty(), "{removal:?}");
    assert!(!removal.is_complete());
    let [left] = removal.left.as_slice() else {
        panic!("{removal:?}");
    };
    &left.reason
}

/// What is in the directory of dumps on their way out.
fn on_the_way_out(stage: &Stage) -> Vec<PathBuf> {
    let state = fs::read_dir(stage.dump.join(".dump")).expect("listed");
    let state = state.map(|entry| entry.expect("listed").file_name());
    assert!(state.count() <= 2, "the lock, and what is on its way out");
    let listed = fs::read_dir(stage.dump.join(".dump/removing"));
    let listed = listed.into_iter().flatten();
    listed.map(|entry| entry.expect("listed").path()).collect()
}

#[test]
fn a_dump_goes_and_the_others_stay_as_they_are() {
    let stage = with(&THREE);
    let other = stage.dump.join("2030/0101/0200");
    let links = || {
        fs::metadata(other.join("tree/same"))
            .expect("there")
            .nlink()
    };
    let (before, history) = (links(), History::of(&other));
    let removal = remove(&stage, &["2030/0101/0100"]);
    assert!(removal.is_complete(), "{removal:?}");
    assert!(!stage.dump.join("2030/0101/0100").exists());
    history.assert_unchanged(&other);
    assert_eq!(links(), before - 1);
    assert_eq!(on_the_way_out(&stage), Vec::<PathBuf>::new());
    // With the last of a day the day goes, and not the year that has another.
    remove(&stage, &["2030/0101/0200"]);
    assert!(!stage.dump.join("2030/0101").exists());
    assert!(stage.dump.join("2030/0102/0300/tree/same").exists());
}

/// The blocks of a file alone, by `stat`.
fn blocks(path: &Path) -> u64 {
    fs::symlink_metadata(path).expect("there").blocks() * 512
}

#[test]
fn what_is_freed_is_what_no_other_dump_has() {
    let stage = with(&THREE);
    File::open(&stage.dump)
        .and_then(|root| root.sync_all())
        .expect("flushed");
    rustix::fs::syncfs(File::open(&stage.dump).expect("opened")).expect("flushed");
    let dumps = ["2030/0101/0100", "2030/0101/0200"];
    let own = blocks(&stage.dump.join(dumps[0]).join("tree/own"));
    let directories: u64 = ["", "tree", "tree/dir"]
        .map(|below| blocks(&stage.dump.join(dumps[0]).join(below)))
        .iter()
        .sum();
    let planned = removing(&stage, &dumps).dry_run(true).run().expect("run");
    assert!(planned.dry_run && planned.is_complete());
    assert!(stage.dump.join(dumps[0]).exists() && !stage.dump.join(".dump/removing").exists());
    let done = remove(&stage, &dumps);
    for removal in [&planned, &done] {
        let removed = &removal.removed[0];
        assert_eq!(removed.freed_bytes, own + directories);
        // Itself, the tree, its directory, and five others.
        assert_eq!(removed.names, 8);
    }
    assert_eq!(planned.removed, done.removed);
    assert_eq!(planned.freed_bytes, done.freed_bytes);
}

#[test]
fn what_a_link_names_stays() {
    let stage = with(&THREE);
    symlink("2030/0101/0200", stage.dump.join("before-upgrade")).expect("linked");
    // Not exactly a dump, and a name that may not be a pin's.
    symlink("2030/0101/0100/tree", stage.dump.join("tree")).expect("linked");
    symlink("2030/0101/0100", stage.dump.join("@GMT-2030")).expect("linked");
    symlink("2030/0101/0100", stage.dump.join(".hidden")).expect("linked");
    for (name, by) in [
        ("2030/0102/0300", "current"),
        ("2030/0101/0200", "before-upgrade"),
    ] {
        match left(&remove(&stage, &[name])) {
            Reason::Linked { link } => assert_eq!(link, Path::new(by)),
            other => panic!("{other:?}"),
        }
        assert!(stage.dump.join(name).join("tree/same").exists());
    }
    let current_chk = left(&{
        fs::remove_file(stage.dump.join("current_chk")).expect("removed");
        symlink("2030/0101/0200/tree", stage.dump.join("current_chk")).expect("linked");
        fs::remove_file(stage.dump.join("before-upgrade")).expect("removed");
        remove(&stage, &["2030/0101/0200"])
    })
    .to_string();
    assert!(
        current_chk.contains("make a checkpoint first"),
        "{current_chk}"
    );
    assert!(remove(&stage, &["2030/0101/0100"]).is_complete());
}

#[test]
fn the_last_complete_dump_of_a_tree_stays() {
    let stage = with(&THREE);
    // Two dumps have another tree as well; the newer lacks entries.
    for name in ["2030/0101/0100", "2030/0101/0200"] {
        fs::create_dir(stage.dump.join(name).join("photos")).expect("made");
    }
    let newer = stage.dump.join("2030/0101/0200");
    // Marks that cannot be read or understood count as that of a partial one.
    for mark in ["1", "?", &"1".repeat(300)] {
        xattr::set(&newer, "user.dump.partial", mark.as_bytes()).expect("marked");
        match left(&remove(&stage, &["2030/0101/0100"])) {
            Reason::LastOfTree { tree } => assert_eq!(tree, Path::new("photos")),
            other => panic!("{other:?}"),
        }
    }
    // Of several that are named, one of them stays.
    let removal = remove(&stage, &["2030/0101/0200", "2030/0101/0100"]);
    assert_eq!(removal.removed.len(), 1);
    assert_eq!(removal.left[0].dump, id("2030/0101/0100"));
    assert!(stage.dump.join("2030/0101/0100/photos").exists());
}

#[test]
fn a_first_copy_goes_only_when_it_is_meant() {
    let stage = with(&THREE[..1]);
    fs::create_dir_all(stage.dump.join("first/tree")).expect("made");
    assert!(matches!(
        left(&remove(&stage, &["first"])),
        Reason::FirstCopy
    ));
    let removal = removing(&stage, &["first"]).first_copy(true).run();
    assert!(removal.expect("run").is_complete());
    assert!(!stage.dump.join("first").exists());
}

#[test]
fn a_leftover_goes_when_no_run_holds_the_root() {
    let stage = with(&THREE[..1]);
    let leftover = stage.dump.join("2030/0101/0500_incomplete");
    fs::create_dir_all(leftover.join("tree/half")).expect("made");
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let lock = root.lock().expect("locked");
    let busy = removing(&stage, &["2030/0101/0500_incomplete"]).run();
    assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
    drop(lock);
    assert!(remove(&stage, &["2030/0101/0500_incomplete"]).is_complete());
    assert!(!leftover.exists());
}

#[test]
fn without_current_the_disk_may_be_another() {
    let stage = with(&THREE);
    fs::remove_file(stage.dump.join("current")).expect("removed");
    let refused = removing(&stage, &["2030/0101/0100"]).run();
    assert!(
        matches!(refused, Err(Error::NoCurrent { .. })),
        "{refused:?}"
    );
    assert!(stage.dump.join("2030/0101/0100/tree/same").exists());
}

#[test]
fn a_dump_that_is_read_is_left_alone() {
    let stage = with(&THREE);
    let path = stage.dump.join("2030/0101/0100");
    let reader = File::open(&path).expect("opened");
    flock(&reader, FlockOperation::LockShared).expect("held");
    let removal = remove(&stage, &["2030/0101/0100", "2030/0101/0200"]);
    assert_eq!(removal.removed.len(), 1);
    assert!(matches!(removal.left[0].reason, Reason::Read));
    assert!(path.join("tree/same").exists());
    drop(reader);
    assert!(remove(&stage, &["2030/0101/0100"]).is_complete());
}

#[test]
fn read_only_directories_go_and_no_shared_mode_changes() {
    let stage = Stage::new();
    let deep = stage.source.join("mod/x@v1/sub");
    fs::create_dir_all(&deep).expect("made");
    fs::write(deep.join("file"), "text").expect("written");
    let modes = [
        ("mod/x@v1/sub/file", 0o444),
        ("mod/x@v1/sub", 0o555),
        ("mod/x@v1", 0o500),
        ("mod", 0o000),
    ];
    let set = |closed: bool| {
        let all = modes.iter();
        let all: Vec<_> = if closed {
            all.collect()
        } else {
            all.rev().collect()
        };
        for (path, mode) in all {
            let mode = if closed { *mode } else { 0o755 };
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(stage.source.join(path), mode).expect("set");
        }
    };
    for minute in [FIRST].iter().chain(&THREE[..2]) {
        // A directory that its owner may not enter is a fault for them.
        let report = stage.snapshot().at(minute.parse().expect("a minute"));
        set(fixtures::is_root());
        report.run().expect("published");
        set(false);
    }
    let file = stage.dump.join("2030/0101/0200/tree/mod/x@v1/sub/file");
    let before = fs::metadata(&file).map(|meta| meta.mode()).ok();
    assert!(remove(&stage, &["2030/0101/0100"]).is_complete());
    assert_eq!(fs::metadata(&file).map(|meta| meta.mode()).ok(), before);
}

#[test]
fn symlinks_are_not_followed() {
    let stage = with(&THREE);
    let outside = stage.dump.with_file_name("outside");
    fs::create_dir(&outside).expect("made");
    fs::write(outside.join("kept"), "kept").expect("written");
    let dump = stage.dump.join("2030/0101/0100");
    symlink(&outside, dump.join("tree/away")).expect("linked");
    symlink(&outside, dump.join("away")).expect("linked");
    assert!(remove(&stage, &["2030/0101/0100"]).is_complete());
    assert_eq!(
        fs::read_to_string(outside.join("kept")).expect("read"),
        "kept"
    );
}

#[test]
fn what_was_left_is_finished_by_the_next_run_whatever_it_is() {
    let half = |stage: &Stage| {
        let half = stage.dump.join(".dump/removing/2029-0101-0100");
        fs::create_dir_all(half.join("tree/a/b")).expect("made");
        fs::write(half.join("tree/a/file"), "half").expect("written");
        half
    };
    let stage = with(&THREE);
    let left = half(&stage);
    let removal = remove(&stage, &["2030/0101/0100"]);
    assert!(!left.exists() && removal.finished_names == 5, "{removal:?}");
    let left = half(&stage);
    add(&stage, "2030-01-03T00:00");
    assert!(!left.exists());
    let left = half(&stage);
    let checkpoint = dumpcore::Checkpoint::new(&stage.dump)
        .run()
        .expect("published");
    let failed = |warning: &Warning| matches!(warning, Warning::NotRemoved { .. });
    assert!(!left.exists() && !checkpoint.warnings.iter().any(failed));
    let slave = assert_fs::TempDir::new().expect("a directory");
    let replica = || {
        dumpcore::Replica::of(&stage.dump)
            .to(slave.path())
            .latest(true)
    };
    replica().init(true).run().expect("replicated");
    let left = slave.path().join(".dump/removing/first/tree");
    fs::create_dir_all(&left).expect("made");
    add(&stage, "2030-01-04T00:00");
    replica().run().expect("replicated");
    assert!(!left.exists());
}

#[test]
fn two_under_one_name_do_not_meet_on_their_way_out() {
    let stage = with(&THREE);
    let there = stage.dump.join(".dump/removing/2030-0101-0100/x");
    fs::create_dir_all(&there).expect("made");
    let removal = remove(&stage, &["2030/0101/0100"]);
    assert!(removal.is_complete(), "{removal:?}");
    assert_eq!(on_the_way_out(&stage), Vec::<PathBuf>::new());
}

#[test]
fn a_removal_that_is_stopped_is_finished_later() {
    let stage = with(&THREE);
    for number in 0..2_000 {
        let path = stage.dump.join(format!("2030/0101/0100/tree/dir/{number}"));
        fs::create_dir(path).expect("made");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Removed { .. }) {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let remove = removing(&stage, &["2030/0101/0100"])
        .observer(Arc::new(watch))
        .stop(stop);
    let removal = remove.run().expect("run");
    assert!(removal.stopped && !removal.is_complete());
    assert!(!stage.dump.join("2030/0101/0100").exists());
    assert_eq!(on_the_way_out(&stage).len(), 1);
    add(&stage, "2030-01-03T00:00");
    assert_eq!(on_the_way_out(&stage), Vec::<PathBuf>::new());
}

#[test]
fn depth_costs_no_stack_and_few_descriptors() {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    let stage = with(&THREE);
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let path = stage.dump.join("2030/0101/0100/tree");
    let mut at = openat(CWD, &path, flags, Mode::empty()).expect("opened");
    for _ in 0..2_000 {
        mkdirat(&at, "d", Mode::RWXU).expect("made");
        at = openat(&at, "d", flags, Mode::empty()).expect("opened");
    }
    let removal = remove(&stage, &["2030/0101/0100"]);
    assert!(removal.is_complete(), "{removal:?}");
    assert_eq!(removal.removed[0].names, 2_008);
}

#[test]
fn a_dump_is_found_by_its_name_its_path_or_a_pin() {
    let stage = with(&THREE);
    symlink("2030/0101/0200", stage.dump.join("before-upgrade")).expect("linked");
    fs::create_dir_all(stage.dump.join("first/tree")).expect("made");
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let path = |below: &str| stage.dump.join(below).into_os_string();
    for (what, found) in [
        (OsStr::new("2030/0101/0100").to_owned(), "2030/0101/0100"),
        ("2030/0101/0100/".into(), "2030/0101/0100"),
        ("first".into(), "first"),
        ("current".into(), "2030/0102/0300"),
        ("before-upgrade".into(), "2030/0101/0200"),
        (path("2030/0101/0100"), "2030/0101/0100"),
        (path("2030/0101/0100/"), "2030/0101/0100"),
        (path("current/"), "2030/0102/0300"),
        (path("before-upgrade"), "2030/0101/0200"),
    ] {
        let dump = root.find(&what).unwrap_or_else(|e| panic!("{what:?}: {e}"));
        assert_eq!(dump, id(found), "{what:?}");
    }
    let error = |what: &OsStr| root.find(what).expect_err("found").to_string();
    assert_eq!(
        error("2030/0101".as_ref()),
        "2030/0101 is a day with 2 dumps; name the ones you mean"
    );
    assert_eq!(
        error(&path("2030/0102")),
        "2030/0102 is a day with 1 dump; name it"
    );
    assert_eq!(
        error("2030".as_ref()),
        "2030 is a year with 3 dumps; name the ones you mean"
    );
    assert!(error("2030/0101/0130".as_ref()).ends_with(
        "has no dump 2030/0101/0130; the nearest are 2030/0101/0100, 2030/0101/0200, 2030/0102/0300"
    ));
    assert!(error("2030/0101/0100/tree".as_ref()).contains("is inside the dump 2030/0101/0100"));
    for what in ["", "letter", "/", "tree/..", "2031/0101", "2030/1301/0000"] {
        let unknown = root.find(what);
        assert!(
            matches!(unknown, Err(NotADump::Unknown { .. })),
            "{what}: {unknown:?}"
        );
    }
}

#[test]
#[ignore = "needs root for mounts and chattr"]
fn what_is_mounted_below_is_neither_entered_nor_removed() {
    let stage = with(&THREE);
    let point = stage.dump.join("2030/0101/0100/tree/dir");
    let inside = assert_fs::TempDir::new().expect("a directory");
    fs::write(inside.path().join("kept"), "kept").expect("written");
    let act = |program: &str, args: &[&OsStr]| {
        let ran = std::process::Command::new(program).args(args).status();
        assert!(ran.expect("it runs").success(), "{program}");
    };
    act(
        "mount",
        &["--bind".as_ref(), inside.path().as_ref(), point.as_ref()],
    );
    let removal = remove(&stage, &["2030/0101/0100"]);
    act("umount", &[point.as_ref()]);
    match left(&removal) {
        Reason::Mounted { point: told } => {
            assert_eq!(*told, fs::canonicalize(point).expect("there"));
        }
        other => panic!("{other:?}"),
    }
    // Mounted when it has left its name already, as by another namespace.
    let left = stage.dump.join(".dump/removing/2029-0101-0100");
    let point = left.join("tree/a");
    fs::create_dir_all(&point).expect("made");
    act(
        "mount",
        &["--bind".as_ref(), inside.path().as_ref(), point.as_ref()],
    );
    let removal = remove(&stage, &["2030/0101/0100"]);
    act("umount", &[point.as_ref()]);
    assert_eq!(removal.removed.len(), 1);
    assert!(removal.removed[0].whole && !removal.is_complete());
    assert!(
        Chain(&removal.faults[0])
            .to_string()
            .contains("unmount it first")
    );
    assert!(inside.path().join("kept").exists());
    assert!(remove(&stage, &["2030/0101/0200"]).is_complete());
    assert!(!left.exists());
}

#[test]
#[ignore = "needs root for mounts and chattr"]
fn what_is_immutable_is_named_and_stays_on_its_way_out() {
    let stage = with(&THREE);
    let file = stage.dump.join("2030/0101/0100/tree/own");
    let away = stage.dump.join(".dump/removing/2030-0101-0100/tree/own");
    let _mutable = Freed(away.clone());
    chattr("+i", &file);
    let removal = remove(&stage, &["2030/0101/0100"]);
    assert!(away.exists() && !stage.dump.join("2030/0101/0100").exists());
    assert!(!removal.removed[0].whole && !removal.is_complete());
    assert_eq!((removal.faults_total, &removal.faults[0].path), (1, &away));
    // No fault of the next run, and told as long as it is there.
    let report = stage
        .snapshot()
        .at("2030-01-03T00:00".parse().expect("a minute"));
    let report = report.run().expect("published");
    let told =
        |warning: &Warning| matches!(warning, Warning::NotRemoved { fault } if fault.path == away);
    assert!(
        report.is_complete() && report.warnings.iter().any(told),
        "{report:?}"
    );
    chattr("-i", &away);
    assert!(remove(&stage, &["2030/0101/0200"]).is_complete());
    assert_eq!(on_the_way_out(&stage), Vec::<PathBuf>::new());
    // A dump's own directory cannot leave its name then.
    let dump = stage.dump.join("2030/0102/0300");
    chattr("+i", &dump);
    let removal = remove(&stage, &["2030/0102/0300"]);
    chattr("-i", &dump);
    assert!(matches!(left(&removal), Reason::Failed(_)), "{removal:?}");
    assert!(dump.join("tree/own").exists());
}
