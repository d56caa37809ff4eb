//! Merging for a session: a dump's own, one that only adds up what would be
//! written, and one that compares a copy with what it was made of.

use std::ffi::CStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::mount_memory::mounts_of;
use super::trees::{Reference, Source, still_there};
use super::{Made, Run};
use crate::engine::{self, Budget, MountsMet, Root, Rules, Stands, Totals};
use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::fs::folding::Folding;
use crate::fs::link_counts::{Counting, LinkCounts};
use crate::fs::xattr_map::{Bare, Note};
use crate::model::error::Error;
use crate::model::fault::Op;
use crate::model::metadata::Capabilities;
use crate::model::path::RelPath;
use crate::policy::filter::Filter;
use crate::policy::link::LinkPolicy;
use crate::policy::mounts::MountNote;
use crate::root::DumpRoot;
use crate::root::staging::Staging;
use crate::sys::dir::{self, For};
use crate::sys::fstype::FsType;
use crate::sys::pages::Pages;
use crate::sys::{disk, stat};

/// How a merge is done.
pub(super) struct Work<'w> {
    pub(super) policy: &'w LinkPolicy,
    pub(super) filter: Option<&'w Filter>,
    pub(super) one_file_system: bool,
    pub(super) may_share: bool,
    pub(super) source_is_dump: bool,
    pub(super) pages: Pages,
    pub(super) from_disk: bool,
    /// Where to try out attributes that are not set.
    pub(super) scratch: Option<&'w OwnedFd>,
    pub(super) budget: Budget,
    /// What is met of mounts, and what was mounted in a dump that is read.
    pub(super) met: Option<&'w MountsMet>,
    pub(super) mounted: &'w [MountNote],
    /// Which names are one in a dump that is only thought of.
    pub(super) folding: Folding,
}

impl<'w> Work<'w> {
    pub(super) fn plain(policy: &'w LinkPolicy, budget: Budget) -> Self {
        Self {
            budget,
            scratch: None,
            policy,
            filter: None,
            one_file_system: false,
            may_share: false,
            source_is_dump: false,
            pages: Pages::Keep,
            from_disk: false,
            met: None,
            mounted: &[],
            folding: Folding::default(),
        }
    }
}

/// What all trees of a run have in common.
pub(super) struct Shape<'s> {
    slots: &'s Arc<HandleCache>,
    /// The path of the dump root, and whether what its dumps remember of
    /// attributes is of use, with these capabilities.
    dump: &'s DumpRoot,
    remembering: Option<&'s Capabilities>,
    target: Option<Arc<DirHandle>>,
    target_path: PathBuf,
    published_path: PathBuf,
    resumed: bool,
    mounted: &'s [MountNote],
}

impl Shape<'_> {
    pub(super) fn root(&self, mut source: Source) -> Result<Root, Error> {
        let mounts = mounts_of(&mut source, self.slots, self.mounted);
        let Source {
            name,
            path,
            handle,
            reference,
            touched,
            recalled: _,
        } = source;
        let opened = reference.as_ref().map(|reference| self.open(reference));
        let remembering = reference.as_ref().zip(self.remembering);
        let entered = DirHandle::top(handle, For::Reading, self.slots);
        Ok(Root {
            entered: entered.map_err(|cause| Error::MainUnusable {
                path: path.clone(),
                cause,
            })?,
            name,
            main: path,
            reference: opened.transpose()?,
            bare: remembering
                .and_then(|(dump, capabilities)| Bare::read(&dump.handle, capabilities)),
            reference_path: reference.map_or_else(PathBuf::new, |r| r.path.below(self.dump.path())),
            target: self.target.clone(),
            target_path: self.target_path.clone(),
            published_path: self.published_path.clone(),
            target_is_new: !self.resumed,
            touched,
            stands: Stands::Made,
            mounts,
        })
    }

    fn open(&self, reference: &Reference) -> Result<Arc<DirHandle>, Error> {
        let handle = dir::reopen(reference.handle.as_fd(), For::Passing);
        let top = handle.and_then(|handle| DirHandle::top(handle, For::Passing, self.slots));
        top.map(|entered| entered.place)
            .map_err(|e| self.dump.failed(Op::Open, reference.path.as_path(), e))
    }
}

/// All names of a dump are counted.
pub(super) struct InDump<'t>(pub(super) &'t Totals<'t>);

impl Counting for InDump<'_> {
    fn keep_going(&self) -> bool {
        self.0.keep_going()
    }

    fn enters(&self, _: &Arc<DirHandle>, _: &CStr) -> bool {
        true
    }

    fn reads(&mut self, _: &Arc<DirHandle>) -> bool {
        true
    }

    fn leaves_out(&mut self, _: &CStr, _: bool) -> bool {
        false
    }

    fn looks(&self) -> bool {
        true
    }
}

impl Run {
    /// Compares trees with what was made of them, as it is on the disk: what
    /// would be copied again, differs.
    pub(crate) fn compare(
        &self,
        sources: Vec<Source>,
        made: &Made<'_>,
        totals: &Totals<'_>,
    ) -> Result<(), Error> {
        let staging = made.staging;
        let handle = dir::reopen(staging.handle().as_fd(), For::Passing);
        let handle = handle.map_err(|e| self.dump.failed(Op::Open, &staging.path(), e))?;
        let path = staging.path();
        let path = path.strip_prefix(self.dump.path()).unwrap_or(&path);
        let copy = Arc::new(Reference {
            path: RelPath::from_bytes(path.as_os_str().as_bytes()),
            handle,
        });
        let linked = |source| Source {
            reference: Some(Arc::clone(&copy)),
            ..source
        };
        let sources = sources.into_iter().map(linked).collect();
        let policy = LinkPolicy::new().contents(true);
        let work = Work {
            source_is_dump: true,
            from_disk: true,
            scratch: Some(staging.handle()),
            pages: Pages::Spare,
            ..Work::plain(&policy, made.budget)
        };
        self.merge(&work, sources, None, made.capabilities, totals)
    }

    /// Merges all trees; without a target, only to see what would be done.
    pub(super) fn merge(
        &self,
        work: &Work<'_>,
        sources: Vec<Source>,
        staging: Option<&Staging<'_>>,
        capabilities: &Capabilities,
        totals: &Totals<'_>,
    ) -> Result<(), Error> {
        let slots = work.budget.slots();
        let top = |handle: &OwnedFd| {
            let handle = dir::reopen(handle.as_fd(), For::Filling)?;
            Ok::<_, std::io::Error>(DirHandle::top(handle, For::Filling, &slots)?.place)
        };
        let failed = |e| self.dump.failed(Op::Open, "".as_ref(), e);
        let target = staging.map(|staging| top(staging.handle()));
        let target = target.transpose().map_err(failed)?;
        let root = stat::look_at(self.dump.handle()).map_err(failed)?.id();
        let mut leave_out = vec![root];
        leave_out.extend(target.as_ref().map(|target| target.id()));
        let remembers = work.policy.compares_xattrs() && !work.from_disk;
        let shape = Shape {
            slots: &slots,
            dump: &self.dump,
            remembering: remembers.then_some(capabilities),
            target,
            target_path: staging.map(Staging::path).unwrap_or_default(),
            published_path: staging.map(Staging::published_path).unwrap_or_default(),
            resumed: staging.is_some_and(|staging| staging.resumed),
            mounted: work.mounted,
        };
        let mut tops: Vec<(PathBuf, Arc<DirHandle>)> = Vec::new();
        let mut roots = Vec::new();
        for source in sources {
            let root = shape.root(source)?;
            tops.push((root.main.clone(), Arc::clone(&root.entered.place)));
            roots.push(root);
        }
        let places: Vec<_> = tops.iter().map(|(_, top)| Arc::clone(top)).collect();
        let names = work
            .source_is_dump
            .then(|| LinkCounts::within(&places, &mut InDump(totals)));
        let everything = Filter::new();
        let note = staging
            .and_then(|staging| Note::begin(staging.handle(), staging.resumed, capabilities));
        let note = note.filter(|_| remembers);
        let most_links = FsType::of(self.dump.handle()).ok();
        let most_links = most_links.and_then(FsType::most_links);
        let rules = Rules {
            policy: work.policy,
            capabilities,
            filter: work.filter.unwrap_or(&everything),
            bwlimit: self.options.bwlimit,
            one_file_system: work.one_file_system,
            may_share: work.may_share,
            source_is_dump: work.source_is_dump,
            names: names.as_ref(),
            only: &[],
            share_source: false,
            pages: work.pages,
            from_disk: work.from_disk,
            marks: note.as_ref().map(|note| &note.marks),
            honours_setuid: staging
                .filter(|staging| disk::honours_setuid(staging.handle()))
                .map(|_| self.dump.path()),
            watermark: staging.map(|staging| &staging.watermark),
            scratch: staging.map(Staging::handle).or(work.scratch),
            link_dev: self.options.dry_run.then_some(root.dev),
            leave_out,
            mounts: work.met,
            folding: staging.map_or(work.folding, |staging| staging.folding),
            // What is compared is there already, and is not linked to.
            most_links: most_links.filter(|_| !work.from_disk),
        };
        engine::merge(&rules, work.budget, totals, roots);
        if !work.from_disk {
            totals.tell_losses();
        }
        totals.verdict()?;
        if let (Some(note), Some(staging)) = (note, staging) {
            note.end(staging.handle(), capabilities);
        }
        still_there(tops)
    }
}
