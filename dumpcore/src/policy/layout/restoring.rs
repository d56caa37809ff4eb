//! The names of what is being restored, and of what it replaces.

use super::number;

/// What stands in the name of something that is being restored.
const RESTORING: &str = ".dump-restoring-";
const REPLACED: &[u8] = b".old";

/// The name that what is restored has beside `name` until it is whole, and
/// that what it replaces has until it is removed. Dumps leave it out: what
/// has such a name is incomplete or about to be removed.
#[must_use]
pub(crate) fn restoring(name: &[u8], id: u32) -> Vec<u8> {
    let tail = format!("{RESTORING}{id}");
    // 255 is the longest name that Linux filesystems take.
    let mut keep = name.len().min(254 - tail.len() - REPLACED.len());
    // A filesystem that wants text refuses half a character.
    while keep < name.len() && keep > 0 && name[keep] & 0xc0 == 0x80 {
        keep -= 1;
    }
    [b".", &name[..keep], tail.as_bytes()].concat()
}

/// Is it a name that only a restoration gives? `.NAME.dump-restoring-4711`,
/// with `.old` behind it for what was replaced.
#[must_use]
pub(crate) fn is_restoring(name: &[u8]) -> bool {
    // Nearly every name ends here.
    name.first() == Some(&b'.') && restoring_id(name).is_some()
}

/// The number in such a name.
fn restoring_id(name: &[u8]) -> Option<u32> {
    let name = name.strip_suffix(REPLACED).unwrap_or(name);
    let digits = name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (name, digits) = name.split_at(name.len() - digits);
    name.ends_with(RESTORING.as_bytes()).then_some(())?;
    number(digits).filter(|_| !digits.is_empty())
}

/// The name of what a restoration replaces, for the moment between two
/// renames, where names cannot be exchanged.
#[must_use]
pub(crate) fn replaced(restoring: &[u8]) -> Vec<u8> {
    [restoring, REPLACED].concat()
}

/// Was this left beside `name` by a restoration of it, and is it what was
/// being made, or, exchanged for that, is being removed?
#[must_use]
pub(crate) fn is_left_beside(name: &[u8], found: &[u8]) -> bool {
    restoring_id(found).is_some_and(|id| restoring(name, id) == found)
}

/// Is it what a restoration of `name` replaced, moved aside by [`replaced`]?
#[must_use]
pub(crate) fn is_replaced(name: &[u8], found: &[u8]) -> bool {
    let restoring = found.strip_suffix(REPLACED);
    restoring.is_some_and(|restoring| is_left_beside(name, restoring))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restoration_is_known_by_its_name() {
        let long = "é".repeat(127) + "x";
        for name in ["f", "a b", ".hidden", long.as_str()] {
            for id in [1, 4711, u32::MAX] {
                let beside = restoring(name.as_bytes(), id);
                assert!(beside.len() <= 255, "{name}");
                assert!(std::str::from_utf8(&beside).is_ok(), "{name}");
                assert!(is_restoring(&beside), "{name}");
                assert!(is_left_beside(name.as_bytes(), &beside), "{name}");
                assert!(!is_left_beside(b"other", &beside), "{name}");
                assert_ne!(beside, restoring(name.as_bytes(), 7));
                let replaced = replaced(&beside);
                assert!(is_restoring(&replaced) && replaced.len() <= 255, "{name}");
                assert!(!is_left_beside(name.as_bytes(), &replaced), "{name}");
                assert!(is_replaced(name.as_bytes(), &replaced), "{name}");
                assert!(!is_replaced(name.as_bytes(), &beside), "{name}");
            }
        }
        for name in [
            "",
            ".",
            "f",
            ".f.dump-1",
            ".f.dump-restoring-",
            ".f.dump-restoring-x1",
            ".f.dump-restoring-1.new",
            ".f.dump-restoring-99999999999",
            "f.dump-restoring-1",
        ] {
            assert!(!is_restoring(name.as_bytes()), "{name}");
        }
    }
}
