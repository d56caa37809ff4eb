//! Directories and files that their owner may not write to, with attributes
//! `user.*`, which only who may write can change.
//!
//! Root may do all of this anyway: as root, the last test runs the others as a
//! plain user.

#![cfg(feature = "catalog")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{History, ROOT, Stage, tick};
use dumpcore::{
    CatalogTools, Checkpoint, DumpRoot, Error, Event, KeepPeriod, KeepPolicy, KeepRules, Merging,
    Navigator, Overwrite, Prune, Replica, Restore, RestoreError, Restored, Scrub, Snapshot,
};
use fixtures::plain_user::PlainUser;
use fixtures::tree::remove_deep;
use fixtures::{Options, acl, diff_trees, rot};

/// Opens an entry to its owner, changes it, and gives it this mode.
fn change(path: &Path, mode: u32, change: impl FnOnce(&Path)) {
    fs::set_permissions(path, Permissions::from_mode(0o700)).expect("opened");
    change(path);
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("closed");
}

fn set(path: &Path, name: &str, value: &[u8]) {
    xattr::set(path, name, value).expect("set");
}

const DIRS: [&str; 4] = ["kept", "changed", "changed/below", "acl"];

/// Closed directories, with attributes and a closed file in each.
fn stage() -> Stage {
    let stage = Stage::new();
    for dir in DIRS {
        let dir = stage.source.join(dir);
        fs::create_dir_all(dir.join("empty")).expect("made");
        let file = dir.join("file");
        fs::write(&file, vec![b'x'; 5_000]).expect("written");
        set(&file, "user.a", b"1");
        set(&file, "user.b", b"1");
        fs::set_permissions(&file, Permissions::from_mode(0o444)).expect("closed");
        set(&dir, "user.a", b"1");
        set(&dir, "user.b", b"1");
    }
    let with_acl = stage.source.join("acl");
    set(&with_acl, acl::ACCESS, &acl::with_user(54321, 5));
    set(&with_acl, acl::DEFAULT, &acl::with_user(54321, 5));
    for dir in DIRS.iter().rev() {
        change(&stage.source.join(dir), 0o555, |_| {});
    }
    change(&stage.source.join("kept/empty"), 0o500, |_| {});
    tick();
    stage
}

/// Sets, changes and removes attributes; contents and names stay.
fn change_attributes(stage: &Stage, turn: u8) {
    let value = [b'2', turn];
    for dir in ["changed", "changed/below", "acl"] {
        let dir = stage.source.join(dir);
        change(&dir.join("file"), 0o444, |file| {
            set(file, "user.a", &value);
            let _ = xattr::remove(file, "user.b");
        });
        change(&dir, 0o555, |dir| {
            set(dir, "user.a", &value);
            let _ = xattr::remove(dir, "user.b");
            if turn % 2 == 1 {
                let _ = xattr::remove(dir, acl::DEFAULT);
            }
        });
    }
    change(&stage.source.join("kept/empty"), 0o500, |dir| {
        set(dir, "user.turn", &value);
    });
    tick();
}

fn snapshot(stage: &Stage) -> Snapshot {
    tick();
    let snapshot = stage.snapshot().settle(Duration::ZERO).recycle(true);
    snapshot.jobs(1)
}

/// Keeps the newest dump, and one more to be recycled.
fn prune(stage: &Stage) {
    let policy = KeepPolicy::new().keep(KeepPeriod::Last, "1".parse().expect("a number"));
    let rules = KeepRules::new().tree(ROOT, policy);
    let pruned = Prune::new(&stage.dump).rules(rules).recycle(true).run();
    let pruned = pruned.expect("pruned");
    assert!(pruned.is_complete(), "{pruned:?}");
}

/// The catalog fits the dumps, and a scrub finds nothing.
#[track_caller]
fn assert_sound(root: &Path) {
    let found = CatalogTools::new(root).all(true).check();
    assert_eq!(found.expect("checked"), []);
    let scrubbed = Scrub::new(root).run().expect("scrubbed");
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
}

#[test]
fn recycled_dumps_get_their_attributes() {
    let stage = stage();
    for _ in 0..3 {
        stage.run(snapshot(&stage));
    }
    prune(&stage);
    for turn in 0..4 {
        change_attributes(&stage, turn);
        // Holds the dump against its source.
        let report = stage.run(snapshot(&stage));
        assert!(report.recycled_from.is_some(), "{report:#?}");
        assert_sound(&stage.dump);
        prune(&stage);
    }
}

#[test]
fn resumed_dumps_get_their_attributes() {
    let stage = stage();
    stage.run(snapshot(&stage));
    for turn in 0..3 {
        change_attributes(&stage, turn);
        // At its last entry all directories but the top are done.
        let (seen, stop) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&stop);
        let all = DIRS.len() * 3;
        let watch = move |event: Event<'_>| {
            let entry = matches!(event, Event::Entry { .. });
            if entry && seen.fetch_add(1, Ordering::Relaxed) + 1 >= all {
                flag.store(true, Ordering::Relaxed);
            }
        };
        let stopped = snapshot(&stage).observer(Arc::new(watch)).stop(stop).run();
        assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
        change_attributes(&stage, turn + 7);
        let report = stage.run(snapshot(&stage));
        assert!(report.resumed, "{report:#?}");
        assert_sound(&stage.dump);
    }
}

#[test]
fn checkpoints_and_replicas_get_their_attributes() {
    let stage = stage();
    let other = stage.dump.with_file_name("other");
    fs::create_dir(&other).expect("made");
    for turn in 0..3 {
        let dump = stage.run(snapshot(&stage)).dump.join(ROOT);
        let linked = turn > 0;
        let report = Checkpoint::new(&stage.dump).linked(linked).run();
        let report = report.expect("made");
        assert!(report.faults.is_empty(), "{:#?}", report.faults);
        let replica = Replica::of(&stage.dump).to(&other).latest(true);
        replica.init(turn == 0).run().expect("replicated");
        let replica = other.join("current").join(ROOT);
        for copy in [report.dump.join(ROOT), replica] {
            let lines = diff_trees(&dump, &copy, &Options::of_runner());
            assert!(lines.is_empty(), "not the same:\n{}", lines.join("\n"));
        }
        assert_sound(&stage.dump);
        CatalogTools::new(&other).rebuild().expect("made");
        assert_sound(&other);
        change_attributes(&stage, turn);
    }
}

#[test]
fn what_rotted_is_healed() {
    let stage = stage();
    for turn in 0..2 {
        stage.run(snapshot(&stage));
        change_attributes(&stage, turn);
    }
    Checkpoint::new(&stage.dump).run().expect("made");
    assert_sound(&stage.dump);
    for file in ["kept/file", "changed/below/file"] {
        // It is as it was, but for what rots.
        let path = stage.newest().join(file);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("opened");
        rot(&path, 77);
        fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("closed");
    }
    let healed = Scrub::new(&stage.dump).heal(true).run().expect("scrubbed");
    assert_eq!(
        (healed.damaged.len(), healed.healed.len()),
        (0, 2),
        "{healed:#?}"
    );
    assert_sound(&stage.dump);
    stage.run(snapshot(&stage));
}

/// Closed directories that are gone, that are something else, and that were not
/// there; closed files, and a directory where a file was.
fn change_names(stage: &Stage) {
    let at = |name: &str| stage.source.join(name);
    for dir in ["kept", "acl", "changed/below"] {
        change(at(dir).parent().expect("above"), 0o755, |_| {
            remove_deep(&at(dir));
        });
    }
    fs::write(at("acl"), "a file now").expect("written");
    change(&at("changed"), 0o755, |dir| {
        fs::remove_file(dir.join("file")).expect("removed");
    });
    for dir in ["changed/file", "more", "changed/more"] {
        fs::create_dir(at(dir)).expect("made");
        fs::write(at(dir).join("since"), "since").expect("written");
        change(&at(dir), 0o555, |_| {});
    }
    fs::set_permissions(at("changed"), Permissions::from_mode(0o555)).expect("closed");
}

/// What a path is to become of the newest dump.
fn restore(stage: &Stage, path: &str, merging: Merging) -> Restore {
    let navigator = Navigator::new(&stage.dump).main(&stage.source);
    let place = navigator.locate(stage.source.join(path));
    let place = place.expect("in the tree");
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let all = root.list().expect("listed");
    let newest = *all.last().expect("a dump");
    let version = navigator.version_in(&place, newest).expect("there");
    let restore = Restore::new(&navigator, &version, &place).expect("in the tree");
    restore.merging(merging).resume(true).verify(true)
}

#[track_caller]
fn restored(stage: &Stage, path: &str, merging: Merging) {
    match restore(stage, path, merging).run_replacing() {
        Ok(Restored::Done(report)) => assert!(report.is_complete(), "{report:#?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn restored_trees_get_their_names_and_attributes() {
    let stage = stage();
    let dump = stage.run(snapshot(&stage)).dump;
    let before = History::of(&stage.dump);
    let backup = stage.dump.with_file_name("backup");
    fs::create_dir(&backup).expect("made");
    for merging in [Merging::new(), Merging::new().backup(backup.clone())] {
        change_attributes(&stage, 1);
        change_names(&stage);
        restored(&stage, "", merging.delete(true));
        stage.assert_same();
    }
    before.assert_unchanged(&stage.dump);
    for kept in ["more", "changed/more", "changed/file"] {
        let kept = backup.join(ROOT).join(kept);
        let mode = fs::metadata(&kept).expect("kept").permissions().mode();
        assert_eq!(mode & 0o7777, 0o555, "{kept:?}");
        assert!(kept.join("since").exists());
    }
    let to = stage.dump.with_file_name("to");
    fs::create_dir(&to).expect("made");
    let elsewhere = restore(&stage, "changed", Merging::new());
    let elsewhere = elsewhere.to(&to).run_replacing();
    assert!(matches!(elsewhere, Ok(Restored::Done(_))), "{elsewhere:?}");
    let (old, new) = (dump.join(ROOT).join("changed"), to.join("changed"));
    let lines = diff_trees(&old, &new, &Options::of_runner());
    assert!(lines.is_empty(), "not the same:\n{}", lines.join("\n"));
}

/// The directory that is named is opened as those below it are, and closed again
/// whatever comes of it.
#[test]
fn a_closed_directory_is_restored_by_its_name() {
    let stage = stage();
    stage.run(snapshot(&stage));
    let dir = stage.source.join("changed");
    let mode = || fs::metadata(&dir).expect("there").permissions().mode() & 0o7777;
    change_attributes(&stage, 1);
    let stop = Arc::new(AtomicBool::new(true));
    let stopped = restore(&stage, "changed", Merging::new()).stop(stop);
    let stopped = stopped.run_replacing();
    assert!(
        matches!(stopped, Err(RestoreError::Interrupted { .. })),
        "{stopped:?}"
    );
    assert_eq!(mode(), 0o555);
    change(&dir, 0o555, |dir| {
        fs::remove_file(dir.join("file")).expect("removed");
    });
    restored(
        &stage,
        "changed",
        Merging::new().overwrite(Overwrite::Never),
    );
    assert_eq!(mode(), 0o555);
    assert!(dir.join("file").exists());
    restored(&stage, "changed", Merging::new());
    let version = stage.newest().join("changed");
    let lines = diff_trees(&version, &dir, &Options::of_runner());
    assert!(lines.is_empty(), "not the same:\n{}", lines.join("\n"));
}

#[test]
#[ignore = "needs root to become a plain user"]
fn the_same_by_a_plain_user() {
    let user = PlainUser::new();
    let program = std::env::current_exe().expect("known");
    let output = user.command(program).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(" 1 ignored"), "{said}");
}
