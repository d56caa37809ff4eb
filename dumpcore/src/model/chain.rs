//! An error and its causes as one line of text.
//!
//! No error of this crate repeats its cause: what the system said is only in
//! `source()`. So a program that prints the whole chain prints each cause once.

use std::error::Error;
use std::fmt;
use std::io;

/// An error with all its causes on one line, `error: cause: cause`.
///
/// The errors of this crate say what failed and leave their cause to
/// [`source()`](Error::source). This prints both, as anyhow's `{:#}` does, but
/// without the number that the standard library adds to the system's answers.
///
/// ```
/// use dumpcore::{Chain, Fault, Op};
///
/// let cause = std::io::Error::from_raw_os_error(13);
/// let fault = Fault::new(Op::Open, "/home/a", cause);
/// assert_eq!(fault.to_string(), "cannot open /home/a");
/// assert_eq!(Chain(&fault).to_string(), "cannot open /home/a: Permission denied");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut next = Some(self.0);
        while let Some(error) = next {
            match error.is::<io::Error>() {
                true => f.write_str(without_number(&error.to_string()))?,
                false => write!(f, "{error}")?,
            }
            next = error.source();
            if next.is_some() {
                f.write_str(": ")?;
            }
        }
        Ok(())
    }
}

/// The system's answer in its own words, without the number that the standard
/// library appends.
fn without_number(text: &str) -> &str {
    match text.rfind(" (os error ") {
        Some(end) if text.ends_with(')') => &text[..end],
        _ => text,
    }
}

/// An error with all its causes, numbers included: for comparing.
pub(crate) fn whole(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(below) => format!("{error}: {}", whole(below)),
        None => error.to_string(),
    }
}

/// The system's answer, with what it is about: `about: answer`.
#[derive(Debug, thiserror::Error)]
#[error("{about}")]
struct About {
    about: String,
    #[source]
    answer: io::Error,
}

/// An answer of the system that says what it is about, of the same kind. What
/// asks it for its number finds none.
pub(crate) fn about(about: impl Into<String>, answer: io::Error) -> io::Error {
    let about = about.into();
    io::Error::new(answer.kind(), About { about, answer })
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
