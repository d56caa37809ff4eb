//! A small program that embeds the library: it dumps a tree with an observer
//! and a link policy of its own.
//!
//! ```text
//! cargo run -p dumpcore --example embed -- TREE DUMPROOT [--init]
//! ```
//!
//! The dump root must exist; `--init` makes the first dump into it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dumpcore::{Action, Event, LinkPolicy, Observer, Snapshot};

/// Counts, and tells of what is new.
#[derive(Default)]
struct Teller {
    seen: AtomicU64,
}

impl Observer for Teller {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Entry { at, kind, did, .. } => {
                self.seen.fetch_add(1, Ordering::Relaxed);
                // Paths are built only when asked for.
                if let Action::Copied(why) = did {
                    println!("{kind} {}: {}", at.path(), why.as_str());
                }
            }
            Event::Fault(fault) => eprintln!("fault: {fault}"),
            Event::Warning(warning) => eprintln!("warning: {warning}"),
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(tree), Some(root)) = (args.next(), args.next()) else {
        return Err("give a tree and a dump root".into());
    };
    // Said by a person, never found out: a disk that is not mounted has no dump
    // either, and would be taken for a new one.
    let first = args.next().is_some_and(|word| word == "--init");
    let teller = Arc::new(Teller::default());
    // Somebody else's copy may be a microsecond off.
    let policy = LinkPolicy::new().mtime_tolerance(Duration::from_micros(1));
    let report = Snapshot::new(&root)
        .main(&tree)
        .policy(policy)
        .init(first)
        .observer(teller.clone())
        .run()?;
    println!(
        "{}: {} entries, {} linked, {} copied, {} faults",
        report.dump.display(),
        teller.seen.load(Ordering::Relaxed),
        report.counts.linked.number,
        report.counts.copied().number,
        report.counts.faults,
    );
    Ok(())
}
