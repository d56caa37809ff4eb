//! One event in words: a line, and what belongs under it.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use chrono::{DateTime, Local, SecondsFormat};
use dumpcli::diff::{self, DiffError, Style};
use dumpcli::exit::Failure;
use dumpcli::json;
use dumpcli::paging::{Out, has_enough};
use dumpcore::{Change, DirEntry, Fault, HistoryEvent, Kind, Printable, Time};
use serde_json::{Map, Value};

use crate::Output;

/// Tells events, one after the other.
pub(crate) struct Teller<'a> {
    out: &'a mut Out,
    options: &'a Output,
    style: Style,
    faults: Vec<Fault>,
}

/// Why an event could not be told.
enum Told {
    Fault(Fault),
    Out(io::Error),
}

impl From<io::Error> for Told {
    fn from(error: io::Error) -> Self {
        Told::Out(error)
    }
}

impl From<DiffError> for Told {
    fn from(error: DiffError) -> Self {
        match error {
            DiffError::Fault(fault) => Told::Fault(fault),
            DiffError::Out(error) => Told::Out(error),
        }
    }
}

impl<'a> Teller<'a> {
    pub(crate) fn new(options: &'a Output, out: &'a mut Out) -> Self {
        let style = Style::of_stdout(options.color, options.text);
        Self {
            out,
            options,
            style,
            faults: Vec::new(),
        }
    }

    /// What could not be read for a diff or a listing.
    pub(crate) fn faults(self) -> Vec<Fault> {
        self.faults
    }

    /// Until the reader has seen enough.
    pub(crate) fn tell_all(&mut self, events: &[HistoryEvent]) -> Result<(), Failure> {
        for event in events {
            let told = if self.options.json {
                self.object(event)
            } else {
                self.text(event)
            };
            match told {
                Ok(()) => {}
                Err(Told::Fault(fault)) => self.faults.push(fault),
                Err(Told::Out(error)) if has_enough(&error) => break,
                Err(Told::Out(error)) => return Err(Failure::Failed(error.to_string())),
            }
        }
        Ok(())
    }

    /// Is a listing wanted with it?
    fn lists(&self, event: &HistoryEvent) -> bool {
        let gone = matches!(event.change, Change::Delete { .. });
        self.options.verbose && !gone && event.version.meta.kind == Kind::Dir
    }

    fn object(&mut self, event: &HistoryEvent) -> Result<(), Told> {
        let mut object = object(event);
        let mut fault = None;
        if self.lists(event) {
            // What cannot be listed is an event all the same.
            let listed = event.version.names().map_err(|why| fault = Some(why)).ok();
            object.insert("names".into(), listed.as_deref().map(names).into());
        }
        writeln!(self.out, "{}", Value::Object(object))?;
        fault.map_or(Ok(()), |fault| Err(Told::Fault(fault)))
    }

    fn text(&mut self, event: &HistoryEvent) -> Result<(), Told> {
        let line = line(event);
        if self.style.color {
            writeln!(self.out, "\x1b[1;33m{line}\x1b[0m")?;
        } else {
            writeln!(self.out, "{line}")?;
        }
        let kind = event.version.meta.kind;
        if self.lists(event) {
            let names = event.version.names().map_err(Told::Fault)?;
            diff::listing(&names, self.out)?;
        }
        if event.change == Change::Write
            && !self.options.no_diff
            && let Some(before) = &event.before
            && is_file(before.meta.kind)
            && is_file(kind)
        {
            diff::versions(Some(before), Some(&event.version), self.style, self.out)?;
        }
        Ok(())
    }
}

/// A directory's changes are in its listing, not in a diff of all below it.
fn is_file(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Symlink)
}

/// Kind, TAB, path, size, mode, mtime, type; behind another TAB what else
/// there is to say.
fn line(event: &HistoryEvent) -> String {
    let meta = &event.version.meta;
    let mut line = format!(
        "#{}\t{} {} {:o} {} {}",
        event.change.as_str(),
        Printable::path(&event.version.path),
        meta.size,
        meta.mode,
        moment(meta.mtime),
        letter(meta.kind)
    );
    match &event.change {
        Change::Delete { missing } => {
            line.push_str(&format!("\tnot in {}", Printable::path(missing)));
        }
        Change::Rename { from } => line.push_str(&format!("\tfrom {}", Printable::path(from))),
        _ => {}
    }
    if event.main {
        line.push_str("\tmain");
    }
    line
}

/// A listing for machines.
fn names(names: &[DirEntry]) -> Value {
    let name = |entry: &DirEntry| {
        let mut object = Map::new();
        let name = Path::new(OsStr::from_bytes(&entry.name));
        json::put_path(&mut object, "name", Some(name));
        object.insert("directory".into(), entry.is_dir.into());
        Value::Object(object)
    };
    names.iter().map(name).collect()
}

fn object(event: &HistoryEvent) -> Map<String, Value> {
    let version = &event.version;
    let meta = &version.meta;
    let mut object = Map::new();
    object.insert("change".into(), event.change.as_str().into());
    json::put_path(&mut object, "path", Some(&version.path));
    let dump = version.dump.map(|dump| dump.to_string());
    object.insert("dump".into(), dump.into());
    object.insert("type".into(), meta.kind.as_str().into());
    object.insert("size".into(), meta.size.into());
    object.insert("mode".into(), format!("{:04o}", meta.mode).into());
    object.insert("uid".into(), meta.uid.into());
    object.insert("gid".into(), meta.gid.into());
    let mtime = local(meta.mtime).map(|at| at.to_rfc3339_opts(SecondsFormat::Nanos, false));
    object.insert("mtime".into(), mtime.into());
    object.insert("inode".into(), meta.ino.into());
    object.insert("main".into(), event.main.into());
    if let Some(before) = &event.before {
        json::put_path(&mut object, "before", Some(&before.path));
    }
    match &event.change {
        Change::Delete { missing } => json::put_path(&mut object, "missing_in", Some(missing)),
        Change::Rename { from } => json::put_path(&mut object, "from", Some(from)),
        _ => {}
    }
    object
}

fn local(time: Time) -> Option<DateTime<Local>> {
    DateTime::from_timestamp(time.secs, time.nanos).map(|at| at.with_timezone(&Local))
}

/// Local time in RFC 3339; seconds since 1970 for what no calendar has.
fn moment(time: Time) -> String {
    local(time).map_or_else(
        || format!("@{}", time.secs),
        |at| at.to_rfc3339_opts(SecondsFormat::Secs, false),
    )
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::File => 'f',
        Kind::Dir => 'd',
        Kind::Symlink => 'l',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
        Kind::Char => 'c',
        Kind::Block => 'b',
    }
}
