//! The progress line: counters that workers add to, and a thread that draws.
//!
//! Counting must not slow a run that deals with 200,000 entries a second on
//! several threads: each thread adds to counters of its own cache line, and
//! nobody but the drawing thread, ten times a second, ever sums them. The
//! current directory is asked for by a flag, and told by whichever worker
//! sees the flag next.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dumpcore::{Action, Kind, Locate, Phase};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::screen::{Screen, held, stderr_is_terminal};
use crate::output::terminal::Narrow;

/// How often the line is drawn anew.
const TICK: Duration = Duration::from_millis(100);
/// How often a plain line is written where there is no terminal.
const PLAIN: Duration = Duration::from_secs(10);
const SHARDS: usize = 16;

/// The counters of one or a few threads, on cache lines of their own.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Shard {
    linked: AtomicU64,
    copied: AtomicU64,
    others: AtomicU64,
    bytes: AtomicU64,
}

/// What has been done so far.
#[derive(Debug, Default)]
pub struct Counters {
    shards: [Shard; SHARDS],
    removed: AtomicU64,
    freed: AtomicU64,
    faults: AtomicU64,
    phase: Mutex<Option<Phase>>,
    wants_place: AtomicBool,
    place: Mutex<String>,
}

/// The sums of all counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Linked to the reference, or found in place.
    pub linked: u64,
    /// Stored anew.
    pub copied: u64,
    /// Directories, excluded and vanished entries.
    pub others: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Entries that could not be stored.
    pub faults: u64,
}

fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Relaxed) % SHARDS;
    }
    OWN.with(|own| *own)
}

impl Counters {
    /// An entry is dealt with.
    pub fn entry(&self, at: &dyn Locate, kind: Kind, did: Action) {
        let shard = &self.shards[own_shard()];
        let counter = match did {
            Action::Linked | Action::Kept | Action::HardLinked => &shard.linked,
            Action::Copied(_) => &shard.copied,
            _ => &shard.others,
        };
        counter.fetch_add(1, Relaxed);
        if self.wants_place.load(Relaxed) && self.wants_place.swap(false, Relaxed) {
            let path = at.path();
            let dir = if kind == Kind::Dir {
                Some(path.as_path())
            } else {
                path.as_path().parent()
            };
            if let Some(dir) = dir {
                *held(&self.place) = dumpcore::Printable::path(dir).to_string();
            }
        }
    }

    /// So many bytes more were written.
    pub fn bytes(&self, bytes: u64) {
        self.shards[own_shard()].bytes.fetch_add(bytes, Relaxed);
    }

    /// So many more names were removed, which freed so many bytes.
    pub fn removed(&self, names: u64, freed: u64) {
        self.removed.fetch_add(names, Relaxed);
        self.freed.fetch_add(freed, Relaxed);
    }

    /// An entry could not be stored.
    pub fn fault(&self) {
        self.faults.fetch_add(1, Relaxed);
    }

    /// Another phase begins.
    pub fn phase(&self, phase: Phase) {
        *held(&self.phase) = Some(phase);
    }

    /// Adds it all up.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let mut sums = Sums {
            faults: self.faults.load(Relaxed),
            ..Sums::default()
        };
        for shard in &self.shards {
            sums.linked += shard.linked.load(Relaxed);
            sums.copied += shard.copied.load(Relaxed);
            sums.others += shard.others.load(Relaxed);
            sums.bytes += shard.bytes.load(Relaxed);
        }
        sums
    }

    fn line(&self, rate: f64) -> String {
        let sums = self.sums();
        let phase = held(&self.phase).unwrap_or(Phase::Preparing);
        if phase == Phase::Removing {
            let names = HumanCount(self.removed.load(Relaxed));
            let freed = HumanBytes(self.freed.load(Relaxed));
            return format!("{}  {names} entries  {freed} freed", phase.as_str());
        }
        let entries = sums.linked + sums.copied + sums.others;
        if entries == 0 {
            return phase.as_str().to_owned();
        }
        let mut line = format!(
            "{}  {} entries  {} linked  {} copied",
            phase.as_str(),
            HumanCount(entries),
            HumanCount(sums.linked),
            HumanCount(sums.copied)
        );
        if sums.bytes > 0 {
            line.push_str(&format!("  {}", HumanBytes(sums.bytes)));
        }
        // Less than a byte a second is a rate that has faded out.
        if rate >= 1.0 {
            line.push_str(&format!("  {}/s", HumanBytes(rate as u64)));
        }
        if sums.faults > 0 {
            line.push_str(&format!("  {} faults", HumanCount(sums.faults)));
        }
        if phase == Phase::Storing {
            line.push_str("  ");
            line.push_str(&held(&self.place));
        }
        line
    }
}

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
                let mut rate = Rate::default();
                let mut last = Instant::now();
                while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    drawing.flush();
                    let rate = rate.step(counters.sums().bytes);
                    if let Some(bar) = &bar {
                        bar.set_message(counters.line(rate));
                        bar.tick();
                    } else if plain && last.elapsed() >= PLAIN {
                        drawing.note(&counters.line(rate));
                        last = Instant::now();
                    }
                    counters.wants_place.store(true, Relaxed);
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

/// Bytes a second, smoothed over about three seconds.
#[derive(Debug)]
struct Rate {
    at: Instant,
    bytes: u64,
    rate: f64,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            at: Instant::now(),
            bytes: 0,
            rate: 0.0,
        }
    }
}

impl Rate {
    fn step(&mut self, bytes: u64) -> f64 {
        let seconds = self.at.elapsed().as_secs_f64().max(1e-3);
        let now = (bytes - self.bytes) as f64 / seconds;
        let weight = (-seconds / 3.0).exp();
        self.rate = self.rate * weight + now * (1.0 - weight);
        (self.at, self.bytes) = (Instant::now(), bytes);
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dumpcore::{CopyReason, RelPath};

    #[test]
    fn sums_what_several_threads_count() {
        let counters = Counters::default();
        let at = RelPath::from_bytes(b"root/dir/file");
        thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        counters.entry(&at, Kind::File, Action::Linked);
                        counters.entry(&at, Kind::File, Action::Copied(CopyReason::New));
                        counters.bytes(3);
                    }
                    counters.entry(&at, Kind::Dir, Action::Filled);
                });
            }
        });
        counters.fault();
        let sums = Sums {
            linked: 4000,
            copied: 4000,
            others: 40,
            bytes: 12_000,
            faults: 1,
        };
        assert_eq!(counters.sums(), sums);
    }

    #[test]
    fn tells_the_directory_when_asked() {
        let counters = Counters::default();
        counters.phase(Phase::Storing);
        counters.wants_place.store(true, Relaxed);
        let at = RelPath::from_bytes(b"root/\x1b[2J/file");
        counters.entry(&at, Kind::File, Action::Linked);
        let other = RelPath::from_bytes(b"root/other/file");
        counters.entry(&other, Kind::File, Action::Linked);
        let line = counters.line(0.0);
        assert_eq!(
            line,
            "dumping  2 entries  2 linked  0 copied  root/\\033[2J"
        );
    }
}
