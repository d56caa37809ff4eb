use super::*;
use crate::model::chain::Chain;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

fn fresh() -> (assert_fs::TempDir, DumpRoot) {
    let dir = assert_fs::TempDir::new().expect("a directory");
    let root = DumpRoot::open(dir.path()).expect("opened");
    (dir, root)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("there").mode() & 0o7777
}

#[test]
fn one_run_holds_it_and_others_are_turned_away() {
    let (dir, root) = fresh();
    root.is_free().expect("nobody is there");
    assert!(!dir.path().join(".dump").exists(), "a look made something");
    let lock = root.lock().expect("locked");
    assert_eq!(mode(&dir.path().join(".dump")), 0o700);
    assert_eq!(mode(&dir.path().join(".dump/lock")), 0o600);
    for turned_away in [root.lock().err(), root.is_free().err()] {
        assert!(matches!(turned_away, Some(Error::Busy { .. })));
    }
    root.still_holds(&lock).expect("it does");
    drop(lock);
    drop(root.lock().expect("locked again"));
    assert!(!dir.path().join(".dump/busy").exists());
}

#[test]
fn what_others_may_open_is_closed() {
    let (dir, root) = fresh();
    let state = dir.path().join(".dump");
    fs::create_dir(&state).expect("made");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o2777)).expect("set");
    fs::write(state.join("lock"), "").expect("made");
    fs::set_permissions(state.join("lock"), fs::Permissions::from_mode(0o666)).expect("set");
    drop(root.lock().expect("locked"));
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&state.join("lock")), 0o600);
}

#[test]
fn nothing_else_is_taken_for_it() {
    let (dir, root) = fresh();
    let (state, away) = (dir.path().join(".dump"), dir.path().join("away"));
    fs::create_dir(&away).expect("made");
    symlink(&away, &state).expect("linked");
    let refused = root.lock().expect_err("followed");
    assert!(matches!(refused, Error::StateUnusable { .. }), "{refused}");
    assert_eq!(fs::read_dir(&away).expect("listed").count(), 0);
    fs::remove_file(&state).expect("removed");
    fs::write(&state, "").expect("made");
    let refused = root.lock().expect_err("a file").to_string();
    assert!(refused.contains("/.dump"), "{refused}");
    fs::remove_file(&state).expect("removed");
    fs::create_dir(&state).expect("made");
    fs::write(away.join("file"), "").expect("made");
    symlink(away.join("file"), state.join("lock")).expect("linked");
    let refused = root.lock().expect_err("followed").to_string();
    assert!(refused.contains(".dump/lock"), "{refused}");
    fs::remove_file(state.join("lock")).expect("removed");
    fs::create_dir(state.join("lock")).expect("made");
    let refused = root.lock().expect_err("a directory").to_string();
    assert!(refused.contains(".dump/lock"), "{refused}");
}

#[test]
fn a_lock_that_was_taken_away_is_noticed() {
    let (dir, root) = fresh();
    let lock = root.lock().expect("locked");
    fs::rename(dir.path().join(".dump"), dir.path().join("moved")).expect("moved");
    let lost = root.still_holds(&lock).expect_err("it is gone");
    assert!(matches!(lost, Error::LockLost { .. }));
    let second = root.lock().expect("another is made");
    root.still_holds(&lock)
        .expect_err("it is somebody else's by now");
    root.still_holds(&second).expect("it does");
    fs::remove_file(dir.path().join(".dump/lock")).expect("removed");
    root.still_holds(&second).expect_err("it is gone");
}

#[test]
fn runs_that_are_turned_away_for_long_say_so_once() {
    let (dir, root) = fresh();
    let lock = root.lock().expect("locked");
    let turned_away = || root.lock().expect_err("it is held");
    assert!(matches!(turned_away(), Error::Busy { .. }));
    let busy = dir.path().join(".dump/busy");
    let since = |hours: i64| {
        let file = fs::File::options()
            .write(true)
            .open(&busy)
            .expect("it is told");
        let now = fs::metadata(dir.path()).expect("stat").ctime();
        let time = Time::new(now - hours * 3600, 0);
        file::set_times(&file, time, time).expect("set");
    };
    since(11);
    assert!(matches!(turned_away(), Error::Busy { .. }));
    since(13);
    assert!(matches!(turned_away(), Error::Stuck { hours: 13, .. }));
    assert!(matches!(turned_away(), Error::Busy { .. }), "told twice");
    // A clock that went back does not keep it from being reported later.
    since(-50);
    assert!(matches!(turned_away(), Error::Busy { .. }));
    since(13);
    assert!(matches!(turned_away(), Error::Stuck { .. }));
    drop(lock);
    drop(root.lock().expect("locked"));
    assert!(!busy.exists(), "a run got through");
}

#[test]
fn readers_hold_a_dump_against_being_taken_alone() {
    let (dir, root) = fresh();
    fs::create_dir_all(dir.path().join("2026/0101/0000")).expect("made");
    let path = RelPath::from_bytes(b"2026/0101/0000");
    let (handle, first) = root.hold_dump(&path).expect("held");
    let (_, second) = root.hold_dump(&path).expect("held by two");
    let alone = || Hold::alone(handle.as_fd());
    assert!(errno::is_locked(&alone().expect_err("it is held")));
    drop((first, second));
    let taken = alone().expect("taken");
    // Anyone who may read the dump may do that: a dump that keeps its name is read.
    let (still, without) = root.hold_dump(&path).expect("not kept out");
    let id = |handle: &OwnedFd| stat::look_at(handle).expect("there").id();
    assert_eq!(id(&still), id(&handle));
    drop(without);
    assert!(errno::is_locked(&alone().expect_err("held by the other")));
    // A removal renames it.
    let held = dir.path().join("2026/0101/0000");
    let away = dir.path().join("away");
    let while_removed = |_| {
        let refused = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(PAUSE * 4);
                fs::rename(&held, &away).expect("renamed");
            });
            root.hold_dump(&path).err()
        });
        fs::rename(&away, &held).expect("renamed back");
        refused.is_some_and(|error| error.to_string().contains("removing"))
    };
    // On a busy machine the removal may come later than it is waited for.
    assert!((0..10).any(while_removed), "it was not seen to be removed");
    taken.share();
    drop(root.hold_dump(&path).expect("it is shared"));
}

#[test]
#[ignore = "needs root"]
fn a_directory_of_somebody_elses_is_refused() {
    let (dir, root) = fresh();
    let state = dir.path().join(".dump");
    fs::create_dir(&state).expect("made");
    std::os::unix::fs::chown(&state, Some(4444), Some(4444)).expect("chown");
    let refused = Chain(&root.lock().expect_err("anybody's")).to_string();
    assert!(refused.contains("belongs to user 4444"), "{refused}");
    // Unless all of the dump root is theirs.
    std::os::unix::fs::chown(dir.path(), Some(4444), Some(4444)).expect("chown");
    drop(root.lock().expect("locked"));
}
