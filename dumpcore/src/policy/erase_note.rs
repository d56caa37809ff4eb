//! What an erasure notes before it takes anything out of dumps, so that the next
//! one can finish it: which paths, and what the directories and dumps that lose a
//! name are to have again.
//!
//! A line each, in words and numbers; bytes of paths as hexadecimal digits.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::path::RelPath;
use crate::model::time::Time;
use crate::policy::layout::DumpId;

/// The attributes that a directory had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DirWas {
    pub(crate) atime: Time,
    pub(crate) mtime: Time,
    pub(crate) mode: u16,
}

/// The note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EraseNote {
    /// Paths in dumps, which begin with the name of a tree.
    pub(crate) paths: Vec<RelPath>,
    /// Directories below the dump root.
    pub(crate) dirs: BTreeMap<Vec<u8>, DirWas>,
    /// How many names dumps are to say that they have.
    pub(crate) names: BTreeMap<DumpId, u64>,
}

impl EraseNote {
    /// Is nothing left to be done?
    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.dirs.is_empty()
    }

    /// The lines.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for path in &self.paths {
            let _ = writeln!(text, "path {}", hex(path.as_bytes()));
        }
        for (dir, was) in &self.dirs {
            text.push_str(&dir_line(dir, was));
        }
        for (dump, names) in &self.names {
            let _ = writeln!(text, "names {dump} {names}");
        }
        text.push_str("end\n");
        text
    }

    /// Reads the lines; `None` of anything else, and of a note that was cut off.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut note = Self::default();
        for line in text.strip_suffix("end\n")?.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["path", path] => note.paths.push(RelPath::from_bytes(&bytes(path)?)),
                ["names", dump, names] => {
                    let dump = DumpId::parse(dump.as_bytes())?;
                    note.names.insert(dump, names.parse().ok()?);
                }
                words => note.dirs.extend([parse_dir(words)?]),
            }
        }
        Some(note)
    }
}

/// The line of a directory.
pub(super) fn dir_line(dir: &[u8], was: &DirWas) -> String {
    let (atime, mtime) = (was.atime, was.mtime);
    let times = [
        atime.secs,
        atime.nanos.into(),
        mtime.secs,
        mtime.nanos.into(),
    ];
    let times = times.map(|number| number.to_string()).join(" ");
    format!("dir {} {times} {}\n", hex(dir), was.mode)
}

/// The words of such a line.
pub(super) fn parse_dir(words: &[&str]) -> Option<(Vec<u8>, DirWas)> {
    let ["dir", dir, at, at_nanos, mt, mt_nanos, mode] = words else {
        return None;
    };
    let was = DirWas {
        atime: Time::new(at.parse().ok()?, at_nanos.parse().ok()?),
        mtime: Time::new(mt.parse().ok()?, mt_nanos.parse().ok()?),
        mode: mode.parse().ok()?,
    };
    Some((bytes(dir)?, was))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?, 16).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again() {
        let dump = |name: &str| DumpId::parse(name.as_bytes()).expect(name);
        let was = DirWas {
            atime: Time::new(-5, 7),
            mtime: Time::new(1 << 33, 999_999_999),
            mode: 0o2755,
        };
        let note = EraseNote {
            paths: vec![
                RelPath::from_bytes(b"home/a b\n\xff"),
                RelPath::from_bytes(b"x/y"),
            ],
            dirs: [(b"2026/1122/2331/home".to_vec(), was)].into(),
            names: [(dump("2026/1122/2331"), 7), (dump("first"), 0)].into(),
        };
        let text = note.text();
        assert_eq!(EraseNote::parse(&text), Some(note));
        for cut in 0..text.len() {
            assert_eq!(EraseNote::parse(&text[..cut]), None, "cut at {cut}");
        }
        assert_eq!(EraseNote::parse("end\n"), Some(EraseNote::default()));
        for bad in [
            "",
            "path xy\nend\n",
            "path 0\nend\n",
            "dir 00 1\nend\n",
            "x\nend\n",
        ] {
            assert_eq!(EraseNote::parse(bad), None, "{bad}");
        }
    }
}
