//! Names on disk ⇄ values: the only room that spells them.
//!
//! ```text
//! DUMP/current      -> 2026/1122/2331
//! DUMP/current_chk  -> 2026/1101/0500_chk
//! DUMP/first/NEWAGE
//! DUMP/2026/1122/2331/NEWAGE
//! DUMP/2026/1101/0500_chk/NEWAGE
//! DUMP/2026/1122/2331_incomplete          a dump being made
//! DUMP/2026/1101/0500_chk_incomplete      a checkpoint being made
//! DUMP/.dump/lock                         locked by the run that writes
//! DUMP/.dump/busy                         since when no run got the lock
//! DUMP/.dump/removing/2026-1122-2331      a dump on its way out
//! ```
//!
//! Every function is total: any bytes may stand in a dump root, and what is
//! not one of these names is `None`, never an error and never a panic.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::model::minute::Stamp;
use crate::model::path::RelPath;

/// The link to the newest complete dump.
pub(crate) const CURRENT: &str = "current";
/// The link to the newest checkpoint.
pub(crate) const CURRENT_CHECKPOINT: &str = "current_chk";
/// The directory of a first copy that somebody made by hand.
pub(crate) const FIRST: &str = "first";
/// The runner's own directory in a dump root.
pub(crate) const STATE_DIR: &str = ".dump";
/// In [`STATE_DIR`]: the file that a run locks.
pub(crate) const LOCK: &str = "lock";
/// In [`STATE_DIR`]: made by a run that found the lock held, removed by the
/// next one that takes it. Its time says since when no run got through.
pub(crate) const BUSY: &str = "busy";
/// In [`STATE_DIR`]: dumps on their way out.
pub(crate) const REMOVING: &str = "removing";
/// Where exclude rules lie, below a main tree or a dump root.
pub const EXCLUDE_FILE: &str = ".rsync/exclude";
/// The extended attribute, on what is being made, that tells what of it has
/// surely reached the disk.
pub(crate) const FLUSHED_XATTR: &str = "user.dump.flushed";
/// The extended attribute, on a dump, that tells when its run began: RFC 3339
/// in UTC, with nanoseconds.
pub(crate) const MOMENT_XATTR: &str = "user.dump.moment";
/// The extended attribute, on a published dump that lacks entries, that tells
/// how many: a decimal number.
pub(crate) const PARTIAL_XATTR: &str = "user.dump.partial";
/// The extended attribute, on a dump, that says for each tree when reading of
/// it began: [`ReadMark`](crate::policy::touched::ReadMark).
pub(crate) const READ_XATTR: &str = "user.dump.read";
/// The extended attribute, on a dump, in which it remembers what was mounted
/// below its trees: [`MountNote`](crate::policy::mounts::MountNote).
pub(crate) const MOUNTS_XATTR: &str = "user.dump.mounts";
/// The extended attribute, on a dump, in which it remembers where nothing has
/// attributes.
pub(crate) const BARE_XATTR: &str = "user.dump.bare";
/// The extended attribute, on a dump, that says how many names were below it
/// when it was published.
pub(crate) const NAMES_XATTR: &str = "user.dump.names";
/// The names on which a run tries what a filesystem can do. A run may be
/// killed with any of them in place, so none is ever a tree's.
pub(crate) const TRIALS: [&str; 2] = [".dump_trial", ".dump_trial_link"];
/// What stands in the name of something that is being restored.
const RESTORING: &str = ".dump-restoring-";
const REPLACED: &[u8] = b".old";
const CHECKPOINT_SUFFIX: &[u8] = b"_chk";
const INCOMPLETE_SUFFIX: &[u8] = b"_incomplete";

/// The name under which a new link is made before it is renamed over `link`.
#[must_use]
pub(crate) fn fresh_link(link: &str) -> String {
    format!(".{link}.new")
}

/// The name that what is restored has beside `name` until it is whole, and
/// that what it replaces has until it is removed. No dump holds it: whatever
/// bears it is half made or on its way out.
#[must_use]
pub(crate) fn restoring(name: &[u8], id: u32) -> Vec<u8> {
    let tail = format!("{RESTORING}{id}");
    // 255 is the longest name that Linux filesystems take.
    let mut keep = name.len().min(254 - tail.len() - REPLACED.len());
    // A filesystem that wants text refuses half a character.
    while keep < name.len() && keep > 0 && name[keep] & 0xc0 == 0x80 {
        keep -= 1;
    }
    [b".", &name[..keep], tail.as_bytes()].concat()
}

/// Is it a name that only a restoration gives? `.NAME.dump-restoring-4711`,
/// with `.old` behind it for what was replaced.
#[must_use]
pub(crate) fn is_restoring(name: &[u8]) -> bool {
    // Nearly every name ends here.
    name.first() == Some(&b'.') && restoring_id(name).is_some()
}

/// The number in such a name.
fn restoring_id(name: &[u8]) -> Option<u32> {
    let name = name.strip_suffix(REPLACED).unwrap_or(name);
    let digits = name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (name, digits) = name.split_at(name.len() - digits);
    name.ends_with(RESTORING.as_bytes()).then_some(())?;
    number(digits).filter(|_| !digits.is_empty())
}

/// How many entries a dump lacks, by its mark; one that says nothing means
/// that it lacks some.
#[must_use]
pub(crate) fn partial_count(mark: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(mark).unwrap_or_default();
    match text.trim().parse() {
        Ok(0) => None,
        Ok(lacking) => Some(lacking),
        Err(_) => Some(1),
    }
}

/// The name of what a restoration replaces, for the moment between two
/// renames, where names cannot be exchanged.
#[must_use]
pub(crate) fn replaced(restoring: &[u8]) -> Vec<u8> {
    [restoring, REPLACED].concat()
}

/// Was this left beside `name` by a restoration of it, and is it what was
/// being made, or, exchanged for that, is being removed?
#[must_use]
pub(crate) fn is_left_beside(name: &[u8], found: &[u8]) -> bool {
    restoring_id(found).is_some_and(|id| restoring(name, id) == found)
}

/// Is it what a restoration of `name` replaced, moved aside by [`replaced`]?
#[must_use]
pub(crate) fn is_replaced(name: &[u8], found: &[u8]) -> bool {
    let restoring = found.strip_suffix(REPLACED);
    restoring.is_some_and(|restoring| is_left_beside(name, restoring))
}

/// The path of a dump in its root, as one remembers another: nothing else.
#[must_use]
pub(crate) fn dump_path(path: &[u8]) -> Option<&[u8]> {
    let is_dump = path == FIRST.as_bytes() || DumpName::parse(path).is_some();
    is_dump.then_some(path)
}

/// Is it what a run left behind of its trials?
#[must_use]
pub(crate) fn is_trial(name: &[u8]) -> bool {
    TRIALS.iter().any(|trial| trial.as_bytes() == name)
}

/// Is it a dump, or a checkpoint?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// Made by linking what is unchanged.
    Dump,
    /// A copy that shares nothing.
    Checkpoint,
}

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

/// A dump's directory as found on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which dump.
    pub name: DumpName,
    /// Is it being made, or was left behind by a run that stopped?
    pub incomplete: bool,
}

/// A dump of a dump root, whatever it is called.
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

    /// Its date; of a first copy there is none.
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
            DumpId::Incomplete(name) => name.path().with_file_name(name.incomplete_leaf()),
        }
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

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |n, b| {
        let digit = b.is_ascii_digit().then(|| u32::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// Where a link such as `current` points, in whatever form it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkTarget {
    /// The dump's directory, relative to the dump root.
    pub dir: RelPath,
    /// Its name, when it has the form of one; `first` has none.
    pub name: Option<DumpName>,
}

impl LinkTarget {
    /// Reads a link's text. All of these name a dump of the root that holds
    /// the link: `2026/1122/2331`, `/dump/2026/1122/2331`, the same with a
    /// root name behind it, `first`, `first/NEWAGE`, `/dump/first/NEWAGE`.
    /// Of an absolute text only the end counts, so that it holds wherever
    /// the dump root is mounted. `None` for anything else.
    #[must_use]
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let names: Vec<&[u8]> = text
            .split(|b| *b == b'/')
            .filter(|n| !n.is_empty() && *n != b".")
            .collect();
        if names.contains(&b"..".as_slice()) {
            return None;
        }
        let absolute = text.first() == Some(&b'/');
        // The end may be the root's name, so that the dump ends before it. A
        // tree may be named as the first copy is: dates count first.
        let ends = || (0..=1).filter_map(|behind| Some(&names[..names.len().checked_sub(behind)?]));
        for names in ends() {
            if let [before @ .., year, day, leaf] = names
                && (absolute || before.is_empty())
                && let Some(found) = DumpName::from_names(year, day, leaf)
                && !found.incomplete
            {
                return Some(Self {
                    dir: RelPath::from_bytes(found.name.path().as_os_str().as_bytes()),
                    name: Some(found.name),
                });
            }
        }
        for names in ends() {
            if let [before @ .., first] = names
                && (absolute || before.is_empty())
                && *first == FIRST.as_bytes()
            {
                return Some(Self {
                    dir: RelPath::from_bytes(FIRST.as_bytes()),
                    name: None,
                });
            }
        }
        None
    }
}

/// The dump that a path below a dump root lies in, relative to that root: one
/// that bears a date, also one that is being made, or a first copy. `None` for
/// what lies in none.
#[must_use]
pub(crate) fn dump_around(below: &Path) -> Option<PathBuf> {
    let mut names = below.iter();
    let first = names.next()?;
    if first.as_bytes() == FIRST.as_bytes() {
        return Some(first.into());
    }
    let (day, leaf) = (names.next()?, names.next()?);
    DumpName::from_names(first.as_bytes(), day.as_bytes(), leaf.as_bytes())?;
    Some([first, day, leaf].iter().collect())
}

/// The directory of a year or a day that a path below a dump root lies in,
/// relative to that root: `2026`, `2026/1122`. `None` for what lies in none.
#[must_use]
pub(crate) fn day_around(below: &Path) -> Option<PathBuf> {
    let mut names = below.iter();
    let year = names.next()?;
    Year::parse(year.as_bytes())?;
    let day = names
        .next()
        .filter(|day| Day::parse(day.as_bytes()).is_some());
    Some(std::iter::once(year).chain(day).collect())
}

/// The name that a tree gets in a dump when none is given: its last one.
/// `None` for `/` and paths that end in `..`.
#[must_use]
pub(crate) fn root_name(main: &Path) -> Option<&OsStr> {
    main.file_name()
}

/// The name of a dump on its way out, in [`REMOVING`]; `again` tells it from
/// others that were under the same name before.
#[must_use]
pub(crate) fn removing_leaf(dump: &Path, again: u32) -> String {
    let names: Vec<_> = dump.iter().map(OsStr::to_string_lossy).collect();
    match again {
        0 => names.join("-"),
        again => format!("{}.{again}", names.join("-")),
    }
}

/// Can a link of this name be a pin? Not one of our own, nor what could be
/// taken for a moment or for a previous version by a file manager.
#[must_use]
pub(crate) fn is_pin_name(name: &[u8]) -> bool {
    let starts = |with: &str| name.starts_with(with.as_bytes());
    let words = [FIRST, "main", "today", "yesterday"];
    !starts("@GMT-")
        && !starts(CURRENT)
        && !words.iter().any(|word| word.as_bytes() == name)
        && name
            .first()
            .is_some_and(|first| *first != b'.' && !first.is_ascii_digit())
}

/// The dump that a link in the dump root names exactly, without a tree behind
/// it; `None` for anything else.
#[must_use]
pub(crate) fn pinned(text: &[u8]) -> Option<DumpId> {
    let target = LinkTarget::parse(text)?;
    let last = Path::new(OsStr::from_bytes(text)).file_name()?;
    let exactly = target.dir.as_path().file_name() == Some(last);
    exactly.then(|| target.name.map_or(DumpId::First, DumpId::Dump))
}

/// Can these bytes be the name of a root in a dump?
#[must_use]
pub(crate) fn is_root_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name != b"."
        && name != b".."
        && name.len() <= 255
        && !name.contains(&b'/')
        && !name.contains(&0)
        && !is_trial(name)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_restoration_is_known_by_its_name() {
        let long = "é".repeat(127) + "x";
        for name in ["f", "a b", ".hidden", long.as_str()] {
            for id in [1, 4711, u32::MAX] {
                let beside = restoring(name.as_bytes(), id);
                assert!(beside.len() <= 255, "{name}");
                assert!(std::str::from_utf8(&beside).is_ok(), "{name}");
                assert!(is_restoring(&beside), "{name}");
                assert!(is_left_beside(name.as_bytes(), &beside), "{name}");
                assert!(!is_left_beside(b"other", &beside), "{name}");
                assert_ne!(beside, restoring(name.as_bytes(), 7));
                let replaced = replaced(&beside);
                assert!(is_restoring(&replaced) && replaced.len() <= 255, "{name}");
                assert!(!is_left_beside(name.as_bytes(), &replaced), "{name}");
                assert!(is_replaced(name.as_bytes(), &replaced), "{name}");
                assert!(!is_replaced(name.as_bytes(), &beside), "{name}");
            }
        }
        for name in [
            "",
            ".",
            "f",
            ".f.dump-1",
            ".f.dump-restoring-",
            ".f.dump-restoring-x1",
            ".f.dump-restoring-1.new",
            ".f.dump-restoring-99999999999",
            "f.dump-restoring-1",
        ] {
            assert!(!is_restoring(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn reads_every_form_of_current() {
        let dated = [
            "2026/1122/2331",
            "2026/1122/2331/NEWAGE",
            "./2026//1122/2331/",
        ];
        let absolute = [
            "/dump/2026/1122/2331",
            "/mnt/old/2026/1122/2331/NEWAGE",
            "/dump/2026/1122/2331/first",
        ];
        for text in dated.into_iter().chain(absolute) {
            let target = LinkTarget::parse(text.as_bytes()).expect(text);
            assert_eq!(target.dir.as_bytes(), b"2026/1122/2331", "{text}");
            assert_eq!(target.name, DumpName::parse(b"2026/1122/2331"));
        }
        for text in ["first", "first/NEWAGE", "/dump/first/NEWAGE", "/dump/first"] {
            let target = LinkTarget::parse(text.as_bytes()).expect(text);
            assert_eq!(target.dir.as_bytes(), b"first", "{text}");
            assert_eq!(target.name, None);
        }
        let chk = LinkTarget::parse(b"2026/1101/0500_chk").and_then(|t| t.name);
        assert_eq!(chk.map(|n| n.sort), Some(Sort::Checkpoint));
        for text in [
            "",
            "/",
            "..",
            "../dump/2026/1122/2331",
            "a/2026/1122/2331",
            "2026/1122/2331_incomplete",
            "2026/1122/2331/a/b",
            "first/a/b",
            "other",
        ] {
            assert_eq!(LinkTarget::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_path_in_a_dump_is_known_by_its_names() {
        for (below, dump) in [
            ("2026/1122/2331", Some("2026/1122/2331")),
            ("2026/1122/2331/NEWAGE/a", Some("2026/1122/2331")),
            ("2026/1101/0500_chk/NEWAGE", Some("2026/1101/0500_chk")),
            (
                "2026/1122/2331_incomplete",
                Some("2026/1122/2331_incomplete"),
            ),
            ("first/NEWAGE", Some("first")),
            ("", None),
            ("2026/1122", None),
            ("2026/1122/notes/2331", None),
            ("alice/2026/1122/2331", None),
            ("first.old/NEWAGE", None),
        ] {
            let found = dump_around(Path::new(below));
            assert_eq!(found.as_deref(), dump.map(Path::new), "{below}");
        }
    }
}
