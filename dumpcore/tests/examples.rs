//! The example programs do what they say.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use assert_fs::TempDir;
use dumpcore::{DumpRoot, Error, LinkPolicy, Snapshot, Stamp};

#[allow(unreachable_pub)]
#[path = "../examples/app.rs"]
mod app;
#[allow(unreachable_pub)]
#[path = "../examples/compare.rs"]
mod compare;
#[allow(unreachable_pub)]
#[path = "../examples/daemon.rs"]
mod daemon;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().expect("a directory"));
        fs::create_dir(place.at("tree")).expect("made");
        fs::create_dir(place.at("dump")).expect("made");
        place.write("tree/letter", "a draft");
        place
    }

    fn at(&self, below: &str) -> std::path::PathBuf {
        self.0.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        fs::write(self.at(below), text).expect("written");
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.at("dump")).main(self.at("tree"))
    }
}

#[test]
fn the_app_draws_a_bar_and_shows_a_history() {
    let place = Place::new();
    let (tree, root) = (place.at("tree"), place.at("dump"));
    let at = Stamp::new(2020, 1, 1, 0, 0).expect("a minute");
    place.snapshot().init(true).at(at).run().expect("published");
    place.write("tree/letter", "the final version");
    let drawn = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&drawn);
    let draw = move |bar: &str| to.lock().expect("not poisoned").push(bar.to_owned());
    let report = app::dump(&tree, &root, false, draw).expect("published");
    let drawn = drawn.lock().expect("not poisoned");
    let last = drawn.last().expect("drawn");
    assert_eq!(last, "[##########] 100 %  2 entries, 0 MiB copied");
    let mut out = Vec::new();
    app::history(&tree, &root, Path::new("letter"), &mut out).expect("told");
    let name = report.name().expect("a dump");
    let told = format!("2020/0101/0000  create  7 bytes\n{name}  write   17 bytes\n");
    assert_eq!(String::from_utf8(out).expect("text"), told);
}

#[test]
fn the_daemon_takes_dumps_until_it_is_stopped() {
    let place = Place::new();
    place.snapshot().init(true).run().expect("published");
    let (told, outcomes) = mpsc::channel();
    let pause = Duration::from_millis(10);
    let daemon = daemon::Daemon::start(place.snapshot(), pause, told);
    for _ in 0..2 {
        let outcome = outcomes.recv_timeout(Duration::from_secs(60));
        let report = outcome.expect("told").expect("published");
        assert!(report.dump.is_dir());
    }
    daemon.stop();
    // Nothing comes after it: its end of the channel is gone.
    let mut published = 2;
    for outcome in outcomes {
        match outcome {
            Ok(_) => published += 1,
            Err(error) => assert!(matches!(error, Error::Interrupted), "{error}"),
        }
    }
    let root = DumpRoot::open(place.at("dump")).expect("opened");
    drop(root.lock().expect("nobody holds it"));
    let dumps = root.list().expect("listed");
    assert_eq!(dumps.len(), 1 + published, "{dumps:?}");
    let current = root.current_name().expect("read").expect("a dump");
    assert_eq!(current.name().as_ref(), dumps.last());
}

#[test]
fn the_comparison_names_each_entry_and_all_reasons() {
    let place = Place::new();
    place.write("tree/gone", "");
    let report = place.snapshot().init(true).run().expect("published");
    let old = report.dump.join("tree");
    let compared = |policy| {
        let mut comparison = compare::Comparison::new(policy);
        let mut out = Vec::new();
        let told = comparison.entry(&old, &place.at("tree"), &mut out);
        told.expect("compared");
        let text = String::from_utf8(out).expect("text");
        let base = format!("{}/", place.0.path().display());
        (comparison.different, text.replace(&base, ""))
    };
    let policy = LinkPolicy::new().contents(true);
    assert_eq!(compared(policy.clone()), (0, String::new()));
    place.write("tree/letter", "the final version");
    place.write("tree/new", "");
    fs::remove_file(place.at("tree/gone")).expect("removed");
    let (different, text) = compared(policy);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len() as u64, different);
    assert_eq!(lines[0], "tree: the modification time differs");
    assert!(lines[1].starts_with("dump/") && lines[1].ends_with("/tree/gone: it is gone"));
    let letter = "tree/letter: the size differs, the modification time differs";
    assert_eq!(lines[2..], [letter, "tree/new: it is new"]);
    let (different, _) = compared(LinkPolicy::new().mtime(false));
    assert_eq!(different, 3);
}
