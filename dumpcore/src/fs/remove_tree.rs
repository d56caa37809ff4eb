//! Removing a tree: by handles, without recursion, in bounded descriptors.
//!
//! It removes names, never writes to what they name: an inode that a
//! published dump shares only loses a link. Symlinks are removed, not
//! followed. It goes down by name and up by `..`, and goes up only into the
//! directory it came from, so that nothing outside the tree is reached even
//! when somebody moves directories under its feet. What is mounted in the tree
//! is not entered: it is an error, and stays.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use crate::fs::mount::MountOf;
use crate::model::fault::{Op, OpError};
use crate::model::kind::Kind;
use crate::model::metadata::Id;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::{errno, file, link, stat};

/// Removes what has this name; a missing name is not an error.
///
/// `keep_going` is asked now and then; when it says no, the rest stays and the
/// outcome is `false`.
pub(crate) fn remove_tree(
    dir: BorrowedFd<'_>,
    name: &CStr,
    keep_going: &dyn Fn() -> bool,
) -> Result<bool, OpError> {
    let level = match link::remove(dir, name) {
        Ok(()) => return Ok(true),
        Err(e) if errno::is_missing(&e) => return Ok(true),
        Err(e) if errno::is_directory(&e) => Level::top(dir, name).map_err(failed)?,
        // Some say so of a directory; of anything else it is the answer.
        Err(e) if errno::is_not_permitted(&e) => match Level::top(dir, name) {
            Err(other) if errno::has_changed(&other) => return Err(failed(e)),
            entered => entered.map_err(failed)?,
        },
        Err(e) => return Err(failed(e)),
    };
    remove_level(dir, name, level, keep_going)
}

/// The same of what is known by its inode: where something else has the name,
/// that is left, and the error says so.
pub(crate) fn remove_tree_of(
    dir: BorrowedFd<'_>,
    name: &CStr,
    id: Id,
    keep_going: &dyn Fn() -> bool,
) -> Result<bool, OpError> {
    let there = match stat::look(dir, name, stat::Fresh::AsStat) {
        Ok(there) => there,
        Err(e) if errno::is_missing(&e) => return Ok(true),
        Err(e) => return Err(failed(e)),
    };
    let other = || failed(io::Error::other("its name belongs to another entry now"));
    if there.id() != id {
        return Err(other());
    }
    if there.kind != Kind::Dir {
        return remove_tree(dir, name, keep_going);
    }
    let level = Level::top(dir, name).map_err(failed)?;
    if level.id != id {
        return Err(other());
    }
    remove_level(dir, name, level, keep_going)
}

fn failed(cause: io::Error) -> OpError {
    OpError::target(Op::Remove, cause)
}

/// Empties a directory that was entered, and removes it.
fn remove_level(
    dir: BorrowedFd<'_>,
    name: &CStr,
    mut level: Level,
    keep_going: &dyn Fn() -> bool,
) -> Result<bool, OpError> {
    let mut above: Vec<(Id, CString)> =
        vec![(stat::look_at(dir).map_err(failed)?.id(), name.to_owned())];
    loop {
        if !keep_going() {
            return Ok(false);
        }
        match level.remove_files().map_err(failed)? {
            Some(subdirectory) => {
                let below = Level::enter(level.dir.as_fd(), &subdirectory, level.mount);
                let below = below.map_err(failed)?;
                above.push((level.id, subdirectory));
                level = below;
            }
            None => {
                let Some((id, name)) = above.pop() else {
                    return Ok(true);
                };
                if above.is_empty() {
                    dir::remove_empty(dir, &name).map_err(failed)?;
                    return Ok(true);
                }
                level = level.leave(id).map_err(failed)?;
                dir::remove_empty(level.dir.as_fd(), &name).map_err(failed)?;
            }
        }
    }
}

/// The directory that is being emptied.
struct Level {
    dir: OwnedFd,
    id: Id,
    /// The mount that all of the tree is on.
    mount: MountOf,
}

impl Level {
    /// The directory that is removed, which is on the mount of the one it is in.
    fn top(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<Self> {
        Self::enter(dir, name, MountOf::of(dir)?)
    }

    /// Opens a directory to empty it; what its permissions forbid its owner
    /// is allowed first.
    fn enter(dir: BorrowedFd<'_>, name: &CStr, mount: MountOf) -> io::Result<Self> {
        let opened = match dir::open_dir(dir, name, For::Filling) {
            Err(e) if errno::is_not_permitted(&e) => {
                link::set_mode_of_dir(dir, name, 0o700)?;
                dir::open_dir(dir, name, For::Filling)?
            }
            other => other?,
        };
        let meta = stat::look_at(&opened)?;
        if !mount.has(&opened, &meta)? {
            return Err(io::Error::other(
                "something is mounted on it; unmount it first",
            ));
        }
        if meta.mode & 0o300 != 0o300 {
            file::set_mode(&opened, 0o700)?;
        }
        Ok(Self {
            dir: opened,
            id: meta.id(),
            mount,
        })
    }

    /// Goes up, into the directory of this identity and no other.
    fn leave(self, id: Id) -> io::Result<Self> {
        let dir = dir::open_parent(self.dir.as_fd(), For::Filling)?;
        if stat::look_at(&dir)?.id() == id {
            Ok(Self { dir, id, ..self })
        } else {
            Err(io::Error::other(
                "it was moved to another directory while it was removed",
            ))
        }
    }

    /// Removes all but directories; returns the name of the first directory.
    fn remove_files(&self) -> io::Result<Option<CString>> {
        // A listing may skip names while others are removed, so it starts again
        // until nothing is left.
        loop {
            let mut lister = Lister::new(dir::reopen(self.dir.as_fd(), For::Filling)?);
            let mut chunk = Chunk::default();
            lister.next(&mut chunk)?;
            if chunk.is_empty() {
                return Ok(None);
            }
            for entry in chunk.iter() {
                match link::remove(self.dir.as_fd(), entry.name) {
                    Ok(()) => {}
                    Err(e) if errno::is_missing(&e) => {}
                    Err(e) if errno::is_directory(&e) => return Ok(Some(entry.name.to_owned())),
                    Err(e) => return Err(e),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    fn run(at: &Path, name: &CStr) -> Result<bool, OpError> {
        let dir = dir::open_root(at, For::Passing).expect("opened");
        remove_tree(dir.as_fd(), name, &|| true)
    }

    #[test]
    fn removes_all_below_and_nothing_else() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("tree/a/b")).expect("made");
        fs::create_dir_all(at("tree/c")).expect("made");
        fs::create_dir_all(at("kept/d")).expect("made");
        fs::write(at("kept/file"), "kept").expect("written");
        symlink(at("kept"), at("tree/a/link")).expect("linked");
        fs::hard_link(at("kept/file"), at("tree/a/b/file")).expect("linked");
        let closed = fs::Permissions::from_mode(0o000);
        fs::set_permissions(at("tree/c"), closed).expect("closed");
        assert!(run(dir.path(), c"tree").expect("removed"));
        assert!(!at("tree").exists());
        assert!(at("kept/d").exists());
        assert_eq!(fs::read_to_string(at("kept/file")).expect("read"), "kept");
        assert!(run(dir.path(), c"tree").expect("nothing to do"));
        symlink(at("kept"), at("link")).expect("linked");
        assert!(run(dir.path(), c"link").expect("removed"));
        assert!(at("kept/d").exists());
    }

    #[test]
    fn depth_costs_no_stack_and_no_descriptors() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let root = dir::open_root(dir.path(), For::Passing).expect("opened");
        dir::make_private(root.as_fd(), c"deep").expect("made");
        let mut at = dir::open_dir(root.as_fd(), c"deep", For::Passing).expect("opened");
        for _ in 0..5_000 {
            dir::make_private(at.as_fd(), c"deeper").expect("made");
            at = dir::open_dir(at.as_fd(), c"deeper", For::Passing).expect("opened");
        }
        assert!(remove_tree(root.as_fd(), c"deep", &|| true).expect("removed"));
        assert!(!dir.path().join("deep").exists());
    }
}
