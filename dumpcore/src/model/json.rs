//! What reports, faults and counts are as JSON, and as whatever else serde
//! writes: the shapes that dump(7) documents for the programs.
//!
//! Names and paths need not be UTF-8. One that is not stands there with
//! replacement characters, and once more, whole, as hexadecimal digits under
//! its key with `_bytes`.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use chrono::{DateTime, Local, SecondsFormat};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, de};

use crate::model::chain::whole;
use crate::model::copy_reason::CopyReason;
use crate::model::event::Phase;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::loss::Loss;
use crate::model::minute::Stamp;
use crate::model::report::{Count, Counts, Report};
use crate::model::storage::Storage;
use crate::model::warning::Warning;

/// Adds a path, or null for none; twice when it is not UTF-8.
pub(crate) fn path<M: SerializeMap>(
    map: &mut M,
    key: &str,
    path: Option<&Path>,
) -> Result<(), M::Error> {
    map.serialize_entry(key, &path.map(Path::to_string_lossy))?;
    let Some(odd) = path.filter(|path| path.to_str().is_none()) else {
        return Ok(());
    };
    let mut hex = String::new();
    for byte in odd.as_os_str().as_bytes() {
        let _ = write!(hex, "{byte:02x}");
    }
    map.serialize_entry(&format!("{key}_bytes"), &hex)
}

/// Values that are one word, or one text.
macro_rules! as_text {
    ($($type:ty => $text:expr),* $(,)?) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text: fn(&$type) -> _ = $text;
                serializer.collect_str(&text(self))
            }
        }
    )*};
}
pub(crate) use as_text;

/// Values that are read from the text that they are written as.
macro_rules! from_text {
    ($($type:ty),* $(,)?) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}
pub(crate) use from_text;

as_text! {
    CopyReason => |reason| reason.as_str(),
    Kind => |kind| kind.as_str(),
    Loss => |loss| loss.as_str(),
    Op => |op| op.as_str(),
    Phase => |phase| phase.as_str(),
    Storage => |storage| storage.as_str(),
    Stamp => Stamp::to_string,
}
from_text!(Stamp);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("number", &self.number)?;
        map.serialize_entry("bytes", &self.bytes)?;
        map.end()
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        path(&mut map, "path", Some(&self.path))?;
        map.serialize_entry("operation", &self.op)?;
        map.serialize_entry("error", &whole(&*self.cause))?;
        map.end()
    }
}

/// What was copied, and for which reasons.
struct Copied<'a>(&'a Counts);

impl Serialize for Copied<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("number", &counts.copied().number)?;
        map.serialize_entry("bytes", &counts.copied().bytes)?;
        map.serialize_entry("new", &counts.copied_new)?;
        map.serialize_entry("changed", &counts.copied_changed)?;
        map.serialize_entry("attributes", &counts.copied_attributes)?;
        map.serialize_entry("refused", &counts.copied_refused)?;
        map.serialize_entry("damaged", &counts.copied_damaged)?;
        map.end()
    }
}

/// What was compared, and how much of it was the same.
struct Compared<'a>(&'a Counts);

impl Serialize for Compared<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Count { number, bytes } = self.0.compared;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("number", &number)?;
        map.serialize_entry("bytes", &bytes)?;
        map.serialize_entry("equal", &self.0.compared_same)?;
        map.end()
    }
}

fn counts<M: SerializeMap>(map: &mut M, counts: &Counts) -> Result<(), M::Error> {
    map.serialize_entry("files", &counts.files)?;
    map.serialize_entry("directories", &counts.directories)?;
    map.serialize_entry("symlinks", &counts.symlinks)?;
    map.serialize_entry("specials", &counts.specials)?;
    map.serialize_entry("hard_links", &counts.hard_links)?;
    map.serialize_entry("linked", &counts.linked)?;
    map.serialize_entry("moved", &counts.moved)?;
    map.serialize_entry("copied", &Copied(counts))?;
    map.serialize_entry("kept", &counts.kept)?;
    map.serialize_entry("compared", &Compared(counts))?;
    map.serialize_entry("checked", &counts.checked)?;
    map.serialize_entry("healed", &counts.healed)?;
    map.serialize_entry("excluded", &counts.excluded)?;
    map.serialize_entry("other_filesystems", &counts.other_filesystems)?;
    map.serialize_entry("vanished", &counts.vanished)?;
    map.serialize_entry("removed", &counts.removed)?;
    map.serialize_entry("faults_total", &counts.faults)?;
    map.serialize_entry("reference_faults", &counts.reference_faults)
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        counts(&mut map, self)?;
        map.end()
    }
}

/// Why unchanged entries were copied, and what entries lack: how many, and the
/// first of them.
struct OfEntries<'a> {
    key: &'static str,
    word: &'static str,
    number: u64,
    bytes: Option<u64>,
    first: &'a Path,
}

impl Serialize for OfEntries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.key, self.word)?;
        map.serialize_entry("number", &self.number)?;
        if let Some(bytes) = self.bytes {
            map.serialize_entry("bytes", &bytes)?;
        }
        path(&mut map, "first", Some(self.first))?;
        map.end()
    }
}

/// A damaged file, and where a good version of it is.
struct Damaged<'a>(&'a Path, Option<&'a Path>);

impl Serialize for Damaged<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        path(&mut map, "path", Some(self.0))?;
        path(&mut map, "good", self.1)?;
        map.end()
    }
}

fn refused(warning: &Warning) -> Option<OfEntries<'_>> {
    match warning {
        Warning::LinksRefused {
            why,
            number,
            bytes,
            first,
        } => Some(OfEntries {
            key: "reason",
            word: why.as_str(),
            number: *number,
            bytes: Some(*bytes),
            first,
        }),
        _ => None,
    }
}

fn not_kept(warning: &Warning) -> Option<OfEntries<'_>> {
    match warning {
        Warning::NotKept {
            what,
            number,
            first,
        } => Some(OfEntries {
            key: "what",
            word: what.as_str(),
            number: *number,
            bytes: None,
            first,
        }),
        _ => None,
    }
}

fn damaged(warning: &Warning) -> Option<Damaged<'_>> {
    match warning {
        Warning::Damaged { path, good } => Some(Damaged(path, good.as_deref())),
        _ => None,
    }
}

fn healed(warning: &Warning) -> Option<Damaged<'_>> {
    match warning {
        Warning::Healed { path, good } => Some(Damaged(path, Some(good))),
        _ => None,
    }
}

fn time(moment: &DateTime<Local>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, false)
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let warnings = &self.warnings;
        let sentences: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let refused: Vec<_> = warnings.iter().filter_map(refused).collect();
        let not_kept: Vec<_> = warnings.iter().filter_map(not_kept).collect();
        let damaged: Vec<_> = warnings.iter().filter_map(damaged).collect();
        let healed: Vec<_> = warnings.iter().filter_map(healed).collect();
        let mut map = serializer.serialize_map(None)?;
        path(&mut map, "dump", Some(&self.dump))?;
        path(&mut map, "source", self.source.as_deref())?;
        path(&mut map, "reference", self.reference.as_deref())?;
        map.serialize_entry("start", &time(&self.start))?;
        map.serialize_entry("end", &time(&self.end))?;
        map.serialize_entry("seconds", &self.seconds())?;
        map.serialize_entry("dry_run", &self.dry_run)?;
        map.serialize_entry("resumed", &self.resumed)?;
        path(&mut map, "recycled_from", self.recycled_from.as_deref())?;
        map.serialize_entry("jobs", &self.jobs.number)?;
        map.serialize_entry("jobs_chosen_for", &self.jobs.chosen_for)?;
        counts(&mut map, &self.counts)?;
        map.serialize_entry("verified", &self.verified)?;
        map.serialize_entry("free_bytes", &self.free_bytes)?;
        map.serialize_entry("missing", &self.missing)?;
        map.serialize_entry("partial", &(self.missing > 0))?;
        map.serialize_entry("faults", &self.faults)?;
        map.serialize_entry("links_refused", &refused)?;
        map.serialize_entry("not_kept", &not_kept)?;
        map.serialize_entry("damaged", &damaged)?;
        map.serialize_entry("healed_files", &healed)?;
        map.serialize_entry("warnings_total", &self.warnings_total)?;
        map.serialize_entry("warnings", &sentences)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::ffi::OsStr;

    fn written(value: &impl Serialize) -> Value {
        serde_json::to_value(value).expect("written")
    }

    #[test]
    fn a_path_that_is_not_utf8_comes_twice() {
        let cause = || std::io::Error::from_raw_os_error(13);
        let odd = Path::new(OsStr::from_bytes(b"/\xff"));
        let denied = "Permission denied (os error 13)";
        for (path, expected) in [
            (
                Path::new("/a\u{e9}"),
                json!({ "path": "/a\u{e9}", "operation": "open", "error": denied }),
            ),
            (
                odd,
                json!({
                    "path": "/\u{fffd}",
                    "path_bytes": "2fff",
                    "operation": "open",
                    "error": denied,
                }),
            ),
        ] {
            assert_eq!(written(&Fault::new(Op::Open, path, cause())), expected);
        }
    }

    #[test]
    fn words_are_written_and_read_as_text() {
        let minute: Stamp = "2026-11-22T23:31".parse().expect("a minute");
        for (value, text) in [
            (written(&minute), "2026-11-22T23:31"),
            (written(&Kind::Dir), "directory"),
            (written(&Op::ReadXattr), "read_xattr"),
            (written(&CopyReason::Kind), "type"),
            (written(&Storage::Flash), "flash"),
        ] {
            assert_eq!(value, text);
        }
        let read: Stamp = serde_json::from_value(written(&minute)).expect("read");
        assert_eq!(read, minute);
        assert!(serde_json::from_value::<Stamp>(json!("today")).is_err());
    }

    #[test]
    fn counts_are_what_dump_7_says() {
        let counts = Counts {
            copied_new: Count::new(1, 10),
            copied_refused: Count::new(2, 20),
            ..Counts::default()
        };
        let written = written(&counts);
        let copied = json!({
            "number": 3,
            "bytes": 30,
            "new": { "number": 1, "bytes": 10 },
            "changed": { "number": 0, "bytes": 0 },
            "attributes": { "number": 0, "bytes": 0 },
            "refused": { "number": 2, "bytes": 20 },
            "damaged": { "number": 0, "bytes": 0 },
        });
        assert_eq!(written["copied"], copied);
        assert_eq!(written["faults_total"], 0);
    }
}
