//! Making a checkpoint: a copy of the newest dump that shares nothing with dumps.
//!
//! With hard links, one bad sector damages a file in all dumps at once. A
//! checkpoint is read and written byte by byte and shares no inode and no block
//! with anything. Reading all of a dump also finds bad sectors while there is
//! still a good version somewhere.
//!
//! Linked checkpoints are a chain beside the dumps: each shares with the one before
//! what did not change, after that was read and held against its recorded hash.
//! They share nothing with dumps, and no dump is linked to them.

use std::collections::{BTreeSet, HashSet};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::catalog::RecordedHashes;
use crate::engine::{LinkChecks, MergeOptions, Sharing, Totals};
use crate::fs::disk_hash::{DiskHasher, DiskRead};
use crate::fs::inspect;
use crate::model::error::Error;
use crate::model::event::{Action, Event, Phase, Warning};
use crate::model::fault::{Fault, Op};
use crate::model::metadata::{Id, Kind, Meta};
use crate::model::report::{Count, Report};
use crate::model::tree::Tree;
use crate::policy::content_hash::ContentHash;
use crate::policy::filter::Filter;
use crate::policy::layout::{self, Sort};
use crate::policy::link::LinkPolicy;
use crate::run::{
    CheckOrder, Made, Order, Published, Run, RunOptions, Source, roots_of_dump, takes_run_options,
};
use crate::sys::dir::{self, For, Lister};
use crate::sys::file;
use crate::sys::lock::lock;
use crate::sys::name::c_name;
use crate::sys::pages::{Pages, Reader};
use crate::sys::stat::{self, Fresh};
use crate::tend::scrub::good_copies::{CopiesElsewhere, named};

/// Makes a physically separate copy of the dump that `current` names. Then both
/// `current_chk` and `current` point to it, and later dumps link to it.
///
/// ```no_run
/// use dumpcore::Checkpoint;
///
/// let report = Checkpoint::new("/dump").verify(true).run()?;
/// println!("{} bytes copied", report.counts.copied().bytes);
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a checkpoint is not made until it is run"]
pub struct Checkpoint {
    dump: PathBuf,
    mains: Vec<Tree>,
    from: Vec<PathBuf>,
    heal: bool,
    verify: bool,
    linked: bool,
    space_check: bool,
    options: RunOptions,
}

impl Checkpoint {
    /// A checkpoint in this dump root.
    pub fn new(dump: impl Into<PathBuf>) -> Self {
        Self {
            dump: dump.into(),
            mains: Vec::new(),
            from: Vec::new(),
            heal: false,
            verify: false,
            linked: false,
            space_check: true,
            options: RunOptions::new(),
        }
    }

    /// A main tree, in which a good version is looked for when a file of the
    /// dump is damaged: a path, or a [`Tree`] that has another name in the
    /// dump.
    pub fn main(mut self, tree: impl Into<Tree>) -> Self {
        self.mains.push(tree.into());
        self
    }

    /// Another dump root that may have good versions. Call it for each.
    pub fn from(mut self, root: impl Into<PathBuf>) -> Self {
        self.from.push(root.into());
        self
    }

    /// Stores a good version, where there is one, in the place of a damaged file:
    /// one with the hash that was recorded. The dump itself stays as it is.
    pub fn heal(mut self, yes: bool) -> Self {
        self.heal = yes;
        self
    }

    /// Read the copy back from the disk, past the cache, and compare.
    pub fn verify(mut self, yes: bool) -> Self {
        self.verify = yes;
        self
    }

    /// Link it to the linked checkpoint before, for what did not change. The first
    /// one is a full copy, and begins the chain. Off by default.
    ///
    /// Each file is read before it is linked to, and held against its recorded
    /// hash or, where none is recorded, against the dump. One that is damaged is
    /// stored again from the dump; a warning names it, and
    /// [`Counts::copied_damaged`](crate::Counts::copied_damaged) counts it.
    ///
    /// Only `current_chk` points to it then: no dump is linked to a linked
    /// checkpoint, so that damage to the files of one chain spares the other.
    pub fn linked(mut self, yes: bool) -> Self {
        self.linked = yes;
        self
    }

    /// Add up the space needed before anything is written, and stop when it is
    /// more than is free. On by default.
    pub fn space_check(mut self, yes: bool) -> Self {
        self.space_check = yes;
        self
    }

    takes_run_options!();

    /// Makes the checkpoint.
    ///
    /// A file that cannot be read is a fault, and so is one whose contents are not
    /// those that were stored, as the catalog knows; that one is copied as it is. A
    /// warning names a good version of it, if there is one.
    ///
    /// # Errors
    /// See [`Error`]: nothing was published. [`Error::NoSpace`] when it
    /// cannot fit, [`Error::VerifyFailed`] when the disk does not hold what
    /// was written, [`Error::NoMarks`] when it cannot tell a linked checkpoint from
    /// others.
    pub fn run(self) -> Result<Report, Error> {
        let run = Run::open(self.dump.clone(), false, self.options.clone())?;
        let Some(current) = run.current.clone() else {
            return Err(Error::NoCurrent {
                dump: self.dump.clone(),
            });
        };
        let base = current.dir.below(&self.dump);
        // Held to the end, so that nobody removes it meanwhile.
        let held = run.dump.hold_dump(&current.dir);
        let (handle, _hold) =
            held.map_err(|e| run.dump.failed(Op::Open, current.dir.as_path(), e))?;
        let keep_going = || self.options.keep_going();
        let published = Published::look(&handle, &base, &keep_going)?;
        // What a dry run says goes by size, time and attributes.
        let reads = self.linked && !self.options.dry_run;
        let policy = LinkPolicy::new().contents(reads).ctime(!self.linked);
        let everything = Filter::new();
        let checks = self.linked.then(|| self.link_checks(&run));
        let merge = MergeOptions {
            sharing: Sharing::Nothing,
            ..self.options.merge(&policy, &everything)
        };
        let listing = run.dump.listing();
        let mains = named(&self.mains);
        let copies = CopiesElsewhere::new(&run.dump, &self.options, mains, self.from.clone());
        let order = Order {
            check: Some(CheckOrder {
                root: &run.dump,
                copies: &copies,
                heal: self.heal,
            }),
            moment: current.name.map(|name| listing.moment(name)),
            lacks: current.name.and_then(|name| listing.lacks(name)),
            linked: checks.as_ref(),
            space_check: self.space_check && !self.options.dry_run,
            ..Order::copy_of(&handle, Sort::Checkpoint, merge)
        };
        let mut verified = None;
        let report = run.make(&order, roots_of_dump(&handle, &base)?, &mut |made| {
            published.is_still_whole(made.totals.counts().vanished, &keep_going)?;
            verified = self.check(&run, &handle, &base, made, checks.as_ref())?;
            Ok(())
        })?;
        if self.options.dry_run {
            published.is_still_whole(report.counts.vanished, &keep_going)?;
        }
        Ok(Report {
            source: Some(base),
            verified,
            ..report
        })
    }

    /// What files are held against before they are linked to. Without the catalog
    /// that is the dump.
    fn link_checks(&self, run: &Run) -> LinkChecks {
        let hashes = self
            .options
            .catalog
            .then(|| RecordedHashes::open(&run.dump));
        // Where it cannot be opened, the run tells that when it copies.
        LinkChecks::new(hashes.and_then(Result::ok).flatten())
    }

    /// Reads the copy back, where that is asked for, and reports each entry
    /// that could not be read where there is a good version. How many files were
    /// found to be the same.
    fn check(
        &self,
        run: &Run,
        dump: &OwnedFd,
        base: &Path,
        made: &Made<'_>,
        checks: Option<&LinkChecks>,
    ) -> Result<Option<Count>, Error> {
        if let Some(error) = checks.and_then(LinkChecks::take_failure) {
            made.totals.warn(Warning::CatalogUnused {
                path: error.path().to_path_buf(),
                cause: std::io::Error::other(error).into(),
            });
        }
        let faulty = faulty(made, base);
        let is_told = |path: &Path| is_told(made, base, path);
        let mut verified = None;
        if self.verify {
            made.totals.event(Event::Phase(Phase::Verifying));
            let spared = |path: &Path| faulty.contains(path) || is_told(path);
            let same = read_back(run, roots_of_dump(dump, base)?, made, &spared, checks);
            let same = same.and_then(|same| {
                let healed = read_healed_back(made, base)?;
                // Those that have their recorded hash are among the same.
                Ok(match checks {
                    Some(_) => same,
                    None => same + healed,
                })
            });
            verified = Some(same.inspect_err(|_| made.staging.distrust())?);
        }
        let unreadable = |path: &&PathBuf| path.starts_with(base) && !is_told(path);
        for path in faulty.iter().filter(unreadable).cloned() {
            let good = self.good_version(run, base, &path);
            made.totals.warn(Warning::Damaged { path, good });
        }
        Ok(verified)
    }

    /// A version of a damaged entry that can be read: another inode of the
    /// same size and time, in the main tree or in an older dump.
    fn good_version(&self, run: &Run, base: &Path, damaged: &Path) -> Option<PathBuf> {
        let below = damaged.strip_prefix(base).ok()?;
        let bad = look(base, below)?;
        let mains = named(&self.mains);
        let in_main = mains.iter().filter_map(|(name, main)| {
            Some((main.clone(), below.strip_prefix(name.as_path()).ok()?))
        });
        let listing = run.dump.listing();
        let in_dumps = listing
            .newest_first(..)
            .filter_map(|dump| Some(listing.path(dump.ok()?.name)));
        let first = run.dump.path().join(layout::FIRST);
        let in_dumps = in_dumps.chain([first]).map(|dump| (dump, below));
        // One inode is tried once, however many dumps share it.
        let mut tried: HashSet<Id> = HashSet::from([bad.id()]);
        let (root, below) = in_main.chain(in_dumps).find(|(root, below)| {
            look(root, below).is_some_and(|meta| {
                is_alike(&meta, &bad) && tried.insert(meta.id()) && is_readable(root, below, &meta)
            })
        })?;
        Some(root.join(below))
    }
}

/// Where faults were: in the dump, or in what became of the same entry. What differs from
/// what was recorded of it is told with a good version, if it is its contents, and can
/// be read.
fn faulty(made: &Made<'_>, base: &Path) -> BTreeSet<PathBuf> {
    let staging = made.staging.published_path();
    let in_dump = |fault: &Fault| match fault.path.strip_prefix(&staging) {
        Ok(below) => [fault.path.clone(), base.join(below)],
        Err(_) => [fault.path.clone(), fault.path.clone()],
    };
    made.totals.with_faults(|faults| {
        let is_told = |op: Op| matches!(op, Op::Verify | Op::VerifyMetadata);
        let lost = faults.iter().filter(|fault| !is_told(fault.op));
        lost.flat_map(in_dump).collect()
    })
}

/// Goes down from a root by names, through no symlink.
fn reach(root: &Path, below: &Path) -> Option<(OwnedFd, CString)> {
    let mut handle = dir::open_root(root, For::Passing).ok()?;
    let names = below.iter().map(|name| c_name(name.as_bytes()));
    let mut names = names.collect::<Vec<_>>();
    let last = names.pop().unwrap_or_else(|| c_name(b"."));
    for name in names {
        handle = dir::open_dir(handle.as_fd(), &name, For::Passing).ok()?;
    }
    Some((handle, last))
}

fn look(root: &Path, below: &Path) -> Option<Meta> {
    let (above, name) = reach(root, below)?;
    stat::look(above.as_fd(), &name, Fresh::AsStat).ok()
}

/// Is it most likely the same? The size of a directory says nothing.
fn is_alike(meta: &Meta, bad: &Meta) -> bool {
    let same_size = meta.size == bad.size || meta.kind == Kind::Dir;
    meta.kind == bad.kind && same_size && meta.mtime == bad.mtime
}

fn is_readable(root: &Path, below: &Path, meta: &Meta) -> bool {
    let Some((above, name)) = reach(root, below) else {
        return false;
    };
    match meta.kind {
        Kind::File => is_whole_file(&above, &name),
        Kind::Dir => {
            let opened = dir::open_dir(above.as_fd(), &name, For::Reading);
            let listed = opened.and_then(Lister::all);
            listed.is_ok()
        }
        Kind::Symlink => inspect::symlink_in_some_dump(above.as_fd(), &name, meta).is_ok(),
        Kind::Fifo | Kind::Socket | Kind::Char | Kind::Block => true,
    }
}

fn is_whole_file(above: &OwnedFd, name: &CStr) -> bool {
    let Ok(file) = file::open_file(above.as_fd(), name) else {
        return false;
    };
    let size = stat::look_at(&file).map_or(0, |meta| meta.size);
    let mut buffer = vec![0; 256 * 1024];
    let mut reader = Reader::new(file.as_fd(), size, Pages::Spare);
    let mut done = 0;
    while done < size {
        match reader.read_full_at(&mut buffer, done) {
            Ok(got) if got > 0 => done += got as u64,
            _ => return false,
        }
    }
    true
}

/// Was it said of what has this path in the dump that it is damaged?
fn is_told(made: &Made<'_>, base: &Path, path: &Path) -> bool {
    let Some(checked) = made.checked else {
        return false;
    };
    let below = path.strip_prefix(base).ok();
    let looked = below.and_then(|below| look(base, below));
    looked.is_some_and(|meta| checked.has_told(meta.ino))
}

/// Reads those files of the copy back that have the contents of good ones. How
/// many there are.
fn read_healed_back(made: &Made<'_>, base: &Path) -> Result<Count, Error> {
    let staging = made.staging.path();
    let mut sum = Count::default();
    let each = |healed: &[(PathBuf, ContentHash)]| {
        healed.iter().try_for_each(|(path, hash)| {
            let below = path.strip_prefix(base).unwrap_or(path);
            let opened = reach(&staging, below)
                .and_then(|(above, name)| file::open_file(above.as_fd(), &name).ok());
            let read = opened.and_then(|file| {
                let size = stat::look_at(&file).ok()?.size;
                let read = DiskHasher::new().hash(&file, size, &mut |_| made.totals.keep_going());
                Some((read.ok()?, size))
            });
            match read {
                Some((DiskRead::Whole(found), size)) if found == *hash => {
                    sum += Count::new(1, size);
                    Ok(())
                }
                Some((DiskRead::Stopped, _)) => Err(Error::Interrupted),
                _ => Err(Error::VerifyFailed { path: path.clone() }),
            }
        })
    };
    let read = made.checked.map(|checked| checked.with_healed(each));
    read.transpose()?;
    Ok(sum)
}

/// Compares the copy, as it is on the disk, with what it was copied from;
/// what was a fault then is missing in it or damaged, and passed over. How many files were
/// found to be the same.
fn read_back(
    run: &Run,
    sources: Vec<Source>,
    made: &Made<'_>,
    is_spared: &(dyn Fn(&Path) -> bool + Sync),
    checks: Option<&LinkChecks>,
) -> Result<Count, Error> {
    let (files, same_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let differs: Mutex<Option<PathBuf>> = Mutex::new(None);
    let note = |path: PathBuf| {
        if !is_spared(&path) {
            let mut differs = lock(&differs);
            differs.get_or_insert(path);
        }
    };
    let bases: Vec<_> = sources.iter().map(|s| s.path.clone()).collect();
    let base = bases.first().and_then(|path| path.parent());
    let base = base.unwrap_or(Path::new(""));
    let listen = |event: Event<'_>| match event {
        Event::Entry {
            at,
            did: Action::Copied(_) | Action::Vanished,
            ..
        } => note(at.path().below(base)),
        Event::Entry {
            kind: Kind::File,
            bytes,
            did: Action::Linked | Action::HardLinked,
            ..
        } => {
            files.fetch_add(1, Ordering::Relaxed);
            same_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        Event::Fault(fault) => note(fault.path.clone()),
        _ => {}
    };
    let totals = Totals::new(&listen, Some(&run.options.stop));
    run.compare(sources, made, &totals, checks)?;
    drop(totals);
    match differs.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(path) => Err(Error::VerifyFailed { path }),
        None => Ok(Count {
            number: files.into_inner(),
            bytes: same_bytes.into_inner(),
        }),
    }
}
