//! Whole programs against their peers, on a realistic tree.
//!
//! Each kind of work is done by each program in turn, round after round, each
//! round begun by another, so that all meet the same moods of the machine.
//! What counts are the ratios within each round. A peer that is not installed
//! is named as missing.

mod bed;
mod chart;
mod results;
mod rounds;
mod table;
mod tools;
mod works;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use fixtures::mounts::Fs;

pub use chart::svg;
pub(crate) use results::Spread;
pub use results::{Peer, Results, Run, Sample};
pub use table::markdown;

use bed::Bed;
use works::Work;

/// Whole programs against their peers, on a realistic tree.
#[derive(Clone, Debug, Parser)]
#[command(name = "peers")]
pub struct Settings {
    /// Files of the tree; 120,000 are 2.9 GB
    #[arg(long, default_value_t = 120_000)]
    pub files: usize,
    /// Directories that they are in
    #[arg(long, default_value_t = 3_000)]
    pub dirs: usize,
    /// Rounds that count
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Rounds before them that do not
    #[arg(long, default_value_t = 1)]
    pub warm_up: usize,
    /// What to measure: unchanged, full, checkpoint, changed, each also with
    /// -cold; several with commas [default: all]
    #[arg(long, value_name = "WORK", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Peers to measure beside ours, by a part of their names (rsync,cp)
    /// [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub peers: Vec<String>,
    /// Filesystem to make for the tree and its copies, or `here`: none
    #[arg(long, value_enum, default_value_t = On::Ext4)]
    pub fs: On,
    /// Directory to work in, with room for several copies of the tree
    /// [default: TMPDIR]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Directory of the dumpme and chkptme to measure [default: those of this
    /// source]
    #[arg(long, value_name = "DIR")]
    pub ours: Option<PathBuf>,
    /// Restore what each copied in the first round, and compare
    #[arg(long)]
    pub check: bool,
    /// File that results are added to, and that tables are made of
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Write the tables there
    #[arg(long, value_name = "FILE")]
    pub table: Option<PathBuf>,
    /// Write a chart there
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Measure nothing: only tables and chart of the results
    #[arg(long, requires = "results")]
    pub draw: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// What the tree and its copies are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum On {
    /// An ext4 of its own.
    Ext4,
    /// An xfs of its own.
    Xfs,
    /// A btrfs of its own.
    Btrfs,
    /// A tmpfs of its own.
    Tmpfs,
    /// What the directory is on; what is made again for each copy is ext4.
    Here,
}

impl On {
    fn fs(self) -> Option<Fs> {
        match self {
            Self::Ext4 => Some(Fs::Ext4),
            Self::Xfs => Some(Fs::Xfs),
            Self::Btrfs => Some(Fs::Btrfs),
            Self::Tmpfs => Some(Fs::Tmpfs),
            Self::Here => None,
        }
    }
}

/// Measures what is asked for with the programs of `measured`, and tells each
/// step. After each round the results are saved, where they are to be.
///
/// # Errors
/// That a kind of work is not known, that the results cannot be read or
/// written, or that the bed cannot be made.
///
/// # Panics
/// When a program fails, or what it kept is not what it was given.
pub fn measure(
    settings: &Settings,
    measured: &Path,
    tell: &mut dyn FnMut(&str),
) -> io::Result<Results> {
    let mut results = match &settings.results {
        Some(path) => Results::load(path)?,
        None => Results::default(),
    };
    if !settings.draw {
        let works = chosen(settings)?;
        let parent = settings.dir.clone().unwrap_or_else(std::env::temp_dir);
        tell("making the tree");
        let bed = Bed::make(
            &parent,
            settings.fs.fs(),
            measured,
            settings.ours.as_deref(),
            (settings.files, settings.dirs),
        )?;
        for work in works {
            rounds::measure(&bed, &work, settings, &parent, &mut results, tell)?;
        }
    }
    if let Some(path) = &settings.table {
        std::fs::write(path, markdown(&results))?;
    }
    if let Some(path) = &settings.svg {
        std::fs::write(path, svg(&results))?;
    }
    Ok(results)
}

fn chosen(settings: &Settings) -> io::Result<Vec<Work>> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut works = works::works(processors);
    for name in &settings.only {
        if !works.iter().any(|work| work.name == name) {
            let known: Vec<&str> = works.iter().map(|work| work.name).collect();
            let known = known.join(", ");
            let what = format!("no such work: {name}; there are {known}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
    }
    works.retain(|work| settings.only.is_empty() || settings.only.iter().any(|n| n == work.name));
    Ok(works)
}
