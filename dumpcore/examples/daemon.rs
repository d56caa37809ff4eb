//! A daemon: takes dumps on a thread of its own, again and again, and stops
//! when it is asked to, in the middle of a dump if need be.
//!
//! ```text
//! cargo run -p dumpcore --example daemon -- TREE DUMPROOT SECONDS
//! ```
//!
//! The dump root must have a first dump. End of input asks it to stop; a real
//! daemon would do that in a handler of SIGTERM.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dumpcore::{Error, Report, Snapshot};

/// What the daemon tells: a dump was published, or why not.
pub type Told = Result<Box<Report>, Error>;

/// Dumps that are taken until it is stopped.
#[derive(Debug)]
pub struct Daemon {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Daemon {
    /// Takes what `snapshot` says, over and over, with such pauses between.
    /// Each outcome goes to `told`; when nobody hears of it any more, it ends.
    #[must_use]
    pub fn start(snapshot: Snapshot, pause: Duration, told: mpsc::Sender<Told>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let snapshot = snapshot.stop(Arc::clone(&stop));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Relaxed) {
                // The builder is cheap to clone; running uses it up.
                let outcome = snapshot.clone().run().map(Box::new);
                if told.send(outcome).is_err() {
                    return;
                }
                thread::park_timeout(pause);
            }
        });
        Self { stop, thread }
    }

    /// Asks it to stop, and waits until it has: about a second. What a dump
    /// had stored by then is kept for the next run.
    pub fn stop(self) {
        self.stop.store(true, Relaxed);
        self.thread.thread().unpark();
        let _ = self.thread.join();
    }
}

#[allow(dead_code, reason = "the test of the examples calls what it calls")]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [tree, root, seconds] = args.as_slice() else {
        return eprintln!("give a tree, a dump root and the seconds between dumps");
    };
    let Ok(seconds) = seconds.parse() else {
        return eprintln!("'{seconds}' is not a number of seconds");
    };
    let (told, outcomes) = mpsc::channel();
    let snapshot = Snapshot::new(root).main(tree);
    let daemon = Daemon::start(snapshot, Duration::from_secs(seconds), told);
    let log = thread::spawn(move || {
        for outcome in outcomes {
            match outcome {
                Ok(report) => println!("published {}", report.dump.display()),
                // Another program writes to the dump root: the next time.
                Err(Error::Busy { .. }) => println!("busy"),
                Err(error) => println!("failed: {error}"),
            }
        }
    });
    let _ = io::stdin().read_to_end(&mut Vec::new());
    daemon.stop();
    let _ = log.join();
    println!("stopped");
}
