//! What a dump remembers of the mounts below its trees, so that the next one
//! notices when one of them is away, and where it was last when it returns.

use super::touched::{escaped, unescaped};

/// A directory on which something was mounted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MountNote {
    /// The newest dump that has what was mounted, by its path in the dump
    /// root, if the dump with this note does not have it.
    pub(crate) last: Option<Vec<u8>>,
    /// Where it was mounted: the tree's name first.
    pub(crate) path: Vec<u8>,
    /// Names its filesystem; empty where that has no lasting name.
    pub(crate) filesystem: String,
}

/// Filesystems such as ext4 keep all attributes of a directory in a block of
/// four kilobytes, which others share.
const MOST: usize = 1000;

const HEAD: &str = "mounts 1\n";

impl MountNote {
    /// Notes as they are written: a line `mounts 1`, and one for each mount,
    /// of its path, its filesystem (`-` for none) and the dump that has it
    /// (`-` for this one), the names escaped as in
    /// [`ReadMark`](super::touched::ReadMark). What is away comes first; what
    /// does not fit is not remembered. `None` where there is nothing to say.
    pub(crate) fn format(mut notes: Vec<Self>) -> Option<Vec<u8>> {
        notes.sort_by(|a, b| (a.last.is_none(), &a.path).cmp(&(b.last.is_none(), &b.path)));
        let mut text = HEAD.to_owned();
        for note in notes {
            let or_none = |text: String| {
                if text.is_empty() {
                    "-".to_owned()
                } else {
                    text
                }
            };
            let filesystem = or_none(note.filesystem);
            let last = or_none(escaped(&note.last.unwrap_or_default()));
            let line = format!("{} {filesystem} {last}\n", escaped(&note.path));
            if text.len() + line.len() <= MOST {
                text.push_str(&line);
            }
        }
        (text.len() > HEAD.len()).then(|| text.into_bytes())
    }

    /// Reads notes; lines that are not notes are skipped.
    pub(crate) fn parse(text: &[u8]) -> Vec<Self> {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let lines = text.strip_prefix(HEAD).unwrap_or_default().lines();
        lines.filter_map(Self::parse_line).collect()
    }

    fn parse_line(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [path, filesystem, last] = words[..] else {
            return None;
        };
        let or_none = |word: &'_ str| {
            if word == "-" {
                String::new()
            } else {
                word.to_owned()
            }
        };
        let last = or_none(last);
        Some(Self {
            path: unescaped(path).filter(|path| !path.is_empty())?,
            filesystem: or_none(filesystem),
            last: if last.is_empty() {
                None
            } else {
                Some(unescaped(&last)?)
            },
        })
    }

    /// Its path below a tree of this name; `None` of another tree's.
    pub(crate) fn below(&self, tree: &[u8]) -> Option<&[u8]> {
        self.path.strip_prefix(tree)?.strip_prefix(b"/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(path: &[u8], filesystem: &str, last: Option<&str>) -> MountNote {
        MountNote {
            path: path.to_vec(),
            filesystem: filesystem.to_owned(),
            last: last.map(|last| last.as_bytes().to_vec()),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let notes = vec![
            note(b"home/a b\n/%\xff", "", Some("2030/0101/0100")),
            note(b"home/usb", "uuid:1", None),
            note(b"srv/x", "", None),
        ];
        let mut mixed = notes.clone();
        mixed.reverse();
        let text = MountNote::format(mixed).expect("something");
        assert_eq!(MountNote::parse(&text), notes);
        assert_eq!(MountNote::format(Vec::new()), None);
        assert_eq!(notes[1].below(b"home"), Some(&b"usb"[..]));
        assert_eq!(notes[1].below(b"hom"), None);
    }

    #[test]
    fn what_does_not_fit_is_not_remembered_but_what_is_away_is() {
        let mounted = (0..100).map(|n| note(format!("t/{n:0>40}").as_bytes(), "", None));
        let away = note(b"t/away", "", Some("first"));
        let notes: Vec<_> = mounted.chain([away.clone()]).collect();
        let text = MountNote::format(notes).expect("something");
        assert!(text.len() <= MOST);
        let read = MountNote::parse(&text);
        assert!(read.len() > 10 && read[0] == away, "{read:?}");
        for text in [
            &b""[..],
            b"mounts 2\na - -\n",
            b"mounts 1\na -\n",
            b"mounts 1\n%0 - -\n",
        ] {
            assert_eq!(MountNote::parse(text), Vec::new());
        }
    }
}
