//! A catalog that cannot be believed: it costs a run what it knows, nothing else.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::test_root::{TestRoot, below, dir, entry, file, name};
use super::values::TreeState;
use super::{Catalog, CatalogError, ScrubStatus, View};

/// A root with a catalog of one dump.
fn recorded() -> TestRoot {
    let root = TestRoot::new();
    record(&root, 0).expect("recorded");
    root
}

/// What a run does with the catalog.
fn record(root: &TestRoot, minute: u32) -> Result<(), CatalogError> {
    let Some(mut catalog) = Catalog::open(&root.root)? else {
        panic!("no catalog on this filesystem");
    };
    root.make(minute);
    let done = record_in(root, &mut catalog, minute);
    done.map_err(|error| catalog.give_up(error))
}

fn record_in(root: &TestRoot, catalog: &mut Catalog, minute: u32) -> Result<(), CatalogError> {
    let tree = catalog.tree(b"T")?;
    let mut rows = catalog.rows()?;
    rows.children(tree.top, 1000)?;
    if let Some((dir, _)) = rows.subdir(tree.top, b"d")? {
        rows.children(dir, 1000)?;
        rows.path(dir)?;
    }
    drop(rows);
    let stage = catalog.stage()?;
    let names = (0..100).map(|i| entry(&format!("file {i}"), file(i + 1)));
    stage.add(tree.top, names)?;
    stage.add(tree.top, [entry("d", dir(minute.into()))])?;
    let names = (200..300).map(|i| entry(&format!("file {i}"), file(i)));
    below(&stage, &tree, tree.top, "d", names.collect());
    let pending = catalog.apply(stage, &root.new_dump(minute, &[&tree]))?;
    catalog.confirm(pending, None)
}

fn head(root: &TestRoot) -> TreeState {
    root.open().tree(b"T").expect("known")
}

fn bad(root: &TestRoot) -> bool {
    root.dir.path().join(".dump/catalog.bad").exists()
}

#[test]
fn a_deleted_catalog_is_begun_again() {
    let root = recorded();
    fs::remove_file(root.catalog_file()).expect("removed");
    assert_eq!(head(&root).head, None);
    record(&root, 1).expect("recorded");
    assert_eq!(head(&root).head.map(|head| head.dump), Some(name(1)));
}

#[test]
fn nobody_else_may_read_it() {
    let root = recorded();
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&root.catalog_file()), 0o600);
    fs::set_permissions(root.catalog_file(), fs::Permissions::from_mode(0o644)).expect("set");
    drop(root.open());
    assert_eq!(mode(&root.catalog_file()), 0o600);
}

#[test]
fn one_of_another_dump_root_is_set_aside() {
    let (root, other) = (recorded(), recorded());
    fs::copy(other.catalog_file(), root.catalog_file()).expect("copied");
    assert!(Catalog::read(&root.root).is_err());
    let error = record(&root, 1).expect_err("of another root");
    assert!(error.was_set_aside() && bad(&root), "{error}");
    assert!(
        error.to_string().contains("made for another dump root"),
        "{error}"
    );
    record(&root, 1).expect("begun again");
}

#[test]
fn what_is_no_catalog_is_set_aside() {
    let spoil: [fn(&Path); 5] = [
        |path| fs::write(path, "a note of somebody's").expect("written"),
        |path| fs::write(path, vec![0; 100_000]).expect("written"),
        |path| sql(path, "PRAGMA user_version=0"),
        |path| sql(path, "PRAGMA application_id=0"),
        |path| sql(path, "ALTER TABLE inode ADD COLUMN note"),
    ];
    for (i, spoil) in spoil.into_iter().enumerate() {
        let root = recorded();
        spoil(&root.catalog_file());
        let error = record(&root, 1).expect_err("spoilt");
        assert!(error.was_set_aside() && bad(&root), "{i}: {error}");
        record(&root, 1).expect("begun again");
        assert_eq!(head(&root).head.map(|head| head.dump), Some(name(1)));
    }
}

fn sql(path: &Path, sql: &str) {
    let connection = Connection::open(path).expect("opened");
    connection.execute_batch(sql).expect(sql);
}

#[test]
fn one_of_a_newer_version_is_left_alone() {
    let root = recorded();
    sql(
        &root.catalog_file(),
        "PRAGMA user_version=4; CREATE TABLE new(x)",
    );
    let before = fs::read(root.catalog_file()).expect("read");
    let error = record(&root, 1).expect_err("newer");
    assert!(!error.was_set_aside() && !error.is_damaged(), "{error}");
    assert!(error.to_string().contains("newer version"), "{error}");
    assert!(Catalog::read(&root.root).is_err());
    assert_eq!(fs::read(root.catalog_file()).expect("read"), before);
}

/// Makes a file of a version before: without attributes, and what a scrub remembers.
const OLDER: [&str; 2] = [
    "ALTER TABLE inode DROP COLUMN xattrs; ALTER TABLE scrubbed DROP COLUMN xattrs;
     PRAGMA user_version=2",
    "ALTER TABLE inode DROP COLUMN xattrs; DROP TABLE scrub; DROP TABLE scrubbed;
     DROP TABLE scrubbed_dump; PRAGMA user_version=1",
];

#[test]
fn one_of_an_older_version_is_brought_up_when_it_is_written() {
    for older in OLDER {
        let root = recorded();
        sql(&root.catalog_file(), older);
        let before = fs::read(root.catalog_file()).expect("read");
        // Who only reads it leaves it as it is.
        let view = View::open(&root.root).expect("opened").expect("there");
        assert_eq!(view.scrub_status().expect("read"), ScrubStatus::default());
        drop(view);
        assert_eq!(fs::read(root.catalog_file()).expect("read"), before);
        let held = head(&root).head.map(|head| head.dump);
        assert!(held.is_some() && !bad(&root));
        let number = |sql: &str| -> i64 {
            let connection = Connection::open(root.catalog_file()).expect("opened");
            connection.query_row(sql, [], |row| row.get(0)).expect(sql)
        };
        assert_eq!(number("PRAGMA user_version"), 3);
        assert_eq!(number("SELECT count(xattrs) FROM scrubbed"), 0);
        assert_eq!(number("SELECT count(xattrs) FROM inode"), 0);
        assert_eq!(number("SELECT count(*) FROM dump"), 1);
    }
}

#[test]
fn an_older_one_with_other_tables_is_set_aside() {
    let root = recorded();
    sql(&root.catalog_file(), OLDER[1]);
    sql(&root.catalog_file(), "CREATE TABLE scrub(id)");
    let error = record(&root, 1).expect_err("spoilt");
    assert!(error.was_set_aside() && bad(&root), "{error}");
}

#[test]
fn a_symlink_in_its_place_is_not_followed() {
    let root = recorded();
    let elsewhere = root.dir.path().join("elsewhere");
    fs::rename(root.catalog_file(), &elsewhere).expect("moved");
    symlink(&elsewhere, root.catalog_file()).expect("linked");
    let before = fs::read(&elsewhere).expect("read");
    record(&root, 1).expect_err("a symlink");
    record(&root, 1).expect("begun again");
    assert_eq!(fs::read(&elsewhere).expect("read"), before);
}

#[test]
fn a_truncated_one_is_set_aside_sooner_or_later() {
    let whole = fs::metadata(recorded().catalog_file())
        .expect("there")
        .len();
    for length in [1, 99, 100, 4096, 8192, whole / 2, whole - 8192, whole - 1] {
        let root = recorded();
        let opened = fs::OpenOptions::new().write(true).open(root.catalog_file());
        opened.and_then(|file| file.set_len(length)).expect("cut");
        let outcome = record(&root, 1);
        if let Err(error) = outcome {
            assert!(error.was_set_aside(), "{length}: {error}");
            record(&root, 1).expect("begun again");
        }
        let tree = head(&root);
        assert_eq!(tree.head.map(|head| head.dump), Some(name(1)), "{length}");
    }
}

/// Whatever bit is flipped: no panic, no other dump root, and the next run but
/// one works.
#[test]
fn a_flipped_bit_costs_the_catalog_at_most() {
    let root = recorded();
    let good = fs::read(root.catalog_file()).expect("read");
    let (mut at, mut set_aside) = (12_345_u64, 0);
    for round in 0..400 {
        at = at
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let bits = good.len() as u64 * 8;
        // The first page, and then all of them.
        let bit = (at >> 16) % if round < 100 { 8 * 512 } else { bits };
        let mut spoilt = good.clone();
        spoilt[usize::try_from(bit / 8).expect("small")] ^= 1 << (bit % 8);
        fs::write(root.catalog_file(), &spoilt).expect("written");
        let _ = fs::remove_file(root.dir.path().join(".dump/catalog.db-journal"));
        if let Err(error) = record(&root, 1) {
            let newer = error.to_string().contains("newer version");
            assert!(error.was_set_aside() || newer, "bit {bit}: {error:?}");
            if newer {
                continue;
            }
            set_aside += 1;
            record(&root, 1).expect("begun again");
        }
    }
    assert!(set_aside > 0, "some of it was noticed");
}

#[test]
fn a_head_that_is_not_on_disk_is_not_believed() {
    let root = recorded();
    let dump = root.dir.path().join(name(0).path());
    // Another directory under its name, as in a copy of the root.
    fs::create_dir(dump.with_file_name("other")).expect("made");
    fs::remove_dir(&dump).expect("removed");
    fs::create_dir(dump.with_file_name("third")).expect("made");
    fs::rename(dump.with_file_name("other"), &dump).expect("renamed");
    assert_eq!(head(&root).head, None);
    fs::remove_dir(&dump).expect("removed");
    assert_eq!(head(&root).head, None);
}

#[test]
fn a_token_tells_a_dump_from_another_on_the_same_inode() {
    let root = TestRoot::new_on_disk();
    let mut catalog = root.open();
    let dump = root.dir.path().join(root.make(0).path());
    xattr::set(&dump, "user.dump.token", b"one").expect("set");
    let tree = catalog.tree(b"T").expect("known");
    let stage = catalog.stage().expect("begun");
    let mut new = root.new_dump(0, &[&tree]);
    new.token = Some(b"one".to_vec());
    let pending = catalog.apply(stage, &new).expect("applied");
    catalog.confirm(pending, None).expect("confirmed");
    assert!(catalog.tree(b"T").expect("known").head.is_some());
    xattr::set(&dump, "user.dump.token", b"two").expect("set");
    assert_eq!(catalog.tree(b"T").expect("known").head, None);
    xattr::remove(&dump, "user.dump.token").expect("removed");
    assert_eq!(catalog.tree(b"T").expect("known").head, None);
}

#[test]
fn a_transaction_that_was_cut_off_is_undone() {
    for reads in [false, true] {
        undone(reads);
    }
}

fn undone(reads: bool) {
    let root = recorded();
    let file_of = |name: &str| root.dir.path().join(".dump").join(name);
    let connection = Connection::open(root.catalog_file()).expect("opened");
    connection
        .execute_batch(
            "PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN IMMEDIATE; DELETE FROM live;
             UPDATE inode SET mtime=5, size=7;",
        )
        .expect("half done");
    let read = |name: &str| fs::read(file_of(name)).expect("read");
    let (db, journal) = (read("catalog.db"), read("catalog.db-journal"));
    assert!(journal.len() > 8192, "it has pages to bring back");
    drop(connection);
    fs::write(file_of("catalog.db"), db).expect("written");
    fs::write(file_of("catalog.db-journal"), journal).expect("written");
    if reads {
        // Who only asks does not do without it.
        let reading = Catalog::read(&root.root).expect("readable");
        let status = reading.expect("there").status(&root.root).expect("read");
        assert_eq!(status.not_recorded, []);
        assert!(!file_of("catalog.db-journal").exists());
    }
    let mut catalog = root.open();
    let tree = catalog.tree(b"T").expect("known");
    let mut rows = catalog.rows().expect("opened");
    let top = rows.children(tree.top, 1000).expect("read").expect("few");
    assert_eq!(top.len(), 101);
    assert_eq!(
        top.find(b"file 7").map(|i| top.get(i).1.facts.size),
        Some(80)
    );
}

#[test]
fn what_only_looks_hinders_nobody_and_a_lock_is_waited_for_shortly() {
    let root = recorded();
    let other = Connection::open(root.catalog_file()).expect("opened");
    let count = |sql: &str| other.query_row(sql, [], |row| row.get::<_, i64>(0));
    assert_eq!(count("SELECT count(*) FROM dump").expect("read"), 1);
    // An idle prompt.
    record(&root, 1).expect("recorded");
    // A statement that never ends.
    other
        .execute_batch("BEGIN; SELECT * FROM dump")
        .expect("begun");
    assert_eq!(count("SELECT count(*) FROM dump").expect("read"), 2);
    let began = Instant::now();
    let error = record(&root, 2).expect_err("locked");
    assert!(!error.is_damaged() && !bad(&root), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(60));
    other.execute_batch("COMMIT").expect("ended");
    // The dump is as good without; the next one is recorded.
    record(&root, 3).expect("recorded");
    other.execute_batch("BEGIN EXCLUSIVE").expect("begun");
    let began = Instant::now();
    assert!(Catalog::read(&root.root).is_err(), "a query gives up");
    assert!(began.elapsed() < Duration::from_secs(20));
    other.execute_batch("ROLLBACK").expect("ended");
    let reading = Catalog::read(&root.root).expect("read").expect("there");
    let sql = "SELECT count(*) FROM dump WHERE state=1";
    let dumps = reading
        .connection()
        .query_row(sql, [], |row| row.get::<_, i64>(0));
    assert_eq!(dumps.expect("read"), 3);
}

#[test]
fn what_a_stopped_run_left_is_removed() {
    let root = recorded();
    let staged = root.dir.path().join(".dump/catalog.new");
    fs::write(&staged, "half a stage").expect("written");
    drop(root.open());
    assert!(!staged.exists());
    let catalog = root.open();
    let stage = catalog.stage().expect("begun");
    let mode = fs::metadata(&staged).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    drop(stage);
}

/// Mounts a small filesystem in memory, for as long as it lives.
struct Mounted(TestRoot);

impl Mounted {
    fn new(size: &str) -> Self {
        let root = TestRoot::new_on_disk();
        let options = format!("size={size},mode=0700");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], root.dir.path());
        Self(root.reopened())
    }
}

fn mount(options: &[&str], at: &Path) {
    let status = std::process::Command::new("mount")
        .args(options)
        .arg(at)
        .status();
    assert!(status.expect("mount(8)").success(), "{options:?}");
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.dir.path())
            .status();
    }
}

#[test]
#[ignore = "needs root: mounts a tmpfs"]
fn a_full_disk_costs_what_was_to_be_recorded() {
    let mounted = Mounted::new("800k");
    let root = &mounted.0;
    record(root, 0).expect("recorded");
    let filler = root.dir.path().join("filler");
    let mut full = fs::File::create(&filler).expect("made");
    // What SQLite has removed is free only when no process has it open any more, nor
    // one that a test beside this one is just starting: then there is room once more.
    let mut recorded = 0;
    let error = loop {
        while full.write_all(&[1; 512]).is_ok() {}
        match record(root, recorded + 1) {
            Ok(()) => recorded += 1,
            Err(error) => break error,
        }
        assert!(recorded < 20, "it is never full");
    };
    drop(full);
    assert!(!error.is_damaged() && !bad(root), "{error:?}");
    fs::remove_file(&filler).expect("removed");
    let last = head(root).head.map(|head| head.dump);
    assert_eq!(last, Some(name(recorded)));
    record(root, recorded + 2).expect("recorded");
}

#[test]
#[ignore = "needs root: mounts a tmpfs"]
fn a_read_only_disk_is_an_error_and_still_answers_queries() {
    let mounted = Mounted::new("4m");
    let root = &mounted.0;
    record(root, 0).expect("recorded");
    mount(&["-o", "remount,ro"], root.dir.path());
    let error = Catalog::open(&root.root).expect_err("read-only");
    assert!(!error.is_damaged(), "{error:?}");
    let reading = Catalog::read(&root.root).expect("read").expect("there");
    let names = reading.connection();
    let names = names.query_row("SELECT count(*) FROM live", [], |row| row.get::<_, i64>(0));
    assert_eq!(names.expect("read"), 201);
    mount(&["-o", "remount,rw"], root.dir.path());
}

/// A file that shrinks while it is read is an answer, not a signal.
#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let root = recorded();
    let mut catalog = root.open();
    let tree = catalog.tree(b"T").expect("known");
    let opened = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(root.catalog_file());
    let mut opened = opened.expect("opened");
    opened.seek(SeekFrom::Start(0)).expect("there");
    assert_eq!(opened.read(&mut [0; 16]).expect("read"), 16);
    let mut rows = catalog.rows().expect("opened");
    opened.set_len(8192 * 2).expect("cut");
    let top = rows.children(tree.top, 1000);
    let error = top.expect_err("its pages are gone");
    assert!(error.is_damaged(), "{error:?}");
    drop(rows);
    assert!(catalog.give_up(error).was_set_aside());
}
