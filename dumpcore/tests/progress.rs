//! What a progress bar is told: how much there is likely to be, and what is
//! being copied.

mod common;

use std::fs;
use std::sync::{Arc, Mutex};

use common::{ROOT, Stage};
use dumpcore::{Checkpoint, Event, Observer, Replica, Report, Snapshot, Stamp, Tree};

/// What a progress bar hears, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Expected(u64, Option<u64>),
    Copying(String, u64),
    Copied(u64),
    Entry,
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
            _ => return,
        });
    }
}

impl Listener {
    fn heard(&self) -> Vec<Heard> {
        self.0.lock().expect("not poisoned").clone()
    }

    /// What was expected; told once, before anything else.
    fn expected(&self) -> Option<(u64, Option<u64>)> {
        let heard = self.heard();
        let told = |one: &Heard| matches!(one, Heard::Expected(..));
        assert!(heard.iter().skip(1).all(|one| !told(one)), "{heard:?}");
        match heard.first() {
            Some(Heard::Expected(entries, bytes)) => Some((*entries, *bytes)),
            _ => None,
        }
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
