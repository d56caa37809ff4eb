//! Other copies of what is damaged: in this dump root, in others, in the tree.
//!
//! A copy counts for as much as its contents: it is read from the disk, and has to
//! have the hash that was recorded. Where none was recorded, two that share
//! nothing have to agree.

use std::collections::HashSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use super::book::Damage;
use super::look::{below, split};
use super::worksite::Worksite;
use crate::catalog::{Facts, HashState, View};
use crate::fs::disk_hash::{DiskHasher, DiskRead};
use crate::model::error::Error;
use crate::model::kind::Kind;
use crate::model::metadata::Id;
use crate::model::path::RelPath;
use crate::policy::content_hash::ContentHash;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::sys::dir::{self, For};
use crate::sys::file;
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};

/// How many dumps of another dump root are searched for a copy, at most.
const SEARCHED: usize = 2_000;
/// How many different copies of one dump root are read, at most.
const READ: usize = 3;

/// Where copies may be.
pub(super) struct Copies {
    /// Trees, by their names in dumps.
    mains: Vec<(Vec<u8>, PathBuf, OwnedFd)>,
    roots: Vec<(DumpRoot, Vec<DumpId>)>,
    hasher: DiskHasher,
}

/// From where a copy is. Two of different ones share no blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// The dump root that is scrubbed.
    Here,
    /// Another dump root, by its place in the list.
    Root(usize),
    /// The tree that is dumped.
    Main,
}

/// A copy of what is damaged.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) path: PathBuf,
    pub(super) file: OwnedFd,
    pub(super) hash: ContentHash,
    from: From,
}

impl Copy {
    /// The damaged file itself.
    pub(super) fn own(path: PathBuf, file: OwnedFd, hash: ContentHash) -> Self {
        let from = From::Here;
        Self {
            path,
            file,
            hash,
            from,
        }
    }
}

/// What the copies say.
#[derive(Debug)]
pub(super) enum Verdict {
    /// These are as it was stored; there may be none.
    Good(Vec<Copy>),
    /// It is itself as it was stored: what the catalog has of it is wrong.
    Catalog,
}

impl Copies {
    /// Opens what can be opened of them.
    pub(super) fn open(mains: &[(RelPath, PathBuf)], roots: &[PathBuf]) -> Self {
        let mains = mains.iter().filter_map(|(name, path)| {
            let top = dir::open_root(path, For::Passing).ok()?;
            Some((name.as_bytes().to_vec(), path.clone(), top))
        });
        let roots = roots.iter().filter_map(|path| {
            let root = DumpRoot::open(path).ok()?;
            let mut dumps: Vec<DumpId> = root.list().ok()?.into_iter().map(DumpId::Dump).collect();
            dumps.reverse();
            Some((root, dumps))
        });
        Self {
            mains: mains.collect(),
            roots: roots.collect(),
            hasher: DiskHasher::new(),
        }
    }

    /// Finds and reads copies of a file.
    pub(super) fn of(
        &mut self,
        site: &Worksite<'_>,
        view: &View,
        damage: &Damage,
    ) -> Result<Verdict, Error> {
        let mut met = HashSet::new();
        let mut copies = Vec::new();
        for holder in &damage.holders {
            self.here(site, view, (damage, &holder.path), &mut met, &mut copies)?;
            self.elsewhere(
                site,
                damage,
                &holder.path,
                &holder.dumps,
                &mut met,
                &mut copies,
            );
            self.in_tree(site, damage, &holder.path, &mut met, &mut copies);
        }
        Ok(judge(damage, copies))
    }

    /// Other inodes that dumps have under the same path.
    fn here(
        &mut self,
        site: &Worksite<'_>,
        view: &View,
        (damage, path): (&Damage, &RelPath),
        met: &mut HashSet<Id>,
        copies: &mut Vec<Copy>,
    ) -> Result<(), Error> {
        for version in view.versions(path)? {
            let facts = &version.inode.facts;
            if facts.ino == damage.row.facts.ino || !is_alike(facts, &damage.row.facts) {
                continue;
            }
            for dump in [version.last, version.first] {
                let base = site.root.path().join(dump.path());
                if let Ok(top) = site.root.open_dump(&dump.rel_path()) {
                    let at = (&top, path.as_bytes(), path.below(&base));
                    copies.extend(self.read(site, damage, at, From::Here, met));
                }
            }
        }
        Ok(())
    }

    fn elsewhere(
        &mut self,
        site: &Worksite<'_>,
        damage: &Damage,
        path: &RelPath,
        having: &[DumpId],
        met: &mut HashSet<Id>,
        copies: &mut Vec<Copy>,
    ) {
        for at in 0..self.roots.len() {
            let from = From::Root(at);
            let (root, dumps) = &self.roots[at];
            // Those of the same names first.
            let same = having.iter().rev().filter(|dump| dumps.contains(dump));
            let others = dumps.iter().filter(|dump| !having.contains(dump));
            let order: Vec<DumpId> = same.chain(others).take(SEARCHED).copied().collect();
            let base = root.path().to_path_buf();
            let mut number = 0;
            for dump in order {
                let Ok(top) = self.roots[at].0.open_dump(&dump.rel_path()) else {
                    continue;
                };
                let full = path.below(&base.join(dump.path()));
                let place = (&top, path.as_bytes(), full);
                let found = self.read(site, damage, place, from, met);
                number += usize::from(found.is_some());
                let is_good = found
                    .as_ref()
                    .is_some_and(|copy| damage.row.hash == HashState::Recorded(copy.hash));
                copies.extend(found);
                if is_good || number == READ || site.is_stopped() {
                    break;
                }
            }
        }
    }

    fn in_tree(
        &mut self,
        site: &Worksite<'_>,
        damage: &Damage,
        path: &RelPath,
        met: &mut HashSet<Id>,
        copies: &mut Vec<Copy>,
    ) {
        let bytes = path.as_bytes();
        let end = bytes.iter().position(|byte| *byte == b'/');
        let (tree, within) =
            end.map_or((bytes, &bytes[..0]), |at| (&bytes[..at], &bytes[at + 1..]));
        for at in 0..self.mains.len() {
            if self.mains[at].0 != tree {
                continue;
            }
            let full = RelPath::from_bytes(within).below(&self.mains[at].1);
            let Ok(top) = dir::reopen(self.mains[at].2.as_fd(), For::Passing) else {
                continue;
            };
            copies.extend(self.read(site, damage, (&top, within, full), From::Main, met));
        }
    }

    /// Reads a file that may be a copy.
    fn read(
        &mut self,
        site: &Worksite<'_>,
        damage: &Damage,
        (top, path, full): (&OwnedFd, &[u8], PathBuf),
        from: From,
        met: &mut HashSet<Id>,
    ) -> Option<Copy> {
        let opened = open(top, path, &damage.row.facts, met)?;
        let size = damage.row.facts.size;
        let mut keep_going = |bytes| site.was_read(bytes);
        match self.hasher.hash(&opened, size, &mut keep_going) {
            Ok(DiskRead::Whole(hash)) => Some(Copy {
                path: full,
                file: opened,
                hash,
                from,
            }),
            _ => None,
        }
    }
}

/// Opens a file that is like what is damaged, unless it was met before.
fn open(top: &OwnedFd, path: &[u8], facts: &Facts, met: &mut HashSet<Id>) -> Option<OwnedFd> {
    let path = RelPath::from_bytes(path);
    let (above, name) = split(&path);
    let dir = below(top, above).ok()?;
    let name = c_name(name);
    let meta = stat::look(dir.as_fd(), &name, Fresh::WithBirth).ok()?;
    let there = Facts::of(&meta);
    let is_it = there.ino == facts.ino && there.born == facts.born;
    if is_it || !is_alike(&there, facts) || !met.insert(meta.id()) {
        return None;
    }
    let opened = file::open_file(dir.as_fd(), &name).ok()?;
    let same = stat::look_at(&opened).is_ok_and(|now| now.id() == meta.id());
    same.then_some(opened)
}

/// May a file hold the same? Its owner and its mode do not matter for that.
fn is_alike(one: &Facts, other: &Facts) -> bool {
    one.kind == Kind::File && one.size == other.size && {
        let times = (one.mtime, other.mtime);
        // A filesystem may keep seconds only.
        times.0 == times.1 || times.0.secs == times.1.secs && times.0.nanos == 0
    }
}

fn judge(damage: &Damage, copies: Vec<Copy>) -> Verdict {
    let HashState::Recorded(recorded) = damage.row.hash else {
        let agrees = |copy: &&Copy| {
            copies
                .iter()
                .any(|other| other.from != copy.from && other.hash == copy.hash)
        };
        let hash = copies.iter().find(agrees).map(|copy| copy.hash);
        let good = copies.into_iter().filter(|copy| Some(copy.hash) == hash);
        return Verdict::Good(good.collect());
    };
    let good: Vec<Copy> = {
        let mut copies = copies;
        if let Some(own) = damage.bad.hash {
            let same: Vec<&Copy> = copies.iter().filter(|copy| copy.hash == own).collect();
            let in_tree = same.iter().any(|copy| copy.from == From::Main);
            let apart = same.iter().any(|copy| copy.from != same[0].from);
            let is_recorded = copies.iter().any(|copy| copy.hash == recorded);
            if (in_tree || apart) && !is_recorded {
                return Verdict::Catalog;
            }
        }
        copies.retain(|copy| copy.hash == recorded);
        copies
    };
    Verdict::Good(good)
}
