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
//! With the catalog only names that it records as gone between the two dumps,
//! or as the same inode, are looked at. Without it the cost is one listing of
//! each directory on both sides, and a look at each name that is gone. In both
//! cases the entries themselves decide, and only what agrees in all that costs
//! nothing is read: the answer is the same.

use std::path::PathBuf;

use super::catalog::CatalogView;
use super::change::Changes;
use super::compare::same_content;
use super::compare_options::CompareOptions;
use super::navigator::tree_of;
use super::read::list;
use super::version::{Version, is_inside, look};
use crate::catalog::{CatalogError, Recorded, Sought};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::{Meta, Time};
use crate::model::path::RelPath;
use crate::policy::layout::{DumpId, DumpName};
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
    /// The dump in which it has appeared; `None` for the main trees.
    pub(super) appeared: Option<DumpName>,
    /// The path of a name on the side where the entry has appeared: in the
    /// dump after it, or in the main trees, which have no top in common.
    pub(super) after: &'a dyn Fn(&RelPath) -> Option<PathBuf>,
    /// Do inode numbers mean anything in these dumps?
    pub(super) inodes: bool,
    /// Knows what changed between the dumps.
    pub(super) catalog: Option<&'a CatalogView>,
}

/// What a search came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The name in the dump before.
    pub(super) from: Option<RelPath>,
    /// Were the dumps walked, without the catalog?
    pub(super) walked: bool,
    /// Why the catalog gave no answer.
    pub(super) failed: Option<CatalogError>,
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

impl Outcome {
    /// The name that was found; what that took is noted.
    pub(super) fn counted(self, past: &mut Changes) -> Option<RelPath> {
        past.walked += usize::from(self.walked);
        if let Some(error) = self.failed {
            let cause = || std::io::Error::other(error).into();
            past.catalog_failed.get_or_insert_with(cause);
        }
        self.from
    }
}

impl Search<'_> {
    /// The name in the dump before of what is now called `within`.
    pub(super) fn find(
        &self,
        within: &RelPath,
        wanted: &Version,
        faults: &mut Vec<Fault>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let recorded = self.recorded(within, wanted).unwrap_or_else(|error| {
            outcome.failed = Some(error);
            None
        });
        outcome.walked = recorded.is_none();
        let mut candidates = match recorded {
            Some(names) => self.those_of(names, within, wanted, faults),
            None => self.walk(within, wanted, faults),
        };
        candidates.sort_by(|a, b| b.rank.cmp(&a.rank).then_with(|| a.name.cmp(&b.name)));
        outcome.from = self.choose(candidates, wanted, faults);
        outcome
    }

    /// The names that the catalog has of what may be it; `None` where it cannot
    /// tell.
    fn recorded(
        &self,
        within: &RelPath,
        wanted: &Version,
    ) -> Result<Option<Vec<RelPath>>, CatalogError> {
        let Some(CatalogView { view, .. }) = self.catalog else {
            return Ok(None);
        };
        let tree = within.as_bytes().split(|b| *b == b'/').next();
        let of = (DumpId::Dump(self.before), tree.unwrap_or_default());
        let meta = &wanted.meta;
        let Some(appeared) = self.appeared else {
            let (kind, size, mtime) = (meta.kind, meta.size, meta.mtime);
            return view.names(of, &Sought::Alike { kind, size, mtime });
        };
        let Some(pairs) = view.diff(of.0, DumpId::Dump(appeared))? else {
            return Ok(None);
        };
        let may_be = |old: &Recorded| {
            let old = &old.facts;
            let size = meta.kind == Kind::Dir || old.size == meta.size;
            let time = !old.has_time() || same_time(old.mtime, meta.mtime);
            old.kind == meta.kind && size && time
        };
        let top = RelPath::from_bytes(of.1);
        let gone = pairs
            .into_iter()
            .filter(|pair| pair.old.as_ref().is_some_and(may_be) && pair.path.is_at_or_below(&top));
        let mut names: Vec<RelPath> = gone.map(|pair| pair.path).collect();
        if self.inodes && meta.kind != Kind::Dir {
            let Some(same) = view.names(of, &Sought::Inode(meta.ino))? else {
                return Ok(None);
            };
            names.extend(same);
        }
        names.sort();
        names.dedup();
        Ok(Some(names))
    }

    /// What may be it of these names in the dump before.
    fn those_of(
        &self,
        names: Vec<RelPath>,
        within: &RelPath,
        wanted: &Version,
        faults: &mut Vec<Fault>,
    ) -> Vec<Candidate> {
        let candidates = names.into_iter().filter_map(|name| {
            let candidate = self.candidate(name, within, wanted);
            candidate.unwrap_or_else(|fault| {
                faults.push(fault);
                None
            })
        });
        candidates.collect()
    }

    fn candidate(
        &self,
        name: RelPath,
        within: &RelPath,
        wanted: &Version,
    ) -> Result<Option<Candidate>, Fault> {
        let top = self.listing.path(self.before);
        let path = name.below(&top);
        let found = look(&path)?.filter(|meta| meta.kind == wanted.meta.kind);
        let Some(meta) = found else {
            return Ok(None);
        };
        if !is_inside(&top, &path)? {
            return Ok(None);
        }
        let kept = self.is_still_there(&name, meta.kind)?;
        let evidence = self.evidence(&meta, kept, wanted);
        Ok(evidence.map(|evidence| Candidate {
            rank: Rank::of(evidence, &name, within),
            name,
            meta,
        }))
    }

    /// Is there something of this name and type on the other side?
    fn is_still_there(&self, name: &RelPath, kind: Kind) -> Result<bool, Fault> {
        let tree = RelPath::from(tree_of(name));
        let Some((top, path)) = (self.after)(&tree).zip((self.after)(name)) else {
            return Ok(false);
        };
        let same = look(&path)?.is_some_and(|meta| meta.kind == kind);
        Ok(same && is_inside(&top, &path)?)
    }

    /// What may be it, found by listing both sides.
    fn walk(&self, within: &RelPath, wanted: &Version, faults: &mut Vec<Fault>) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let mut left = self.start(within, faults);
        while let Some((directory, in_both)) = left.pop() {
            let found = self.directory(&directory, in_both, within, wanted, &mut candidates);
            match found {
                Ok(below) => left.extend(below),
                Err(fault) => faults.push(fault),
            }
        }
        candidates
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

    /// The same by the other side's listing.
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
            match same_content(&old, wanted, &CompareOptions::new()) {
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
