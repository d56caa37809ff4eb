//! Reading all that dumps hold, from the disk, and comparing it with what was
//! stored.
//!
//! Each inode is read once, however many dumps have it. The dump root is not locked
//! meanwhile, so that dumps are made and removed as ever; for a moment every half
//! minute it is, to record what was looked at and to look again at what seems
//! wrong. What was looked at is remembered: a scrub that was stopped continues
//! where it was, and one that has little time goes round.

mod attributes;
mod bad_inode;
mod book;
mod copies;
mod disk_order;
mod dump_dirs;
pub(crate) mod good_copies;
mod heal;
mod judge;
mod locking;
mod look;
mod names;
mod names_again;
mod read;
pub(crate) mod source;
mod source_told;
mod source_trees;
mod worksite;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use self::book::Book;
use self::copies::{Copies, Verdict};
use self::heal::Healer;
use self::judge::{add_unrecorded, healed_or_told, put_right, told_of_catalog, verdict};
use self::locking::{Held, lock_when_free};
use self::read::read_all;
use self::worksite::Worksite;
use super::scrubbed::{Damaged, DamagedLink, Scrubbed};
use crate::catalog::{Catalog, CatalogError, ScrubChoice, ScrubList, View};
use crate::model::chain::Chain;
use crate::model::error::Error;
use crate::model::event::{Event, Phase};
use crate::model::path::RelPath;
use crate::policy::layout::{self, DumpId};
use crate::root::DumpRoot;
use crate::run::{RunOptions, takes_run_options};
use crate::sys::errno;

/// Reads the dumps of a dump root from the disk, and compares them with what was
/// stored.
///
/// ```no_run
/// use dumpcore::Scrub;
/// use std::time::Duration;
///
/// let scrubbed = Scrub::new("/dump").time(Duration::from_secs(3600)).run()?;
/// for damaged in &scrubbed.damaged {
///     println!("{}: {}", damaged.paths[0].path, damaged.kind);
/// }
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is read until it is run"]
pub struct Scrub {
    root: PathBuf,
    dumps: Option<Vec<DumpId>>,
    time: Option<Duration>,
    mains: Vec<(RelPath, PathBuf)>,
    from: Vec<PathBuf>,
    heal: bool,
    discard: bool,
    disk_order: Option<bool>,
    options: RunOptions,
}

impl Scrub {
    /// Scrubs the dumps of this dump root: all of them.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            dumps: None,
            time: None,
            mains: Vec::new(),
            from: Vec::new(),
            heal: false,
            discard: false,
            disk_order: None,
            options: RunOptions::new(),
        }
    }

    /// Only what these dumps have.
    pub fn dumps(mut self, dumps: impl IntoIterator<Item = DumpId>) -> Self {
        self.dumps = Some(dumps.into_iter().collect());
        self
    }

    /// Begins to read nothing more when this time is over, and takes what was not
    /// read for longest first. Without it all is read.
    pub fn time(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.time = time.into();
        self
    }

    /// A tree that is dumped here, by its name in the dumps: one of the places that
    /// may have what is damaged. Call it for each.
    pub fn tree(mut self, name: RelPath, path: impl Into<PathBuf>) -> Self {
        self.mains.push((name, path.into()));
        self
    }

    /// Another dump root that may have what is damaged. Call it for each.
    pub fn from(mut self, root: impl Into<PathBuf>) -> Self {
        self.from.push(root.into());
        self
    }

    /// Puts a good copy, where there is one, in the place of each damaged file, in all
    /// dumps that have it. What was cut off before is finished first.
    pub fn heal(mut self, yes: bool) -> Self {
        self.heal = yes;
        self
    }

    /// Does not keep the damaged files that are healed.
    pub fn discard(mut self, yes: bool) -> Self {
        self.discard = yes;
        self
    }

    /// Asks where files begin on the disk, a few thousand at a time, and reads them in
    /// that order, rather than by inode number: what a disk gains whose heads must
    /// move. `None`, as without it: if the dump root is known to be on such a disk.
    pub fn disk_order(mut self, yes: impl Into<Option<bool>>) -> Self {
        self.disk_order = yes.into();
        self
    }

    takes_run_options!();

    /// Scrubs.
    ///
    /// An observer is told [`Event::Expected`] and [`Event::Entry`] of each inode;
    /// sizes are what files take on the disk, in bytes.
    ///
    /// # Errors
    /// [`Error::DumpUnusable`], a [`CatalogError`] in [`Error::Other`] when there is
    /// no catalog or it cannot be read, and others when the disk is gone. What is
    /// damaged is not an error, but in what is returned.
    pub fn run(self) -> Result<Scrubbed, Error> {
        let root = DumpRoot::open(&self.root)?;
        let root = root.with_local_state(self.options.local_state.clone());
        root.outside_of_dumps()?;
        let deadline = self.time.and_then(|time| Instant::now().checked_add(time));
        let site = Worksite::new(&root, &self.options, deadline);
        if self.options.dry_run {
            return self.measured(&site);
        }
        let Some(before) = self.begin(&site)? else {
            return Ok(Scrubbed {
                stopped: true,
                ..Scrubbed::default()
            });
        };
        let healer = match self.heal {
            true => Healer::open(&site, self.discard)?,
            false => None,
        };
        let book = Mutex::new(Book::new(Catalog::file_id(&root)?));
        site.event(Event::Phase(Phase::Scrubbing));
        let list = ScrubList::open(&root, self.choice(before))?;
        let list = list.ok_or_else(|| no_catalog(&root))?;
        let total = list.total()?;
        site.event(Event::Expected {
            entries: total.inodes,
            bytes: Some(total.bytes),
        });
        let all_names = self.compare_names(&site, before, &book)?;
        let in_disk_order = self.disk_order.unwrap_or_else(|| site.has_heads());
        let read = read_all(&site, list, &book, in_disk_order)?;
        let mut book = book
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        book.record(&site)?;
        book.unread += total.files.saturating_sub(read.files + read.others);
        // What may not be read is so in the next round, too: it is told in each, and
        // keeps none from ending.
        let whole = all_names && book.unread == 0 && !site.is_stopped();
        let is_recorded = !book.lost_catalog && !book.read_only;
        let mut scrubbed = self.judged(&site, book, healer)?;
        (scrubbed.files, scrubbed.bytes) = (read.files, read.bytes);
        look_at_links(&root, &mut scrubbed)?;
        scrubbed.stopped = site.is_stopped();
        if is_recorded {
            end(&site, whole && self.dumps.is_none())?;
        }
        Ok(scrubbed)
    }

    fn choice(&self, before: i64) -> ScrubChoice<'_> {
        ScrubChoice {
            dumps: self.dumps.as_deref(),
            before,
            oldest_first: self.time.is_some() || self.dumps.is_some(),
        }
    }

    /// How much would be read.
    fn measured(&self, site: &Worksite<'_>) -> Result<Scrubbed, Error> {
        let view = View::open(site.root)?.ok_or_else(|| no_catalog(site.root))?;
        let round = view.scrub_status()?.round.filter(|_| self.dumps.is_none());
        let list = ScrubList::open(site.root, self.choice(round.unwrap_or(i64::MAX)))?;
        let total = list.ok_or_else(|| no_catalog(site.root))?.total()?;
        Ok(Scrubbed {
            files: total.files,
            bytes: total.bytes,
            dry_run: true,
            ..Scrubbed::default()
        })
    }

    /// Brings the catalog up to the dumps, and begins or continues a round. Returns
    /// since when what was looked at need not be; `None`: it was asked to stop.
    fn begin(&self, site: &Worksite<'_>) -> Result<Option<i64>, Error> {
        let lock = match lock_when_free(site)? {
            None => return Ok(None),
            Some(Held::Lock(lock)) => lock,
            Some(Held::ReadOnly(error)) if self.heal => return Err(error),
            // Each time all is read: nothing is remembered.
            Some(Held::ReadOnly(_)) => return Ok(Some(i64::MAX)),
        };
        let failed = |error: CatalogError| match error.is_interrupted() {
            true => Error::Interrupted,
            false => error.into(),
        };
        let mut catalog = Catalog::existing(site.root)?;
        let caught_up = catalog.catch_up(&site.root.listing(), &site.walk_options(None));
        caught_up.map_err(failed)?;
        let before = match self.dumps {
            None => catalog.begin_round(site.now())?,
            Some(_) => i64::MAX,
        };
        drop(lock);
        Ok(Some(before))
    }

    /// Looks at the names of dumps, in a quarter of the time that there is. Were all
    /// of them looked at?
    fn compare_names(
        &self,
        site: &Worksite<'_>,
        before: i64,
        book: &Mutex<Book>,
    ) -> Result<bool, Error> {
        let view = View::open(site.root)?.ok_or_else(|| no_catalog(site.root))?;
        let is_due = |(dump, at): &(DumpId, Option<i64>)| {
            at.is_none_or(|at| at < before)
                && self.dumps.as_ref().is_none_or(|dumps| dumps.contains(dump))
        };
        let dumps = view.dumps_by_scrub()?.into_iter().filter(is_due);
        let dumps: Vec<DumpId> = dumps.map(|(dump, _)| dump).collect();
        let until = self
            .time
            .and_then(|time| Instant::now().checked_add(time / 4));
        names::compare(site, &dumps, until, book)
    }

    /// What is damaged, with where it is and what has it as it was stored.
    fn judged(
        &self,
        site: &Worksite<'_>,
        book: Book,
        mut healer: Option<Healer>,
    ) -> Result<Scrubbed, Error> {
        let is_kept = !book.read_only && !book.lost_catalog;
        let hashed = if is_kept { book.hashed } else { 0 };
        let mut scrubbed = Scrubbed {
            hashed,
            unhashed: book.unhashed + book.hashed - hashed,
            unread: book.unread + book.closed,
            catalog: book.catalog,
            faults: book.faults,
            read_only: book.read_only,
            ..Scrubbed::default()
        };
        for ((_, kind), (path, cause)) in book.names {
            scrubbed.damaged.push(Damaged {
                kind,
                needs_fsck: cause.as_ref().is_some_and(|answer| answer.needs_fsck),
                cause: cause.map(|answer| answer.text),
                paths: vec![path],
                good: Vec::new(),
            });
        }
        if let Some(healer) = &mut healer {
            scrubbed.faults.append(&mut healer.faults);
        }
        if book.lost_catalog {
            add_unrecorded(site, &book.damages, &mut scrubbed);
            return Ok(scrubbed);
        }
        if book.damages.is_empty() {
            return Ok(scrubbed);
        }
        let view = View::open(site.root)?.ok_or_else(|| no_catalog(site.root))?;
        let mut copies = Copies::open(&self.mains, &self.from);
        let mut wrong = Vec::new();
        for damage in book.damages {
            match verdict(&mut copies, site, &view, &damage)? {
                Verdict::Good(good) => {
                    healed_or_told(site, healer.as_mut(), &damage, good, &mut scrubbed)?;
                }
                Verdict::Catalog => wrong.push(told_of_catalog(&damage, &mut scrubbed)),
            }
        }
        put_right(site, &wrong)?;
        Ok(scrubbed)
    }
}

/// The links of a dump root, and what runs have left in it.
fn look_at_links(root: &DumpRoot, scrubbed: &mut Scrubbed) -> Result<(), Error> {
    for name in [layout::CURRENT, layout::CURRENT_CHECKPOINT] {
        match root.link(name) {
            Ok(None) if name == layout::CURRENT => scrubbed.links.push(DamagedLink {
                link: root.path().join(name),
                why: "it is missing".to_owned(),
            }),
            Ok(_) => {}
            Err(error) => scrubbed.links.push(DamagedLink {
                link: root.path().join(name),
                why: Chain(&error).to_string(),
            }),
        }
    }
    // Links of other kinds are the user's own.
    for pin in root.pins()? {
        match root.open_dump(&pin.dump.rel_path()) {
            Err(e) if errno::is_missing(&e) || errno::has_changed(&e) => {
                scrubbed.links.push(DamagedLink {
                    link: root.path().join(&pin.name),
                    why: format!("it keeps {}, which is not there", pin.dump),
                });
            }
            // One that cannot be opened is reported with its names.
            _ => {}
        }
    }
    let left = root.listing().incompletes()?;
    scrubbed.leftovers = left
        .into_iter()
        .map(|found| DumpId::Incomplete(found.name))
        .collect();
    Ok(())
}

/// Records that a scrub ended. What a run that holds the dump root keeps from
/// being recorded is recorded by the next scrub.
fn end(site: &Worksite<'_>, whole: bool) -> Result<(), Error> {
    if let Some(Held::Lock(lock)) = lock_when_free(site)? {
        Catalog::existing(site.root)?.end_scrub(site.now(), whole)?;
        drop(lock);
    }
    Ok(())
}

fn no_catalog(root: &DumpRoot) -> Error {
    match Catalog::existing(root) {
        Err(error) => error.into(),
        Ok(_) => Error::Interrupted,
    }
}
