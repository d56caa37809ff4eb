//! Colours, and a pager for long texts: both only on a terminal.

use std::env;
use std::ffi::OsString;
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

    /// A line in a style, as the numbers of an ANSI escape sequence: `1` is bold,
    /// `33` yellow. As it is where colours are not wanted.
    #[must_use]
    pub fn paint(self, style: &str, line: &str) -> String {
        match self.wanted() && !line.is_empty() {
            true => format!("\x1b[{style}m{line}\x1b[0m"),
            false => line.to_owned(),
        }
    }

    fn decide(self, refused: bool, terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !refused,
        }
    }
}

/// Where a text goes: through a pager when stdout is a terminal, else to
/// stdout.
///
/// The pager is `$PAGER`, or `less`; an empty `PAGER` and `cat` mean none. A
/// reader who has seen enough ends the text without an error.
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
        let terminal = screen::stdout_is_terminal();
        let Some(mut command) = pager(env::var_os("PAGER")).filter(|_| terminal) else {
            return Self::plain();
        };
        command.stdin(Stdio::piped());
        if env::var_os("LESS").is_none() {
            // Short texts stay on the screen, and colours are passed on.
            command.env("LESS", "FRX");
        }
        if env::var_os("LV").is_none() {
            command.env("LV", "-c");
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
            let ended = child.wait()?;
            if ended.code().is_some_and(|code| CANNOT_RUN.contains(&code)) {
                let text = "PAGER names a command that cannot be run; unset it, or set it to cat";
                return Err(io::Error::other(text));
            }
        }
        match flushed {
            Err(error) if has_enough(&error) => Ok(()),
            other => other,
        }
    }
}

/// How a shell ends that cannot run a command.
const CANNOT_RUN: [i32; 2] = [126, 127];

/// The pager that somebody's environment asks for; `None` for none. What
/// `PAGER` holds is a shell command, as for git and man.
fn pager(named: Option<OsString>) -> Option<Command> {
    let Some(named) = named else {
        return Some(Command::new("less"));
    };
    if named.is_empty() || named == "cat" {
        return None;
    }
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(named);
    Some(command)
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
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn less_is_the_pager_unless_another_is_named() {
        let table = [
            (None, Some("less")),
            (Some(""), None),
            (Some("cat"), None),
            (Some("most -s"), Some("/bin/sh")),
        ];
        for (named, program) in table {
            let command = pager(named.map(OsString::from));
            let found = command.as_ref().map(|command| command.get_program());
            assert_eq!(found, program.map(OsStr::new), "{named:?}");
        }
    }

    #[test]
    fn a_line_is_painted_as_a_whole() {
        assert_eq!(Color::Always.paint("1", "NAME"), "\x1b[1mNAME\x1b[0m");
        assert_eq!(Color::Always.paint("1", ""), "");
        assert_eq!(Color::Never.paint("1", "NAME"), "NAME");
    }

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
