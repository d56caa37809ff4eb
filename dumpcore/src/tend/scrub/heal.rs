//! Putting a good copy in the place of what is damaged, under every name that it
//! has in every dump.
//!
//! The good copy becomes a new inode with the metadata that was stored, flushed and
//! read back from the disk. Only then, and when it is noted durably, do names change,
//! each by one rename; so that a heal that was cut off anywhere leaves each name
//! whole, and the next one finishes.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::attributes;
use super::bad_inode::{BadInode, find};
use super::book::Damage;
use super::copies::Copy;
use super::locking::{Held, lock_when_free};
use super::worksite::Worksite;
use crate::catalog::{Catalog, Facts, HashState, Holder, View};
use crate::fs::capabilities::{self, Trial};
use crate::fs::disk_hash::{DiskHasher, DiskRead};
use crate::fs::fixed::Fixed;
use crate::fs::inspect;
use crate::fs::store::EntryWriter;
use crate::model::chain::about;
use crate::model::error::Error;
use crate::model::fault::{Fault, Op, OpError};
use crate::model::metadata::{Capabilities, Meta};
use crate::model::path::RelPath;
use crate::policy::content_hash::{ContentHash, Hasher};
use crate::policy::heal_note::{HealNote, InodeKey};
use crate::policy::layout::{DamagedLeaf, DumpId};
use crate::root::damaged::{DamagedDir, Renamed, is_inode};
use crate::sys::file::{self, CopyError, CopyHow};
use crate::sys::pages::Pages;
use crate::sys::xattr::Subject;
use crate::sys::{disk, errno, link};
use crate::tend::scrubbed::DamageKind;

/// How many names change between two flushes.
const BATCH: usize = 1_000;

/// What came of healing an inode.
pub(super) enum Healed {
    /// All names are the good one's.
    All,
    /// The same, with its contents; its attributes are not those that were recorded.
    Contents,
    /// It was asked to stop, or something changed meanwhile: the next one does it.
    NotYet,
    /// What stood in the way.
    Failed(Fault),
}

pub(super) struct Healer {
    capabilities: Capabilities,
    hasher: DiskHasher,
    buffer: Vec<u8>,
    /// Is the damaged inode of no more use?
    discard: bool,
    /// What kept it from finishing what was cut off.
    pub(super) faults: Vec<Fault>,
}

impl Healer {
    /// Finishes what was cut off, and gets ready for more. `None`: it was asked to
    /// stop.
    pub(super) fn open(site: &Worksite<'_>, discard: bool) -> Result<Option<Self>, Error> {
        let lock = match lock_when_free(site)? {
            None => return Ok(None),
            Some(Held::Lock(lock)) => lock,
            Some(Held::ReadOnly(error)) => return Err(error),
        };
        let dir = site.root.damaged_dir()?;
        let tried = capabilities::run(dir.handle.as_fd());
        let capabilities = match tried {
            Ok(Trial::Passed(capabilities, _)) => capabilities,
            _ => capabilities::guess(site.root.handle()),
        };
        let mut healer = Self {
            capabilities,
            hasher: DiskHasher::new(),
            buffer: vec![0; 1 << 20],
            discard,
            faults: Vec::new(),
        };
        for (base, mut note) in dir.unfinished()? {
            if dir
                .look(&base, DamagedLeaf::New)
                .is_none_or(|new| !is_inode(&new, note.new))
            {
                // All names were given, or the disk lost it: a scrub finds out.
                dir.end(&base, dir.look(&base, DamagedLeaf::Old).is_some())?;
                continue;
            }
            if let Some(view) = View::open(site.root)? {
                let holders = view.holders_of(note.old)?;
                add_names(site, &mut note, &holders);
            }
            dir.put_note(&base, &note)?;
            healer
                .faults
                .extend(finish(site, &dir, &base, &note, None)?.err());
        }
        drop(lock);
        Ok(Some(healer))
    }

    /// Heals an inode by a copy.
    pub(super) fn heal(
        &mut self,
        site: &Worksite<'_>,
        damage: &Damage,
        copy: &Copy,
    ) -> Result<Healed, Error> {
        let lock = match lock_when_free(site)? {
            // The kernel has made the disk read-only since: what was found is told.
            None | Some(Held::ReadOnly(_)) => return Ok(Healed::NotYet),
            Some(Held::Lock(lock)) => lock,
        };
        let healed = self.heal_locked(site, damage, copy);
        drop(lock);
        healed
    }

    fn heal_locked(
        &mut self,
        site: &Worksite<'_>,
        damage: &Damage,
        copy: &Copy,
    ) -> Result<Healed, Error> {
        let facts = &damage.row.facts;
        let Some(ino) = facts.ino else {
            return Ok(Healed::NotYet);
        };
        let old = (ino, facts.born);
        let Some(holders) = holders(site, damage, old)? else {
            return Ok(Healed::NotYet);
        };
        let Some(bad) = find(site, &holders, old) else {
            return Ok(Healed::NotYet);
        };
        let dir = site.root.damaged_dir()?;
        let base = DamagedLeaf::base(ino, facts.born.map_or(0, |born| born.secs));
        let made = self.make(site, &dir, &base, damage, copy, &bad);
        let (new, hash, whole) = match made {
            Ok(Some(made)) => made,
            Ok(None) => {
                dir.remove(&base, DamagedLeaf::New)?;
                return Ok(Healed::NotYet);
            }
            Err(fault) => {
                let _ = dir.remove(&base, DamagedLeaf::New);
                return Ok(Healed::Failed(fault));
            }
        };
        let mut note = HealNote {
            old,
            new: (new.ino, new.born),
            names: Vec::new(),
            dirs: [].into(),
        };
        add_names(site, &mut note, &holders);
        if bad.meta.nlink as usize > note.names.len() {
            let left = site.root.names_in_leftovers(old);
            add(site, &mut note, left);
        }
        if let Err(fault) = self
            .keep(site, &dir, &base, (damage, &bad))
            .and_then(|()| dir.put_note(&base, &note))
        {
            let _ = dir.remove(&base, DamagedLeaf::New);
            let _ = dir.remove(&base, DamagedLeaf::Old);
            return Ok(Healed::Failed(fault));
        }
        let recorded = matches!(damage.row.hash, HashState::Recorded(_));
        let hash = (!recorded).then_some(hash);
        match finish(site, &dir, &base, &note, hash)? {
            Ok(true) if whole => Ok(Healed::All),
            Ok(true) => Ok(Healed::Contents),
            Ok(false) => Ok(Healed::NotYet),
            Err(fault) => Ok(Healed::Failed(fault)),
        }
    }

    /// Keeps a name of the bad inode, unless it is of no use.
    fn keep(
        &self,
        site: &Worksite<'_>,
        dir: &DamagedDir,
        base: &str,
        (damage, bad): (&Damage, &BadInode),
    ) -> Result<(), Fault> {
        dir.remove(base, DamagedLeaf::Old)?;
        if self.discard {
            return Ok(());
        }
        let leaf = DamagedDir::leaf(base, DamagedLeaf::Old);
        let linked = link::hard_link(bad.dir.as_fd(), &bad.name, dir.handle.as_fd(), &leaf);
        match linked {
            // It has as many names as it can have.
            Ok(()) => Ok(()),
            Err(e) if errno::is_out_of_links(&e) => Ok(()),
            Err(e) => Err(match Fixed::behind(&e, bad.dir.as_fd(), &bad.name) {
                Some(fixed) => {
                    let dump = site.root.path().join(damage.row.dump.path());
                    Fault::new(
                        Op::Rename,
                        damage.row.path.below(&dump),
                        fixed.answer(false),
                    )
                }
                None => dir.failed(Op::Link, base, e),
            }),
        }
    }

    /// Makes the good inode, of its contents and metadata; says whether it has the
    /// attributes that were recorded. `None`: it was asked to stop, or these were
    /// what was to be healed.
    fn make(
        &mut self,
        site: &Worksite<'_>,
        dir: &DamagedDir,
        base: &str,
        damage: &Damage,
        copy: &Copy,
        bad: &BadInode,
    ) -> Result<Option<(Meta, ContentHash, bool)>, Fault> {
        let facts = &damage.row.facts;
        let failed = |error: OpError| dir.failed(error.op, base, error.cause);
        let at = |op| move |e| dir.failed(op, base, e);
        dir.remove(base, DamagedLeaf::New)?;
        let leaf = DamagedDir::leaf(base, DamagedLeaf::New);
        let made = file::create_file(dir.handle.as_fd(), &leaf).map_err(at(Op::Create))?;
        let mut keep_going = |_| !site.is_stopped();
        let Some(hash) = self.contents(&copy.file, &made, facts.size, &mut keep_going, &failed)?
        else {
            return Ok(None);
        };
        if hash != copy.hash {
            let text = format!("{} has changed meanwhile", copy.path.display());
            return Err(dir.failed(Op::Verify, base, io::Error::other(text)));
        }
        let whole = self
            .attributes((&made, bad), damage, copy)
            .map_err(failed)?;
        if !whole && damage.bad.kind == DamageKind::Metadata {
            return Ok(None);
        }
        disk::sync(&made).map_err(at(Op::Sync))?;
        drop(made);
        let there = made_as_stored(dir, base, facts)?;
        let back = file::open_file(dir.handle.as_fd(), &leaf).map_err(at(Op::Open))?;
        let back = self.hasher.hash(&back, facts.size, &mut keep_going);
        match back.map_err(at(Op::Read))? {
            DiskRead::Whole(again) if again == hash => Ok(Some((there, hash, whole))),
            DiskRead::Stopped => Ok(None),
            _ => {
                let text = "what was written does not come back from the disk";
                Err(dir.failed(Op::Verify, base, io::Error::other(text)))
            }
        }
    }

    /// Gives the good inode the metadata that was stored; says whether all of it.
    fn attributes(
        &self,
        (made, bad): (&OwnedFd, &BadInode),
        damage: &Damage,
        copy: &Copy,
    ) -> Result<bool, OpError> {
        let read = |of| Ok(inspect::attributes(of, &self.capabilities)?.xattrs);
        let own = read(bad.subject());
        let known = own.as_ref().ok().cloned();
        let of_copy = read(Subject::Open(copy.file.as_fd()));
        let recorded = damage.row.xattrs;
        let xattrs = attributes::to_give(recorded, own, of_copy)?;
        let meta = Meta {
            atime: bad.meta.atime,
            ..damage.row.facts.meta()
        };
        let writer = EntryWriter::new(&self.capabilities, Pages::Spare);
        let subject = Subject::Open(made.as_fd());
        let given = writer.attributes(subject, &meta, &xattrs)?;
        given.losses.into_iter().next().map_or(Ok(()), Err)?;
        Ok(attributes::are_whole(subject, recorded, known.as_ref()))
    }

    fn contents(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        size: u64,
        keep_going: &mut dyn FnMut(u64) -> bool,
        failed: &dyn Fn(OpError) -> Fault,
    ) -> Result<Option<ContentHash>, Fault> {
        let how = CopyHow {
            sparse: true,
            to_end: false,
            pages: Pages::Spare,
        };
        let mut hasher = Hasher::new();
        let buffer = &mut self.buffer;
        let hash = hasher.as_mut();
        let copied = file::copy(
            from.as_fd(),
            to.as_fd(),
            size,
            how,
            buffer,
            hash,
            keep_going,
        );
        match copied {
            Ok(bytes) => Ok(hasher.as_mut().map(|hasher| hasher.finish(bytes))),
            Err(CopyError::Stopped) => Ok(None),
            Err(CopyError::Read(e)) => {
                let cause = about("the good copy", e);
                Err(failed(OpError::source(Op::Read, cause)))
            }
            Err(CopyError::Write(e)) => Err(failed(OpError::target(Op::Write, e))),
        }
    }
}

/// Looks at the good inode: it has the metadata that was stored.
fn made_as_stored(dir: &DamagedDir, base: &str, facts: &Facts) -> Result<Meta, Fault> {
    let there = dir.look(base, DamagedLeaf::New);
    let there = there.ok_or_else(|| dir.failed(Op::Stat, base, errno::missing()))?;
    let made = Facts {
        ino: facts.ino,
        born: facts.born,
        ..Facts::of(&there)
    };
    if !made.is_same_inode(facts) {
        let text = "the metadata that was stored cannot be given to a new file";
        return Err(dir.failed(Op::Verify, base, io::Error::other(text)));
    }
    Ok(there)
}

/// All names of a damaged inode in the dumps; `None` when it is not any more what
/// was read.
fn holders(
    site: &Worksite<'_>,
    damage: &Damage,
    key: InodeKey,
) -> Result<Option<Vec<Holder>>, Error> {
    let Some(view) = View::open(site.root)? else {
        return Ok(None);
    };
    if view.stand(std::slice::from_ref(&damage.row))? == [None] {
        return Ok(None);
    }
    Ok(Some(view.holders_of(key)?))
}

fn add_names(site: &Worksite<'_>, note: &mut HealNote, holders: &[Holder]) {
    let names = holders.iter().flat_map(|holder| {
        let dumps = holder.dumps.iter();
        dumps.map(|dump| (*dump, holder.path.clone()))
    });
    add(site, note, names.collect());
}

/// Adds names, with what their directories have now unless it was noted before.
fn add(site: &Worksite<'_>, note: &mut HealNote, names: Vec<(DumpId, RelPath)>) {
    let known: HashSet<(DumpId, RelPath)> = note.names.iter().cloned().collect();
    for name in names {
        if let Ok((dir, was)) = site.root.dir_was(name.0, &name.1) {
            note.dirs.entry(dir).or_insert(was);
            if !known.contains(&name) {
                note.names.push(name);
            }
        }
    }
}

/// Gives all names to the good inode, and records it. `false`: it was asked to stop.
fn finish(
    site: &Worksite<'_>,
    dir: &DamagedDir,
    base: &str,
    note: &HealNote,
    hash: Option<ContentHash>,
) -> Result<Result<bool, Fault>, Error> {
    let mut failed = None;
    let (mut whole, mut renamed) = (true, 0);
    for (dump, path) in &note.names {
        if site.is_stopped() {
            whole = false;
            break;
        }
        match site.root.give_name(dir, base, note, (*dump, path)) {
            Ok(Renamed::Now) => renamed += 1,
            Ok(_) => {}
            Err(fault) => failed = failed.or(Some(fault)),
        }
        if renamed == BATCH {
            renamed = 0;
            flush(site)?;
        }
    }
    for (below, was) in &note.dirs {
        if let Err(fault) = site.root.put_back(below, was) {
            failed = failed.or(Some(fault));
        }
    }
    flush(site)?;
    if let Some(fault) = failed {
        return Ok(Err(fault));
    }
    if !whole {
        return Ok(Ok(false));
    }
    if let Some(new) = dir.look(base, DamagedLeaf::New) {
        let leaf = DamagedDir::leaf(base, DamagedLeaf::New);
        let has = attributes::read(Subject::Named(dir.handle.as_fd(), &leaf)).ok();
        let taken = (hash, has.as_ref());
        let mut catalog = Catalog::existing(site.root)?;
        catalog.note_healed(site.now(), note.old, &Facts::of(&new), taken)?;
    }
    dir.end(base, dir.look(base, DamagedLeaf::Old).is_some())?;
    Ok(Ok(true))
}

fn flush(site: &Worksite<'_>) -> Result<(), Error> {
    let flushed = disk::sync_filesystem(site.root.handle());
    flushed.map_err(|e| site.root.failed(Op::Sync, "".as_ref(), e))
}
