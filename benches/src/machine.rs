//! The conditions that something was measured under.

use std::fmt;
use std::fs::read_to_string;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::programs::first_line;

/// What stays the same while benches run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Release of the kernel.
    pub kernel: String,
    /// What the processors are called.
    pub processor: String,
    /// How many of them a process may use.
    pub processors: usize,
    /// Memory in MiB.
    pub memory_mb: u64,
    /// The filesystem that the bench's directory is on.
    pub disk: String,
}

impl Machine {
    /// This one, with work done in `dir`.
    #[must_use]
    pub fn here(dir: &Path) -> Self {
        let of = |file: &str, key: &str| {
            let text = read_to_string(file).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.map(|line| line.trim_start_matches([' ', '\t', ':']).to_owned())
        };
        let kib = of("/proc/meminfo", "MemTotal").unwrap_or_default();
        let kib = kib.split(' ').next().and_then(|n| n.parse().ok());
        let at = dir.display().to_string();
        Self {
            kernel: read_to_string("/proc/sys/kernel/osrelease")
                .map(|text| text.trim().to_owned())
                .unwrap_or_default(),
            processor: of("/proc/cpuinfo", "model name").unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mb: kib.unwrap_or(0_u64) >> 10,
            disk: first_line("stat", &["-f", "-c", "%T", &at]).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Linux {}, {} × {}, {} MiB of memory, {}",
            self.kernel, self.processors, self.processor, self.memory_mb, self.disk
        )
    }
}

/// A figure of the block device that a filesystem is on, by its place in the kernel's
/// `stat` of it: 2 is how many sectors of 512 bytes were read since it was made, 6 how
/// many were written.
///
/// # Errors
/// That it cannot be read, as where the filesystem is not on a block device.
pub fn device_stat(on: &Path, place: usize) -> io::Result<u64> {
    let device = std::fs::metadata(on)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let stat = read_to_string(format!("/sys/dev/block/{major}:{minor}/stat"))?;
    let figure = stat.split_whitespace().nth(place);
    let figure = figure.and_then(|figure| figure.parse().ok());
    figure.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// How many processes wanted to run, on average of the last minute.
#[must_use]
pub fn load() -> f64 {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next().and_then(|word| word.parse().ok());
    first.unwrap_or(f64::NAN)
}
