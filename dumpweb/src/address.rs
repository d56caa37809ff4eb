//! Addresses of the page: from bytes to a URL and back.
//!
//! A name in a dump is a string of bytes, and stands in a URL byte by byte: all
//! but letters, digits and `-._~` as `%XX`. What comes back is exactly the name,
//! whether it is UTF-8 or not. A part that no name can be (`..`, a slash, a NUL) is
//! refused here already.

use std::fmt::Write as _;

use dumpcore::{DumpId, RelPath};

/// Which dump an address is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpRef {
    /// The newest one that has the tree.
    Newest,
    /// This one.
    Id(DumpId),
}

/// A path in a dump, as an address names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which dump.
    pub dump: DumpRef,
    /// The name of a tree, then the path in it; empty for the dump itself.
    pub within: RelPath,
}

/// What a page is asked for besides its path.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(Vec<u8>, Vec<u8>)>);

/// In an address: the newest dump.
const NEWEST: &[u8] = b"newest";

/// The longest name that filesystems have, in bytes.
const LONGEST_NAME: usize = 255;

/// The longest path that is shown, in bytes: each name becomes a link.
const LONGEST_PATH: usize = 16 << 10;

impl Place {
    /// Reads the rest of an address: `2026/1122/2331/NEWAGE/x`, `newest/NEWAGE`,
    /// `first/NEWAGE`. `None` of what no dump or no name can be.
    #[must_use]
    pub fn parse(rest: &str) -> Option<Self> {
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let mut names = Vec::new();
        for part in rest.split('/') {
            let name = decoded(part.as_bytes(), false)?;
            names.push(is_name(&name).then_some(name)?);
        }
        let (dump, below) = match names.split_first()? {
            (first, below) if first == NEWEST => (DumpRef::Newest, below),
            (first, below) if DumpId::parse(first) == Some(DumpId::First) => {
                (DumpRef::Id(DumpId::First), below)
            }
            _ => {
                let (dump, below) = names.split_at_checked(3)?;
                (DumpRef::Id(published(&dump.join(&b'/'))?), below)
            }
        };
        let within = below.join(&b'/');
        (within.len() <= LONGEST_PATH).then(|| Self {
            dump,
            within: RelPath::from_bytes(&within),
        })
    }
}

/// Can it be the name of an entry?
fn is_name(name: &[u8]) -> bool {
    let is_some = !matches!(name, b"" | b"." | b"..") && name.len() <= LONGEST_NAME;
    is_some && !name.contains(&b'/') && !name.contains(&0)
}

/// The published dump, or first copy, of this name.
#[must_use]
pub fn published(name: &[u8]) -> Option<DumpId> {
    DumpId::parse(name).filter(|id| !matches!(id, DumpId::Incomplete(_)))
}

impl Query {
    /// Reads what stands behind the `?` of an address. What cannot be read is left
    /// out.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&');
        let pairs = pairs.filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = decoded(key.as_bytes(), true)?;
            Some((key, decoded(value.as_bytes(), true)?))
        });
        Self(pairs.filter(|(key, _)| !key.is_empty()).collect())
    }

    /// The bytes of a value that is not empty.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        let mut found = self.0.iter().filter(|(name, _)| name == key.as_bytes());
        let value = found.next().map(|(_, value)| value.as_slice());
        value.filter(|value| !value.is_empty())
    }

    /// A value as text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        let value = self.get(key)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// A value as a number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<usize> {
        str::from_utf8(self.get(key)?).ok()?.parse().ok()
    }

    /// Does the key stand there, with a value or without?
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key.as_bytes())
    }

    /// A value as the name of a published dump.
    #[must_use]
    pub fn dump(&self, key: &str) -> Option<DumpId> {
        published(self.get(key)?)
    }

    /// A value as a path in a dump; the empty one where the key is missing. `None`
    /// of what no path in a dump can be, as in [`Place::parse`].
    #[must_use]
    pub fn path(&self, key: &str) -> Option<RelPath> {
        let Some(value) = self.get(key) else {
            return Some(RelPath::root());
        };
        let value = value.strip_suffix(b"/").unwrap_or(value);
        let is_path = value.split(|byte| *byte == b'/').all(is_name);
        (is_path && value.len() <= LONGEST_PATH).then(|| RelPath::from_bytes(value))
    }
}

/// The address of a path in a dump: below `at` its page, below `raw` its bytes,
/// below `zip` an archive.
#[must_use]
pub fn link(what: &str, dump: DumpId, within: &RelPath) -> String {
    let mut text = format!("/{what}/{dump}");
    if !within.is_root() {
        text.push('/');
        text.push_str(&encoded_path(within.as_bytes()));
    }
    text
}

/// The address of the page of a path in a dump.
#[must_use]
pub fn at(dump: DumpId, within: &RelPath) -> String {
    link("at", dump, within)
}

/// The address of a path in the newest dump that has its tree.
#[must_use]
pub fn newest(within: &RelPath) -> String {
    format!("/at/newest/{}", encoded_path(within.as_bytes()))
}

/// An address with what is asked besides.
#[must_use]
pub fn with(address: &str, pairs: &[(&str, &[u8])]) -> String {
    let mut text = address.to_owned();
    for (number, (key, value)) in pairs.iter().enumerate() {
        text.push(if number == 0 { '?' } else { '&' });
        text.push_str(key);
        text.push('=');
        text.push_str(&encoded(value, false));
    }
    text
}

/// A path, its slashes as they are.
#[must_use]
pub fn encoded_path(bytes: &[u8]) -> String {
    encoded(bytes, true)
}

fn encoded(bytes: &[u8], is_path: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            b'/' if is_path => text.push('/'),
            other => {
                // A string takes everything.
                let _ = write!(text, "%{other:02X}");
            }
        }
    }
    text
}

/// The bytes that stand for a text; `None` where a `%` has no two digits behind it.
fn decoded(text: &[u8], plus_is_space: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => *other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(text: &str) -> Option<(String, String)> {
        let place = Place::parse(text)?;
        let dump = match place.dump {
            DumpRef::Newest => "newest".to_owned(),
            DumpRef::Id(id) => id.to_string(),
        };
        Some((dump, place.within.to_string()))
    }

    #[test]
    fn an_address_names_a_dump_and_a_path() {
        for (text, dump, within) in [
            (
                "2026/1122/2331/NEWAGE/a%20b",
                "2026/1122/2331",
                "NEWAGE/a b",
            ),
            ("2026/1122/2331/NEWAGE/", "2026/1122/2331", "NEWAGE"),
            ("2026/1101/0500_chk", "2026/1101/0500_chk", ""),
            ("newest/x/%FF%0A", "newest", "x/\\377\\012"),
            ("first/NEWAGE", "first", "NEWAGE"),
        ] {
            let expected = Some((dump.to_owned(), within.to_owned()));
            assert_eq!(place(text), expected, "{text}");
        }
        for text in [
            "",
            "/",
            "2026/1122",
            "2026/1122/2331_incomplete/NEWAGE",
            "2026/1122/9999/NEWAGE",
            ".dump/lock/x",
            "newest/../x",
            "newest/%2e%2E/x",
            "newest/a%2Fb",
            "newest/a%00b",
            "newest/a//b",
            "newest/%",
            "newest/%4",
            "newest/%zz",
        ] {
            assert_eq!(place(text), None, "{text}");
        }
        let name = |length: usize| place(&format!("newest/{}/y", "x".repeat(length)));
        assert!(name(255).is_some() && name(256).is_none());
        let deep = |names: usize| place(&format!("newest/{}x", "x/".repeat(names)));
        assert!(deep(8191).is_some() && deep(8192).is_none());
    }

    #[test]
    fn a_query_is_read_by_its_keys() {
        let query = Query::parse(Some("q=a+b%26c&page=12&deleted&below=x%2Fy%FF&=z&bad=%"));
        assert_eq!(query.text("q").as_deref(), Some("a b&c"));
        assert_eq!(query.number("page"), Some(12));
        assert!(query.has("deleted") && query.get("deleted").is_none());
        let path = |query: &Query| query.path("below").map(|path| path.as_bytes().to_vec());
        assert_eq!(path(&query).as_deref(), Some(&b"x/y\xff"[..]));
        assert_eq!(path(&Query::parse(None)).as_deref(), Some(&b""[..]));
        let long = format!("below={}", "x".repeat(256));
        let deep = format!("below={}x", "x/".repeat(8192));
        for text in [
            "below=..",
            "below=home/../..",
            "below=home%2F..%2Fx",
            "below=./home",
            "below=/etc",
            "below=home//x",
            "below=home%00",
            &long,
            &deep,
        ] {
            assert_eq!(path(&Query::parse(Some(text))), None, "{text}");
        }
        assert!(!query.has("bad") && query.number("q").is_none());
        assert!(Query::parse(None).dump("a").is_none());
        let query = Query::parse(Some("a=2026/1122/2331&b=2026%2F1122%2F2331_incomplete"));
        assert!(query.dump("a").is_some() && query.dump("b").is_none());
    }

    proptest! {
        #[test]
        fn every_name_comes_back(names in prop::collection::vec(
            prop::collection::vec(1u8..=255, 1..12)
                .prop_filter("a name", |name| {
                    !name.contains(&b'/') && name != b"." && name != b".."
                }),
            1..5,
        )) {
            let within = RelPath::from_bytes(&names.join(&b'/'));
            let dump = DumpId::parse(b"2026/1122/2331").expect("a name");
            let address = at(dump, &within);
            prop_assert!(address.is_ascii());
            let place = Place::parse(address.strip_prefix("/at/").expect("a page"));
            prop_assert_eq!(place, Some(Place { dump: DumpRef::Id(dump), within: within.clone() }));
            let address = with("/search", &[("below", within.as_bytes())]);
            let query = Query::parse(address.split_once('?').map(|(_, query)| query));
            prop_assert_eq!(query.path("below"), Some(within));
        }
    }
}
