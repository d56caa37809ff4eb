//! Shadow copies: one link for each moment that a tree was dumped, and nothing
//! else touched.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::Stage;
use dumpcore::{Chain, Checkpoint, DumpId, DumpName, DumpRoot, Error, Remove, ShadowCopies};
use fixtures::bind::Bind;
use fixtures::tree::{Node, Tree};

const MINUTES: [&str; 3] = ["2030-01-01T01:00", "2030-01-01T02:00", "2030-01-02T03:00"];
const NAMES: [&str; 3] = ["2030/0101/0100", "2030/0101/0200", "2030/0102/0300"];

fn stage() -> Stage {
    let stage = Stage::new();
    let tree = Tree::new().with("dir/file", Node::file(*b"text"));
    tree.dated().write(&stage.source);
    for minute in MINUTES {
        let minute = minute.parse().expect("a minute");
        stage.snapshot().at(minute).run().expect("published");
    }
    stage
}

fn links(stage: &Stage) -> PathBuf {
    stage.dump.with_file_name("shadow")
}

fn shadow(stage: &Stage) -> ShadowCopies {
    ShadowCopies::new(&stage.dump, tree(stage), links(stage))
}

fn tree(stage: &Stage) -> &std::ffi::OsStr {
    stage.source.file_name().expect("a name")
}

/// The name that a dump's link is to have.
fn named(stage: &Stage, dump: &str) -> String {
    let name = DumpName::parse(dump.as_bytes()).expect(dump);
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let moment = root.listing().moment(name);
    moment.format("@GMT-%Y.%m.%d-%H.%M.%S").to_string()
}

/// All names of the directory, with the targets of links.
fn found(dir: &Path) -> BTreeMap<String, Option<PathBuf>> {
    let entries = fs::read_dir(dir).expect("listed").map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().expect("plain");
            (name, fs::read_link(entry.path()).ok())
        })
        .collect()
}

fn expected(stage: &Stage, root: &Path, dumps: &[&str]) -> BTreeMap<String, Option<PathBuf>> {
    let target = |dump: &&str| Some(root.join(dump).join(tree(stage)));
    let link = |dump: &&str| (named(stage, dump), target(dump));
    dumps.iter().map(link).collect()
}

#[test]
fn each_dump_has_a_link_until_it_is_gone() {
    let stage = stage();
    let root = stage.dump.canonicalize().expect("there");
    let dry = shadow(&stage).dry_run(true).run().expect("run");
    assert_eq!(
        (dry.made, dry.removed, dry.kept, dry.dry_run),
        (3, 0, 0, true)
    );
    assert!(!links(&stage).exists());

    let made = shadow(&stage).run().expect("run");
    assert_eq!((made.made, made.removed, made.kept), (3, 0, 0));
    assert!(made.is_writable);
    assert_eq!(found(&links(&stage)), expected(&stage, &root, &NAMES));
    let file = links(&stage).join(named(&stage, NAMES[0])).join("dir/file");
    assert_eq!(fs::read(file).expect("read through the link"), b"text");

    let again = shadow(&stage).run().expect("run");
    assert_eq!((again.made, again.removed, again.kept), (0, 0, 3));

    let dump = DumpId::parse(NAMES[1].as_bytes()).expect("a name");
    let removal = Remove::new(&stage.dump).dump(dump).run().expect("removed");
    assert_eq!(removal.removed.len(), 1);
    let dry = shadow(&stage).dry_run(true).run().expect("run");
    assert_eq!((dry.made, dry.removed, dry.kept), (0, 1, 2));
    assert_eq!(found(&links(&stage)).len(), 3);
    let after = shadow(&stage).run().expect("run");
    assert_eq!((after.made, after.removed, after.kept), (0, 1, 2));
    let left = [NAMES[0], NAMES[2]];
    assert_eq!(found(&links(&stage)), expected(&stage, &root, &left));
}

#[test]
fn a_checkpoint_takes_the_place_of_its_dump() {
    let stage = stage();
    let report = Checkpoint::new(&stage.dump).run().expect("published");
    let checkpoint = report.dump.strip_prefix(&stage.dump).expect("inside");
    let checkpoint = checkpoint.to_str().expect("plain").to_owned();
    let made = shadow(&stage).run().expect("run");
    assert_eq!((made.made, made.kept), (3, 0));
    let name = named(&stage, &checkpoint);
    assert_eq!(name, named(&stage, NAMES[2]));
    let dump = DumpId::parse(NAMES[2].as_bytes()).expect("a name");
    let removal = Remove::new(&stage.dump).dump(dump).run().expect("removed");
    assert_eq!(removal.removed.len(), 1, "{removal:?}");
    let after = shadow(&stage).run().expect("run");
    assert_eq!((after.made, after.removed, after.kept), (1, 1, 2));
    let target = found(&links(&stage))[&name].clone().expect("a link");
    assert!(target.ends_with(Path::new(&checkpoint).join(tree(&stage))));
}

#[test]
fn what_somebody_else_put_there_stays() {
    let stage = stage();
    let dir = links(&stage);
    fs::create_dir(&dir).expect("made");
    fs::write(dir.join("notes"), "").expect("written");
    symlink("/elsewhere", dir.join("link")).expect("linked");
    // Of another tree, and in the way of ours.
    let taken = named(&stage, NAMES[0]);
    symlink("/other/2030/0101/0100/etc", dir.join(&taken)).expect("linked");
    let file = named(&stage, NAMES[1]);
    fs::write(dir.join(&file), "mine").expect("written");
    fs::create_dir(dir.join(named(&stage, NAMES[2]))).expect("made");
    // Of this tree, and its dump is gone.
    let gone = "@GMT-2029.01.01-00.00.00";
    let target = Path::new("/was/2029/0101/0000").join(tree(&stage));
    symlink(target, dir.join(gone)).expect("linked");
    let made = shadow(&stage).run().expect("run");
    assert_eq!((made.made, made.removed, made.kept), (3, 1, 0));
    let found = found(&dir);
    assert_eq!(found.len(), 8, "{found:?}");
    assert_eq!(fs::read(dir.join(&file)).expect("read"), b"mine");
    assert_eq!(found["notes"], None);
    assert_eq!(found["link"].as_deref(), Some(Path::new("/elsewhere")));
    let other = Path::new("/other/2030/0101/0100/etc");
    assert_eq!(found[&taken].as_deref(), Some(other));
    assert!(!found.contains_key(gone));
    // The next second is free.
    let later = taken.replace("00.00", "00.01");
    assert!(found.contains_key(&later), "{later}: {found:?}");
    let again = shadow(&stage).run().expect("run");
    assert_eq!((again.made, again.removed, again.kept), (0, 0, 3));
}

#[test]
fn nothing_is_linked_inside_a_dump_root() {
    let stage = stage();
    let beside = stage.dump.with_file_name("way");
    symlink(&stage.dump, &beside).expect("linked");
    let below = Path::new(NAMES[0]).join(tree(&stage));
    let dirs = [
        stage.dump.clone(),
        stage.dump.join("shadow"),
        stage.dump.join(below),
        beside.join("shadow"),
    ];
    for dir in dirs {
        let shadow = ShadowCopies::new(&stage.dump, tree(&stage), &dir);
        let error = shadow.run().expect_err("refused");
        let text = Chain(&error).to_string();
        assert!(text.contains("is inside the dump root"), "{text}");
    }
    assert!(!stage.dump.join("shadow").exists());
}

#[test]
fn a_dump_disk_that_is_away_takes_no_link_along() {
    let stage = stage();
    shadow(&stage).run().expect("run");
    let before = found(&links(&stage));
    let away = stage.dump.with_file_name("away");
    fs::rename(&stage.dump, &away).expect("moved");
    fs::create_dir(&stage.dump).expect("made");
    let error = shadow(&stage).run().expect_err("refused");
    assert!(matches!(error, Error::NoCurrent { .. }), "{error}");
    assert_eq!(found(&links(&stage)), before);
    fs::remove_dir(&stage.dump).expect("removed");
    shadow(&stage).run().expect_err("refused");
    assert_eq!(found(&links(&stage)), before);
}

#[test]
fn a_tree_that_no_dump_has_is_an_error() {
    let stage = stage();
    let shadow = || ShadowCopies::new(&stage.dump, "tre", links(&stage));
    let text = Chain(&shadow().run().expect_err("refused")).to_string();
    assert!(text.ends_with("holds a tree tre"), "{text}");
    assert!(!links(&stage).exists());
    fs::create_dir(links(&stage)).expect("made");
    assert!(shadow().run().is_err());
}

#[test]
fn the_other_path_leads_to_the_same_dump_root() {
    let stage = stage();
    let elsewhere = shadow(&stage).through(stage.source.clone());
    let error = elsewhere.run().expect_err("refused");
    let text = Chain(&error).to_string();
    assert!(text.contains("does not lead to the dump root"), "{text}");
    assert!(!links(&stage).exists());
}

#[test]
#[ignore = "needs root, to mount"]
fn links_through_a_read_only_mount_cannot_be_written_through() {
    let stage = stage();
    shadow(&stage).run().expect("run");
    let bound = stage.dump.with_file_name("read-only");
    fs::create_dir(&bound).expect("made");
    let mount = Bind::read_only(&stage.dump, &bound);
    let moved = shadow(&stage).through(bound.clone()).run().expect("run");
    assert_eq!((moved.made, moved.removed, moved.kept), (3, 0, 0));
    assert!(!moved.is_writable);
    let bound = bound.canonicalize().expect("there");
    assert_eq!(found(&links(&stage)), expected(&stage, &bound, &NAMES));
    let file = links(&stage).join(named(&stage, NAMES[0])).join("dir/file");
    let error = fs::write(file, "other").expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    drop(mount);
}
