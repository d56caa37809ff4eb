//! A terminal a little narrower than it is.
//!
//! indicatif fills its last line up to the right border. When somebody then
//! presses Ctrl-C, the `^C` that the terminal echoes wraps to the next line,
//! and the progress line above can no longer be taken away. With some columns
//! left over, the echo stays on the line and goes with it.

use std::io;

use console::Term;
use indicatif::TermLike;

/// How many columns are left over.
const ROOM: u16 = 6;

/// A spinner, and a space.
const SPINNER: usize = 2;

/// stderr, for a progress line.
#[derive(Debug)]
pub(crate) struct Narrow(Term);

impl Narrow {
    pub(crate) fn stderr() -> Self {
        Self(Term::buffered_stderr())
    }

    /// How many columns a progress line has besides its spinner.
    pub(crate) fn room() -> usize {
        usize::from(Self::stderr().width()).saturating_sub(SPINNER)
    }
}

impl TermLike for Narrow {
    fn width(&self) -> u16 {
        self.0.size().1.saturating_sub(ROOM).max(1)
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
