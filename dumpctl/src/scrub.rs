//! `dumpctl scrub`: reads what dumps hold from the disk, and compares it with what
//! was stored.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};
use dumpcli::Lookup;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::origin::Source;
use dumpcli::session_settings::SessionSettings;
use dumpcli::settings::Sources;
use dumpcore::{Ago, Chain, DumpId, DumpRoot, Error, Printable, Rate, RelPath, Scrub, Scrubbed};

use crate::common::Settings;
use crate::desk::{self, Desk};
use crate::dumps::{self, Dumps, Looking};
use crate::program::PROGRAM;
use crate::scrub_report::{Telling, WORD};
use crate::scrub_source::{self, Reading};
use crate::status_found::has_replicas_of;

const STOPPED: &str = "stopped; the next 'dumpctl scrub' continues";

const HELP: &str = "\
Each file is read once, however many dumps have it, and compared with the hash
that the catalog has of it. A file without one gets it. Names, and the modes,
owners, times, extended attributes and ACLs of files and directories, are compared
with the catalog too.
It runs at idle priority (--no-idle: it does not), and holds up no dump. What was
read is remembered: stop it at any time, and type the same again.

Examples:
  dumpctl scrub                       read all dumps
  dumpctl scrub --time 1h             from a timer: what was not read for longest
  dumpctl scrub 2026/1101/0500_chk    read one dump
  dumpctl scrub --since 3d            what the dumps of the last three days hold
  dumpctl scrub -n                    how much would be read
  dumpctl scrub --heal                put good copies in the place of what is damaged
  dumpctl scrub --source              read the trees: which files are not what was
                                      dumped, although nobody wrote to them?

Exit codes:
  0         all that was read is as it was stored, or was healed
  1         failed: nothing could be read
  2         wrong usage
  3         something is damaged and was not healed, or with --source changed
            without a trace, or a tree could not be compared; each is named
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143): the next
            'dumpctl scrub' continues";

/// Read the dumps from the disk, and find what is not as it was stored.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Dump to read: its name (2025/0101/0000, first), its path, or a pin
    #[arg(value_name = "DUMP", value_hint = ValueHint::DirPath)]
    dumps: Vec<OsString>,
    /// Only dumps made since: a dump (its name, path or pin), a date, or how long
    /// ago (12h, 3d, 2w, 1y6mo)
    #[arg(long, value_name = "WHEN", conflicts_with = "dumps")]
    since: Option<OsString>,
    /// Read for this long (90min, 1h), what was not read for longest first
    #[arg(long, value_name = "SPAN", value_parser = span)]
    time: Option<Duration>,
    /// Read the trees instead of the dumps, and name files whose contents are not
    /// those that were dumped although their times have not changed; changes nothing
    #[arg(long, conflicts_with_all = ["dumps", "since", "heal", "discard", "from"])]
    source: bool,
    /// Limit the rate at which files are read, per second and in rsync's syntax:
    /// 500 (KiB), 1.5m, 20MB [default: 0, no limit]
    #[arg(long, value_name = "RATE")]
    bwlimit: Option<Rate>,
    /// Put a good copy in the place of each damaged file, in all dumps that have it;
    /// the damaged one is kept in .dump/damaged
    #[arg(long)]
    heal: bool,
    /// Do not keep the damaged files that are healed
    #[arg(long, requires = "heal")]
    discard: bool,
    /// Dump root that may have good copies; it can be given several times, besides
    /// those of [slave]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    from: Vec<PathBuf>,
    /// Read nothing; show how much would be read
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// A span of time of hours and minutes, or longer.
fn span(text: &str) -> Result<Duration, String> {
    let ago = Ago::parse(text).map_err(|error| Chain(&error).to_string())?;
    if ago.months > 0 || ago.years > 0 {
        return Err("give minutes, hours or days: 90min, 1h, 2d".to_owned());
    }
    let minutes = u64::from(ago.minutes) + 60 * (u64::from(ago.hours) + 24 * u64::from(ago.days));
    Ok(Duration::from_secs(60 * minutes))
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match scrubbed(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

fn scrubbed(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    let looking = Looking::new(settings)?;
    let dumps = looking.dumps()?;
    if options.source {
        let reading = Reading {
            time: options.time,
            bwlimit: options.bwlimit,
            dry_run: options.dry_run,
        };
        return scrub_source::compared(reading, &dumps, &idle(&settings.session));
    }
    for root in &options.from {
        has_dumps(root).map_err(|why| {
            let root = Printable::path(root);
            Failure::Failed(format!("--from {root} has no copies: {why}"))
        })?;
    }
    let order = order(options, &dumps)?;
    let replicas = replicas(settings, dumps.lookup)?;
    let order = replicas.iter().fold(order, Scrub::from);
    let session = idle(&settings.session);
    let desk = Desk::open(&session);
    for root in &replicas {
        if let Err(why) = has_dumps(root) {
            let root = Printable::path(root);
            tracing::warn!("no copies are looked for in {root}, the dump root of [slave]: {why}");
        }
    }
    let done = desk.work(&dumps.lookup.dump, |run| {
        let rate = options.bwlimit;
        let run = match rate {
            Some(rate) => run.bwlimit(rate),
            None => run,
        };
        order.options(run.dry_run(options.dry_run)).run()
    });
    let scrubbed = match done {
        Ok(scrubbed) => scrubbed,
        Err(error) => return desk.fail(WORD, &failed(error, &dumps), STOPPED),
    };
    let exit = exit_of(&scrubbed, &desk);
    let telling = Telling {
        dumps: &dumps,
        session: &session,
    };
    telling.tell(&scrubbed, exit)?;
    Ok(exit)
}

/// What ended it. A kernel makes a filesystem read-only that it finds damaged.
fn failed(error: Error, dumps: &Dumps<'_>) -> Failure {
    let cause = match &error {
        Error::DumpDisk { fault, .. } => Some(fault.cause.kind()),
        _ => None,
    };
    if cause != Some(io::ErrorKind::ReadOnlyFilesystem) {
        return dumps::failed(error, dumps.lookup);
    }
    let root = Printable::path(&dumps.lookup.dump);
    Failure::Failed(format!(
        "the dump root {root} is on a filesystem that is read-only, and nothing can be healed in \
         it; see why it is ('dmesg': the kernel does so when a disk fails), and mount it writable"
    ))
}

/// What is to be read, and where good copies may be.
fn order(options: &Options, dumps: &Dumps<'_>) -> Result<Scrub, Failure> {
    let order = Scrub::new(&dumps.lookup.dump).time(options.time);
    let mut order = order.heal(options.heal).discard(options.discard);
    if let Some(chosen) = chosen(options, dumps)? {
        order = order.dumps(chosen);
    }
    for (path, name) in dumps::trees(dumps.lookup) {
        order = order.tree(RelPath::from_bytes(name.as_encoded_bytes()), path);
    }
    for root in &options.from {
        order = order.from(root);
    }
    Ok(order)
}

/// The dump roots of `[slave]` that have replicas of a dump root.
pub(crate) fn replicas(settings: &Settings, lookup: &Lookup) -> Result<Vec<PathBuf>, Failure> {
    let all = Sources::load_all(PROGRAM, &settings.places.configuration)?;
    let having = all
        .iter()
        .filter(|sources| has_replicas_of(sources, lookup));
    let roots = having.map(|sources| lookup.absolute(&sources.slave_dump(None).value));
    Ok(roots.collect())
}

/// Is a directory a dump root with dumps? Else why not.
fn has_dumps(root: &Path) -> Result<(), String> {
    let opened = DumpRoot::open(root).map_err(|error| Chain(&error).to_string())?;
    let dumps = opened.list().map_err(|error| Chain(&error).to_string())?;
    match dumps.is_empty() {
        true => Err("there are no dumps in it".to_owned()),
        false => Ok(()),
    }
}

/// The dumps that were named, or those since a moment; `None`: all of them.
fn chosen(options: &Options, dumps: &Dumps<'_>) -> Result<Option<Vec<DumpId>>, Failure> {
    if let Some(since) = &options.since {
        let Some(since) = dumps.since(since)? else {
            return Ok(None);
        };
        let all = dumps.root.dumps(None);
        let all = all.map_err(|error| dumps::failed(error, dumps.lookup))?;
        let later = all
            .iter()
            .filter(|dump| dump.moment.is_some_and(|at| at >= since));
        return Ok(Some(later.map(|dump| dump.dump).collect()));
    }
    if options.dumps.is_empty() {
        return Ok(None);
    }
    let named = options.dumps.iter().map(|what| dumps.dump(what));
    named.collect::<Result<_, _>>().map(Some)
}

/// The machine's time is its own, unless somebody says otherwise.
fn idle(session: &SessionSettings) -> SessionSettings {
    let mut session = session.clone();
    if session.idle.source == Source::Default {
        session.idle.value = true;
    }
    session
}

fn exit_of(scrubbed: &Scrubbed, desk: &Desk) -> Exit {
    match (scrubbed.stopped, scrubbed.is_sound()) {
        (true, _) => desk.stopped_by(),
        (false, true) => Exit::Done,
        (false, false) => Exit::Attention,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_minutes_hours_or_days() {
        for (text, seconds) in [("1h", 3600), ("90min", 5400), ("1d2h", 93_600), ("0h", 0)] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["1mo", "1y", "", "h", "5", "6m"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
