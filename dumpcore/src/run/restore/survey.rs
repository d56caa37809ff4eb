//! What stands at a place, held against a version of it: what would go for
//! good, whether anything differs, and what is in the way.
//!
//! Both are walked in step, by handles and last names, and no symlink is
//! followed. For what goes, names and types count, not contents: that a file
//! becomes the older one is what was asked for. What is made after the look is
//! not counted, and goes as well.
//!
//! Where something is mounted inside, what is there would be removed with the
//! rest, on a disk that nobody named; what is immutable could not be removed
//! when all the rest has been; and a dump root would take all history along.
//! Each of these is refused before anything is touched.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::request::Named;
use super::same::Comparer;
use super::spared::Spared;
use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::fs::mount::MountOf;
use crate::fs::store::NameAt;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::{Capabilities, Id, Meta};
use crate::model::restore::{RestoreError, WouldRemove};
use crate::policy::layout;
use crate::sys::dir::{self, Chunk, For};
use crate::sys::errno;
use crate::sys::name::c_name;
use crate::sys::stat::{self, Details};

/// How many directories stay open at most, however deep it goes.
pub(super) const OPEN: usize = 64;

/// What is looked for.
pub(super) struct Wanted<'a> {
    /// The dump root, which must not go.
    pub(super) dump_root: Option<Id>,
    /// Compare everything, by what the version's filesystem could keep.
    pub(super) compare: Option<&'a Capabilities>,
    /// What does not go although the version does not have it.
    pub(super) spared: Option<Spared<'a>>,
    pub(super) keep_going: &'a dyn Fn() -> bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The entry of the name; `None` when there is none.
    pub(super) there: Option<Meta>,
    pub(super) removes: WouldRemove,
    /// What is spared, wherever the version does not have it.
    spared: WouldRemove,
    /// Does anything differ? Known only where everything was compared.
    pub(super) differs: bool,
}

/// Looks at a place and at the version that is to take it.
pub(super) fn survey(
    now: Named<'_>,
    old: Named<'_>,
    wanted: &Wanted<'_>,
) -> Result<Found, RestoreError> {
    let details = match stat::details(now.at.dir, now.at.name) {
        Ok(details) => details,
        Err(e) if errno::is_missing(&e) => {
            return Ok(Found {
                differs: true,
                ..Found::default()
            });
        }
        Err(e) => return Err(Fault::at(Op::Stat, now.path)(e).into()),
    };
    let mut walk = Walk {
        wanted,
        of: now.path,
        mount: MountOf::of(now.at.dir).map_err(Fault::at(Op::Stat, now.path))?,
        comparer: wanted.compare.map(Comparer::new),
        found: Found {
            there: Some(details.meta),
            ..Found::default()
        },
    };
    walk.may_go(&details, now.path)?;
    let same = walk.entry(now, old, &details.meta, None)?;
    if details.meta.kind != Kind::Dir {
        return Ok(walk.found);
    }
    let slots = HandleCache::new(OPEN);
    let Some(top) = Side::top(now, &slots)? else {
        walk.closed(now.path, same);
        return Ok(walk.found);
    };
    let old = same.then(|| Side::top(old, &slots)).transpose()?;
    let mut left = vec![(top, old.flatten())];
    while let Some((now, old)) = left.pop() {
        if !(wanted.keep_going)() {
            let path = walk.of.to_path_buf();
            return Err(RestoreError::Interrupted { path });
        }
        let below = walk.directory(&now, old.as_ref())?;
        left.extend(below.into_iter().rev());
    }
    Ok(walk.found)
}

/// What goes with an entry that is deleted.
#[derive(Debug, Default)]
pub(super) struct Going {
    /// Itself and all below it, but for what is spared.
    pub(super) removes: WouldRemove,
    /// What is spared; it keeps the directories that it is in.
    pub(super) spared: WouldRemove,
}

/// What goes with an entry that is deleted.
///
/// All of it must be on this mount, that of the place: inside a mount, the
/// directory that an entry is in would not tell.
pub(super) fn going(
    now: Named<'_>,
    wanted: &Wanted<'_>,
    mount: MountOf,
) -> Result<Going, RestoreError> {
    let details = stat::details(now.at.dir, now.at.name).map_err(Fault::at(Op::Stat, now.path))?;
    let mut walk = Walk {
        wanted,
        of: now.path,
        mount,
        comparer: None,
        found: Found::default(),
    };
    walk.may_go(&details, now.path)?;
    walk.found.removes.count(now.path, true);
    let mut left = Vec::new();
    if details.meta.kind == Kind::Dir {
        left.extend(Side::top(now, &HandleCache::new(OPEN))?);
    }
    while let Some(side) = left.pop() {
        if !(wanted.keep_going)() {
            let path = now.path.to_path_buf();
            return Err(RestoreError::Interrupted { path });
        }
        let below = walk.directory(&side, None)?;
        left.extend(below.into_iter().map(|(side, _)| side));
    }
    let Found {
        removes, spared, ..
    } = walk.found;
    Ok(Going { removes, spared })
}

struct Walk<'a> {
    wanted: &'a Wanted<'a>,
    /// What is to be restored.
    of: &'a Path,
    /// The mount that all of it must be on.
    mount: MountOf,
    comparer: Option<Comparer<'a>>,
    found: Found,
}

impl Walk<'_> {
    /// Can it be removed with the rest, and may it?
    fn may_go(&self, details: &Details, path: &Path) -> Result<(), RestoreError> {
        let to_path = || path.to_path_buf();
        if !self.mount.has_entry(details) {
            return Err(RestoreError::Mounted { path: to_path() });
        }
        if details.is_fixed {
            return Err(RestoreError::Immutable { path: to_path() });
        }
        if self.wanted.dump_root == Some(details.meta.id()) {
            let of = self.of.to_path_buf();
            return Err(RestoreError::HoldsDumps {
                path: to_path(),
                of,
            });
        }
        Ok(())
    }

    /// An entry that both may have: is it of one type in both? Else it counts.
    /// `listed` is the version's type, where its listing has it.
    fn entry(
        &mut self,
        now: Named<'_>,
        old: Named<'_>,
        meta: &Meta,
        listed: Option<Kind>,
    ) -> Result<bool, RestoreError> {
        let compares = self.comparer.is_some() && !self.found.differs;
        if !compares && listed == Some(meta.kind) {
            return Ok(true);
        }
        let looked = match stat::look(old.at.dir, old.at.name, stat::Fresh::Cached) {
            Ok(looked) => Some(looked),
            Err(e) if errno::is_missing(&e) => None,
            Err(e) => return Err(Fault::at(Op::Stat, old.path)(e).into()),
        };
        let Some(looked) = looked.filter(|looked| looked.kind == meta.kind) else {
            self.found.differs = true;
            self.found.removes.count(now.path, true);
            return Ok(false);
        };
        if !self.found.differs
            && let Some(comparer) = &mut self.comparer
        {
            let same = comparer.same((now, meta), (old, &looked), self.wanted.keep_going)?;
            self.found.differs = !same;
        }
        Ok(true)
    }

    /// A directory that may not be listed goes with all that is in it, unseen:
    /// it counts as one entry, also where the version has it.
    fn closed(&mut self, path: &Path, in_version: bool) {
        self.found.differs = true;
        if in_version {
            self.found.removes.count(path, true);
        }
    }

    /// A directory of the place, and the same in the version, if that has it;
    /// else all that is in it is counted. What is to be walked below.
    fn directory(
        &mut self,
        now: &Side,
        old: Option<&Side>,
    ) -> Result<Vec<(Side, Option<Side>)>, RestoreError> {
        let (handle, names) = now.list()?;
        if is_dump_root(&handle, &names) {
            return Err(RestoreError::HoldsDumps {
                path: now.path.clone(),
                of: self.of.to_path_buf(),
            });
        }
        let old = old.map(|old| Ok::<_, Fault>((old, old.list()?)));
        let old = old.transpose()?;
        let mut below = Vec::new();
        for entry in names.iter() {
            let path = now.below(entry.name);
            let details = match stat::details(handle.as_fd(), entry.name) {
                Ok(details) => details,
                // Gone since it was listed: nothing of it can go any more.
                Err(e) if errno::is_missing(&e) => continue,
                Err(e) => return Err(Fault::at(Op::Stat, &path)(e).into()),
            };
            if self.wanted.spares(&path, details.meta.kind == Kind::Dir) {
                self.found.spared.count(&path, true);
                continue;
            }
            self.may_go(&details, &path)?;
            let at = old
                .as_ref()
                .and_then(|(_, (_, names))| names.find(entry.name));
            let in_both = match (&old, at) {
                (Some((side, (dir, names))), Some(at)) => {
                    let old_path = side.below(entry.name);
                    let old = named(dir, entry.name, &old_path);
                    let now = named(&handle, entry.name, &path);
                    let same = self.entry(now, old, &details.meta, names.get(at).kind)?;
                    same.then_some(*side)
                }
                _ => {
                    self.found.differs = true;
                    self.found.removes.count(&path, old.is_some());
                    None
                }
            };
            if details.meta.kind == Kind::Dir {
                below.extend(self.enter(now, in_both, entry.name, &path)?);
            }
        }
        if let Some((_, (_, in_old))) = &old {
            self.found.differs |= in_old.iter().any(|entry| names.find(entry.name).is_none());
        }
        Ok(below)
    }

    fn enter(
        &mut self,
        now: &Side,
        old: Option<&Side>,
        name: &CStr,
        path: &Path,
    ) -> Result<Option<(Side, Option<Side>)>, RestoreError> {
        let side = match now.enter(name) {
            Ok(side) => side,
            Err(fault) if errno::is_missing(&fault.cause) => return Ok(None),
            Err(fault) if errno::is_not_permitted(&fault.cause) => {
                self.closed(path, old.is_some());
                return Ok(None);
            }
            Err(fault) => return Err(fault.into()),
        };
        match old.map(|old| old.enter(name)).transpose() {
            Ok(old) => Ok(Some((side, old))),
            // What may not be listed of the version counts as nothing.
            Err(fault) if errno::is_not_permitted(&fault.cause) => Ok(Some((side, None))),
            Err(fault) => Err(fault.into()),
        }
    }
}

impl Wanted<'_> {
    /// Does an entry stay although the version does not have it?
    pub(super) fn spares(&self, path: &Path, is_dir: bool) -> bool {
        let spared = self.spared.as_ref();
        spared.is_some_and(|spared| spared.has(path, is_dir))
    }

    /// Is a directory with these names, which are sorted, a dump root: that of the
    /// version, or one that looks like it?
    pub(super) fn is_dump_root(&self, dir: &OwnedFd, names: &Chunk) -> bool {
        let is_known = || stat::look_at(dir).is_ok_and(|meta| self.dump_root == Some(meta.id()));
        is_dump_root(dir, names) || self.dump_root.is_some() && is_known()
    }
}

/// Does a directory with these names, which are sorted, look like a dump root?
pub(super) fn is_dump_root(dir: &OwnedFd, names: &Chunk) -> bool {
    let is = |name: &str, kind| {
        let name = c_name(name.as_bytes());
        let looked = |at| {
            let listed = names.get(at).kind;
            listed.or_else(|| {
                Some(
                    stat::look(dir.as_fd(), &name, stat::Fresh::Cached)
                        .ok()?
                        .kind,
                )
            })
        };
        names.find(&name).and_then(looked) == Some(kind)
    };
    is(layout::STATE_DIR, Kind::Dir)
        && (is(layout::CURRENT, Kind::Symlink) || is(layout::CURRENT_CHECKPOINT, Kind::Symlink))
}

pub(super) fn named<'a>(dir: &'a OwnedFd, name: &'a CStr, path: &'a Path) -> Named<'a> {
    let dir = dir.as_fd();
    let at = NameAt { dir, name };
    Named { at, path }
}

/// A directory of one side.
pub(super) struct Side {
    pub(super) place: Arc<DirHandle>,
    pub(super) path: PathBuf,
}

impl Side {
    /// The first one; `None` when it may not be listed.
    pub(super) fn top(named: Named<'_>, slots: &Arc<HandleCache>) -> Result<Option<Self>, Fault> {
        let opened = dir::open_dir(named.at.dir, named.at.name, For::Reading);
        match opened.and_then(|dir| DirHandle::top(dir, For::Reading, slots)) {
            Ok(entered) => Ok(Some(Self {
                place: entered.place,
                path: named.path.to_path_buf(),
            })),
            Err(error) if errno::is_not_permitted(&error) => Ok(None),
            Err(error) => Err(Fault::at(Op::Open, named.path)(error)),
        }
    }

    pub(super) fn enter(&self, name: &CStr) -> Result<Self, Fault> {
        let path = self.below(name);
        match self.place.enter(name, For::Reading) {
            Ok(entered) => Ok(Self {
                place: entered.place,
                path,
            }),
            Err(error) => Err(Fault::at(Op::Open, &path)(error)),
        }
    }

    /// Its handle, and what it holds, ordered by name.
    pub(super) fn list(&self) -> Result<(Arc<OwnedFd>, Chunk), Fault> {
        let handle = self.place.open().map_err(Fault::at(Op::Open, &self.path))?;
        let listed = dir::list_all(handle.as_fd(), For::Reading);
        let mut names = listed.map_err(Fault::at(Op::List, &self.path))?;
        names.sort_by_name();
        Ok((handle, names))
    }

    pub(super) fn below(&self, name: &CStr) -> PathBuf {
        self.path.join(OsStr::from_bytes(name.to_bytes()))
    }
}
