//! A panic of the library behind the repository is a failure like others: it is
//! reported, and ends with the exit code 1. The library panics for instance when
//! data that it restores cannot be read.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, Once, PoisonError};

use dumpcli::failure::Failure;

use crate::repository::Control;

/// Where the first panic was.
static PLACE: Mutex<Option<String>> = Mutex::new(None);
static QUIET: Once = Once::new();

/// Does the work; a panic in it is a failure.
pub(crate) fn caught<T>(
    control: &Control,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    // What the library panics with can be many lines, and name what is secret.
    QUIET.call_once(|| panic::set_hook(Box::new(note)));
    // Nothing that the work has in hand is used afterwards.
    let ended = panic::catch_unwind(AssertUnwindSafe(work));
    ended.unwrap_or_else(|_| {
        if control.is_stopped() {
            return Err(Failure::Stopped);
        }
        Err(Failure::Failed(match control.read_error() {
            Some(error) => {
                format!("the repository could not be read: {error}; see 'dumpoffsite check'")
            }
            None => format!("the library behind it failed unexpectedly at {}", place()),
        }))
    })
}

fn note(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let mut first = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
    *first = first.take().or(place);
}

fn place() -> String {
    let first = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
    first
        .clone()
        .unwrap_or_else(|| "an unknown place".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use dumpcore::Rate;

    use super::*;

    #[test]
    fn a_panic_is_a_failure() {
        let stop = Arc::new(AtomicBool::new(false));
        let control = Control::new(Arc::clone(&stop), Rate::UNLIMITED);
        let work = || -> Result<(), Failure> { panic!("of the test") };
        let failure = caught(&control, work).expect_err("fails");
        assert!(failure.to_string().contains("broken.rs"), "{failure}");
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let failure = caught(&control, work).expect_err("stopped");
        assert!(matches!(failure, Failure::Stopped), "{failure}");
    }
}
