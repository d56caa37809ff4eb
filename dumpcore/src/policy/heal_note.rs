//! What is noted before the names of a damaged inode are given to a good one, so
//! that it can be finished: which inode takes the place of which, under which
//! names, and what the directories are to have again.
//!
//! A line each, in words and numbers; bytes of paths as hexadecimal digits. Lines
//! that begin with `#` are for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::erase_note::{DirWas, bytes, dir_line, hex, parse_dir};
use crate::model::path::{Printable, RelPath};
use crate::model::time::Time;
use crate::policy::layout::DumpId;

/// An inode of the dump disk: its number, and when it was made.
pub(crate) type InodeKey = (u64, Option<Time>);

/// The note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealNote {
    pub(crate) old: InodeKey,
    pub(crate) new: InodeKey,
    /// Dumps, and the paths in them.
    pub(crate) names: Vec<(DumpId, RelPath)>,
    /// Directories below the dump root.
    pub(crate) dirs: BTreeMap<Vec<u8>, DirWas>,
}

impl HealNote {
    /// The lines.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Some((dump, path)) = self.names.first() {
            let (path, number) = (Printable::path(path.as_path()), self.names.len());
            let _ = writeln!(text, "# {path} in {dump}; {number} names in all");
        }
        for (word, (ino, born)) in [("old", self.old), ("new", self.new)] {
            let born = born.map(|born| format!(" {} {}", born.secs, born.nanos));
            let _ = writeln!(text, "{word} {ino}{}", born.unwrap_or_default());
        }
        for (dump, path) in &self.names {
            let _ = writeln!(text, "name {dump} {}", hex(path.as_bytes()));
        }
        for (dir, was) in &self.dirs {
            text.push_str(&dir_line(dir, was));
        }
        text.push_str("end\n");
        text
    }

    /// Reads the lines; `None` of anything else, and of a note that was cut off.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mut old, mut new) = (None, None);
        let (mut names, mut dirs) = (Vec::new(), BTreeMap::new());
        for line in text.strip_suffix("end\n")?.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["#", ..] => {}
                ["old", key @ ..] => old = Some(parse_key(key)?),
                ["new", key @ ..] => new = Some(parse_key(key)?),
                ["name", dump, path] => {
                    let dump = DumpId::parse(dump.as_bytes())?;
                    names.push((dump, RelPath::from_bytes(&bytes(path)?)));
                }
                words => dirs.extend([parse_dir(words)?]),
            }
        }
        Some(Self {
            old: old?,
            new: new?,
            names,
            dirs,
        })
    }
}

fn parse_key(words: &[&str]) -> Option<InodeKey> {
    match words {
        [ino] => Some((ino.parse().ok()?, None)),
        [ino, secs, nanos] => {
            let born = Time::new(secs.parse().ok()?, nanos.parse().ok()?);
            Some((ino.parse().ok()?, Some(born)))
        }
        _ => None,
    }
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
        let note = HealNote {
            old: (u64::MAX, Some(Time::new(1_700_000_000, 5))),
            new: (12, None),
            names: vec![
                (
                    dump("2026/1122/2331"),
                    RelPath::from_bytes(b"home/a b\n\xff"),
                ),
                (
                    dump("2026/1122/2331_incomplete"),
                    RelPath::from_bytes(b"x/y"),
                ),
            ],
            dirs: [(b"2026/1122/2331/home".to_vec(), was)].into(),
        };
        let text = note.text();
        assert!(text.starts_with("# home/a b"), "{text}");
        assert_eq!(HealNote::parse(&text), Some(note));
        for cut in 0..text.len() {
            assert_eq!(HealNote::parse(&text[..cut]), None, "cut at {cut}");
        }
        for bad in [
            "",
            "end\n",
            "old 1\nend\n",
            "old 1\nnew x\nend\n",
            "x\nend\n",
        ] {
            assert_eq!(HealNote::parse(bad), None, "{bad}");
        }
    }
}
