//! Sources that change while they are dumped: by an observer that acts at a
//! chosen moment, and by threads that never rest. Nothing outside the tree
//! is read, nothing blocks, nothing published changes, and what was caught
//! in motion is copied again by the next dump.

mod common;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use common::{History, ROOT, Stage, each, tick};
use dumpcore::{Action, Event, Fault, Filter, Phase, Report, Warning};
use fixtures::mounts::{Fs, Mount};
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};

const SECRET: &[u8] = b"what nobody may read here";

/// Runs with one worker and does something once, before the first entry
/// is reported: all directories above are open then, none below.
fn with(stage: &Stage, act: impl Fn(&Path) + Send + Sync + 'static) -> Report {
    let (once, source) = (Once::new(), stage.source.clone());
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Entry { .. }) {
            once.call_once(|| act(&source));
        }
    };
    let history = History::of(&stage.dump);
    let report = stage.snapshot().jobs(1).observer(Arc::new(watch)).run();
    let report = report.expect("published");
    history.assert_unchanged(&stage.dump);
    report
}

/// A tree whose first entry to be told of is `0`: of the files the one with
/// the lowest inode, which need not be the one that was made first.
fn stage() -> Stage {
    let stage = Stage::new();
    let at = |name: &str| stage.source.join(name);
    let inode = |name: &&str| fs::metadata(at(name)).expect("there").ino();
    let mut made = ["new 0", "new 1", "new 2", "new 3"];
    for name in made {
        File::create(at(name)).expect("made");
    }
    made.sort_by_key(inode);
    for (made, name) in made.into_iter().zip(["0", "a", "b", "c"]) {
        fs::rename(at(made), at(name)).expect("renamed");
    }
    fs::write(at("0"), "first").expect("written");
    // Of one size and one time, they would be the same to who goes by these.
    for (size, name) in (1..).zip(["a", "b", "c"]) {
        fs::write(at(name), name.repeat(size)).expect("written");
        let dir = stage.source.join(format!("dir {name}"));
        fs::create_dir(&dir).expect("made");
        fs::write(dir.join("inner"), name.repeat(10 + size)).expect("written");
    }
    tick();
    stage
}

/// A directory beside the tree that must never be in its dumps.
fn secret(stage: &Stage) -> std::path::PathBuf {
    let secret = stage.source.with_file_name("secret");
    fs::create_dir(&secret).expect("made");
    for name in ["inner", "a"] {
        fs::write(secret.join(name), SECRET).expect("written");
    }
    secret
}

/// Nothing in any dump holds the secret.
#[track_caller]
fn assert_no_secret(stage: &Stage) {
    let mut seen = 0;
    each(&stage.dump, |path, stat| {
        if stat.st_mode & 0o170_000 == 0o100_000 {
            use std::os::unix::ffi::OsStrExt as _;
            let file = stage.dump.join(std::ffi::OsStr::from_bytes(path));
            let bytes = fs::read(&file).expect("read");
            let found = bytes.windows(SECRET.len()).any(|part| part == SECRET);
            assert!(!found, "{} holds the secret", file.display());
            seen += 1;
        }
    });
    assert!(seen > 0);
}

fn replace_by_link(path: &Path, to: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).expect("removed");
    } else {
        fs::remove_file(path).expect("removed");
    }
    symlink(to, path).expect("linked");
}

#[test]
fn what_vanishes_is_no_fault() {
    let stage = stage();
    let report = with(&stage, |tree| {
        for name in ["a", "b", "c"] {
            fs::remove_file(tree.join(name)).expect("removed");
            fs::remove_dir_all(tree.join(format!("dir {name}"))).expect("removed");
        }
    });
    assert!(report.is_complete(), "{:#?}", report.faults);
    assert_eq!(report.counts.vanished, 6);
    let mut named: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    named.sort();
    let source = stage.source.display();
    assert_eq!(report.warnings_total, 6);
    assert_eq!(
        named[0],
        format!("{source}/a vanished before it could be read")
    );
    assert_eq!(
        named[5],
        format!("{source}/dir c vanished before it could be read")
    );
    stage.run(stage.snapshot());
}

/// What two names of one inode hold may not be the same when both are met:
/// one was written to, or both are gone and the number is another file's.
#[test]
fn a_name_that_holds_something_else_by_now_is_not_linked() {
    let stage = stage();
    fs::hard_link(stage.source.join("0"), stage.source.join("dir a/link")).expect("linked");
    let now = "what it holds by now";
    let report = with(&stage, move |tree| {
        fs::write(tree.join("dir a/link"), now).expect("written");
    });
    assert!(report.is_complete(), "{:#?}", report.faults);
    let copy = |name: &str| fs::read_to_string(report.dump.join(ROOT).join(name)).expect("read");
    assert_eq!([copy("0"), copy("dir a/link")], ["first", now]);
    let report = stage.run(stage.snapshot());
    assert_eq!(report.counts.hard_links, 1);
}

#[test]
fn a_file_or_directory_swapped_for_a_symlink_is_not_followed() {
    let stage = stage();
    let secret = secret(&stage);
    let to = secret.clone();
    let report = with(&stage, move |tree| {
        replace_by_link(&tree.join("a"), &to.join("a"));
        replace_by_link(&tree.join("dir a"), &to);
    });
    assert!(report.is_complete(), "{:#?}", report.faults);
    assert_no_secret(&stage);
    let link = fs::read_link(report.dump.join(ROOT).join("dir a"));
    assert_eq!(link.expect("a link"), secret);
    stage.run(stage.snapshot());
}

#[test]
fn anything_may_take_the_place_of_anything() {
    let stage = stage();
    let report = with(&stage, |tree| {
        let fifo = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0);
        for name in ["a", "b", "c"] {
            fs::remove_file(tree.join(name)).expect("removed");
            fs::remove_dir_all(tree.join(format!("dir {name}"))).expect("removed");
        }
        fifo(&tree.join("a")).expect("made");
        fifo(&tree.join("dir a")).expect("made");
        fs::create_dir(tree.join("b")).expect("made");
        fs::write(tree.join("b/inner"), "now deeper").expect("written");
        fs::write(tree.join("dir b"), "now a file").expect("written");
        symlink("nowhere", tree.join("c")).expect("linked");
        fs::create_dir(tree.join("dir c")).expect("made");
    });
    assert!(report.is_complete(), "{:#?}", report.faults);
    let options = fixtures::Options {
        // The directory is as it was when it was entered.
        dir_times: false,
        ..fixtures::Options::of_runner()
    };
    fixtures::assert_same_tree(&stage.source, &stage.newest(), &options);
    stage.run(stage.snapshot());
}

/// A directory is moved away while it is being read, and another put in its
/// place: what is stored is of the one that was entered, or it is a fault.
#[test]
fn a_directory_moved_out_of_the_tree_leads_nowhere() {
    let stage = stage();
    let secret = secret(&stage);
    let outside = stage.source.with_file_name("outside");
    let report = with(&stage, move |tree| {
        fs::rename(tree.join("dir a"), &outside).expect("moved");
        symlink(&secret, tree.join("dir a")).expect("linked");
        fs::rename(tree.join("dir b"), outside.join("b")).expect("moved");
    });
    assert!(report.is_complete(), "{:#?}", report.faults);
    assert_no_secret(&stage);
    stage.run(stage.snapshot());
}

/// A directory that has more directories than may be open is renamed while
/// they are read: it is read to its end under the name it was found by.
#[test]
fn a_directory_renamed_while_it_is_read_is_whole() {
    let stage = Stage::new();
    let [wide, other] = ["wide", "other"].map(|name| stage.source.join(name));
    for i in 0..1_000 {
        let dir = wide.join(i.to_string());
        fs::create_dir_all(&dir).expect("made");
        fs::write(dir.join("file"), i.to_string()).expect("written");
    }
    let seen = AtomicUsize::new(0);
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Entry { .. }) && seen.fetch_add(1, Ordering::Relaxed) == 900 {
            fs::rename(&wide, &other).expect("renamed");
        }
    };
    let report = stage.snapshot().jobs(2).observer(Arc::new(watch)).run();
    let report = report.expect("published");
    assert_eq!(report.counts.vanished, 0, "{:#?}", report.warnings);
    assert!(report.is_complete(), "{:#?}", report.faults);
    assert!(
        !report.dump.join(ROOT).join("other").exists(),
        "it is there twice"
    );
    for i in 0..1_000 {
        let file = format!("{ROOT}/wide/{i}/file");
        let text = fs::read_to_string(report.dump.join(&file));
        assert_eq!(text.expect(&file), i.to_string());
    }
    stage.run(stage.snapshot());
}

/// A directory is moved from one that is not listed yet to one that is done:
/// neither listing has it. What is left out stays left out, and is counted once.
#[test]
fn what_moves_to_where_all_was_done_is_found_there() {
    for plain in [false, true] {
        let stage = Stage::new();
        for side in ["x", "y"] {
            let deep = stage.source.join(side).join(format!("deep {side}"));
            fs::create_dir_all(deep.join("inner")).expect("made");
            fs::write(deep.join("inner/file"), side).expect("written");
            fs::write(deep.with_file_name("excluded"), side).expect("written");
        }
        // Times that are settled: by these a change is seen.
        tick();
        let once = Arc::new(Once::new());
        let (moved, source) = (Arc::clone(&once), stage.source.clone());
        let watch = move |event: Event<'_>| {
            let Event::Entry { at, did, .. } = event else {
                return;
            };
            let path = at.path().as_path().to_path_buf();
            let done = path.strip_prefix(ROOT).expect("in the tree");
            let other = match done.to_str() {
                Some("x") => "y",
                Some("y") => "x",
                _ => return,
            };
            if did == Action::Filled {
                moved.call_once(|| {
                    let deep = format!("deep {other}");
                    let [from, to] = [Path::new(other), done];
                    let [from, to] = [from, to].map(|dir| source.join(dir).join(&deep));
                    fs::rename(from, &to).expect("moved");
                    if plain {
                        fs::rename(to.join("inner/file"), to.with_file_name("file"))
                            .expect("moved");
                    }
                });
            }
        };
        let mut filter = Filter::new();
        filter.add_rule(b"- excluded").expect("a rule");
        let snapshot = stage
            .snapshot()
            .filter(filter)
            .jobs(1)
            .observer(Arc::new(watch));
        let report = snapshot.run().expect("published");
        assert!(once.is_completed());
        assert!(report.is_complete(), "{:#?}", report.faults);
        assert_eq!(report.counts.vanished, 0, "{:#?}", report.warnings);
        assert_eq!(report.counts.excluded, 2);
        assert_eq!(report.counts.directories, 7, "{:#?}", report.counts);
        for side in ["x", "y"] {
            remove_unseen(&stage, &report, side);
        }
        stage.assert_same();
    }
}

/// Removes what was excluded from a directory, which then has the times of its
/// copy again.
fn remove_unseen(stage: &Stage, report: &Report, dir: &str) {
    fs::remove_file(stage.source.join(dir).join("excluded")).expect("removed");
    let times = fs::metadata(report.dump.join(ROOT).join(dir)).expect("there");
    let times = fs::FileTimes::new().set_modified(times.modified().expect("told"));
    let dir = File::open(stage.source.join(dir)).expect("opened");
    dir.set_times(times).expect("set");
}

/// Something comes as long as there is a second look: it has an end, which is
/// reported.
#[test]
fn what_keeps_coming_is_told() {
    let stage = stage();
    let (number, source) = (AtomicUsize::new(0), stage.source.clone());
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Entry { .. }) {
            let name = format!("new {}", number.fetch_add(1, Ordering::Relaxed));
            File::create(source.join(name)).expect("made");
        }
    };
    let report = stage.snapshot().jobs(1).observer(Arc::new(watch)).run();
    let report = report.expect("published");
    assert!(report.is_complete(), "{:#?}", report.faults);
    let moving = |warning: &&Warning| matches!(warning, Warning::KeptMoving { .. });
    assert_eq!(report.warnings.iter().filter(moving).count(), 1);
    let quiet = stage.snapshot().jobs(1).run().expect("published");
    assert_eq!(quiet.warnings.iter().filter(moving).count(), 0);
    stage.assert_same();
}

/// What is written to without end is kept, named, and copied again.
#[test]
fn an_unstable_file_is_named_and_copied_again() {
    let stage = stage();
    let path = stage.source.join("restless");
    fs::write(&path, vec![b'x'; 3 << 20]).expect("written");
    let file = File::options().write(true).open(&path).expect("opened");
    let turn = AtomicUsize::new(0);
    let watch = move |event: Event<'_>| {
        if let Event::Copied(_) = event {
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            let byte = [u8::try_from(turn % 251).expect("small")];
            file.write_all_at(&byte, turn as u64 % (3 << 20))
                .expect("written");
        }
    };
    let report = stage
        .snapshot()
        .observer(Arc::new(watch))
        .run()
        .expect("published");
    assert!(report.is_complete());
    let named: Vec<&Warning> = report.warnings.iter().collect();
    assert_eq!(named, [&Warning::Unstable { path: path.clone() }]);
    let next = stage.run(stage.snapshot());
    assert_eq!(next.counts.copied_changed.number, 1);
}

/// The same where its time is set back each time: only the time of change
/// betrays it.
#[test]
fn a_file_that_hides_its_changes_is_copied_again() {
    let stage = stage();
    let path = stage.source.join("sly");
    fs::write(&path, vec![b'x'; 1 << 20]).expect("written");
    let file = File::options().write(true).open(&path).expect("opened");
    let old = std::time::UNIX_EPOCH + Duration::new(1_000_000, 5);
    file.set_modified(old).expect("dated");
    let turn = AtomicUsize::new(0);
    let watch = move |event: Event<'_>| {
        if let Event::Copied(_) = event {
            let at = turn.fetch_add(1, Ordering::Relaxed) as u64;
            file.write_all_at(b"y", at).expect("written");
            file.set_modified(old).expect("dated");
        }
    };
    let report = stage
        .snapshot()
        .observer(Arc::new(watch))
        .run()
        .expect("published");
    assert_eq!(report.warnings, [Warning::Unstable { path: path.clone() }]);
    let next = stage.run(stage.snapshot());
    assert_eq!(next.counts.copied_changed.number, 1);
    let after = stage.run(stage.snapshot());
    assert_eq!(after.counts.copied().number, 0);
}

/// What is swapped without a pause may be given up, and is named once.
fn but_for_swapped(faults: &[Fault]) -> Vec<&Fault> {
    let swapped = "it kept being replaced while it was read";
    let (given_up, others): (Vec<&Fault>, _) = faults
        .iter()
        .partition(|fault| fault.cause.to_string().contains(swapped));
    let mut paths: Vec<_> = given_up.iter().map(|fault| &fault.path).collect();
    paths.sort();
    let told = paths.len();
    paths.dedup();
    assert_eq!(paths.len(), told, "told twice: {given_up:?}");
    others
}

/// Threads that swap a directory for a symlink to the secret, replace files,
/// write and remove, as fast as they can, over several dumps.
#[test]
fn churn_leads_nowhere_and_loses_nothing() {
    let stage = stage();
    let secret = secret(&stage);
    for i in 0..40 {
        let dir = stage.source.join(format!("steady {i}"));
        fs::create_dir(&dir).expect("made");
        fs::write(dir.join("kept"), i.to_string()).expect("written");
    }
    let tree = &stage.source;
    symlink(&secret, tree.join("bait")).expect("linked");
    symlink(secret.join("a"), tree.join("bait file")).expect("linked");
    mknodat(CWD, tree.join("pipe"), FileType::Fifo, Mode::RUSR, 0).expect("made");
    let swap = |a: &str, b: &str| {
        let (a, b) = (tree.join(a), tree.join(b));
        let _ = renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE);
    };
    let over = AtomicBool::new(false);
    let acts: [&(dyn Fn(usize) + Sync); 3] = [
        &|_| swap("bait", "dir a"),
        &|i| swap(["bait file", "pipe"][i % 2], ["a", "b"][i / 2 % 2]),
        &|i| {
            let path = tree.join(format!("passing {}", i % 20));
            let _ = fs::remove_file(&path);
            if let Ok(mut file) = File::create(&path) {
                let _ = file.write_all(&vec![b'p'; i % 9000]);
            }
        },
    ];
    std::thread::scope(|scope| {
        for act in acts {
            let over = &over;
            scope.spawn(move || {
                (0..)
                    .take_while(|_| !over.load(Ordering::Relaxed))
                    .for_each(act);
            });
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..12 {
                let history = History::of(&stage.dump);
                let report = stage.snapshot().jobs(4).run().expect("published");
                history.assert_unchanged(&stage.dump);
                for i in 0..40 {
                    let kept = report.dump.join(ROOT).join(format!("steady {i}/kept"));
                    assert_eq!(fs::read_to_string(kept).expect("kept"), i.to_string());
                }
                assert_eq!(but_for_swapped(&report.faults), Vec::<&Fault>::new());
            }
        }));
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
    assert_no_secret(&stage);
    stage.run(stage.snapshot());
}

/// btrfs lists of an open directory only what was in it when it was opened,
/// and the top is opened long before it is listed.
#[test]
#[ignore = "needs root and a loop mount"]
fn what_comes_to_the_top_before_it_is_listed_is_dumped() {
    let mount = Mount::new(Fs::Btrfs, 128);
    let stage = Stage::within(&mount.path().join("stage"));
    fs::write(stage.source.join("old"), "old").expect("written");
    let [new, old] = ["new", "old"].map(|name| stage.source.join(name));
    let come = move |event: Event<'_>| {
        if matches!(event, Event::Phase(Phase::Storing)) {
            fs::write(&new, "by now").expect("written");
            fs::rename(&new, &old).expect("renamed");
        }
    };
    let report = stage.run(stage.snapshot().observer(Arc::new(come)));
    assert_eq!(report.counts.files.number, 1);
    // Whose names are all in one tree: more workers would wait for each other.
    let processors = std::thread::available_parallelism().expect("told").get();
    assert_eq!(report.jobs.number, processors.clamp(2, 32));
}

/// Inodes of 128 bytes know whole seconds only: the file is written again when
/// it is dumped, within its second or not.
#[test]
#[ignore = "needs root and a loop mount"]
fn a_second_write_within_a_second_is_seen_where_only_seconds_are_kept() {
    let mount = Mount::with(Fs::Ext4, 32, &["-I", "128"], "");
    let source = Stage::new();
    let stage = Stage::within(&mount.path().join("stage"));
    let file = source.source.join("file");
    let run = |text: &str| {
        fs::write(&file, text).expect("written");
        let init = stage.dump.join("current").symlink_metadata().is_err();
        let run = dumpcore::Snapshot::new(&stage.dump).main(&source.source);
        let report = run.init(init).run().expect("published");
        let copy = report.dump.join(ROOT).join("file");
        assert_eq!(fs::read_to_string(copy).expect("read"), text);
    };
    for text in ["one", "two", "six", "ten"] {
        run(text);
    }
}
