//! Reading the exclude rules that are stored in a tree or in a dump root.
//!
//! Anyone who may write in a tree can put anything in the place of this file,
//! and a run as root reads it. So no symlink below the root is followed, only a
//! regular file is opened for reading, without waiting, and at most
//! as many bytes are read as a list of rules can have.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::policy::layout;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::{errno, file};

/// In bytes: more than the rules of any tree.
const LARGEST: u64 = 16 << 20;

/// The bytes of `.rsync/exclude` in a main tree or a dump root; `None` when
/// there is no such file, or no such root.
///
/// The root itself may be reached through symlinks; neither `.rsync` nor
/// `exclude` may be one.
///
/// # Errors
/// A [`Fault`] with the file's path when it cannot be read, is a symlink or
/// anything else than a regular file, or is larger than 16 MiB; with the root's
/// own path when it is the root that cannot be opened or entered.
pub fn read_exclude_file(root: impl AsRef<Path>) -> Result<Option<Vec<u8>>, Fault> {
    let root = root.as_ref();
    read(root).map_err(|(op, cause)| match op {
        Some(op) => Fault::new(op, root.join(layout::EXCLUDE_FILE), cause),
        None => Fault::new(Op::Open, root.to_path_buf(), cause),
    })
}

/// The operation that failed, `None` for opening the root, and why: the
/// system's answer, or what this file refuses.
type Failed = (Option<Op>, io::Error);

fn read(root: &Path) -> Result<Option<Vec<u8>>, Failed> {
    let mut dir = match dir::open_root(root, For::Passing) {
        Ok(dir) => dir,
        // The run reports that: it needs the root itself.
        Err(e) if errno::has_changed(&e) => return Ok(None),
        Err(e) => return Err((None, e)),
    };
    let mut names = layout::EXCLUDE_FILE
        .split('/')
        .map(|name| c_name(name.as_bytes()));
    let mut name = names.next().unwrap_or_default();
    for below in names {
        // This is the first call that has to enter the root.
        let there = is_there(dir.as_fd(), &name, Kind::Dir).map_err(|(op, cause)| {
            let closed = errno::is_not_permitted(&cause);
            (op.filter(|_| !closed), cause)
        });
        if !there? {
            return Ok(None);
        }
        dir = dir::open_dir(dir.as_fd(), &name, For::Passing).map_err(|e| (Some(Op::Open), e))?;
        name = below;
    }
    if !is_there(dir.as_fd(), &name, Kind::File)? {
        return Ok(None);
    }
    contents(dir.as_fd(), &name).map(Some)
}

/// Is this name missing, or of the type that it must have?
fn is_there(dir: BorrowedFd<'_>, name: &CStr, kind: Kind) -> Result<bool, Failed> {
    match stat::look(dir, name, Fresh::AsStat) {
        Ok(meta) if meta.kind == kind => Ok(true),
        Ok(meta) if meta.kind == Kind::Symlink => {
            Err(refused("it is a symlink, which is not followed here"))
        }
        Ok(_) => Err(refused("it is not a regular file in a directory")),
        Err(e) if errno::is_missing(&e) => Ok(false),
        Err(e) => Err((Some(Op::Stat), e)),
    }
}

fn contents(dir: BorrowedFd<'_>, name: &CStr) -> Result<Vec<u8>, Failed> {
    let file = file::open_file(dir, name).map_err(|e| (Some(Op::Open), e))?;
    let opened = stat::look_at(&file).map_err(|e| (Some(Op::Stat), e))?;
    if opened.kind != Kind::File {
        return Err(refused("it is no longer a regular file"));
    }
    let bytes = file::read_all(file, LARGEST + 1).map_err(|e| (Some(Op::Read), e))?;
    if bytes.len() as u64 > LARGEST {
        return Err(refused(
            "it is larger than 16 MiB, too large for a list of rules",
        ));
    }
    Ok(bytes)
}

fn refused(why: &str) -> Failed {
    (Some(Op::Read), io::Error::other(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    const RULES: &[u8] = b"*.o\n";

    /// The result for a root that `make` has filled.
    fn told(make: impl FnOnce(&Path)) -> Result<Option<Vec<u8>>, String> {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("other")).expect("made");
        fs::write(root.join("other/exclude"), RULES).expect("written");
        make(&root);
        read_exclude_file(&root).map_err(|fault| {
            assert_eq!(fault.path, root.join(".rsync/exclude"));
            fault.cause.to_string()
        })
    }

    fn with_dir(make: impl FnOnce(&Path)) -> Result<Option<Vec<u8>>, String> {
        told(|root| {
            fs::create_dir(root.join(".rsync")).expect("made");
            make(&root.join(".rsync/exclude"));
        })
    }

    #[test]
    fn a_file_is_read_and_none_is_none() {
        let read = with_dir(|path| fs::write(path, RULES).expect("written"));
        assert_eq!(read, Ok(Some(RULES.to_vec())));
        assert_eq!(with_dir(|_| ()), Ok(None));
        assert_eq!(told(|_| ()), Ok(None));
        assert_eq!(
            told(|root| fs::remove_dir_all(root).expect("gone")),
            Ok(None)
        );
        let root_of_another_kind = told(|root| {
            fs::remove_dir_all(root).expect("gone");
            fs::write(root, "").expect("written");
        });
        assert_eq!(root_of_another_kind, Ok(None));
    }

    #[test]
    fn the_root_may_be_reached_by_a_symlink() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        fs::create_dir_all(dir.path().join("root/.rsync")).expect("made");
        fs::write(dir.path().join("root/.rsync/exclude"), RULES).expect("written");
        symlink("root", dir.path().join("link")).expect("linked");
        let read = read_exclude_file(dir.path().join("link"));
        assert_eq!(read.ok().flatten().as_deref(), Some(RULES));
    }

    #[test]
    fn no_symlink_is_followed_and_nothing_else_is_opened() {
        let link = with_dir(|path| symlink("../other/exclude", path).expect("linked"));
        let above = told(|root| symlink("other", root.join(".rsync")).expect("linked"));
        for read in [link, above] {
            assert_eq!(
                read,
                Err("it is a symlink, which is not followed here".to_owned())
            );
        }
        let dir = with_dir(|path| fs::create_dir(path).expect("made"));
        let file_above = told(|root| fs::write(root.join(".rsync"), "").expect("written"));
        let socket = with_dir(|path| {
            std::os::unix::net::UnixListener::bind(path).expect("bound");
        });
        for read in [dir, file_above, socket] {
            assert_eq!(
                read,
                Err("it is not a regular file in a directory".to_owned())
            );
        }
    }

    #[test]
    fn no_more_is_read_than_rules_can_be() {
        let of_size = |size| {
            with_dir(|path| {
                let file = File::create(path).expect("made");
                file.set_len(size).expect("a hole");
            })
        };
        assert_eq!(
            of_size(LARGEST).map(|read| read.map(|r| r.len() as u64)),
            Ok(Some(LARGEST))
        );
        assert_eq!(
            of_size(1 << 40),
            Err("it is larger than 16 MiB, too large for a list of rules".to_owned())
        );
    }
}
