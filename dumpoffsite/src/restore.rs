//! `dumpoffsite restore`: brings a path back from the repository.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use chrono::Local;
use clap::{Args, ValueHint};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::{absolute, figures, json};
use dumpcore::{Chain, DumpId, DumpRoot, Printable, Stamp, When};

use crate::common::Settings;
use crate::desk::{self, Desk, Done};
use crate::list;
use crate::push::host;
use crate::repository::Snapshot;

const HELP: &str = "\
Examples:
  dumpoffsite restore ~/letters --to /tmp/back      the newest, to /tmp/back/letters
  dumpoffsite restore --at 3d ~/letters --to /tmp/back
  dumpoffsite restore --host laptop /home --to /srv/laptop

Without this program, restic restores as well:
  restic restore latest --path /home --target /srv/back

Exit codes:
  0         done
  1         failed
  2         wrong usage: options or configuration
  23        partly done: what could not be restored as it was is named, or the
            snapshot lacks entries of its dump
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143)";

/// Restore a path from the repository into an empty directory.
///
/// PATH is a path in a tree that was dumped, as it was on the machine that pushed
/// it. It gets its own last name in DIR. Nothing is ever replaced: DIR must be
/// empty or missing.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// What to restore: a tree that was dumped, or a path in one
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    path: PathBuf,
    /// From which dump: its name, path or pin; or the newest one of a date, or of
    /// how long ago (12h, 3d, 2w, 1y6mo)
    #[arg(long, value_name = "WHEN")]
    at: Option<String>,
    /// Restore into this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: Option<PathBuf>,
    /// The machine that pushed it [default: this one]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Restore nothing; show what would be restored
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Done {
    desk::at("restore", settings, |desk| {
        // Not for the parser to say, whose usage line would be too long.
        let Some(to) = &options.to else {
            let text = "name an empty directory to restore into with --to DIR";
            return Err(Failure::Usage(text.to_owned()));
        };
        is_empty(to)?;
        restored(options, settings, (desk, &absolute(to)))
    })
}

fn restored(options: &Options, settings: &Settings, (desk, to): (&Desk, &Path)) -> Done {
    let path = plain(&options.path);
    let (mut repository, _) = desk.open(settings)?;
    let failure = |error| desk.failure(settings, error);
    let snapshots = repository.snapshots().map_err(failure)?;
    let snapshot = chosen(&snapshots, options, &path, settings)?;
    if snapshot.is_incomplete {
        tracing::warn!(
            "the snapshot {} lacks entries that could not be read when it was pushed; another \
             dump may have them: see 'dumpoffsite list' and --at",
            snapshot.short_id()
        );
    }
    let is_made = !options.dry_run && private(to)?;
    let done = repository.restore(snapshot, &path, to, options.dry_run);
    let done = done.map_err(|error| left_behind(failure(error), to, is_made))?;
    for fault in &done.faults {
        tracing::error!("{fault}");
    }
    let exit = match done.faults.is_empty() && !snapshot.is_incomplete {
        true => Exit::Done,
        false => Exit::Partial,
    };
    let mut object = desk.head(exit);
    object.insert("dry_run".into(), options.dry_run.into());
    object.extend(list::object(snapshot));
    json::put_path(&mut object, "path", Some(&path));
    let target = to.join(path.file_name().unwrap_or_default());
    json::put_path(&mut object, "to", Some(&target));
    object.insert("files".into(), done.files.into());
    object.insert("directories".into(), done.dirs.into());
    object.insert("read_bytes".into(), done.bytes.into());
    object.insert("faults".into(), done.faults.clone().into());
    let (files, bytes) = (figures::number(done.files), figures::bytes(done.bytes));
    let (path, target) = (Printable::path(&path), Printable::path(&target));
    let from = snapshot
        .dump
        .map_or(snapshot.short_id().to_owned(), |dump| dump.to_string());
    let text = match options.dry_run {
        true => {
            format!("dry run: would restore {path} of {from} to {target}: {files} files, {bytes}\n")
        }
        false => format!("restored {path} of {from} to {target}: {files} files, {bytes}\n"),
    };
    desk.tell(object, &text)?;
    Ok(exit)
}

/// The newest snapshot that is asked for of the tree that the path is in.
fn chosen<'a>(
    snapshots: &'a [Snapshot],
    options: &Options,
    path: &Path,
    settings: &Settings,
) -> Result<&'a Snapshot, Failure> {
    let host = options.host.clone().unwrap_or_else(host);
    let of_path = snapshots.iter().filter(|one| path.starts_with(&one.path));
    let mut of_path: Vec<&Snapshot> = of_path.filter(|one| one.host == host).collect();
    // Of a tree in a tree the inner one has all of the path.
    let depth = |one: &&Snapshot| one.path.components().count();
    let deepest = of_path.iter().map(depth).max();
    of_path.retain(|one| Some(depth(one)) == deepest);
    let shown = Printable::path(path);
    if of_path.is_empty() {
        return Err(Failure::Failed(format!(
            "no snapshot of {host} has {shown}; see 'dumpoffsite list'"
        )));
    }
    let found = match &options.at {
        None => newest(of_path),
        Some(text) => at(of_path, text, settings)?,
    };
    found.ok_or_else(|| {
        let at = options.at.as_deref().unwrap_or_default();
        let text = format!("no snapshot of {shown} is of {at}; see 'dumpoffsite list'");
        Failure::Failed(text)
    })
}

/// Of the newest dump a complete copy, where there is one.
fn newest<'a>(snapshots: impl IntoIterator<Item = &'a Snapshot>) -> Option<&'a Snapshot> {
    let order = |one: &&Snapshot| (one.time, !one.is_incomplete, one.dump);
    snapshots.into_iter().max_by_key(order)
}

fn at<'a>(
    snapshots: Vec<&'a Snapshot>,
    text: &str,
    settings: &Settings,
) -> Result<Option<&'a Snapshot>, Failure> {
    let now = Local::now();
    let usage = |text: String| Err(Failure::Usage(text));
    let until = match when(text, settings)? {
        When::Dump(DumpId::Dump(name)) => {
            let of_dump = snapshots.into_iter().filter(|one| one.dump == Some(name));
            return Ok(newest(of_dump));
        }
        When::Date(date) if date.first() > Stamp::of(&now) => {
            let now = Stamp::of(&now);
            let text = format!("{date} is in the future: it is {now} now");
            return Err(Failure::Failed(text));
        }
        When::Date(date) => date.last().last_moment(),
        When::Ago(ago) => match ago.before(&now) {
            Some(moment) => moment,
            None => return usage(format!("'{text}' leads back before the year 0: give less")),
        },
        _ => return usage(format!("'{text}' is not a finished dump")),
    };
    let earlier = snapshots.into_iter().filter(|one| one.time <= until);
    Ok(newest(earlier))
}

/// What `--at` means. Only the dump root knows a pin, and what a path is in: it
/// need not be there any more, and then a dump is known by its name.
fn when(text: &str, settings: &Settings) -> Result<When, Failure> {
    let now = Local::now();
    let root = absolute(&settings.dump.value);
    let name = Path::new(text).strip_prefix(&root).ok();
    let name = name.and_then(Path::to_str).unwrap_or(text);
    let bad = match When::parse(name, now.date_naive(), &now.timezone()) {
        Ok(when) => return Ok(when),
        Err(error) => Chain(&error).to_string(),
    };
    let Ok(root) = DumpRoot::open(&root) else {
        return Err(Failure::Usage(bad));
    };
    let when = root.when(text, now.date_naive(), &now.timezone());
    when.map_err(|error| Failure::Usage(Chain(&error).to_string()))
}

/// The path without `.` and `..`, which are taken as they are typed: the tree need
/// not be on this machine.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in absolute(path).components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// A restore that failed leaves no empty directory, and tells of what it leaves.
fn left_behind(failure: Failure, to: &Path, is_made: bool) -> Failure {
    // Fails where something was restored.
    if is_made && fs::remove_dir(to).is_ok() || is_empty(to).is_ok() {
        return failure;
    }
    match failure {
        Failure::Failed(text) => {
            let to = Printable::path(to);
            Failure::Failed(format!("{text}; what was restored before is in {to}"))
        }
        other => {
            tracing::warn!("what was restored before is in {}", Printable::path(to));
            other
        }
    }
}

/// Nothing is replaced, since nothing is there.
fn is_empty(to: &Path) -> Result<(), Failure> {
    let shown = Printable::path(to);
    match fs::read_dir(to) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Failure::Failed(format!(
                "{shown} is not empty: give a directory that is empty or missing"
            ))),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::Failed(format!(
            "cannot use {shown}: {}",
            Chain(&error)
        ))),
    }
}

/// Makes the directory, if it is missing, so that nobody else sees what is not
/// finished. Was it missing?
fn private(to: &Path) -> Result<bool, Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    let is_missing = !to.exists();
    let made = fs::DirBuilder::new().mode(0o700).recursive(true).create(to);
    made.map_err(|error| {
        let shown = Printable::path(to);
        Failure::Failed(format!("cannot make {shown}: {}", Chain(&error)))
    })?;
    Ok(is_missing)
}
