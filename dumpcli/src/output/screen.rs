//! Everything that is printed goes through here.
//!
//! Lines and the progress bar share a terminal: a line hides the bar while it
//! is written. Verbose lines are gathered and written in blocks, so that
//! workers do not wait for a slow terminal one line at a time. A reader that
//! went away (`dumpme -v | head`) never stops a dump: what can no longer be
//! printed is dropped.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dumpcore::{Chain, Fault, Op};
use indicatif::ProgressBar;

use crate::failure::Failure;
use crate::output::stream;

/// How many bytes of lines are gathered before they are written.
const BLOCK: usize = 16 * 1024;

/// Is somebody looking at stdout?
#[must_use]
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Is somebody looking at stderr?
#[must_use]
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Prints to stdout as it is. A closed pipe is not an error; anything else that
/// keeps the text from its reader is.
///
/// # Errors
/// What the system answered, other than that nobody reads.
pub fn try_print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints to stdout what the program was asked for.
///
/// # Errors
/// [`Failure::Failed`] when it cannot be written: a reader of the file
/// must not take half of it, or nothing, for the answer.
pub fn print(text: &str) -> Result<(), Failure> {
    try_print(text).map_err(|error| {
        let plain = Fault::new(Op::Write, "standard output", error);
        Failure::Failed(Chain(&plain).to_string())
    })
}

/// Prints `program: text` to stderr, whatever becomes of it. To a unit's
/// stderr it says by systemd's prefix that this is an error: the journal
/// would have it as a remark.
pub fn complain(program: &str, text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = if stream::is_journal(&stderr) {
        writeln!(stderr, "<3>{text}")
    } else {
        writeln!(stderr, "{program}: {text}")
    };
}

/// Prints `program: text` to stderr: nothing that went wrong.
pub fn remark(program: &str, text: &str) {
    let _ = writeln!(io::stderr().lock(), "{program}: {text}");
}

/// A terminal shared by lines and a progress bar.
#[derive(Debug, Default)]
pub struct Screen {
    bar: Mutex<Option<ProgressBar>>,
    lines: Mutex<Vec<u8>>,
    lines_to_stderr: bool,
}

impl Screen {
    /// `lines_to_stderr`: stdout is kept for something else, such as JSON.
    #[must_use]
    pub fn new(lines_to_stderr: bool) -> Self {
        Self {
            lines_to_stderr,
            ..Self::default()
        }
    }

    /// From now on lines hide this bar while they are written.
    pub fn show(&self, bar: ProgressBar) {
        *held(&self.bar) = Some(bar);
    }

    /// Takes the bar away and leaves the terminal as if it had not been.
    pub fn clear(&self) {
        self.flush();
        if let Some(bar) = held(&self.bar).take() {
            bar.finish_and_clear();
        }
    }

    /// Writes one line to stderr at once.
    pub fn note(&self, line: &str) {
        self.flush();
        self.aside(|| {
            let _ = writeln!(io::stderr().lock(), "{line}");
        });
    }

    /// Adds one line to those that are written soon.
    pub fn line(&self, line: &str) {
        let mut lines = held(&self.lines);
        lines.extend_from_slice(line.as_bytes());
        lines.push(b'\n');
        if lines.len() >= BLOCK {
            let block = std::mem::take(&mut *lines);
            self.write(&block);
        }
    }

    /// Writes the lines gathered so far.
    pub fn flush(&self) {
        // Held while writing, so that blocks stay in order.
        let mut lines = held(&self.lines);
        if !lines.is_empty() {
            let block = std::mem::take(&mut *lines);
            self.write(&block);
        }
    }

    fn write(&self, block: &[u8]) {
        self.aside(|| {
            let _ = if self.lines_to_stderr {
                io::stderr().lock().write_all(block)
            } else {
                let mut out = io::stdout().lock();
                out.write_all(block).and_then(|()| out.flush())
            };
        });
    }

    /// Writes something of its own, while the bar is hidden.
    pub fn aside(&self, act: impl FnOnce()) {
        match held(&self.bar).as_ref() {
            Some(bar) => bar.suspend(act),
            None => act(),
        }
    }
}

/// The lock's content, also after a thread died with it: text is still text.
pub(crate) fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
