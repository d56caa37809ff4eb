//! What a comparison of trees with dumps tells in the end: of each file that changed
//! its names, and which dumps have what was stored; and which trees were not compared.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use super::source_trees::Trees;
use super::worksite::Worksite;
use crate::catalog::{Catalog, Holder, InodeId, PathVersion, SourceRow, View};
use crate::fs::disk_hash::{DiskHasher, DiskRead};
use crate::model::error::Error;
use crate::model::fault::Fault;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::sys::file;
use crate::tend::source_scrubbed::{ChangedFile, SourceScrubbed};

/// What a look at a file says of its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CameTo {
    /// It was read, or should have been and could not.
    Read,
    /// It is newer than the dump, as files are that somebody writes to.
    Newer,
    Gone,
    /// It could not be compared, though it is not newer.
    Barred,
}

/// What was found.
#[derive(Default)]
pub(super) struct FoundOut {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) changed: Vec<SourceRow>,
    pub(super) touched: u64,
    pub(super) unsettled: u64,
    pub(super) unknown: u64,
    /// Those of them that count among what there is to be compared.
    pub(super) passed: u64,
    /// Numbers of trees with what looks at their files came to.
    seen: HashSet<(usize, CameTo)>,
    pub(super) faults: Vec<Fault>,
    pub(super) faults_total: u64,
}

impl FoundOut {
    /// A file of this tree was looked at.
    pub(super) fn looked_at(&mut self, tree: Option<usize>, came_to: CameTo) {
        self.seen.extend(tree.map(|tree| (tree, came_to)));
    }

    /// Could nothing of a tree be compared, though it should? Not where all its files
    /// are newer than the dump: those are the next one's. A tree of which all is gone
    /// may be a disk that is not mounted.
    fn is_uncompared(&self, tree: usize) -> bool {
        let has = |came_to| self.seen.contains(&(tree, came_to));
        let only_gone = has(CameTo::Gone) && !has(CameTo::Newer);
        !has(CameTo::Read) && (has(CameTo::Barred) || only_gone)
    }

    /// Finds out which dumps have what was stored of each file that changed.
    pub(super) fn told(
        self,
        (site, trees): (&Worksite<'_>, &Trees),
        listed: u64,
        scrubbed: &mut SourceScrubbed,
    ) -> Result<(), Error> {
        (scrubbed.files, scrubbed.bytes) = (self.files, self.bytes);
        scrubbed.touched = self.touched;
        scrubbed.unsettled = self.unsettled;
        scrubbed.unknown = self.unknown;
        scrubbed.unread = listed.saturating_sub(self.passed);
        scrubbed.faults_total = self.faults_total;
        // What there was no time for could have been compared.
        if scrubbed.unread == 0 && !scrubbed.stopped {
            let uncompared = trees.iter().filter(|tree| self.is_uncompared(tree.number));
            scrubbed.uncompared = uncompared.map(|tree| tree.path.clone()).collect();
        }
        scrubbed.faults = self.faults;
        if self.changed.is_empty() {
            return Ok(());
        }
        let root = site.root;
        let view = View::open(root)?.ok_or_else(|| no_catalog(root))?;
        let inodes: Vec<InodeId> = self.changed.iter().map(|row| row.inode).collect();
        let names = view.holders(&inodes)?;
        for row in self.changed {
            // Of a tree that is not known nothing was read.
            let Some((file, ..)) = trees.place(&row.path) else {
                continue;
            };
            let versions = view.versions(&row.path)?;
            let having = having(&versions, &row);
            scrubbed.changed.push(ChangedFile {
                file,
                links: links(trees, &row, &names),
                first: having.map(|(first, _)| first),
                last: having.map(|(_, last)| last),
                dump_is_good: having.is_some_and(|(_, last)| is_good(site, last, &row)),
                path: row.path,
            });
        }
        scrubbed.changed.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(())
    }
}

/// The other names that a file has in the trees, by path. All that it has are recorded:
/// a link that was made since would have changed its time of change.
fn links(trees: &Trees, row: &SourceRow, names: &HashMap<InodeId, Vec<Holder>>) -> Vec<PathBuf> {
    let recorded = names.get(&row.inode).into_iter().flatten();
    let others = recorded.filter(|holder| holder.path != row.path);
    others
        .filter_map(|holder| trees.name_of(&holder.path, row))
        .collect()
}

/// The first and the last dump that have what was stored of a file; `None`: they were
/// removed meanwhile.
fn having(versions: &[PathVersion], row: &SourceRow) -> Option<(DumpId, DumpId)> {
    let as_it_was = |v: &PathVersion| v.inode.hash.is_some() && v.inode.hash == row.hash;
    let itself = |v: &PathVersion| v.inode.id == row.inode && as_it_was(v);
    let newest = versions.iter().rposition(itself);
    let newest = newest.or_else(|| versions.iter().rposition(as_it_was))?;
    // A checkpoint has an inode of its own, and so have the dumps that are linked to it.
    let until = versions[..=newest].iter().rev();
    let unbroken = until.take_while(|v| v.inode.hash.is_none() || as_it_was(v));
    let first = unbroken.filter(|v| as_it_was(v)).last();
    let newest = &versions[newest];
    Some((first.unwrap_or(newest).first, newest.last))
}

/// Does a dump hold what was stored of a file?
fn is_good(site: &Worksite<'_>, dump: DumpId, row: &SourceRow) -> bool {
    let read = || -> io::Result<bool> {
        let (above, name, meta) = site.root.look_in(dump, &row.path)?;
        let opened = file::open_file(above.as_fd(), &name)?;
        let mut keep_going = |bytes| site.was_read(bytes);
        let read = DiskHasher::new().hash(&opened, meta.size, &mut keep_going)?;
        Ok(matches!(read, DiskRead::Whole(found) if Some(found) == row.hash))
    };
    read().unwrap_or(false)
}

pub(super) fn no_catalog(root: &DumpRoot) -> Error {
    match Catalog::existing(root) {
        Err(error) => error.into(),
        Ok(_) => Error::Interrupted,
    }
}
