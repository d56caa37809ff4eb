//! The name that an entry had in the dump before.
//!
//! A renamed file has nothing to be linked to under its new name: a dump
//! copies it, and its inode tells nothing. What is left of it is this:
//! in the dump before there is a name of the same type, size, modification
//! time to the nanosecond and contents, and that name is gone. A directory
//! that was renamed whole has its time and the names in it. The inode itself
//! is found again only where another name of it was kept, and then it is
//! proof enough.
//!
//! Of several the one counts that agrees best in its last names, then in its
//! first: a file was moved or renamed, seldom both. Where two agree equally
//! well nothing is said, rather than something that may be wrong.
//!
//! The cost is one listing of each directory on both sides. Only a name that
//! is gone is looked at, and only what agrees in all that costs nothing is
//! read.

use std::path::PathBuf;

use super::compare::{Trust, same_content};
use super::read::list;
use super::version::{Version, look};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::{Meta, Time};
use crate::model::path::RelPath;
use crate::policy::layout::DumpName;
use crate::root::listing::Listing;
use crate::sys::dir::{Chunk, Listed};
use crate::sys::errno;

/// A rename that was found.
#[derive(Debug)]
pub(super) struct Renamed {
    /// The run that it began.
    pub(super) at: usize,
    /// The name in the dump before.
    pub(super) from: RelPath,
}

/// Where the entry has appeared, and where it is looked for.
pub(super) struct Search<'a> {
    pub(super) listing: &'a Listing,
    /// The dump before.
    pub(super) before: DumpName,
    /// The path of a name on the side where the entry has appeared: in the
    /// dump after it, or in the main trees, which have no top in common.
    pub(super) after: &'a dyn Fn(&RelPath) -> Option<PathBuf>,
    /// Do inode numbers mean anything in these dumps?
    pub(super) inodes: bool,
}

/// A name that the entry may have had.
struct Candidate {
    name: RelPath,
    meta: Meta,
    rank: Rank,
}

/// The higher, the likelier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    evidence: Evidence,
    /// How many names agree, counted from the last one.
    last: usize,
    /// How many names agree, counted from the first one.
    first: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    /// Gone, and the same as far as its metadata tell.
    Alike,
    /// The same inode, under a name that is still there.
    Linked,
    /// The same inode, under a name that is gone.
    Moved,
}

impl Search<'_> {
    /// The name in the dump before of what is now called `within`.
    pub(super) fn find(
        &self,
        within: &RelPath,
        wanted: &Version,
        faults: &mut Vec<Fault>,
    ) -> Option<RelPath> {
        let mut candidates = Vec::new();
        let mut left = self.start(within, faults);
        while let Some((directory, in_both)) = left.pop() {
            let found = self.directory(&directory, in_both, within, wanted, &mut candidates);
            match found {
                Ok(below) => left.extend(below),
                Err(fault) => faults.push(fault),
            }
        }
        candidates.sort_by(|a, b| b.rank.cmp(&a.rank).then_with(|| a.name.cmp(&b.name)));
        self.choose(candidates, wanted, faults)
    }

    /// The root that the name is in; all roots, where the dump before does
    /// not have that one.
    fn start(&self, within: &RelPath, faults: &mut Vec<Fault>) -> Vec<(RelPath, bool)> {
        let top = self.listing.path(self.before);
        let root = within.as_bytes().split(|b| *b == b'/').next();
        let root = RelPath::from_bytes(root.unwrap_or_default());
        match look(&root.below(&top)) {
            Ok(Some(_)) => vec![(root, true)],
            Ok(None) => vec![(RelPath::root(), true)],
            Err(fault) => {
                faults.push(fault);
                Vec::new()
            }
        }
    }

    /// Takes what may be it from one directory; the directories below it, and
    /// whether each is there on both sides.
    fn directory(
        &self,
        directory: &RelPath,
        in_both: bool,
        within: &RelPath,
        wanted: &Version,
        candidates: &mut Vec<Candidate>,
    ) -> Result<Vec<(RelPath, bool)>, Fault> {
        let before = listed(directory.below(&self.listing.path(self.before)))?;
        let after = match (self.after)(directory) {
            _ if !in_both => Some(Chunk::default()),
            Some(path) => Some(listed(path)?),
            None => None,
        };
        let mut below = Vec::new();
        for entry in before.iter() {
            let name = directory.join(entry.name.to_bytes());
            let path = name.below(&self.listing.path(self.before));
            let kind = match entry.kind {
                Some(kind) => Some(kind),
                None => look(&path)?.map(|meta| meta.kind),
            };
            let kept = self.is_kept(entry, kind, &name, after.as_ref())?;
            if kind == Some(Kind::Dir) {
                below.push((name.clone(), kept));
            }
            let linked = self.inodes && entry.ino == wanted.meta.ino;
            if kind != Some(wanted.meta.kind) || (kept && !linked) {
                continue;
            }
            let meta = look(&path)?;
            let found = meta.and_then(|meta| Some((meta, self.evidence(&meta, kept, wanted)?)));
            candidates.extend(found.map(|(meta, evidence)| Candidate {
                rank: Rank::of(evidence, &name, within),
                name,
                meta,
            }));
        }
        Ok(below)
    }

    /// Is there something of this name and type on the other side?
    fn is_kept(
        &self,
        entry: Listed<'_>,
        kind: Option<Kind>,
        name: &RelPath,
        after: Option<&Chunk>,
    ) -> Result<bool, Fault> {
        let listed = after.map(|after| after.find(entry.name).map(|at| after.get(at).kind));
        if let Some(None) = listed {
            return Ok(false);
        }
        if let Some(Some(Some(other))) = listed {
            return Ok(Some(other) == kind);
        }
        // Main trees are in no directory together, and some listings are
        // without types.
        let other = (self.after)(name).map(|path| look(&path)).transpose()?;
        Ok(other.flatten().map(|meta| meta.kind) == kind)
    }

    /// What speaks for an entry, if anything does.
    fn evidence(&self, meta: &Meta, kept: bool, wanted: &Version) -> Option<Evidence> {
        let is_dir = meta.kind == Kind::Dir;
        if self.inodes && !is_dir && meta.id() == wanted.meta.id() {
            let evidence = if kept {
                Evidence::Linked
            } else {
                Evidence::Moved
            };
            return Some(evidence);
        }
        // How large a directory is depends on what was in it once.
        let same_size = is_dir || meta.size == wanted.meta.size;
        let alike = same_size && same_time(meta.mtime, wanted.meta.mtime);
        (!kept && alike).then_some(Evidence::Alike)
    }

    /// The first of the likeliest, unless another is as likely.
    fn choose(
        &self,
        candidates: Vec<Candidate>,
        wanted: &Version,
        faults: &mut Vec<Fault>,
    ) -> Option<RelPath> {
        let mut best: Option<Candidate> = None;
        for candidate in candidates {
            if candidate.rank.evidence > Evidence::Alike {
                return Some(candidate.name);
            }
            if best.as_ref().is_some_and(|b| b.rank > candidate.rank) {
                break;
            }
            let old = Version {
                path: candidate.name.below(&self.listing.path(self.before)),
                dump: Some(self.before),
                meta: candidate.meta,
            };
            match same_content(&old, wanted, Trust::Inode) {
                Ok(true) if best.is_some() => return None,
                Ok(true) => best = Some(candidate),
                Ok(false) => {}
                Err(fault) => faults.push(fault),
            }
        }
        best.map(|best| best.name)
    }
}

impl Rank {
    fn of(evidence: Evidence, name: &RelPath, within: &RelPath) -> Self {
        let names = |path: &RelPath| -> Vec<Vec<u8>> {
            let names = path.as_bytes().split(|b| *b == b'/');
            names.map(<[u8]>::to_vec).collect()
        };
        let (old, new) = (names(name), names(within));
        let last = old.iter().rev().zip(new.iter().rev());
        let first = old.iter().zip(&new);
        Self {
            evidence,
            last: last.take_while(|(a, b)| a == b).count(),
            first: first.take_while(|(a, b)| a == b).count(),
        }
    }
}

/// To the nanosecond, or to the second where one side stores no more: main
/// trees and dumps are on different filesystems.
fn same_time(a: Time, b: Time) -> bool {
    a == b || (a.secs == b.secs && (a.nanos == 0 || b.nanos == 0))
}

/// A listing by name; an empty one of what is not there.
fn listed(path: PathBuf) -> Result<Chunk, Fault> {
    match list(&path) {
        Ok(chunk) => Ok(chunk),
        Err(cause) if errno::is_absent(&cause) => Ok(Chunk::default()),
        Err(cause) => Err(Fault::new(Op::List, path, cause)),
    }
}
