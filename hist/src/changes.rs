//! What changed, in words: attributes, and the names in a directory.

use chrono::{DateTime, Local};
use dumpcore::{AttributeChanges, Changed, DirEntry, NameChanges, Printable, Time};

use crate::plain::local;

/// How many names of each kind are listed.
const MOST: usize = 10;

/// One part for each attribute: `mode 0644 → 0755`.
pub(crate) fn attributes(changes: &AttributeChanges) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(Changed { before, after }) = changes.mode {
        parts.push(format!("mode {before:04o} → {after:04o}"));
    }
    for (word, change) in [("owner", changes.uid), ("group", changes.gid)] {
        if let Some(Changed { before, after }) = change {
            parts.push(format!("{word} {before} → {after}"));
        }
    }
    if let Some(change) = changes.mtime {
        let (before, after) = moments(change);
        parts.push(format!("modified {before} → {after}"));
    }
    for (name, action) in &changes.xattrs {
        let action = action.as_str();
        parts.push(match name.as_slice() {
            b"system.posix_acl_access" => format!("ACL {action}"),
            b"system.posix_acl_default" => format!("default ACL {action}"),
            name => format!("{} {action}", Printable(name)),
        });
    }
    parts
}

/// Both as exact as it takes to tell them apart.
fn moments(change: Changed<Time>) -> (String, String) {
    let (before, after) = (change.before, change.after);
    let format = if before.secs == after.secs {
        "%Y-%m-%d %H:%M:%S%.9f"
    } else if before.secs.div_euclid(60) == after.secs.div_euclid(60) {
        "%Y-%m-%d %H:%M:%S"
    } else {
        "%Y-%m-%d %H:%M"
    };
    let shown = |time: Time| {
        let shown = |at: DateTime<Local>| at.format(format).to_string();
        local(time).map_or_else(|| format!("@{}.{:09}", time.secs, time.nanos), shown)
    };
    (shown(before), shown(after))
}

/// A line for each name, with the sign of a diff before it, up to a limit;
/// then how many more there are.
pub(crate) fn names(changes: &NameChanges) -> Vec<String> {
    let sides = [('+', &changes.added), ('-', &changes.removed)];
    let mut lines = Vec::new();
    for (sign, names) in sides {
        let shown = |entry: &DirEntry| {
            let slash = if entry.is_dir { "/" } else { "" };
            format!("{sign} {}{slash}", Printable(&entry.name))
        };
        lines.extend(names.iter().take(MOST).map(shown));
        if let more @ 1.. = names.len().saturating_sub(MOST) {
            lines.push(format!("{sign} … and {more} more"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_exact_as_they_differ() {
        let at = |secs, nanos| Time::new(secs, nanos);
        for (before, after, digits) in [
            (at(60, 0), at(120, 0), 16),
            (at(60, 0), at(61, 0), 19),
            (at(60, 0), at(60, 7), 29),
            (at(-1, 0), at(-2, 0), 19),
        ] {
            let (one, other) = moments(Changed { before, after });
            assert_eq!((one.len(), other.len()), (digits, digits), "{one} {other}");
            assert_ne!(one, other);
        }
    }
}
