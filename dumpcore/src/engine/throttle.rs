//! Makes workers that copy wait, so that all of them together keep to a rate.
//!
//! Only the copying of contents waits, after what was copied; `stat`, linking
//! and comparing do not. A worker that waits checks regularly whether the run
//! continues, so that a stop never waits for the rate.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::policy::rate_limit::{Bucket, Rate};
use crate::sys::lock::lock;

/// How often a waiting worker checks whether the run continues.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Throttle {
    bucket: Option<Mutex<Bucket>>,
    /// How much to copy between two waits, at most.
    pub(super) step: usize,
    began: Instant,
}

impl Throttle {
    pub(crate) fn new(rate: Rate) -> Self {
        let bucket = Bucket::new(rate);
        Self {
            step: bucket.as_ref().map_or(usize::MAX, Bucket::step),
            bucket: bucket.map(Mutex::new),
            began: Instant::now(),
        }
    }

    /// This many bytes were copied: waits until more may be.
    pub(crate) fn hold_up(&self, bytes: u64, keep_going: impl Fn() -> bool) {
        let Some(bucket) = &self.bucket else {
            return;
        };
        let mut left = {
            let mut bucket = lock(bucket);
            bucket.take(bytes, self.began.elapsed())
        };
        while !left.is_zero() && keep_going() {
            let pause = left.min(LOOK_EVERY);
            std::thread::sleep(pause);
            left -= pause;
        }
    }
}
