//! Parts of the sentences of [`Error`](super::Error) that depend on its values.

use std::io;
use std::path::Path;

use crate::model::fault::Fault;
use crate::model::path::Printable;

/// Where a bad link points.
pub(super) fn which(target: Option<&Path>) -> String {
    match target {
        Some(target) => format!(" points to {}, which", Printable::path(target)),
        None => String::new(),
    }
}

/// Is the dump root the mount point itself?
pub(super) fn at_or_below(dump: &Path, point: &Path) -> String {
    match dump == point {
        true => " is".to_owned(),
        false => format!(" lies at or below {},", Printable::path(point)),
    }
}

/// What can be done about a bad link.
pub(super) fn pointing(target: Option<&Path>) -> &'static str {
    match target {
        Some(_) => "point it",
        None => "put a symlink in its place that points",
    }
}

/// What can be done about a filesystem that has no locks to give.
pub(super) fn lockless(unsupported: bool) -> &'static str {
    if unsupported {
        ": its filesystem has no locks, so that two runs could meet; over NFS it needs \
         the lock service of both machines, or the mount option 'nolock' where only \
         this machine writes"
    } else {
        ""
    }
}

/// A number of bytes, and the same as people say it.
pub(super) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let power = bytes.checked_ilog2().unwrap_or(0) / 10;
    let unit = usize::try_from(power).ok().and_then(|p| p.checked_sub(1));
    match unit.and_then(|unit| units.get(unit)) {
        Some(unit) => {
            let tenths = u128::from(bytes) * 10 / (1 << (10 * power));
            format!("{bytes} bytes ({}.{} {unit})", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

pub(super) fn space(fault: &Fault, free: &Option<(u64, u64)>, needed: &Option<u64>) -> String {
    let mut text = String::new();
    if let Some(needed) = needed {
        text.push_str(&format!("; {} were to be written", size(*needed)));
    }
    if let Some((bytes, inodes)) = free {
        text.push_str(&format!("; {}", size(*bytes)));
        // Some filesystems make inodes as they need them, and have no number.
        if *inodes != u64::MAX {
            text.push_str(&format!(" and {inodes} inodes"));
        }
        text.push_str(" are free");
    }
    if free.is_some() {
        // What is free is the disk's: nobody tells of the quota's rest.
        text.push_str(match fault.cause.kind() {
            io::ErrorKind::QuotaExceeded => ", but the quota is used up",
            _ => "",
        });
        text.push_str("; make room and run again, it goes on from here");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_for_machines_and_people() {
        let cases = [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1024 bytes (1.0 KiB)"),
            (1_610_612_736, "1610612736 bytes (1.5 GiB)"),
            (u64::MAX, "18446744073709551615 bytes (15.9 EiB)"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }
}
