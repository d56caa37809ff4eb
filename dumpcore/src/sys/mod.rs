//! The kernel: the only room that names a system call or an errno.
//!
//! Everything works by an open directory and one name in it, so that no act
//! depends on a path that somebody may rename under its feet, and no symlink is
//! followed. Functions return plain `io::Result`s; what a failure means is
//! decided by the caller that knows the side it happened on, with the questions
//! of [`errno`].

pub(crate) mod clock;
pub(crate) mod delta;
pub(crate) mod dir;
pub(crate) mod direct;
pub(crate) mod disk;
pub(crate) mod errno;
pub(crate) mod file;
pub(crate) mod fstype;
pub(crate) mod link;
pub(crate) mod lock;
pub(crate) mod medium;
pub(crate) mod mounts;
pub(crate) mod name;
pub(crate) mod pages;
pub(crate) mod parallel;
pub(crate) mod path;
pub(crate) mod planned;
pub(crate) mod priority;
pub(crate) mod queue;
mod raw;
pub(crate) mod signals;
pub(crate) mod stat;
pub(crate) mod xattr;
