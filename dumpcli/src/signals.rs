//! Signals: the first one asks the run to stop, the second ends it at once.
//!
//! SIGINT, SIGTERM and SIGHUP set a flag that the library looks at; what was
//! done is kept for the next run. A second signal is from someone who will
//! not wait: the process ends right there, which is harmless, since whatever
//! is unpublished may be cut off at any point. SIGHUP counts as SIGTERM, and
//! not at all when the program was started with it ignored, as by `nohup`.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;

/// A signal that asks a run to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: somebody pressed Ctrl-C.
    Interrupt,
    /// SIGTERM, or SIGHUP.
    Terminate,
}

impl Signal {
    fn of(number: i32) -> Option<Self> {
        match number {
            SIGINT => Some(Signal::Interrupt),
            SIGTERM | SIGHUP => Some(Signal::Terminate),
            _ => None,
        }
    }
}

/// The flag that signals set, shared with the thread that waits for them.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    number: Arc<AtomicI32>,
}

impl Stop {
    /// What the library is given to look at.
    #[must_use]
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Has a signal come?
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// Which signal came first.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        Signal::of(self.number.load(Ordering::Relaxed))
    }

    /// As if SIGTERM had come.
    #[cfg(test)]
    pub(crate) fn set_for_test(&self) {
        self.number.store(SIGTERM, Ordering::Relaxed);
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Waits for signals from now on, in a thread of its own.
    ///
    /// `first` runs when the first one has set the flag, `last` before a
    /// second one ends the process: to leave the terminal clean.
    ///
    /// # Errors
    /// When the system will not let the signals be caught.
    pub fn on_signals(
        first: impl Fn() + Send + 'static,
        last: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let mut wanted = vec![SIGINT, SIGTERM];
        if !ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        let mut signals = Signals::new(wanted)?;
        let stop = Self::default();
        let shared = stop.clone();
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for number in signals.forever() {
                    if !shared.is_set() {
                        shared.number.store(number, Ordering::Relaxed);
                        shared.flag.store(true, Ordering::Relaxed);
                        first();
                    } else {
                        last();
                        let signal = shared.signal().unwrap_or(Signal::Interrupt);
                        std::process::exit(i32::from(Exit::Stopped(signal).code()));
                    }
                }
            })?;
        Ok(stop)
    }
}

/// Was the process started with this signal ignored?
fn ignored(number: i32) -> bool {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return false;
    };
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_is_a_request_to_end() {
        assert_eq!(Signal::of(SIGHUP), Some(Signal::Terminate));
        assert_eq!(Signal::of(SIGTERM), Some(Signal::Terminate));
        assert_eq!(Signal::of(SIGINT), Some(Signal::Interrupt));
        assert_eq!(Signal::of(0), None);
        assert_eq!(Stop::default().signal(), None);
    }

    #[test]
    fn knows_which_signals_are_ignored() {
        // The standard library's start-up ignores SIGPIPE (13), and nothing
        // can ignore SIGKILL (9).
        assert!(ignored(13));
        assert!(!ignored(9));
    }
}
