//! `dumpctl diff`: what differs between two dumps, or a dump and now.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use dumpcli::diff::{self as patch, DiffError, Style};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::paging::{Color, Out, has_enough};
use dumpcli::{figures, fit, json};
use dumpcore::chrono::{DateTime, Utc};
use dumpcore::{
    Aspect, ChangeKind, Comparison, Differences, DumpId, Error, Fault, Kind, PathChange, Printable,
    RelPath, State, When,
};
use serde_json::{Map, Value};

use crate::common::Settings;
use crate::desk;
use crate::dumps::{self, Dumps, Looking};
use crate::table::{Set, Table};

const WORD: &str = "diff";
/// What stands for the trees as they are now.
const MAIN: &str = "main";

const HELP: &str = "\
A and B are dumps (names, paths or pins), moments (a date, or how long ago: the
newest dump of then or earlier), or 'main': the trees as they are now. Without
either, the last two dumps that hold the same trees are compared; with A alone,
A and the newest such dump.

Each line has a letter, the size before and after, and the path:
  A  added
  M  modified: bytes of a file, target of a symlink, or the type
  D  deleted
  R  renamed: the same file under another path
  T  only mode, owner, time, attributes or ACL differ; they are named

A directory whose names changed is not listed, its names are. With 'main', what
has the same size and time is not read, and what the exclude rules keep out of
dumps is listed as added. A tree that only one of the two has is one line.

Examples:
  dumpctl diff                             what the last dump changed
  dumpctl diff yesterday                   from then to the newest dump
  dumpctl diff 2026/1122/2331 main         what changed since that dump
  dumpctl diff 1w -- ~/src                 only below a directory
  dumpctl diff -p 1d main -- letter.tex    with the changed lines

Exit codes:
  0   done; with --exit-code: no differences
  1   failed; with --exit-code: there are differences
  2   wrong usage
  23  partly done: something could not be compared; each is named";

/// Show what differs between two dumps, or between a dump and the trees as they
/// are now.
#[derive(Args, Debug)]
#[command(after_help = HELP, override_usage = "dumpctl diff [A [B]] [-- PATH…]")]
pub(crate) struct Options {
    /// The older state [default: the last dump but one]
    #[arg(value_name = "A", value_hint = ValueHint::DirPath)]
    old: Option<OsString>,
    /// The newer state [default: the newest dump]
    #[arg(value_name = "B", value_hint = ValueHint::DirPath)]
    new: Option<OsString>,
    /// Only at or below these paths of a tree, which need not exist any more
    #[arg(value_name = "PATH", last = true, value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// Show how many entries changed, and how much space that takes
    #[arg(long, conflicts_with = "patch")]
    stat: bool,
    /// Show the changed lines of text files
    #[arg(short = 'p', long)]
    patch: bool,
    /// Exit with 1 if there are differences
    #[arg(long)]
    exit_code: bool,
    /// Use colours: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = true
    )]
    color: Color,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match compared(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

fn compared(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    // Not for the parser to say, which takes --json before the word, too.
    if settings.session.json && (options.stat || options.patch) {
        let text = "--json lists the changes: it has neither --stat nor --patch";
        return Err(Failure::Usage(text.to_owned()));
    }
    let looking = Looking::new(settings)?;
    let (dumps, below) = looking.of_paths(&options.paths)?;
    let (old, new) = states(options, &dumps, &below)?;
    let mut comparison = dumps.lookup.navigator.compare(old, new);
    for path in below {
        if ![old, new].iter().any(|state| dumps.may_have(*state, &path)) {
            let path = dumps.shown(&path);
            let path = Printable::path(&path);
            return Err(Failure::Failed(format!("neither of the two has {path}")));
        }
        comparison = comparison.below(path);
    }
    let with_main = [old, new].contains(&State::Main);
    let catalog = match with_main {
        true => None,
        false => dumps.catalog("comparing the dumps themselves"),
    };
    let found = comparison.run(catalog.as_ref());
    drop(catalog);
    let found = found.map_err(|error| dumps::failed(error, dumps.lookup))?;
    let mut teller = Teller {
        options,
        dumps: &dumps,
        comparison: &comparison,
        color: options.color.wanted(),
        faults: found.faults.clone(),
    };
    teller.tell(&found, settings.session.json)?;
    let faults = teller.faults;
    let differs = !found.changes.is_empty();
    let exit = match options.exit_code && differs {
        true => Exit::Failed,
        false => Exit::Done,
    };
    Ok(dumps::faults(dumps.lookup, &faults, found.closed, exit))
}

/// What is compared.
fn states(
    options: &Options,
    dumps: &Dumps<'_>,
    below: &[RelPath],
) -> Result<(State, State), Failure> {
    let old = options
        .old
        .as_deref()
        .map(|text| state(dumps, text, below))
        .transpose()?;
    let new = options
        .new
        .as_deref()
        .map(|text| state(dumps, text, below))
        .transpose()?;
    match (old, new) {
        (Some(old), Some(new)) => Ok((old, new)),
        (Some(State::Main), None) => {
            let newest = last(dumps, |dump| holds(dumps, dump, below))?;
            let newest = newest.ok_or_else(|| none_holds(dumps, below))?;
            Ok((State::Dump(newest), State::Main))
        }
        (Some(old @ State::Dump(dump)), None) => {
            let trees = dumps.root.trees(dump);
            let same = |other| dumps.root.trees(other) == trees;
            let newest = last(dumps, same)?;
            Ok((old, State::Dump(newest.unwrap_or(dump))))
        }
        _ => {
            let newest = last(dumps, |dump| holds(dumps, dump, below))?;
            let newest = newest.ok_or_else(|| none_holds(dumps, below))?;
            let trees = dumps.root.trees(newest);
            let before = last(dumps, |dump| {
                dump != newest && dumps.root.trees(dump) == trees
            })?;
            let before = before.ok_or_else(|| {
                let text = format!("{newest} is the only dump of its trees: name two, or 'main'");
                Failure::Failed(text)
            })?;
            Ok((State::Dump(before), State::Dump(newest)))
        }
    }
}

fn none_holds(dumps: &Dumps<'_>, below: &[RelPath]) -> Failure {
    let Some(path) = below.first() else {
        return dumps.lookup.no_dumps().unwrap_or_else(|| {
            let root = Printable::path(&dumps.lookup.dump).to_string();
            Failure::Failed(format!("{root} has no dump"))
        });
    };
    Failure::Failed(format!("no dump has the tree of {}", path))
}

/// Does a dump hold the trees of these paths?
fn holds(dumps: &Dumps<'_>, dump: DumpId, below: &[RelPath]) -> bool {
    let trees = || dumps.root.trees(dump);
    below.is_empty()
        || below.iter().all(|path| {
            let tree = path.as_path().iter().next();
            tree.is_some_and(|tree| trees().iter().any(|name| name == tree))
        })
}

/// The newest dump of which this holds.
fn last(dumps: &Dumps<'_>, is: impl Fn(DumpId) -> bool) -> Result<Option<DumpId>, Failure> {
    last_until(dumps, DateTime::<Utc>::MAX_UTC, is)
}

/// The same up to a moment.
fn last_until(
    dumps: &Dumps<'_>,
    at: DateTime<Utc>,
    is: impl Fn(DumpId) -> bool,
) -> Result<Option<DumpId>, Failure> {
    for dump in dumps.root.listing().newest_first(..=at) {
        let id = DumpId::Dump(dump.map_err(Error::from)?.name);
        if is(id) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// A dump, the newest one of a moment or before, or the trees now.
fn state(dumps: &Dumps<'_>, text: &OsStr, below: &[RelPath]) -> Result<State, Failure> {
    if text == MAIN {
        return Ok(State::Main);
    }
    let at: DateTime<Utc> = match dumps.when(text)? {
        When::Dump(DumpId::Incomplete(_)) => return dumps.dump(text).map(State::Dump),
        When::Dump(id) => return Ok(State::Dump(id)),
        When::Date(date) if dumps.lookup.is_future(&date) => {
            let now = dumps.lookup.minute();
            let text = format!("{date} is in the future: it is {now} now");
            return Err(Failure::Failed(text));
        }
        When::Date(date) => date.last().last_moment(),
        when => {
            let moment = when.begins(&dumps.lookup.now);
            moment.ok_or_else(|| {
                let text = text.to_string_lossy();
                Failure::Usage(format!("'{text}' leads back before the year 0: give less"))
            })?
        }
    };
    let found = last_until(dumps, at, |dump| holds(dumps, dump, below))?;
    found.map(State::Dump).ok_or_else(|| {
        let minute = dumps::minute(at);
        Failure::Failed(format!("there is no dump from {minute} or earlier"))
    })
}

/// Tells what differs.
struct Teller<'a> {
    options: &'a Options,
    dumps: &'a Dumps<'a>,
    comparison: &'a Comparison<'a>,
    color: bool,
    /// What could not be read.
    faults: Vec<Fault>,
}

impl Teller<'_> {
    fn tell(&mut self, found: &Differences, as_json: bool) -> Result<(), Failure> {
        let mut out = Out::open();
        if as_json {
            for change in &found.changes {
                let object = Value::Object(self.object(change)).to_string();
                if !dumps::line(&mut out, &object)? {
                    break;
                }
            }
        } else if self.options.stat {
            dumps::table(&mut out, &stat(&found.changes))?;
        } else {
            self.lines(found, &mut out)?;
        }
        dumps::close(out)
    }

    fn lines(&mut self, found: &Differences, out: &mut Out) -> Result<(), Failure> {
        let mut table = Table::new(&[Set::Left, Set::Left, Set::Path], &["", "", ""]);
        for change in &found.changes {
            table.row(vec![
                letter(change.change).to_owned(),
                note(change),
                self.path(change),
            ]);
        }
        let lines = table.lines(fit::stdout_columns());
        for (line, change) in lines.zip(&found.changes) {
            let line = match self.color {
                true => format!("\x1b[{}m{line}\x1b[0m", paint(change.change)),
                false => line,
            };
            if !dumps::line(out, &line)? || !self.patch(change, out)? {
                break;
            }
        }
        Ok(())
    }

    /// The path, of what was renamed with the one before.
    fn path(&self, change: &PathChange) -> String {
        let shown = |path: &RelPath| Printable::path(&self.dumps.shown(path)).to_string();
        let slash = if change.kind == Kind::Dir { "/" } else { "" };
        let path = format!("{}{slash}", shown(&change.path));
        match &change.from {
            Some(from) => format!("{} → {path}", shown(from)),
            None => path,
        }
    }

    /// The changed lines; `false`: the reader has seen enough.
    fn patch(&mut self, change: &PathChange, out: &mut Out) -> Result<bool, Failure> {
        let is_text = matches!(change.kind, Kind::File | Kind::Symlink);
        let told = match change.change {
            ChangeKind::Rename | ChangeKind::Wstat => false,
            // What became a directory has its names told one by one.
            _ => is_text && !change.what.contains(&Aspect::Type),
        };
        if !self.options.patch || !told {
            return Ok(true);
        }
        let mut shown = || -> Result<(), DiffError> {
            let old = self.comparison.version(true, &change.path)?;
            let new = self.comparison.version(false, &change.path)?;
            let style = Style::of_stdout(self.options.color, false);
            patch::versions(old.as_ref(), new.as_ref(), style, out)
        };
        match shown() {
            Ok(()) => Ok(true),
            Err(DiffError::Fault(fault)) => {
                self.faults.push(fault);
                Ok(true)
            }
            Err(DiffError::Out(error)) if has_enough(&error) => Ok(false),
            Err(DiffError::Out(error)) => Err(dumps::cannot_write(&error)),
        }
    }

    fn object(&self, change: &PathChange) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("change".into(), change.change.as_str().into());
        let deleted = change.change == ChangeKind::Delete;
        let path = |old: bool, within: &RelPath| {
            let path = self.comparison.path(old, within);
            let path = path.unwrap_or_else(|| within.as_path().to_path_buf());
            self.dumps.lookup.absolute(&path)
        };
        json::put_path(&mut object, "path", Some(&path(deleted, &change.path)));
        let from = change.from.as_ref().map(|from| path(true, from));
        json::put_path(&mut object, "from", from.as_deref().map(Path::new));
        object.insert("bytes_before".into(), change.bytes_before.into());
        object.insert("bytes_after".into(), change.bytes_after.into());
        let what = change
            .what
            .iter()
            .map(|aspect| Value::from(aspect.as_str()));
        object.insert("what".into(), what.collect());
        object
    }
}

fn letter(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::Create => "A",
        ChangeKind::Write => "M",
        ChangeKind::Delete => "D",
        ChangeKind::Rename => "R",
        _ => "T",
    }
}

/// Colours as other tools have them.
fn paint(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::Create => "32",
        ChangeKind::Write => "33",
        ChangeKind::Delete => "31",
        ChangeKind::Rename => "36",
        _ => "34",
    }
}

/// Sizes, or which attributes are others.
fn note(change: &PathChange) -> String {
    if change.change == ChangeKind::Wstat {
        let words = change.what.iter().map(|aspect| match aspect {
            Aspect::Mode => "mode",
            Aspect::Uid => "owner",
            Aspect::Gid => "group",
            Aspect::Mtime => "time",
            _ => "attributes",
        });
        return words.collect::<Vec<_>>().join(", ");
    }
    match (change.bytes_before, change.bytes_after) {
        (Some(before), Some(after)) if before != after => {
            format!("{} → {}", figures::bytes(before), figures::bytes(after))
        }
        (_, Some(size)) | (Some(size), None) => figures::bytes(size),
        (None, None) => "-".to_owned(),
    }
}

/// How many there are of each, and how much space they take.
fn stat(changes: &[PathChange]) -> Table {
    let mut table = Table::new(&[Set::Left, Set::Right, Set::Left], &["", "", ""]);
    let words = [
        (ChangeKind::Create, "added"),
        (ChangeKind::Write, "modified"),
        (ChangeKind::Delete, "deleted"),
        (ChangeKind::Rename, "renamed"),
        (ChangeKind::Wstat, "attributes only"),
    ];
    for (kind, word) in words {
        let of_kind: Vec<_> = changes
            .iter()
            .filter(|change| change.change == kind)
            .collect();
        if of_kind.is_empty() {
            continue;
        }
        let sum = |bytes: fn(&PathChange) -> Option<u64>| -> u64 {
            of_kind.iter().filter_map(|change| bytes(change)).sum()
        };
        let (before, after) = (sum(|one| one.bytes_before), sum(|one| one.bytes_after));
        let size = match kind {
            ChangeKind::Create => figures::bytes(after),
            ChangeKind::Delete => figures::bytes(before),
            ChangeKind::Write => {
                format!("{} → {}", figures::bytes(before), figures::bytes(after))
            }
            _ => String::new(),
        };
        table.row(vec![word.to_owned(), of_kind.len().to_string(), size]);
    }
    table
}
