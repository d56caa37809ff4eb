//! Somebody works against a restoration, or stops it: nothing is written or
//! removed elsewhere, what was there stands, and nothing half made stays.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::restoring::{Ground, asking, names_in, plain_tree, put};
use dumpcore::{Chain, Event, Phase, Restore, RestoreError, Restored};
use fixtures::chattr::{Freed, chattr};
use fixtures::compare::Options;

const SECRET: &str = "for no eyes but its owner's";

/// A directory that is not in the tree, and must stay as it is.
fn elsewhere(ground: &Ground) -> PathBuf {
    let elsewhere = ground.beside("elsewhere");
    fs::create_dir_all(elsewhere.join("sub")).unwrap();
    for name in ["file", "again", "link", "holes"] {
        fs::write(elsewhere.join(name), SECRET).unwrap();
    }
    elsewhere
}

/// The same names, of one link each, with the same contents.
#[track_caller]
fn assert_untouched(elsewhere: &Path) {
    let names = names_in(elsewhere, "file");
    assert_eq!(names, ["again", "file", "holes", "link", "sub"]);
    for name in ["file", "again", "link", "holes"] {
        let path = elsewhere.join(name);
        assert_eq!(fs::metadata(&path).unwrap().nlink(), 1, "{name}");
        assert_eq!(fs::read_to_string(&path).unwrap(), SECRET, "{name}");
    }
    assert_eq!(fs::read_dir(elsewhere.join("sub")).unwrap().count(), 0);
}

/// Where `up/tree` is restored, something is done while somebody is asked.
fn swapped_while_asked(path: &str, swap: fn(&Ground, &Path)) {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    put(plain_tree(), &ground.main("up/tree"));
    fs::write(ground.main("up/tree/file"), "newer").unwrap();
    let elsewhere = elsewhere(&ground);
    let (navigator, place, version) = ground.find(path);
    let restore = Restore::new(&navigator, &version, &place).unwrap();
    let outcome = asking(restore, |_| {
        swap(&ground, &elsewhere);
        true
    });
    let refused = outcome.unwrap_err();
    assert!(matches!(refused, RestoreError::Moved { .. }), "{refused}");
    assert_untouched(&elsewhere);
    for dir in ["", "up", "up/tree", "aside", "aside/tree"] {
        let dir = ground.main(dir);
        assert_eq!(half_made(&dir), None, "{}", dir.display());
    }
}

#[test]
fn what_is_replaced_while_somebody_is_asked_is_left_alone() {
    // The directory above: by a symlink, by another, by nothing.
    for path in ["up/tree", "up/tree/file", "up/tree/link", "up/tree/sub"] {
        swapped_while_asked(path, |ground, elsewhere| {
            fs::rename(ground.main("up"), ground.main("aside")).unwrap();
            symlink(elsewhere, ground.main("up")).unwrap();
        });
        swapped_while_asked(path, |ground, elsewhere| {
            fs::rename(ground.main("up"), elsewhere.join("../moved")).unwrap();
            fs::create_dir_all(ground.main("up/tree")).unwrap();
        });
        swapped_while_asked(path, |ground, _| {
            fs::rename(ground.main("up"), ground.main("aside")).unwrap();
        });
    }
    // The place itself.
    swapped_while_asked("up/tree", |ground, elsewhere| {
        fs::rename(ground.main("up/tree"), ground.main("aside")).unwrap();
        symlink(elsewhere, ground.main("up/tree")).unwrap();
    });
    swapped_while_asked("up/tree/file", |ground, elsewhere| {
        fs::remove_file(ground.main("up/tree/file")).unwrap();
        symlink(elsewhere.join("file"), ground.main("up/tree/file")).unwrap();
    });
    swapped_while_asked("up/tree/sub", |ground, _| {
        fs::rename(ground.main("up/tree/sub"), ground.main("aside")).unwrap();
    });
}

/// Where nothing was, something may have come.
#[test]
fn what_has_come_while_somebody_is_asked_is_not_replaced() {
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    for path in ["up/tree/file", "up/tree"] {
        let (navigator, place, version) = ground.find(path);
        let restore = Restore::new(&navigator, &version, &place).unwrap();
        let outcome = asking(restore, |plan| {
            assert!(!plan.replaces);
            fs::create_dir(ground.main("up/tree")).unwrap();
            true
        });
        let refused = outcome.unwrap_err();
        assert!(matches!(refused, RestoreError::Moved { .. }), "{refused}");
        assert_eq!(fs::read_dir(ground.main("up/tree")).unwrap().count(), 0);
        assert_eq!(names_in(&ground.main("up"), "tree"), ["tree"]);
        fs::remove_dir(ground.main("up/tree")).unwrap();
    }
}

/// The private directory that is being filled beside a place.
fn half_made(beside: &Path) -> Option<PathBuf> {
    let listed = fs::read_dir(beside).into_iter().flatten();
    listed
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains(".dump-restoring-"))
}

/// What is being filled is moved away, and a symlink put in its place: all that
/// is made after that goes to what was made, and in the end nothing is put.
#[test]
fn what_is_half_made_is_not_filled_elsewhere() {
    for (path, beside) in [("up/tree", "up"), ("up/tree/file", "up/tree")] {
        let ground = Ground::new();
        put(plain_tree(), &ground.dump("up/tree"));
        put(plain_tree(), &ground.main("up/tree"));
        fs::write(ground.main("up/tree/file"), "newer").unwrap();
        let elsewhere = elsewhere(&ground);
        let swapped = Arc::new(AtomicBool::new(false));
        let (beside, aside) = (ground.main(beside), ground.main("aside"));
        let (other, done) = (elsewhere.clone(), Arc::clone(&swapped));
        let swap = move |event: Event<'_>| {
            if matches!(event, Event::Phase(Phase::Restoring)) {
                let made = half_made(&beside).expect("being made");
                fs::rename(&made, &aside).unwrap();
                symlink(&other, &made).unwrap();
                done.store(true, Ordering::Relaxed);
            }
        };
        let (navigator, place, version) = ground.find(path);
        let restore = Restore::new(&navigator, &version, &place).unwrap();
        let outcome = restore.observer(Arc::new(swap)).run_asking(|_| true);
        assert!(swapped.load(Ordering::Relaxed));
        assert_untouched(&elsewhere);
        let now = fs::read_to_string(ground.main("up/tree/file")).unwrap();
        match outcome {
            // A file is put by the handle of the directory that was moved.
            Ok(Restored::Done(_)) => {
                assert_eq!((path, &*now), ("up/tree/file", "text\n"));
            }
            Err(RestoreError::Moved { .. }) => {
                assert_eq!((path, &*now), ("up/tree", "newer"));
            }
            other => panic!("{other:?}"),
        }
        // What it was moved to is ours, and emptied.
        let rest = fs::read_dir(ground.main("aside")).map_or(0, Iterator::count);
        assert_eq!(rest, 0, "{path}");
    }
}

/// Just before what was made takes its place, it is replaced by something of
/// somebody else's; and just after, what is to be removed is.
#[test]
fn nothing_is_removed_but_what_was_replaced() {
    for phase in [Phase::Syncing, Phase::Removing] {
        let ground = Ground::new();
        put(plain_tree(), &ground.dump("up/tree"));
        put(plain_tree(), &ground.main("up/tree"));
        fs::create_dir_all(ground.main("up/others/sub")).unwrap();
        fs::write(ground.main("up/others/sub/file"), SECRET).unwrap();
        let [up, aside, others] = ["up", "aside", "up/others"].map(|path| ground.main(path));
        let swap = move |event: Event<'_>| {
            if matches!(event, Event::Phase(now) if now == phase) {
                let made = half_made(&up).expect("being made");
                fs::rename(&made, &aside).unwrap();
                fs::rename(&others, &made).unwrap();
            }
        };
        let (navigator, place, version) = ground.find("up/tree");
        let restore = Restore::new(&navigator, &version, &place).unwrap();
        let outcome = restore.observer(Arc::new(swap)).run_asking(|_| true);
        match outcome {
            Err(RestoreError::Moved { .. }) => assert_eq!(phase, Phase::Syncing),
            Ok(Restored::Done(report)) => {
                assert_eq!(phase, Phase::Removing);
                let left = report.left.expect("told");
                assert!(
                    Chain(&left)
                        .to_string()
                        .contains("its name belongs to another"),
                    "{left}"
                );
            }
            other => panic!("{phase:?}: {other:?}"),
        }
        let others = half_made(&ground.main("up")).expect("somebody else's");
        let kept = fs::read_to_string(others.join("sub/file")).unwrap();
        assert_eq!(kept, SECRET);
        assert!(ground.main("up/tree/sub").is_dir());
    }
}

/// Stopped at each of its phases, it leaves what was there, and nothing else;
/// stopped when it has taken its place, it leaves what the next one removes.
#[test]
fn a_stop_leaves_the_old_or_the_new_and_is_cleared_up() {
    for (phase, path) in [
        (Phase::Restoring, "up/tree"),
        (Phase::Syncing, "up/tree"),
        (Phase::Restoring, "up/tree/file"),
        (Phase::Syncing, "up/tree/file"),
        (Phase::Removing, "up/tree"),
    ] {
        let ground = Ground::new();
        put(plain_tree(), &ground.dump("up/tree"));
        put(plain_tree(), &ground.main("up/tree"));
        fs::write(ground.main("up/tree/file"), "newer").unwrap();
        fs::write(ground.main("up/tree/gained"), "newer").unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::new(Mutex::new(None));
        let (flag, when) = (Arc::clone(&stop), Arc::clone(&stopped));
        let watch = move |event: Event<'_>| {
            if matches!(event, Event::Phase(now) if now == phase) {
                flag.store(true, Ordering::Relaxed);
                *when.lock().unwrap() = Some(Instant::now());
            }
        };
        let (navigator, place, version) = ground.find(path);
        let restore = Restore::new(&navigator, &version, &place).unwrap();
        let restore = restore.observer(Arc::new(watch)).stop(stop);
        let outcome = restore.run_asking(|_| true);
        let took = stopped.lock().unwrap().expect("stopped").elapsed();
        assert!(took < Duration::from_secs(20), "{took:?}");
        let now = fs::read_to_string(ground.main("up/tree/file")).unwrap();
        match outcome {
            Err(RestoreError::Interrupted { .. }) => {
                assert_ne!(phase, Phase::Removing);
                assert_eq!(now, "newer");
                assert!(ground.main("up/tree/gained").exists());
                assert_eq!(names_in(&ground.main("up"), "tree"), ["tree"]);
                assert_eq!(half_made(&ground.main("up/tree")), None);
            }
            Ok(Restored::Done(report)) => {
                assert_eq!(phase, Phase::Removing);
                assert_eq!(now, "text\n");
                let left = report.left.expect("told").path;
                assert!(left.join("gained").exists());
            }
            other => panic!("{phase:?}: {other:?}"),
        }
        assert!(ground.restore("up/tree").unwrap().is_complete());
        assert_eq!(names_in(&ground.main("up"), "tree"), ["tree"]);
        ground.restores("up/tree", &Options::default());
    }
}

/// What was left behind by one that was killed goes with the next of the same
/// place, unless it is being filled; what is another's stays.
#[test]
fn what_a_kill_left_behind_goes_with_the_next() {
    use rustix::fs::{FlockOperation, flock};
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    put(plain_tree(), &ground.main("up/tree"));
    let names = [
        ".tree.dump-restoring-1",
        ".tree.dump-restoring-2.old",
        ".tree.dump-restoring-3",
        ".other.dump-restoring-4",
        ".tree.dump-5",
    ];
    for name in names {
        fs::create_dir_all(ground.main("up").join(name).join("sub")).unwrap();
    }
    fs::write(ground.main("up/.tree.dump-restoring-6"), "a file").unwrap();
    let held = fs::File::open(ground.main("up/.tree.dump-restoring-3")).unwrap();
    flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
    ground.restore("up/tree").unwrap();
    let expected = [
        ".other.dump-restoring-4",
        ".tree.dump-5",
        ".tree.dump-restoring-3",
        "tree",
    ];
    assert_eq!(names_in(&ground.main("up"), "tree"), expected);
    drop(held);
    ground.restore("up/tree").unwrap();
    assert_eq!(
        half_made(&ground.main("up")).map(|_| ()),
        Some(()),
        "another's"
    );
    assert!(!ground.main("up/.tree.dump-restoring-3").exists());
}

#[test]
fn the_dump_root_is_not_removed_with_the_rest() {
    let ground = Ground::with_dumps_in("main/NEWAGE/up/tree/dump");
    put(plain_tree(), &ground.dump("up/tree"));
    for path in ["up", "up/tree"] {
        let refused = ground.restore(path).unwrap_err();
        assert!(
            matches!(&refused, RestoreError::HoldsDumps { path, .. } if path.ends_with("up/tree/dump")),
            "{refused}"
        );
        assert!(ground.dump("up/tree/file").exists());
    }
    ground.restores("up/tree/file", &Options::default());
}

#[test]
#[ignore = "needs root: makes files immutable, and mounts"]
fn what_cannot_be_removed_is_found_before_anything_is_touched() {
    for (flag, path) in [
        ("+i", "up/tree/came/with/file"),
        ("+a", "up/tree/holes"),
        ("+i", "up/tree/sub/deeper"),
        ("+i", "up/tree/came/with"),
        ("+i", "up/tree"),
    ] {
        let ground = Ground::new();
        put(plain_tree(), &ground.dump("up/tree"));
        put(plain_tree(), &ground.main("up/tree"));
        fs::create_dir_all(ground.main("up/tree/came/with")).unwrap();
        fs::write(ground.main("up/tree/came/with/file"), "newer").unwrap();
        fs::write(ground.main("up/tree/holes"), "newer").unwrap();
        let flagged = Freed(ground.main(path));
        chattr(flag, &flagged.0);
        let asked = ground.plan("up/tree").unwrap_err();
        let refused = ground.restore("up/tree").unwrap_err();
        for error in [asked, refused] {
            let RestoreError::Immutable { path: told } = error else {
                panic!("{path}: {error}");
            };
            assert_eq!(told, flagged.0);
        }
        let kept = fs::read_to_string(ground.main("up/tree/holes")).unwrap();
        assert_eq!(kept, "newer");
        assert_eq!(names_in(&ground.main("up"), "tree"), ["tree"]);
        drop(flagged);
        ground.restores("up/tree", &Options::default());
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn what_something_is_mounted_on_is_not_replaced() {
    struct Bound(PathBuf);
    impl Drop for Bound {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(&self.0).status();
        }
    }
    let ground = Ground::new();
    put(plain_tree(), &ground.dump("up/tree"));
    put(plain_tree(), &ground.main("up/tree"));
    let elsewhere = elsewhere(&ground);
    for (from, on) in [
        (elsewhere.join("file"), "up/tree/file"),
        (elsewhere.join("file"), "up/tree/sub/deeper/again"),
        (elsewhere.clone(), "up/tree/sub/deeper"),
        (elsewhere.clone(), "up/tree"),
    ] {
        let bound = Bound(ground.main(on));
        let mut mount = std::process::Command::new("mount");
        let status = mount.arg("--bind").arg(&from).arg(&bound.0).status();
        assert!(status.unwrap().success());
        for path in ["up/tree", on] {
            let refused = ground.restore(path).unwrap_err();
            let RestoreError::Mounted { path: told } = refused else {
                panic!("{path}: {refused}");
            };
            assert_eq!(told, bound.0);
        }
        drop(bound);
        assert_untouched(&elsewhere);
        ground.restores("up/tree", &Options::default());
    }
}
