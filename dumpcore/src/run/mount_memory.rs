//! What a run learns about mounts from the dumps that it links to, and what it
//! tells the next one.
//!
//! A dump notes what was mounted below its trees. What the next one misses of
//! that it carries along with the name of the dump that has it, until it
//! returns; also where its directory went with it, or nobody looked.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::trees::{Recalled, Reference, Source};
use super::{Order, Run};
use crate::engine::{Mounts, MountsMet, Remembered, Totals};
use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::fs::mount_notes;
use crate::model::error::Error;
use crate::model::path::RelPath;
use crate::model::warning::Warning;
use crate::policy::layout;
use crate::policy::mounts::MountNote;
use crate::policy::touched::Touched;
use crate::root::staging::Staging;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::stat;

/// The mounts that may be missed, and where they were.
pub(super) struct Expected(Vec<(MountNote, bool, PathBuf, Arc<OwnedFd>)>);

/// What the engine learns about a tree's mounts.
pub(super) fn mounts_of(
    source: &mut Source,
    slots: &Arc<HandleCache>,
    of_source: &[MountNote],
) -> Mounts {
    let tree = source.name.to_bytes();
    let remembered = std::mem::take(&mut source.recalled).into_iter();
    let remembered = remembered.filter_map(|recalled| {
        let dump = match recalled.dump {
            Some((handle, touched)) => {
                let top = DirHandle::top(handle, For::Passing, slots).ok()?;
                Some((top.place, touched))
            }
            None => None,
        };
        Some(Remembered {
            path: RelPath::from_bytes(recalled.note.below(tree)?),
            note: recalled.note,
            was_away: recalled.was_away,
            dump,
        })
    });
    Mounts {
        remembered: remembered.collect(),
        of_source: of_source.to_vec(),
    }
}

impl Run {
    /// Recalls what was mounted below the trees; `touched` says which files of
    /// a dump's tree may have been touched. A checkpoint recalls nothing: it would
    /// be linked to the dump that has it.
    pub(super) fn recall_mounts(
        &self,
        order: &Order<'_>,
        sources: &mut [Source],
        touched: impl Fn(&Source, &OwnedFd) -> Touched,
    ) -> Expected {
        let mut expected = Vec::new();
        if order.sort == layout::Sort::Checkpoint {
            return Expected(expected);
        }
        for source in sources {
            let Some(reference) = source.reference.clone() else {
                continue;
            };
            let tree = source.name.to_bytes().to_vec();
            let notes = mount_notes::read(&reference.handle).into_iter();
            let notes = notes.filter(|note| note.below(&tree).is_some());
            let recalled = notes.filter_map(|note| self.recall(source, &reference, note, &touched));
            source.recalled = recalled.collect();
            let main = dir::reopen(source.handle.as_fd(), For::Passing).map(Arc::new);
            let Ok(main) = main else { continue };
            for Recalled { note, was_away, .. } in &source.recalled {
                let below = note.below(&tree).unwrap_or_default();
                let path = RelPath::from_bytes(below).below(&source.path);
                expected.push((note.clone(), *was_away, path, Arc::clone(&main)));
            }
        }
        Expected(expected)
    }

    fn recall(
        &self,
        source: &Source,
        reference: &Reference,
        note: MountNote,
        touched: &impl Fn(&Source, &OwnedFd) -> Touched,
    ) -> Option<Recalled> {
        let Some(last) = &note.last else {
            let last = Some(reference.path.as_bytes().to_vec());
            return Some(Recalled {
                note: MountNote { last, ..note },
                was_away: false,
                dump: None,
            });
        };
        // One that is gone cannot be linked to: nothing is left to recall.
        let path = RelPath::from_bytes(layout::dump_path(last)?);
        let handle = self.dump.open_dump(&path).ok()?;
        let touched = touched(source, &handle);
        Some(Recalled {
            note,
            was_away: true,
            dump: Some((handle, touched)),
        })
    }

    /// Notes what was met, and what is missed of what was expected; the latter
    /// is reported, once.
    pub(super) fn note_mounts(
        &self,
        order: &Order<'_>,
        met: MountsMet,
        expected: Expected,
        staging: Option<&Staging<'_>>,
        totals: &Totals<'_>,
    ) -> Result<(), Error> {
        let mut notes = met.into_notes();
        for (note, was_away, path, main) in expected.0 {
            if notes.iter().any(|met| met.path == note.path) || is_excluded(order, &note.path) {
                continue;
            }
            let told = was_away || order.merge.one_file_system || order.merge.source_is_dump;
            if !told && !is_mounted(&main, note.path.splitn(2, |b| *b == b'/').nth(1)) {
                let last = note.last.as_deref().map(OsStr::from_bytes);
                let last = PathBuf::from(last.unwrap_or_default());
                totals.warn(Warning::MountAway { path, last });
            }
            notes.push(note);
        }
        if order.sort == layout::Sort::Checkpoint {
            notes = order.mounted.clone();
        }
        let Some(staging) = staging else {
            return Ok(());
        };
        let text = MountNote::format(notes);
        if text.is_none() && !staging.resumed {
            return Ok(());
        }
        staging.mark(layout::MOUNTS_XATTR, text.as_deref())
    }
}

/// Is a path left out, or a directory above it?
fn is_excluded(order: &Order<'_>, path: &[u8]) -> bool {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let ends = ends.map(|(at, _)| at).chain([path.len()]);
    ends.into_iter()
        .any(|end| order.merge.filter.excludes(&path[..end], true))
}

/// Is something mounted there, that could not be entered?
fn is_mounted(main: &OwnedFd, below: Option<&[u8]>) -> bool {
    let mounted = || {
        let mut names: Vec<_> = below?.split(|byte| *byte == b'/').map(c_name).collect();
        let last = names.pop()?;
        let mut handle = dir::reopen(main.as_fd(), For::Passing).ok()?;
        for name in names {
            handle = dir::open_dir(handle.as_fd(), &name, For::Passing).ok()?;
        }
        Some(stat::look_at_mount(handle.as_fd(), &last).ok()?.is_root)
    };
    mounted().unwrap_or(false)
}
