//! What is immutable or append-only (`chattr +i`, `chattr +a`): not even root may
//! remove or rename it, nor the names in such a directory.

use std::ffi::CStr;
use std::io;
use std::os::fd::BorrowedFd;

use crate::sys::{errno, stat};

/// What a refusal is due to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fixed {
    /// The directory whose name it is.
    Above,
    /// What the name is of.
    Itself,
}

impl Fixed {
    /// Was an act on a name refused because one of both is immutable or append-only?
    pub(crate) fn behind(error: &io::Error, dir: BorrowedFd<'_>, name: &CStr) -> Option<Self> {
        if !errno::is_not_permitted(error) {
            return None;
        }
        let is = |name| stat::is_immutable(dir, name).unwrap_or(false);
        if is(c".") {
            return Some(Self::Above);
        }
        is(name).then_some(Self::Itself)
    }

    /// The system's answer, with what it is due to and what can be done. `of_above`:
    /// it reads after the path of the directory above.
    pub(crate) fn answer(self, of_above: bool) -> io::Error {
        let (what, on) = match self {
            Self::Above if !of_above => ("the directory that contains it", "that"),
            _ => ("it", "it"),
        };
        io::Error::other(format!(
            "Operation not permitted, since {what} is immutable or append-only; run \
                 'chattr -ia' on {on} first"
        ))
    }
}
