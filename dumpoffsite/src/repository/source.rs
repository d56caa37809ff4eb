//! A tree of a dump as the library reads it.
//!
//! The library passes over what cannot be read. So each fault is noted here, and
//! how many entries were handed over, to be compared with how many it stored.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use dumpcore::{DumpEntries, DumpEntry, DumpFile, DumpTree, Fault, Kind, Op};
use rustic_core::{
    ErrorKind, ReadSource, ReadSourceEntry, ReadSourceOpen, RusticError, RusticResult,
};

use super::guard::Control;
use super::node::{directory_above, node};

/// What was met while a tree was read.
#[derive(Debug, Default)]
pub(super) struct Met {
    faults: Mutex<Vec<Fault>>,
    /// Entries handed over that are not directories.
    pub(super) files: AtomicU64,
    /// Of these, those that could not be read.
    pub(super) unread: AtomicU64,
    /// Attributes that a repository cannot store.
    pub(super) lost: AtomicU64,
    /// Files whose contents were read, and their bytes.
    pub(super) opened: AtomicU64,
    pub(super) bytes: AtomicU64,
}

impl Met {
    fn fault(&self, fault: Fault) {
        self.all().push(fault);
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults so far.
    pub(super) fn take_faults(&self) -> Vec<Fault> {
        std::mem::take(&mut *self.all())
    }
}

/// A tree of a dump, to be stored at a path.
pub(super) struct TreeSource {
    pub(super) tree: DumpTree,
    /// Where it is stored: the path of the tree that was dumped.
    pub(super) at: PathBuf,
    pub(super) met: Arc<Met>,
    pub(super) control: Arc<Control>,
}

impl ReadSource for TreeSource {
    type Open = EntryFile;
    type Iter = Nodes;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(Some(self.tree.bytes()))
    }

    fn entries(&self) -> Nodes {
        Nodes {
            entries: self.tree.entries(),
            ahead: VecDeque::new(),
            top: self.tree.path().to_path_buf(),
            at: self.at.clone(),
            met: Arc::clone(&self.met),
            control: Arc::clone(&self.control),
        }
    }
}

/// The entries of a tree, as the library takes them.
pub(super) struct Nodes {
    entries: DumpEntries,
    /// What is handed over before the next entry is read.
    ahead: VecDeque<ReadSourceEntry<EntryFile>>,
    top: PathBuf,
    at: PathBuf,
    met: Arc<Met>,
    control: Arc<Control>,
}

impl Nodes {
    fn hand(&mut self, entry: DumpEntry) {
        let is_top = entry.path.as_os_str().is_empty();
        let path = match is_top {
            true => self.at.clone(),
            false => self.at.join(&entry.path),
        };
        if is_top {
            self.hand_above(&entry);
        }
        let read = self.top.join(&entry.path);
        // Only `/` has no name, and no node of its own either.
        let Some(name) = path.file_name().map(OsStr::to_owned) else {
            return;
        };
        let (node, lost) = node(&name, &entry);
        for attribute in lost {
            let text = format!("the name of the attribute {attribute} is not UTF-8");
            let fault = Fault::new(Op::ReadXattr, read.clone(), io::Error::other(text));
            self.met.fault(fault);
            self.met.lost.fetch_add(1, Relaxed);
        }
        if entry.meta.kind != Kind::Dir {
            self.met.files.fetch_add(1, Relaxed);
        }
        let open = entry.file.map(|file| EntryFile {
            file,
            path: read,
            met: Arc::clone(&self.met),
            control: Arc::clone(&self.control),
        });
        self.ahead.push_back(ReadSourceEntry { path, node, open });
    }

    /// The directories above the tree, of which a dump knows nothing: as a restore
    /// makes them.
    fn hand_above(&mut self, top: &DumpEntry) {
        let above: Vec<&Path> = self.at.ancestors().skip(1).collect();
        for path in above.into_iter().rev() {
            if let Some(name) = path.file_name() {
                self.ahead.push_back(ReadSourceEntry {
                    path: path.to_path_buf(),
                    node: directory_above(name, top.meta.mtime),
                    open: None,
                });
            }
        }
    }
}

impl Iterator for Nodes {
    type Item = RusticResult<ReadSourceEntry<EntryFile>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(next) = self.ahead.pop_front() {
                return Some(Ok(next));
            }
            // The snapshot of what was read so far is never stored.
            if self.control.is_stopped() {
                return None;
            }
            match self.entries.next()? {
                Ok(entry) => self.hand(entry),
                Err(fault) => self.met.fault(fault),
            }
        }
    }
}

/// A file that the library opens when it wants its contents.
pub(super) struct EntryFile {
    file: DumpFile,
    path: PathBuf,
    met: Arc<Met>,
    control: Arc<Control>,
}

impl ReadSourceOpen for EntryFile {
    type Reader = Contents;

    fn open(self) -> RusticResult<Contents> {
        match self.file.open() {
            Ok(file) => {
                self.met.opened.fetch_add(1, Relaxed);
                Ok(Contents {
                    file,
                    path: self.path,
                    met: self.met,
                    control: self.control,
                })
            }
            Err(cause) => {
                let error = RusticError::new(ErrorKind::InputOutput, "it cannot be opened");
                unread(&self.met, Op::Open, &self.path, cause);
                Err(error)
            }
        }
    }
}

fn unread(met: &Met, op: Op, path: &Path, cause: io::Error) {
    met.unread.fetch_add(1, Relaxed);
    met.fault(Fault::new(op, path.to_path_buf(), cause));
}

/// The contents of a file.
pub(super) struct Contents {
    file: File,
    path: PathBuf,
    met: Arc<Met>,
    control: Arc<Control>,
}

impl Read for Contents {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.control.is_stopped() {
            return Err(io::Error::other("stopped"));
        }
        match self.file.read(buffer) {
            Ok(bytes) => {
                self.met.bytes.fetch_add(bytes as u64, Relaxed);
                Ok(bytes)
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => Err(cause),
            Err(cause) => {
                let again = io::Error::new(cause.kind(), "it cannot be read");
                unread(&self.met, Op::Read, &self.path, cause);
                Err(again)
            }
        }
    }
}
