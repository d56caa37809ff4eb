//! What is left of removed dumps, what has expired and stays, and why it does not go.
//!
//! Between runs `.dump/removing` holds what may be recycled, and what a program reads.
//! Anything else was cut off, which the next run finishes, or cannot be removed. What
//! is immutable or append-only is found by looking at each name, up to a limit: all
//! that could be removed is gone. A dump in which something is mounted keeps its name:
//! it is one that no policy keeps.

use std::ffi::CStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::DumpRoot;
use super::removing::Removing;
use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::model::kind::Kind;
use crate::policy::attention::{Attention, AttentionLimits};
use crate::policy::retention::KeepCandidate;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::{mounts, stat};

/// How many names are looked at in what is left of one dump.
const LOOKED_AT: usize = 10_000;

/// Directories that are kept open on the way.
const OPEN: usize = 16;

/// What is left of a removed dump, or one that is to be removed and cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotRemoved {
    /// Where it is.
    pub path: PathBuf,
    /// When something of it was removed last.
    pub since: Option<DateTime<Utc>>,
    /// What in it is immutable or append-only, so that it cannot be removed: the first
    /// that was found.
    pub fixed: Option<PathBuf>,
    /// What is mounted at it or below, so that it is not removed: the first that was
    /// found.
    pub mounted: Option<PathBuf>,
}

impl NotRemoved {
    /// What needs attention of it: what is merely cut off is finished by the next run.
    #[must_use]
    pub fn attention(&self, now: DateTime<Utc>, limits: &AttentionLimits) -> Option<Attention> {
        let age = self.since.map(|since| now - since);
        let is_old = age.is_some_and(|age| age > limits.leftover_age);
        let is_held = self.fixed.is_some() || self.mounted.is_some();
        (is_held || is_old).then(|| Attention::NotRemoved {
            path: self.path.clone(),
            fixed: self.fixed.clone(),
            mounted: self.mounted.clone(),
            age,
        })
    }
}

impl DumpRoot {
    /// What is left of removed dumps; nothing also where this user may not look.
    #[must_use]
    pub fn not_removed(&self) -> Vec<NotRemoved> {
        let Some(removing) = self.removing_if_any() else {
            return Vec::new();
        };
        let mut leaves = removing.rests().unwrap_or_default();
        let spares = removing.spares(&mut |_| {});
        leaves.retain(|leaf| spares.iter().all(|spare| spare.leaf != *leaf));
        // What is read goes when it is not.
        leaves.retain(|leaf| removing.hold(leaf).is_ok());
        let left = leaves.iter().map(|leaf| self.left_of(&removing, leaf));
        left.collect()
    }

    /// The dumps that may go, and stay since something is mounted in them. `goes` is
    /// asked only where anything is.
    pub(crate) fn held_by_mounts(
        &self,
        dumps: &[KeepCandidate],
        goes: &dyn Fn() -> Vec<bool>,
    ) -> Vec<NotRemoved> {
        let Some(real) = dir::real_path(self.path()) else {
            return Vec::new();
        };
        let mut points = mounts::at_or_below(&real);
        points.retain(|point| *point != real);
        if points.is_empty() {
            return Vec::new();
        }
        let may_go = dumps.iter().zip(goes()).filter(|(_, goes)| *goes);
        let held = may_go.filter_map(|(dump, _)| {
            let below = dump.dump.path();
            let top = real.join(&below);
            let point = points.iter().find(|point| point.starts_with(&top))?;
            Some(NotRemoved {
                path: self.path().join(below),
                since: None,
                fixed: None,
                mounted: Some(point.clone()),
            })
        });
        held.collect()
    }

    fn left_of(&self, removing: &Removing, leaf: &CStr) -> NotRemoved {
        let path = removing.path_of(leaf);
        let meta = stat::details(removing.handle.as_fd(), leaf).ok();
        let since = meta.and_then(|found| {
            let changed = found.meta.ctime;
            DateTime::from_timestamp(changed.secs, 0)
        });
        let fixed = match meta.is_some_and(|found| found.is_fixed) {
            true => Some(path.clone()),
            false => dir::open_dir(removing.handle.as_fd(), leaf, For::Reading)
                .ok()
                .and_then(|top| first_fixed(top, &path)),
        };
        let mounted = self.mounted_in(&path).ok().flatten();
        NotRemoved {
            path,
            since,
            fixed,
            mounted,
        }
    }
}

/// The first name below a directory that is immutable or append-only.
fn first_fixed(top: OwnedFd, path: &Path) -> Option<PathBuf> {
    let slots = HandleCache::new(OPEN);
    let mut left = vec![DirHandle::top(top, For::Reading, &slots).ok()?.place];
    let mut chunk = Chunk::default();
    let mut looked = 0;
    while let Some(place) = left.pop() {
        let Ok(handle) = place.open() else { continue };
        let Ok(own) = dir::reopen(handle.as_fd(), For::Reading) else {
            continue;
        };
        let mut lister = Lister::new(Arc::new(own));
        while !lister.is_done() && lister.next(&mut chunk).is_ok() {
            for entry in chunk.iter() {
                looked += 1;
                let Ok(found) = stat::details(handle.as_fd(), entry.name) else {
                    continue;
                };
                if found.is_fixed {
                    let below = place.path().join(entry.name.to_bytes());
                    return Some(below.below(path));
                }
                if looked >= LOOKED_AT {
                    return None;
                }
                if found.meta.kind == Kind::Dir && !found.is_mounted {
                    left.extend(place.enter(entry.name, For::Reading).map(|it| it.place));
                }
            }
        }
    }
    None
}
