//! What a dump is called, and the directories that spell it.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use super::{FIRST, number};
use crate::model::minute::Stamp;
use crate::model::path::RelPath;
use crate::model::report::Report;

const CHECKPOINT_SUFFIX: &[u8] = b"_chk";
const INCOMPLETE_SUFFIX: &[u8] = b"_incomplete";

/// Is it a dump, or a checkpoint?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Sort {
    /// Made by linking what is unchanged.
    Dump,
    /// A copy that shares nothing.
    Checkpoint,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sort::Dump => "dump",
            Sort::Checkpoint => "checkpoint",
        })
    }
}

/// The text is not the name of a dump.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the name of a dump, such as 2026/1122/2331")]
pub struct BadDumpName(String);

/// The name of a dump: its minute, and whether it is a checkpoint.
/// Ordered by time; a checkpoint of the same minute comes second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DumpName {
    /// The civil minute.
    pub stamp: Stamp,
    /// A dump or a checkpoint.
    pub sort: Sort,
}

impl DumpName {
    /// The name of a dump of this minute.
    #[must_use]
    pub fn dump(stamp: Stamp) -> Self {
        Self {
            stamp,
            sort: Sort::Dump,
        }
    }

    /// The name of a checkpoint of this minute.
    #[must_use]
    pub fn checkpoint(stamp: Stamp) -> Self {
        Self {
            stamp,
            sort: Sort::Checkpoint,
        }
    }

    /// `2026`
    #[must_use]
    pub fn year(&self) -> String {
        format!("{:04}", self.stamp.year())
    }

    /// `1122`
    #[must_use]
    pub fn day(&self) -> String {
        format!("{:02}{:02}", self.stamp.month(), self.stamp.day())
    }

    /// `2331`, `0500_chk`
    #[must_use]
    pub fn leaf(&self) -> String {
        let (h, m) = (self.stamp.hour(), self.stamp.minute());
        match self.sort {
            Sort::Dump => format!("{h:02}{m:02}"),
            Sort::Checkpoint => format!("{h:02}{m:02}_chk"),
        }
    }

    /// `2331_incomplete`, `0500_chk_incomplete`
    #[must_use]
    pub fn incomplete_leaf(&self) -> String {
        format!("{}_incomplete", self.leaf())
    }

    /// `2026/1122/2331`, relative to the dump root.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("{}/{}/{}", self.year(), self.day(), self.leaf()))
    }

    /// The same, to be opened below a handle.
    pub(crate) fn rel_path(&self) -> RelPath {
        RelPath::from_bytes(self.to_string().as_bytes())
    }

    /// `2026/1122/2331_incomplete`, relative to the dump root.
    #[must_use]
    pub fn incomplete_path(&self) -> PathBuf {
        self.path().with_file_name(self.incomplete_leaf())
    }

    /// Parses `2026/1122/2331` or `2026/1101/0500_chk`: exactly three names.
    #[must_use]
    pub fn parse(path: &[u8]) -> Option<Self> {
        let mut names = path.split(|b| *b == b'/');
        let found = Self::from_names(names.next()?, names.next()?, names.next()?)?;
        (names.next().is_none() && !found.incomplete).then_some(found.name)
    }

    /// The dump that directory names of year, day and time spell.
    #[must_use]
    pub fn from_names(year: &[u8], day: &[u8], leaf: &[u8]) -> Option<Found> {
        let year = Year::parse(year)?;
        let day = Day::parse(day)?;
        let leaf = Leaf::parse(leaf)?;
        let stamp = Stamp::new(year.0, day.month, day.day, leaf.hour, leaf.minute)?;
        Some(Found {
            name: Self {
                stamp,
                sort: leaf.sort,
            },
            incomplete: leaf.incomplete,
        })
    }
}

impl fmt::Display for DumpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.year(), self.day(), self.leaf())
    }
}

impl fmt::Debug for DumpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DumpName {
    type Err = BadDumpName;

    /// Reads what [`DumpName::parse`] does.
    ///
    /// ```
    /// let name: dumpcore::DumpName = "2026/1101/0500_chk".parse()?;
    /// assert_eq!(name.stamp.to_string(), "2026-11-01T05:00");
    /// # Ok::<(), dumpcore::BadDumpName>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, BadDumpName> {
        Self::parse(text.as_bytes()).ok_or_else(|| BadDumpName(text.to_owned()))
    }
}

impl Report {
    /// The name of the dump; `None` of a report whose path is not one of a
    /// dump, which no run makes.
    #[must_use]
    pub fn name(&self) -> Option<DumpName> {
        let mut names = self.dump.iter().rev().map(OsStr::as_bytes);
        let (leaf, day, year) = (names.next()?, names.next()?, names.next()?);
        let found = DumpName::from_names(year, day, leaf)?;
        (!found.incomplete).then_some(found.name)
    }
}

impl From<DumpName> for DumpId {
    fn from(name: DumpName) -> Self {
        DumpId::Dump(name)
    }
}

impl FromStr for DumpId {
    type Err = BadDumpName;

    /// Reads what [`DumpId::parse`] does.
    fn from_str(text: &str) -> Result<Self, BadDumpName> {
        Self::parse(text.as_bytes()).ok_or_else(|| BadDumpName(text.to_owned()))
    }
}

/// A dump's directory as found on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Which dump.
    pub name: DumpName,
    /// Is it being made, or was left behind by a run that stopped?
    pub incomplete: bool,
}

/// Any dump of a dump root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DumpId {
    /// The first copy, made by hand.
    First,
    /// A published dump or checkpoint.
    Dump(DumpName),
    /// One that is being made, or was left behind by a run that stopped.
    Incomplete(DumpName),
}

impl DumpId {
    /// Parses `2026/1122/2331`, `2026/1122/2331_incomplete` or `first`.
    #[must_use]
    pub fn parse(path: &[u8]) -> Option<Self> {
        if path == FIRST.as_bytes() {
            return Some(DumpId::First);
        }
        let mut names = path.split(|b| *b == b'/');
        let found = DumpName::from_names(names.next()?, names.next()?, names.next()?)?;
        names.next().is_none().then_some(match found.incomplete {
            true => DumpId::Incomplete(found.name),
            false => DumpId::Dump(found.name),
        })
    }

    /// Its date; a first copy has none.
    #[must_use]
    pub fn name(&self) -> Option<DumpName> {
        match self {
            DumpId::First => None,
            DumpId::Dump(name) | DumpId::Incomplete(name) => Some(*name),
        }
    }

    /// Its path in the dump root.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            DumpId::First => PathBuf::from(FIRST),
            DumpId::Dump(name) => name.path(),
            DumpId::Incomplete(name) => name.incomplete_path(),
        }
    }

    /// The same, to be opened below a handle.
    pub(crate) fn rel_path(&self) -> RelPath {
        RelPath::from_bytes(self.path().as_os_str().as_bytes())
    }
}

impl fmt::Display for DumpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().display().fmt(f)
    }
}

/// A year directory: four digits, or more without a leading zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Year(pub i32);

impl Year {
    /// Parses a directory name.
    #[must_use]
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        let long_enough = name.len() == 4 || (name.len() > 4 && name[0] != b'0');
        if !long_enough || name.len() > 6 {
            return None;
        }
        number(name).and_then(|n| i32::try_from(n).ok()).map(Self)
    }
}

/// A day directory: month and day, two digits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day {
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31: whether the month has it, the year decides.
    pub day: u32,
}

impl Day {
    /// Parses a directory name.
    #[must_use]
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        let (month, day) = two_pairs(name)?;
        ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(Self { month, day })
    }
}

/// A time directory: hour and minute, and what its suffixes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leaf {
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// A dump or a checkpoint.
    pub sort: Sort,
    /// Not published.
    pub incomplete: bool,
}

impl Leaf {
    /// Parses a directory name.
    #[must_use]
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        let (name, incomplete) = strip(name, INCOMPLETE_SUFFIX);
        let (name, checkpoint) = strip(name, CHECKPOINT_SUFFIX);
        let (hour, minute) = two_pairs(name)?;
        (hour < 24 && minute < 60).then_some(Self {
            hour,
            minute,
            sort: if checkpoint {
                Sort::Checkpoint
            } else {
                Sort::Dump
            },
            incomplete,
        })
    }
}

fn strip<'a>(name: &'a [u8], suffix: &[u8]) -> (&'a [u8], bool) {
    match name.strip_suffix(suffix) {
        Some(rest) => (rest, true),
        None => (name, false),
    }
}

fn two_pairs(name: &[u8]) -> Option<(u32, u32)> {
    if name.len() != 4 {
        return None;
    }
    Some((number(&name[..2])?, number(&name[2..])?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn stamp(text: &str) -> Stamp {
        text.parse().expect(text)
    }

    #[test]
    fn names_and_parses() {
        let cases = [
            (DumpName::dump(stamp("2026-11-22T23:31")), "2026/1122/2331"),
            (
                DumpName::checkpoint(stamp("2026-11-01T05:00")),
                "2026/1101/0500_chk",
            ),
            (DumpName::dump(stamp("0987-01-02T00:00")), "0987/0102/0000"),
            (
                DumpName::dump(stamp("12026-01-02T00:00")),
                "12026/0102/0000",
            ),
        ];
        for (name, path) in cases {
            assert_eq!(name.path(), Path::new(path));
            assert_eq!(DumpName::parse(path.as_bytes()), Some(name), "{path}");
        }
    }

    #[test]
    fn passes_over_what_is_no_dump() {
        for path in [
            "",
            "/",
            "2026/1122",
            "2026/1122/2331/NEWAGE",
            "2026/1122/2331_incomplete",
            "2026/1122/2400",
            "2026/1122/2360",
            "2025/0229/1200",
            "2026/1322/2331",
            "26/1122/2331",
            "02026/1122/2331",
            "2026/122/2331",
            "2026/1122/+331",
            "2026/1122/2331_CHK",
            "2026/1122/2331_incomplete_chk",
            "99999999999/1122/2331",
            "first",
            "2026/1122/\u{0661}\u{0662}",
        ] {
            assert_eq!(DumpName::parse(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn knows_what_is_being_made() {
        let chk = DumpName::from_names(b"2026", b"1101", b"0500_chk_incomplete");
        let chk = chk.expect("a checkpoint being made");
        assert!(chk.incomplete);
        assert_eq!(chk.name.incomplete_leaf(), "0500_chk_incomplete");
        let dump = DumpName::from_names(b"2026", b"1101", b"0500_incomplete");
        assert_eq!(dump.map(|d| d.name.sort), Some(Sort::Dump));
    }
}
