//! When the years and days of a dump root changed last: while they are as they were,
//! so is the list of all dumps, whose moments are read one by one.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What changed a moment ago may change again within the same tick of the clock by which
/// the kernel gives times.
const SETTLED: Duration = Duration::from_secs(2);

/// The directories of a dump root that hold dumps, and the dump root itself, whose links
/// are pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamps(Vec<(u64, i64, i64)>);

impl Stamps {
    /// Looks at them; `None` where they cannot be read, or one changed just now.
    pub(super) fn look(root: &Path) -> Option<Self> {
        let mut stamps = Vec::new();
        let before = SystemTime::now() - SETTLED;
        let mut note = |path: &Path| -> io::Result<bool> {
            // The dump root itself may be a symlink; years and days are none.
            let meta = fs::metadata(path)?;
            stamps.push((meta.ino(), meta.mtime(), meta.mtime_nsec()));
            Ok(is_before(&meta, before))
        };
        let mut look = || -> io::Result<bool> {
            let mut is_settled = note(root)?;
            for year in dated(root)? {
                is_settled &= note(&year)?;
                for day in dated(&year)? {
                    is_settled &= note(&day)?;
                }
            }
            Ok(is_settled)
        };
        let is_settled = look().ok()?;
        is_settled.then_some(Self(stamps))
    }
}

fn is_before(meta: &Metadata, moment: SystemTime) -> bool {
    meta.modified().is_ok_and(|modified| modified < moment)
}

/// The directories in a directory whose names are four digits, in a fixed order.
fn dated(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_dated = name.len() == 4 && name.as_bytes().iter().all(u8::is_ascii_digit);
        if is_dated && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// As if nothing had happened for an hour.
    fn settle(root: &Path) {
        let past = SystemTime::now() - Duration::from_secs(3600);
        for dir in ["", "2026", "2026/1121", "2026/1122"] {
            let dir = fs::File::open(root.join(dir)).expect("opened");
            dir.set_modified(past).expect("set");
        }
    }

    #[test]
    fn what_changes_the_list_is_noticed() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let root = dir.path();
        for dump in ["2026/1121/0800", "2026/1122/0800", "2026/1122/0900"] {
            fs::create_dir_all(root.join(dump)).expect("made");
        }
        assert_eq!(Stamps::look(root), None, "made just now");
        settle(root);
        let before = Stamps::look(root);
        assert!(before.is_some() && Stamps::look(root) == before);
        let changes: [&dyn Fn(); 4] = [
            &|| fs::create_dir(root.join("2026/1122/1000")).expect("made"),
            &|| fs::remove_dir(root.join("2026/1121/0800")).expect("removed"),
            &|| symlink("2026/1122/0800", root.join("kept")).expect("pinned"),
            &|| {
                let (from, to) = ("2026/1122/1000", "2026/1121/1000");
                fs::rename(root.join(from), root.join(to)).expect("renamed");
            },
        ];
        for change in changes {
            change();
            assert_eq!(Stamps::look(root), None, "changed just now");
            settle(root);
            assert!(Stamps::look(root).is_some());
        }
        assert_eq!(Stamps::look(&root.join("none")), None);
    }

    #[test]
    fn a_day_that_changed_is_noticed_when_it_has_settled() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let root = dir.path();
        for day in ["2026/1121", "2026/1122"] {
            fs::create_dir_all(root.join(day)).expect("made");
        }
        settle(root);
        let before = Stamps::look(root).expect("settled");
        let later = SystemTime::now() - Duration::from_secs(60);
        let day = fs::File::open(root.join("2026/1121")).expect("opened");
        day.set_modified(later).expect("set");
        let after = Stamps::look(root).expect("settled");
        assert_ne!(before, after);
    }
}
