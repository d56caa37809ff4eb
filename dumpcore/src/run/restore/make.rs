//! Makes a version whole in a private directory: the engine's merge, with the
//! version as the source and nothing in the target.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use super::judge::{Judge, Short, is_loss};
use super::place::{Origin, Place, os};
use super::request::Request;
use super::temporary::{Temporary, clearing};
use crate::engine::{
    self, Checked, Doubts, EarlierName, Held, MergeOptions, Mounts, Purpose, Root, Rules, Sharing,
    Stands, Sum, Totals,
};
use crate::fs::capabilities::{self, Trial};
use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::fs::folding;
use crate::fs::link_counts::{AllNames, LinkCounts};
use crate::fs::mount::MountOf;
use crate::fs::name_count::NameCount;
use crate::model::error::Error;
use crate::model::event::{Event, Phase};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::{Capabilities, Id};
use crate::model::restore::{RestoreError, RestorePlan};
use crate::policy::filter::Filter;
use crate::policy::link::LinkPolicy;
use crate::run::budget::budget;
use crate::run::checking::hashes_of;
use crate::run::expected::Expected;
use crate::run::lacks::tell_what_is_lacking;
use crate::run::remember::tell;
use crate::run::{CheckOrder, RunOptions};
use crate::sys::dir::{self, For};
use crate::sys::fstype::FsType;
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, errno};

/// What was made, not yet in its place.
pub(super) struct Made<'p> {
    pub(super) temporary: Temporary<'p>,
    /// Is it in the private directory, instead of being it?
    pub(super) room: bool,
    /// Its inode.
    pub(super) id: Id,
    pub(super) sum: Sum,
    /// What the filesystem there keeps.
    pub(super) capabilities: Capabilities,
    /// Is it made in the place itself, of what that lacks?
    pub(super) in_place: bool,
    short: Short,
    /// May it stand without some of its entries? Not without itself.
    divisible: bool,
}

impl Made<'_> {
    /// What lacks entries, or has damaged ones, takes no other's place. Where there is
    /// nothing it is better than nothing.
    pub(super) fn unless_lacking(
        self,
        plan: &RestorePlan,
        options: &RunOptions,
    ) -> Result<Self, RestoreError> {
        let Short { lacking, damaged } = self.short;
        let stands = lacking == 0 || self.divisible;
        if stands && (lacking + damaged == 0 || !plan.replaces) {
            return Ok(self);
        }
        self.temporary.discard(&clearing(options));
        let first = self.sum.faults.into_iter().find(|fault| !is_loss(fault));
        let gone = || Fault::at(Op::Read, &plan.version)(errno::missing());
        Err(RestoreError::Lacking {
            path: plan.path.clone(),
            version: plan.version.clone(),
            entries: lacking + damaged,
            first: first.unwrap_or_else(gone),
        })
    }

    /// Does its name still lead to what was made?
    pub(super) fn is_still_there(&self, path: &Path) -> Result<(), RestoreError> {
        if self.room || self.temporary.is_there() {
            return Ok(());
        }
        let path = path.with_file_name(os(&self.temporary.name));
        Err(RestoreError::Moved { path })
    }
}

/// Makes what is to be restored.
pub(super) fn make<'p>(
    (request, against): (&Request, Option<CheckOrder<'_>>),
    place: &'p Place,
    origin: &Origin,
    options: &RunOptions,
) -> Result<Made<'p>, RestoreError> {
    let filling = Filling {
        request,
        against,
        place,
        origin,
        options,
        room: place.missing.is_empty() && request.from.meta.kind != Kind::Dir,
        mends: false,
    };
    filling.make_in(place.dir().as_fd())
}

/// Makes what a directory, which is the place, lacks or has otherwise.
pub(super) fn mend<'p>(
    (request, against): (&Request, Option<CheckOrder<'_>>),
    place: &'p Place,
    origin: &Origin,
    options: &RunOptions,
    live: BorrowedFd<'p>,
) -> Result<Made<'p>, RestoreError> {
    let filling = Filling {
        request,
        against,
        place,
        origin,
        options,
        room: false,
        mends: true,
    };
    filling.make_in(live)
}

/// The names of a version, counted before it is read.
struct NamesBefore {
    count: NameCount,
    handle: Arc<OwnedFd>,
}

impl NamesBefore {
    /// Are there fewer now?
    fn were_lost(&self, totals: &Totals<'_>) -> bool {
        let now = NameCount::below(&self.handle, &|| totals.keep_going());
        now.names < self.count.names
    }
}

/// Names that were restored before, by the inodes of the dump.
type Earlier = HashMap<Id, EarlierName>;

struct Filling<'a> {
    request: &'a Request,
    /// What is known of the contents of the dump.
    against: Option<CheckOrder<'a>>,
    place: &'a Place,
    origin: &'a Origin,
    options: &'a RunOptions,
    /// Is what is made no directory, so that it needs one to be made in?
    room: bool,
    /// Is only made what the place lacks?
    mends: bool,
}

impl Filling<'_> {
    /// Makes it in a private directory, which is in this one.
    fn make_in<'p>(&self, dir: BorrowedFd<'p>) -> Result<Made<'p>, RestoreError> {
        let (place, options) = (self.place, self.options);
        let resumes = self.request.resumes && !self.room;
        let left = resumes.then(|| Temporary::take_over(dir, place.made()));
        let temporary = match left.flatten() {
            Some(left) => left,
            None => Temporary::make(dir, place.made())
                .map_err(|op_error| op_error.at(place.made_path().to_path_buf()))?,
        };
        match self.fill(&temporary) {
            Ok((id, capabilities, sum, short)) => Ok(Made {
                temporary,
                room: self.room,
                id,
                sum,
                capabilities,
                in_place: self.mends,
                short,
                divisible: place.missing.is_empty() && !self.room,
            }),
            Err(error) => {
                let leaves = resumes && matches!(error, RestoreError::Interrupted { .. });
                temporary.give_up(leaves, &clearing(options));
                Err(error)
            }
        }
    }

    /// Fills it: the inode that was made, what is kept there, what was counted, and
    /// what is lacking.
    fn fill(
        &self,
        temporary: &Temporary<'_>,
    ) -> Result<(Id, Capabilities, Sum, Short), RestoreError> {
        let options = self.options;
        let judge = Judge::new(&*options.observer);
        let totals = Totals::new(&judge, Some(&options.stop));
        let capabilities = self.capabilities(temporary, &totals)?;
        let folding = folding::try_out(temporary.handle.as_fd());
        self.place
            .is_not_anothers(folding, temporary.handle.as_fd())?;
        let (source, only) = self.source()?;
        let jobs = if self.room { Some(1) } else { options.jobs };
        let read = [source.as_fd()].into_iter();
        let (budget, _) = budget(jobs, read, &temporary.handle, &totals);
        let slots = budget.slots();
        let version = self.version(&slots)?;
        let before = version.as_ref().map(|version| self.names(version, &totals));
        let before = before.transpose()?;
        let counts = LinkCounts::within(version.as_slice(), &mut AllNames(&|| totals.keep_going()));
        totals.event(self.expected(&counts).event());
        totals.event(Event::Phase(Phase::Restoring));
        let root = self.root(source, temporary, &slots)?;
        // Programs set times back: what is there is compared by contents, too.
        let policy = LinkPolicy::new().contents(self.mends);
        let everything = Filter::new();
        let checked = self.checked(&totals);
        let earlier = self.earlier(temporary)?;
        let merge = MergeOptions {
            purpose: self.purpose(),
            source_is_dump: true,
            sharing: Sharing::Source,
            hash: checked.is_some(),
            ..options.merge(&policy, &everything)
        };
        let rules = Rules {
            names: Some(&counts),
            only: &only,
            folding,
            flush_each: disk::flushes_one_by_one(&temporary.handle),
            checked: checked.as_ref(),
            earlier: earlier.as_ref(),
            ..Rules::new(merge, &capabilities)
        };
        engine::merge(&rules, budget, &totals, vec![root]);
        if let Some(error) = checked.and_then(|checked| checked.finish().2) {
            tell(error, &totals);
        }
        totals.tell_losses();
        totals.verdict().map_err(|error| self.ended_by(error))?;
        if judge.vanished() > 0 || before.is_some_and(|names| names.were_lost(&totals)) {
            let version = self.request.from.path.clone();
            return Err(RestoreError::VersionGone { version });
        }
        let short = judge.short();
        let id = self.id_of_made(temporary, short.lacking)?;
        Ok((id, capabilities, totals.sum(), short))
    }

    fn purpose(&self) -> Purpose {
        match self.mends {
            true => Purpose::Mend,
            false => Purpose::Restore,
        }
    }

    /// The names that were restored before of what it has.
    fn earlier(&self, temporary: &Temporary<'_>) -> Result<Option<Earlier>, Fault> {
        let Some(among) = &self.request.among else {
            return Ok(None);
        };
        let mount = MountOf::of(&temporary.handle);
        let mount = mount.map_err(Fault::at(Op::Stat, self.place.made_path()))?;
        Ok(Some(among.earlier(&self.request.from, mount)))
    }

    /// What is recorded of the contents that are read, where somebody may know that.
    fn checked(&self, totals: &Totals<'_>) -> Option<Checked<'_>> {
        let against = self.against.filter(|_| self.options.catalog)?;
        let hashes = hashes_of(against.root, totals)?;
        Some(Checked::new(hashes, None, against.copies, false))
    }

    /// What is merged: a directory of the dump, and of the first directories in
    /// it the one name each that leads to what is needed.
    fn source(&self) -> Result<(OwnedFd, Vec<CString>), RestoreError> {
        let up = self.place.missing.len();
        let (above, name) = self.origin.above(up)?;
        if self.room {
            return Ok((above, vec![name]));
        }
        let opened = self.open(&above, &name, self.origin.path_above(up))?;
        Ok((opened, self.origin.way(up).to_vec()))
    }

    /// What is made: the version with all that it holds, and the directories
    /// above it that are gone.
    fn expected(&self, counts: &LinkCounts) -> Expected {
        let above = self.place.missing.len() as u64;
        match self.request.from.meta.kind {
            Kind::Dir => Expected::listed(above + 1 + counts.names),
            _ => Expected::one(&self.request.from.meta, above),
        }
    }

    /// How many names a version has before it is read.
    fn names(&self, version: &Arc<DirHandle>, totals: &Totals<'_>) -> Result<NamesBefore, Fault> {
        let handle = version.open().map_err(self.failed(Op::Open))?;
        Ok(NamesBefore {
            count: NameCount::below(&handle, &|| totals.keep_going()),
            handle,
        })
    }

    /// The inode of what was made. What lacks entries need not be there.
    fn id_of_made(&self, temporary: &Temporary<'_>, lacking: u64) -> Result<Id, Fault> {
        if !self.room || lacking > 0 {
            return Ok(temporary.id);
        }
        let made = stat::look(temporary.handle.as_fd(), self.place.made(), Fresh::AsStat);
        Ok(made.map_err(Fault::at(Op::Stat, &self.request.path))?.id())
    }

    fn failed(&self, op: Op) -> impl Fn(std::io::Error) -> Fault {
        Fault::at(op, &self.request.from.path)
    }

    fn open(&self, dir: &OwnedFd, name: &CString, path: &Path) -> Result<OwnedFd, Fault> {
        let opened = dir::open_dir(dir.as_fd(), name, For::Reading);
        opened.map_err(Fault::at(Op::Open, path))
    }

    /// The version, when it is a directory.
    fn version(&self, slots: &Arc<HandleCache>) -> Result<Option<Arc<DirHandle>>, Fault> {
        if self.request.from.meta.kind != Kind::Dir {
            return Ok(None);
        }
        let (above, name) = self.origin.above(0)?;
        let opened = self.open(&above, &name, &self.request.from.path)?;
        let entered = DirHandle::top(opened, For::Reading, slots);
        Ok(Some(entered.map_err(self.failed(Op::Open))?.place))
    }

    /// What can be kept there, found by trying. Where there are no hard links,
    /// or names cannot be replaced, that is the engine's to meet.
    fn capabilities(
        &self,
        temporary: &Temporary<'_>,
        totals: &Totals<'_>,
    ) -> Result<Capabilities, Fault> {
        let path = self.place.made_path();
        let tried = capabilities::run(temporary.handle.as_fd());
        match tried.map_err(|op_error| op_error.at(path.to_path_buf()))? {
            Trial::Passed(capabilities, lacks) => {
                let fs = FsType::of(&temporary.handle).map_err(Fault::at(Op::Stat, path))?;
                tell_what_is_lacking(&lacks, path, &fs.to_string(), totals);
                Ok(capabilities)
            }
            Trial::NoHardLinks | Trial::NoReplacing => Ok(capabilities::guess(&temporary.handle)),
        }
    }

    /// The tree that is merged. Its paths are shown as those of the place.
    fn root(
        &self,
        source: OwnedFd,
        temporary: &Temporary<'_>,
        slots: &Arc<HandleCache>,
    ) -> Result<Root, Fault> {
        let path = self.place.made_path();
        let failed = Fault::at(Op::Open, path);
        let target = dir::reopen(temporary.handle.as_fd(), For::Filling)
            .and_then(|handle| DirHandle::top(handle, For::Filling, slots));
        let above = path.parent().unwrap_or(path).to_path_buf();
        let read = self.origin.path_above(self.place.missing.len());
        let (name, main) = match self.room {
            true => (CString::default(), read.parent().unwrap_or(read)),
            false => (self.place.made().to_owned(), read),
        };
        Ok(Root {
            name,
            main: main.to_path_buf(),
            entered: DirHandle::top(source, For::Reading, slots).map_err(self.failed(Op::Open))?,
            reference: self.reference(slots)?,
            reference_path: above.clone(),
            bare: None,
            target: Some(target.map_err(failed)?.place),
            target_path: above.clone(),
            published_path: above,
            target_holds: match temporary.is_taken_over {
                true => Held::Leftover,
                false => Held::Nothing,
            },
            touched: Doubts::NONE,
            mounts: Mounts::default(),
            stands: if self.room {
                Stands::Room
            } else {
                Stands::Itself
            },
        })
    }

    /// The directory of what exists, when only that is made which differs.
    fn reference(&self, slots: &Arc<HandleCache>) -> Result<Option<Arc<DirHandle>>, Fault> {
        if !self.mends {
            return Ok(None);
        }
        let opened = dir::reopen(self.place.dir().as_fd(), For::Passing)
            .and_then(|handle| DirHandle::top(handle, For::Passing, slots));
        let entered = opened.map_err(Fault::at(Op::Open, self.place.made_path()))?;
        Ok(Some(entered.place))
    }

    /// Why the merge ended early.
    fn ended_by(&self, error: Error) -> RestoreError {
        let path = self.request.path.clone();
        match error {
            Error::DumpDisk { fault, .. }
            | Error::Shortage { fault }
            | Error::SourceGone { fault } => RestoreError::Fault(fault),
            Error::Interrupted => RestoreError::Interrupted { path },
            other => {
                RestoreError::Fault(Fault::new(Op::Create, path, std::io::Error::other(other)))
            }
        }
    }
}
