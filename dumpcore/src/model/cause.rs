//! The system's answer, in a form that can be kept, copied and compared.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use crate::model::chain::{Chain, whole};

/// An [`io::Error`] that is cheap to clone and can be compared.
///
/// It dereferences to the [`io::Error`]. Two are equal when their kinds and
/// texts are, and the text has the system's error number, where there is one.
///
/// ```
/// use dumpcore::Cause;
/// use std::io;
///
/// let cause = Cause::from(io::Error::from_raw_os_error(2));
/// assert_eq!(cause, cause.clone());
/// assert_eq!(cause.kind(), io::ErrorKind::NotFound);
/// assert_eq!(io::Error::from(cause.clone()).raw_os_error(), Some(2));
/// ```
#[derive(Clone)]
pub struct Cause(Arc<io::Error>);

impl Deref for Cause {
    type Target = io::Error;

    fn deref(&self) -> &io::Error {
        &self.0
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        // The text has the number of the error, where there is one.
        self.kind() == other.kind() && whole(&*self.0) == whole(&*other.0)
    }
}

impl Eq for Cause {}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl From<Cause> for io::Error {
    /// The same error; of one that has clones, an equal one: with the same
    /// number ([`raw_os_error`](io::Error::raw_os_error)), or of the same kind
    /// and text where it has none.
    fn from(cause: Cause) -> Self {
        Arc::try_unwrap(cause.0).unwrap_or_else(|shared| match shared.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::new(shared.kind(), Cause(shared)),
        })
    }
}

impl Cause {
    /// An equal cause of an error that is needed elsewhere. Of an error without
    /// a number only kind and text are kept.
    pub(crate) fn copy_of(error: &io::Error) -> Self {
        let copy = match error.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::new(error.kind(), Chain(error).to_string()),
        };
        copy.into()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chain::about;

    #[test]
    fn equal_by_kind_and_text() {
        let numbered = |number| Cause::from(io::Error::from_raw_os_error(number));
        let worded = |text: &str| Cause::from(io::Error::other(text));
        for (a, b, equal) in [
            (numbered(2), numbered(2), true),
            (numbered(2), numbered(13), false),
            (worded("a"), worded("a"), true),
            (worded("a"), worded("b"), false),
            (
                numbered(2),
                io::Error::from(io::ErrorKind::NotFound).into(),
                false,
            ),
        ] {
            assert_eq!(a == b, equal, "{a} {b}");
        }
    }

    #[test]
    fn becomes_an_io_error_of_the_same_number_kind_and_text() {
        for (error, number) in [
            (io::Error::from_raw_os_error(28), Some(28)),
            (io::Error::other("odd"), None),
            (about("user.a", io::Error::from_raw_os_error(95)), None),
        ] {
            let cause = Cause::from(error);
            let (kind, text) = (cause.kind(), whole(&*cause));
            let copy = Cause::copy_of(&cause);
            let shared = io::Error::from(cause.clone());
            let alone = io::Error::from(cause);
            for error in [shared, alone] {
                assert_eq!(error.raw_os_error(), number);
                assert_eq!((error.kind(), whole(&error)), (kind, text.clone()));
            }
            assert_eq!((copy.raw_os_error(), copy.kind()), (number, kind));
            assert!(text.starts_with(&copy.to_string()), "{copy} of {text}");
        }
    }
}
