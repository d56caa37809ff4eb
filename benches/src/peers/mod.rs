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
mod settings;
mod table;
mod tools;
mod works;

use std::io;
use std::path::Path;

pub use chart::svg;
pub(crate) use results::Spread;
pub use results::{Peer, Results, Run, Sample};
pub use settings::{On, Settings};
pub use table::markdown;

use bed::Bed;
use works::Work;

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
