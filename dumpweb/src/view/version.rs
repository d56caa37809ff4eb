//! The versions of one path that differ, as values.

use dumpcore::{DumpId, Kind, Time};

use crate::view::calendar::Calendar;

/// The versions of a path.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    /// The oldest first.
    pub rows: Vec<VersionRow>,
    /// How many dumps could not be looked at.
    pub unread: usize,
    /// Were they not looked for, since that would take too long?
    pub left_out: bool,
}

/// A version, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// The first dump that has it; of what was deleted the first one without it.
    pub dump: DumpId,
    /// What happened.
    pub change: VersionChange,
    /// What it is.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
    /// The size of the version before, in bytes.
    pub size_before: Option<u64>,
    /// When it was modified.
    pub mtime: Time,
}

/// What led to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionChange {
    /// It appeared.
    Created,
    /// Its content, or that of a directory its names, changed.
    Changed,
    /// Only its mode, owner, time or attributes changed.
    Attributes,
    /// It was no longer there.
    Deleted,
}

impl Versions {
    /// The version that a dump has, or its end: the last one that began before or
    /// with it.
    #[must_use]
    pub fn in_dump(&self, dump: DumpId, calendar: &Calendar) -> Option<usize> {
        let place = calendar.place(dump)?;
        let began = |row: &VersionRow| calendar.place(row.dump).is_some_and(|at| at <= place);
        self.rows.iter().rposition(began)
    }
}
