//! Looking once more at names that seem wrong, while nothing can change.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::attributes;
use super::dump_dirs::{below, split};
use super::worksite::Worksite;
use crate::catalog::{Facts, NameDiffers, NameFault, Recorded, View, has_attributes};
use crate::model::error::Error;
use crate::model::kind::Kind;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::sys::dir::{self, For};
use crate::sys::errno;
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::xattr::Subject;
use crate::tend::scrubbed::DamageKind;

/// A path of a dump that is not as it was recorded, and the system's answer.
pub(super) type NameFound = (RelPath, DamageKind, Option<Answer>);

/// Why something cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) needs_fsck: bool,
}

impl Answer {
    pub(super) fn of(error: &io::Error) -> Self {
        Self {
            text: error.to_string(),
            needs_fsck: errno::is_filesystem_damage(error),
        }
    }
}

/// Looks once more at what seems wrong in a dump, which is done while the dump root
/// is locked.
pub(super) fn confirm(
    site: &Worksite<'_>,
    view: &View,
    dump: DumpId,
    differ: Vec<NameDiffers>,
) -> Result<Vec<NameFound>, Error> {
    let top = match site.root.open_dump(&dump.rel_path()) {
        Ok(top) => top,
        // It was removed.
        Err(e) if errno::is_missing(&e) || errno::has_changed(&e) => return Ok(Vec::new()),
        Err(e) if errno::is_shortage(&e) => return Err(site.unseen(dump, &RelPath::root(), e)),
        Err(e) => {
            let found = (RelPath::root(), DamageKind::ReadError, Some(Answer::of(&e)));
            return Ok(vec![found]);
        }
    };
    let paths: Vec<RelPath> = differ.iter().map(|one| one.path.clone()).collect();
    let recorded = view.at(dump, &paths)?;
    let trees: Vec<Vec<u8>> = view
        .trees_in(dump)?
        .into_iter()
        .map(|tree| tree.0)
        .collect();
    let mut found = Vec::new();
    for (one, recorded) in differ.into_iter().zip(recorded) {
        let expected = match recorded {
            Some(recorded) => Expected::Entry(recorded),
            None if trees.iter().any(|tree| tree == one.path.as_bytes()) => Expected::Tree,
            None => Expected::Nothing,
        };
        let again = again(&top, &one, &expected);
        let again = again.map_err(|e| site.unseen(dump, &one.path, e))?;
        found.extend(again.map(|(kind, cause)| (one.path, kind, cause)));
    }
    Ok(found)
}

/// Has a directory the attributes that were recorded? `true` where that is not known.
fn has_recorded(top: &OwnedFd, path: &RelPath, digest: u64) -> bool {
    let opened = below(top, path.as_bytes());
    let opened = opened.and_then(|dir| dir::reopen(dir.as_fd(), For::Reading));
    opened.map_or(true, |dir| {
        has_attributes(Subject::Open(dir.as_fd()), digest)
    })
}

/// What a dump is recorded to have under a path.
enum Expected {
    Entry(Recorded),
    Tree,
    Nothing,
}

/// # Errors
/// When this process lacks what it takes to look, which says nothing of the disk.
fn again(
    top: &OwnedFd,
    one: &NameDiffers,
    expected: &Expected,
) -> io::Result<Option<(DamageKind, Option<Answer>)>> {
    let unread = |e: io::Error| match errno::is_shortage(&e) {
        true => Err(e),
        false => Ok(Some((DamageKind::ReadError, Some(Answer::of(&e))))),
    };
    if let NameFault::Unread(_) = one.fault {
        let listed = below(top, one.path.as_bytes())
            .and_then(|dir| dir::reopen(dir.as_fd(), For::Reading))
            .and_then(|dir| dir::list_all(dir.as_fd(), For::Reading));
        return match listed {
            Ok(_) => Ok(None),
            Err(e) if errno::is_missing(&e) => Ok(Some((DamageKind::Missing, None))),
            Err(e) => unread(e),
        };
    }
    let (above, name) = split(&one.path);
    let looked =
        below(top, above).and_then(|dir| stat::look(dir.as_fd(), &c_name(name), Fresh::WithBirth));
    let there = match looked {
        Ok(meta) => Some(Facts::of(&meta)),
        Err(e) if errno::is_missing(&e) || errno::has_changed(&e) => None,
        Err(e) => return unread(e),
    };
    let kind = match (expected, there) {
        (Expected::Nothing, None) => return Ok(None),
        (Expected::Nothing, Some(_)) => DamageKind::NotRecorded,
        (_, None) => DamageKind::Missing,
        (Expected::Tree, Some(there)) if there.kind == Kind::Dir => return Ok(None),
        (Expected::Tree, Some(_)) => DamageKind::Missing,
        (Expected::Entry(recorded), Some(there)) => {
            let facts = &recorded.facts;
            let is_dir = facts.kind == Kind::Dir;
            // Its attributes are compared apart.
            let there = if is_dir {
                there.with_digest(facts.rdev)
            } else {
                there
            };
            match () {
                () if facts.kind != there.kind || facts.ino != there.ino => DamageKind::Missing,
                () if is_dir && !facts.is_same_inode(&there) => DamageKind::Metadata,
                () if is_dir && !has_recorded(top, &one.path, facts.rdev) => {
                    let text = attributes::OTHERS.to_owned();
                    let answer = Answer {
                        text,
                        needs_fsck: false,
                    };
                    return Ok(Some((DamageKind::Metadata, Some(answer))));
                }
                // Of other inodes it is told where they are read.
                () => return Ok(None),
            }
        }
    };
    Ok(Some((kind, None)))
}
