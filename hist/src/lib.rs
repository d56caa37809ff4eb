//! `hist`: the history of a file, directory or symlink through its dumps.
//!
//! The program as a library, so that manual pages and completions are made
//! from the same definitions as its `--help`: see [`command`].

#![forbid(unsafe_code)]

mod changes;
mod columns;
mod options;
mod plain;
mod tell;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::CommandFactory;
use dumpcli::command_line;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::local_state::local_state;
use dumpcli::paging::Out;
use dumpcli::{Advice, Program};
use dumpcli::{Lookup, Lookups};
use dumpcore::{
    Brief, CatalogView, Chain, Changes, DumpRoot, History, LocatedIn, Location, Printable, When,
};

use options::Options;
use tell::Teller;

const PROGRAM: Program = Program {
    name: "hist",
    version: env!("CARGO_PKG_VERSION"),
    makes: "",
    unlinked: "",
    advice: Advice::COMMON,
};

/// The definition of the command line.
#[must_use]
pub fn command() -> clap::Command {
    Options::command()
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    command_line::main(PROGRAM, run)
}

fn run(options: &Options) -> Result<Exit, Failure> {
    let grounds = Lookups::find(PROGRAM, &options.places, options.aside, false)?;
    let (Some(grounds), Some(path)) = (grounds, &options.path) else {
        return Ok(Exit::Done);
    };
    tell(options, &grounds, path).or_else(|failure| match failure {
        Failure::Usage(_) => Err(failure),
        failure => {
            grounds.aside.failure(&failure.to_string());
            Ok(Exit::Failed)
        }
    })
}

fn tell(options: &Options, grounds: &Lookups, path: &Path) -> Result<Exit, Failure> {
    let (ground, place) = grounds.locate(path)?;
    let found = grounds.find_typed(path, (ground, place.clone()), |ground, place| {
        past(options, ground, place)
    });
    let past = match found {
        Ok((_, _, past)) | Err(Nothing::Past(past)) => past,
        Err(Nothing::Failure(failure)) => return Err(failure),
    };

    let mut out = Out::open();
    let mut teller = Teller::new(&options.output, &mut out);
    let told = teller.tell_all(&past.events);
    let faults = teller.faults();
    out.close()
        .map_err(|error| Failure::Failed(Chain(&error).to_string()))?;
    told?;

    let mut exit = Exit::Done;
    for fault in past.faults.iter().chain(&faults) {
        ground.aside.failure(&Chain(fault).to_string());
        exit = Exit::Failed;
    }
    if past.events.is_empty() && exit == Exit::Done {
        if let Some(failure) = ground.no_dumps() {
            return Err(failure);
        }
        return Err(Failure::Failed(format!(
            "no dump in {} has {} ({} looked at)",
            Printable::path(&ground.dump),
            Brief(place.within.as_bytes()),
            past.dumps
        )));
    }
    Ok(exit)
}

/// Why there is nothing to be told.
enum Nothing {
    Failure(Failure),
    /// The path has none.
    Past(Changes),
}

fn past(options: &Options, ground: &Lookup, place: &Location) -> Result<Changes, Nothing> {
    // Opened only where it is asked.
    let catalog = options.choice.follow.then(|| catalog(ground));
    let history = history(options, ground, place).map_err(Nothing::Failure)?;
    let known = catalog.as_ref().and_then(|catalog| catalog.as_ref().ok());
    let past = history.catalog(known).run();
    let why = match (&past.catalog_failed, catalog) {
        (Some(cause), _) => Some(Chain(&**cause).to_string()),
        (None, Some(Err(why))) => Some(why),
        (None, _) => None,
    };
    if let Some(why) = why.filter(|_| past.walked > 0) {
        let text = format!("{why}: comparing the dumps themselves");
        ground.aside.warning(&text);
    }
    if past.events.is_empty() {
        return Err(Nothing::Past(past));
    }
    Ok(past)
}

/// The catalog, or why it cannot be asked.
fn catalog(ground: &Lookup) -> Result<CatalogView, String> {
    let root = DumpRoot::open(&ground.dump).map_err(|error| Chain(&error).to_string())?;
    let root = root.with_local_state(local_state());
    root.catalog().map_err(|error| Chain(&error).to_string())
}

fn history<'a>(
    options: &Options,
    ground: &'a Lookup,
    place: &'a Location,
) -> Result<History<'a>, Failure> {
    let choice = &options.choice;
    let mut history = ground
        .navigator
        .history(place)
        .with_main(choice.with_main)
        .follow(choice.follow);
    if let Some(every) = choice.every() {
        history = history.every(every);
    }
    if let Some(since) = &choice.since
        && let Some(start) = earliest(ground, place, since)?
    {
        history = history.from(start);
    }
    Ok(history)
}

/// When the history begins; `None` with all dumps.
fn earliest(
    ground: &Lookup,
    place: &Location,
    since: &OsStr,
) -> Result<Option<DateTime<Utc>>, Failure> {
    let when = ground.when(since, place)?;
    match (when, &place.located_in) {
        // A dump of the future has a name, and a path in it a history up to it.
        (When::Date(date), LocatedIn::Main(_)) if ground.is_future(&date) => {
            let start = date.first();
            let now = ground.minute();
            let text = format!("the history cannot begin at {start}: it is {now} now");
            Err(Failure::Failed(text))
        }
        (when, LocatedIn::Main(_)) => Ok(when.since(&ground.now, ground.navigator.listing())),
        (when, LocatedIn::Dump(dump)) => {
            Ok(when.since(&ground.moment(*dump), ground.navigator.listing()))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
