//! Which dump a link or a path refers to.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::dump_name::{Day, DumpId, DumpName, Year};
use super::{CURRENT, CURRENT_CHECKPOINT, FIRST, STATE_DIR};
use crate::model::path::RelPath;

/// Where a link such as `current` points, in any form it may have.
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

/// The dump that a link in the dump root names exactly, without a tree behind
/// it; `None` for anything else.
#[must_use]
pub(crate) fn pinned(text: &[u8]) -> Option<DumpId> {
    let target = LinkTarget::parse(text)?;
    let last = Path::new(OsStr::from_bytes(text)).file_name()?;
    let exactly = target.dir.as_path().file_name() == Some(last);
    exactly.then(|| target.name.map_or(DumpId::First, DumpId::Dump))
}

/// The path of a dump in its root, as one remembers another: nothing else.
#[must_use]
pub(crate) fn dump_path(path: &[u8]) -> Option<&[u8]> {
    let is_dump = path == FIRST.as_bytes() || DumpName::parse(path).is_some();
    is_dump.then_some(path)
}

/// The dump that a path below a dump root is in, relative to that root: one
/// that has a date, also one that is being made, or a first copy. `None` for
/// what is in none.
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

/// Is a path below a dump root one of the names that its programs make there, or
/// below such a name? Pins, exclude rules and notes are not.
#[must_use]
pub(crate) fn is_own(below: &Path) -> bool {
    let own = [STATE_DIR, CURRENT, CURRENT_CHECKPOINT, FIRST];
    let is =
        |name: &[u8]| Year::parse(name).is_some() || own.iter().any(|own| own.as_bytes() == name);
    below.iter().next().is_some_and(|name| is(name.as_bytes()))
}

/// The directory of a year or a day that a path below a dump root is in,
/// relative to that root: `2026`, `2026/1122`. `None` for what is in none.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::layout::Sort;

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
