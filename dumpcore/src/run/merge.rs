//! Merging for a run, whatever for: from a run's trees and its dump root to what
//! the engine is told.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::expected::Expected;
use super::mount_memory::mounts_of;
use super::trees::{Reference, Source, still_there};
use super::{Made, Run};
use crate::engine::{
    self, Budget, Catalogued, Checked, Held, LinkChecks, MergeOptions, MountsMet, Purpose, Root,
    Rules, Sharing, Stands, Totals,
};
use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::fs::folding::Folding;
use crate::fs::link_counts::{AllNames, LinkCounts};
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
use crate::sys::{disk, stat};

/// A merge of a run, and what it works with.
pub(super) struct Merge<'m> {
    pub(super) options: MergeOptions<'m>,
    pub(super) budget: Budget,
    pub(super) totals: &'m Totals<'m>,
    pub(super) capabilities: &'m Capabilities,
    /// What is made, or in [`Purpose::Verify`] compared.
    pub(super) staging: Option<&'m Staging<'m>>,
    /// What is met of mounts, and what was mounted in a dump that is read.
    pub(super) met: Option<&'m MountsMet>,
    pub(super) mounted: &'m [MountNote],
    /// Which names are one where nothing is made.
    pub(super) folding: Folding,
    /// Is an observer still to be told how many entries there are, where they are
    /// counted?
    pub(super) tells_total: bool,
    /// What files of references are held against before they are linked to.
    pub(super) link_checks: Option<&'m LinkChecks>,
    /// What is remembered of the trees.
    pub(super) catalogued: Option<&'m Catalogued>,
    /// What is known of the contents of the dump that is copied.
    pub(super) checked: Option<&'m Checked<'m>>,
}

impl<'m> Merge<'m> {
    /// One that makes nothing, and tells nobody what it meets.
    pub(super) fn new(
        options: MergeOptions<'m>,
        budget: Budget,
        totals: &'m Totals<'m>,
        capabilities: &'m Capabilities,
    ) -> Self {
        Self {
            options,
            budget,
            totals,
            capabilities,
            staging: None,
            met: None,
            mounted: &[],
            folding: Folding::default(),
            tells_total: false,
            link_checks: None,
            catalogued: None,
            checked: None,
        }
    }

    /// What is made.
    fn target(&self) -> Option<&'m Staging<'m>> {
        self.staging.filter(|_| self.options.purpose.makes())
    }

    /// Can what a dump remembers of attributes be used? Not where they are
    /// compared as they are on the disk.
    fn remembers(&self) -> bool {
        self.options.policy.compares_xattrs() && self.options.purpose != Purpose::Verify
    }

    /// What the dump is to remember of attributes. A note that an earlier run
    /// left behind goes, also where no other is begun.
    fn begin_note(&self, staging: &Staging<'_>) -> Option<Note> {
        if staging.resumed {
            Note::clear(staging.handle()).ok()?;
        }
        match self.remembers() {
            true => Note::begin(staging.handle(), self.capabilities),
            false => None,
        }
    }
}

/// What all trees of a run have in common.
pub(super) struct Shape<'s> {
    slots: &'s Arc<HandleCache>,
    /// The path of the dump root, and whether what its dumps remember of
    /// attributes can be used, with these capabilities.
    dump: &'s DumpRoot,
    remembering: Option<&'s Capabilities>,
    target: Option<Arc<DirHandle>>,
    target_path: PathBuf,
    published_path: PathBuf,
    held: Held,
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
            target_holds: self.held,
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

/// What the directory holds in which a dump is made.
fn held(staging: &Staging<'_>) -> Held {
    match staging.recycled {
        Some(_) => Held::Expired,
        None if staging.resumed => Held::Leftover,
        None => Held::Nothing,
    }
}

impl Run {
    /// Compares trees with what was made of them, as it is on the disk: what
    /// would be copied again, differs. A copy that has the hash which was recorded
    /// of its source is the same.
    pub(crate) fn compare(
        &self,
        sources: Vec<Source>,
        made: &Made<'_>,
        totals: &Totals<'_>,
        link_checks: Option<&LinkChecks>,
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
        let (policy, everything) = (LinkPolicy::new().contents(true), Filter::new());
        let options = MergeOptions {
            purpose: Purpose::Verify,
            source_is_dump: true,
            sharing: Sharing::Nothing,
            ..self.options.merge(&policy, &everything)
        };
        let merge = Merge {
            staging: Some(staging),
            link_checks,
            ..Merge::new(options, made.budget, totals, made.capabilities)
        };
        self.merge(&merge, sources)
    }

    /// Merges all trees.
    pub(super) fn merge(&self, merge: &Merge<'_>, sources: Vec<Source>) -> Result<(), Error> {
        let (totals, target) = (merge.totals, merge.target());
        let roots = self.roots(merge, sources)?;
        let top = |root: &Root| (root.main.clone(), Arc::clone(&root.entered.place));
        let tops: Vec<_> = roots.iter().map(top).collect();
        let places: Vec<_> = tops.iter().map(|(_, top)| Arc::clone(top)).collect();
        let names = merge.options.source_is_dump;
        let names =
            names.then(|| LinkCounts::within(&places, &mut AllNames(&|| totals.keep_going())));
        if let Some(names) = names.as_ref().filter(|_| merge.tells_total) {
            let entries = places.len() as u64 + names.names;
            totals.event(Expected::listed(entries).event());
        }
        let note = target.and_then(|staging| merge.begin_note(staging));
        let rules = Rules {
            names: names.as_ref(),
            marks: note.as_ref().map(|note| &note.marks),
            ..self.rules(merge)?
        };
        engine::merge(&rules, merge.budget, totals, roots);
        if merge.options.purpose != Purpose::Verify {
            totals.tell_losses();
        }
        totals.verdict()?;
        if let (Some(note), Some(staging)) = (note, target) {
            note.end(staging.handle(), merge.capabilities);
        }
        still_there(tops)
    }

    /// The trees as the engine takes them.
    fn roots(&self, merge: &Merge<'_>, sources: Vec<Source>) -> Result<Vec<Root>, Error> {
        let (slots, target) = (merge.budget.slots(), merge.target());
        let top = |handle: &OwnedFd| {
            let handle = dir::reopen(handle.as_fd(), For::Filling)?;
            Ok::<_, std::io::Error>(DirHandle::top(handle, For::Filling, &slots)?.place)
        };
        let opened = target.map(|staging| top(staging.handle())).transpose();
        let shape = Shape {
            slots: &slots,
            dump: &self.dump,
            remembering: merge.remembers().then_some(merge.capabilities),
            target: opened.map_err(|e| self.dump.failed(Op::Open, "".as_ref(), e))?,
            target_path: target.map(Staging::path).unwrap_or_default(),
            published_path: target.map(Staging::published_path).unwrap_or_default(),
            held: target.map_or(Held::Nothing, held),
            mounted: merge.mounted,
        };
        let root = |source| shape.root(source);
        sources.into_iter().map(root).collect()
    }

    /// What holds in the dump root, and in what is made there.
    fn rules<'m>(&'m self, merge: &Merge<'m>) -> Result<Rules<'m>, Error> {
        let failed = |e| self.dump.failed(Op::Open, "".as_ref(), e);
        let id = |handle: &OwnedFd| stat::look_at(handle).map(|meta| meta.id());
        let (root, target) = (id(self.dump.handle()).map_err(failed)?, merge.target());
        let mut leave_out = vec![root];
        if let Some(staging) = target {
            leave_out.push(id(staging.handle()).map_err(failed)?);
        }
        let most_links = FsType::of(self.dump.handle()).ok();
        let most_links = most_links.and_then(FsType::most_links);
        let purpose = merge.options.purpose;
        Ok(Rules {
            honours_setuid: target
                .filter(|staging| disk::honours_setuid(staging.handle()))
                .map(|_| self.dump.path()),
            flush_each: target.is_some_and(|it| disk::flushes_one_by_one(it.handle())),
            watermark: target.map(|staging| &staging.watermark),
            recycled_at: target
                .filter(|staging| staging.holds_expired())
                .and_then(|staging| stat::look_born(staging.handle()).ok()?.born),
            scratch: merge.staging.map(Staging::handle),
            leave_out,
            link_dev: (purpose == Purpose::DryRun).then_some(root.dev),
            mounts: merge.met,
            folding: target.map_or(merge.folding, |staging| staging.folding),
            // What is compared is there already, and is not linked to.
            most_links: most_links.filter(|_| purpose != Purpose::Verify),
            link_checks: merge.link_checks,
            catalogued: merge.catalogued,
            checked: merge.checked,
            ..Rules::new(merge.options, merge.capabilities)
        })
    }
}
