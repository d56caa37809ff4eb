//! Is an entry what a version of it was, as far as the version's filesystem
//! could keep it? The rules are those by which dumps link: what a dump would
//! call unchanged is not restored again.

use std::os::fd::{AsFd as _, OwnedFd};

use super::request::Named;
use crate::fs::inspect;
use crate::fs::store::EntryWriter;
use crate::model::fault::{Fault, Op, Side};
use crate::model::metadata::{Capabilities, Meta, Xattrs};
use crate::policy::link::{Evidence, LinkPolicy, Verdict};
use crate::sys::file::{self, CompareError};
use crate::sys::pages::Pages;
use crate::sys::xattr::Subject;

/// Compares entries, with buffers that are used again.
pub(super) struct Comparer<'a> {
    capabilities: &'a Capabilities,
    /// Contents as well: programs set times back.
    policy: LinkPolicy,
    writer: EntryWriter<'a>,
}

impl<'a> Comparer<'a> {
    pub(super) fn new(capabilities: &'a Capabilities) -> Self {
        Self {
            capabilities,
            policy: LinkPolicy::new().contents(true),
            writer: EntryWriter::new(capabilities, Pages::Keep),
        }
    }

    /// Is what there is now the same as the version? Of directories the names
    /// are another's to compare. The version's own inode, which somebody linked there,
    /// is not: what is written to it later would change the dump.
    pub(super) fn same(
        &mut self,
        (now, meta): (Named<'_>, &Meta),
        (old, looked): (Named<'_>, &Meta),
        keep_going: &dyn Fn() -> bool,
    ) -> Result<bool, Fault> {
        if meta.id() == looked.id() {
            return Ok(false);
        }
        let mut pair = Pair {
            capabilities: self.capabilities,
            writer: &mut self.writer,
            now,
            old,
            looked,
            keep_going,
        };
        let verdict = self
            .policy
            .weigh(self.capabilities, looked, meta, &mut pair)?;
        Ok(verdict == Verdict::Link)
    }
}

struct Pair<'p, 'w, 'a> {
    capabilities: &'a Capabilities,
    writer: &'w mut EntryWriter<'a>,
    now: Named<'p>,
    old: Named<'p>,
    looked: &'p Meta,
    keep_going: &'p dyn Fn() -> bool,
}

impl Pair<'_, '_, '_> {
    fn xattrs_of(&self, named: Named<'_>, side: Side) -> Result<Xattrs, Fault> {
        let subject = Subject::Named(named.at.dir, named.at.name);
        inspect::xattrs(subject, side, self.capabilities)
            .map_err(|op_error| op_error.at(named.path.to_path_buf()))
    }
}

fn open(named: Named<'_>) -> Result<OwnedFd, Fault> {
    file::open_file(named.at.dir, named.at.name).map_err(Fault::at(Op::Open, named.path))
}

impl Evidence<Fault> for Pair<'_, '_, '_> {
    fn same_target(&mut self) -> Result<bool, Fault> {
        let (now, old) = (self.now, self.old);
        let here = inspect::symlink(now.at.dir, now.at.name)
            .map_err(|op_error| op_error.at(now.path.to_path_buf()))?;
        let there = inspect::symlink_in_some_dump(old.at.dir, old.at.name, self.looked)
            .map_err(Fault::at(Op::ReadLink, old.path))?;
        Ok(here == there)
    }

    fn xattrs(&mut self) -> Result<Option<(Xattrs, Xattrs)>, Fault> {
        let old = self.xattrs_of(self.old, Side::Reference)?;
        let now = self.xattrs_of(self.now, Side::Source)?;
        Ok(Some((old, now)))
    }

    fn same_contents(&mut self) -> Result<bool, Fault> {
        let (now, old) = (open(self.now)?, open(self.old)?);
        let mut keep_going = || (self.keep_going)();
        let (a, b, size) = (now.as_fd(), old.as_fd(), self.looked.size);
        match self.writer.same_contents(a, b, Some(size), &mut keep_going) {
            Ok(same) => Ok(same),
            Err(CompareError::First(e)) => Err(Fault::at(Op::Read, self.now.path)(e)),
            Err(CompareError::Second(e)) => Err(Fault::at(Op::Read, self.old.path)(e)),
            // The caller looks at that next.
            Err(CompareError::Stopped) => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::store::NameAt;
    use crate::sys::dir::{For, open_root};
    use crate::sys::stat;

    /// What a filesystem in user space cannot keep of a symlink is not held
    /// against it, or it would be restored each time.
    #[test]
    fn a_symlinks_time_counts_where_it_can_be_kept() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        for name in ["now", "old"] {
            std::os::unix::fs::symlink("nowhere", dir.path().join(name)).expect("linked");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let root = open_root(dir.path(), For::Passing).expect("opened");
        let named = |name| Named {
            at: NameAt {
                dir: root.as_fd(),
                name,
            },
            path: dir.path(),
        };
        let [now, old] = [c"now", c"old"].map(|name| {
            let looked = stat::look(root.as_fd(), name, stat::Fresh::AsStat);
            (named(name), looked.expect("it is there"))
        });
        for (symlinks, same) in [(true, false), (false, true)] {
            let capabilities = Capabilities {
                symlinks,
                ..Capabilities::everything()
            };
            let mut comparer = Comparer::new(&capabilities);
            let found = comparer.same((now.0, &now.1), (old.0, &old.1), &|| true);
            assert_eq!(found.expect("compared"), same);
        }
    }
}
