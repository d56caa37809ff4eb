//! A dump disk that does not tell upper from lower case: of README and readme
//! one is stored, in every dump, and the other is a fault that names both. The
//! same holds where they are restored.

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use assert_fs::TempDir;
use dumpcore::{
    Action, Chain, DumpRoot, Error, Event, Navigator, Phase, Report, Restore, RestoreError,
    Restored, Snapshot, Warning,
};
use fixtures::folding_fuse::{FoldingFuse, Folds};

/// A tree on a disk like any other, and a dump root on one that folds names.
struct Place {
    dir: TempDir,
    disk: FoldingFuse,
}

impl Place {
    fn new() -> Self {
        Self::that(Folds::Case)
    }

    fn that(folds: Folds) -> Self {
        let place = Self {
            dir: TempDir::new().expect("a directory"),
            disk: FoldingFuse::that(folds),
        };
        fs::create_dir(place.tree()).expect("made");
        fs::create_dir(place.disk.path().join("dump")).expect("made");
        place
    }

    fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    /// Writes a file with a time that is always the same.
    fn write(&self, name: &str, text: &str) {
        let path = self.tree().join(name);
        fs::create_dir_all(path.parent().expect("above")).expect("made");
        fs::write(&path, text).expect("written");
        let file = File::options().write(true).open(&path).expect("opened");
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        file.set_modified(then).expect("set");
    }

    fn snapshot(&self) -> Snapshot {
        let dump = self.disk.path().join("dump");
        let init = fs::symlink_metadata(dump.join("current")).is_err();
        Snapshot::new(dump).main(self.tree()).init(init).jobs(1)
    }

    fn newest(&self) -> PathBuf {
        let dump = DumpRoot::open(self.disk.path().join("dump")).expect("opened");
        dump.current().expect("read").expect("a dump").join("tree")
    }
}

/// The names in a directory.
fn names(dir: &Path) -> Vec<String> {
    let list = fs::read_dir(dir).expect("listed");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("listed").file_name();
    let mut names: Vec<_> = list.map(|e| name(e).into_string().expect("text")).collect();
    names.sort();
    names
}

/// Of two names one is there, with its own contents, and the other is a fault
/// that names both.
#[track_caller]
fn assert_one_of(place: &Place, report: &Report, pair: [(&str, &str); 2]) -> String {
    let newest = place.newest();
    let there = names(&newest);
    let is_there = |name: &str| there.iter().any(|other| other == name);
    let (stored, other) = match pair.map(|(name, _)| is_there(name)) {
        [true, false] => (pair[0], pair[1]),
        [false, true] => (pair[1], pair[0]),
        _ => panic!("{there:?}"),
    };
    let (name, text) = stored;
    assert_eq!(fs::read_to_string(newest.join(name)).expect("read"), text);
    let faults: Vec<String> = report.faults.iter().map(|f| Chain(f).to_string()).collect();
    let names_both = |fault: &String| fault.contains(name) && fault.contains(other.0);
    assert!(faults.iter().any(names_both), "{faults:?}");
    let folded = |w: &Warning| matches!(w, Warning::NamesFolded { .. });
    assert_eq!(report.warnings.iter().filter(|w| folded(w)).count(), 1);
    name.to_owned()
}

#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn one_of_two_names_is_a_fault_in_every_dump() {
    let place = Place::new();
    // Of one size and time: nothing but the name tells them apart.
    let pair = [("README", "UPPER"), ("readme", "lower")];
    for (name, text) in pair {
        place.write(name, text);
    }
    place.write("Other", "other");
    let mut stored = Vec::new();
    for round in 0..3 {
        let report = place.snapshot().run().expect("published");
        stored.push(assert_one_of(&place, &report, pair));
        assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
        let copied = report.counts.copied().number;
        assert_eq!(
            copied,
            if round == 0 { 2 } else { 0 },
            "{:?}",
            report.counts
        );
    }
    assert!(stored.iter().all(|name| *name == stored[0]), "{stored:?}");
    // The stored one goes: the other is not linked to what that held.
    fs::remove_file(place.tree().join(&stored[0])).expect("removed");
    let report = place.snapshot().run().expect("published");
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let (name, text) = pair[usize::from(stored[0] == "README")];
    assert_eq!(
        fs::read_to_string(place.newest().join(name)).expect("read"),
        text
    );
    assert!(names(&place.newest()).contains(&name.to_owned()));
}

#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn directories_are_not_mixed() {
    let place = Place::new();
    place.write("Photos/one", "one");
    place.write("photos/two", "two");
    place.write("PHOTOS", "a file");
    let report = place.snapshot().run().expect("published");
    assert_eq!(report.faults.len(), 2, "{:?}", report.faults);
    for _ in 0..2 {
        let there = names(&place.newest());
        assert_eq!(there.len(), 1, "{there:?}");
        let source = place.tree().join(&there[0]);
        let dumped = place.newest().join(&there[0]);
        if source.is_dir() {
            assert_eq!(names(&source), names(&dumped));
        } else {
            assert!(dumped.is_file());
        }
        let report = place.snapshot().run().expect("published");
        assert_eq!(report.faults.len(), 2, "{:?}", report.faults);
    }
}

/// Also where a run takes over what another left behind.
#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn a_leftover_is_not_mixed_either() {
    let place = Place::new();
    let pair = [("README", "UPPER"), ("readme", "lower")];
    for (name, text) in pair {
        place.write(name, text);
    }
    for number in 0..20 {
        place.write(&format!("Dir/{number}"), "text");
        place.write(&format!("dir/{number}"), "TEXT");
    }
    let (stop, stored) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
    let flag = Arc::clone(&stop);
    let watch = move |event: Event<'_>| {
        if let Event::Entry {
            did: Action::Copied(_),
            ..
        } = event
            && stored.fetch_add(1, Ordering::Relaxed) + 1 >= 10
        {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let stopped = place.snapshot().observer(Arc::new(watch)).stop(stop).run();
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    let report = place.snapshot().run().expect("published");
    assert!(report.resumed);
    assert_one_of(&place, &report, pair);
    let newest = place.newest();
    let there = names(&newest);
    assert_eq!(there.len(), 2, "{there:?}");
    for name in there.iter().filter(|name| name.eq_ignore_ascii_case("dir")) {
        let text = if name == "Dir" { "text" } else { "TEXT" };
        for number in 0..20 {
            let path = newest.join(name).join(number.to_string());
            assert_eq!(fs::read_to_string(path).expect("read"), text);
        }
    }
}

#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn a_dry_run_finds_the_same() {
    let place = Place::new();
    place.write("a", "a");
    place.snapshot().run().expect("published");
    place.write("README", "UPPER");
    place.write("readme", "lower");
    let dry = place.snapshot().dry_run(true).run().expect("dry");
    assert_eq!(dry.faults.len(), 1, "{:?}", dry.faults);
}

/// The trees themselves have such names: there is no dump without one of them,
/// which is said before anything is read, added up or removed.
#[track_caller]
fn assert_two_are_refused(folds: Folds, [first, second]: [&str; 2], also_dry: bool) {
    let place = Place::that(folds);
    let trees = [format!("a/{first}"), format!("b/{second}")];
    let trees = trees.map(|name| place.dir.path().join(name));
    for tree in &trees {
        fs::create_dir_all(tree).expect("made");
        fs::write(tree.join("one"), "one").expect("written");
    }
    let dump = place.disk.path().join("dump");
    let run = |init| {
        let both = Snapshot::new(&dump).main(&trees[0]).main(&trees[1]);
        both.init(init)
    };
    let refused = |run: Snapshot| {
        let phases = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&phases);
        let watch = move |event: Event<'_>| {
            if let Event::Phase(phase) = event {
                heard.lock().expect("not poisoned").push(phase);
            }
        };
        let error = run.observer(Arc::new(watch)).run().expect_err("refused");
        assert!(matches!(error, Error::FoldedTrees { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(&format!("'{first}' and '{second}'")),
            "{text}"
        );
        assert_eq!(*phases.lock().expect("not poisoned"), [Phase::Preparing]);
    };
    refused(run(true));
    assert!(names(&dump).iter().all(|name| name == ".dump"));
    let one = Snapshot::new(&dump).main(&trees[0]).init(true);
    one.run().expect("published");
    refused(run(false));
    if also_dry {
        refused(run(false).dry_run(true));
    }
    assert_eq!(names(&dump.join(".dump")), ["lock"]);
    let left = common::leftovers(&dump);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn two_trees_of_one_name_are_refused() {
    assert_two_are_refused(Folds::Case, ["Photos", "photos"], true);
}

/// A dry run cannot know it.
#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn two_trees_of_one_name_in_two_encodings_are_refused() {
    for folds in [Folds::Accents, Folds::Respelled] {
        assert_two_are_refused(folds, ["caf\u{e9}", "cafe\u{301}"], false);
    }
}

/// A main tree on a disk that folds names, and its dumps on one that does not.
fn restores(version: &[(&str, &str)], there: &[(&str, &str)]) -> (Place, PathBuf, PathBuf) {
    restores_on(Folds::Case, version, there)
}

fn restores_on(
    folds: Folds,
    version: &[(&str, &str)],
    there: &[(&str, &str)],
) -> (Place, PathBuf, PathBuf) {
    let place = Place::that(folds);
    let dump = place.dir.path().join("dumps/2020/0101/1000/main");
    let main = place.disk.path().join("main");
    for (at, files) in [(&dump, version), (&main, there)] {
        fs::create_dir_all(at).expect("made");
        for (name, text) in files {
            let path = at.join(name);
            fs::create_dir_all(path.parent().expect("above")).expect("made");
            fs::write(path, text).expect("written");
        }
    }
    (place, dump, main)
}

fn restore(place: &Place, main: &Path, path: &str) -> Result<Restored, RestoreError> {
    let navigator = Navigator::new(place.dir.path().join("dumps")).main(main);
    let located = navigator.locate(main.join(path)).expect("a place");
    let at = "2021-01-01T00:00:00Z".parse().expect("a moment");
    let version = navigator.version_at(&located, at).expect("a version");
    let restore = Restore::new(&navigator, &version, &located)?;
    restore.run_asking(|_| true)
}

#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn a_restored_directory_lacks_one_of_two_names_and_says_so() {
    let version = [
        ("src/Makefile", "UPPER"),
        ("src/makefile", "lower"),
        ("src/Doc/one", "one"),
        ("src/doc/two", "two"),
    ];
    let (place, dump, main) = restores(&version, &[]);
    let report = match restore(&place, &main, "src") {
        Ok(Restored::Done(report)) => report,
        other => panic!("{other:?}"),
    };
    let faults: Vec<String> = report.faults.iter().map(|f| Chain(f).to_string()).collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
    for pair in [["Makefile", "makefile"], ["Doc", "doc"]] {
        let names_both = |fault: &String| pair.iter().all(|name| fault.contains(name));
        assert!(faults.iter().any(names_both), "{faults:?}");
    }
    let there = names(&main.join("src"));
    assert_eq!(there.len(), 2, "{there:?}");
    for name in there {
        let (old, new) = (dump.join("src").join(&name), main.join("src").join(&name));
        if old.is_dir() {
            assert_eq!(names(&old), names(&new));
        } else {
            assert_eq!(fs::read(old).expect("read"), fs::read(new).expect("read"));
        }
    }
}

/// What is whole is not replaced by what lacks one of two.
#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn a_directory_that_would_lack_one_of_two_replaces_nothing() {
    let version = [("src/Makefile", "UPPER"), ("src/makefile", "lower")];
    let (place, _, main) = restores(&version, &[("src/other", "other")]);
    let error = restore(&place, &main, "src").expect_err("refused");
    assert!(matches!(error, RestoreError::Lacking { .. }), "{error}");
    assert_eq!(names(&main), ["src"]);
    assert_eq!(names(&main.join("src")), ["other"]);
}

#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn an_entry_of_another_spelling_is_not_replaced() {
    let (place, _, main) = restores(&[("Makefile", "UPPER")], &[("makefile", "lower")]);
    let error = restore(&place, &main, "Makefile").expect_err("refused");
    assert!(
        Chain(&error).to_string().contains("same name as makefile"),
        "{error}"
    );
    assert_eq!(names(&main), ["makefile"]);
    let text = fs::read_to_string(main.join("makefile")).expect("read");
    assert_eq!(text, "lower");
    fs::rename(main.join("makefile"), main.join("other")).expect("renamed");
    fs::rename(main.join("other"), main.join("Makefile")).expect("renamed");
    restore(&place, &main, "Makefile").expect("restored");
    let text = fs::read_to_string(main.join("Makefile")).expect("read");
    assert_eq!(text, "UPPER");
}

/// Also where the listing shows no name as it was given: what a person calls by
/// either encoding is one entry, and another case is another entry.
#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn an_entry_of_another_spelling_is_told_from_one_that_is_listed_in_another_way() {
    let version = [("Caf\u{e9}", "UPPER")];
    let (place, _, main) = restores_on(Folds::Respelled, &version, &[("caf\u{e9}", "lower")]);
    let error = restore(&place, &main, "Caf\u{e9}").expect_err("refused");
    let text = Chain(&error).to_string();
    assert!(text.contains("same name as cafe\u{301}"), "{text}");
    assert_eq!(names(&main), ["cafe\u{301}"]);
    let text = fs::read_to_string(main.join("caf\u{e9}")).expect("read");
    assert_eq!(text, "lower");
    fs::rename(main.join("caf\u{e9}"), main.join("other")).expect("renamed");
    fs::rename(main.join("other"), main.join("Caf\u{e9}")).expect("renamed");
    restore(&place, &main, "Caf\u{e9}").expect("restored");
    assert_eq!(names(&main), ["Cafe\u{301}"]);
    let text = fs::read_to_string(main.join("Caf\u{e9}")).expect("read");
    assert_eq!(text, "UPPER");
}
