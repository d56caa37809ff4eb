//! Colours, and a pager for long texts: both only for somebody who looks.

use std::env;
use std::io::{self, BufWriter, Stdout, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::output::screen;

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Is stdout to be coloured?
    #[must_use]
    pub fn wanted(self) -> bool {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        self.decide(refused, screen::stdout_is_terminal())
    }

    fn decide(self, refused: bool, terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !refused,
        }
    }
}

/// Where a text goes: to `$PAGER` when stdout is a terminal, else to stdout.
///
/// A reader who has seen enough ends the text without an error.
#[derive(Debug)]
pub enum Out {
    /// Stdout itself.
    Stdout(BufWriter<Stdout>),
    /// A pager, and what it reads.
    Pager(Child, Option<BufWriter<ChildStdin>>),
}

impl Out {
    /// Starts the pager, if there is to be one; without it when it cannot be
    /// started.
    #[must_use]
    pub fn open() -> Self {
        let pager = env::var_os("PAGER").filter(|pager| !pager.is_empty());
        let Some(pager) = pager.filter(|_| screen::stdout_is_terminal()) else {
            return Self::plain();
        };
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(pager).stdin(Stdio::piped());
        if env::var_os("LESS").is_none() {
            // Short texts stay on the screen, and colours are passed on.
            command.env("LESS", "FRX");
        }
        match command.spawn() {
            Ok(mut child) => {
                let stdin = child.stdin.take().map(BufWriter::new);
                Out::Pager(child, stdin)
            }
            Err(_) => Self::plain(),
        }
    }

    /// Stdout in any case.
    #[must_use]
    pub fn plain() -> Self {
        Out::Stdout(BufWriter::new(io::stdout()))
    }

    /// Writes what is left and waits until the reader is done.
    ///
    /// # Errors
    /// What kept the text from its reader, other than the reader.
    pub fn close(mut self) -> io::Result<()> {
        let flushed = self.flush();
        if let Out::Pager(child, stdin) = &mut self {
            drop(stdin.take());
            child.wait()?;
        }
        match flushed {
            Err(error) if has_enough(&error) => Ok(()),
            other => other,
        }
    }
}

/// Did the reader go away?
#[must_use]
pub fn has_enough(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Stdout(stdout) => stdout.write(bytes),
            Out::Pager(_, Some(stdin)) => stdin.write(bytes),
            Out::Pager(_, None) => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Stdout(stdout) => stdout.flush(),
            Out::Pager(_, Some(stdin)) => stdin.flush(),
            Out::Pager(_, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Color;

    #[test]
    fn colors_are_for_terminals_unless_asked_for() {
        let table = [
            (Color::Auto, false, true, true),
            (Color::Auto, true, true, false),
            (Color::Auto, false, false, false),
            (Color::Always, true, false, true),
            (Color::Never, false, true, false),
        ];
        for (color, refused, terminal, wanted) in table {
            assert_eq!(color.decide(refused, terminal), wanted, "{color:?}");
        }
    }
}
