//! Moving directories that their owner may not write to.
//!
//! A directory that comes below another one has another `..`, and to change that
//! needs permission to write to it. What is moved is opened for its owner where
//! that is refused, and has its mode back as soon as it is moved, or is not.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::level::OWN;
use crate::fs::mount::MountOf;
use crate::fs::store::NameAt;
use crate::model::kind::Kind;
use crate::sys::dir::{self, For};
use crate::sys::{errno, file, link, stat};

/// Moves what has these names. `act` is called again where it was refused and
/// there is a directory among them that could be opened.
///
/// The outcome is that of the act alone: what was moved stays where it is, also when
/// one of them could not get its mode back. `tell` is called with that.
///
/// Source of errors: the act.
pub(super) fn moved(
    names: &[NameAt<'_>],
    mount: MountOf,
    act: impl Fn() -> io::Result<()>,
    tell: &mut dyn FnMut(io::Error),
) -> io::Result<()> {
    let refused = match act() {
        Err(e) if errno::is_not_permitted(&e) => e,
        done => return done,
    };
    let opened: Vec<Opened> = names
        .iter()
        .filter_map(|name_at| Opened::of(*name_at, mount))
        .collect();
    if opened.is_empty() {
        return Err(refused);
    }
    let done = act();
    // Each of them, also when another could not be closed.
    for opened in opened {
        if let Err(e) = opened.close() {
            tell(e);
        }
    }
    done
}

/// A directory that may be written to by its owner for the time.
struct Opened {
    handle: OwnedFd,
    had: u16,
}

impl Opened {
    /// `None`: it is not a directory of this mount, or need not or may not be opened.
    fn of(NameAt { dir, name }: NameAt<'_>, mount: MountOf) -> Option<Self> {
        let there = stat::details(dir, name).ok()?;
        let had = there.meta.mode;
        if there.meta.kind != Kind::Dir || had & OWN == OWN || !mount.has_entry(&there) {
            return None;
        }
        link::set_mode_of_dir(dir, name, had | OWN).ok()?;
        let opened = dir::open_dir(dir, name, For::Filling);
        if opened.is_err() {
            let _ = link::set_mode_of_dir(dir, name, had);
        }
        let handle = opened.ok()?;
        Some(Self { handle, had })
    }

    fn close(&self) -> io::Result<()> {
        file::set_mode(self.handle.as_fd(), self.had)
    }
}
