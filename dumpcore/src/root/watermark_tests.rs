use super::*;
use std::fs;
use std::path::Path;

/// A directory for what is being made, and the same as a handle.
fn target() -> (assert_fs::TempDir, OwnedFd) {
    let dir = assert_fs::TempDir::new().expect("a directory");
    let target = dir::open_root(dir.path(), For::Filling).expect("opened");
    (dir, target)
}

/// Stores a file as a run does. Its ctime.
fn store(watermark: &Watermark, file: &Path) -> Time {
    let floor = watermark.before_file().expect("looked");
    fs::write(file, "text").expect("written");
    let ctime = ctime(file);
    watermark.after_file(floor, ctime).expect("looked");
    ctime
}

fn ctime(file: &Path) -> Time {
    let file = fs::File::open(file).expect("opened");
    stat::look_at(&file).expect("stat").ctime
}

/// What the next run would believe.
fn believed(target: &OwnedFd) -> Flushed {
    let name = c_name(layout::FLUSHED_XATTR.as_bytes());
    let found = xattr::get(Subject::Open(target.as_fd()), &name).expect("asked");
    Flushed::parse(&found.unwrap_or_default())
}

/// A time before any other.
fn no_file() -> Option<Time> {
    Some(Time::new(i64::MIN, 0))
}

/// Waits until what is written gets a later time than what was written before: a tick
/// of that clock may come late.
fn tick() {
    let begun = here();
    std::thread::sleep(Duration::from_millis(20));
    let of_files = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        nanos(Time::new(time.tv_sec, time.tv_nsec as u32))
    };
    while of_files() <= begun {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_was_stored_before_a_flush_counts_and_nothing_later() {
    let (dir, target) = target();
    let watermark = Watermark::of_new(&target).expect("opened");
    assert!(!watermark.is_due() && believed(&target).is_empty());
    let early = store(&watermark, &dir.path().join("early"));
    assert!(watermark.is_due());
    tick();
    watermark.flush().expect("flushed");
    assert!(!watermark.is_due());
    tick();
    let late = store(&watermark, &dir.path().join("late"));
    let found = believed(&target);
    assert!(found.covers(early, || None) && !found.covers(late, || Some(late)));
    assert!(!found.covers(found.last().expect("a time"), || None));
    tick();
    watermark.flush().expect("flushed");
    assert!(believed(&target).covers(late, || None));
    watermark.remove();
    assert!(believed(&target).is_empty());
}

#[test]
fn a_run_that_takes_over_vouches_for_what_it_made_itself() {
    let (dir, target) = target();
    let first = Watermark::of_new(&target).expect("opened");
    let flushed = store(&first, &dir.path().join("flushed"));
    tick();
    first.flush().expect("flushed");
    tick();
    let killed = store(&first, &dir.path().join("killed"));
    tick();
    let second = Watermark::of_leftover(&target, Some(killed)).expect("taken over");
    assert!(second.covers(flushed, || None) && !second.covers(killed, || Some(killed)));
    tick();
    let own = store(&second, &dir.path().join("own"));
    // Another name makes the ctime of the first run's file young.
    fs::hard_link(dir.path().join("killed"), dir.path().join("twice")).expect("linked");
    let linked = ctime(&dir.path().join("killed"));
    tick();
    second.flush().expect("flushed");
    let third = Watermark::of_leftover(&target, Some(own)).expect("taken over");
    let born = |name: &str| {
        let name = c_name(name.as_bytes());
        stat::born(target.as_fd(), &name)
    };
    assert!(third.covers(flushed, || None));
    assert!(third.covers(own, || born("own")));
    assert!(
        !third.covers(linked, || born("killed")),
        "it was not flushed"
    );
    assert!(!third.covers(killed, || Some(killed)));
}

#[test]
fn a_clock_that_went_back_takes_it_away() {
    // While a run is at work: before a file, and when one is whole.
    for before in [true, false] {
        let (dir, target) = target();
        let watermark = Watermark::of_new(&target).expect("opened");
        store(&watermark, &dir.path().join("early"));
        watermark.flush().expect("flushed");
        let now = watermark.floor_here.load(Ordering::Relaxed);
        if before {
            // As if it had been an hour later then.
            let hour = 3_600_000_000_000;
            watermark.floor_here.store(now + hour, Ordering::Relaxed);
            watermark.before_file().expect("looked");
        } else {
            let floor = watermark.before_file().expect("looked");
            assert!(!believed(&target).is_empty());
            let earlier = Time::from_nanos(i128::from(floor.0) - 1);
            watermark.after_file(floor, earlier).expect("looked");
        }
        assert!(believed(&target).is_empty(), "it is still there");
        tick();
        watermark.flush().expect("flushed");
        assert!(believed(&target).is_empty(), "there is another");
    }
}

#[test]
fn a_clock_that_went_back_between_two_runs_is_noticed() {
    let (dir, target) = target();
    fs::write(dir.path().join("file"), "text").expect("written");
    let later = Time::from_nanos(i128::from(here()) + 3_600_000_000_000);
    // The watermark is of a time to come.
    let mut of_later = Flushed::default();
    of_later.add(None, later);
    let name = layout::FLUSHED_XATTR.as_bytes();
    let text = of_later.to_string();
    xattr::set(Subject::Open(target.as_fd()), name, text.as_bytes()).expect("set");
    let watermark = Watermark::of_leftover(&target, no_file()).expect("taken over");
    assert!(
        believed(&target).is_empty(),
        "what is made now would be believed"
    );
    // What was there is still known by this run.
    assert!(watermark.covers(ctime(&dir.path().join("file")), || None));
    watermark.flush().expect("flushed");
    assert!(believed(&target).is_empty());
    // What a run left that had none is of a time to come.
    let watermark = Watermark::of_leftover(&target, Some(later)).expect("taken over");
    tick();
    watermark.flush().expect("flushed");
    assert!(
        believed(&target).is_empty(),
        "files not flushed would be believed"
    );
}

#[test]
fn where_not_all_was_seen_only_what_was_known_stays_known() {
    let (dir, target) = target();
    let first = Watermark::of_new(&target).expect("opened");
    let early = store(&first, &dir.path().join("early"));
    tick();
    first.flush().expect("flushed");
    tick();
    let second = Watermark::of_leftover(&target, None).expect("taken over");
    tick();
    let late = store(&second, &dir.path().join("late"));
    tick();
    second.flush().expect("flushed");
    let found = believed(&target);
    assert!(found.covers(early, || None) && !found.covers(late, || Some(late)));
    // And it goes when the clock does.
    let floor = second.before_file().expect("looked");
    second.after_file(floor, early).expect("looked");
    assert!(believed(&target).is_empty());
}

#[test]
fn nothing_is_believed_of_what_is_distrusted() {
    let (dir, target) = target();
    let watermark = Watermark::of_new(&target).expect("opened");
    store(&watermark, &dir.path().join("file"));
    tick();
    watermark.flush().expect("flushed");
    watermark.distrust();
    assert!(believed(&target).is_empty());
    watermark.flush().expect("flushed");
    assert!(believed(&target).is_empty());
}
