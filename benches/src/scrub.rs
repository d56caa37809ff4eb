//! What a scrub reads, how much memory it takes, and how fast it is beside
//! `cat` over the same files.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Parser;
use fixtures::memory::peak_kib;
use fixtures::mounts::{Fs, Mount};
use fixtures::tree::real_tree;
use walkdir::WalkDir;

use crate::machine::{device_stat, load};
use crate::programs::{Programs, must_run, word};

/// What a scrub reads and takes, beside `cat` over the same files.
#[derive(Clone, Debug, Parser)]
#[command(name = "scrub")]
pub struct Settings {
    /// Files of the tree, 24 KB on average
    #[arg(long, default_value_t = 40_000)]
    pub files: usize,
    /// Directories of the tree
    #[arg(long, default_value_t = 1_000)]
    pub dirs: usize,
    /// Rounds in which both take turns
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Directory for the filesystem [default: TMPDIR]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Directory of the programs to measure [default: those of this source]
    #[arg(long, value_name = "DIR")]
    pub ours: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// One round: `cat`, then a scrub, each with nothing in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Seconds of `cat` and of the scrub.
    pub seconds: [f64; 2],
    /// Bytes that each read from the device.
    pub read: [u64; 2],
    /// KiB that the scrub had resident at most.
    pub memory: u64,
    /// Bytes that the files have on the disk.
    pub allocated: u64,
    /// How many processes wanted to run before.
    pub load: f64,
}

/// The head of the table that rounds make.
pub const HEAD: &str = "| seconds of cat, scrub | speed of cat's | read of what is allocated: \
                        cat, scrub | MiB resident | load |\n| --- | --- | --- | --- | --- |";

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([cat, scrub], load) = (self.seconds, self.load);
        let [by_cat, by_scrub] = self.read.map(|read| read as f64 / self.allocated as f64);
        let (speed, memory) = (cat / scrub, self.memory as f64 / 1024.0);
        write!(
            f,
            "| {cat:.2}, {scrub:.2} | {speed:.2} | {by_cat:.3}, {by_scrub:.3} | {memory:.1} | \
             {load:.1} |"
        )
    }
}

/// Measures with the programs of `measured`, and tells of each round.
///
/// # Errors
/// That the place cannot be made or looked at.
///
/// # Panics
/// When a program fails or is missing, or the caller is not root.
pub fn measure(
    settings: &Settings,
    measured: &Path,
    tell: &mut dyn FnMut(&Round),
) -> io::Result<()> {
    let parent = settings.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::tempdir_in(&parent)?;
    let programs = match &settings.ours {
        Some(ours) => Programs::installed(&ours.canonicalize()?),
        None => Programs::link(measured, &dir.path().join("bin"))?,
    };
    // The dump alone is on the filesystem that is read.
    let (tree, mb) = (dir.path().join("tree"), settings.files as u64 / 20 + 200);
    real_tree(&tree, settings.files, settings.dirs, 7);
    let disk = Mount::below(dir.path(), Fs::Ext4, mb, &["-m", "0"], "noinit_itable");
    let root = disk.path().join("dump");
    fs::create_dir(&root)?;
    must_run(programs.dumpme(&tree, &root).arg("--init"));
    fs::remove_dir_all(&tree)?;
    let dump = root.join("current").canonicalize()?;
    let allocated = allocated(&dump);
    for _ in 0..settings.rounds {
        let before = load();
        let mut cat = Command::new("sh");
        let files = format!("find {} -type f -exec cat {{}} +", word(&dump));
        cat.args(["-c", &files]).stdout(Stdio::null());
        let by_cat = cold(&disk, || must_run(&mut cat))?;
        let mut scrub = programs.dumpctl(&root);
        scrub.args(["scrub", "-q", "--no-idle", "--log", "stderr"]);
        let mut memory = 0;
        let by_scrub = cold(&disk, || memory = peak_kib(&mut scrub))?;
        tell(&Round {
            seconds: [by_cat.0, by_scrub.0],
            read: [by_cat.1, by_scrub.1],
            memory,
            allocated,
            load: before,
        });
    }
    Ok(())
}

/// Bytes on the disk of all files below a directory, each inode once.
fn allocated(dump: &Path) -> u64 {
    let files = WalkDir::new(dump).into_iter();
    let files = files.map(|entry| entry.expect("walked").metadata().expect("stat"));
    let files = files.filter(fs::Metadata::is_file);
    let mut blocks: Vec<(u64, u64)> = files.map(|meta| (meta.ino(), meta.blocks())).collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks.iter().map(|(_, blocks)| blocks * 512).sum()
}

/// Does it with nothing in memory: the seconds that it takes, and the bytes that
/// are read from the device.
fn cold(disk: &Mount, act: impl FnOnce()) -> io::Result<(f64, u64)> {
    must_run(&mut Command::new("sync"));
    fs::write("/proc/sys/vm/drop_caches", "3")?;
    let before = read_of(disk)?;
    let start = Instant::now();
    act();
    let seconds = start.elapsed().as_secs_f64();
    Ok((seconds, read_of(disk)? - before))
}

/// Bytes that were read from a device since it was made.
fn read_of(disk: &Mount) -> io::Result<u64> {
    Ok(device_stat(disk.path(), 2)? * 512)
}
