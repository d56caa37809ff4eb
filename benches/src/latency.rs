//! What workers hide of a disk or a network that is slow to answer.
//!
//! `network`: the tree is on another machine, seen by sshfs over a line that
//! takes its time, as in another house. `disk`: each look at the tree and each
//! link takes its time, as where heads have to move; strace holds the calls
//! back. Both are waits and no work, and all is in memory, so that the
//! ratios hold on a machine that has other things to do. Needs root.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use fixtures::mounts::{Fs, Mount};
use fixtures::sshfs_server::{SlowLine, Sshd};
use fixtures::strace::{Inject, inject};
use fixtures::tree::real_tree;
use tempfile::TempDir;

use crate::programs::{Programs, must_run};

/// What workers hide of a disk or a network that is slow to answer.
#[derive(Clone, Debug, Parser)]
#[command(name = "latency")]
pub struct Settings {
    /// What is slow
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "network,disk"
    )]
    pub slow: Vec<Slow>,
    /// Milliseconds of a question and its answer, several with commas
    #[arg(long, value_delimiter = ',', default_value = "0,2,10")]
    pub network_ms: Vec<u64>,
    /// Milliseconds of each call, several with commas
    #[arg(long, value_delimiter = ',', default_value = "1,5")]
    pub disk_ms: Vec<u64>,
    /// Jobs, several with commas; what the first takes is divided by the rest
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16,32")]
    pub jobs: Vec<usize>,
    /// Files of the tree
    #[arg(long, default_value_t = 1_000)]
    pub files: usize,
    /// Directories that they are in
    #[arg(long, default_value_t = 100)]
    pub dirs: usize,
    /// Rounds; the median counts
    #[arg(long, default_value_t = 1)]
    pub rounds: usize,
    /// More options of sshfs, with commas (`dcache_timeout=0`)
    #[arg(long, default_value = "")]
    pub sshfs: String,
    /// Directory of the dumpme to measure [default: that of this source]
    #[arg(long, value_name = "DIR")]
    pub ours: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// What is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Slow {
    /// The line to the machine that has the tree.
    Network,
    /// The disk that has the tree and the dumps.
    Disk,
}

/// What one number of jobs needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Workers.
    pub jobs: usize,
    /// Seconds of the first dump.
    pub first: f64,
    /// Seconds of a dump of the unchanged tree.
    pub unchanged: f64,
}

/// One kind of slowness.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// In words.
    pub title: String,
    /// One for each number of jobs.
    pub steps: Vec<Step>,
}

/// A table in Markdown: seconds, and how many times faster than with the
/// first number of jobs.
#[must_use]
pub fn markdown(series: &Series) -> String {
    let mut text = format!(
        "{}\n\n| jobs | first dump | times faster | unchanged tree | times faster |\n\
         | --- | --- | --- | --- | --- |\n",
        series.title
    );
    let Some(base) = series.steps.first() else {
        return text;
    };
    for step in &series.steps {
        text.push_str(&format!(
            "| {} | {:.2} s | {:.1} | {:.2} s | {:.1} |\n",
            step.jobs,
            step.first,
            base.first / step.first,
            step.unchanged,
            base.unchanged / step.unchanged
        ));
    }
    text
}

/// The tree, and a place for dumps.
struct Bed {
    programs: Programs,
    tree: PathBuf,
    roots: PathBuf,
    next: usize,
    dir: TempDir,
}

/// Measures what is asked for with the programs of `measured`, and tells of
/// each series when it is whole.
///
/// # Errors
/// That the bed cannot be made.
///
/// # Panics
/// When a program fails or is missing.
pub fn measure(
    settings: &Settings,
    measured: &Path,
    tell: &mut dyn FnMut(&Series),
) -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let programs = match &settings.ours {
        Some(ours) => Programs::installed(&ours.canonicalize()?),
        None => Programs::link(measured, &dir.path().join("bin"))?,
    };
    // The tree and one dump of it, of files of 24 KB.
    let mb = settings.files * 2 / 25 + 100;
    let memory = Mount::new(Fs::Tmpfs, mb as u64);
    let [tree, roots] = ["tree", "roots"].map(|name| memory.path().join(name));
    real_tree(&tree, settings.files, settings.dirs, 1);
    std::fs::create_dir(&roots)?;
    let mut bed = Bed {
        programs,
        tree,
        roots,
        next: 0,
        dir,
    };
    for slow in &settings.slow {
        match slow {
            Slow::Network => network(settings, &mut bed, tell),
            Slow::Disk => disk(settings, &mut bed, tell),
        }
    }
    Ok(())
}

fn network(settings: &Settings, bed: &mut Bed, tell: &mut dyn FnMut(&Series)) {
    let sshd = Sshd::up(bed.dir.path());
    for ms in &settings.network_ms {
        let line = SlowLine::to(sshd.port(), Duration::from_millis(*ms));
        let (tree, seen) = (bed.tree.clone(), bed.dir.path().join("seen"));
        let steps = steps(settings, bed, |bed, root, jobs, more| {
            // Mounted again, so that nothing is known of it.
            let _mounted = sshd.mount_by(line.port(), &tree, &seen, &settings.sshfs);
            let mut command = bed.programs.dumpme(&seen, root);
            time(command.args(["--jobs", jobs]).args(more))
        });
        let what = format!("Over sshfs with {ms} ms for question and answer");
        tell(&titled(settings, &what, steps));
    }
}

fn disk(settings: &Settings, bed: &mut Bed, tell: &mut dyn FnMut(&Series)) {
    const CALLS: &str = "statx,linkat,mkdirat,openat,openat2,getdents64";
    for ms in &settings.disk_ms {
        let tree = bed.tree.clone();
        let steps = steps(settings, bed, |bed, root, jobs, more| {
            let mut command = bed.programs.dumpme(&tree, root);
            command.args(["--jobs", jobs]).args(more);
            let slow = [Inject::delay(CALLS, ms * 1_000)];
            time(inject(&command, &slow).env("HOME", bed.dir.path()))
        });
        let what = format!("With {ms} ms for each of {}", CALLS.replace(',', ", "));
        tell(&titled(settings, &what, steps));
    }
}

fn titled(settings: &Settings, what: &str, steps: Vec<Step>) -> Series {
    let (files, dirs) = (settings.files, settings.dirs);
    Series {
        title: format!("{what}, {files} files in {dirs} directories:"),
        steps,
    }
}

/// The jobs take turns in each round.
fn steps(
    settings: &Settings,
    bed: &mut Bed,
    run: impl Fn(&Bed, &Path, &str, &[&str]) -> f64,
) -> Vec<Step> {
    let mut seconds = vec![(Vec::new(), Vec::new()); settings.jobs.len()];
    for _ in 0..settings.rounds.max(1) {
        for (jobs, (first, unchanged)) in settings.jobs.iter().zip(&mut seconds) {
            bed.next += 1;
            let root = bed.roots.join(bed.next.to_string());
            std::fs::create_dir(&root).expect("made");
            let jobs = jobs.to_string();
            first.push(run(bed, &root, &jobs, &["--init"]));
            unchanged.push(run(bed, &root, &jobs, &[]));
            // It takes memory.
            std::fs::remove_dir_all(&root).expect("removed");
        }
    }
    let steps = settings.jobs.iter().zip(seconds);
    let step = |(jobs, (first, unchanged)): (&usize, (Vec<f64>, Vec<f64>))| Step {
        jobs: *jobs,
        first: median(first),
        unchanged: median(unchanged),
    };
    steps.map(step).collect()
}

fn median(values: Vec<f64>) -> f64 {
    let spread = crate::peers::Spread::of(values);
    spread.map_or(f64::NAN, |spread| spread.median)
}

fn time(command: &mut Command) -> f64 {
    let began = Instant::now();
    must_run(command);
    began.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_of_jobs_is_what_the_rest_is_measured_by() {
        let step = |jobs, first, unchanged| Step {
            jobs,
            first,
            unchanged,
        };
        let series = Series {
            title: "Slow:".into(),
            steps: vec![step(1, 8.0, 3.0), step(4, 2.0, 1.5)],
        };
        let text = markdown(&series);
        assert!(text.starts_with("Slow:\n\n| jobs"), "{text}");
        assert!(
            text.ends_with(
                "| 1 | 8.00 s | 1.0 | 3.00 s | 1.0 |\n| 4 | 2.00 s | 4.0 | 1.50 s | 2.0 |\n"
            ),
            "{text}"
        );
    }
}
