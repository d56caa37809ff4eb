//! How much is done at once, and whether anything is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::view::error::ViewError;

/// The number of views that are read at once.
const VIEWS: usize = 6;

/// The number of searches and comparisons of dumps, which may take long.
const LONG: usize = 2;

/// The number of downloads at once.
const DOWNLOADS: usize = 8;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who takes nothing of an answer for this long is not waited for.
pub const STALLED: Duration = Duration::from_secs(300);

/// Threads that read. More than there are turns, so that none waits for one.
pub const THREADS: usize = VIEWS + LONG + DOWNLOADS + 4;

/// What a request is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A view.
    View,
    /// A search, or a comparison of dumps.
    Long,
    /// A file or an archive.
    Download,
}

/// How much is done at once.
#[derive(Clone, Debug)]
pub struct Limits {
    views: Arc<Semaphore>,
    long: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            views: Arc::new(Semaphore::new(VIEWS)),
            long: Arc::new(Semaphore::new(LONG)),
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
        }
    }
}

impl Limits {
    /// Waits for a turn, which lasts until it is dropped.
    ///
    /// # Errors
    /// [`ViewError::Busy`]: there was none for some seconds.
    pub async fn turn(&self, work: Work) -> Result<OwnedSemaphorePermit, ViewError> {
        let semaphore = match work {
            Work::View => &self.views,
            Work::Long => &self.long,
            Work::Download => &self.downloads,
        };
        let turn = timeout(PATIENCE, Arc::clone(semaphore).acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or(ViewError::Busy)
    }
}

/// When something was asked or sent last.
#[derive(Debug)]
pub struct Activity {
    began: Instant,
    /// Milliseconds after the beginning.
    last: AtomicU64,
    under_way: AtomicUsize,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            last: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
        }
    }
}

/// While it lives, something is under way.
#[derive(Debug)]
pub struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.note();
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Activity {
    /// Something is under way now.
    #[must_use]
    pub fn start(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.note();
        UnderWay(Arc::clone(self))
    }

    fn note(&self) {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(passed, Ordering::Relaxed);
    }

    /// For how long nothing was under way.
    #[must_use]
    pub fn idle(&self) -> Duration {
        if self.under_way.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_idle_while_something_is_sent() {
        let activity = Arc::new(Activity::default());
        let sending = activity.start();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(activity.idle(), Duration::ZERO);
        let dropping = Instant::now();
        drop(sending);
        // What is noted is in whole milliseconds.
        let idle = activity.idle();
        assert!(idle <= dropping.elapsed() + Duration::from_millis(1));
        std::thread::sleep(Duration::from_millis(20));
        assert!(activity.idle() >= Duration::from_millis(20));
    }
}
