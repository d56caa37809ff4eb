//! Remembers, of what was restored, the names of inodes that have others in what is
//! restored with it.
//!
//! A name is remembered where its entry is what the dump has, contents and all: what
//! was to stay as it is, or has changed since, is not what other names are to become.
//! Where something is damaged or lacking, nothing is: a bad copy must not
//! take the place of a good one by a link.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use super::among::{Among, Name, Restored as Dump, State};
use super::from::From;
use super::judge::is_loss;
use super::place::{Origin, Place};
use super::request::{Named, Request};
use super::same::Comparer;
use super::survey::{Side, named};
use crate::engine::EarlierName;
use crate::fs::capabilities;
use crate::fs::dir_handle::DirHandle;
use crate::fs::link_counts::{AllNames, LinkCounts};
use crate::fs::mount::MountOf;
use crate::fs::store::NameAt;
use crate::model::kind::Kind;
use crate::model::metadata::{Id, Meta};
use crate::model::restore::Restored;
use crate::run::RunOptions;
use crate::sys::dir::{self, For};
use crate::sys::lock::lock;
use crate::sys::stat::{self, Fresh};

/// Remembers what was restored. What cannot be looked at is not: its other names
/// become files of their own.
pub(super) fn remember(request: &Request, options: &RunOptions, restored: &Restored) {
    let Some(among) = &request.among else { return };
    let is_whole = match restored {
        Restored::Same => true,
        Restored::Done(report) => {
            let all = report.counts.faults == report.faults.len() as u64;
            all && report.faults.iter().all(is_loss)
        }
        _ => false,
    };
    if is_whole && options.keep_going() {
        // Best effort: see above.
        let _ = walk(&among.0, request, options);
    }
}

fn walk(among: &Among, request: &Request, options: &RunOptions) -> Option<()> {
    let from = &request.from;
    let dump = (from.root.clone(), from.dump?);
    let (place, origin) = (Place::open(request).ok()?, Origin::open(from).ok()?);
    let mut state = lock(&among.state);
    let State { dumps, tops } = &mut *state;
    let counted = dumps.entry(dump).or_insert_with(|| Dump {
        counts: counts(among, (from, &origin), options).unwrap_or_default(),
        ..Dump::default()
    });
    if !counted.counts.has_several() {
        return None;
    }
    let top = top(among, tops, request)?;
    let above = place_of(&top, request, &place)?;
    let (old_dir, old_name) = origin.above(0).ok()?;
    let capabilities = capabilities::guess(place.dir());
    let keep_going = || options.keep_going();
    let mut walk = Walk {
        dump: counted,
        mount: MountOf::of(place.dir()).ok()?,
        comparer: Comparer::new(&capabilities),
        keep_going: &keep_going,
    };
    let old = Named {
        at: NameAt {
            dir: old_dir.as_fd(),
            name: &old_name,
        },
        path: &from.path,
    };
    if from.meta.kind != Kind::Dir {
        let opened = above.place.open().ok()?;
        let looked = stat::look(old.at.dir, old.at.name, Fresh::AsStat).ok()?;
        walk.name((&above, &opened), &place.name, (old, &looked));
        return Some(());
    }
    let now = above.enter(&place.name).ok()?;
    let old = Side::top(old, &among.slots).ok()??;
    walk.mount = MountOf::of(&*now.place.open().ok()?).ok()?;
    walk.tree(now, old);
    Some(())
}

/// The directory that places are reached from, which stays open.
fn top(
    among: &Among,
    tops: &mut Vec<(PathBuf, Arc<DirHandle>)>,
    request: &Request,
) -> Option<Arc<DirHandle>> {
    if let Some((_, top)) = tops.iter().find(|(path, _)| *path == request.root) {
        return Some(Arc::clone(top));
    }
    let opened = dir::open_root(&request.root, For::Passing).ok()?;
    let entered = DirHandle::top(opened, For::Passing, &among.slots).ok()?;
    tops.push((request.root.clone(), Arc::clone(&entered.place)));
    Some(entered.place)
}

/// The directory that a place is in, unless the way leads elsewhere by now.
fn place_of(top: &Arc<DirHandle>, request: &Request, place: &Place) -> Option<Side> {
    let (_, above) = request.below.split_last()?;
    let at = below(top, above)?;
    let is_it = place.missing.is_empty() && at.id() == stat::look_at(place.dir()).ok()?.id();
    let path = request.path.parent()?.to_path_buf();
    is_it.then_some(Side { place: at, path })
}

/// How many names the inodes of a dump have in all of its versions that are
/// restored. A path within another has no names of its own.
fn counts(
    among: &Among,
    (of, origin): (&From, &Origin),
    options: &RunOptions,
) -> Option<LinkCounts> {
    let is_of = |from: &&From| from.dump == of.dump && from.root == of.root;
    let mut versions: Vec<&From> = among.versions.iter().filter(is_of).collect();
    versions.sort_by(|a, b| a.below.cmp(&b.below));
    versions.dedup_by(|next, last| next.below.starts_with(&last.below));
    if versions.len() < 2 {
        return None;
    }
    // One handle stays open, however many versions there are.
    let (dump, _) = origin.above(of.below.len().checked_sub(1)?).ok()?;
    let dump = DirHandle::top(dump, For::Passing, &among.slots).ok()?.place;
    let (mut tops, mut ids) = (Vec::new(), Vec::new());
    for from in versions {
        if from.meta.kind == Kind::Dir {
            tops.extend(below(&dump, &from.below));
        } else {
            ids.push(from.meta.id());
        }
    }
    Some(LinkCounts::among(
        &tops,
        &ids,
        &mut AllNames(&|| options.keep_going()),
    ))
}

/// What these names lead to.
fn below(top: &Arc<DirHandle>, names: &[CString]) -> Option<Arc<DirHandle>> {
    let mut at = Arc::clone(top);
    for name in names {
        at = at.enter(name, For::Passing).ok()?.place;
    }
    Some(at)
}

/// Walks a place and its version in step.
struct Walk<'w> {
    dump: &'w mut Dump,
    mount: MountOf,
    comparer: Comparer<'w>,
    keep_going: &'w dyn Fn() -> bool,
}

impl Walk<'_> {
    fn tree(&mut self, now: Side, old: Side) {
        let mut left = vec![(now, old)];
        while let Some((now, old)) = left.pop() {
            let (Ok(here), Ok((there, names))) = (now.place.open(), old.list()) else {
                continue;
            };
            for entry in names.iter() {
                if !(self.keep_going)() {
                    return;
                }
                let path = old.below(entry.name);
                let in_dump = named(&there, entry.name, &path);
                let Ok(looked) = stat::look(there.as_fd(), entry.name, Fresh::Cached) else {
                    continue;
                };
                if looked.kind != Kind::Dir {
                    self.name((&now, &here), entry.name, (in_dump, &looked));
                } else if let (Ok(now), Ok(old)) = (now.enter(entry.name), old.enter(entry.name)) {
                    left.extend(self.is_on_mount(&now).then_some((now, old)));
                }
            }
        }
    }

    /// What is mounted below is not restored.
    fn is_on_mount(&self, now: &Side) -> bool {
        let opened = now.place.open();
        opened.is_ok_and(|dir| {
            let meta = stat::look_at(&*dir);
            meta.is_ok_and(|meta| self.mount.has(&*dir, &meta).is_ok_and(|yes| yes))
        })
    }

    fn name(
        &mut self,
        (now, here): (&Side, &Arc<OwnedFd>),
        name: &CStr,
        (old, looked): (Named<'_>, &Meta),
    ) {
        let id: Id = looked.id();
        if self.dump.counts.of(id).is_none_or(|names| names < 2) {
            return;
        }
        let path = now.below(name);
        let Ok(mount) = MountOf::of(&**here) else {
            return;
        };
        let names = self.dump.firsts.entry(id).or_default();
        names.retain(|name| name.restored.is_there());
        let Ok(there) = stat::look(here.as_fd(), name, Fresh::AsStat) else {
            return;
        };
        if names.iter().any(|name| name.mount == mount) || there.kind != looked.kind {
            return;
        }
        let here = named(here, name, &path);
        let same = self
            .comparer
            .same((here, &there), (old, looked), self.keep_going);
        if matches!(same, Ok(true)) {
            let restored = EarlierName {
                of: *looked,
                there,
                place: Arc::clone(&now.place),
                name: name.to_owned(),
            };
            names.push(Name { mount, restored });
        }
    }
}
