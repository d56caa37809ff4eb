//! A damaged inode itself, as long as a dump has it.

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};

use super::attributes;
use super::book::Damage;
use super::copies::Copy;
use super::worksite::Worksite;
use crate::catalog::{HashState, Holder};
use crate::model::metadata::{Meta, Xattrs};
use crate::policy::heal_note::InodeKey;
use crate::root::damaged::is_inode;
use crate::sys::xattr::Subject;
use crate::sys::{file, stat};

/// Where the bad inode is.
pub(super) struct BadInode {
    pub(super) dir: OwnedFd,
    pub(super) name: CString,
    pub(super) meta: Meta,
}

impl BadInode {
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject::Named(self.dir.as_fd(), &self.name)
    }
}

/// Finds a name of it that is still there.
pub(super) fn find(site: &Worksite<'_>, holders: &[Holder], key: InodeKey) -> Option<BadInode> {
    let names = holders.iter().flat_map(|holder| {
        let dumps = holder.dumps.iter();
        dumps.map(|dump| (*dump, &holder.path))
    });
    let mut found = names.filter_map(|(dump, path)| site.root.look_in(dump, path).ok());
    let (dir, name, meta) = found.find(|(_, _, meta)| is_inode(meta, key))?;
    Some(BadInode { dir, name, meta })
}

/// The attributes of the damaged file itself, where they can be read.
pub(super) fn own_attributes(site: &Worksite<'_>, damage: &Damage) -> Option<Xattrs> {
    let facts = &damage.row.facts;
    let bad = find(site, &damage.holders, (facts.ino?, facts.born))?;
    attributes::read(bad.subject()).ok()
}

/// Opens the damaged file itself, whose contents are good and whose metadata is
/// not.
pub(super) fn own(site: &Worksite<'_>, damage: &Damage) -> Option<Copy> {
    let HashState::Recorded(hash) = damage.row.hash else {
        return None;
    };
    let facts = &damage.row.facts;
    let bad = find(site, &damage.holders, (facts.ino?, facts.born))?;
    let opened = file::open_file(bad.dir.as_fd(), &bad.name).ok()?;
    let same = stat::look_at(&opened).is_ok_and(|meta| meta.id() == bad.meta.id());
    let path = damage
        .row
        .path
        .below(&site.root.path().join(damage.row.dump.path()));
    same.then(|| Copy::own(path, opened, hash))
}
