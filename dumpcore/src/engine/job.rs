//! Jobs, which workers give to each other, and their data.
//!
//! A job holds what it needs to continue, and no open file, so that waiting
//! jobs cost little. The one exception, a listing in progress, is limited in
//! number.

use std::ffi::{CStr, CString};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use super::node::{Node, Number};
use super::seen::{Round, SeenTree};
use crate::fs::dir_handle::{DirHandle, Entered};
use crate::model::event::CopyReason;
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::sys::dir::{self, Chunk, For, Lister};

/// Something to be done.
#[derive(Debug)]
pub(super) enum Job {
    /// Enter a directory, make it and list it.
    Enter {
        above: Arc<Node>,
        name: CString,
        tries: u8,
    },
    /// Begin with the top of a tree.
    Root(Box<super::Root>),
    /// Continue with a long listing.
    Rest(Box<Rest>),
    /// Process an entry that had to wait for another name of its inode.
    Store { node: Arc<Node>, name: CString },
    /// Copy a large file, while others do other work.
    Copy(Box<Copying>),
    /// Look at all directories once more, from the tops on.
    LookAgain,
    /// Look at some directories once more.
    Recheck(Box<Recheck>),
    /// List a directory again that was found under another name.
    Moved(Box<Moved>),
}

/// A long listing that others may interrupt.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) node: Arc<Node>,
    pub(super) lister: Lister,
    pub(super) found: Option<Found>,
    /// Does it count among the listings that may stay open?
    pub(super) held: bool,
}

/// Directories that are to be looked at once more, all of them in one.
#[derive(Debug)]
pub(super) struct Recheck {
    pub(super) round: Arc<Round>,
    pub(super) tree: Arc<SeenTree>,
    pub(super) place: Arc<DirHandle>,
    /// Their places in the round's order.
    pub(super) children: Range<usize>,
}

/// A directory that is in the dump under the name it had before.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) round: Arc<Round>,
    pub(super) tree: Arc<SeenTree>,
    pub(super) number: Number,
    /// Where it is now.
    pub(super) above: Arc<DirHandle>,
    pub(super) name: CString,
}

/// How entering a directory went.
pub(super) enum Entering {
    In(Entered),
    /// It may not be read: the dump has it with its attributes, empty. Was that
    /// reported?
    Closed(Meta, bool),
    /// Another filesystem is mounted there, which is left out: the dump has the
    /// directory, empty.
    Elsewhere(Meta),
    /// It is the dump root itself.
    LeftOut(Meta),
    /// It is no longer a directory, or gone.
    Gone,
    /// Its type is unknown: `stat` fails.
    Lost,
}

/// What the target had before: entries by name, and which of them were
/// processed.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) chunk: Chunk,
    pub(super) done: Vec<bool>,
}

impl Found {
    pub(super) fn list(target: &Arc<OwnedFd>) -> io::Result<Self> {
        Ok(Self::of(dir::list_all(target.as_fd(), For::Reading)?))
    }

    /// The same by a handle that was just opened, and with which nobody else lists.
    pub(super) fn list_with(target: Arc<OwnedFd>) -> io::Result<Self> {
        Ok(Self::of(Lister::all(target)?))
    }

    fn of(mut chunk: Chunk) -> Self {
        chunk.sort_by_name();
        let done = vec![false; chunk.len()];
        Self { chunk, done }
    }

    /// The inode number of a name, which counts as processed from now on.
    pub(super) fn take(&mut self, name: &CStr) -> Option<u64> {
        let index = self.chunk.find(name)?;
        self.done[index] = true;
        Some(self.chunk.get(index).ino)
    }

    /// The number of what is not of the type that an entry has: none that is its own.
    pub(super) const ANOTHERS: u64 = 0;

    /// The same for an entry of this type: of another one no number is its own.
    pub(super) fn take_as(&mut self, name: &CStr, kind: Kind) -> Option<u64> {
        let ino = self.take(name)?;
        let listed = self
            .chunk
            .find(name)
            .map(|index| self.chunk.get(index).kind);
        let is_other = listed.flatten().is_some_and(|listed| listed != kind);
        Some(if is_other { Self::ANOTHERS } else { ino })
    }
}

/// A large file to be copied.
#[derive(Debug)]
pub(super) struct Copying {
    pub(super) node: Arc<Node>,
    pub(super) name: CString,
    pub(super) meta: Meta,
    pub(super) why: CopyReason,
}
