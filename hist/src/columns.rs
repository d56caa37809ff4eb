//! The line of an event on a terminal: in columns, with a short local date, and
//! no wider than the terminal.
//!
//! Where path and figures do not fit beside each other, the path has a line of
//! its own, for the whole history; only a path that is wider than that line is
//! cut. In a pipe the line is that of [`plain`](crate::plain).

use std::path::Path;

use dumpcli::{figures, fit};
use dumpcore::{Change, HistoryEvent, Kind, Printable, Version};

use crate::plain::{letter, local};

/// How far what stands under a line is indented.
pub(crate) const INDENT: &str = "         ";

/// A path is not cut to less than this for the sake of what stands beside it.
const NARROWEST: usize = 12;

/// The widths that all lines of a history share.
#[derive(Debug)]
pub(crate) struct Columns {
    terminal: usize,
    /// `None` when paths have lines of their own.
    path: Option<usize>,
    size: usize,
    mode: usize,
}

impl Columns {
    /// `one_line`: a path is cut rather than given a line of its own.
    pub(crate) fn of(events: &[HistoryEvent], terminal: usize, one_line: bool) -> Self {
        let widest = |width: &dyn Fn(&HistoryEvent) -> usize| {
            let widths = events.iter().map(width);
            widths.max().unwrap_or_default()
        };
        let mut columns = Self {
            terminal,
            path: None,
            size: widest(&|event| size(event).len()),
            mode: widest(&|event| mode(event).len()),
        };
        let path = widest(&|event| fit::columns(&shown(&event.version.path)));
        let figures = widest(&|event| fit::columns(&columns.figures(event)));
        let room = terminal.saturating_sub(INDENT.len() + 1 + figures);
        if path <= room || (one_line && room >= NARROWEST) {
            columns.path = Some(path.min(room));
        }
        columns
    }

    /// The event's line, or lines: the first is its headline.
    pub(crate) fn lines(&self, event: &HistoryEvent) -> Vec<String> {
        let word = format!("#{}", event.change.as_str());
        let head = format!("{word:<width$}", width = INDENT.len());
        let figures = self.figures(event);
        let mut lines = match self.path {
            Some(widest) => {
                let path = in_dump(&event.version, widest);
                let room = widest.saturating_sub(fit::columns(&path));
                vec![format!("{head}{path}{:room$} {figures}", "")]
            }
            None => {
                let line = format!("{head}{}", figures.trim_start());
                let path = in_dump(&event.version, self.room());
                vec![
                    fit::cut(&line, self.terminal).into(),
                    format!("{INDENT}{path}"),
                ]
            }
        };
        match &event.change {
            Change::Delete { missing } => lines.push(self.below("not in ", &shown(missing))),
            Change::Rename { from } => lines.push(self.below("from ", &shown(from))),
            _ => {}
        }
        if event.main {
            lines.push(self.below("", "in the main tree, as it is now"));
        }
        lines
    }

    /// Parts that belong under a line, with commas between them, in as many
    /// lines as it takes.
    pub(crate) fn wrapped(&self, parts: &[String]) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let most = self.room();
        for (number, part) in parts.iter().enumerate() {
            let comma = if number + 1 < parts.len() { "," } else { "" };
            let part = format!("{part}{comma}");
            match lines.last_mut() {
                Some(line) if fit::columns(line) + 1 + fit::columns(&part) <= most => {
                    line.push(' ');
                    line.push_str(&part);
                }
                _ => lines.push(fit::cut(&part, most).into()),
            }
        }
        lines.iter().map(|line| format!("{INDENT}{line}")).collect()
    }

    /// A path that belongs under a line, behind a word.
    pub(crate) fn below(&self, word: &str, path: &str) -> String {
        let most = self.room().saturating_sub(word.len());
        format!("{INDENT}{word}{}", fit::path(path, most))
    }

    /// For what stands under a line.
    fn room(&self) -> usize {
        self.terminal.saturating_sub(INDENT.len())
    }

    fn figures(&self, event: &HistoryEvent) -> String {
        let meta = &event.version.meta;
        let at = local(meta.mtime).map_or_else(
            || format!("@{}", meta.mtime.secs),
            |at| at.format("%Y-%m-%d %H:%M").to_string(),
        );
        format!(
            "{:>size$} {:>mode$} {at} {}",
            size(event),
            mode(event),
            letter(meta.kind),
            size = self.size,
            mode = self.mode
        )
    }
}

/// The path of a version: of one that is too long, the dump stays.
fn in_dump(version: &Version, most: usize) -> String {
    let path = shown(&version.path);
    let dump = version.dump.map(|dump| dump.to_string());
    let end = dump.and_then(|dump| Some(path.find(&dump)? + dump.len()));
    let (head, rest) = path.split_at(end.unwrap_or(0));
    match most.checked_sub(fit::columns(head)) {
        Some(room) if room >= NARROWEST.min(fit::columns(rest)) => {
            format!("{head}{}", fit::path(rest, room))
        }
        // Which dump it is matters more: the rest is the same in all lines.
        Some(2..) if !head.is_empty() => format!("{head}/…"),
        _ => fit::path(&path, most).into(),
    }
}

fn shown(path: &Path) -> String {
    Printable::path(path).to_string()
}

/// A directory's own size says nothing to a person.
fn size(event: &HistoryEvent) -> String {
    let meta = &event.version.meta;
    match meta.kind {
        Kind::File => figures::bytes(meta.size),
        _ => "-".to_owned(),
    }
}

fn mode(event: &HistoryEvent) -> String {
    format!("{:o}", event.version.meta.mode)
}
