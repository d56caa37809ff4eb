//! The lock of a dump root that is scrubbed, which is held for a moment at a time.

use std::time::Duration;

use super::worksite::Worksite;
use crate::model::error::Error;
use crate::model::event::Event;
use crate::root::lock::DumpLock;
use crate::sys::errno;

/// How often it is tried to lock the dump root, while another run holds it.
const PAUSE: Duration = Duration::from_millis(500);

/// What stands while something is recorded.
pub(super) enum Held {
    /// No run makes or removes dumps.
    Lock(DumpLock),
    /// Nothing can be written, by nobody: what is found is told, and not recorded.
    ReadOnly(Error),
}

fn is_read_only(error: &Error) -> bool {
    matches!(error, Error::DumpDisk { fault, .. } if errno::is_read_only(&fault.cause))
}

/// Locks the dump root. Where it is read-only, that is known.
///
/// # Errors
/// [`Error::Busy`] while a run holds it.
pub(super) fn lock_now(site: &Worksite<'_>) -> Result<Held, Error> {
    match site.root.lock() {
        Ok(lock) => Ok(Held::Lock(lock)),
        Err(error) if is_read_only(&error) => Ok(Held::ReadOnly(error)),
        Err(error) => Err(error),
    }
}

/// Locks the dump root; waits while a run holds it. `None`: it was asked to stop.
pub(super) fn lock_when_free(site: &Worksite<'_>) -> Result<Option<Held>, Error> {
    let mut told = false;
    loop {
        match lock_now(site) {
            Ok(held) => return Ok(Some(held)),
            Err(error @ Error::Busy { .. }) => {
                if !told {
                    site.event(Event::Waiting(&error));
                    told = true;
                }
            }
            Err(error) => return Err(error),
        }
        if site.is_stopped() {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}
