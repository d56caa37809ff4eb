//! What stands between the library and the place where a repository is stored.
//!
//! The library cannot be asked to stop, nor to keep to a rate, and stores a
//! snapshot whatever it could not read. All its calls pass through here, so here
//! it is stopped, slowed down and counted. A snapshot is not stored before it was
//! checked, nor an index of packs that another program has removed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use dumpcore::Rate;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use super::error::message;

/// How often a call that waits checks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// By what the work is stopped, slowed down and counted.
#[derive(Debug)]
pub(crate) struct Control {
    stop: Arc<AtomicBool>,
    hold_snapshots: AtomicBool,
    sent: AtomicU64,
    /// The packs that were stored since the push began.
    packs: Mutex<BTreeSet<Id>>,
    /// Were some of them removed before the index named them?
    pruned: AtomicBool,
    /// The snapshot that was stored last.
    snapshot: Mutex<Option<Id>>,
    /// Why something could not be read, the first time.
    read_error: Mutex<Option<String>>,
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
            packs: Mutex::default(),
            pruned: AtomicBool::new(false),
            snapshot: Mutex::default(),
            read_error: Mutex::default(),
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

    /// A push begins.
    pub(super) fn forget_packs(&self) {
        locked(&self.packs).clear();
        self.pruned.store(false, Ordering::Relaxed);
    }

    /// The packs that were stored since then.
    pub(super) fn packs(&self) -> BTreeSet<Id> {
        locked(&self.packs).clone()
    }

    /// Were some of them gone when they were to be entered in the index?
    pub(super) fn is_pruned(&self) -> bool {
        self.pruned.load(Ordering::Relaxed)
    }

    /// The snapshot that was stored since this was asked last.
    pub(super) fn take_snapshot(&self) -> Option<Id> {
        locked(&self.snapshot).take()
    }

    fn stored(&self, kind: FileType, id: &Id) {
        match kind {
            FileType::Pack => {
                locked(&self.packs).insert(*id);
            }
            FileType::Snapshot => *locked(&self.snapshot) = Some(*id),
            _ => {}
        }
    }

    /// Why something could not be read, the first time.
    pub(crate) fn read_error(&self) -> Option<String> {
        locked(&self.read_error).clone()
    }

    fn noted<T>(&self, read: RusticResult<T>) -> RusticResult<T> {
        read.inspect_err(|error| {
            locked(&self.read_error).get_or_insert_with(|| message(error));
        })
    }

    fn proceed(&self) -> RusticResult<()> {
        match self.is_stopped() {
            false => Ok(()),
            true => Err(RusticError::new(ErrorKind::Backend, "stopped")),
        }
    }

    /// Waits until this many bytes may be sent, or it is to stop.
    fn pace(&self, bytes: u64) {
        let Some(seconds) = seconds(bytes, self.rate) else {
            return;
        };
        let start = {
            let mut paid = locked(&self.paid_until);
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

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Data that another program removed before the index named it must not get
    /// into the index: the next push would count on it.
    fn has_packs(&self) -> RusticResult<()> {
        let packs = self.control.packs();
        if packs.is_empty() {
            return Ok(());
        }
        let there: BTreeSet<Id> = self.inner.list(FileType::Pack)?.into_iter().collect();
        match packs.is_subset(&there) {
            true => Ok(()),
            false => {
                self.control.pruned.store(true, Ordering::Relaxed);
                let text = "packs that were just stored have been removed";
                Err(RusticError::new(ErrorKind::Backend, text))
            }
        }
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
        self.control.noted(self.inner.read_full(kind, id))
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
        let read = self.inner.read_partial(kind, id, cacheable, offset, length);
        self.control.noted(read)
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
        let is_push = self.control.hold_snapshots.load(Ordering::Relaxed);
        match kind {
            FileType::Snapshot if is_push => return Ok(()),
            FileType::Index if is_push => self.has_packs()?,
            // What is in hand is still stored, and entered in the index: the next
            // push need not send it again.
            FileType::Pack | FileType::Index => {}
            _ => self.control.proceed()?,
        }
        let size = content.size() as u64;
        self.control.pace(size);
        self.inner.write_bytes(kind, id, cacheable, content)?;
        self.control.sent.fetch_add(size, Ordering::Relaxed);
        self.control.stored(kind, id);
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
