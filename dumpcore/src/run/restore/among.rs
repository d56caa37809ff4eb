//! Hard links among several restorations of one dump: which of its inodes were
//! restored under which name, so that names of them which come later become links.
//!
//! Only names that were held against the dump after they were restored are
//! remembered. Each is looked at again before a restoration begins, and what was linked
//! to it after that; only on the same mount can it be linked to.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::from::From;
use crate::engine::EarlierName;
use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::fs::link_counts::LinkCounts;
use crate::fs::mount::MountOf;
use crate::model::kind::Kind;
use crate::model::metadata::Id;
use crate::policy::layout::DumpName;
use crate::sys::lock::lock;

/// How many directories stay open at most.
const OPEN: usize = 64;

/// Versions of several paths that are restored one after the other. What has names
/// in more than one of them in the same dump gets one inode again, where it is
/// restored to one filesystem: see [`Restore::among`](crate::Restore::among).
#[derive(Clone, Debug)]
pub struct LinksAmong(pub(super) Arc<Among>);

#[derive(Debug)]
pub(super) struct Among {
    pub(super) versions: Vec<From>,
    pub(super) slots: Arc<HandleCache>,
    pub(super) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) dumps: HashMap<(PathBuf, DumpName), Restored>,
    /// The directories that places are reached from.
    pub(super) tops: Vec<(PathBuf, Arc<DirHandle>)>,
}

/// What is known of one dump.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// How many names its inodes have in all the versions.
    pub(super) counts: LinkCounts,
    pub(super) firsts: HashMap<Id, Vec<Name>>,
}

/// A name that an inode of the dump was restored under.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) mount: MountOf,
    pub(super) restored: EarlierName,
}

impl LinksAmong {
    pub(crate) fn new(versions: Vec<From>) -> Self {
        Self(Arc::new(Among {
            versions,
            slots: HandleCache::new(OPEN),
            state: Mutex::default(),
        }))
    }

    /// The names that a restoration of this version to that mount can link to.
    pub(super) fn earlier(&self, from: &From, mount: MountOf) -> HashMap<Id, EarlierName> {
        let state = lock(&self.0.state);
        let dump = from.dump.map(|dump| (from.root.clone(), dump));
        let Some(dump) = dump.and_then(|dump| state.dumps.get(&dump)) else {
            return HashMap::new();
        };
        let one = from.meta.id();
        let firsts: Vec<_> = match from.meta.kind {
            Kind::Dir => dump.firsts.iter().collect(),
            _ => dump.firsts.get_key_value(&one).into_iter().collect(),
        };
        let usable = |name: &&Name| name.mount == mount && name.restored.is_there();
        let named = |(id, names): (&Id, &Vec<Name>)| {
            let name = names.iter().find(usable)?;
            Some((*id, name.restored.clone()))
        };
        firsts.into_iter().filter_map(named).collect()
    }
}
