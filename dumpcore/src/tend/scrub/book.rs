//! What a scrub has found out and not recorded yet, and what seems damaged.
//!
//! It is recorded from time to time, while the dump root is locked for a moment;
//! when a run holds the lock, later. What seems damaged is looked at once more
//! then: it counts only if the row still stands, a dump still has the inode under
//! the path that is recorded, and it is found wrong again.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use super::locking::{Held, lock_now, lock_when_free};
use super::look::{Bad, Looked, Looker};
use super::names_again::{self, Answer};
use super::worksite::Worksite;
use crate::catalog::{
    Catalog, Facts, Holder, InodeId, NameDiffers, NameFault, ScrubNote, ScrubRow, Taken, View,
};
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::metadata::Id;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::tend::scrubbed::{DamageKind, DamagedPath};

/// How often it is recorded what was found out.
const EVERY: Duration = Duration::from_secs(30);
/// How many notes are recorded without delay, and waited for.
const MOST: usize = 1 << 15;
/// How many that seem damaged are looked at again together.
const SUSPECTS: usize = 256;
/// How many faults are kept.
const FAULTS: usize = 100;

/// An inode that is damaged.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) row: ScrubRow,
    pub(super) bad: Bad,
    pub(super) holders: Vec<Holder>,
}

/// What was found out.
#[derive(Debug)]
pub(super) struct Book {
    notes: Vec<ScrubNote>,
    dumps: Vec<(DumpId, u64)>,
    suspects: Vec<ScrubRow>,
    differing: Vec<(DumpId, Vec<NameDiffers>)>,
    recorded: Instant,
    /// What is damaged.
    pub(super) damages: Vec<Damage>,
    met: HashSet<InodeId>,
    /// Paths that are not as they were recorded.
    pub(super) names: BTreeMap<(RelPath, DamageKind), (DamagedPath, Option<Answer>)>,
    pub(super) hashed: u64,
    pub(super) unhashed: u64,
    /// Files whose hashes did not fit their own checksums.
    pub(super) catalog: Vec<RelPath>,
    pub(super) faults: Vec<Fault>,
    /// Files that were not read for now.
    pub(super) unread: u64,
    /// Inodes that may not be read.
    pub(super) closed: u64,
    /// Which file the catalog is, and whether it is that no longer: then nothing
    /// can be recorded, and what is found is only told.
    catalog_file: Option<Id>,
    pub(super) lost_catalog: bool,
    /// Can nothing be recorded, since the dump root is read-only?
    pub(super) read_only: bool,
}

impl Book {
    /// `catalog_file`: that of the catalog from which is read.
    pub(super) fn new(catalog_file: Option<Id>) -> Self {
        Self {
            catalog_file,
            lost_catalog: false,
            read_only: false,
            // Never freed while workers run: an allocator that frees something as large
            // keeps much more of it in each thread from then on.
            notes: Vec::with_capacity(MOST + SUSPECTS),
            dumps: Vec::new(),
            suspects: Vec::new(),
            differing: Vec::new(),
            recorded: Instant::now(),
            damages: Vec::new(),
            met: HashSet::new(),
            names: BTreeMap::new(),
            hashed: 0,
            unhashed: 0,
            catalog: Vec::new(),
            faults: Vec::new(),
            unread: 0,
            closed: 0,
        }
    }

    /// An inode is as it was recorded.
    pub(super) fn sound(&mut self, facts: Facts, taken: Taken) {
        // Without its birth a number may be used again for another file, and no hash is
        // kept for it.
        if taken.hash.is_some() {
            match facts.born {
                Some(_) => self.hashed += 1,
                None => self.unhashed += 1,
            }
        }
        self.notes.push(ScrubNote::new(&facts, taken, 0));
    }

    /// The hash of a sound file did not fit its own checksum.
    pub(super) fn broken(&mut self, path: RelPath) {
        self.catalog.push(path);
    }

    /// An inode seems damaged.
    pub(super) fn suspect(&mut self, row: ScrubRow) {
        self.suspects.push(row);
    }

    /// The names of a dump were looked at.
    pub(super) fn names(&mut self, site: &Worksite<'_>, dump: DumpId, differ: Vec<NameDiffers>) {
        match differ.is_empty() {
            true => self.dumps.push((dump, 0)),
            // Held against another catalog, all names of a dump differ.
            false if self.has_lost_catalog(site) => {}
            false => self.differing.push((dump, differ)),
        }
    }

    /// An inode may not be read.
    pub(super) fn closed(&mut self, fault: Fault) {
        self.closed += 1;
        if self.faults.len() < FAULTS {
            self.faults.push(fault);
        }
    }

    /// Is there so much to be recorded that it cannot wait?
    pub(super) fn has_many(&self) -> bool {
        self.notes.len() >= MOST || self.suspects.len() >= SUSPECTS
    }

    /// Is it time to record what there is?
    pub(super) fn is_due(&self) -> bool {
        self.has_many() || self.recorded.elapsed() >= EVERY
    }

    /// Records what there is, if that is due and no run holds the dump root.
    pub(super) fn record_if_due(&mut self, site: &Worksite<'_>) -> Result<(), Error> {
        let many = self.has_many();
        if !self.is_due() {
            return Ok(());
        }
        match lock_now(site) {
            Ok(held) => self.record_held(site, &held),
            Err(Error::Busy { .. }) if !many => {
                // Not at every file.
                self.recorded = Instant::now();
                Ok(())
            }
            Err(Error::Busy { .. }) => self.record(site),
            Err(error) => Err(error),
        }
    }

    /// Records all; waits until no run holds the dump root, or it is asked to stop.
    pub(super) fn record(&mut self, site: &Worksite<'_>) -> Result<(), Error> {
        match lock_when_free(site)? {
            Some(held) => self.record_held(site, &held),
            None => Ok(()),
        }
    }

    fn record_held(&mut self, site: &Worksite<'_>, held: &Held) -> Result<(), Error> {
        self.recorded = Instant::now();
        if let Held::ReadOnly(_) = held {
            self.read_only = true;
            let confirmed = self.confirm(site);
            self.notes.clear();
            self.dumps.clear();
            return confirmed;
        }
        if self.has_lost_catalog(site) {
            return self.confirm_alone(site);
        }
        let mut catalog = Catalog::existing(site.root)?;
        let confirmed = self.confirm(site);
        let now = site.now();
        let noted = catalog.note_scrubbed(now, &self.notes);
        self.notes.clear();
        noted?;
        for (dump, faults) in std::mem::take(&mut self.dumps) {
            catalog.note_scrubbed_dump(now, dump, faults)?;
        }
        confirmed
    }

    /// Did somebody remove the catalog, or make it again?
    fn has_lost_catalog(&mut self, site: &Worksite<'_>) -> bool {
        let now = Catalog::file_id(site.root);
        self.lost_catalog |= !now.is_ok_and(|now| now.is_some() && now == self.catalog_file);
        self.lost_catalog
    }

    /// Looks again at what seems wrong, where nothing says any more which dumps have
    /// it: under the name that is known.
    fn confirm_alone(&mut self, site: &Worksite<'_>) -> Result<(), Error> {
        self.notes.clear();
        self.dumps.clear();
        for (dump, differ) in std::mem::take(&mut self.differing) {
            self.names_alone(site, dump, &differ);
        }
        let mut looker = Looker::new(site.root);
        for row in std::mem::take(&mut self.suspects) {
            let looked = looker.look(&row, (row.dump, &row.path), &mut |_| !site.is_stopped());
            let looked = looked.map_err(|e| site.gone(&row, e))?;
            let is_there = || site.root.open_dump(&row.dump.rel_path()).is_ok();
            if let Looked::Bad(bad) = looked
                // Its dump may have been removed.
                && (bad.kind != DamageKind::Missing || is_there())
            {
                let holders = vec![Holder {
                    path: row.path.clone(),
                    dumps: vec![row.dump],
                }];
                self.damages.push(Damage { row, bad, holders });
            }
        }
        Ok(())
    }

    /// Names that were not as recorded, and cannot be held against the catalog again:
    /// told as faults, with what was found.
    fn names_alone(&mut self, site: &Worksite<'_>, dump: DumpId, differ: &[NameDiffers]) {
        if site.root.open_dump(&dump.rel_path()).is_err() {
            return;
        }
        let top = site.root.path().join(dump.path());
        for one in differ.iter().take(FAULTS.saturating_sub(self.faults.len())) {
            let cause = match &one.fault {
                NameFault::Missing => "it was missing, or something else in its place",
                NameFault::Extra => "it was not among what was stored",
                NameFault::Metadata => "its mode, owner or time was not what was stored",
                NameFault::Attributes => "its attributes or ACLs were not what was stored",
                NameFault::Unread(why) => why,
            };
            let cause = format!("{cause}; that was not looked at again, as the catalog is gone");
            let path = one.path.below(&top);
            let fault = Fault::new(Op::Verify, path, std::io::Error::other(cause));
            self.faults.push(fault);
        }
    }

    /// Looks again at all that seems wrong.
    fn confirm(&mut self, site: &Worksite<'_>) -> Result<(), Error> {
        if self.suspects.is_empty() && self.differing.is_empty() {
            return Ok(());
        }
        let Some(view) = View::open(site.root)? else {
            return Ok(());
        };
        for (dump, differ) in std::mem::take(&mut self.differing) {
            let faults = names_again::confirm(site, &view, dump, differ)?;
            self.dumps.push((dump, faults.len() as u64));
            for (path, kind, cause) in faults {
                self.name_fault(dump, path, kind, cause);
            }
        }
        let mut standing = Vec::new();
        let suspects = std::mem::take(&mut self.suspects);
        let stand = view.stand(&suspects)?;
        for (row, inode) in suspects.into_iter().zip(stand) {
            standing.extend(inode.map(|inode| (inode, row)));
        }
        let inodes: Vec<InodeId> = standing.iter().map(|(inode, _)| *inode).collect();
        let mut holders = view.holders(&inodes)?;
        let mut looker = Looker::new(site.root);
        for (inode, row) in standing {
            // One that no dump has any more is of no interest.
            let Some(holders) = holders.remove(&inode) else {
                continue;
            };
            let looked = look_again(site, &mut looker, &row, &holders);
            let looked = looked.map_err(|e| site.gone(&row, e))?;
            self.again(inode, row, holders, looked);
        }
        Ok(())
    }

    fn again(&mut self, inode: InodeId, row: ScrubRow, holders: Vec<Holder>, looked: Looked) {
        match looked {
            Looked::Sound(taken) => self.sound(row.facts, taken),
            // The next scrub looks at it.
            Looked::Stopped => self.unread += 1,
            Looked::Closed(cause) => {
                let path = row.path.as_path().to_path_buf();
                self.closed(Fault::new(Op::Read, path, cause));
            }
            Looked::Bad(bad) => {
                let fault = bad.kind.number();
                self.notes
                    .push(ScrubNote::new(&row.facts, Taken::default(), fault));
                if bad.kind == DamageKind::Missing {
                    for holder in &holders {
                        self.lost(holder);
                    }
                } else if self.met.insert(inode) {
                    self.damages.push(Damage { row, bad, holders });
                }
            }
        }
    }

    /// None of the names of an inode leads to it: told unless the names of the dumps
    /// told it.
    fn lost(&mut self, holder: &Holder) {
        let key = (holder.path.clone(), DamageKind::Missing);
        if !self.names.contains_key(&key)
            && let Some(path) = damaged_path(holder)
        {
            self.names.insert(key, (path, None));
        }
    }

    fn name_fault(&mut self, dump: DumpId, path: RelPath, kind: DamageKind, cause: Option<Answer>) {
        let new = || DamagedPath {
            path: path.clone(),
            first: dump,
            last: dump,
            dumps: 0,
        };
        let entry = self.names.entry((path.clone(), kind));
        let (found, _) = entry.or_insert_with(|| (new(), cause));
        found.dumps += 1;
        // A first copy is older than all others.
        found.first = found.first.min(dump);
        found.last = found.last.max(dump);
    }
}

/// A path with the dumps that have it, in short.
pub(super) fn damaged_path(holder: &Holder) -> Option<DamagedPath> {
    Some(DamagedPath {
        path: holder.path.clone(),
        first: *holder.dumps.first()?,
        last: *holder.dumps.last()?,
        dumps: holder.dumps.len() as u64,
    })
}

/// Looks at an inode under the first of its names that leads to it.
fn look_again(
    site: &Worksite<'_>,
    looker: &mut Looker<'_>,
    row: &ScrubRow,
    holders: &[Holder],
) -> std::io::Result<Looked> {
    let mut last = None;
    for holder in holders {
        for dump in &holder.dumps {
            let looked = looker.look(row, (*dump, &holder.path), &mut |_| !site.is_stopped())?;
            match looked {
                Looked::Bad(bad) if bad.kind == DamageKind::Missing => {
                    last = Some(Looked::Bad(bad));
                }
                other => return Ok(other),
            }
        }
    }
    Ok(last.unwrap_or(Looked::Stopped))
}
