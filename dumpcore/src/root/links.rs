//! Pointing `current` and `current_chk` to a dump.
//!
//! Each new link is made beside the old one, and renamed over it: at every
//! instant the link names a complete dump.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

use crate::model::error::Error;
use crate::model::fault::Op;
use crate::policy::layout::{self, DumpName};
use crate::root::DumpRoot;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::{disk, errno, link};

/// Points links at a dump that was made visible, and flushed, by a run that
/// ended before it could.
pub(crate) fn point(dump: &DumpRoot, name: DumpName, links: &[&str]) -> Result<(), Error> {
    let links_to = Links::new(dump, name);
    links_to.make(links)?;
    disk::sync_filesystem(dump.handle())
        .and_then(|()| sync_names(dump, name))
        .map_err(|e| dump.failed(Op::Sync, Path::new(""), e))?;
    links_to.put(links).map_err(|unpointed| unpointed.error)
}

/// Flushes the directories that lead to a dump: a server in user space is not told
/// of a flush of all.
fn sync_names(dump: &DumpRoot, name: DumpName) -> io::Result<()> {
    let mut handle = dir::reopen(dump.handle().as_fd(), For::Filling)?;
    for part in [name.year(), name.day()] {
        disk::sync(&handle)?;
        handle = dir::open_dir(handle.as_fd(), &c_name(part.as_bytes()), For::Filling)?;
    }
    disk::sync(&handle)
}

/// The links of a dump root that are to be pointed at a dump.
pub(crate) struct Links<'a> {
    dump: &'a DumpRoot,
    target: CString,
}

/// The links could not be moved.
pub(crate) struct Unpointed {
    pub(crate) error: Error,
    /// Do all of them point where they did?
    pub(crate) as_before: bool,
}

impl Unpointed {
    pub(crate) fn as_before(error: Error) -> Self {
        let as_before = true;
        Self { error, as_before }
    }
}

impl<'a> Links<'a> {
    pub(crate) fn new(dump: &'a DumpRoot, name: DumpName) -> Self {
        let target = c_name(name.to_string().as_bytes());
        Self { dump, target }
    }

    /// Makes each new link beside the one that it will replace.
    pub(crate) fn make(&self, links: &[&str]) -> Result<(), Error> {
        for name in links {
            let made = self.make_one(name, &self.target);
            made.map_err(|(op, e)| self.failed(op, &layout::fresh_link(name), e))?;
        }
        Ok(())
    }

    fn make_one(&self, name: &str, target: &CString) -> Result<(), (Op, io::Error)> {
        let root = self.dump.handle().as_fd();
        let fresh = c_name(layout::fresh_link(name).as_bytes());
        match link::remove(root, &fresh) {
            Err(e) if !errno::is_missing(&e) => return Err((Op::Remove, e)),
            _ => {}
        }
        link::symlink(target, root, &fresh).map_err(|e| (Op::Create, e))
    }

    /// Puts the new links over the old ones: all of them, or none unless the
    /// disk refuses even that. A link that names a dump must always name one.
    pub(crate) fn put(&self, links: &[&str]) -> Result<(), Unpointed> {
        let root = self.dump.handle().as_fd();
        let mut moved: Vec<(&str, Option<CString>)> = Vec::new();
        for name in links {
            let before = link::read_symlink(root, &c_name(name.as_bytes())).ok();
            match self.put_one(name) {
                Ok(()) => moved.push((name, before)),
                Err(e) => return Err(self.unpointed(self.failed(Op::Rename, name, e), moved)),
            }
        }
        disk::sync(self.dump.handle())
            .map_err(|e| self.unpointed(self.failed(Op::Sync, "", e), moved))
    }

    fn put_one(&self, name: &str) -> io::Result<()> {
        let root = self.dump.handle().as_fd();
        let fresh = c_name(layout::fresh_link(name).as_bytes());
        link::rename_over(root, &fresh, root, &c_name(name.as_bytes()))
    }

    fn unpointed(&self, error: Error, moved: Vec<(&str, Option<CString>)>) -> Unpointed {
        let root = self.dump.handle().as_fd();
        let back = |(name, before): (&str, Option<CString>)| match before {
            Some(target) => self.make_one(name, &target).is_ok() && self.put_one(name).is_ok(),
            None => link::remove(root, &c_name(name.as_bytes())).is_ok(),
        };
        let as_before = moved.into_iter().rev().all(back);
        Unpointed { error, as_before }
    }

    fn failed(&self, op: Op, name: &str, cause: io::Error) -> Error {
        self.dump.failed(op, Path::new(name), cause)
    }
}
