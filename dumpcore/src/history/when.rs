//! Which moment a person means, where a dump may be named by a pin or a path:
//! that only the dump root knows.

use std::ffi::OsStr;

use chrono::{DateTime, NaiveDate, TimeZone, Utc};

use crate::policy::layout::DumpId;
use crate::policy::when::{BadWhen, When};
use crate::root::DumpRoot;
use crate::root::find::NotADump;
use crate::root::listing::Listing;

/// Why a text names no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAWhen {
    /// It has no form that one can have, or names a day that no calendar has.
    #[error(transparent)]
    Bad(#[from] BadWhen),
    /// It names a dump that is not there, or a year or day of dumps.
    #[error(transparent)]
    Dump(#[from] NotADump),
}

impl DumpRoot {
    /// The moment that a person names: by a dump as for [`DumpRoot::find`], also
    /// by a path in one; by a date; or by how long ago. See [`When::parse`].
    ///
    /// # Errors
    /// [`NotAWhen`], which says what would name one.
    pub fn when<Z: TimeZone>(
        &self,
        text: impl AsRef<OsStr>,
        today: NaiveDate,
        zone: &Z,
    ) -> Result<When, NotAWhen> {
        let what = text.as_ref();
        // What is not UTF-8 can only be a path.
        let bad = match When::parse(&what.to_string_lossy(), today, zone) {
            Ok(When::Dump(_)) => return Ok(When::Dump(self.find(what)?)),
            Ok(when) => return Ok(when),
            Err(bad @ BadWhen::Form { .. }) => bad,
            Err(bad) => return Err(bad.into()),
        };
        match self.find(what) {
            Ok(id) | Err(NotADump::Inside { dump: id, .. }) => Ok(When::Dump(id)),
            Err(NotADump::Unknown { .. } | NotADump::Elsewhere { .. }) => Err(bad.into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl When {
    /// The first moment that counts as not before it; `None` when all do: of a
    /// first copy, which is older than all dumps, and before the year 0.
    #[must_use]
    pub fn since<Z: TimeZone>(&self, now: &DateTime<Z>, dumps: &Listing) -> Option<DateTime<Utc>> {
        match self {
            Self::Dump(DumpId::Dump(name) | DumpId::Incomplete(name)) => Some(dumps.moment(*name)),
            other => other.begins(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Local, TimeDelta};
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_dump_is_named_by_its_name_its_path_a_pin_or_a_path_in_it() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        for dump in ["2026/1122/2331/tree/a", "2026/1122/2332/tree", "first/tree"] {
            fs::create_dir_all(dir.path().join(dump)).expect("made");
        }
        symlink("2026/1122/2331", dir.path().join("before-upgrade")).expect("linked");
        let root = DumpRoot::open(dir.path()).expect("opened");
        let now = Local::now();
        let when = |text: &OsStr| root.when(text, now.date_naive(), &Local);
        let expected = Ok(When::Dump("2026/1122/2331".parse().expect("a name")));
        assert_eq!(when("2026/1122/2331".as_ref()), expected);
        assert_eq!(when("before-upgrade".as_ref()), expected);
        for path in ["2026/1122/2331", "2026/1122/2331/tree/a", "before-upgrade"] {
            assert_eq!(when(dir.path().join(path).as_os_str()), expected, "{path}");
        }
        assert_eq!(when("first".as_ref()), Ok(When::Dump(DumpId::First)));
        let refusal = |text: &str| when(text.as_ref()).expect_err(text).to_string();
        let day = refusal("2026/1122");
        assert!(day.starts_with("2026/1122 is a day with 2 dumps"), "{day}");
        let missing = refusal("2026/1122/2333");
        assert!(
            missing.contains("the nearest are 2026/1122/2332"),
            "{missing}"
        );
        let unknown = refusal("after-upgrade");
        assert!(
            unknown.contains("is neither a dump nor a time: use "),
            "{unknown}"
        );
        assert!(refusal("6m").ends_with("6min or 6mo?"));

        let listing = root.listing();
        let since = |text: &str| {
            let when = when(text.as_ref()).expect(text);
            when.since(&now, &listing)
        };
        assert_eq!(since("first"), None);
        let made = listing.moment("2026/1122/2331".parse().expect("a name"));
        assert_eq!(since("before-upgrade"), Some(made));
        assert_eq!(since("3h"), Some(now.to_utc() - TimeDelta::hours(3)));
    }
}
