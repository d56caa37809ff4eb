//! What a dump costs as its tree grows: memory, instructions, system calls and what
//! is written to the disk; of a first dump, of the unchanged tree, and of that when an
//! expired dump is recycled. No clock, so that it may run beside anything else.

use std::fmt;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use fixtures::memory::peak_kib;
use fixtures::mounts::{Fs, Mount};
use fixtures::strace::count_syscalls;
use fixtures::tree::{Partner, many, paired, remove_deep, wide};

use crate::machine::device_stat;
use crate::programs::{Programs, must_run};

/// What a dump costs as its tree grows: memory, instructions, system calls, writes.
#[derive(Clone, Debug, Parser)]
#[command(name = "scale")]
pub struct Settings {
    /// Names of the tree, several sizes with commas
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    pub files: Vec<usize>,
    /// What the tree is like
    #[arg(long, value_enum, value_delimiter = ',', default_value = "many")]
    pub shape: Vec<Shape>,
    /// What is counted
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "memory,calls,instructions,written"
    )]
    pub count: Vec<Count>,
    /// Files in a directory, where there are several directories
    #[arg(long, default_value_t = 50)]
    pub breadth: usize,
    /// Filesystem to make for tree and dumps
    #[arg(long, value_enum, default_value_t = On::Ext4)]
    pub fs: On,
    /// Directory to make it in [default: TMPDIR]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Jobs while memory is measured; the rest is counted with one
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Directory of the dumpme to measure [default: that of this source]
    #[arg(long, value_name = "DIR")]
    pub ours: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// What a tree is like. All files are empty: contents cost what they cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Each file an inode of its own, in many directories.
    Many,
    /// The same in one directory.
    Wide,
    /// Each inode has two names in one directory.
    PairsNear,
    /// Each inode has two names, half the tree apart.
    PairsFar,
    /// Each inode has a thousand names in one directory.
    Thousands,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Count {
    /// Peak of resident memory.
    Memory,
    /// System calls (strace).
    Calls,
    /// Instructions outside the kernel (callgrind).
    Instructions,
    /// What is written to the device until all is flushed; needs a filesystem of its own.
    Written,
}

/// Where tree and dumps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum On {
    /// An ext4 of their own, with inodes enough; needs root.
    Ext4,
    /// A tmpfs of their own; needs root.
    Tmpfs,
    /// What the directory is on.
    Here,
}

/// One size of one shape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The shape's name.
    pub shape: String,
    /// Names of files.
    pub files: usize,
    /// KiB resident at most.
    pub memory: Option<Figures>,
    /// System calls of all.
    pub calls: Option<Figures>,
    /// Instructions of all.
    pub instructions: Option<Figures>,
    /// KiB written to the device.
    pub written: Option<Figures>,
}

/// Of the first dump, of one of the unchanged tree, and of one of the unchanged tree
/// that is made from an expired dump.
pub type Figures = [u64; 3];

impl Row {
    /// What is in each of the columns.
    #[must_use]
    pub fn figures(&self) -> [String; 4] {
        let files = self.files as f64;
        let told = |counts: Option<Figures>, by: f64, digits: usize| {
            let figure = |count| format!("{:.digits$}", count as f64 / by);
            counts.map_or_else(String::new, |counts| counts.map(figure).join(", "))
        };
        [
            told(self.memory, 1024.0, 1),
            told(self.calls, files, 3),
            told(self.instructions, files, 0),
            told(self.written, 1.0, 0),
        ]
    }
}

/// The head of the table that rows make.
pub const HEAD: &str = "| tree | names | MiB resident at most | calls a name | instructions a name \
                        | KiB written |\n\
                        | --- | --- | --- | --- | --- | --- |";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = self.figures().join(" | ");
        write!(f, "| {} | {} | {figures} |", self.shape, self.files)
    }
}

/// Counts what is asked for with the programs of `measured`, and tells of
/// each row.
///
/// # Errors
/// That the place cannot be made.
///
/// # Panics
/// When a program fails or is missing.
pub fn measure(settings: &Settings, measured: &Path, tell: &mut dyn FnMut(&Row)) -> io::Result<()> {
    let parent = settings.dir.clone().unwrap_or_else(std::env::temp_dir);
    for shape in &settings.shape {
        for files in &settings.files {
            let dir = tempfile::tempdir_in(&parent)?;
            let programs = match &settings.ours {
                Some(ours) => Programs::installed(&ours.canonicalize()?),
                None => Programs::link(measured, &dir.path().join("bin"))?,
            };
            let disk = disk(settings, dir.path(), *files);
            let home = match &disk {
                Some(disk) => disk.path().to_path_buf(),
                None => dir.path().join("home"),
            };
            tell(&row(
                settings,
                (*shape, *files),
                &programs,
                &home,
                disk.as_ref(),
            )?);
            if disk.is_none() {
                remove_deep(&home);
            }
        }
    }
    Ok(())
}

/// Inodes for the tree and for a first dump by each way of counting, and
/// directories for five, with what has to be free for one to be recycled; blocks for
/// names as long as they are here.
fn disk(settings: &Settings, dir: &Path, files: usize) -> Option<Mount> {
    let inodes = files * 2 * (1 + settings.count.len()) + 300_000;
    let mb = (inodes / 1024 + 200) as u64;
    let inodes = inodes.to_string();
    match settings.fs {
        On::Ext4 => {
            // No half-size journal blocks, no room for root: names only.
            let mkfs = ["-N", &inodes, "-O", "large_dir", "-m", "0"];
            Some(Mount::below(dir, Fs::Ext4, mb, &mkfs, "noinit_itable"))
        }
        On::Tmpfs => {
            let options = format!("nr_inodes={inodes}");
            Some(Mount::below(dir, Fs::Tmpfs, mb, &[], &options))
        }
        On::Here => None,
    }
}

fn row(
    settings: &Settings,
    (shape, files): (Shape, usize),
    programs: &Programs,
    home: &Path,
    disk: Option<&Mount>,
) -> io::Result<Row> {
    let tree = home.join("tree");
    std::fs::create_dir_all(&tree)?;
    make_tree(settings, shape, files, &tree);
    let name = shape.to_possible_value().expect("none is hidden");
    let mut row = Row {
        shape: name.get_name().to_owned(),
        files,
        ..Row::default()
    };
    let keep = home.join("keep.toml");
    std::fs::write(&keep, "[keep]\nauto = true\nlast = 2\n")?;
    for count in &settings.count {
        let root = home.join(format!("{count:?}"));
        std::fs::create_dir(&root)?;
        let dump = || {
            let mut command = programs.dumpme(&tree, &root);
            command.arg("--config").arg(&keep);
            command
        };
        let one_job = |measure: &dyn Fn(&mut Command) -> u64| {
            modes(&dump, &|command| measure(command.arg("-j1")))
        };
        match count {
            Count::Memory => {
                let jobs = settings.jobs.map(|jobs| format!("-j{jobs}"));
                row.memory = Some(modes(&dump, &|command| peak_kib(command.args(&jobs))));
            }
            Count::Calls => {
                row.calls = Some(one_job(&|command| count_syscalls(command).values().sum()));
            }
            Count::Instructions => row.instructions = Some(one_job(&instructions)),
            Count::Written => {
                let written = |disk| one_job(&|command| written_kib(disk, command));
                row.written = disk.map(written);
            }
        }
    }
    Ok(row)
}

/// Measures each way in which a dump is made, one after the other in one dump root.
///
/// The first dump never expires, as the only one that shares nothing, and two are kept
/// beside it: the fifth is made from the second.
fn modes(dump: &dyn Fn() -> Command, measure: &dyn Fn(&mut Command) -> u64) -> Figures {
    let first = measure(dump().arg("--init"));
    let again = measure(&mut dump());
    for _ in 0..2 {
        must_run(&mut dump());
    }
    [first, again, measure(&mut dump())]
}

/// KiB that a program writes to a device, until all of it is flushed.
fn written_kib(disk: &Mount, command: &mut Command) -> u64 {
    let flush = || must_run(Command::new("sync").arg("-f").arg(disk.path()));
    flush();
    let before = written_to(disk);
    must_run(command);
    flush();
    written_to(disk) - before
}

/// KiB that were written to a device since it was made.
fn written_to(disk: &Mount) -> u64 {
    let sectors = device_stat(disk.path(), 6).expect("the device tells");
    sectors / 2
}

/// A time of change that is older than this is believed.
const SETTLED: Duration = Duration::from_secs(61);

/// Makes the tree that is dumped.
fn make_tree(settings: &Settings, shape: Shape, files: usize, tree: &Path) {
    let dirs = (files / settings.breadth.max(1)).max(1);
    match shape {
        Shape::Many => many(tree, files, dirs),
        Shape::Wide => wide(&tree.join("wide"), files),
        Shape::PairsNear => paired(tree, files / 2, 2, dirs, Partner::Near),
        Shape::PairsFar => paired(tree, files / 2, 2, dirs, Partner::Far),
        Shape::Thousands => paired(
            tree,
            files / 1000,
            1000,
            dirs.min(files / 1000),
            Partner::Near,
        ),
    }
    // What was changed within a tick before a dump is looked at twice, and a
    // time of change proves nothing before it is a minute old: how much that is
    // depends on how fast the machine is, not on the tree.
    std::thread::sleep(SETTLED);
}

/// Of all threads, as callgrind counts them.
fn instructions(command: &mut Command) -> u64 {
    let dir = tempfile::tempdir().expect("a directory");
    // By its own name: valgrind hands on what a link leads to.
    let program = dir.path().join("dumpme");
    let real = std::fs::canonicalize(command.get_program()).expect("ours");
    if real.file_name() == Some("dumpme".as_ref()) {
        symlink(&real, &program).expect("linked");
    } else {
        std::fs::copy(&real, &program).expect("copied");
    }
    let out = dir.path().join("out");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "-q"])
        // It complains of calls that are younger than it; dumpme then takes
        // the older ones.
        .stderr(Stdio::null())
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(&program)
        .args(command.get_args())
        .env("HOME", dir.path())
        .env_remove("XDG_CONFIG_HOME")
        .stdin(Stdio::null());
    must_run(&mut valgrind);
    let text = std::fs::read_to_string(&out).expect("callgrind writes it");
    let total = |line: &str| {
        let line = line
            .strip_prefix("summary:")
            .or_else(|| line.strip_prefix("totals:"))?;
        line.trim().parse::<u64>().ok()
    };
    let counts = text.lines().filter_map(total);
    counts.max().expect("callgrind tells the sum")
}
