//! How many names there are below a directory.
//!
//! A published dump only ever loses names: to somebody who removes it. So two
//! counts that agree say that nothing went between them, wherever it was, and a
//! count below that of the time when it was published says that it is not a
//! whole dump any more. Listing alone is needed, and no look at any entry.

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::model::metadata::Kind;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::errno;

/// Directories that are kept open on the way.
const OPEN: usize = 16;

/// The names below a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameCount {
    /// How many.
    pub(crate) names: u64,
    /// Could every directory be listed? One that went meanwhile has no names.
    pub(crate) complete: bool,
}

impl NameCount {
    /// Counts them; `keep_going` is asked now and then, and when it says no the
    /// count is not complete.
    pub(crate) fn below(top: &OwnedFd, keep_going: &dyn Fn() -> bool) -> Self {
        let mut count = Self {
            names: 0,
            complete: true,
        };
        let mut left: Vec<(Arc<DirHandle>, CString)> = Vec::new();
        let mut chunk = Chunk::default();
        let slots = HandleCache::new(OPEN);
        let top = dir::reopen(top.as_fd(), For::Reading)
            .and_then(|handle| DirHandle::top(handle, For::Reading, &slots));
        match top {
            Ok(top) => count.list(&top.place, &mut chunk, &mut left),
            Err(_) => count.complete = false,
        }
        while let Some((above, name)) = left.pop() {
            if !keep_going() {
                count.complete = false;
                break;
            }
            match above.enter(&name, For::Reading) {
                Ok(entered) => count.list(&entered.place, &mut chunk, &mut left),
                // Not a directory, where types are not listed; or it has gone.
                Err(e) if errno::has_changed(&e) => {}
                Err(_) => count.complete = false,
            }
        }
        count
    }

    fn list(
        &mut self,
        place: &Arc<DirHandle>,
        chunk: &mut Chunk,
        left: &mut Vec<(Arc<DirHandle>, CString)>,
    ) {
        // The place's own handle stays where its listing began.
        let opened = place
            .open()
            .and_then(|handle| dir::reopen(handle.as_fd(), For::Reading));
        let mut lister = match opened {
            Ok(handle) => Lister::new(handle),
            Err(e) => {
                self.complete &= errno::has_changed(&e);
                return;
            }
        };
        while !lister.is_done() {
            if lister.next(chunk).is_err() {
                self.complete = false;
                return;
            }
            self.names += chunk.len() as u64;
            let below = chunk
                .iter()
                .filter(|entry| entry.kind.is_none_or(|kind| kind == Kind::Dir))
                .map(|entry| (Arc::clone(place), entry.name.to_owned()));
            left.extend(below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_name_counts_once_and_no_symlink_is_followed() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("a/b/c")).expect("made");
        fs::write(at("a/file"), "text").expect("written");
        fs::hard_link(at("a/file"), at("a/b/file")).expect("linked");
        symlink(at("a"), at("link")).expect("linked");
        let top = dir::open_root(dir.path(), For::Passing).expect("opened");
        let counted = NameCount::below(&top, &|| true);
        let (names, complete) = (6, true);
        assert_eq!(counted, NameCount { names, complete });
        fs::remove_file(at("a/b/file")).expect("removed");
        let less = NameCount::below(&top, &|| true);
        assert_eq!(less.names, 5);
        assert!(!NameCount::below(&top, &|| false).complete);
    }
}
