//! A scrub finds extended attributes and ACLs that are not those that were stored, of
//! files as of everything else, invents none, and says that they are healed only if
//! they are.
#![cfg(feature = "catalog")]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{Stage, tick};
use dumpcore::{
    CatalogTools, Checkpoint, DamageKind, Error, Event, KeepPeriod, KeepPolicy, KeepRules, Kind,
    Prune, Replica, Replicated, Report, RunOptions, Scrub, Scrubbed, Warning,
};
use fixtures::chattr::{Freed, chattr};
use fixtures::{Options, acl, diff_trees, keep_times, rot};
use rusqlite::Connection;

/// A file without attributes, one with a note under two names, one with an ACL, and
/// what is not a file.
fn begun() -> Stage {
    let stage = Stage::within(&fixtures::plain_user::open_dir_in(&fixtures::plain_place()).keep());
    let at = |name: &str| stage.source.join(name);
    fs::create_dir(at("dir")).expect("made");
    fs::write(at("bare"), "bare").expect("written");
    fs::write(at("noted"), vec![7; 9_000]).expect("written");
    xattr::set(at("noted"), "user.note", b"kept").expect("set");
    fs::hard_link(at("noted"), at("dir/twin")).expect("linked");
    fs::write(at("shared"), "shared").expect("written");
    xattr::set(at("shared"), acl::ACCESS, &acl::with_user(4321, 6)).expect("set");
    symlink("bare", at("link")).expect("made");
    stage
}

fn dump(stage: &Stage) -> PathBuf {
    tick();
    let report = stage.run(stage.snapshot().catalog(true).settle(Duration::ZERO));
    tick();
    report.dump
}

fn scrub(stage: &Stage) -> Scrubbed {
    Scrub::new(&stage.dump).run().expect("scrubbed")
}

fn heal(stage: &Stage) -> Scrubbed {
    let scrub = Scrub::new(&stage.dump).heal(true);
    scrub.run().expect("scrubbed")
}

#[track_caller]
fn assert_sound(stage: &Stage) {
    let scrubbed = scrub(stage);
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
}

/// What is damaged: why, what is said besides, and the paths.
fn told(scrubbed: &Scrubbed) -> Vec<(DamageKind, Option<&str>, Vec<String>)> {
    let damaged = scrubbed.damaged.iter().map(|damaged| {
        let paths = damaged.paths.iter().map(|path| path.path.to_string());
        (damaged.kind, damaged.cause.as_deref(), paths.collect())
    });
    damaged.collect()
}

/// Attributes alone of these paths are wrong.
#[track_caller]
fn assert_others(scrubbed: &Scrubbed, paths: &[&str]) {
    assert_others_of(scrubbed, paths, 1);
}

/// The same of as many inodes that have these paths in different dumps.
#[track_caller]
fn assert_others_of(scrubbed: &Scrubbed, paths: &[&str], inodes: usize) {
    let cause = Some("extended attributes or ACLs");
    let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
    let each = (DamageKind::Metadata, cause, paths);
    assert_eq!(told(scrubbed), vec![each; inodes]);
}

fn number(stage: &Stage, sql: &str) -> i64 {
    let catalog = Connection::open(stage.dump.join(".dump/catalog.db")).expect("opened");
    catalog.query_row(sql, [], |row| row.get(0)).expect(sql)
}

fn execute(stage: &Stage, sql: &str) {
    let catalog = Connection::open(stage.dump.join(".dump/catalog.db")).expect("opened");
    catalog.execute_batch(sql).expect(sql);
}

const UNKNOWN: &str = "SELECT count(*) FROM inode WHERE kind<>1 AND xattrs IS NULL";

#[test]
fn what_was_stored_is_known_without_a_scrub_and_a_change_is_found() {
    let stage = begun();
    let made = dump(&stage).join("tree");
    assert_eq!(number(&stage, UNKNOWN), 0, "all were stored");
    assert_eq!(
        number(&stage, "SELECT count(*) FROM inode WHERE xattrs<>0"),
        2
    );
    assert_sound(&stage);
    let taken = "SELECT count(*) FROM scrubbed WHERE xattrs IS NOT NULL";
    assert_eq!(number(&stage, taken), 0, "no scrub has taken any");

    let both = ["tree/dir/twin", "tree/noted"];
    xattr::set(made.join("noted"), "user.note", b"kapt").expect("set");
    let scrubbed = scrub(&stage);
    assert_others(&scrubbed, &both);
    let path = &scrubbed.damaged[0].paths[1];
    assert_eq!((path.first, path.dumps), (path.last, 1));
    // It stays known, also when it is not the first time that it is found.
    assert_others(&scrub(&stage), &both);
    assert_eq!(
        number(&stage, "SELECT count(*) FROM scrubbed WHERE fault=4"),
        1
    );
    xattr::remove(made.join("dir/twin"), "user.note").expect("removed");
    assert_others(&scrub(&stage), &both);
    xattr::set(made.join("noted"), "user.note", b"kept").expect("set");
    assert_sound(&stage);

    let other = acl::with_user(4322, 6);
    xattr::set(made.join("shared"), acl::ACCESS, &other).expect("set");
    assert_others(&scrub(&stage), &["tree/shared"]);
    xattr::set(made.join("shared"), acl::ACCESS, &acl::with_user(4321, 6)).expect("set");
    assert_sound(&stage);
    xattr::set(made.join("bare"), "user.new", b"").expect("set");
    assert_others(&scrub(&stage), &["tree/bare"]);
}

#[test]
#[ignore = "needs root"]
fn capabilities_and_what_is_no_file_are_held_to_the_record_as_well() {
    // CAP_NET_RAW, permitted and effective; and the same with CAP_SYS_ADMIN.
    let capability = |low: u32| {
        let words = [0x0200_0001, low, 0, 0, 0_u32];
        words
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect::<Vec<_>>()
    };
    let stage = begun();
    let at = |name: &str| stage.source.join(name);
    let name = "security.capability";
    xattr::set(at("bare"), name, &capability(1 << 13)).expect("set");
    xattr::set(at("link"), "trusted.a", b"1").expect("set");
    let fifo = std::process::Command::new("mkfifo")
        .arg(at("fifo"))
        .status();
    assert!(fifo.expect("it runs").success());
    xattr::set(at("fifo"), acl::ACCESS, &acl::with_user(4321, 6)).expect("set");
    let made = dump(&stage).join("tree");
    assert_eq!(number(&stage, UNKNOWN), 0);
    assert_sound(&stage);
    xattr::set(made.join("bare"), name, &capability(1 << 13 | 1 << 21)).expect("set");
    assert_others(&scrub(&stage), &["tree/bare"]);
    xattr::remove(made.join("bare"), name).expect("removed");
    assert_others(&scrub(&stage), &["tree/bare"]);
    xattr::set(made.join("bare"), name, &capability(1 << 13)).expect("set");
    // One that was not there.
    xattr::set(made.join("shared"), name, &capability(1 << 21)).expect("set");
    assert_others(&scrub(&stage), &["tree/shared"]);
    xattr::remove(made.join("shared"), name).expect("removed");
    xattr::set(made.join("link"), "trusted.a", b"2").expect("set");
    assert_others(&scrub(&stage), &["tree/link"]);
    xattr::set(made.join("link"), "trusted.a", b"1").expect("set");
    xattr::set(made.join("fifo"), acl::ACCESS, &acl::with_user(1, 6)).expect("set");
    assert_others(&scrub(&stage), &["tree/fifo"]);
}

#[test]
fn what_is_not_known_is_taken_by_the_first_scrub() {
    let stage = begun();
    let made = dump(&stage).join("tree");
    execute(&stage, "UPDATE inode SET xattrs=NULL");
    assert_sound(&stage);
    assert_eq!(number(&stage, UNKNOWN), 0);
    let taken = "SELECT count(*) FROM scrubbed WHERE xattrs=at AND hashed IS NULL";
    assert_eq!(number(&stage, taken), 4, "each of them, first seen now");
    assert_sound(&stage);
    assert_eq!(number(&stage, taken), 0, "and later only compared");
    xattr::set(made.join("bare"), "user.new", b"").expect("set");
    assert_others(&scrub(&stage), &["tree/bare"]);
}

/// What is copied of a dump is known as well, without a scrub.
#[test]
fn copies_have_what_was_stored() {
    let unknown = "SELECT count(*) FROM inode WHERE kind=0 AND xattrs IS NULL";
    let (stage, second) = (begun(), Stage::new());
    dump(&stage);
    for turn in 0..4 {
        // The replica's dump root has no catalog until its second turn.
        let copy = copied(&stage, &second, turn.min(2)).dump.join("tree");
        let copied_to = if turn < 2 { &stage } else { &second };
        if turn == 2 {
            CatalogTools::new(&second.dump).rebuild().expect("made");
            xattr::set(stage.source.join("bare"), "user.a", b"1").expect("set");
            dump(&stage);
            continue;
        }
        let known_before = if turn == 3 { 3 } else { 0 };
        assert_eq!(number(copied_to, unknown), known_before, "{turn}");
        xattr::set(copy.join("bare"), "user.a", b"rot").expect("set");
        let scrubbed = scrub(copied_to);
        assert_others_of(&scrubbed, &["tree/bare"], if turn == 1 { 2 } else { 1 });
    }
}

/// So is what a stopped copy left to the next one.
#[test]
fn what_was_copied_before_a_stop_is_known_too() {
    let unknown = "SELECT count(*) FROM inode WHERE kind=0 AND xattrs IS NULL";
    let stage = begun();
    dump(&stage);
    let (stop, stored) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
    let flag = Arc::clone(&stop);
    let watch = move |event: Event<'_>| {
        let is_file = matches!(
            event,
            Event::Entry {
                kind: Kind::File,
                ..
            }
        );
        if is_file && stored.fetch_add(1, Ordering::Relaxed) == 1 {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let checkpoint = || Checkpoint::new(&stage.dump).jobs(1);
    let stopped = checkpoint().observer(Arc::new(watch)).stop(stop).run();
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    let report = checkpoint().run().expect("made");
    assert!(report.counts.kept.number > 0, "{report:#?}");
    assert_eq!(number(&stage, unknown), 0);
    assert_sound(&stage);
}

#[test]
fn no_sequence_of_runs_invents_anything() {
    let stage = begun();
    let at = |name: &str| stage.source.join(name);
    dump(&stage);
    assert_sound(&stage);
    // Only its attributes, its mode, its ACL: a new inode each time.
    xattr::set(at("noted"), "user.note", b"new").expect("set");
    fs::set_permissions(at("bare"), fs::Permissions::from_mode(0o600)).expect("set");
    dump(&stage);
    assert_sound(&stage);
    xattr::remove(at("shared"), acl::ACCESS).expect("removed");
    xattr::set(at("bare"), acl::ACCESS, &acl::with_user(99, 4)).expect("set");
    dump(&stage);
    assert_sound(&stage);
    // Moved: names of inodes that there are.
    fs::create_dir(at("later")).expect("made");
    fs::rename(at("noted"), at("later/noted")).expect("renamed");
    fs::rename(at("dir"), at("later/dir")).expect("renamed");
    dump(&stage);
    assert_sound(&stage);
    // Recycled.
    let policy = KeepPolicy::new().keep(KeepPeriod::Last, "2".parse().expect("two"));
    let rules = KeepRules::new().tree("tree", policy);
    let pruned = Prune::new(&stage.dump).rules(rules).recycle(true).run();
    assert!(pruned.expect("pruned").is_complete());
    xattr::set(at("bare"), "user.a", b"1").expect("set");
    tick();
    let snapshot = stage.snapshot().catalog(true).settle(Duration::ZERO);
    let report = stage.run(snapshot.recycle(true));
    assert!(report.recycled_from.is_some(), "{report:#?}");
    assert_sound(&stage);
    for linked in [false, true] {
        let checkpoint = Checkpoint::new(&stage.dump).linked(linked);
        checkpoint.run().expect("made");
        assert_sound(&stage);
    }
    // A dump that the catalog does not know at first.
    tick();
    stage.run(stage.snapshot().catalog(false));
    assert_sound(&stage);
    assert_eq!(number(&stage, UNKNOWN), 0);
    let known = number(&stage, "SELECT sum(xattrs) FROM inode");
    CatalogTools::new(&stage.dump).rebuild().expect("rebuilt");
    assert_eq!(number(&stage, "SELECT sum(xattrs) FROM inode"), known);
    assert_sound(&stage);
    replicated(&stage);
}

/// A replica with a catalog: what it has is as sound.
fn replicated(stage: &Stage) {
    let second = Stage::new();
    for turn in 0..2 {
        let replica = Replica::of(&stage.dump).to(&second.dump);
        replica
            .latest(true)
            .init(turn == 0)
            .run()
            .expect("replicated");
        CatalogTools::new(&second.dump).rebuild().expect("made");
        assert_sound(&second);
        xattr::set(stage.source.join("bare"), "user.a", &[turn]).expect("set");
        dump(stage);
    }
    let newest = second.newest();
    xattr::set(newest.join("bare"), "user.a", b"rot").expect("set");
    assert_others(&scrub(&second), &["tree/bare"]);
}

/// Of `made`, the same file in `checkpoint`.
fn note(path: &Path) -> Option<Vec<u8>> {
    xattr::get(path, "user.note").expect("read")
}

#[test]
fn attributes_are_healed_from_a_copy_that_has_them() {
    let stage = begun();
    let made = dump(&stage).join("tree");
    tick();
    let checkpoint = Checkpoint::new(&stage.dump).run().expect("made").dump;
    let checkpoint = checkpoint.join("tree");
    assert_sound(&stage);
    xattr::set(made.join("noted"), "user.note", b"rot").expect("set");
    let good = [checkpoint.join("dir/twin"), checkpoint.join("noted")];
    assert!(good.contains(&scrub(&stage).damaged[0].good[0]), "named");
    let before = fs::metadata(made.join("noted")).expect("there");
    let scrubbed = heal(&stage);
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    assert_eq!(scrubbed.healed.len(), 1);
    for name in ["noted", "dir/twin"] {
        assert_eq!(note(&made.join(name)), Some(b"kept".to_vec()));
    }
    let after = fs::metadata(made.join("noted")).expect("there");
    assert_ne!(before.ino(), after.ino());
    assert_eq!((before.mtime(), after.nlink()), (after.mtime(), 2));
    assert_sound(&stage);
    // Its contents as well, at once.
    rot(&made.join("noted"), 100);
    xattr::remove(made.join("noted"), "user.note").expect("removed");
    let scrubbed = heal(&stage);
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    assert_eq!(note(&made.join("dir/twin")), Some(b"kept".to_vec()));
    assert_sound(&stage);
}

#[test]
fn attributes_that_no_copy_has_are_not_called_healed() {
    let stage = begun();
    let made = dump(&stage).join("tree");
    xattr::set(made.join("noted"), "user.note", b"rot").expect("set");
    let ino = fs::metadata(made.join("noted")).expect("there").ino();
    let scrubbed = heal(&stage);
    assert_others(&scrubbed, &["tree/dir/twin", "tree/noted"]);
    assert!(scrubbed.healed.is_empty() && scrubbed.faults.is_empty());
    assert_eq!(note(&made.join("noted")), Some(b"rot".to_vec()));
    assert_eq!(fs::metadata(made.join("noted")).expect("there").ino(), ino);
    // A copy of it has what it has now: good for its contents alone, and known as
    // damaged as well.
    tick();
    let checkpoint = Checkpoint::new(&stage.dump).run().expect("made");
    assert_others_of(&heal(&stage), &["tree/dir/twin", "tree/noted"], 2);
    rot(&made.join("noted"), 100);
    let scrubbed = heal(&stage);
    assert_others_of(&scrubbed, &["tree/dir/twin", "tree/noted"], 2);
    assert_eq!(scrubbed.healed.len(), 1, "its contents");
    let good = fs::read(checkpoint.dump.join("tree/noted")).expect("read");
    assert_eq!(fs::read(made.join("noted")).expect("read"), good);
    assert_others_of(&scrub(&stage), &["tree/dir/twin", "tree/noted"], 2);
}

/// An older version, of other attributes, and a checkpoint, which is searched later.
fn with_two_copies() -> (Stage, PathBuf) {
    let stage = begun();
    tick();
    Checkpoint::new(&stage.dump)
        .run()
        .expect_err("there is no dump");
    dump(&stage);
    xattr::set(stage.source.join("noted"), "user.note", b"new").expect("set");
    let made = dump(&stage).join("tree");
    tick();
    Checkpoint::new(&stage.dump).run().expect("made");
    assert_sound(&stage);
    (stage, made)
}

#[test]
fn the_copy_that_has_the_attributes_is_taken_before_others() {
    let (stage, made) = with_two_copies();
    let noted = made.join("noted");
    let bytes = fs::read(&noted).expect("read");
    // Alone, with its contents, and with its size.
    for turn in 0..3 {
        xattr::set(&noted, "user.note", b"rot").expect("set");
        match turn {
            0 => {}
            1 => rot(&noted, 100),
            _ => {
                let file = File::options().write(true).open(&noted).expect("opened");
                let had = file.metadata().expect("there");
                file.set_len(100).expect("cut");
                keep_times(&file, &had);
            }
        }
        let scrubbed = heal(&stage);
        assert!(scrubbed.is_sound(), "{turn}: {scrubbed:#?}");
        assert_eq!(scrubbed.healed.len(), 1, "{turn}");
        assert_eq!(note(&noted), Some(b"new".to_vec()), "{turn}");
        assert_eq!(fs::read(&noted).expect("read"), bytes, "{turn}");
        assert_sound(&stage);
    }
}

/// A copy without `trusted.*`, which counts only where it was seen both times, takes
/// none away; and one with others, or with labels, gives none.
#[test]
#[ignore = "needs root"]
fn a_heal_takes_and_adds_nothing_that_only_root_sees() {
    let stage = begun();
    let at = |name: &str| stage.source.join(name);
    let first = dump(&stage).join("tree");
    tick();
    Checkpoint::new(&stage.dump).run().expect("made");
    xattr::set(at("noted"), "trusted.mine", b"keep").expect("set");
    for name in ["trusted.later", "security.later"] {
        xattr::set(at("shared"), name, b"x").expect("set");
    }
    let made = dump(&stage).join("tree");
    assert_sound(&stage);
    let shared = |list: &Path| {
        let names = xattr::list(list.join("shared")).expect("listed");
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
    };
    let had = shared(&first);
    xattr::set(made.join("noted"), "user.note", b"rot").expect("set");
    xattr::set(first.join("shared"), "user.new", b"rot").expect("set");
    let scrubbed = heal(&stage);
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    assert_eq!(scrubbed.healed.len(), 2);
    assert_eq!(note(&made.join("noted")), Some(b"kept".to_vec()));
    let kept = xattr::get(made.join("noted"), "trusted.mine").expect("read");
    assert_eq!(kept, Some(b"keep".to_vec()));
    assert_eq!(shared(&first), had);
    assert_sound(&stage);
}

/// What is immutable is named, with what to type.
#[test]
#[ignore = "needs root"]
fn what_is_immutable_is_named_and_healed_when_it_is_not() {
    let stage = begun();
    let made = dump(&stage).join("tree/bare");
    tick();
    Checkpoint::new(&stage.dump).run().expect("made");
    xattr::set(&made, "user.new", b"rot").expect("set");
    let _freed = Freed(made.clone());
    chattr("+i", &made);
    let scrubbed = heal(&stage);
    chattr("-i", &made);
    assert_others(&scrubbed, &["tree/bare"]);
    let [fault] = scrubbed.faults.as_slice() else {
        panic!("{scrubbed:#?}");
    };
    assert_eq!(fault.path, made);
    assert!(fault.cause.to_string().contains("chattr -ia"), "{fault:?}");
    assert!(heal(&stage).is_sound());
}

/// Where only its contents can be healed, what is left is known to a status, and to a
/// scrub that looks at a part.
#[test]
fn what_is_healed_in_part_stays_known() {
    let stage = begun();
    let made = dump(&stage).join("tree");
    xattr::set(made.join("noted"), "user.note", b"rot").expect("set");
    tick();
    Checkpoint::new(&stage.dump).run().expect("made");
    let file = File::options().write(true).open(made.join("noted"));
    let file = file.expect("opened");
    let had = file.metadata().expect("there");
    file.set_len(100).expect("cut");
    keep_times(&file, &had);
    let scrubbed = heal(&stage);
    assert_others_of(&scrubbed, &["tree/dir/twin", "tree/noted"], 2);
    assert_eq!(scrubbed.healed.len(), 1, "its contents");
    let known = "SELECT count(*) FROM scrubbed WHERE fault=4";
    assert_eq!(number(&stage, known), 2);
}

/// Without a hash two copies that agree do not say that a third is not as it was
/// stored, when only its attributes are wrong.
#[test]
fn contents_are_not_changed_for_attributes() {
    let (stage, made) = with_two_copies();
    execute(&stage, "UPDATE inode SET hash=NULL");
    let second = Stage::new();
    let replica = Replica::of(&stage.dump).to(&second.dump);
    replica.latest(true).init(true).run().expect("replicated");
    rot(&made.join("noted"), 100);
    xattr::set(made.join("noted"), "user.note", b"rot").expect("set");
    let bytes = fs::read(made.join("noted")).expect("read");
    let scrub = Scrub::new(&stage.dump).heal(true).from(&second.dump);
    let scrubbed = scrub.run().expect("scrubbed");
    assert_others(&scrubbed, &["tree/dir/twin", "tree/noted"]);
    assert!(scrubbed.healed.is_empty(), "{scrubbed:#?}");
    assert_eq!(fs::read(made.join("noted")).expect("read"), bytes);
}

/// What was made before these were recorded is read, brought up, and scrubbed.
#[test]
fn a_catalog_without_the_column_is_scrubbed() {
    let stage = begun();
    let made = dump(&stage).join("tree");
    let older = "ALTER TABLE inode DROP COLUMN xattrs; ALTER TABLE scrubbed DROP COLUMN xattrs;
                 PRAGMA user_version=2";
    execute(&stage, older);
    let look = Scrub::new(&stage.dump)
        .options(RunOptions::new().dry_run(true))
        .run();
    assert!(look.expect("looked").is_sound());
    assert_eq!(number(&stage, "PRAGMA user_version"), 2);
    assert_sound(&stage);
    assert_eq!(number(&stage, UNKNOWN), 0);
    execute(&stage, older);
    rot(&made.join("noted"), 100);
    let scrubbed = scrub(&stage);
    assert_eq!(scrubbed.damaged.len(), 1, "{scrubbed:#?}");
    rot(&made.join("noted"), 100);
    execute(&stage, older);
    CatalogTools::new(&stage.dump).rebuild().expect("rebuilt");
    assert_sound(&stage);
    assert_eq!(number(&stage, UNKNOWN), 0);
}

/// A `chmod` of a file with an ACL changes the ACL; with the mode it is right again.
#[test]
fn a_mode_that_is_an_acls_mask_is_put_back_without_a_copy() {
    let stage = begun();
    let made = dump(&stage).join("tree/shared");
    let file = File::open(&made).expect("opened");
    let had = file.metadata().expect("there");
    file.set_permissions(fs::Permissions::from_mode(0o704))
        .expect("set");
    keep_times(&file, &had);
    let scrubbed = heal(&stage);
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    assert_eq!(scrubbed.healed.len(), 1);
    let acl = xattr::get(&made, acl::ACCESS).expect("read");
    assert_eq!(acl, Some(acl::with_user(4321, 6)));
    assert_sound(&stage);
}

/// A checkpoint, one that links to the checkpoint before, or a replica of the newest
/// dump.
fn copied(stage: &Stage, second: &Stage, turn: usize) -> Report {
    tick();
    if turn < 2 {
        let checkpoint = Checkpoint::new(&stage.dump).linked(turn == 1);
        return checkpoint.verify(true).run().expect("made");
    }
    let replica = Replica::of(&stage.dump).to(&second.dump);
    let first = fs::symlink_metadata(second.dump.join("current")).is_err();
    match replica.latest(true).init(first).run().expect("made") {
        Replicated::Made(report) => *report,
        other => panic!("{other:?}"),
    }
}

/// A program that copies a file with another mode, or other attributes, than were
/// stored says so, once, and copies it as it is.
#[test]
fn what_copies_other_metadata_names_it() {
    let spoilt: [fn(&Path); 3] = [
        |path| xattr::set(path, "user.new", b"rot").expect("set"),
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o4711)).expect("set"),
        |path| xattr::set(path, acl::ACCESS, &acl::with_user(99, 7)).expect("set"),
    ];
    let turns = (0..3).flat_map(|turn| (0..3).map(move |which| (turn, which)));
    for (turn, which) in turns {
        let spoil = spoilt[which];
        let (stage, second) = (begun(), Stage::new());
        let mut made = dump(&stage);
        if turn == 1 {
            // The dump after it has the inodes of the checkpoint before.
            assert!(copied(&stage, &second, 1).is_complete());
            made = dump(&stage);
        }
        let bare = made.join("tree/bare");
        spoil(&bare);
        let report = copied(&stage, &second, turn);
        let [fault] = &report.faults[..] else {
            panic!("{turn}: {report:#?}");
        };
        assert_eq!(fault.path, bare, "{turn}");
        let said = fault.cause.to_string();
        assert!(said.contains("dumpctl scrub --heal"), "{said}");
        // Its contents are good, and nothing says that they are not.
        let damaged = |warning: &Warning| matches!(warning, Warning::Damaged { .. });
        assert!(!report.warnings.iter().any(damaged), "{report:#?}");
        assert!(!report.is_complete());
        let trees = [&made, &report.dump].map(|dump| dump.join("tree"));
        let lines = diff_trees(&trees[0], &trees[1], &Options::of_runner());
        assert!(lines.is_empty(), "{}", lines.join("\n"));
        // Other attributes are known of a checkpoint, too; a mode is recorded as it is.
        let known = scrub(&stage).damaged.len();
        assert_eq!(
            known,
            if turn < 2 && which != 1 { 2 } else { 1 },
            "{turn} {which}"
        );
    }
}
