//! What the target holds before a merge, and which of its names can stay.
//!
//! A name stays if its inode is the one that the entry would be linked to: a listing
//! of the target tells that, whatever the target is. The rest depends on the target.
//! What a stopped run left behind was stored for this dump, and is compared. A
//! directory of an expired dump was published as it is: it is not touched where all
//! of its names stay and its own attributes equal those of the source. Before
//! anything in it is changed, it is closed to all others, once.

use std::sync::Mutex;

use crate::model::fault::OpError;
use crate::model::metadata::Meta;
use crate::sys::lock::lock;

/// What a directory of the target holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing: this run makes it.
    Nothing,
    /// What a run stored that did not come to its end.
    Leftover,
    /// What a dump had when it was published, which has expired since.
    Expired,
}

/// A directory of an expired dump, which may stay as it is.
#[derive(Debug)]
pub(super) struct Intact {
    /// As it was found.
    pub(super) meta: Meta,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    is_whole: bool,
    is_private: bool,
}

impl Intact {
    pub(super) fn new(meta: Meta) -> Self {
        let state = Mutex::new(State {
            is_whole: true,
            is_private: false,
        });
        Self { meta, state }
    }

    /// Has nothing in it been changed?
    pub(super) fn is_whole(&self) -> bool {
        lock(&self.state).is_whole
    }

    /// Something in it is about to be changed: the first time, `close` makes it
    /// private. Where that fails, it may have been changed in part.
    pub(super) fn end(&self, close: impl FnOnce() -> Result<(), OpError>) -> Result<(), OpError> {
        let mut state = lock(&self.state);
        state.is_whole = false;
        if !state.is_private {
            close()?;
            state.is_private = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::Op;
    use crate::model::kind::Kind;
    use std::cell::Cell;
    use std::io;

    #[test]
    fn it_is_closed_once_and_before_it_is_changed() {
        let (intact, closed) = (Intact::new(Meta::new(Kind::Dir)), Cell::new(0));
        assert!(intact.is_whole());
        let refused = intact.end(|| Err(OpError::target(Op::SetMode, io::Error::other("no"))));
        assert!(refused.is_err() && !intact.is_whole());
        for _ in 0..3 {
            let close = || {
                closed.set(closed.get() + 1);
                Ok(())
            };
            intact.end(close).expect("closed");
            assert!(!intact.is_whole());
        }
        assert_eq!(closed.get(), 1);
    }
}
