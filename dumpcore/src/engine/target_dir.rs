//! The target's side of a directory: it is made, taken over from an earlier
//! run, or made empty; and what is in its way is removed.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use super::node::Node;
use super::worker::Worker;
use crate::fs::dir_handle::DirHandle;
use crate::fs::inspect;
use crate::fs::remove_tree;
use crate::model::event::Action;
use crate::model::fault::{Op, OpError};
use crate::model::kind::Kind;
use crate::model::metadata::{Meta, Xattrs};
use crate::sys::dir::{self, For};
use crate::sys::xattr::Subject;
use crate::sys::{errno, link};

impl Worker<'_> {
    /// Makes a directory of the target, or takes over the one that is there.
    /// Returns whether it is new; `None` in a dry run.
    pub(super) fn make_target(
        &self,
        above: Option<&Arc<DirHandle>>,
        fresh_above: bool,
        name: &CStr,
    ) -> Result<(Option<Arc<DirHandle>>, bool), OpError> {
        let Some(above) = above else {
            return Ok((None, true));
        };
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
        Ok((Some(entered.place), fresh))
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
        self.settle_attributes(above, name, outcome);
        if made {
            self.note_empty(above, name, meta, xattrs);
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
        let target = target.open().map_err(|e| OpError::target(Op::Open, e))?;
        dir::make_private(target.as_fd(), name).map_err(|e| OpError::target(Op::Create, e))?;
        let subject = Subject::Named(target.as_fd(), name);
        self.writer.attributes(subject, meta, xattrs)
    }

    /// Removes what the target has under a name, unless the target is new.
    pub(super) fn clear(&mut self, node: &Node, name: &CStr) {
        let Some(target) = node.target.as_ref().filter(|_| !node.fresh) else {
            return;
        };
        let keep_going = || self.run.totals.keep_going();
        let removed = target
            .open()
            .map_err(|e| OpError::target(Op::Open, e))
            .and_then(|handle| remove_tree::remove_tree(handle.as_fd(), name, &keep_going));
        if let Err(op_error) = removed {
            self.fault(node, name, op_error);
        }
    }
}
