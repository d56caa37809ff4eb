//! What a progress bar is told: how much there is likely to be, and what is
//! being copied.

mod common;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{ROOT, Stage};
use dumpcore::{
    Checkpoint, DumpRoot, Event, Navigator, Observer, Phase, Remove, Replica, Report, Restore,
    Restored, Snapshot, Stamp, Tree,
};

/// What a progress bar hears, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Expected(u64, Option<u64>),
    Copying(String, u64),
    Copied(u64),
    Entry,
    Removing,
    Removed(u64),
}

#[derive(Default)]
struct Listener(Mutex<Vec<Heard>>);

impl Observer for Listener {
    fn event(&self, event: Event<'_>) {
        self.0.lock().expect("not poisoned").push(match event {
            Event::Expected { entries, bytes } => Heard::Expected(entries, bytes),
            Event::Copying { at, bytes } => Heard::Copying(at.path().to_string(), bytes),
            Event::Copied(bytes) => Heard::Copied(bytes),
            Event::Entry { .. } => Heard::Entry,
            Event::Phase(Phase::Removing) => Heard::Removing,
            Event::Removed { names, .. } => Heard::Removed(names),
            _ => return,
        });
    }
}

impl Listener {
    fn heard(&self) -> Vec<Heard> {
        self.0.lock().expect("not poisoned").clone()
    }

    /// What was expected; told once, before anything else is heard, save for what
    /// is removed at the end.
    fn expected(&self) -> Option<(u64, Option<u64>)> {
        let mut heard = self.heard();
        let removing = heard.iter().position(|one| *one == Heard::Removing);
        heard.truncate(removing.unwrap_or(heard.len()));
        let told = |one: &Heard| matches!(one, Heard::Expected(..));
        assert!(heard.iter().skip(1).all(|one| !told(one)), "{heard:?}");
        match heard.first() {
            Some(Heard::Expected(entries, bytes)) => Some((*entries, *bytes)),
            _ => None,
        }
    }

    /// What an observer hears of a removal: how many names were expected, told once, after
    /// the phase began and before anything was removed, and how many went.
    fn removed(&self) -> (Option<u64>, u64) {
        let heard = self.heard();
        let began = heard.iter().position(|one| *one == Heard::Removing);
        let told = &heard[began.expect("a removal") + 1..];
        let names = told.iter().map(|one| match one {
            Heard::Removed(names) => *names,
            _ => 0,
        });
        let expected = match told.first() {
            Some(Heard::Expected(entries, None)) => Some(*entries),
            _ => None,
        };
        let is_expected = |one: &&Heard| matches!(one, Heard::Expected(..));
        let times = told.iter().filter(is_expected).count();
        assert_eq!(times, usize::from(expected.is_some()), "{heard:?}");
        (expected, names.sum())
    }

    fn entries(&self) -> u64 {
        let heard = self.heard();
        heard.iter().filter(|one| **one == Heard::Entry).count() as u64
    }
}

fn at(minute: u32) -> Stamp {
    Stamp::new(2026, 11, 22, 23, minute).expect("a minute")
}

fn entries(report: &Report) -> u64 {
    let counts = &report.counts;
    counts.files.number + counts.directories + counts.symlinks + counts.specials
}

fn with_files() -> Stage {
    let stage = Stage::new();
    fs::create_dir(stage.source.join("dir")).expect("made");
    fs::write(stage.source.join("dir/one"), [1; 1000]).expect("written");
    fs::write(stage.source.join("two"), [2; 20]).expect("written");
    fs::hard_link(stage.source.join("two"), stage.source.join("three")).expect("linked");
    stage
}

#[test]
fn a_dump_expects_what_the_one_before_had() {
    let stage = with_files();
    let listen = Arc::new(Listener::default());
    let first = stage.snapshot().at(at(1)).observer(listen.clone());
    let first = first.run().expect("published");
    // Nobody knows of a first dump, unless it had to be added up whether it fits.
    let counted = (entries(&first), Some(first.counts.files.bytes));
    assert!(listen.expected().is_none_or(|expected| expected == counted));
    assert_eq!(listen.entries(), entries(&first));
    fs::write(stage.source.join("new"), [3; 7]).expect("written");
    for (minute, dry_run, more) in [(2, true, 1), (2, false, 1), (3, false, 0)] {
        let listen = Arc::new(Listener::default());
        let next = stage.snapshot().at(at(minute)).dry_run(dry_run);
        let next = next.observer(listen.clone()).run().expect("published");
        let (names, bytes) = listen.expected().expect("the dump before tells");
        assert_eq!(listen.entries(), entries(&next));
        assert_eq!(entries(&next), names + more);
        assert_eq!(Some(next.counts.files.bytes), bytes.map(|b| b + 7 * more));
    }
}

#[test]
fn a_tree_that_the_dump_before_has_among_others_expects_nothing() {
    let stage = with_files();
    let other = stage.source.with_file_name("other");
    fs::create_dir(&other).expect("made");
    let both = stage.snapshot().main(&other).at(at(1)).run();
    both.expect("published");
    let snapshot = |trees: &[&Tree], minute| {
        let listen = Arc::new(Listener::default());
        let mut snapshot = Snapshot::new(&stage.dump).at(at(minute));
        for tree in trees {
            snapshot = snapshot.main((*tree).clone());
        }
        let made = snapshot.observer(listen.clone()).run();
        made.expect("published");
        listen.expected()
    };
    let [tree, other] = [&stage.source, &other].map(Tree::new);
    let new = Tree::new(&stage.source).named("new");
    assert_eq!(snapshot(&[&tree], 2), None);
    assert_eq!(snapshot(&[&tree], 3), Some((5, Some(1040))));
    assert_eq!(snapshot(&[&tree, &new], 4), None);
    // Each from a dump of its own.
    assert_eq!(snapshot(&[&other], 5), None);
    assert_eq!(snapshot(&[&other], 6), Some((1, Some(0))));
}

#[test]
fn copies_of_dumps_expect_what_is_in_the_dump() {
    let stage = with_files();
    stage.snapshot().at(at(1)).run().expect("published");
    let listen = Arc::new(Listener::default());
    let checkpoint = Checkpoint::new(&stage.dump).observer(listen.clone());
    let checkpoint = checkpoint.run().expect("published");
    let expected = (entries(&checkpoint), Some(checkpoint.counts.files.bytes));
    assert_eq!(listen.expected(), Some(expected));
    let to = stage.dump.with_file_name("replica");
    fs::create_dir(&to).expect("made");
    let listen = Arc::new(Listener::default());
    let replica = Replica::of(&stage.dump).to(&to).init(true).latest(true);
    let _ = replica.observer(listen.clone()).run().expect("published");
    assert_eq!(listen.expected(), Some(expected));
}

/// Of dumps that do not say how much is in them, the names are counted.
#[test]
fn copies_of_dumps_without_marks_expect_what_is_listed() {
    let stage = with_files();
    let dump = stage.snapshot().at(at(1)).run().expect("published").dump;
    forget_size(&dump);
    let to = stage.dump.with_file_name("replica");
    fs::create_dir(&to).expect("made");
    let listen = Arc::new(Listener::default());
    let replica = Replica::of(&stage.dump).to(&to).init(true).latest(true);
    let replica = replica.dry_run(true).observer(listen.clone()).run();
    let _ = replica.expect("foreseen");
    assert_eq!(listen.expected(), Some((listen.entries(), None)));
    let mut bytes = Vec::new();
    for space_check in [false, true] {
        let listen = Arc::new(Listener::default());
        let checkpoint = Checkpoint::new(&stage.dump).space_check(space_check);
        let checkpoint = checkpoint.observer(listen.clone()).run();
        forget_size(&checkpoint.expect("published").dump);
        let expected = listen.expected().expect("it is counted");
        assert_eq!(expected.0, listen.entries());
        bytes.push(expected.1);
    }
    // Where the room for it is added up, that tells sizes as well.
    assert_eq!(bytes, [None, Some(1040)]);
}

/// As of a dump that was made by hand.
fn forget_size(dump: &Path) {
    for mark in ["user.dump.names", "user.dump.bytes"] {
        xattr::remove(dump, mark).expect("removed");
    }
}

#[test]
fn a_restoration_expects_what_the_version_holds() {
    let stage = with_files();
    fs::create_dir_all(stage.source.join("a/b")).expect("made");
    fs::write(stage.source.join("a/b/file"), [4; 300]).expect("written");
    fs::write(stage.source.join("a/b/other"), [5; 30]).expect("written");
    stage.snapshot().at(at(1)).run().expect("published");
    let navigator = Navigator::new(&stage.dump).main(&stage.source);
    let restored = |path: &str| {
        let place = navigator.locate(stage.source.join(path)).expect("a place");
        let version = navigator.newest_version(&place).expect("a version");
        let listen = Arc::new(Listener::default());
        let restore = Restore::new(&navigator, &version, &place).expect("to be restored");
        let restored = restore.observer(listen.clone()).run_asking(|_| true);
        assert!(matches!(restored, Ok(Restored::Done(_))), "{restored:?}");
        let (names, bytes) = listen.expected().expect("it is counted");
        assert_eq!(listen.entries(), names, "{path}");
        (names, bytes)
    };
    assert_eq!(restored("a/b/file"), (1, Some(300)));
    assert_eq!(restored("a"), (4, None));
    // With the directories above it that are gone.
    for (path, expected) in [("a/b/file", (3, Some(300))), ("a/b", (4, None))] {
        fs::remove_dir_all(stage.source.join("a")).expect("removed");
        assert_eq!(restored(path), expected, "{path}");
    }
}

#[test]
fn a_removal_expects_what_the_dumps_were_published_with() {
    let stage = with_files();
    let dump = |minute| stage.snapshot().at(at(minute)).run().expect("published");
    let made: Vec<_> = (1..6).map(dump).collect();
    let names = 1 + entries(&made[0]);
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let list = root.list().expect("listed");
    let remove = |dumps: &[usize]| {
        let listen = Arc::new(Listener::default());
        let mut remove = Remove::new(&stage.dump).observer(listen.clone());
        for dump in dumps {
            remove = remove.dump(list[*dump].into());
        }
        assert!(remove.run().expect("removed").is_complete());
        listen.removed()
    };
    // The first one is named by `current_chk`.
    assert_eq!(remove(&[1]), (Some(names), names));
    // One that does not say how many it has, and what is left of another.
    forget_size(&made[2].dump);
    let rest = stage.dump.join(".dump/removing/rest");
    fs::create_dir_all(rest.join("dir")).expect("made");
    assert_eq!(remove(&[2, 3]), (Some(2 * names + 2), 2 * names + 2));
    // What is left is removed behind the next dump, too.
    fs::create_dir_all(rest.join("dir/below")).expect("made");
    let listen = Arc::new(Listener::default());
    let next = stage.snapshot().at(at(7)).observer(listen.clone());
    next.run().expect("published");
    assert_eq!(listen.removed(), (Some(3), 3));
}

#[test]
fn the_path_of_what_is_copied_comes_first_and_bytes_as_they_are_written() {
    let stage = Stage::new();
    let large = vec![7; 20 << 20];
    fs::write(stage.source.join("large"), &large).expect("written");
    fs::write(stage.source.join("empty"), "").expect("written");
    let listen = Arc::new(Listener::default());
    let snapshot = stage.snapshot().jobs(1).observer(listen.clone());
    snapshot.run().expect("published");
    let heard = listen.heard();
    let size = large.len() as u64;
    for (name, size) in [("large", size), ("empty", 0)] {
        let begins = Heard::Copying(format!("{ROOT}/{name}"), size);
        let from = heard.iter().position(|one| *one == begins);
        let from = from.unwrap_or_else(|| panic!("{name}: {heard:?}"));
        let copied: Vec<u64> = heard[from + 1..]
            .iter()
            .map_while(|one| match one {
                Heard::Copied(bytes) => Some(*bytes),
                _ => None,
            })
            .collect();
        assert_eq!(copied.iter().sum::<u64>(), size, "{name}");
        assert!(size == 0 || copied.len() > 4, "{name}: {copied:?}");
        assert_eq!(heard.get(from + 1 + copied.len()), Some(&Heard::Entry));
    }
}
