//! What `dumpctl` takes to answer from the catalog of years of dumps.
//!
//! The dumps' directories are there, and empty; the rows of the catalog are made
//! as runs would have made them.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use chrono::{Local, NaiveDate, NaiveDateTime, TimeDelta, TimeZone as _};
use clap::Parser;
use rusqlite::{Connection, Transaction, params};

use crate::programs::{Programs, must_run};

/// What dumpctl takes to answer from the catalog of years of dumps.
#[derive(Clone, Debug, Parser)]
#[command(name = "years")]
pub struct Settings {
    /// Dumps, one an hour
    #[arg(long, default_value_t = 10_000)]
    pub dumps: usize,
    /// Files of the tree
    #[arg(long, default_value_t = 120_000)]
    pub files: usize,
    /// Directories of the tree
    #[arg(long, default_value_t = 3_000)]
    pub dirs: usize,
    /// Files that change from one dump to the next
    #[arg(long, default_value_t = 50)]
    pub changes: usize,
    /// How often each question is asked
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Directory to make it in [default: TMPDIR]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Directory of the programs to measure [default: those of this source]
    #[arg(long, value_name = "DIR")]
    pub ours: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// A question, and how long the answer took.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The words that follow `dumpctl`.
    pub question: String,
    /// How many lines were printed.
    pub lines: usize,
    /// Each round's seconds, the least first.
    pub seconds: Vec<f64>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.seconds[0], self.seconds[self.seconds.len() - 1]);
        let median = self.seconds[self.seconds.len() / 2];
        let (question, lines) = (&self.question, self.lines);
        write!(
            f,
            "| `{question}` | {lines} | {least:.2} | {median:.2} | {most:.2} |"
        )
    }
}

/// What stands above the rows.
pub const HEAD: &str = "| dumpctl | lines | least (s) | median (s) | most (s) |\n\
                        | --- | --- | --- | --- | --- |";

/// Makes dumps and rows, and asks.
///
/// # Errors
/// What making them reports.
///
/// # Panics
/// When a program cannot be run, or fails.
pub fn measure(settings: &Settings, measured: &Path, told: &mut dyn FnMut(&Row)) -> io::Result<()> {
    let dir = settings.dir.clone().unwrap_or_else(std::env::temp_dir);
    let place = tempfile::Builder::new().prefix("years-").tempdir_in(dir)?;
    let programs = match &settings.ours {
        Some(dir) => Programs::installed(dir),
        None => Programs::link(measured, &place.path().join("programs"))?,
    };
    let root = place.path().join("dump");
    let names = make(settings, &programs, &root)?;
    let middle = names.len() / 2;
    let prune = [
        &["prune", "-n", "--keep-hourly=2d", "--keep-daily=5w"][..],
        &[
            "--keep-weekly=6mo",
            "--keep-monthly=3y",
            "--keep-yearly=all",
        ],
    ];
    let prune = prune.concat();
    let questions: [&[&str]; 8] = [
        &["list"],
        &["list", "--last", "10"],
        &["find", "*.tex"],
        &["find", "--deleted", "*"],
        &["diff", &names[middle - 1], &names[middle]],
        &["diff", &names[0], &names[names.len() - 1]],
        &["du"],
        &prune,
    ];
    for words in questions {
        told(&ask(settings, &programs, &root, words)?);
    }
    Ok(())
}

/// Makes a dump root whose dumps are empty, with a catalog that says what would be in
/// them; the names of the dumps, the oldest first.
pub(crate) fn make(
    settings: &Settings,
    programs: &Programs,
    root: &Path,
) -> io::Result<Vec<String>> {
    let names = dumps(settings, programs, root)?;
    let filled = fill(settings, &root.join(".dump/catalog.db"), &names);
    filled.map_err(io::Error::other)?;
    Ok(names)
}

/// Where a file of the tree is, by its number: as the catalog has it.
pub(crate) fn file(settings: &Settings, at: usize) -> (usize, String) {
    let end = if at.is_multiple_of(10) { "tex" } else { "txt" };
    (1 + at % settings.dirs.max(1), format!("chapter {at}.{end}"))
}

/// The directory that a directory is in, by its number from 2, and its name there.
pub(crate) fn directory(at: usize) -> (usize, String) {
    (1 + (at - 2) / 50, format!("part {at}"))
}

fn ask(settings: &Settings, programs: &Programs, root: &Path, words: &[&str]) -> io::Result<Row> {
    let (mut seconds, mut lines) = (Vec::new(), 0);
    for _ in 0..settings.rounds.max(1) {
        let start = Instant::now();
        let ran = programs.dumpctl(root).args(words).output()?;
        seconds.push(start.elapsed().as_secs_f64());
        let said = String::from_utf8_lossy(&ran.stderr);
        // Without the catalog it would say so.
        assert!(ran.status.success() && said.is_empty(), "{words:?}: {said}");
        lines = ran.stdout.iter().filter(|byte| **byte == b'\n').count();
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Row {
        question: words.join(" "),
        lines,
        seconds,
    })
}

/// Makes the dumps, and a catalog of this dump root that knows none of them.
fn dumps(settings: &Settings, programs: &Programs, root: &Path) -> io::Result<Vec<String>> {
    let tree = root.with_file_name("tree");
    for dir in [&tree, &root.to_path_buf()] {
        fs::create_dir_all(dir)?;
    }
    must_run(programs.dumpme(&tree, root).arg("--init"));
    must_run(
        programs
            .dumpctl(root)
            .args(["-q", "catalog", "rebuild"])
            .stdout(Stdio::null()),
    );
    let first = fs::read_link(root.join("current"))?;
    let mut names = Vec::new();
    for at in 0..settings.dumps {
        let name = minute(at).format("%Y/%m%d/%H%M").to_string();
        fs::create_dir_all(root.join(&name).join("tree"))?;
        names.push(name);
    }
    for link in ["current", "current_chk"] {
        fs::remove_file(root.join(link))?;
        symlink(&names[names.len() - 1], root.join(link))?;
    }
    fs::remove_dir_all(root.join(first))?;
    Ok(names)
}

/// When a dump was made: one an hour.
fn minute(at: usize) -> NaiveDateTime {
    let start = NaiveDate::from_ymd_opt(2020, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    let hours = TimeDelta::hours(i64::try_from(at).unwrap_or_default());
    start.unwrap_or_default() + hours
}

/// Numbers that look random, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (most as u64)).unwrap_or_default()
    }
}

/// A file's place, and since when it is which inode; `None` while it is gone.
struct File {
    dir: i64,
    name: String,
    live: Option<(i64, i64)>,
}

/// The rows of a tree of which some files change from one dump to the next.
fn fill(settings: &Settings, catalog: &Path, names: &[String]) -> rusqlite::Result<()> {
    let mut connection = Connection::open(catalog)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let rows = connection.transaction()?;
    rows.execute_batch(
        "DELETE FROM live; DELETE FROM past; DELETE FROM inode; DELETE FROM dir;
         DELETE FROM series; DELETE FROM dump; DELETE FROM tree;
         INSERT INTO tree(id, name, dir) VALUES(1, CAST('tree' AS BLOB), 1);
         INSERT INTO dir(id, parent, name, tree) VALUES(1, 0, CAST('tree' AS BLOB), 1);",
    )?;
    add_dumps(&rows, names, settings)?;
    let mut inodes = 0;
    add_dirs(&rows, settings, &mut inodes)?;
    let mut files = Vec::new();
    for at in 0..settings.files {
        let (dir, name) = file(settings, at);
        let inode = add_inode(&rows, &mut inodes, 0)?;
        files.push(File {
            dir: i64::try_from(dir).unwrap_or_default(),
            name,
            live: Some((0, inode)),
        });
    }
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for seq in 1..i64::try_from(names.len()).unwrap_or_default() {
        for _ in 0..settings.changes {
            let at = numbers.below(files.len());
            let file = &mut files[at];
            if let Some((first, inode)) = file.live.filter(|(first, _)| *first < seq) {
                let sql = "INSERT INTO past VALUES(?1, ?2, ?3, ?4, ?5)";
                let values = params![file.dir, file.name.as_bytes(), first, seq - 1, inode];
                rows.prepare_cached(sql)?.execute(values)?;
                file.live = None;
            }
            if file.live.is_none() && numbers.below(10) > 0 {
                file.live = Some((seq, add_inode(&rows, &mut inodes, seq)?));
            }
        }
    }
    for file in files {
        if let Some((first, inode)) = file.live {
            let sql = "INSERT INTO live VALUES(?1, ?2, ?3, ?4)";
            let values = params![file.dir, file.name.as_bytes(), inode, first];
            rows.prepare_cached(sql)?.execute(values)?;
        }
    }
    rows.commit()
}

fn add_dumps(
    rows: &Transaction<'_>,
    names: &[String],
    settings: &Settings,
) -> rusqlite::Result<()> {
    for (at, name) in names.iter().enumerate() {
        let number = i64::try_from(at).unwrap_or_default();
        // What the clock skipped is as good as the hour behind it.
        let moment = Local.from_local_datetime(&minute(at)).earliest();
        let moment = moment.and_then(|moment| moment.timestamp_nanos_opt());
        let sql = "INSERT INTO dump(id, name, moment, ino, state, added_bytes, dir_bytes)
                   VALUES(?1, ?2, ?3, 0, 1, 1000000, 4000000)";
        rows.execute(sql, params![number + 1, name, moment.unwrap_or_default()])?;
        let sql = "INSERT INTO series(tree, seq, dump, entries) VALUES(1, ?1, ?2, ?3)";
        let entries = i64::try_from(settings.files).unwrap_or_default();
        rows.execute(sql, params![number, number + 1, entries])?;
    }
    Ok(())
}

/// Directories of fifty in a directory, which do not change.
fn add_dirs(rows: &Transaction<'_>, settings: &Settings, inodes: &mut i64) -> rusqlite::Result<()> {
    for at in 2..=settings.dirs {
        let (parent, name) = directory(at);
        let [at, parent] = [at, parent].map(|number| i64::try_from(number).unwrap_or_default());
        let sql = "INSERT INTO dir(id, parent, name, tree) VALUES(?1, ?2, ?3, 1)";
        rows.execute(sql, params![at, parent, name.as_bytes()])?;
        *inodes += 1;
        let sql = "INSERT INTO inode(id, kind, mode, uid, gid, size, bytes, mtime)
                   VALUES(?1, 1, 493, 0, 0, 4096, 4096, 0)";
        rows.execute(sql, [*inodes])?;
        let sql = "INSERT INTO live VALUES(?1, ?2, ?3, 0)";
        rows.execute(sql, params![parent, name.as_bytes(), *inodes])?;
    }
    Ok(())
}

/// A file's inode, with a hash as long as those of files that were copied.
fn add_inode(rows: &Transaction<'_>, inodes: &mut i64, seq: i64) -> rusqlite::Result<i64> {
    *inodes += 1;
    let sql = "INSERT INTO inode(id, ino, born, kind, mode, uid, gid, size, bytes, mtime, hash,
                 src_fs, src_ino, src_born, src_ctime, src_dir)
               VALUES(?1, ?1, 1, 0, 420, 0, 0, ?1, 8192, ?2, randomblob(36), 1, ?1, ?2, ?2, 1)";
    rows.prepare_cached(sql)?.execute(params![*inodes, seq])?;
    Ok(*inodes)
}
