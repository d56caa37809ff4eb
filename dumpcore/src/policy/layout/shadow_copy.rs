//! Names of shadow copies: what Samba shows to Windows as previous versions.
//!
//! A shadow copy is a symlink with the moment of a dump, in UTC and to the second,
//! as its name: `@GMT-2026.11.22-22.31.00`. Its target is a tree of that dump.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::DumpName;

/// What all of these names begin with.
pub(super) const PREFIX: &str = "@GMT-";
/// What comes behind that, as Samba reads it unless told otherwise.
const MOMENT: &str = "%Y.%m.%d-%H.%M.%S";

/// The name of the shadow copy of a moment; `None` where its year has no four
/// digits.
#[must_use]
pub(crate) fn shadow_copy(moment: DateTime<Utc>) -> Option<String> {
    let name = format!("{PREFIX}{}", moment.format(MOMENT));
    shadow_copy_moment(name.as_bytes()).map(|_| name)
}

/// The moment that the name of a shadow copy says; `None` of any other name.
#[must_use]
pub(crate) fn shadow_copy_moment(name: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(name).ok()?.strip_prefix(PREFIX)?;
    let moment = NaiveDateTime::parse_from_str(text, MOMENT).ok()?;
    // One moment has one name.
    let whole = text.len() == "2026.11.22-22.31.00".len();
    whole.then(|| moment.and_utc())
}

/// Where a shadow copy points: to a tree of a dump, in a dump root that is
/// reached by `root`.
#[must_use]
pub(crate) fn shadow_copy_target(root: &Path, dump: DumpName, tree: &OsStr) -> PathBuf {
    root.join(dump.path()).join(tree)
}

/// The dump whose tree of this name a target leads to, by whatever path to the
/// dump root.
#[must_use]
pub(crate) fn shadow_copy_dump(target: &[u8], tree: &OsStr) -> Option<DumpName> {
    let target = Path::new(OsStr::from_bytes(target));
    let dump = target
        .parent()
        .filter(|_| target.file_name() == Some(tree))?;
    let mut names = dump.iter().rev();
    let (leaf, day, year) = (names.next()?, names.next()?, names.next()?);
    let name = [year, day, leaf].map(OsStr::as_bytes).join(&b'/');
    DumpName::parse(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().expect(text)
    }

    #[test]
    fn a_moment_and_its_name_are_one() {
        let at = moment("2026-11-22T22:31:04.9Z");
        let name = shadow_copy(at).expect("a name");
        assert_eq!(name, "@GMT-2026.11.22-22.31.04");
        let read = shadow_copy_moment(name.as_bytes());
        assert_eq!(read, Some(moment("2026-11-22T22:31:04Z")));
        assert_eq!(shadow_copy(DateTime::<Utc>::MAX_UTC), None);
        for other in [
            "@GMT-2026.11.22-22.31",
            "@GMT-2026.11.22-22.31.4",
            "@GMT-2026.13.22-22.31.04",
            "@GMT-2026.11.22-22.31.04 ",
            "@gmt-2026.11.22-22.31.04",
            "2026.11.22-22.31.04",
        ] {
            assert_eq!(shadow_copy_moment(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_target_says_of_which_dump_it_is() {
        let dump = DumpName::parse(b"2026/1122/2331").expect("a dump");
        let target = shadow_copy_target(Path::new("/srv/dump"), dump, OsStr::new("home"));
        assert_eq!(target, Path::new("/srv/dump/2026/1122/2331/home"));
        let read = |target: &str| shadow_copy_dump(target.as_bytes(), OsStr::new("home"));
        assert_eq!(read("/srv/dump/2026/1122/2331/home"), Some(dump));
        assert_eq!(read("/elsewhere/2026/1122/2331/home/"), Some(dump));
        for other in [
            "/srv/dump/2026/1122/2331/etc",
            "/srv/dump/2026/1122/2331",
            "/srv/dump/2026/1122/2331_incomplete/home",
            "/srv/dump/current/home",
            "home",
            "",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
