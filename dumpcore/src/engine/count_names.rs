//! Counting names when many hard-linked inodes wait for more of them.
//!
//! Another tool may hard-link every file of the tree elsewhere. Then each file
//! waits in memory for a name that is never met. When many wait, the trees are
//! listed once to count the names within them; the filter and filesystems that
//! are not entered count as in the run itself.

use std::ffi::CStr;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use super::job::Job;
use super::worker::Shared;
use crate::fs::dir_handle::DirHandle;
use crate::fs::link_counts::{Counting, LinkCounts};
use crate::model::path::RelPath;
use crate::sys::fstype::FsType;
use crate::sys::stat;

/// The entries that a run reads.
struct Read<'r> {
    run: &'r Shared<'r>,
    /// The path of the current directory, with a slash.
    path: Vec<u8>,
    /// The filesystem of the current tree.
    dev: u64,
}

impl Counting for Read<'_> {
    fn keep_going(&self) -> bool {
        self.run.totals.keep_going()
    }

    fn enters(&self, above: &Arc<DirHandle>, name: &CStr) -> bool {
        let elsewhere = || {
            let handle = above.open().ok()?;
            let mount = stat::look_at_mount(handle.as_fd(), name).ok()?;
            Some(mount.dev != self.dev)
        };
        !self.run.rules.options.one_file_system || elsewhere() == Some(false)
    }

    fn reads(&mut self, directory: &Arc<DirHandle>) -> bool {
        let rules = self.run.rules;
        let top = directory.top_of();
        self.dev = top.id().dev;
        if rules.options.filter.needs_path() {
            let top = self.run.tops.iter().find(|of| Arc::ptr_eq(&of.place, &top));
            let name = top.map_or(&b""[..], |top| &top.name);
            let path = RelPath::from_bytes(name).join(directory.path().as_bytes());
            self.path.clear();
            self.path.extend_from_slice(path.as_bytes());
            self.path.push(b'/');
        }
        let on_a_disk = || {
            let kind = directory.open().and_then(|handle| FsType::of(&handle));
            !matches!(kind, Ok(FsType::Kernel(_)))
        };
        let same = directory.id().dev == self.dev;
        !rules.leave_out.contains(&directory.id()) && (same || on_a_disk())
    }

    fn leaves_out(&mut self, name: &CStr, is_dir: bool) -> bool {
        let filter = self.run.rules.options.filter;
        if filter.is_empty() {
            return false;
        }
        let length = self.path.len();
        self.path.extend_from_slice(name.to_bytes());
        let excluded = filter.excludes(&self.path, is_dir);
        self.path.truncate(length);
        excluded
    }

    fn looks(&self) -> bool {
        false
    }
}

impl Shared<'_> {
    /// Counts names, once, when many wait. Returns the jobs that can be done
    /// now. No other worker adds to what waits meanwhile. When the run is
    /// ending the count is incomplete and not used.
    pub(super) fn count_names(&self) -> Vec<Job> {
        if self.rules.names.is_some() || !self.groups.are_many() || self.counted.get().is_some() {
            return Vec::new();
        }
        let mut counted_here = false;
        let counts = self.counted.get_or_init(|| {
            counted_here = true;
            self.count()
        });
        if !counted_here || !self.totals.keep_going() {
            return Vec::new();
        }
        self.groups.narrow(|id| counts.of(id))
    }

    fn count(&self) -> LinkCounts {
        let mut how = Read {
            run: self,
            path: Vec::new(),
            dev: 0,
        };
        let tops: Vec<_> = self.tops.iter().map(|top| Arc::clone(&top.place)).collect();
        LinkCounts::within(&tops, &mut how)
    }
}
