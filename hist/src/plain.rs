//! The line of an event in a pipe: the same fields for ever, since programs
//! read it.

use chrono::{DateTime, Local, SecondsFormat};
use dumpcore::{Change, HistoryEvent, Kind, Printable, Time};

/// Kind, TAB, path, size, mode, mtime, type; behind another TAB what else
/// there is to say.
pub(crate) fn line(event: &HistoryEvent) -> String {
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

/// `None` for what no calendar has.
pub(crate) fn local(time: Time) -> Option<DateTime<Local>> {
    DateTime::from_timestamp(time.secs, time.nanos).map(|at| at.with_timezone(&Local))
}

/// Local time in RFC 3339; seconds since 1970 for what no calendar has.
fn moment(time: Time) -> String {
    local(time).map_or_else(
        || format!("@{}", time.secs),
        |at| at.to_rfc3339_opts(SecondsFormat::Secs, false),
    )
}

pub(crate) fn letter(kind: Kind) -> char {
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
