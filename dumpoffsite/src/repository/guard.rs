//! What stands between the library and the place where a repository is stored.
//!
//! The library cannot be asked to stop, nor to keep to a rate, and stores a
//! snapshot whatever it could not read. All it does goes through here, so here it
//! is stopped, slowed down, counted, and kept from storing a snapshot that nobody
//! has checked yet.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use dumpcore::Rate;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

/// How often somebody who waits looks whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// By what the work is stopped, slowed down and counted.
#[derive(Debug)]
pub(crate) struct Control {
    stop: Arc<AtomicBool>,
    hold_snapshots: AtomicBool,
    sent: AtomicU64,
    rate: Rate,
    /// Until when what was sent so far takes at that rate.
    paid_until: Mutex<Option<Instant>>,
}

impl Control {
    /// `rate`: how many bytes may be sent a second.
    pub(crate) fn new(stop: Arc<AtomicBool>, rate: Rate) -> Arc<Self> {
        Arc::new(Self {
            stop,
            hold_snapshots: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            rate,
            paid_until: Mutex::default(),
        })
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What is set when it is to stop.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Bytes that were sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// From now on snapshots are not stored, or are again.
    pub(super) fn hold_snapshots(&self, yes: bool) {
        self.hold_snapshots.store(yes, Ordering::Relaxed);
    }

    fn proceed(&self) -> RusticResult<()> {
        match self.is_stopped() {
            false => Ok(()),
            true => Err(RusticError::new(ErrorKind::Backend, "stopped")),
        }
    }

    /// Waits until this many bytes may be sent; who is to stop need not wait.
    fn pace(&self, bytes: u64) {
        let Some(seconds) = seconds(bytes, self.rate) else {
            return;
        };
        let start = {
            let mut paid = self
                .paid_until
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let start = paid.map_or_else(Instant::now, |paid| paid.max(Instant::now()));
            *paid = start.checked_add(seconds);
            start
        };
        // What comes next waits for it as well.
        let end = start.checked_add(seconds).unwrap_or(start);
        while !self.is_stopped() && Instant::now() < end {
            thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
        }
    }
}

/// How long this number of bytes takes; `None` when nothing is limited.
fn seconds(bytes: u64, rate: Rate) -> Option<Duration> {
    match rate.bytes_per_second() {
        0 => None,
        rate => Duration::try_from_secs_f64(bytes as f64 / rate as f64).ok(),
    }
}

/// A place of storage under control.
pub(super) struct Guard {
    inner: Arc<dyn WriteBackend>,
    control: Arc<Control>,
}

impl Guard {
    pub(super) fn new(inner: Arc<dyn WriteBackend>, control: Arc<Control>) -> Self {
        Self { inner, control }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl ReadBackend for Guard {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.control.proceed()?;
        self.inner.list_with_size(kind)
    }

    fn list(&self, kind: FileType) -> RusticResult<Vec<Id>> {
        self.control.proceed()?;
        self.inner.list(kind)
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<bytes::Bytes> {
        self.control.proceed()?;
        self.inner.read_full(kind, id)
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<bytes::Bytes> {
        self.control.proceed()?;
        self.inner.read_partial(kind, id, cacheable, offset, length)
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.inner.warmup_path(kind, id)
    }

    fn needs_warm_up(&self) -> bool {
        self.inner.needs_warm_up()
    }

    fn warm_up(&self, kind: FileType, id: &Id) -> RusticResult<()> {
        self.inner.warm_up(kind, id)
    }
}

impl WriteBackend for Guard {
    fn create(&self) -> RusticResult<()> {
        self.control.proceed()?;
        self.inner.create()
    }

    fn write_bytes(
        &self,
        kind: FileType,
        id: &Id,
        cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        match kind {
            FileType::Snapshot if self.control.hold_snapshots.load(Ordering::Relaxed) => {
                return Ok(());
            }
            // What is in hand is still stored, and entered in the index: who
            // continues need not send it again.
            FileType::Pack | FileType::Index => {}
            _ => self.control.proceed()?,
        }
        let size = content.size() as u64;
        self.control.pace(size);
        self.inner.write_bytes(kind, id, cacheable, content)?;
        self.control.sent.fetch_add(size, Ordering::Relaxed);
        Ok(())
    }

    fn remove(&self, kind: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.control.proceed()?;
        self.inner.remove(kind, id, cacheable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_keeps_to_the_rate() {
        let stop = Arc::new(AtomicBool::new(false));
        let control = Control::new(Arc::clone(&stop), Rate::per_second(1 << 20));
        let began = Instant::now();
        for _ in 0..3 {
            control.pace(100 << 10);
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(290), "{took:?}");
        stop.store(true, Ordering::Relaxed);
        control.pace(1 << 30);
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        assert_eq!(seconds(1 << 40, Rate::UNLIMITED), None);
        assert_eq!(
            seconds(2048, Rate::per_second(1024)),
            Some(Duration::from_secs(2))
        );
    }
}
