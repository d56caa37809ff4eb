//! An entry of a dump as a node of a snapshot.
//!
//! Two dumps share the inode of a file that did not change, and each new link to
//! it moves its ctime and its link count. Neither is stored, so that an unchanged
//! directory is the same node in every snapshot. What tells one version of a file
//! from another stands where restic keeps the ctime: when the inode was made,
//! which no link moves. The library reads a file again only when that, the size
//! or the mtime differ from the snapshot before.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use dumpcore::{DumpEntry, Kind, Meta, Time};
use rustic_core::jiff::Timestamp;
use rustic_core::repofile::{Metadata, Node, NodeType};
use serde_json::json;

/// As Go counts the bits of a mode, which is how restic stores them.
const GO_DIR: u32 = 1 << 31;
const GO_SYMLINK: u32 = 1 << 27;
const GO_DEVICE: u32 = 1 << 26;
const GO_FIFO: u32 = 1 << 25;
const GO_SOCKET: u32 = 1 << 24;
const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_CHAR: u32 = 1 << 21;
const GO_STICKY: u32 = 1 << 20;

/// Hard links are found by device and inode. All of a dump are on one
/// filesystem, and its number changes when it is mounted elsewhere.
const DEVICE: u64 = 1;

/// The node of an entry, without its contents; and the attributes that cannot be
/// stored, since their names are not UTF-8.
pub(super) fn node(name: &OsStr, entry: &DumpEntry) -> (Node, Vec<String>) {
    let meta = &entry.meta;
    let mut stored = Metadata {
        mode: Some(go_mode(meta)),
        mtime: timestamp(meta.mtime),
        // As restic does without --with-atime.
        atime: timestamp(meta.mtime),
        ctime: version(meta),
        uid: Some(meta.uid),
        gid: Some(meta.gid),
        ..Metadata::default()
    };
    if meta.kind == Kind::File {
        stored.size = meta.size;
    }
    if meta.kind != Kind::Dir {
        stored.links = entry.names;
    }
    if meta.kind != Kind::Dir && entry.names > 1 {
        stored.inode = meta.ino;
        stored.device_id = DEVICE;
    }
    let mut lost = Vec::new();
    for (name, value) in entry.xattrs.iter() {
        match attribute(&mut stored, name, value) {
            true => {}
            false => lost.push(name.escape_ascii().to_string()),
        }
    }
    (Node::new_node(name, kind(entry), stored), lost)
}

/// A directory of which nothing is known but its name.
pub(super) fn directory_above(name: &OsStr, mtime: Time) -> Node {
    let time = timestamp(mtime);
    let stored = Metadata {
        mode: Some(0o755 | GO_DIR),
        mtime: time,
        atime: time,
        ctime: time,
        uid: Some(0),
        gid: Some(0),
        ..Metadata::default()
    };
    Node::new_node(name, NodeType::Dir, stored)
}

/// Adds an attribute. Its type has no name outside the library.
fn attribute(stored: &mut Metadata, name: &[u8], value: &[u8]) -> bool {
    let Ok(name) = str::from_utf8(name) else {
        return false;
    };
    let before = stored.extended_attributes.len();
    if let Ok(one) = serde_json::from_value(json!({ "name": name, "value": null })) {
        stored.extended_attributes.push(one);
    }
    for added in stored.extended_attributes.iter_mut().skip(before) {
        added.value = Some(value.to_vec());
    }
    stored.extended_attributes.len() > before
}

fn kind(entry: &DumpEntry) -> NodeType {
    let device = entry.meta.rdev;
    match entry.meta.kind {
        Kind::Dir => NodeType::Dir,
        Kind::Symlink => {
            let target = entry.target.as_deref().unwrap_or_default();
            NodeType::from_link(Path::new(OsStr::from_bytes(target)))
        }
        Kind::Fifo => NodeType::Fifo,
        Kind::Socket => NodeType::Socket,
        Kind::Char => NodeType::Chardev { device },
        Kind::Block => NodeType::Dev { device },
        _ => NodeType::File,
    }
}

fn go_mode(meta: &Meta) -> u32 {
    let mode = u32::from(meta.mode);
    let bits = [
        (0o4000, GO_SETUID),
        (0o2000, GO_SETGID),
        (0o1000, GO_STICKY),
    ];
    let special = bits.iter().filter(|(bit, _)| mode & bit != 0);
    let kind = match meta.kind {
        Kind::Dir => GO_DIR,
        Kind::Symlink => GO_SYMLINK,
        Kind::Fifo => GO_FIFO,
        Kind::Socket => GO_SOCKET,
        Kind::Char => GO_DEVICE | GO_CHAR,
        Kind::Block => GO_DEVICE,
        _ => 0,
    };
    special.fold(mode & 0o777 | kind, |all, (_, go)| all | go)
}

/// Which version of a file it is, as a time: when its inode was made, or where
/// the filesystem does not tell, one made of the number of the inode. Of anything
/// but a file its contents are in the node.
fn version(meta: &Meta) -> Option<Timestamp> {
    if meta.kind != Kind::File {
        return timestamp(meta.mtime);
    }
    let of_number = || Time::from_nanos(i128::from(meta.ino));
    timestamp(meta.born.unwrap_or_else(of_number))
}

/// `None` outside the years that can be stored.
fn timestamp(time: Time) -> Option<Timestamp> {
    Timestamp::from_nanosecond(time.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_go() {
        for (kind, mode, go) in [
            (Kind::File, 0o644, 0o644),
            (Kind::File, 0o4755, 0o755 | 1 << 23),
            (Kind::Dir, 0o1777, 0o777 | 1 << 31 | 1 << 20),
            (Kind::Dir, 0o2750, 0o750 | 1 << 31 | 1 << 22),
            (Kind::Char, 0o600, 0o600 | 1 << 26 | 1 << 21),
            (Kind::Block, 0o600, 0o600 | 1 << 26),
            (Kind::Symlink, 0o777, 0o777 | 1 << 27),
        ] {
            let mut meta = Meta::new(kind);
            meta.mode = mode;
            assert_eq!(go_mode(&meta), go, "{kind:?} {mode:o}");
        }
    }

    #[test]
    fn neither_a_link_nor_its_ctime_makes_another_version() {
        let mut before = Meta::new(Kind::File);
        (before.born, before.nlink, before.ino) = (Some(Time::new(7, 8)), 1, 9);
        let mut after = before;
        (after.ctime, after.nlink) = (Time::new(70, 80), 5);
        assert_eq!(version(&before), version(&after));
        after.born = Some(Time::new(7, 9));
        assert_ne!(version(&before), version(&after));
        let mut unborn = before;
        unborn.born = None;
        let mut other = unborn;
        other.ino = 10;
        assert_ne!(version(&unborn), version(&other));
    }

    #[test]
    fn attributes_are_stored_as_they_are() {
        let mut stored = Metadata::default();
        assert!(attribute(&mut stored, b"user.a", b"\0\xff"));
        assert!(attribute(&mut stored, b"user.empty", b""));
        assert!(!attribute(&mut stored, b"user.\xff", b"x"));
        let named = stored.extended_attributes.iter();
        let named: Vec<_> = named
            .map(|one| (one.name.as_str(), one.value.as_deref()))
            .collect();
        let (a, empty): (&[u8], &[u8]) = (b"\0\xff", b"");
        assert_eq!(named, [("user.a", Some(a)), ("user.empty", Some(empty))]);
    }
}
