//! Calling `stat` for a name of the source, and what it means that it is
//! missing.
//!
//! An entry has vanished only if it is still missing when it is looked up again
//! and its directory no longer lists it. A name that still exists or is still
//! listed is a fault: otherwise what a server or a driver fails to find would be
//! missing from the dump without a message.
//!
//! The race it closes: a name that comes and goes all the time may be listed
//! at one instant and missing at the next. Only a directory that did not
//! change between the two contradicts itself.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::node::{Node, OpenDirs};
use super::relisted::{Relisted, times};
use super::worker::Worker;
use crate::fs::dir_handle::DirHandle;
use crate::fs::inspect;
use crate::model::metadata::Meta;
use crate::sys::errno;

/// How many times a name is looked up again while its directory keeps changing.
const ROUNDS: u32 = 8;

/// The longest pause between two rounds.
const PAUSE: Duration = Duration::from_millis(20);

/// What became of a name that was missing.
pub(super) enum Missing {
    /// It is no longer in its directory.
    Gone,
    /// It is there again.
    There(Meta),
    /// Its directory lists it, but it cannot be found.
    Listed,
}

impl Worker<'_> {
    /// Looks at a name of the source; a failure is reported.
    pub(super) fn look_by(&mut self, node: &Node, hands: &OpenDirs, name: &CStr) -> Option<Meta> {
        let looked = if self.run.rules.options.source_is_dump || node.known.is_some() {
            inspect::look_in_source_dump(hands.source.as_fd(), name)
        } else {
            inspect::look(hands.source.as_fd(), name)
        };
        match looked {
            Ok(meta) => Some(meta),
            Err(op_error) if errno::is_missing(&op_error.cause) => {
                match self.ask_again(node, name) {
                    Missing::There(meta) => return Some(meta),
                    Missing::Gone => self.vanished(node, name),
                    Missing::Listed => self.tell(node, name, op_error),
                }
                None
            }
            Err(op_error) => {
                self.fault(node, name, op_error);
                None
            }
        }
    }

    /// The same without a report: for an entry that was reported already.
    pub(super) fn look(node: &Node, name: &CStr) -> Option<Meta> {
        let source = node.source.open().ok()?;
        inspect::look(source.as_fd(), name).ok()
    }

    /// Asks once more for a name that was missing; an empty name is the
    /// directory itself.
    pub(super) fn ask_again(&mut self, node: &Node, name: &CStr) -> Missing {
        if !name.is_empty() {
            return self.ask(&node.source, name);
        }
        let Some((above, last)) = node.source.above() else {
            return Missing::Listed;
        };
        match self.ask(above, last) {
            Missing::There(meta) if meta.id() != node.source.id() => Missing::Gone,
            other => other,
        }
    }

    /// Has an entry vanished that was missing?
    pub(super) fn has_vanished(&mut self, node: &Node, name: &CStr) -> bool {
        matches!(self.ask_again(node, name), Missing::Gone)
    }

    fn ask(&mut self, place: &Arc<DirHandle>, name: &CStr) -> Missing {
        for _ in 0..ROUNDS {
            if !self.run.totals.keep_going() {
                break;
            }
            let handle = match place.open() {
                Ok(handle) => handle,
                Err(e) if errno::is_missing(&e) => return Missing::Gone,
                Err(_) => return Missing::Listed,
            };
            match inspect::look(handle.as_fd(), name) {
                Ok(meta) => return Missing::There(meta),
                Err(op_error) if errno::is_missing(&op_error.cause) => {}
                Err(_) => return Missing::Listed,
            }
            match self.is_listed(place, &handle, name) {
                Ok(Some(listed)) if listed => return Missing::Listed,
                Ok(Some(_)) => return Missing::Gone,
                Ok(None) => {}
                Err(e) if errno::is_missing(&e) => return Missing::Gone,
                Err(_) => return Missing::Listed,
            }
        }
        Missing::Listed
    }

    /// Does a directory list a name that was just missing? `None`: it may have
    /// changed in between.
    fn is_listed(
        &mut self,
        place: &DirHandle,
        handle: &OwnedFd,
        name: &CStr,
    ) -> io::Result<Option<bool>> {
        let now = times(handle)?;
        if let Some(known) = self.relisted.as_ref().filter(|r| r.is_of(place)) {
            if !known.has(name) {
                return Ok(Some(false));
            }
            let step = self.run.rules.capabilities.time_step;
            let racy = inspect::racy_for(now.0, step, SystemTime::now());
            match racy {
                None if known.times() == now => return Ok(Some(true)),
                None => {}
                Some(wait) => std::thread::sleep(wait.min(PAUSE)),
            }
        }
        let known = self.relisted.insert(Relisted::of(place, handle)?);
        Ok((!known.has(name)).then_some(false))
    }
}
