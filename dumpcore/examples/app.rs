//! An application: takes a dump with a progress bar, then shows the history of
//! a path.
//!
//! ```text
//! cargo run -p dumpcore --example app -- TREE DUMPROOT PATH [--init]
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use dumpcore::{Error, Event, Navigator, Observer, Printable, Report, Snapshot};

/// Adds up what the workers tell; another thread draws it.
#[derive(Default)]
struct Progress {
    expected: AtomicU64,
    entries: AtomicU64,
    copied: AtomicU64,
}

impl Observer for Progress {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Expected { entries, .. } => self.expected.store(entries, Relaxed),
            Event::Entry { .. } => drop(self.entries.fetch_add(1, Relaxed)),
            Event::Copied(bytes) => drop(self.copied.fetch_add(bytes, Relaxed)),
            _ => {}
        }
    }
}

impl Progress {
    /// `[#####     ]  50 %`, or without a total how far it is.
    fn bar(&self) -> String {
        let (entries, copied) = (self.entries.load(Relaxed), self.copied.load(Relaxed));
        let counts = format!("{entries} entries, {} MiB copied", copied >> 20);
        match self.expected.load(Relaxed) {
            0 => counts,
            expected => {
                let percent = (100 * entries / expected).min(100) as usize;
                let bar = "#".repeat(percent / 10);
                format!("[{bar:<10}] {percent:>3} %  {counts}")
            }
        }
    }
}

/// Takes the dump, and draws the bar ten times a second meanwhile.
pub fn dump(
    tree: &Path,
    root: &Path,
    init: bool,
    draw: impl Fn(&str) + Send + 'static,
) -> Result<Report, Error> {
    let progress = Arc::new(Progress::default());
    let done = Arc::new(AtomicBool::new(false));
    let drawing = {
        let (progress, done) = (Arc::clone(&progress), Arc::clone(&done));
        thread::spawn(move || {
            while !done.load(Relaxed) {
                draw(&progress.bar());
                thread::sleep(Duration::from_millis(100));
            }
            draw(&progress.bar());
        })
    };
    let snapshot = Snapshot::new(root).main(tree).init(init);
    let report = snapshot.observer(progress).run();
    done.store(true, Relaxed);
    let _ = drawing.join();
    report
}

/// Writes a line for each change of a path, the oldest first.
pub fn history(tree: &Path, root: &Path, path: &Path, out: &mut dyn Write) -> Result<(), Error> {
    let navigator = Navigator::new(root).main(tree);
    let place = navigator.locate(tree.join(path))?;
    let past = navigator.history(&place).run();
    for event in &past.events {
        let dump = event.version.dump.map(|name| name.to_string());
        let dump = dump.unwrap_or_else(|| "now".to_owned());
        let size = event.version.meta.size;
        // What cannot be written has nobody who reads it.
        let _ = writeln!(out, "{dump}  {:<6}  {size} bytes", event.change.as_str());
    }
    match past.faults.into_iter().next() {
        Some(fault) => Err(fault.into()),
        None => Ok(()),
    }
}

#[allow(dead_code, reason = "the test of the examples calls what it calls")]
fn main() -> Result<(), Error> {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let [tree, root, path, rest @ ..] = args.as_slice() else {
        eprintln!("give a tree, a dump root and a path in the tree");
        return Ok(());
    };
    let init = rest.iter().any(|word| word == "--init");
    let draw = |bar: &str| eprint!("\r{bar}\x1b[K");
    let report = dump(tree.as_ref(), root.as_ref(), init, draw)?;
    eprintln!();
    println!("{}", Printable::path(&report.dump));
    for fault in &report.faults {
        println!("missing: {fault}");
    }
    history(
        tree.as_ref(),
        root.as_ref(),
        path.as_ref(),
        &mut io::stdout(),
    )
}
