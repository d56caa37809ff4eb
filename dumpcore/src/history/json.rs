//! Changes of a path, as dump(7) documents them for `hist --json`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use chrono::{DateTime, Local, SecondsFormat};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::change::{Change, Event};
use super::details::{AttributeChanges, Changed, NameChanges, XattrAction};
use super::read::DirEntry;
use crate::model::json::path;
use crate::model::time::Time;

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let version = &self.version;
        let meta = &version.meta;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("change", self.change.as_str())?;
        path(&mut map, "path", Some(&version.path))?;
        map.serialize_entry("dump", &version.dump)?;
        map.serialize_entry("type", &meta.kind)?;
        map.serialize_entry("size", &meta.size)?;
        map.serialize_entry("mode", &octal(meta.mode))?;
        map.serialize_entry("uid", &meta.uid)?;
        map.serialize_entry("gid", &meta.gid)?;
        map.serialize_entry("mtime", &moment(meta.mtime))?;
        map.serialize_entry("inode", &meta.ino)?;
        map.serialize_entry("main", &self.main)?;
        if let Some(before) = &self.before {
            path(&mut map, "before", Some(&before.path))?;
        }
        match &self.change {
            Change::Delete { missing } => path(&mut map, "missing_in", Some(missing))?,
            Change::Rename { from } => path(&mut map, "from", Some(from))?,
            _ => {}
        }
        map.end()
    }
}

impl Serialize for DirEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        name(&mut map, &self.name)?;
        map.serialize_entry("directory", &self.is_dir)?;
        map.end()
    }
}

impl Serialize for NameChanges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("added", &self.added)?;
        map.serialize_entry("removed", &self.removed)?;
        map.end()
    }
}

impl Serialize for AttributeChanges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        changed(&mut map, "mode", self.mode, octal)?;
        changed(&mut map, "uid", self.uid, |uid| uid)?;
        changed(&mut map, "gid", self.gid, |gid| gid)?;
        changed(&mut map, "mtime", self.mtime, moment)?;
        let xattrs: Vec<_> = self
            .xattrs
            .iter()
            .map(|(name, did)| Xattr(name, *did))
            .collect();
        if !xattrs.is_empty() {
            map.serialize_entry("xattrs", &xattrs)?;
        }
        map.end()
    }
}

/// An extended attribute, and what happened to it.
struct Xattr<'a>(&'a [u8], XattrAction);

impl Serialize for Xattr<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        name(&mut map, self.0)?;
        map.serialize_entry("change", self.1.as_str())?;
        map.end()
    }
}

struct Both<T>(T, T);

impl<T: Serialize> Serialize for Both<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("before", &self.0)?;
        map.serialize_entry("after", &self.1)?;
        map.end()
    }
}

/// Only what has changed has a key.
fn changed<M: SerializeMap, T, V: Serialize>(
    map: &mut M,
    key: &str,
    changed: Option<Changed<T>>,
    value: fn(T) -> V,
) -> Result<(), M::Error> {
    match changed {
        Some(Changed { before, after }) => {
            map.serialize_entry(key, &Both(value(before), value(after)))
        }
        None => Ok(()),
    }
}

fn name<M: SerializeMap>(map: &mut M, name: &[u8]) -> Result<(), M::Error> {
    path(map, "name", Some(Path::new(OsStr::from_bytes(name))))
}

fn octal(mode: u16) -> String {
    format!("{mode:04o}")
}

/// `None` for what no calendar has.
fn moment(time: Time) -> Option<String> {
    let at = DateTime::from_timestamp(time.secs, time.nanos)?;
    let at = at.with_timezone(&Local);
    Some(at.to_rfc3339_opts(SecondsFormat::Nanos, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, to_value};

    #[test]
    fn only_what_changed_has_a_key() {
        let changes = AttributeChanges {
            mode: Some(Changed {
                before: 0o644,
                after: 0o4755,
            }),
            uid: None,
            gid: Some(Changed {
                before: 1,
                after: 2,
            }),
            mtime: None,
            xattrs: vec![(b"user.\xff".to_vec(), XattrAction::Added)],
        };
        let expected = json!({
            "mode": { "before": "0644", "after": "4755" },
            "gid": { "before": 1, "after": 2 },
            "xattrs": [{
                "name": "user.\u{fffd}",
                "name_bytes": "757365722eff",
                "change": "added",
            }],
        });
        assert_eq!(to_value(&changes).expect("written"), expected);
    }

    #[test]
    fn names_say_what_is_a_directory() {
        let entry = |name: &str, is_dir| DirEntry {
            name: name.into(),
            is_dir,
            is_symlink: false,
        };
        let changes = NameChanges {
            added: vec![entry("a", true)],
            removed: vec![entry("b", false)],
        };
        let expected = json!({
            "added": [{ "name": "a", "directory": true }],
            "removed": [{ "name": "b", "directory": false }],
        });
        assert_eq!(to_value(&changes).expect("written"), expected);
    }
}
