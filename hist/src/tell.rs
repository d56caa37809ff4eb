//! One event in words: a line, and what belongs under it.

use std::io::{self, Write};

use dumpcli::diff::{self, DiffError, Style};
use dumpcli::failure::Failure;
use dumpcli::paging::{Out, has_enough};
use dumpcli::{fit, json};
use dumpcore::{AttributeChanges, Change, Fault, HistoryEvent, Kind, NameChanges, Version};
use serde_json::Value;

use crate::columns::{Columns, INDENT};
use crate::options::Output;
use crate::{changes, plain};

/// Lines are not made narrower than this, whatever the terminal says.
const NARROWEST: usize = 20;

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

impl From<Fault> for Told {
    fn from(fault: Fault) -> Self {
        Told::Fault(fault)
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
        let terminal = fit::stdout_columns();
        let one_line = self.options.no_diff;
        let columns = terminal.map(|width| Columns::of(events, width.max(NARROWEST), one_line));
        for event in events {
            let told = match &columns {
                _ if self.options.json => self.object(event),
                columns => self.text(event, columns.as_ref()),
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

    /// What the library writes of an event, and what has to be read for the rest.
    fn object(&mut self, event: &HistoryEvent) -> Result<(), Told> {
        let mut object = json::object(event);
        let mut faults = Vec::new();
        // What cannot be read is an event anyway.
        if let Some((old, new)) = compared(event) {
            let read = AttributeChanges::between(old, new);
            let changes = read.map_err(|fault| faults.push(fault)).ok();
            object.insert("changed".into(), changes.as_ref().map(json::value).into());
            match names(event) {
                Ok(names) => object.extend(names.iter().flat_map(json::object)),
                Err(fault) => faults.push(fault),
            }
        }
        if self.lists(event) {
            let listed = event.version.names();
            let listed = listed.map_err(|fault| faults.push(fault)).ok();
            object.insert("names".into(), listed.as_ref().map(json::value).into());
        }
        writeln!(self.out, "{}", Value::Object(object))?;
        self.faults.append(&mut faults);
        Ok(())
    }

    fn text(&mut self, event: &HistoryEvent, columns: Option<&Columns>) -> Result<(), Told> {
        match columns {
            Some(columns) => self.in_columns(event, columns)?,
            None => self.line(&plain::line(event), Some("1;33"))?,
        }
        let kind = event.version.meta.kind;
        if self.lists(event) {
            let names = event.version.names()?;
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

    /// With what changed under it, but for the bytes of a file.
    fn in_columns(&mut self, event: &HistoryEvent, columns: &Columns) -> Result<(), Told> {
        for (number, line) in columns.lines(event).iter().enumerate() {
            self.line(line, (number == 0).then_some("1;33"))?;
        }
        let Some((old, new)) = compared(event).filter(|_| !self.options.no_diff) else {
            return Ok(());
        };
        let mut attributes = AttributeChanges::between(old, new)?;
        if event.change == Change::Write {
            // What is written has another time, which stands in its line.
            attributes.mtime = None;
        }
        let mut parts = changes::attributes(&attributes);
        if old.meta.kind != new.meta.kind {
            parts.insert(0, format!("{} → {}", old.meta.kind, new.meta.kind));
        }
        for line in columns.wrapped(&parts) {
            self.line(&line, None)?;
        }
        if let Some(names) = names(event)? {
            for line in changes::names(&names) {
                let color = if line.starts_with('+') { "32" } else { "31" };
                self.line(&columns.below("", &line), Some(color))?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str, color: Option<&str>) -> io::Result<()> {
        match color.filter(|_| self.style.color) {
            Some(color) => {
                // The indentation is not part of what is coloured.
                let text = line.strip_prefix(INDENT).unwrap_or(line);
                let indent = &line[..line.len() - text.len()];
                writeln!(self.out, "{indent}\x1b[{color}m{text}\x1b[0m")
            }
            None => writeln!(self.out, "{line}"),
        }
    }
}

/// The two versions whose difference is shown.
fn compared(event: &HistoryEvent) -> Option<(&Version, &Version)> {
    let differs = matches!(event.change, Change::Write | Change::Wstat);
    let before = event.before.as_ref().filter(|_| differs)?;
    Some((before, &event.version))
}

/// What a directory gained and lost; `None` of what is, or was, none.
fn names(event: &HistoryEvent) -> Result<Option<NameChanges>, Fault> {
    let is_dir = |version: &Version| version.meta.kind == Kind::Dir;
    match compared(event) {
        Some((old, new)) if event.change == Change::Write && is_dir(old) && is_dir(new) => {
            NameChanges::between(old, new).map(Some)
        }
        _ => Ok(None),
    }
}

/// A directory's changes are in its listing, not in a diff of all below it.
fn is_file(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Symlink)
}
