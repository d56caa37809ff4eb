//! The bytes of a path below a root.
//!
//! A name in a file tree is a string of bytes without `/` and NUL; nothing
//! says that it is UTF-8. A [`RelPath`] holds such names joined by `/`, with
//! no slash at either end; the root itself is the empty path. Its `Display`
//! is safe to print on a terminal: control bytes and bytes that are not
//! UTF-8 come out as `\NNN`, three octal digits, and a backslash doubled.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A path below a root, as bytes.
///
/// Shape: names joined by single slashes, none at the ends; empty for the
/// root itself.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Vec<u8>);

impl RelPath {
    /// The root itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Takes bytes that already have the shape of a relative path; leading
    /// and trailing slashes are dropped.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut bytes = bytes;
        while let [b'/', rest @ ..] = bytes {
            bytes = rest;
        }
        while let [rest @ .., b'/'] = bytes {
            bytes = rest;
        }
        Self(bytes.to_vec())
    }

    /// Joins names given from the last one up to the first: the order in
    /// which one climbs from an entry to its root.
    #[must_use]
    pub fn from_names_upwards<'a>(names: impl Iterator<Item = &'a [u8]>) -> Self {
        let names: Vec<&[u8]> = names.collect();
        let mut bytes = Vec::with_capacity(names.iter().map(|n| n.len() + 1).sum());
        for name in names.iter().rev().filter(|n| !n.is_empty()) {
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(name);
        }
        Self(bytes)
    }

    /// This path with one more name at its end.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        bytes.extend_from_slice(&self.0);
        if !bytes.is_empty() && !name.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    /// The bytes, as described at the type.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Is this the root itself?
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The same as a path of the standard library (relative).
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Is it this path, or does it lie below it? All lie below the root.
    #[must_use]
    pub fn is_at_or_below(&self, base: &Self) -> bool {
        let rest = self.0.strip_prefix(&*base.0);
        rest.is_some_and(|rest| base.is_root() || rest.is_empty() || rest[0] == b'/')
    }

    /// The path below `base`; `base` itself for the root.
    #[must_use]
    pub fn below(&self, base: &Path) -> PathBuf {
        if self.is_root() {
            base.to_path_buf()
        } else {
            base.join(self.as_path())
        }
    }
}

impl AsRef<Path> for RelPath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl AsRef<OsStr> for RelPath {
    fn as_ref(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }
}

impl AsRef<[u8]> for RelPath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<RelPath> for PathBuf {
    fn from(path: RelPath) -> Self {
        OsString::from_vec(path.0).into()
    }
}

impl From<&str> for RelPath {
    /// As [`RelPath::from_bytes`].
    fn from(path: &str) -> Self {
        Self::from_bytes(path.as_bytes())
    }
}

impl From<&Path> for RelPath {
    /// As [`RelPath::from_bytes`]: dots in it are names like others.
    fn from(path: &Path) -> Self {
        Self::from_bytes(path.as_os_str().as_bytes())
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Printable(&self.0), f)
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Bytes of a name or path for people to read: what is not printable text is
/// written as `\NNN` in octal, so that a hostile name cannot drive a
/// terminal or forge a line of a log.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a [u8]);

impl<'a> Printable<'a> {
    /// Of a path of the standard library.
    #[must_use]
    pub fn path(path: &'a Path) -> Self {
        Self(path.as_os_str().as_bytes())
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_control() => {
                        let mut buf = [0; 4];
                        for b in c.encode_utf8(&mut buf).bytes() {
                            write!(f, "\\{b:03o}")?;
                        }
                    }
                    c => f.write_char(c)?,
                }
            }
            for b in chunk.invalid() {
                write!(f, "\\{b:03o}")?;
            }
        }
        Ok(())
    }
}

/// A path in a sentence: as [`Printable`], but of one that no system call takes
/// (4096 bytes and more) only the ends, or the sentence would not be read.
#[derive(Clone, Copy, Debug)]
pub struct Brief<'a>(pub &'a [u8]);

impl<'a> Brief<'a> {
    const LONGEST: usize = 4095;
    const END: usize = 200;

    /// Of a path of the standard library.
    #[must_use]
    pub fn path(path: &'a Path) -> Self {
        Self(path.as_os_str().as_bytes())
    }
}

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= Self::LONGEST {
            return fmt::Display::fmt(&Printable(self.0), f);
        }
        // Not in the middle of a character of UTF-8.
        let starts = |at: usize| self.0[at] & 0xc0 != 0x80;
        let near = |at: usize| (at.saturating_sub(3)..at).rev().find(|at| starts(*at));
        let head = near(Self::END + 1).unwrap_or(Self::END);
        let tail = self.0.len() - Self::END;
        let tail = near(tail + 1).unwrap_or(tail);
        let left_out = tail - head;
        let (head, tail) = (Printable(&self.0[..head]), Printable(&self.0[tail..]));
        write!(f, "{head}…({left_out} bytes)…{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_trims() {
        assert_eq!(RelPath::from_bytes(b"/a/b/").as_bytes(), b"a/b");
        assert_eq!(RelPath::root().join(b"a").as_bytes(), b"a");
        assert_eq!(RelPath::from_bytes(b"a").join(b"b").as_bytes(), b"a/b");
        assert!(RelPath::from_bytes(b"///").is_root());
        let up = [b"c".as_slice(), b"b", b"a", b""];
        assert_eq!(
            RelPath::from_names_upwards(up.into_iter()).as_bytes(),
            b"a/b/c"
        );
    }

    #[test]
    fn lies_below_whole_names_only() {
        for (path, base, expected) in [
            ("a/b", "a", true),
            ("a", "a", true),
            ("ab", "a", false),
            ("a", "a/b", false),
            ("a", "", true),
            ("", "", true),
            ("", "a", false),
        ] {
            let found = RelPath::from(path).is_at_or_below(&RelPath::from(base));
            assert_eq!(found, expected, "{path} below {base}");
        }
    }

    #[test]
    fn is_a_path_wherever_one_is_asked_for() {
        let path = RelPath::from("a/b/");
        let seen = |path: &dyn AsRef<Path>| path.as_ref().to_path_buf();
        assert_eq!(seen(&path), PathBuf::from("a/b"));
        assert_eq!(RelPath::from(Path::new("/a/b")), path);
        assert_eq!(PathBuf::from(path), PathBuf::from("a/b"));
    }

    #[test]
    fn of_a_very_long_path_the_ends_are_shown() {
        let short = "n".repeat(4095);
        assert_eq!(Brief(short.as_bytes()).to_string(), short);
        let long = format!("/first/{}last", "\u{e9}/".repeat(2000));
        let shown = Brief(long.as_bytes()).to_string();
        assert!(shown.len() < 500, "{shown}");
        assert!(shown.starts_with("/first/\u{e9}/") && shown.ends_with("\u{e9}/last"));
        assert!(
            shown.contains(" bytes)…") && !shown.contains('\\'),
            "{shown}"
        );
    }

    #[test]
    fn prints_hostile_names_harmlessly() {
        let cases: [(&[u8], &str); 4] = [
            (b"plain", "plain"),
            (b"a\nb\x1b[2J", "a\\012b\\033[2J"),
            (b"\xff\xc3\xa9", "\\377\u{e9}"),
            (b"back\\slash", "back\\\\slash"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(RelPath::from_bytes(bytes).to_string(), shown);
        }
    }
}
