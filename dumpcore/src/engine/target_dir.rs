//! The target's side of a directory: it is made, taken over from an earlier
//! run or from an expired dump, or made empty; and what is in its way is removed.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use super::held::{Held, Intact};
use super::job::Found;
use super::node::Node;
use super::worker::Worker;
use crate::fs::dir_handle::DirHandle;
use crate::fs::inspect;
use crate::fs::remove_tree;
use crate::model::event::Action;
use crate::model::fault::{Op, OpError, Side};
use crate::model::kind::Kind;
use crate::model::metadata::{Meta, Xattrs};
use crate::sys::dir::{self, For};
use crate::sys::xattr::Subject;
use crate::sys::{errno, link};

/// A directory of the target that is to be filled.
#[derive(Debug)]
pub(super) struct TargetDir {
    /// `None` in a dry run.
    pub(super) place: Option<Arc<DirHandle>>,
    /// Can nothing be in it?
    pub(super) fresh: bool,
    /// Of a directory of an expired dump.
    pub(super) intact: Option<Intact>,
}

impl TargetDir {
    /// None: nothing is made.
    pub(super) fn none() -> Self {
        Self {
            place: None,
            fresh: true,
            intact: None,
        }
    }

    /// It could not be made where there is this.
    pub(super) fn unmade(held: Held) -> Self {
        Self {
            fresh: held == Held::Nothing,
            ..Self::none()
        }
    }
}

/// Enters a directory of an expired dump. `None` where it has none of that name,
/// or one that has to be opened up first.
fn expired(above: &Arc<DirHandle>, name: &CStr) -> Result<Option<TargetDir>, OpError> {
    match above.enter(name, For::Filling) {
        Ok(entered) if entered.is_mount || entered.meta.dev != above.id().dev => {
            let mounted = io::Error::other("another filesystem is mounted there");
            Err(OpError::target(Op::Open, mounted))
        }
        // The dump would have what its source has not, and nothing in it could ever be
        // changed or removed.
        Ok(entered) if entered.is_fixed => {
            Err(OpError::target(Op::SetMode, errno::not_permitted()))
        }
        Ok(entered) => Ok(Some(TargetDir {
            place: Some(entered.place),
            fresh: false,
            intact: Some(Intact::new(entered.meta)),
        })),
        Err(e) if errno::has_changed(&e) || errno::is_not_permitted(&e) => Ok(None),
        Err(e) => Err(OpError::target(Op::Open, e)),
    }
}

impl Worker<'_> {
    /// Makes a directory of the target, or takes over the one that is there.
    /// `held` is what the directory above holds, which is that of `node`, except
    /// of a top.
    pub(super) fn make_target(
        &self,
        above: Option<&Arc<DirHandle>>,
        held: Held,
        name: &CStr,
        node: Option<&Node>,
    ) -> Result<TargetDir, OpError> {
        let Some(above) = above else {
            return Ok(TargetDir::none());
        };
        if held == Held::Expired {
            if let Some(intact) = expired(above, name)? {
                return Ok(intact);
            }
            node.map_or(Ok(()), |node| self.begin_changing(node))?;
        }
        let fresh_above = held == Held::Nothing;
        let failed = |op| move |e: io::Error| OpError::target(op, e);
        let handle = above.open().map_err(failed(Op::Open))?;
        let made = dir::make_private(handle.as_fd(), name);
        let fresh = match made {
            Ok(()) => true,
            Err(e) if errno::is_taken(&e) && !fresh_above && self.has_this_name(&handle, name) => {
                !self.is_directory_there(&handle, name)?
            }
            Err(e) => return Err(OpError::target(Op::Create, e)),
        };
        let entered = match above.enter(name, For::Filling) {
            Err(e) if errno::is_not_permitted(&e) && !fresh => {
                // An earlier run left it with the permissions of its source.
                link::set_mode_of_dir(handle.as_fd(), name, 0o700).map_err(failed(Op::SetMode))?;
                above.enter(name, For::Filling)
            }
            other => other,
        };
        let entered = entered.map_err(failed(Op::Open))?;
        if !fresh {
            self.writer.take_over(entered.handle.as_fd())?;
        }
        Ok(TargetDir {
            place: Some(entered.place),
            fresh,
            intact: None,
        })
    }

    /// Something has the name of a directory to be made: a directory is used,
    /// anything else is removed.
    fn is_directory_there(&self, dir: &OwnedFd, name: &CStr) -> Result<bool, OpError> {
        let there = inspect::look_in_dump(dir.as_fd(), name);
        let there = there.map_err(|e| OpError::target(Op::Stat, e))?;
        if there.kind == Kind::Dir {
            return Ok(true);
        }
        link::remove(dir.as_fd(), name).map_err(|e| OpError::target(Op::Remove, e))?;
        dir::make_private(dir.as_fd(), name).map_err(|e| OpError::target(Op::Create, e))?;
        Ok(false)
    }

    /// Makes an empty directory with the attributes of one that may not be
    /// read. `told`: that was reported.
    pub(super) fn empty_directory(
        &mut self,
        above: &Arc<Node>,
        name: &CStr,
        meta: &Meta,
        told: bool,
    ) {
        let source = above.source.open();
        let read = source
            .map_err(|e| OpError::source(Op::Open, e))
            .and_then(|source| {
                let subject = Subject::Named(source.as_fd(), name);
                inspect::attributes(subject, self.run.rules.capabilities)
            });
        let (xattrs, unread) = match read {
            Ok(read) => (read.xattrs, read.unread),
            Err(op_error) => (Xattrs::default(), vec![op_error]),
        };
        self.stand_empty(above, name, meta, &xattrs);
        if !told {
            self.tell_losses(above, name, unread);
        }
    }

    /// Makes an empty directory without reading the source, for a mount that is
    /// left out.
    pub(super) fn bare_directory(&mut self, above: &Arc<Node>, name: &CStr, meta: &Meta) {
        self.stand_empty(above, name, meta, &Xattrs::default());
    }

    fn stand_empty(&mut self, above: &Arc<Node>, name: &CStr, meta: &Meta, xattrs: &Xattrs) {
        self.clear(above, name);
        let outcome = self.make_empty(above, name, meta, xattrs);
        let made = outcome.is_ok();
        let is_whole = outcome.as_ref().is_ok_and(Vec::is_empty);
        self.settle_attributes(above, name, outcome);
        self.note_empty(above, name);
        if is_whole {
            self.note_directory(above, name, meta, xattrs);
        } else {
            self.note_as_made(above, name);
        }
        if made {
            self.count(above, name, Kind::Dir, 0, Action::Filled);
        }
    }

    fn make_empty(
        &self,
        above: &Arc<Node>,
        name: &CStr,
        meta: &Meta,
        xattrs: &Xattrs,
    ) -> Result<Vec<OpError>, OpError> {
        let Some(target) = &above.target else {
            return Ok(Vec::new());
        };
        self.begin_changing(above)?;
        let target = target.open().map_err(|e| OpError::target(Op::Open, e))?;
        dir::make_private(target.as_fd(), name).map_err(|e| OpError::target(Op::Create, e))?;
        let made = dir::open_dir(target.as_fd(), name, For::Filling);
        let made = made.map_err(|e| OpError::target(Op::Open, e))?;
        let subject = Subject::Open(made.as_fd());
        let losses = self.writer.attributes(subject, meta, xattrs)?.losses;
        self.writer.flush(&made)?;
        Ok(losses)
    }

    /// Call this before anything is changed in a directory of the target: one of an
    /// expired dump is closed to all others, as one that is made is.
    pub(super) fn begin_changing(&self, node: &Node) -> Result<(), OpError> {
        let (Some(intact), Some(target)) = (&node.intact, &node.target) else {
            return Ok(());
        };
        intact.end(|| {
            let handle = target.open().map_err(|e| OpError::target(Op::Open, e))?;
            self.writer.take_over(handle.as_fd())
        })
    }

    /// Is a directory of an expired dump what this run would make? All of its names
    /// are, since nothing was changed; its own attributes are held against the
    /// source's.
    pub(super) fn stands(&self, node: &Node, target: &OwnedFd) -> bool {
        let Some(intact) = node.intact.as_ref().filter(|intact| intact.is_whole()) else {
            return false;
        };
        let capabilities = self.run.rules.capabilities;
        let stored = capabilities.storable(&node.meta);
        let owned = capabilities.owned(&node.meta);
        let (mode, kept) = capabilities.storable_access(&node.meta, &node.xattrs, owned);
        let there = &intact.meta;
        let is = (there.uid, there.gid, there.mode, there.mtime);
        let subject = Subject::Open(target.as_fd());
        let xattrs = || inspect::xattrs(subject, Side::Target, capabilities);
        // What cannot be read is made, which tells of it.
        is == (stored.uid, stored.gid, mode, stored.mtime) && xattrs().is_ok_and(|is| is == kept)
    }

    /// Removes what the target has under a name, unless the target is new: what an
    /// expired dump or an earlier run stored there is not what the source has now. If
    /// it cannot be removed, nothing is published. In a run that has ended it stays,
    /// for the next one to resume.
    pub(super) fn clear(&self, node: &Node, name: &CStr) {
        if !self.run.totals.keep_going() {
            return;
        }
        if let Err(op_error) = self.remove_there(node, name) {
            self.halt(node, name, op_error);
        }
    }

    /// The same of all that is in a directory whose source cannot be listed. The
    /// directory stays.
    pub(super) fn empty_unmerged(&self, node: &Node) {
        let Some(target) = node.target.as_ref().filter(|_| !node.fresh) else {
            return;
        };
        if !self.run.totals.keep_going() {
            return;
        }
        match target.open().and_then(|handle| Found::list(&handle)) {
            Ok(found) => {
                for entry in found.chunk.iter() {
                    self.clear(node, entry.name);
                }
            }
            Err(e) => self.halt(node, c"", OpError::target(Op::List, e)),
        }
    }

    fn remove_there(&self, node: &Node, name: &CStr) -> Result<(), OpError> {
        let Some(target) = node.target.as_ref().filter(|_| !node.fresh) else {
            return Ok(());
        };
        self.begin_changing(node)?;
        let handle = target.open().map_err(|e| OpError::target(Op::Open, e))?;
        let keep_going = || self.run.totals.keep_going();
        remove_tree::remove_tree(handle.as_fd(), name, &keep_going).map(|_| ())
    }
}
