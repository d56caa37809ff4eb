//! A scrub finds what is not as it was stored, and nothing else.
#![cfg(feature = "catalog")]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::{ROOT, Stage, tick};
use dumpcore::{
    Action, CatalogTools, Checkpoint, DamageKind, Damaged, DumpRoot, Event, RelPath, Replica,
    RunOptions, Scrub, Scrubbed,
};
use fixtures::{acl, keep_times, rot};
use rusqlite::Connection;

fn dump(stage: &Stage) -> PathBuf {
    tick();
    let snapshot = stage.snapshot().catalog(true).settle(Duration::ZERO);
    let report = stage.run(snapshot);
    tick();
    report.dump
}

fn scrub(stage: &Stage) -> Scrubbed {
    Scrub::new(&stage.dump).run().expect("scrubbed")
}

/// Three dumps: two files are in all of them, one is another in each.
fn three() -> (Stage, Vec<PathBuf>) {
    let stage = Stage::new();
    fs::create_dir(stage.source.join("dir")).expect("made");
    fs::write(stage.source.join("dir/same"), vec![1; 200_000]).expect("written");
    fs::write(stage.source.join("empty"), "").expect("written");
    symlink("dir/same", stage.source.join("link")).expect("made");
    let mut dumps = Vec::new();
    for turn in 0..3_u8 {
        fs::write(stage.source.join("turn"), vec![turn + 7; 5_000]).expect("written");
        dumps.push(dump(&stage));
    }
    (stage, dumps)
}

/// What is damaged: why, and the paths.
fn damages(scrubbed: &Scrubbed) -> Vec<(DamageKind, Vec<String>)> {
    let told = |damaged: &Damaged| {
        let paths = damaged.paths.iter().map(|path| path.path.to_string());
        (damaged.kind, paths.collect())
    };
    let mut all: Vec<_> = scrubbed.damaged.iter().map(told).collect();
    all.sort();
    all
}

fn catalog(stage: &Stage) -> Connection {
    Connection::open(stage.dump.join(".dump/catalog.db")).expect("opened")
}

#[test]
fn sound_dumps_are_sound_and_each_file_is_read_once() {
    let (stage, _) = three();
    let print = fixtures::Fingerprint::of(&stage.dump);
    let scrubbed = scrub(&stage);
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    // dir/same and empty once, turn in each of its versions.
    assert_eq!(
        (scrubbed.files, scrubbed.hashed, scrubbed.unread),
        (5, 0, 0)
    );
    assert!(
        (215_000..300_000).contains(&scrubbed.bytes),
        "{}",
        scrubbed.bytes
    );
    assert!(scrubbed.healed.is_empty() && !scrubbed.stopped);
    print.assert_unchanged(&stage.dump);
    // The next one begins again.
    assert_eq!(scrub(&stage).files, 5);
}

#[test]
fn a_file_without_a_hash_gets_one() {
    let stage = Stage::new();
    fs::write(stage.source.join("file"), vec![3; 100_000]).expect("written");
    tick();
    stage.run(stage.snapshot().catalog(true).hash(false));
    let scrubbed = scrub(&stage);
    assert_eq!((scrubbed.files, scrubbed.hashed), (1, 1));
    assert_eq!(scrubbed.unhashed, 0);
    let hashed: Option<i64> = catalog(&stage)
        .query_row("SELECT hashed FROM scrubbed", [], |row| row.get(0))
        .expect("a row");
    assert!(hashed.is_some(), "first seen by a scrub");
    rot(&stage.newest().join("file"), 70_000);
    let scrubbed = scrub(&stage);
    assert_eq!(
        damages(&scrubbed),
        [(DamageKind::Contents, vec!["tree/file".to_owned()])]
    );
}

#[test]
fn what_rots_is_named_with_all_dumps_that_have_it() {
    let (stage, dumps) = three();
    rot(&dumps[1].join("tree/dir/same"), 123_456);
    let scrubbed = scrub(&stage);
    assert_eq!(
        damages(&scrubbed),
        [(DamageKind::Contents, vec!["tree/dir/same".to_owned()])]
    );
    let path = &scrubbed.damaged[0].paths[0];
    let ids: Vec<_> = dumps
        .iter()
        .map(|dump| {
            dump.strip_prefix(&stage.dump)
                .expect("in it")
                .display()
                .to_string()
        })
        .collect();
    assert_eq!(path.first.to_string(), ids[0]);
    assert_eq!((path.last.to_string(), path.dumps), (ids[2].clone(), 3));
    assert!(scrubbed.damaged[0].good.is_empty(), "nobody said where");
    // And again the next time, and in the state of the dump root.
    assert_eq!(scrub(&stage).damaged.len(), 1);
    let status = status(&stage);
    assert_eq!(status.damaged, 1);
    assert!(status.last.is_some());
    // A version that no other dump has is one dump's.
    rot(&dumps[0].join("tree/turn"), 0);
    let scrubbed = scrub(&stage);
    let turn = scrubbed
        .damaged
        .iter()
        .find(|one| one.paths[0].path.to_string() == "tree/turn");
    let turn = &turn.expect("found").paths[0];
    assert_eq!((turn.first, turn.dumps), (turn.last, 1));
}

fn status(stage: &Stage) -> dumpcore::ScrubStatus {
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let catalog = root.catalog().expect("there");
    let status = root
        .status(Some(&catalog), chrono::Utc::now())
        .expect("known");
    status.scrub.expect("scrubbed")
}

#[test]
fn whatever_else_is_wrong_with_a_file_is_told() {
    let (stage, dumps) = three();
    let newest = dumps[2].join("tree");
    // Cut off, as a lost journal does it.
    let cut = newest.join("turn");
    let meta = fs::metadata(&cut).expect("there");
    let file = File::options().write(true).open(&cut).expect("opened");
    file.set_len(4_000).expect("cut");
    keep_times(&file, &meta);
    let open = dumps[1].join("tree/turn");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o600)).expect("set");
    let scrubbed = scrub(&stage);
    let turn = || vec!["tree/turn".to_owned()];
    assert_eq!(
        damages(&scrubbed),
        [(DamageKind::Size, turn()), (DamageKind::Metadata, turn())]
    );
}

#[test]
fn names_that_are_not_as_they_were_stored_are_told() {
    let (stage, dumps) = three();
    let [first, second, third] = [0, 1, 2].map(|at| dumps[at].join("tree"));
    fs::remove_file(first.join("turn")).expect("removed");
    fs::write(second.join("dir/new"), "x").expect("written");
    fs::set_permissions(third.join("dir"), fs::Permissions::from_mode(0o700)).expect("set");
    // Swapped: both stand for something else.
    let (a, b, c) = (
        second.join("turn"),
        second.join("empty"),
        second.join("third"),
    );
    fs::rename(&a, &c).expect("renamed");
    fs::rename(&b, &a).expect("renamed");
    fs::rename(&c, &b).expect("renamed");
    let scrubbed = scrub(&stage);
    let found: Vec<_> = scrubbed
        .damaged
        .iter()
        .map(|one| (one.paths[0].path.to_string(), one.kind, one.paths[0].dumps))
        .collect();
    let told = |path: &str, kind, dumps| found.contains(&(path.to_owned(), kind, dumps));
    assert!(told("tree/turn", DamageKind::Missing, 2), "{found:?}");
    assert!(told("tree/empty", DamageKind::Missing, 1), "{found:?}");
    assert!(
        told("tree/dir/new", DamageKind::NotRecorded, 1),
        "{found:?}"
    );
    assert!(told("tree/dir", DamageKind::Metadata, 2), "{found:?}");
    // Of the second dump's own times, since names were moved in it, nothing is known:
    // the top of a tree is not recorded.
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(status(&stage).names, 6);
}

/// More names in a directory than are read from the catalog at once.
#[test]
fn names_of_a_wide_directory_are_told() {
    const NAMES: usize = 16_384 + 500;
    let stage = Stage::new();
    let name = |at: usize| format!("wide/name{at:06}");
    fs::create_dir(stage.source.join("wide")).expect("made");
    fs::write(stage.source.join(name(0)), "one").expect("written");
    for at in 1..NAMES {
        let link = stage.source.join(name(at));
        fs::hard_link(stage.source.join(name(0)), link).expect("linked");
    }
    let mut dumps = vec![dump(&stage)];
    fs::remove_file(stage.source.join(name(9))).expect("removed");
    dumps.push(dump(&stage));
    assert!(scrub(&stage).is_sound());
    let extra = ["wide/a", "wide/name016383x", "wide/z"].map(str::to_owned);
    let missing = [0, 16_383, 16_384, 16_385, NAMES - 1].map(name);
    for top in dumps.iter().map(|dump| dump.join(ROOT)) {
        let had = fs::metadata(top.join("wide")).expect("there");
        extra
            .iter()
            .for_each(|name| fs::write(top.join(name), "").expect("written"));
        missing
            .iter()
            .for_each(|name| fs::remove_file(top.join(name)).expect("removed"));
        keep_times(&File::open(top.join("wide")).expect("opened"), &had);
    }
    let scrubbed = scrub(&stage);
    let of = |names: &[String], kind| {
        let told = names
            .iter()
            .map(|name| (kind, vec![format!("{ROOT}/{name}")]));
        told.collect::<Vec<_>>()
    };
    let expected = [
        of(&missing, DamageKind::Missing),
        of(&extra, DamageKind::NotRecorded),
    ];
    assert_eq!(damages(&scrubbed), expected.concat());
    let in_both = |damaged: &Damaged| damaged.paths[0].dumps == 2;
    assert!(scrubbed.damaged.iter().all(in_both), "{scrubbed:#?}");
}

#[test]
fn attributes_of_directories_that_changed_in_a_dump_are_told() {
    let stage = Stage::new();
    let dirs = ["set", "added", "removed", "acl", "kept", "plain"];
    for name in dirs {
        let dir = stage.source.join(name);
        fs::create_dir(&dir).expect("made");
        if name != "added" && name != "plain" {
            xattr::set(&dir, "user.a", b"1").expect("set");
        }
        xattr::set(&dir, acl::DEFAULT, &acl::with_user(54321, 5)).expect("set");
    }
    let dumps = [dump(&stage), dump(&stage)];
    assert!(scrub(&stage).is_sound());
    // What `catalog rebuild` reads from the disk is the same.
    CatalogTools::new(&stage.dump).rebuild().expect("made");
    assert!(scrub(&stage).is_sound());
    let at = |name: &str| dumps[0].join(ROOT).join(name);
    xattr::set(at("set"), "user.a", b"2").expect("set");
    xattr::set(at("added"), "user.a", b"1").expect("set");
    xattr::remove(at("removed"), "user.a").expect("removed");
    xattr::set(at("acl"), acl::DEFAULT, &acl::with_user(54321, 7)).expect("set");
    let scrubbed = scrub(&stage);
    let told: Vec<String> = ["acl", "added", "removed", "set"]
        .map(|name| format!("{ROOT}/{name}"))
        .into();
    let found: Vec<_> = damages(&scrubbed);
    assert!(
        found.iter().all(|(kind, _)| *kind == DamageKind::Metadata),
        "{found:?}"
    );
    let paths: Vec<String> = found.into_iter().flat_map(|(_, paths)| paths).collect();
    assert_eq!(paths, told);
    for damaged in &scrubbed.damaged {
        assert_eq!(
            damaged.cause.as_deref(),
            Some("extended attributes or ACLs")
        );
        let path = &damaged.paths[0];
        assert_eq!((path.first, path.dumps), (path.last, 1), "{path:?}");
    }
}

#[test]
fn good_copies_are_found_where_they_are() {
    let (stage, dumps) = three();
    let other = stage.dump.with_file_name("other");
    fs::create_dir(&other).expect("made");
    let replica = Replica::of(&stage.dump).to(&other).latest(true).init(true);
    replica.run().expect("replicated");
    tick();
    let chk = Checkpoint::new(&stage.dump).run().expect("made").dump;
    rot(&dumps[0].join("tree/dir/same"), 5);
    let run = || {
        let scrub = Scrub::new(&stage.dump).from(&other);
        let tree = RelPath::from_bytes(b"tree");
        scrub.tree(tree, &stage.source).run().expect("scrubbed")
    };
    let scrubbed = run();
    assert_eq!(
        damages(&scrubbed),
        [(DamageKind::Contents, vec!["tree/dir/same".to_owned()])]
    );
    let good = &scrubbed.damaged[0].good;
    for top in [&chk, &other, &stage.source] {
        assert!(
            good.iter().any(|path| path.starts_with(top)),
            "{top:?}: {good:?}"
        );
    }
    // One that is damaged itself is not good.
    rot(&chk.join("tree/dir/same"), 99);
    rot(&stage.source.join("dir/same"), 98);
    let scrubbed = run();
    assert_eq!(scrubbed.damaged.len(), 2);
    for damaged in &scrubbed.damaged {
        assert_eq!(damaged.good.len(), 1, "{damaged:?}");
        assert!(damaged.good[0].starts_with(&other));
    }
}

/// The hash of the row of a file, and a new value for it.
fn set_hash(stage: &Stage, path: &Path, hash: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let (db, ino) = (catalog(stage), fs::metadata(path).expect("there").ino());
    let sql = "SELECT hash FROM inode WHERE ino=?1";
    let old = db
        .query_row(sql, [ino.cast_signed()], |row| row.get(0))
        .expect("a hash");
    let sql = "UPDATE inode SET hash=?2 WHERE ino=?1";
    let set = db.execute(sql, rusqlite::params![ino.cast_signed(), hash(old)]);
    assert_eq!(set.expect("set"), 1);
}

#[test]
fn a_hash_that_does_not_fit_its_checksum_is_no_damage() {
    let (stage, dumps) = three();
    set_hash(&stage, &dumps[2].join("tree/dir/same"), |mut hash| {
        hash[17] ^= 4;
        hash
    });
    let scrubbed = scrub(&stage);
    assert!(scrubbed.damaged.is_empty(), "{scrubbed:#?}");
    assert_eq!(scrubbed.catalog, [RelPath::from_bytes(b"tree/dir/same")]);
    let scrubbed = scrub(&stage);
    assert!(scrubbed.catalog.is_empty() && scrubbed.is_sound());
}

#[test]
fn a_wrong_hash_is_put_right_where_the_tree_still_has_the_file_that_was_stored() {
    let (stage, dumps) = three();
    // That of another file, made to fit.
    let same = dumps[2].join("tree/dir/same");
    let meta = fs::metadata(&same).expect("there");
    let born: i64 = catalog(&stage)
        .query_row(
            "SELECT born FROM inode WHERE ino=?1",
            [meta.ino().cast_signed()],
            |row| row.get(0),
        )
        .expect("a row");
    set_hash(&stage, &same, |_| {
        let mut hash = vec![9; 32];
        let mut check = blake3::Hasher::new();
        check.update(&meta.ino().to_le_bytes());
        check.update(&born.to_le_bytes());
        check.update(&hash);
        hash.extend(&check.finalize().as_bytes()[..4]);
        hash
    });
    let tree = RelPath::from_bytes(b"tree");
    // Nobody else says anything: it may be the file.
    assert_eq!(scrub(&stage).damaged.len(), 1);
    let scrubbed = Scrub::new(&stage.dump)
        .tree(tree, &stage.source)
        .run()
        .expect("scrubbed");
    assert!(scrubbed.damaged.is_empty(), "{scrubbed:#?}");
    assert_eq!(scrubbed.catalog.len(), 1);
    assert!(scrub(&stage).is_sound());
}

/// Scrubs with the tree and another dump root as places of copies.
fn scrub_with(stage: &Stage, other: Option<&Path>) -> Scrubbed {
    let scrub = Scrub::new(&stage.dump).tree(RelPath::from_bytes(b"tree"), &stage.source);
    let scrub = match other {
        Some(other) => scrub.from(other),
        None => scrub,
    };
    scrub.run().expect("scrubbed")
}

/// One file is damaged, no copy is good, and no hash was changed.
#[track_caller]
fn assert_stays_damaged(stage: &Stage, scrubbed: &Scrubbed) {
    let found = damages(scrubbed);
    let same = vec!["tree/dir/same".to_owned()];
    assert_eq!(found, [(DamageKind::Contents, same)], "{scrubbed:#?}");
    assert_eq!(scrubbed.damaged[0].good, Vec::<PathBuf>::new());
    assert_eq!(scrubbed.catalog, Vec::<RelPath>::new());
    assert_eq!(status(stage).damaged, 1);
}

#[test]
fn rot_that_was_restored_does_not_overrule_the_hash() {
    let (stage, dumps) = three();
    let (same, source) = (
        dumps[2].join("tree/dir/same"),
        stage.source.join("dir/same"),
    );
    rot(&same, 5);
    assert_eq!(scrub_with(&stage, None).damaged.len(), 1);
    // As a restoration does.
    let meta = fs::metadata(&same).expect("there");
    fs::remove_file(&source).expect("removed");
    fs::copy(&same, &source).expect("copied");
    let restored = File::options().write(true).open(&source).expect("opened");
    keep_times(&restored, &meta);
    assert_stays_damaged(&stage, &scrub_with(&stage, None));
    // The next dump links to the damaged file, and knows the restored one as its
    // source.
    let next = dump(&stage);
    let linked = fs::metadata(next.join("tree/dir/same")).expect("there");
    assert_eq!(linked.ino(), meta.ino());
    let from: i64 = catalog(&stage)
        .query_row(
            "SELECT src_ino FROM inode WHERE ino=?1",
            [meta.ino().cast_signed()],
            |row| row.get(0),
        )
        .expect("a row");
    let restored = fs::metadata(&source).expect("there").ino();
    assert_eq!(from.cast_unsigned(), restored);
    assert_stays_damaged(&stage, &scrub_with(&stage, None));
}

#[test]
fn copies_of_rot_do_not_overrule_the_hash() {
    let (stage, dumps) = three();
    rot(&dumps[2].join("tree/dir/same"), 5);
    // As copies of programs that do not compare what they copy.
    let blind = || RunOptions::new().catalog(false);
    let checkpoint = Checkpoint::new(&stage.dump).options(blind());
    checkpoint.run().expect("made");
    let other = stage.dump.with_file_name("other");
    fs::create_dir(&other).expect("made");
    let replica = Replica::of(&stage.dump).to(&other).latest(true).init(true);
    replica.options(blind()).run().expect("replicated");
    fs::write(stage.source.join("dir/same"), "edited").expect("written");
    for _ in 0..2 {
        assert_stays_damaged(&stage, &scrub_with(&stage, Some(&other)));
    }
}

#[test]
fn only_the_dumps_that_are_named_are_read() {
    let (stage, dumps) = three();
    rot(&dumps[0].join("tree/turn"), 0);
    let id = |path: &PathBuf| {
        let root = DumpRoot::open(&stage.dump).expect("opened");
        root.find(path.as_os_str()).expect("found")
    };
    let scrubbed = Scrub::new(&stage.dump)
        .dumps([id(&dumps[2])])
        .run()
        .expect("scrubbed");
    assert!(scrubbed.is_sound());
    assert_eq!(scrubbed.files, 3);
    let scrubbed = Scrub::new(&stage.dump)
        .dumps([id(&dumps[0])])
        .run()
        .expect("scrubbed");
    assert_eq!(damages(&scrubbed).len(), 1);
}

#[test]
fn a_dry_run_reads_and_records_nothing() {
    let (stage, _) = three();
    let before = fs::read(stage.dump.join(".dump/catalog.db")).expect("read");
    let scrubbed = Scrub::new(&stage.dump)
        .dry_run(true)
        .run()
        .expect("measured");
    assert_eq!((scrubbed.files, scrubbed.dry_run), (5, true));
    assert!(scrubbed.bytes > 200_000);
    assert_eq!(
        fs::read(stage.dump.join(".dump/catalog.db")).expect("read"),
        before
    );
}

#[test]
fn one_that_was_stopped_continues() {
    let (stage, _) = three();
    for at in 0..40 {
        fs::write(stage.source.join(format!("more{at}")), vec![at; 9_000]).expect("written");
    }
    dump(&stage);
    let (stop, read) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let (flag, count) = (Arc::clone(&stop), Arc::clone(&read));
    let observer = move |event: Event<'_>| {
        if let Event::Entry {
            did: Action::Scrubbed,
            ..
        } = event
            && count.fetch_add(1, Ordering::Relaxed) == 19
        {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let stopped = Scrub::new(&stage.dump)
        .jobs(1)
        .stop(stop)
        .observer(Arc::new(observer));
    let stopped = stopped.run().expect("ended");
    assert!(stopped.stopped && stopped.is_sound(), "{stopped:?}");
    assert_eq!(stopped.files + stopped.unread, 45, "{stopped:?}");
    assert!((15..25).contains(&stopped.files), "{stopped:?}");
    let rest = scrub(&stage);
    assert_eq!((rest.files, rest.unread), (45 - stopped.files, 0));
    assert_eq!(scrub(&stage).files, 45, "the next round");
}

#[test]
fn where_there_is_no_time_the_rest_is_for_the_next() {
    let (stage, _) = three();
    let none = Scrub::new(&stage.dump)
        .time(Duration::ZERO)
        .run()
        .expect("ended");
    assert_eq!((none.files, none.unread, none.stopped), (0, 5, false));
    let all = Scrub::new(&stage.dump)
        .time(Duration::from_secs(3600))
        .run();
    assert_eq!(all.expect("ended").files, 5);
    assert!(status(&stage).whole.is_some());
}

#[test]
fn it_waits_for_a_run_and_holds_none_up() {
    let (stage, _) = three();
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let lock = root.lock().expect("free");
    let path = stage.dump.clone();
    let running = std::thread::spawn(move || Scrub::new(path).run().expect("scrubbed"));
    std::thread::sleep(Duration::from_millis(700));
    assert!(!running.is_finished());
    drop(lock);
    assert!(running.join().expect("no panic").is_sound());
}

#[test]
fn links_that_name_nothing_and_what_was_left_are_told() {
    let (stage, _) = three();
    let left = stage.dump.join("2031/0101/0000_incomplete/tree");
    fs::create_dir_all(&left).expect("made");
    let link = stage.dump.join("current_chk");
    fs::remove_file(&link).expect("removed");
    symlink("2031/0101/0000", link).expect("made");
    let scrubbed = scrub(&stage);
    assert_eq!(scrubbed.leftovers.len(), 1);
    assert_eq!(scrubbed.links.len(), 1);
    assert!(
        scrubbed.links[0].link.ends_with("current_chk"),
        "{scrubbed:?}"
    );
    assert!(!scrubbed.is_sound());
}

#[test]
fn links_of_the_user_are_no_damage_and_pins_of_no_dump_are() {
    let (stage, dumps) = three();
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let first = root.find(dumps[0].as_os_str()).expect("found");
    symlink(first.to_string(), stage.dump.join("keep")).expect("made");
    symlink("/tmp", stage.dump.join("notes")).expect("made");
    symlink("nowhere", stage.dump.join("2025")).expect("made");
    let scrubbed = scrub(&stage);
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    symlink("2020/0101/0000", stage.dump.join("lost")).expect("made");
    let scrubbed = scrub(&stage);
    let told: Vec<_> = scrubbed.links.iter().map(|one| &one.link).collect();
    assert_eq!(told, [&stage.dump.join("lost")]);
    assert_eq!(
        scrubbed.links[0].why,
        "it keeps 2020/0101/0000, which is not there"
    );
}

#[test]
fn dumps_that_are_made_and_removed_meanwhile_are_no_damage() {
    let (stage, dumps) = three();
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let first = root.find(dumps[0].as_os_str()).expect("found");
    let once = AtomicBool::new(false);
    let dump_root = stage.dump.clone();
    let observer = move |event: Event<'_>| {
        if let Event::Expected { .. } = event
            && !once.swap(true, Ordering::Relaxed)
        {
            let root = DumpRoot::open(&dump_root).expect("opened");
            root.remove(first).expect("removed");
        }
    };
    let scrubbed = Scrub::new(&stage.dump).observer(Arc::new(observer)).run();
    let scrubbed = scrubbed.expect("scrubbed");
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
}

#[test]
fn without_a_catalog_it_says_so() {
    let stage = Stage::new();
    fs::write(stage.source.join("file"), "text").expect("written");
    common::dump_apart(&stage);
    let error = Scrub::new(&stage.dump).run().expect_err("no catalog");
    let text = dumpcore::Chain(&error).to_string();
    assert!(text.contains("catalog rebuild"), "{text}");
}

#[test]
fn a_rebuild_and_an_erasure_keep_what_is_known_of_the_rest() {
    let (stage, dumps) = three();
    rot(&dumps[1].join("tree/dir/same"), 123_456);
    assert_eq!(scrub(&stage).damaged.len(), 1);
    let before = status(&stage);
    CatalogTools::new(&stage.dump).rebuild().expect("made");
    assert_eq!(status(&stage), before);
    let erase = dumpcore::Erase::new(&stage.dump).path(RelPath::from_bytes(b"tree/dir/same"));
    erase.run().expect("erased");
    assert_eq!(status(&stage).damaged, 0);
    let rows: i64 = catalog(&stage)
        .query_row("SELECT count(*) FROM scrubbed WHERE fault<>0", [], |row| {
            row.get(0)
        })
        .expect("counted");
    assert_eq!(rows, 0);
    assert!(scrub(&stage).is_sound());
}

/// What is done to the catalog while dumps are read.
fn lost_meanwhile(lose: impl Fn(&Stage) + Sync + Send + 'static) {
    struct Loses<F>(AtomicBool, Arc<Stage>, F);
    impl<F: Fn(&Stage) + Sync + Send> dumpcore::Observer for Loses<F> {
        fn event(&self, event: Event<'_>) {
            let begins = matches!(event, Event::Entry { .. });
            if begins && !self.0.swap(true, Ordering::Relaxed) {
                (self.2)(&self.1);
            }
        }
    }
    let (stage, dumps) = three();
    rot(&dumps[2].join("tree/dir/same"), 5);
    fs::remove_file(dumps[1].join("tree/turn")).expect("removed");
    fs::write(dumps[0].join("tree/extra"), "").expect("written");
    let stage = Arc::new(stage);
    let observer = Loses(AtomicBool::new(false), Arc::clone(&stage), lose);
    let scrub = Scrub::new(&stage.dump).jobs(1).observer(Arc::new(observer));
    let scrubbed = scrub.run().expect("what was found is told");
    let same = vec!["tree/dir/same".to_owned()];
    let turn = vec!["tree/turn".to_owned()];
    assert_eq!(
        damages(&scrubbed),
        [(DamageKind::Contents, same), (DamageKind::Missing, turn)],
        "{scrubbed:#?}"
    );
    assert!(!scrubbed.is_sound());
    let [names @ .., fault] = &scrubbed.faults[..] else {
        panic!("{scrubbed:#?}");
    };
    let names: Vec<_> = names.iter().map(|fault| fault.path.clone()).collect();
    let (extra, turn) = (dumps[0].join("tree/extra"), dumps[1].join("tree/turn"));
    assert_eq!(names.len(), 2, "{scrubbed:#?}");
    assert!(names.contains(&extra) && names.contains(&turn), "{names:?}");
    let catalog = stage.dump.join(".dump/catalog.db");
    assert_eq!(fault.path, catalog);
    assert!(fault.cause.to_string().contains("dumpctl catalog rebuild"));
}

#[test]
fn what_was_found_is_told_although_the_catalog_is_gone() {
    lost_meanwhile(|stage| {
        fs::remove_file(stage.dump.join(".dump/catalog.db")).expect("removed");
    });
}

#[test]
fn what_was_found_is_told_although_the_catalog_is_another() {
    lost_meanwhile(|stage| {
        let catalog = stage.dump.join(".dump/catalog.db");
        fs::remove_file(catalog).expect("removed");
        let made = CatalogTools::new(&stage.dump).rebuild();
        made.expect("made");
    });
}
