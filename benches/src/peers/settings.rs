//! What can be said of the comparison with peers.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use fixtures::mounts::Fs;

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
    /// What to measure: unchanged, recycled, full, checkpoint, restore, remove,
    /// changed, each but recycled also with -cold; several with commas
    /// [default: all]
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
    pub(super) fn fs(self) -> Option<Fs> {
        match self {
            Self::Ext4 => Some(Fs::Ext4),
            Self::Xfs => Some(Fs::Xfs),
            Self::Btrfs => Some(Fs::Btrfs),
            Self::Tmpfs => Some(Fs::Tmpfs),
            Self::Here => None,
        }
    }
}
