//! Names of pins: links in the dump root that keep a dump.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::shadow_copy::PREFIX as SHADOW_COPY;
use super::{CURRENT, FIRST};
use crate::model::path::Printable;

/// The tree as it is now, where a dump may be named.
const MAIN: &str = "main";
/// Words that name a moment, where a dump may be named.
const MOMENTS: [&str; 2] = ["today", "yesterday"];
/// What ends a span of time, where a dump may be named.
const AGO: &str = " ago";
/// The longest name that all filesystems take.
const LONGEST: usize = 255;

/// The name of a pin: one that a link of the dump root may have, and that cannot
/// be taken for a moment, for a dump or for a link of the dump root's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PinName(OsString);

/// Why a name cannot be that of a pin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} cannot be the name of a pin: {why}", Printable::path(Path::new(.name)))]
pub struct BadPinName {
    name: OsString,
    why: Bad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bad {
    Form,
    Dot,
    Digit,
    Current,
    First,
    Main,
    ShadowCopy,
    Moment,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "a pin is one name in the dump root, of 1 to 255 bytes",
            Self::Dot => "names that begin with a dot are not listed",
            Self::Digit => "names that begin with a digit are dates and dumps",
            Self::Current => "names that begin with 'current' are for the links that runs move",
            Self::First => "'first' is a first copy, made by hand",
            Self::Main => "'main' is the tree as it is now",
            Self::ShadowCopy => "names that begin with '@GMT-' are for previous versions in Samba",
            Self::Moment => "it names a moment",
        })
    }
}

impl PinName {
    /// Takes a name.
    ///
    /// # Errors
    /// [`BadPinName`], which says why it cannot be the name of a pin.
    pub fn new(name: impl AsRef<OsStr>) -> Result<Self, BadPinName> {
        let name = name.as_ref();
        match refusal(name.as_bytes()) {
            None => Ok(Self(name.to_owned())),
            Some(why) => Err(BadPinName {
                name: name.to_owned(),
                why,
            }),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_os_str(&self) -> &OsStr {
        &self.0
    }
}

impl AsRef<Path> for PinName {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for PinName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable::path(Path::new(&self.0)).fmt(f)
    }
}

fn refusal(name: &[u8]) -> Option<Bad> {
    let is = |word: &str| name == word.as_bytes();
    let starts = |with: &str| name.starts_with(with.as_bytes());
    match name {
        [] => Some(Bad::Form),
        _ if name.len() > LONGEST || name.contains(&b'/') || name.contains(&0) => Some(Bad::Form),
        [b'.', ..] => Some(Bad::Dot),
        [b'0'..=b'9', ..] => Some(Bad::Digit),
        _ if starts(CURRENT) => Some(Bad::Current),
        _ if is(FIRST) => Some(Bad::First),
        _ if is(MAIN) => Some(Bad::Main),
        _ if starts(SHADOW_COPY) => Some(Bad::ShadowCopy),
        _ if MOMENTS.into_iter().any(is) || name.ends_with(AGO.as_bytes()) => Some(Bad::Moment),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_taken_for_something_else_is_refused() {
        for name in [
            "before-upgrade",
            "mains",
            "firsts",
            "nowadays",
            "é",
            "-x",
            "a b",
        ] {
            assert!(PinName::new(name).is_ok(), "{name}");
        }
        assert!(PinName::new(OsStr::from_bytes(b"\xff")).is_ok());
        for (name, why) in [
            ("", "one name in the dump root"),
            ("a/b", "one name in the dump root"),
            (".hidden", "a dot"),
            ("2026", "a digit"),
            ("3d", "a digit"),
            ("current", "'current'"),
            ("current_chk", "'current'"),
            ("currently", "'current'"),
            ("first", "a first copy"),
            ("main", "the tree as it is now"),
            ("@GMT-2026.11.22-23.31.00", "@GMT-"),
            ("today", "a moment"),
            ("yesterday", "a moment"),
            ("a while ago", "a moment"),
        ] {
            let said = PinName::new(name).expect_err(name).to_string();
            assert!(said.contains(why), "{said}");
        }
        assert!(PinName::new("x".repeat(256)).is_err());
    }
}
