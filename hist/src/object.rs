//! An event for machines.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use chrono::SecondsFormat;
use dumpcli::json;
use dumpcore::{AttributeChanges, Change, Changed, DirEntry, HistoryEvent, NameChanges, Time};
use serde_json::{Map, Value};

use crate::plain::local;

/// All but what has to be read for it.
pub(crate) fn of(event: &HistoryEvent) -> Map<String, Value> {
    let version = &event.version;
    let meta = &version.meta;
    let mut object = Map::new();
    object.insert("change".into(), event.change.as_str().into());
    json::put_path(&mut object, "path", Some(&version.path));
    let dump = version.dump.map(|dump| dump.to_string());
    object.insert("dump".into(), dump.into());
    object.insert("type".into(), meta.kind.as_str().into());
    object.insert("size".into(), meta.size.into());
    object.insert("mode".into(), octal(meta.mode));
    object.insert("uid".into(), meta.uid.into());
    object.insert("gid".into(), meta.gid.into());
    object.insert("mtime".into(), moment(meta.mtime));
    object.insert("inode".into(), meta.ino.into());
    object.insert("main".into(), event.main.into());
    if let Some(before) = &event.before {
        json::put_path(&mut object, "before", Some(&before.path));
    }
    match &event.change {
        Change::Delete { missing } => json::put_path(&mut object, "missing_in", Some(missing)),
        Change::Rename { from } => json::put_path(&mut object, "from", Some(from)),
        _ => {}
    }
    object
}

/// A listing.
pub(crate) fn names(names: &[DirEntry]) -> Value {
    let name = |entry: &DirEntry| {
        let mut object = Map::new();
        put_name(&mut object, &entry.name);
        object.insert("directory".into(), entry.is_dir.into());
        Value::Object(object)
    };
    names.iter().map(name).collect()
}

/// What a directory gained and lost.
pub(crate) fn put_names(object: &mut Map<String, Value>, changes: &NameChanges) {
    object.insert("added".into(), names(&changes.added));
    object.insert("removed".into(), names(&changes.removed));
}

/// Which attributes differ, each with its value before and after.
pub(crate) fn attributes(changes: &AttributeChanges) -> Value {
    let mut object = Map::new();
    put(&mut object, "mode", changes.mode, octal);
    put(&mut object, "uid", changes.uid, Value::from);
    put(&mut object, "gid", changes.gid, Value::from);
    put(&mut object, "mtime", changes.mtime, moment);
    let xattr = |(name, action): &(Vec<u8>, dumpcore::XattrAction)| {
        let mut object = Map::new();
        put_name(&mut object, name);
        object.insert("change".into(), action.as_str().into());
        Value::Object(object)
    };
    if !changes.xattrs.is_empty() {
        let xattrs = changes.xattrs.iter().map(xattr).collect();
        object.insert("xattrs".into(), xattrs);
    }
    Value::Object(object)
}

fn put<T>(
    object: &mut Map<String, Value>,
    key: &str,
    changed: Option<Changed<T>>,
    value: fn(T) -> Value,
) {
    if let Some(Changed { before, after }) = changed {
        let mut both = Map::new();
        both.insert("before".into(), value(before));
        both.insert("after".into(), value(after));
        object.insert(key.into(), both.into());
    }
}

fn put_name(object: &mut Map<String, Value>, name: &[u8]) {
    json::put_path(object, "name", Some(Path::new(OsStr::from_bytes(name))));
}

fn octal(mode: u16) -> Value {
    format!("{mode:04o}").into()
}

fn moment(time: Time) -> Value {
    let at = local(time).map(|at| at.to_rfc3339_opts(SecondsFormat::Nanos, false));
    at.into()
}
