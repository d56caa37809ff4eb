//! Whole programs against their peers, on a realistic tree.
//!
//! Each kind of work is done by each program in turn, round after round, so
//! that all of them meet the same moods of the machine; what is printed are
//! medians, and the ratio of each to ours as the median over the rounds of
//! ratios within one round. A peer that is not installed is named as missing.
//!
//! ```text
//! cargo bench -p benches --bench peers -- [--files N] [--dirs N] [--rounds N]
//!     [--dir DIR] [--svg FILE] [--only WORK]
//! ```
//!
//! Unless told: 120,000 files in 3,000 directories (2.9 GB), 5 rounds, in a
//! fresh directory below `TMPDIR`. Cold caches need root. Works: `unchanged`,
//! `cold`, `changed`, `full`, `checkpoint`.

mod chart;
mod peers;
mod rounds;

use std::path::PathBuf;

use crate::peers::Bed;

/// What is to be measured.
struct Settings {
    files: usize,
    dirs: usize,
    rounds: usize,
    dir: Option<PathBuf>,
    svg: Option<PathBuf>,
    only: Option<String>,
}

fn settings() -> Result<Settings, String> {
    let mut settings = Settings {
        files: 120_000,
        dirs: 3_000,
        rounds: 5,
        dir: None,
        svg: None,
        only: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--bench" {
            continue;
        }
        let value = args.next().ok_or(format!("{arg} needs a value"))?;
        let number = || value.parse().map_err(|e| format!("{arg} {value}: {e}"));
        match arg.as_str() {
            "--files" => settings.files = number()?,
            "--dirs" => settings.dirs = number()?,
            "--rounds" => settings.rounds = number()?.max(1),
            "--dir" => settings.dir = Some(value.into()),
            "--svg" => settings.svg = Some(value.into()),
            "--only" => settings.only = Some(value),
            _ => return Err(format!("unknown option {arg}")),
        }
    }
    Ok(settings)
}

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() {
    let settings = settings().unwrap_or_else(|error| {
        eprintln!("peers: {error}");
        std::process::exit(2);
    });
    let bed = Bed::make(settings.dir.as_deref(), settings.files, settings.dirs);
    println!(
        "{} files in {} directories, {} rounds, {} processors\n",
        settings.files,
        settings.dirs,
        settings.rounds,
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    let mut tables = Vec::new();
    for work in bed.works() {
        if settings
            .only
            .as_ref()
            .is_some_and(|only| *only != work.name)
        {
            continue;
        }
        let table = rounds::run(&bed, &work, settings.rounds);
        println!("{table}");
        tables.push(table);
    }
    if let Some(path) = settings.svg {
        let drawn = std::fs::write(&path, chart::draw(&tables));
        drawn.expect("the chart is written");
        println!("chart: {}", path.display());
    }
}
