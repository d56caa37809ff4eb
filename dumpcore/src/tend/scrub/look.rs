//! Looking at one inode: its metadata, and its contents as the disk has them.

use std::io;
use std::os::fd::AsFd as _;

use super::attributes::{self, Attributes};
use super::dump_dirs::{DumpDirs, split};
use crate::catalog::{Facts, HashState, ScrubRow, Taken};
use crate::fs::disk_hash::{DiskHasher, DiskRead};
use crate::model::kind::Kind;
use crate::model::path::RelPath;
use crate::policy::content_hash::ContentHash;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::xattr::Subject;
use crate::sys::{errno, file};
use crate::tend::scrubbed::DamageKind;

/// What a look at an inode came to.
#[derive(Debug)]
pub(super) enum Looked {
    /// It is as it was recorded; with what was taken where nothing was recorded that
    /// counts.
    Sound(Taken),
    /// It seems damaged.
    Bad(Bad),
    /// It may not be read.
    Closed(io::Error),
    /// It was asked to stop.
    Stopped,
}

/// What seems wrong.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) kind: DamageKind,
    pub(super) cause: Option<io::Error>,
    /// The hash of what it holds.
    pub(super) hash: Option<ContentHash>,
    /// Has it other extended attributes or ACLs?
    pub(super) attributes: bool,
}

impl Bad {
    /// May its attributes be others than those that were recorded? They were not
    /// looked at where it could not be read, or has another size.
    pub(super) fn may_lack_attributes(&self) -> bool {
        self.attributes || matches!(self.kind, DamageKind::ReadError | DamageKind::Size)
    }

    fn of(kind: DamageKind) -> Looked {
        Looked::Bad(Self {
            kind,
            cause: None,
            hash: None,
            attributes: false,
        })
    }

    fn unread(cause: io::Error) -> Looked {
        Looked::Bad(Self {
            kind: DamageKind::ReadError,
            cause: Some(cause),
            hash: None,
            attributes: false,
        })
    }

    /// Of what has the contents that were stored, or none: `others` says what else it
    /// has not.
    fn metadata(others: bool, seen: Attributes) -> Self {
        let attributes = seen == Attributes::Others;
        let alone = attributes && !others;
        Self {
            kind: DamageKind::Metadata,
            cause: alone.then(|| io::Error::other(attributes::OTHERS)),
            hash: None,
            attributes,
        }
    }
}

/// Looks at inodes, one after the other: what they have in common stays open.
pub(super) struct Looker<'r> {
    dirs: DumpDirs<'r>,
    hasher: DiskHasher,
}

impl<'r> Looker<'r> {
    pub(super) fn new(root: &'r DumpRoot) -> Self {
        Self {
            dirs: DumpDirs::new(root),
            hasher: DiskHasher::new(),
        }
    }

    /// Looks at an inode under a path of a dump.
    ///
    /// # Errors
    /// When the disk is gone, or this process lacks descriptors or memory: nothing
    /// more can be read, and nothing is said of the inode.
    pub(super) fn look(
        &mut self,
        row: &ScrubRow,
        (dump, path): (DumpId, &RelPath),
        keep_going: &mut dyn FnMut(u64) -> bool,
    ) -> io::Result<Looked> {
        let looked = self.look_at(row, (dump, path), keep_going);
        match looked {
            Ok(looked) => Ok(looked),
            Err(e) if errno::is_mount_gone(&e) || errno::is_shortage(&e) => Err(e),
            Err(e) if errno::is_missing(&e) || errno::has_changed(&e) => {
                Ok(Bad::of(DamageKind::Missing))
            }
            Err(e) if errno::is_not_permitted(&e) => Ok(Looked::Closed(e)),
            Err(e) => Ok(Bad::unread(e)),
        }
    }

    fn look_at(
        &mut self,
        row: &ScrubRow,
        (dump, path): (DumpId, &RelPath),
        keep_going: &mut dyn FnMut(u64) -> bool,
    ) -> io::Result<Looked> {
        let (above, name) = split(path);
        let dir = self.dirs.open(dump, above)?;
        let name = c_name(name);
        let meta = stat::look(dir.as_fd(), &name, Fresh::WithBirth)?;
        let there = Facts::of(&meta);
        let is_it = there.kind == row.facts.kind
            && there.ino == row.facts.ino
            && there.born == row.facts.born;
        if !is_it {
            return Ok(Bad::of(DamageKind::Missing));
        }
        let differs = !there.is_same_inode(&row.facts);
        if meta.kind != Kind::File {
            let seen = attributes::look(Subject::Named(dir.as_fd(), &name), row.xattrs)?;
            return Ok(match differs || seen == Attributes::Others {
                true => Looked::Bad(Bad::metadata(differs, seen)),
                false => sound(None, seen),
            });
        }
        if there.size != row.facts.size {
            return Ok(Bad::of(DamageKind::Size));
        }
        let opened = file::open_file(dir.as_fd(), &name)?;
        if stat::look_at(&opened)?.id() != meta.id() {
            return Ok(Bad::of(DamageKind::Missing));
        }
        let hash = match self.hasher.hash(&opened, there.size, keep_going)? {
            DiskRead::Whole(hash) => hash,
            DiskRead::Short => return Ok(Bad::of(DamageKind::Size)),
            DiskRead::Stopped => return Ok(Looked::Stopped),
        };
        let seen = attributes::look(Subject::Open(opened.as_fd()), row.xattrs)?;
        let with_hash = |bad: Bad| {
            Looked::Bad(Bad {
                hash: Some(hash),
                ..bad
            })
        };
        Ok(match row.hash {
            HashState::Recorded(recorded) if recorded != hash => with_hash(Bad {
                kind: DamageKind::Contents,
                cause: None,
                ..Bad::metadata(differs, seen)
            }),
            _ if differs || seen == Attributes::Others => with_hash(Bad::metadata(differs, seen)),
            HashState::Recorded(_) => sound(None, seen),
            HashState::Missing | HashState::Broken => sound(Some(hash), seen),
        })
    }
}

fn sound(hash: Option<ContentHash>, seen: Attributes) -> Looked {
    let xattrs = seen.taken();
    Looked::Sound(Taken { hash, xattrs })
}
