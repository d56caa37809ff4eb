//! The names of dumps on their way out, in `.dump/removing`.

use std::ffi::OsStr;
use std::path::Path;

use super::dump_name::DumpName;

/// How long one is kept that no run has recycled, in seconds: its trees may not be
/// dumped any more.
const SPARED_FOR: i64 = 14 * 24 * 60 * 60;

/// The end of the name of one that the next run may recycle.
const SPARE: &str = ".spare";

/// The name of a dump on its way out; `again` tells it from others that were under
/// the same name before.
#[must_use]
pub(crate) fn removing_leaf(dump: &Path, again: u32) -> String {
    let names: Vec<_> = dump.iter().map(OsStr::to_string_lossy).collect();
    match again {
        0 => names.join("-"),
        again => format!("{}.{again}", names.join("-")),
    }
}

/// The same of a dump that the next run may recycle.
#[must_use]
pub(crate) fn spare_leaf(dump: DumpName, again: u32) -> String {
    removing_leaf(&dump.path(), again) + SPARE
}

/// Which dump it was that is kept under this name to be recycled.
#[must_use]
pub(crate) fn spare_of(leaf: &[u8]) -> Option<DumpName> {
    let name = leaf.strip_suffix(SPARE.as_bytes())?;
    let end = name.iter().position(|byte| *byte == b'.');
    let name = &name[..end.unwrap_or(name.len())];
    let slashed = |byte: &u8| if *byte == b'-' { b'/' } else { *byte };
    let path: Vec<u8> = name.iter().map(slashed).collect();
    DumpName::parse(&path)
}

/// Is one that left its name at `since`, in seconds, still to be kept? One that seems
/// to have left it in the future is.
#[must_use]
pub(crate) fn is_still_spared(since: i64, now: i64) -> bool {
    now.saturating_sub(since) < SPARED_FOR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spare_is_kept_for_two_weeks() {
        let now = 1_800_000_000;
        let day = 24 * 60 * 60;
        for (age, kept) in [
            (-day, true),
            (0, true),
            (14 * day - 1, true),
            (14 * day, false),
        ] {
            assert_eq!(is_still_spared(now - age, now), kept, "{age} s");
        }
    }

    #[test]
    fn a_spare_is_known_by_its_name_and_nothing_else_is_one() {
        let dump = DumpName::parse(b"2026/1122/2331").expect("a dump");
        for again in [0, 1, 17] {
            let leaf = spare_leaf(dump, again);
            assert_eq!(spare_of(leaf.as_bytes()), Some(dump), "{leaf}");
            let leaf = removing_leaf(&dump.path(), again);
            assert_eq!(spare_of(leaf.as_bytes()), None, "{leaf}");
        }
        for other in ["", ".spare", "first.spare", "2026-1122.spare", "spare"] {
            assert_eq!(spare_of(other.as_bytes()), None, "{other}");
        }
    }
}
