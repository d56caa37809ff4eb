//! Flushing what is being made, from time to time and when a run stops: what a
//! killed run had stored by then, the next one need not read again.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Totals;
use crate::model::error::Error;
use crate::model::event::{Event, Phase};
use crate::root::staging::Staging;
use crate::sys::lock::lock;
use crate::sys::medium;

/// How long at least between the end of a flush and the next.
const PAUSE: Duration = Duration::from_secs(60);

/// A flush may take at most this fraction of the time, because it holds up
/// everything that writes to that disk.
const REST: u32 = 20;

/// Does the work, while a thread of its own flushes. A flush that fails ends the
/// run: the kernel would not tell of it a second time.
pub(super) fn meanwhile<T>(
    staging: &Staging<'_>,
    totals: &Totals<'_>,
    work: impl FnOnce() -> T,
) -> T {
    let (done, ended) = (Mutex::new(false), Condvar::new());
    std::thread::scope(|scope| {
        let flushing = std::thread::Builder::new().name("flush".to_owned());
        let spawned = flushing.spawn_scoped(scope, || {
            let mut pause = PAUSE;
            loop {
                let waited = ended.wait_timeout_while(lock(&done), pause, |done| !*done);
                let (is_done, _) = waited.unwrap_or_else(PoisonError::into_inner);
                if *is_done || !totals.keep_going() {
                    return;
                }
                drop(is_done);
                if staging.watermark.is_due() {
                    let began = Instant::now();
                    if let Err(error) = staging.sync() {
                        return totals.halt(error);
                    }
                    pause = PAUSE.max(began.elapsed().saturating_mul(REST));
                }
            }
        });
        // Without that thread a killed run only leaves more to compare.
        drop(spawned);
        let _at_end = AtEnd(|| {
            *lock(&done) = true;
            ended.notify_all();
        });
        work()
    })
}

/// Flushes what is to be published, and waits until a server that keeps files open
/// for a while has let go of those that were written.
pub(super) fn finish(staging: &Staging<'_>, totals: &Totals<'_>) -> Result<(), Error> {
    totals.event(Event::Phase(Phase::Syncing));
    staging.sync()?;
    let counts = totals.counts();
    if counts.copied().number + counts.kept.number == 0 {
        return Ok(());
    }
    let until = Instant::now() + medium::lets_go_after(staging.handle());
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        totals.verdict()?;
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
    Ok(())
}

/// Does something at the end, also when it is left by a panic.
struct AtEnd<F: Fn()>(F);

impl<F: Fn()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Flushes what a run that stops has stored, for the next one to believe. Why it
/// stops is reported; that this fails as well would add nothing.
pub(super) fn keep(staging: &Staging<'_>, totals: &Totals<'_>) {
    if staging.watermark.is_due() {
        totals.event(Event::Phase(Phase::Syncing));
        let _ = staging.sync();
    }
}
