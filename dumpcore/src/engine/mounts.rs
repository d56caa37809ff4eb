//! What is mounted below the tree: what is not entered, and what the dump has
//! instead.
//!
//! Under `one_file_system` a mount point is recognised before it is opened, by
//! a call that needs no answer of a server: an automount is not triggered, and
//! a server that hangs does not hold the run up. Kernel filesystems (proc,
//! sysfs, …) are recognised by their type after opening; that is checked only
//! where the device differs from that of the directory above.

use std::ffi::CStr;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use super::entry::{Item, KeptBeingReplaced};
use super::job::Entering;
use super::node::{Node, OpenDirs};
use super::worker::Worker;
use crate::fs::dir_handle::Entered;
use crate::fs::inspect;
use crate::model::event::Action;
use crate::model::fault::{Op, OpError, Side};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::warning::Warning;
use crate::sys::dir::{self, For};
use crate::sys::fstype::FsType;
use crate::sys::{errno, file, stat};

impl Worker<'_> {
    /// Is a directory of the source not to be entered, since another filesystem
    /// is mounted there? Opens nothing.
    pub(super) fn ends_before(&self, above: &Arc<Node>, name: &CStr) -> Option<Entering> {
        if !self.run.rules.options.one_file_system {
            return None;
        }
        // If that cannot be found out, entering it fails as well.
        let handle = above.source.open().ok()?;
        let mount = stat::look_at_mount(handle.as_fd(), name).ok()?;
        if mount.dev == above.tree.dev {
            return None;
        }
        match inspect::look_without_waiting(handle.as_fd(), name) {
            Ok(meta) if meta.kind != Kind::Dir => Some(Entering::Gone),
            Ok(meta) => Some(Entering::Elsewhere(meta)),
            Err(_) => Some(Entering::Elsewhere(stand_in(above))),
        }
    }

    /// Is an entry that is not a directory on another filesystem, and not to be
    /// read? Only if something is mounted on the entry itself: on overlayfs the
    /// devices of files differ from those of their directories.
    pub(super) fn is_mounted_file(&self, node: &Node, hands: &OpenDirs, name: &CStr) -> bool {
        let mount = stat::look_at_mount(hands.source.as_fd(), name);
        self.run.rules.options.one_file_system
            && mount.is_ok_and(|mount| mount.is_root && mount.dev != node.tree.dev)
    }

    /// When a place is brought to a version: is something mounted on this directory
    /// of the place? What is made cannot be moved there, so that it is not made,
    /// and missing unless the version has nothing in it either.
    pub(super) fn is_mounted_in_place(
        &mut self,
        above: &Arc<Node>,
        name: &CStr,
        entered: &Entered,
    ) -> bool {
        let reference = above.reference.as_ref();
        let place = reference.filter(|_| self.run.rules.leaves_what_is_same());
        let mount = place.and_then(|place| {
            let handle = place.open().ok()?;
            stat::look_at_mount(handle.as_fd(), name).ok()
        });
        if !mount.is_some_and(|mount| mount.is_root) {
            return false;
        }
        self.leave_out(above, name, Kind::Dir);
        if !dir::is_empty(entered.handle.as_fd()).unwrap_or(false) {
            let text = "something is mounted there; restore it by its own path";
            let cause = std::io::Error::other(text);
            self.fault(above, name, OpError::target(Op::Write, cause));
        }
        true
    }

    /// Is a directory that was entered filled, left empty, or left out?
    pub(super) fn may_enter(
        &mut self,
        above: &Arc<Node>,
        name: &CStr,
        entered: Entered,
    ) -> Entering {
        if self.run.rules.leave_out.contains(&entered.meta.id()) {
            let path = above.full_path(Side::Source, name);
            self.run.totals.warn(Warning::DumpInsideMain { path });
            return Entering::LeftOut(entered.meta);
        }
        if entered.meta.dev == above.meta.dev {
            return Entering::In(entered);
        }
        if self.run.rules.options.one_file_system && entered.meta.dev != above.tree.dev {
            return Entering::Elsewhere(entered.meta);
        }
        match FsType::of(&entered.handle) {
            Ok(FsType::Kernel(kind)) if !self.run.rules.options.source_is_dump => {
                let path = above.full_path(Side::Source, name);
                self.run.left_out.add(path, kind);
                Entering::Elsewhere(entered.meta)
            }
            _ => Entering::In(entered),
        }
    }

    /// Could a file not be read because the kernel makes it up, as it does with
    /// namespaces? Then it is left out. Other files of such filesystems can be
    /// read, and are dumped.
    pub(super) fn is_kernel_file(&mut self, item: Item<'_>, op_error: &OpError) -> bool {
        let Item { node, name, .. } = item;
        if op_error.side != Side::Source || item.meta.dev == node.meta.dev {
            return false;
        }
        let opened = file::open_file(item.hands.source.as_fd(), name);
        let Ok(FsType::Kernel(kind)) = opened.and_then(FsType::of) else {
            return false;
        };
        let path = node.full_path(Side::Source, name);
        self.run.left_out.add(path, kind);
        self.leave_out(node, name, item.meta.kind);
        true
    }

    /// A directory could not be opened: reports why. Returns what the dump can
    /// have instead.
    pub(super) fn closed(&mut self, above: &Arc<Node>, name: &CStr, e: std::io::Error) -> Entering {
        if errno::is_not_permitted(&e) && is_closed_fuse(above, name) {
            self.fault(above, name, OpError::source(Op::Open, FuseClosed(e)));
            return Entering::Closed(stand_in(above), true);
        }
        let looked = Self::look(above, name);
        if looked.as_ref().is_some_and(|meta| meta.kind != Kind::Dir) {
            return Entering::Gone;
        }
        // What is missing and stays so may have vanished.
        let e = match errno::has_changed(&e) && (looked.is_some() || !errno::is_missing(&e)) {
            true => KeptBeingReplaced(Some(e)).into(),
            false => e,
        };
        self.fault_at_directory(above, name, OpError::source(Op::Open, e));
        looked.map_or(Entering::Lost, |meta| Entering::Closed(meta, true))
    }

    /// Leaves an entry out that is on another filesystem.
    pub(super) fn leave_out(&mut self, node: &Node, name: &CStr, kind: Kind) {
        self.count(node, name, kind, 0, Action::OtherFilesystem);
    }
}

/// The metadata for a mount point on which `stat` fails: what it covers cannot
/// be seen either, so those of the directory above are used.
fn stand_in(above: &Node) -> Meta {
    Meta {
        kind: Kind::Dir,
        ..above.meta
    }
}

/// Is a directory a FUSE mount, which only the user who mounted it may enter,
/// and not even root?
fn is_closed_fuse(above: &Node, name: &CStr) -> bool {
    let mounted = || {
        let handle = above.source.open()?;
        let mount = stat::look_at_mount(handle.as_fd(), name)?;
        let differs = mount.dev != above.meta.dev;
        let fuse = || dir::open_dir(handle.as_fd(), name, For::Passing).and_then(FsType::of);
        Ok::<_, std::io::Error>(differs && fuse()?.is_in_user_space())
    };
    mounted().unwrap_or(false)
}

/// The error of a FUSE mount that is closed to all but one user.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is a user's FUSE mount, which is closed even to root; exclude it, or leave out other \
     filesystems"
)]
struct FuseClosed(#[source] std::io::Error);

impl From<FuseClosed> for std::io::Error {
    fn from(closed: FuseClosed) -> Self {
        Self::new(closed.0.kind(), closed)
    }
}
