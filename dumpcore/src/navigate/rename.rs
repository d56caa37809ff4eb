//! The name that a file had in the dump before.
//!
//! A file that was renamed, and stored by a link all the same, has its inode
//! in the dump before under another name. Names and inode numbers come from
//! the directory listings alone; only what bears the right number is looked
//! at. The directory that the new name lies in is searched first.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::Path;

use super::version::look;
use crate::event::Kind;
use crate::fault::{Fault, Op};
use crate::layout::DumpName;
use crate::listing::is_absent;
use crate::meta::Meta;
use crate::relpath::RelPath;

/// A rename that was found.
#[derive(Debug)]
pub(super) struct Renamed {
    /// The run that it began.
    pub(super) at: usize,
    /// The dump before.
    pub(super) dump: DumpName,
    /// The name in it.
    pub(super) from: RelPath,
}

/// The first name, in the dump at `top`, of the inode that bears the name
/// `within` in the dump after it.
pub(super) fn find(
    top: &Path,
    within: &RelPath,
    wanted: &Meta,
    faults: &mut Vec<Fault>,
) -> Option<RelPath> {
    // Directories are never linked, and what has one name has no other.
    if wanted.kind == Kind::Dir || wanted.nlink < 2 {
        return None;
    }
    let mut queue: VecDeque<RelPath> = near(within).into();
    let mut near = queue.len();
    while let Some(directory) = queue.pop_front() {
        let deeper = near == 0;
        near = near.saturating_sub(1);
        match search(top, &directory, wanted) {
            Ok(Found::Name(name)) => return Some(name),
            Ok(Found::Directories(below)) if deeper || near == 0 => queue.extend(below),
            Ok(Found::Directories(_)) => {}
            Err(fault) if is_absent(&fault.cause) => {}
            Err(fault) => faults.push(fault),
        }
    }
    None
}

/// The directory of the name, then the root that it lies in.
fn near(within: &RelPath) -> Vec<RelPath> {
    let bytes = within.as_bytes();
    let parent = bytes.iter().rposition(|b| *b == b'/').unwrap_or(0);
    let root = bytes.iter().position(|b| *b == b'/').unwrap_or(0);
    vec![
        RelPath::from_bytes(&bytes[..parent]),
        RelPath::from_bytes(&bytes[..root]),
    ]
}

enum Found {
    Name(RelPath),
    Directories(Vec<RelPath>),
}

fn search(top: &Path, directory: &RelPath, wanted: &Meta) -> Result<Found, Fault> {
    let path = directory.below(top);
    let fault = |cause| Fault::new(Op::List, path.clone(), cause);
    let mut below = Vec::new();
    for entry in fs::read_dir(&path).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = directory.join(entry.file_name().as_bytes());
        if entry.ino() == wanted.ino
            && look(&name.below(top))?.is_some_and(|meta| meta.id() == wanted.id())
        {
            return Ok(Found::Name(name));
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below.push(name);
        }
    }
    Ok(Found::Directories(below))
}
