//! The progress line: a thread that draws what the [`Counters`] have.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dumpcore::Phase;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub use super::counters::{Counters, Expected, Sums};
use super::progress_line::Line;
use super::screen::{Screen, stderr_is_terminal};
use super::terminal::Narrow;

/// How often the line is drawn.
const TICK: Duration = Duration::from_millis(100);
/// How often a plain line is written where there is no terminal.
const PLAIN: Duration = Duration::from_secs(10);
/// How long a phase lasts before its end is estimated.
const SOON: Duration = Duration::from_secs(2);

/// The thread that draws, until it is dropped.
#[derive(Debug)]
pub struct Ticker {
    done: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    screen: Arc<Screen>,
}

impl Ticker {
    /// Starts it. With a progress line only when that is wanted; verbose lines
    /// need the thread in any case, to be seen when they are few.
    #[must_use]
    pub fn start(counters: Arc<Counters>, screen: Arc<Screen>, wanted: Option<bool>) -> Self {
        let terminal = stderr_is_terminal();
        let bar = (terminal && wanted != Some(false)).then(|| {
            let target = ProgressDrawTarget::term_like_with_hz(Box::new(Narrow::stderr()), 10);
            let bar = ProgressBar::with_draw_target(None, target);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            screen.show(bar.clone());
            bar
        });
        let plain = !terminal && wanted == Some(true);
        let (done, ended) = mpsc::channel();
        let drawing = Arc::clone(&screen);
        let thread = thread::Builder::new()
            .name("progress".into())
            .spawn(move || {
                let mut pace = Pace::default();
                let mut last = Instant::now();
                while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    drawing.flush();
                    let line = pace.line(&counters);
                    if let Some(bar) = &bar {
                        bar.set_message(line.fit(Some(Narrow::room())));
                        bar.tick();
                    } else if plain && last.elapsed() >= PLAIN {
                        drawing.note(&line.fit(None));
                        last = Instant::now();
                    }
                    counters.ask_for_place();
                }
            });
        Self {
            done: Some(done),
            // Without the thread nothing is drawn, and the run is as good.
            thread: thread.ok(),
            screen,
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.screen.clear();
    }
}

/// How fast it goes, and how long it is likely to last.
#[derive(Debug, Default)]
struct Pace {
    bytes: Rate,
    entries: Rate,
    /// The phase, and how much of it was done, when somebody looked last.
    phase: Option<Phase>,
    fraction: f64,
}

impl Pace {
    fn line(&mut self, counters: &Counters) -> Line {
        let sums = counters.sums();
        let (phase, since) = counters
            .current()
            .unwrap_or((Phase::Preparing, Instant::now()));
        let expected = counters.expected();
        let removes = phase == Phase::Removing;
        let fraction = expected.map_or(0.0, |expected| match removes {
            true => sums.removed_fraction(expected),
            false => sums.fraction(expected),
        });
        if removes && self.phase != Some(phase) {
            self.fraction = 0.0;
        }
        self.phase = Some(phase);
        // What turns out to be more than was thought takes nothing back.
        self.fraction = self.fraction.max(fraction);
        Line {
            phase,
            sums,
            expected,
            fraction: self.fraction,
            byte_rate: self.bytes.step(sums.bytes),
            entry_rate: self.entries.step(sums.entries()),
            left: left(self.fraction, since.elapsed()),
            place: counters.place(),
        }
    }
}

/// How long what is left takes at this pace; `None` when that
/// cannot be told.
fn left(fraction: f64, elapsed: Duration) -> Option<Duration> {
    if elapsed < SOON || !(0.005..1.0).contains(&fraction) {
        return None;
    }
    Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 - fraction) / fraction).ok()
}

/// Something a second, smoothed over about three seconds.
#[derive(Debug)]
struct Rate {
    at: Instant,
    done: u64,
    rate: f64,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            at: Instant::now(),
            done: 0,
            rate: 0.0,
        }
    }
}

impl Rate {
    fn step(&mut self, done: u64) -> f64 {
        let seconds = self.at.elapsed().as_secs_f64().max(1e-3);
        let now = done.saturating_sub(self.done) as f64 / seconds;
        let weight = (-seconds / 3.0).exp();
        self.rate = self.rate * weight + now * (1.0 - weight);
        (self.at, self.done) = (Instant::now(), done);
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_told_once_it_can_be() {
        let seconds = Duration::from_secs;
        for (fraction, elapsed, expected) in [
            (0.5, 1, None),
            (0.5, 10, Some(10)),
            (0.25, 10, Some(30)),
            (0.001, 10, None),
            (1.0, 10, None),
        ] {
            let found = left(fraction, seconds(elapsed));
            assert_eq!(found, expected.map(seconds), "{fraction} after {elapsed} s");
        }
    }
}
