//! Who may enter what in a dump root: not a matter of the umask.
//!
//! The umask belongs to the whole process, so this file has one test.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{Stage, leftovers};
use dumpcore::{Checkpoint, Event, Observer, Phase, Replica};
use rustix::fs::Mode;
use rustix::process::umask;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("there").mode() & 0o7777
}

/// Notes who may enter what is being made in a dump root.
struct Watch {
    dump: PathBuf,
    seen: Mutex<Vec<u32>>,
}

impl Observer for Watch {
    fn event(&self, event: Event<'_>) {
        if let Event::Phase(Phase::Syncing | Phase::Publishing) = event {
            let modes = leftovers(&self.dump)
                .iter()
                .map(|site| mode(site))
                .collect();
            self.seen
                .lock()
                .expect("no panic")
                .extend::<Vec<u32>>(modes);
        }
    }
}

impl Watch {
    fn new(dump: &Path) -> Arc<Self> {
        Arc::new(Watch {
            dump: dump.to_path_buf(),
            seen: Mutex::default(),
        })
    }

    /// It was closed as long as it was made, and all is open now.
    fn assert_open(&self, made: &Path, special: u32) {
        let seen = self.seen.lock().expect("no panic");
        assert_eq!(*seen, [0o700 | special; 2]);
        for dir in made.ancestors().take(3) {
            assert_eq!(mode(dir), 0o755 | special, "{}", dir.display());
        }
        assert_eq!(mode(&self.dump.join(".dump")), 0o700);
    }
}

#[test]
fn directories_of_a_dump_root_are_open_and_what_is_being_made_is_closed() {
    for (mask, special) in [(0o077, 0), (0o000, 0), (0o022, 0o2000)] {
        umask(Mode::from_raw_mode(0o022));
        let stage = Stage::new();
        let slave = stage.dump.with_file_name("slave");
        fs::create_dir(&slave).expect("made");
        for root in [&stage.dump, &slave] {
            fs::set_permissions(root, Permissions::from_mode(0o755 | special)).expect("set");
        }
        fs::write(stage.source.join("file"), "text").expect("written");
        umask(Mode::from_raw_mode(mask));
        let watch = Watch::new(&stage.dump);
        let made = stage
            .snapshot()
            .observer(watch.clone())
            .run()
            .expect("dumped");
        watch.assert_open(&made.dump, special);
        let watch = Watch::new(&stage.dump);
        let made = Checkpoint::new(&stage.dump).observer(watch.clone()).run();
        watch.assert_open(&made.expect("copied").dump, special);
        let watch = Watch::new(&slave);
        let replica = Replica::of(&stage.dump).to(&slave).latest(true).init(true);
        replica.observer(watch.clone()).run().expect("replicated");
        let made = fs::canonicalize(slave.join("current")).expect("there");
        watch.assert_open(&made, special);
        what_is_not_published_is_closed_again(&stage, special);
    }
}

fn what_is_not_published_is_closed_again(stage: &Stage, special: u32) {
    // In the way of the new link, just before the dump would be visible.
    let in_the_way = stage.dump.join(".current.new");
    fs::create_dir(&in_the_way).expect("made");
    for opened_by_a_kill in [false, true] {
        for site in leftovers(&stage.dump).iter().filter(|_| opened_by_a_kill) {
            fs::set_permissions(site, Permissions::from_mode(0o755 | special)).expect("set");
        }
        stage.snapshot().run().expect_err("it is in the way");
        let modes: Vec<u32> = leftovers(&stage.dump)
            .iter()
            .map(|site| mode(site))
            .collect();
        assert_eq!(modes, [0o700 | special]);
    }
    fs::remove_dir(&in_the_way).expect("removed");
    let made = stage.snapshot().run().expect("dumped").dump;
    assert_eq!(mode(&made), 0o755 | special);
    // Killed when it had only just made the directory of the year.
    let other = stage.dump.with_file_name("other");
    fs::create_dir(&other).expect("made");
    let year = other.join(made.iter().rev().nth(2).expect("a year"));
    fs::create_dir(&year).expect("made");
    fs::set_permissions(&year, Permissions::from_mode(0o700)).expect("set");
    let other = dumpcore::Snapshot::new(&other)
        .main(&stage.source)
        .init(true);
    other.run().expect("dumped");
    assert_eq!(mode(&year), 0o755);
}
