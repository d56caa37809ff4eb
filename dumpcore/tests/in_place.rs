//! What is published is what was made, whatever is moved in the dump root
//! while it is made.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{ROOT, Stage};
use dumpcore::{Chain, Event, Observer, Phase};

/// Does something when all is stored, and before it is published.
struct Before<F>(Mutex<Option<F>>);

impl<F: FnOnce() + Send> Observer for Before<F> {
    fn event(&self, event: Event<'_>) {
        if let Event::Phase(Phase::Publishing) = event {
            let act = self.0.lock().expect("unharmed").take();
            act.expect("once")();
        }
    }
}

/// The one site in a day.
fn site(day: &Path) -> PathBuf {
    let entries = fs::read_dir(day).expect("listed");
    let mut sites = entries.map(|entry| entry.expect("listed").path());
    let is_site = |path: &PathBuf| path.display().to_string().ends_with("_incomplete");
    sites.find(is_site).expect("a site")
}

/// Publishes while somebody does this to the day and the site; it must fail,
/// and leave `current` as it was.
#[track_caller]
fn refused(act: impl Fn(&Path, &Path) + Send + 'static) {
    let stage = Stage::new();
    fs::write(stage.source.join("file"), "text").expect("written");
    stage.run(stage.snapshot());
    let current = stage.dump.join("current");
    let named = fs::read_link(&current).expect("a link");
    let day = stage.dump.join("2199/1231");
    let meddle = move || act(&day, &site(&day));
    let before = Before(Mutex::new(Some(meddle)));
    let snapshot = stage
        .snapshot()
        .at("2199-12-31T23:59".parse().expect("a minute"));
    let error = snapshot
        .observer(Arc::new(before))
        .run()
        .expect_err("published");
    let error = Chain(&error).to_string();
    assert!(error.contains("2199/1231/2359"), "{error}");
    assert_eq!(named, fs::read_link(&current).expect("a link"));
    stage.assert_same();
}

#[test]
fn another_directory_in_its_place_is_not_taken_for_it() {
    refused(|day, site| {
        fs::rename(site, day.with_file_name("moved")).expect("moved");
        fs::create_dir_all(site.join(ROOT)).expect("made");
    });
}

#[test]
fn a_day_that_was_moved_is_missed() {
    refused(|day, _| {
        fs::rename(day, day.with_file_name("moved")).expect("moved");
        fs::create_dir(day).expect("made");
    });
}

/// Once some data is copied, puts a directory in the place of the file that is
/// being made, and writes to its source: it cannot be made again, nor removed.
struct HalfMade {
    source: PathBuf,
    day: PathBuf,
    done: Mutex<bool>,
}

impl Observer for HalfMade {
    fn event(&self, event: Event<'_>) {
        let mut done = self.done.lock().expect("unharmed");
        if matches!(event, Event::Copied(_)) && !*done {
            *done = true;
            let file = site(&self.day).join(ROOT).join("file");
            fs::remove_file(&file).expect("removed");
            fs::create_dir(&file).expect("made");
            fs::write(&self.source, "changed").expect("written");
        }
    }
}

#[test]
fn what_is_half_made_and_stays_is_not_published() {
    for size in [1_000, 2 << 20] {
        let stage = Stage::new();
        let source = stage.source.join("file");
        fs::write(&source, vec![b'x'; size]).expect("written");
        let day = stage.dump.join("2199/1231");
        let done = Mutex::new(false);
        let observer = HalfMade { source, day, done };
        let at = "2199-12-31T23:59".parse().expect("a minute");
        let run = stage.snapshot().at(at).observer(Arc::new(observer)).run();
        let error = run.expect_err("half of it was published");
        let error = Chain(&error).to_string();
        assert!(
            error.contains("/file") && error.contains("incomplete"),
            "{error}"
        );
        assert!(!stage.dump.join("2199/1231/2359").exists(), "published");
    }
}
