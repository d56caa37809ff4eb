//! The catalog of a dump root in user space is on the machine that writes.

#![cfg(feature = "catalog")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dumpcore::{CatalogTools, DumpRoot, NoCatalog, Remove, RunOptions, Scrub, Snapshot, Warning};
use fixtures::bindfs::Bindfs;

/// The catalogs that are in there: one for each dump root.
fn catalogs(state: &Path) -> Vec<PathBuf> {
    let Ok(roots) = fs::read_dir(state) else {
        return Vec::new();
    };
    let files = roots.map(|root| root.expect("listed").path().join("catalog.db"));
    files.filter(|file| file.is_file()).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).expect("listed");
    let names = names.map(|name| name.expect("listed").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

#[test]
#[ignore = "needs root and bindfs"]
fn of_a_dump_root_in_user_space_it_is_on_this_machine() {
    let view = Bindfs::new(&[]);
    let here = assert_fs::TempDir::new().expect("a directory");
    let (source, state) = (here.path().join("tree"), here.path().join("state/dump"));
    for dir in ["one", "two"] {
        fs::create_dir_all(source.join(dir)).expect("made");
        fs::write(source.join(dir).join("file"), dir).expect("written");
    }
    let roots = ["first", "second"].map(|name| view.path().join(name));
    let options = RunOptions::new()
        .local_state(state.clone())
        .settle(Duration::ZERO);
    for root in &roots {
        fs::create_dir(root).expect("made");
        let run = Snapshot::new(root).main(&source).init(true);
        let report = run.options(options.clone()).run().expect("published");
        assert_eq!(report.warnings, []);
    }
    fixtures::clock::tick();
    assert_eq!(catalogs(&state).len(), 2, "each has its own");
    for root in &roots {
        let beside = names(&root.join(".dump"));
        assert!(
            !beside.iter().any(|name| name.starts_with("catalog")),
            "{beside:?}"
        );
    }
    // The next run finds it, and so do questions.
    fs::rename(source.join("one"), source.join("moved")).expect("moved");
    let run = Snapshot::new(&roots[0]).main(&source);
    let report = run.options(options.clone()).run().expect("published");
    assert_eq!(report.counts.moved.number, 1, "{:?}", report.counts);
    assert_eq!(catalogs(&state).len(), 2);
    let tools = CatalogTools::new(&roots[0])
        .options(options.clone())
        .all(true);
    assert_eq!(tools.check().expect("compared"), []);
    let status = tools.status().expect("read").expect("there");
    assert_eq!(status.dumps, 2);
    assert!(status.path.starts_with(&state), "{}", status.path.display());
    let opened = || DumpRoot::open(&roots[0]).expect("opened");
    let asked = opened().with_local_state(state.clone()).catalog();
    assert!(asked.is_ok(), "{asked:?}");
    let missing = opened().catalog();
    assert!(
        matches!(missing, Err(NoCatalog::Missing { .. })),
        "{missing:?}"
    );
    assert_eq!(tools.rebuild().expect("made").dumps, 2);
    assert_eq!(tools.check().expect("compared"), []);
    let oldest = opened().list().expect("listed")[0];
    fs::remove_file(roots[0].join("current_chk")).expect("removed");
    let removed = Remove::new(&roots[0])
        .dump(oldest.into())
        .options(options)
        .run();
    assert_eq!(removed.expect("run").removed.len(), 1);
    let status = tools.status().expect("read").expect("there");
    assert!(status.is_whole(), "{status:?}");
}

/// What is not an id in its file names no directory, and is replaced.
#[test]
#[ignore = "needs root and bindfs"]
fn what_is_not_an_id_leads_nowhere() {
    let view = Bindfs::new(&[]);
    let here = assert_fs::TempDir::new().expect("a directory");
    let (source, state) = (here.path().join("tree"), here.path().join("state"));
    fs::create_dir(&source).expect("made");
    fs::write(source.join("file"), "text").expect("written");
    let root = view.path().join("dump");
    fs::create_dir_all(root.join(".dump")).expect("made");
    fs::write(root.join(".dump/id"), "../../elsewhere/0123456789abcdef").expect("written");
    let run = Snapshot::new(&root).main(&source).init(true);
    let run = run.options(RunOptions::new().local_state(state.clone()));
    assert_eq!(run.run().expect("published").warnings, []);
    assert_eq!(catalogs(&state).len(), 1);
    let id = fs::read_to_string(root.join(".dump/id")).expect("read");
    assert_eq!(names(&state), [id]);
    assert_eq!(names(here.path()).len(), 2, "the tree and the state");
}

/// A directory that cannot be made costs the catalog, and not the dump.
#[test]
#[ignore = "needs root and bindfs"]
fn where_this_machine_has_no_room_for_it_a_run_does_without() {
    let view = Bindfs::new(&[]);
    let here = assert_fs::TempDir::new().expect("a directory");
    let source = here.path().join("tree");
    fs::create_dir(&source).expect("made");
    fs::write(source.join("file"), "text").expect("written");
    let root = view.path().join("dump");
    fs::create_dir(&root).expect("made");
    let state = source.join("file/state");
    let run = Snapshot::new(&root).main(&source).init(true);
    let run = run.options(RunOptions::new().local_state(state.clone()));
    let report = run.run().expect("published");
    let [Warning::CatalogUnused { path, .. }] = report.warnings.as_slice() else {
        panic!("{:?}", report.warnings);
    };
    assert_eq!(*path, state);
    assert!(report.is_complete());
}

/// Where a filesystem does not tell when inodes were made, their numbers may be used
/// again: no hash is kept, and a scrub says that it compared nothing.
#[test]
#[ignore = "needs root and bindfs"]
fn without_births_no_hash_is_kept_and_none_is_promised() {
    let view = Bindfs::new(&[]);
    let here = assert_fs::TempDir::new().expect("a directory");
    let (source, root) = (here.path().join("tree"), view.path().join("dump"));
    for dir in [&source, &root] {
        fs::create_dir(dir).expect("made");
    }
    fs::write(source.join("file"), "text").expect("written");
    let options = RunOptions::new().local_state(here.path().join("state"));
    let run = Snapshot::new(&root).main(&source).init(true);
    let report = run.options(options.clone()).run().expect("published");
    assert_eq!(report.warnings, []);
    for _ in 0..2 {
        let scrubbed = Scrub::new(&root).options(options.clone()).run();
        let scrubbed = scrubbed.expect("scrubbed");
        let files = (scrubbed.files, scrubbed.hashed, scrubbed.unhashed);
        assert_eq!(files, (1, 0, 1), "{scrubbed:?}");
    }
}
