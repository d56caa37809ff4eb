//! Other copies of what is damaged: in this dump root, in others, in the tree.
//!
//! A copy counts for as much as its contents: it is read from the disk, and has to
//! have the hash that was recorded. Where none was recorded, two that share
//! nothing have to agree.
//!
//! Copies never overrule a hash that was recorded, however many agree: checkpoints,
//! replicas and what was restored are made from dumps, and may be copies of what is
//! damaged. Only the very file that was stored says what was stored.

use std::collections::HashSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use super::attributes;
use super::book::Damage;
use super::dump_dirs::{below, split};
use super::worksite::Worksite;
use crate::catalog::{Facts, HashState, StoredFrom, View};
use crate::fs::disk_hash::{DiskHasher, DiskRead};
use crate::model::error::Error;
use crate::model::kind::Kind;
use crate::model::metadata::Id;
use crate::model::path::RelPath;
use crate::policy::content_hash::ContentHash;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::xattr::Subject;
use crate::sys::{disk, file};

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
    /// Is it the very file that was stored, unchanged since?
    is_original: bool,
    /// Is it the damaged file itself?
    pub(super) is_own: bool,
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
            is_original: false,
            is_own: true,
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
        let facts = &damage.row.facts;
        let stored = facts.ino.map(|ino| view.stored_from((ino, facts.born)));
        let stored = stored.transpose()?.flatten();
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
            let found = self.in_tree(site, damage, &holder.path, &mut met);
            copies.extend(found.into_iter().map(|copy| Copy {
                is_original: is_original(&copy.file, stored.as_ref(), facts),
                ..copy
            }));
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
                let is_good = found.as_ref().is_some_and(|copy| {
                    let of = Subject::Open(copy.file.as_fd());
                    let has = || attributes::can_give(of, damage.row.xattrs, None);
                    let whole = !damage.bad.may_lack_attributes() || has();
                    damage.row.hash == HashState::Recorded(copy.hash) && whole
                });
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
    ) -> Vec<Copy> {
        let mut copies = Vec::new();
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
        copies
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
                is_original: false,
                is_own: false,
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

/// Is a file of the tree, which was read just now, the very one that was stored?
///
/// A dump links to the file of the one before when the source has the same size and
/// time, also after it was restored; then that one is recorded as its source. But it
/// was changed later than the inode in the dumps was made.
fn is_original(file: &OwnedFd, stored: Option<&StoredFrom>, facts: &Facts) -> bool {
    let (Some(stored), Some(made)) = (stored, facts.born) else {
        return false;
    };
    let Ok(meta) = stat::look_born(file) else {
        return false;
    };
    (meta.ino, meta.born, meta.ctime) == (stored.ino, Some(stored.born), stored.ctime)
        && stored.ctime <= made
        && disk::inode_space(file.as_fd()).is_some_and(|space| space == stored.space)
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
    let is_recorded = copies.iter().any(|copy| copy.hash == recorded);
    let is_stored = |copy: &Copy| copy.is_original && Some(copy.hash) == damage.bad.hash;
    if !is_recorded && copies.iter().any(is_stored) {
        return Verdict::Catalog;
    }
    let good = copies.into_iter().filter(|copy| copy.hash == recorded);
    Verdict::Good(good.collect())
}
