//! The copies of other programs that make dated trees: what their names say.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDateTime;

/// A program whose copies can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ImportFrom {
    /// rsnapshot: `daily.0` and the like, dated by their modification time.
    Rsnapshot,
    /// rsync-time-backup: `2026-11-22-233100`.
    RsyncTimeBackup,
    /// Back In Time: `20261122-233100-123`, the tree in `backup`.
    BackInTime,
    /// linux-timemachine: `2026-11-22__23-31-00`.
    LinuxTimemachine,
    /// The dumps of another dump root.
    Dump,
}

/// What a name among the copies is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OldCopy {
    /// A copy that was made then, in local time.
    Dated(NaiveDateTime),
    /// A copy, dated by the modification time of its directory.
    ByTime,
    /// It was interrupted, or is being made.
    Unfinished,
    /// It is being removed.
    Removed,
    /// Nothing of that program's.
    Other,
}

impl ImportFrom {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Rsnapshot,
        Self::RsyncTimeBackup,
        Self::BackInTime,
        Self::LinuxTimemachine,
        Self::Dump,
    ];

    /// Its name, as it is typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsnapshot => "rsnapshot",
            Self::RsyncTimeBackup => "rsync-time-backup",
            Self::BackInTime => "backintime",
            Self::LinuxTimemachine => "linux-timemachine",
            Self::Dump => "dump",
        }
    }

    /// Where in a copy the tree is, if nobody says otherwise.
    pub(crate) fn tree(self) -> &'static str {
        match self {
            Self::BackInTime => "backup",
            _ => "",
        }
    }

    /// What a name says.
    pub(crate) fn read(self, name: &[u8]) -> OldCopy {
        let Ok(name) = std::str::from_utf8(name) else {
            return OldCopy::Other;
        };
        let dated = match self {
            Self::Rsnapshot => return rsnapshot(name),
            Self::RsyncTimeBackup => civil(name, "%Y-%m-%d-%H%M%S", 17),
            Self::BackInTime if matches!(name, "new_snapshot" | "save_to_continue") => {
                return OldCopy::Unfinished;
            }
            // Behind the time stands a number of the set-up.
            Self::BackInTime => match name.split_at_checked(15) {
                Some((time, tag)) if tag.is_empty() || tag.starts_with('-') => {
                    civil(time, "%Y%m%d-%H%M%S", 15)
                }
                _ => None,
            },
            Self::LinuxTimemachine if name == ".inprogress" => return OldCopy::Unfinished,
            Self::LinuxTimemachine => civil(name, "%Y-%m-%d__%H-%M-%S", 20),
            Self::Dump => None,
        };
        dated.map_or(OldCopy::Other, OldCopy::Dated)
    }

    /// The file that says, while it is there, that the newest copy is not
    /// finished.
    pub(crate) fn unfinished_mark(self) -> Option<&'static str> {
        (self == Self::RsyncTimeBackup).then_some("backup.inprogress")
    }
}

fn rsnapshot(name: &str) -> OldCopy {
    if name == ".sync" {
        return OldCopy::Unfinished;
    }
    match name.split_once('.') {
        Some(("_delete", _)) => OldCopy::Removed,
        Some((interval, number))
            if !interval.is_empty()
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            OldCopy::ByTime
        }
        _ => OldCopy::Other,
    }
}

/// A time that is written exactly so.
fn civil(text: &str, format: &str, length: usize) -> Option<NaiveDateTime> {
    let parsed = NaiveDateTime::parse_from_str(text, format).ok()?;
    (text.len() == length).then_some(parsed)
}

impl fmt::Display for ImportFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No program whose copies can be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("copies of {0:?} cannot be imported: give one of {list}", list = names())]
pub struct UnknownImport(String);

fn names() -> String {
    ImportFrom::ALL.map(ImportFrom::as_str).join(", ")
}

impl FromStr for ImportFrom {
    type Err = UnknownImport;

    fn from_str(text: &str) -> Result<Self, UnknownImport> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| UnknownImport(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_each_program() {
        let then = "2026-11-22T23:31:05".parse().expect("a time");
        let then = OldCopy::Dated(then);
        use ImportFrom as From;
        use OldCopy::{ByTime, Other, Removed, Unfinished};
        for (from, name, read) in [
            (From::Rsnapshot, "daily.0", ByTime),
            (From::Rsnapshot, "alpha.12", ByTime),
            (From::Rsnapshot, "daily.", Other),
            (From::Rsnapshot, "daily.0x", Other),
            (From::Rsnapshot, ".0", Other),
            (From::Rsnapshot, "_delete.1234", Removed),
            (From::Rsnapshot, ".sync", Unfinished),
            (From::Rsnapshot, "lost+found", Other),
            (From::RsyncTimeBackup, "2026-11-22-233105", then),
            (From::RsyncTimeBackup, "2026-11-22-2331050", Other),
            (From::RsyncTimeBackup, "2026-13-22-233105", Other),
            (From::RsyncTimeBackup, "latest", Other),
            (From::BackInTime, "20261122-233105-123", then),
            (From::BackInTime, "20261122-233105", then),
            (From::BackInTime, "20261122-2331051", Other),
            (From::BackInTime, "new_snapshot", Unfinished),
            (From::BackInTime, "last_snapshot", Other),
            (From::LinuxTimemachine, "2026-11-22__23-31-05", then),
            (From::LinuxTimemachine, ".inprogress", Unfinished),
            (From::LinuxTimemachine, "current", Other),
            (From::Dump, "2026", Other),
        ] {
            assert_eq!(from.read(name.as_bytes()), read, "{from}: {name}");
        }
        assert_eq!(From::Rsnapshot.read(b"daily.\xff"), Other);
    }

    #[test]
    fn programs_by_name() {
        for from in ImportFrom::ALL {
            assert_eq!(from.as_str().parse(), Ok(from));
        }
        let error = "borg".parse::<ImportFrom>().expect_err("unknown");
        assert!(
            error.to_string().contains("rsnapshot, rsync-time-backup"),
            "{error}"
        );
    }
}
