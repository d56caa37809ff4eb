//! Ending a run early, since other entries would fail as one did, or since what is
//! made would be wrong.
//!
//! What an earlier run left behind, or an expired dump, may hold what can be neither
//! removed nor changed: it is immutable or append-only, another user's, or something
//! is mounted there. It is not what the source has, so it must not be published. The
//! run ends, and the totals say what was in its way: without that target it can
//! begin again. A directory that this run made holds nothing of the kind.

use std::ffi::CStr;
use std::os::fd::AsFd as _;

use super::node::Node;
use super::worker::Worker;
use crate::fs::inspect;
use crate::model::error::Error;
use crate::model::fault::{Fault, Op, OpError, Side};
use crate::model::storage::FreeSpace;
use crate::sys::{dir, disk, errno, stat};

impl Worker<'_> {
    /// Would other entries fail in the same way?
    pub(super) fn ends_the_run(&self, node: &Node, op_error: &OpError) -> bool {
        let cause = &op_error.cause;
        if errno::is_shortage(cause) {
            return true;
        }
        match op_error.side {
            Side::Source if errno::is_mount_gone(cause) => true,
            Side::Source if errno::is_io(cause) || errno::is_unreachable(cause) => {
                let top = node.source.top_of();
                top.open().and_then(|h| dir::is_empty(h.as_fd())).is_err()
            }
            Side::Source => false,
            Side::Reference => false,
            // No other program removes anything from a dump that is being made.
            Side::Target => errno::is_disk_refusal(cause) || errno::is_missing(cause),
        }
    }

    /// Was an act refused because something in the target is immutable or append-only?
    pub(super) fn is_fixed(&self, node: &Node, name: &CStr, op_error: &OpError) -> bool {
        let refused = op_error.side == Side::Target && errno::is_not_permitted(&op_error.cause);
        let Some(target) = node.target.as_ref().filter(|_| refused && !node.fresh) else {
            return false;
        };
        target.open().is_ok_and(|dir| {
            let is = |name| stat::is_immutable(dir.as_fd(), name).unwrap_or(false);
            is(c".") || !name.is_empty() && is(name)
        })
    }

    /// Ends the run for this reason.
    pub(super) fn halt(&self, node: &Node, name: &CStr, op_error: OpError) {
        let side = op_error.side;
        let shortage = errno::is_shortage(&op_error.cause);
        let full = errno::is_full(&op_error.cause);
        let lasting = !node.fresh && is_lasting(&op_error);
        let fault = op_error.at(node.full_path(side, name));
        let obstacle = lasting.then(|| fault.clone());
        let error = if shortage {
            Error::Shortage { fault }
        } else if side == Side::Source {
            Error::SourceGone { fault }
        } else {
            let needed = self.needed(node, name, &fault);
            Error::DumpDisk {
                free: self.free(node, &fault.cause),
                needed: needed.filter(|_| full),
                fault,
            }
        };
        match obstacle {
            Some(obstacle) => self.run.totals.obstructed(error, obstacle),
            None => self.run.totals.halt(error),
        }
        self.run.queue.close();
    }

    /// The free space where the dump is made, when this error says that it is
    /// full.
    fn free(&self, node: &Node, answer: &std::io::Error) -> Option<FreeSpace> {
        match &node.target {
            Some(target) => disk::room_after(&*target.open().ok()?, answer),
            // The top of a tree that cannot be made has no target.
            None => disk::room_after(self.run.rules.scratch?, answer),
        }
    }

    /// Bytes of the file that was being written.
    fn needed(&self, node: &Node, name: &CStr, fault: &Fault) -> Option<u64> {
        if fault.op != Op::Write {
            return None;
        }
        let source = node.source.open().ok()?;
        let meta = inspect::look(source.as_fd(), name).ok()?;
        Some(meta.size)
    }
}

/// Would the same act fail in the same way another time? Not where the disk as a whole
/// refuses, nor where something was removed meanwhile.
fn is_lasting(op_error: &OpError) -> bool {
    let cause = &op_error.cause;
    op_error.side == Side::Target
        && !errno::is_shortage(cause)
        && !errno::is_disk_refusal(cause)
        && !errno::is_missing(cause)
}
