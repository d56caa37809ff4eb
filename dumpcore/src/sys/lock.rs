//! Locks within the process.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a mutex, also one that a thread held when it panicked: what it guards
/// is whole after each statement, and the panic itself ends the run.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
