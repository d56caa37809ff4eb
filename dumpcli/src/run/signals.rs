//! Signals: the first one asks the run to stop, the second ends it at once.
//!
//! SIGINT, SIGTERM and SIGHUP set a flag that the library looks at; what was
//! done is kept for the next run. A run that has not ended two seconds later,
//! or thirty when it flushes, sits in the kernel, which answers nobody: then the thread that waits for
//! signals says so in its place, and ends the process. A second signal is from someone who will
//! not wait: the process ends right there, which is harmless, since whatever
//! is unpublished may be cut off at any point. A first one that comes when the
//! dump is already being made visible stops nothing, and says so, as does a
//! second one then (a service manager may send two): which of the
//! two came first is decided once, by [`Stop::close`]. SIGHUP counts as SIGTERM, and
//! not at all when the program was started with it ignored, as by `nohup`.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use dumpcore::WaitingSignals;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::{Exit, Signal};

/// The flag that signals set, shared with the thread that waits for them.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    number: Arc<AtomicI32>,
    turn: Arc<AtomicU8>,
    way_out: Arc<WayOut>,
    flushing: Arc<AtomicBool>,
    asking: Arc<AtomicBool>,
}

/// While it lives, somebody is asked something.
#[derive(Debug)]
pub struct Asking(Arc<AtomicBool>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// How long a run may take to stop.
const GRACE: Duration = Duration::from_secs(2);

/// How long one that flushes what it has stored, for the next run to believe.
const GRACE_FOR_FLUSH: Duration = Duration::from_secs(30);

/// How the process ends when the run does not: the act gives the exit code.
#[derive(Default)]
struct WayOut(Mutex<Option<Box<dyn FnOnce() -> u8 + Send>>>);

impl WayOut {
    fn set(&self, act: Box<dyn FnOnce() -> u8 + Send>) {
        let mut way_out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *way_out = Some(act);
    }

    /// The one who gets it ends the process; the other one continues.
    fn take(&self) -> Option<Box<dyn FnOnce() -> u8 + Send>> {
        let mut act = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act.take()
    }

    /// Gives the run some time to stop, and more of it while it flushes; then
    /// ends the process.
    fn after(self: Arc<Self>, flushing: Arc<AtomicBool>) {
        let wait = move || {
            let began = Instant::now();
            thread::sleep(GRACE);
            while flushing.load(Ordering::Relaxed) && began.elapsed() < GRACE_FOR_FLUSH {
                thread::sleep(Duration::from_millis(50));
            }
            if let Some(act) = self.take() {
                std::process::exit(act().into());
            }
        };
        // Without a thread a second signal ends the process.
        let _ = thread::Builder::new().name("grace".into()).spawn(wait);
    }
}

impl std::fmt::Debug for WayOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WayOut")
    }
}

/// Nothing has been decided yet.
const OPEN: u8 = 0;
/// A signal came in time.
const ASKED: u8 = 1;
/// The run cannot be stopped any more.
const CLOSED: u8 = 2;
/// Nor can it, but what it does besides can.
const BESIDES: u8 = 3;

/// Was the run asked to stop while it still could?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It will stop.
    InTime,
    /// It will not.
    TooLate,
}

impl Stop {
    /// What the library is given to look at.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// The run flushes now what it has stored, or not any more.
    pub fn flushes(&self, yes: bool) {
        self.flushing.store(yes, Ordering::Relaxed);
    }

    /// Somebody is asked something: a signal ends that at once, so that its
    /// answer is how the program ends.
    #[must_use]
    pub fn asking(&self) -> Asking {
        self.asking.store(true, Ordering::Relaxed);
        Asking(Arc::clone(&self.asking))
    }

    /// Has a signal come?
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// Which signal came first.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        signal_of(self.number.load(Ordering::Relaxed))
    }

    /// From now on a signal comes too late; unless one came before, which the
    /// flag then reports.
    pub fn close(&self) -> Came {
        match self.decide(CLOSED) {
            CLOSED | BESIDES => Came::TooLate,
            // The run that sent it may be between its decision and the flag.
            _ => {
                self.flag.store(true, Ordering::Relaxed);
                Came::InTime
            }
        }
    }

    /// What the run does from now on is not part of what it was to do: a signal
    /// still comes too late for that, and ends this.
    pub fn besides(&self) {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let closed = self
            .turn
            .compare_exchange(CLOSED, BESIDES, success, failure);
        if closed.is_ok() && self.signal().is_some() {
            self.flag.store(true, Ordering::Relaxed);
        }
    }

    /// A first signal has come.
    fn ask(&self, number: i32) -> Came {
        self.number.store(number, Ordering::Relaxed);
        match self.decide(ASKED) {
            ASKED => {
                self.flag.store(true, Ordering::Relaxed);
                Came::InTime
            }
            BESIDES => {
                self.flag.store(true, Ordering::Relaxed);
                Came::TooLate
            }
            _ => Came::TooLate,
        }
    }

    /// Does `act` while `work` is to be stopped and does not end, and ends the
    /// process with the exit code that it gives. Otherwise returns what the
    /// work gives.
    pub fn or_leave<T>(
        &self,
        act: impl FnOnce() -> u8 + Send + 'static,
        work: impl FnOnce() -> T,
    ) -> T {
        self.way_out.set(Box::new(act));
        let done = work();
        if self.way_out.take().is_none() {
            // The process is being ended in our place.
            loop {
                thread::park();
            }
        }
        done
    }

    /// What was decided: by this call, if there was nothing yet.
    fn decide(&self, wanted: u8) -> u8 {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let decided = self.turn.compare_exchange(OPEN, wanted, success, failure);
        decided.map_or_else(|decided| decided, |_| wanted)
    }

    /// As if SIGTERM had come.
    #[cfg(test)]
    pub(crate) fn set_for_test(&self) {
        self.ask(SIGTERM);
    }

    /// Waits for signals from now on, in a thread of its own.
    ///
    /// `first` runs when the first one has come, and is told whether it still
    /// stops the run; `last` before a second one ends the process: to leave
    /// the terminal clean.
    ///
    /// # Errors
    /// When the system will not let the signals be caught.
    pub fn on_signals(
        first: impl Fn(Came) + Send + 'static,
        last: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        // A file above the limit on sizes (ulimit -f) is then a fault of that file,
        // with its path, and does not end the run without a word.
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        let wanted = wanted();
        let mut signals = Signals::new(&wanted)?;
        let stop = Self::default();
        let shared = stop.clone();
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                let mut too_late = 0;
                for number in signals.forever() {
                    if shared.signal().is_none() || too_late == 1 {
                        let asking = shared.asking.load(Ordering::Relaxed);
                        let came = shared.ask(number);
                        too_late += u8::from(came == Came::TooLate);
                        if !asking {
                            first(came);
                        }
                        if came == Came::InTime {
                            let flushing = Arc::clone(&shared.flushing);
                            Arc::clone(&shared.way_out).after(flushing);
                        }
                    } else {
                        last();
                        let exit = Exit::stopped(shared.signal());
                        std::process::exit(i32::from(exit.code()));
                    }
                }
            })?;
        take_what_waits(WaitingSignals::new(&wanted)?)?;
        Ok(stop)
    }
}

/// Takes signals that wait for a thread which the kernel does not answer, and
/// handles them in a thread of its own.
fn take_what_waits(mut waiting: WaitingSignals) -> io::Result<()> {
    let take = move || {
        while let Ok(number) = waiting.take() {
            let _ = signal_hook::low_level::raise(number);
        }
    };
    let named = thread::Builder::new().name("waiting".into());
    named.spawn(take).map(drop)
}

/// What a signal asks for.
fn signal_of(number: i32) -> Option<Signal> {
    match number {
        SIGINT => Some(Signal::Interrupt),
        SIGTERM | SIGHUP => Some(Signal::Terminate),
        _ => None,
    }
}

/// The signals that ask a run to stop.
fn wanted() -> Vec<i32> {
    let mut wanted = vec![SIGINT, SIGTERM];
    if !ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    wanted
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
        assert_eq!(signal_of(SIGHUP), Some(Signal::Terminate));
        assert_eq!(signal_of(SIGTERM), Some(Signal::Terminate));
        assert_eq!(signal_of(SIGINT), Some(Signal::Interrupt));
        assert_eq!(signal_of(0), None);
        assert_eq!(Stop::default().signal(), None);
    }

    #[test]
    fn whichever_comes_first_decides() {
        let stop = Stop::default();
        assert_eq!(stop.ask(SIGTERM), Came::InTime);
        assert_eq!(stop.close(), Came::InTime);
        assert!(stop.is_set());
        let stop = Stop::default();
        assert_eq!(stop.close(), Came::TooLate);
        assert_eq!(stop.ask(SIGINT), Came::TooLate);
        assert_eq!(stop.close(), Came::TooLate);
        assert!(!stop.is_set());
        assert_eq!(stop.signal(), Some(Signal::Interrupt));
    }

    #[test]
    fn what_is_done_besides_can_be_stopped() {
        let stop = Stop::default();
        stop.besides();
        assert_eq!(stop.close(), Came::TooLate);
        stop.besides();
        assert!(!stop.is_set());
        assert_eq!(stop.ask(SIGINT), Came::TooLate);
        assert!(stop.is_set());
        assert_eq!(stop.close(), Came::TooLate);
        // One that had come before counts as well.
        let stop = Stop::default();
        stop.close();
        stop.ask(SIGTERM);
        assert!(!stop.is_set());
        stop.besides();
        assert!(stop.is_set());
    }

    #[test]
    fn knows_which_signals_are_ignored() {
        // The standard library's start-up ignores SIGPIPE (13), and nothing
        // can ignore SIGKILL (9).
        assert!(ignored(13));
        assert!(!ignored(9));
    }
}
