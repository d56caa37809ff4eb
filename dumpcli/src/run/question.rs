//! A question on the terminal before something is done that cannot be undone.
//!
//! Only a yes is taken for one; the end of the input (Ctrl-D) is a no. A signal
//! ends the question at once, and nothing that was asked about is done: an
//! Enter typed afterwards answers nothing.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use dumpcore::Chain;

use crate::failure::Failure;
use crate::program::Program;
use crate::run::signals::Stop;

/// How often somebody who waits for an answer looks for a signal.
const LOOK: Duration = Duration::from_millis(50);

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is to be done.
    Yes,
    /// It is not to be done.
    No,
    /// A signal came first.
    Stopped,
}

/// Can somebody be asked?
#[must_use]
pub fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Asks on stderr, and waits for a line on stdin, or for a signal.
///
/// # Errors
/// [`Failure::Failed`] when the terminal cannot be read or written.
pub fn ask(program: Program, question: &str, stop: &Stop) -> Result<Answer, Failure> {
    let _asking = stop.asking();
    say(&format!("{}: {question} [y/N] ", program.name)).map_err(failed)?;
    let line = line(stop);
    if !line.as_ref().is_ok_and(|line| line.ends_with('\n')) {
        // What is said next has a line for itself.
        let _ = say("\n");
    }
    match line {
        _ if stop.is_set() => Ok(Answer::Stopped),
        Ok(line) if is_yes(&line) => Ok(Answer::Yes),
        Ok(_) => Ok(Answer::No),
        Err(error) => Err(failed(error)),
    }
}

fn is_yes(line: &str) -> bool {
    line.ends_with('\n') && matches!(line.trim(), "y" | "Y" | "yes")
}

fn say(text: &str) -> io::Result<()> {
    let mut output = io::stderr().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// A line from the terminal; empty when a signal or the end of the input came
/// first.
fn line(stop: &Stop) -> io::Result<String> {
    let (answers, answered) = mpsc::channel();
    let named = thread::Builder::new().name("answer".into());
    named.spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        // Nobody waits for it any more when a signal came.
        let _ = answers.send(read.map(|_| line));
    })?;
    loop {
        match answered.recv_timeout(LOOK) {
            Ok(Ok(line)) if line.ends_with('\n') => return Ok(line),
            Ok(ended) => {
                // A terminal that hangs up ends the input, and sends a signal.
                thread::sleep(LOOK);
                return ended;
            }
            Err(RecvTimeoutError::Timeout) if !stop.is_set() => {}
            Err(_) => return Ok(String::new()),
        }
    }
}

fn failed(error: io::Error) -> Failure {
    Failure::Failed(format!("cannot ask on the terminal: {}", Chain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for yes in ["y\n", "Y\n", "yes\n", " y \n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "no\n", "yy\n", "y", "y es\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
