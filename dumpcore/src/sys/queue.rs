//! What is to be done next: a stack of jobs that workers share.
//!
//! The newest job is taken first, so that a tree is finished branch by
//! branch, and what waits is bounded by the depth of the tree times what one
//! directory adds at once, not by the number of files.

use super::lock::lock;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(crate) struct Queue<J> {
    state: Mutex<State<J>>,
    wake: Condvar,
}

#[derive(Debug)]
struct State<J> {
    stack: Vec<J>,
    /// Workers with a job in hand, who may add more.
    busy: usize,
    closed: bool,
}

impl<J> Queue<J> {
    pub(crate) fn new(first: Vec<J>) -> Self {
        Self {
            state: Mutex::new(State {
                stack: first,
                busy: 0,
                closed: false,
            }),
            wake: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        lock(&self.state)
    }

    /// The next job; waits while others may add some. When nobody can, `more`
    /// is asked for what was put off. `None`: all is done, or nothing more is
    /// to be done.
    pub(crate) fn take(&self, more: impl Fn() -> Vec<J>) -> Option<J> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.stack.pop() {
                state.busy += 1;
                return Some(job);
            }
            if state.busy == 0 {
                state.stack = more();
                self.wake.notify_all();
                if state.stack.is_empty() {
                    return None;
                }
                continue;
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A job that was taken is done.
    pub(crate) fn done(&self) {
        let mut state = self.state();
        state.busy -= 1;
        if state.busy == 0 && state.stack.is_empty() {
            self.wake.notify_all();
        }
    }

    /// Adds jobs; the last is taken first.
    pub(crate) fn add(&self, jobs: impl IntoIterator<Item = J>) {
        let mut state = self.state();
        let before = state.stack.len();
        state.stack.extend(jobs);
        match state.stack.len() - before {
            0 => {}
            1 => self.wake.notify_one(),
            _ => self.wake.notify_all(),
        }
    }

    /// No job is given out any more.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.wake.notify_all();
    }
}

/// Closes its pool when a worker panics, so that the others do not wait for
/// that one for ever.
pub(crate) struct Alarm<'a, J>(pub(crate) &'a Queue<J>);

impl<J> Drop for Alarm<'_, J> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn every_job_is_done_once_and_everybody_goes_home() {
        let queue = Queue::new(vec![16u64]);
        let sum = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(job) = queue.take(Vec::new) {
                        sum.fetch_add(1, Ordering::Relaxed);
                        if job > 0 {
                            queue.add([job - 1, job - 1]);
                        }
                        queue.done();
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), (1 << 17) - 1);
    }

    #[test]
    fn a_closed_pool_lets_nobody_wait() {
        let queue = Queue::new(vec![1, 2]);
        assert_eq!(queue.take(Vec::new), Some(2));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| (queue.take(Vec::new), queue.take(Vec::new)));
            while !queue.state().stack.is_empty() {
                std::thread::yield_now();
            }
            // Time to wait for the second; it ends as well if it begins to wait later.
            std::thread::sleep(std::time::Duration::from_millis(20));
            queue.close();
            let (first, second) = waiting.join().expect("no panic");
            assert_eq!((first, second), (Some(1), None));
        });
    }
}
