//! Other copies of what is found damaged while a dump is copied: those that a heal
//! would take.

use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::book::Damage;
use super::copies::{Copies, Verdict};
use super::look::Bad;
use super::worksite::Worksite;
use crate::catalog::{Facts, HashState, InodeId, ScrubRow, View};
use crate::engine::{Doubt, GoodCopies, GoodCopy, Opinion};
use crate::model::error::Error;
use crate::model::event::Silent;
use crate::model::path::RelPath;
use crate::model::tree::Tree;
use crate::root::DumpRoot;
use crate::run::RunOptions;
use crate::sys::lock::lock;
use crate::tend::scrubbed::DamageKind;

/// Where copies may be of what a dump root has.
pub(crate) struct CopiesElsewhere<'r> {
    root: &'r DumpRoot,
    options: RunOptions,
    mains: Vec<(RelPath, PathBuf)>,
    from: Vec<PathBuf>,
    /// Opened when something is damaged.
    opened: Mutex<Option<Copies>>,
}

impl<'r> CopiesElsewhere<'r> {
    /// Of `root`: in its own dumps, in trees by their names there, and in other dump
    /// roots.
    pub(crate) fn new(
        root: &'r DumpRoot,
        options: &RunOptions,
        mains: Vec<(RelPath, PathBuf)>,
        from: Vec<PathBuf>,
    ) -> Self {
        Self {
            root,
            // What is read here is not what is copied.
            options: options.clone().observer(Arc::new(Silent)),
            mains,
            from,
            opened: Mutex::default(),
        }
    }

    fn verdict(&self, doubt: &Doubt<'_>) -> Result<Option<Verdict>, Error> {
        let Some(view) = View::open(self.root)? else {
            return Ok(None);
        };
        let facts = Facts::of(doubt.meta);
        let holders = view.holders_of((doubt.meta.ino, facts.born))?;
        let named = holders
            .first()
            .and_then(|holder| Some((*holder.dumps.last()?, holder.path.clone())));
        let Some((dump, path)) = named else {
            return Ok(None);
        };
        let kind = match doubt.read {
            Some(_) => DamageKind::Contents,
            None => DamageKind::ReadError,
        };
        let damage = Damage {
            row: ScrubRow {
                inode: InodeId(0),
                facts,
                hash: HashState::Recorded(doubt.recorded),
                xattrs: None,
                dump,
                path,
            },
            bad: Bad {
                kind,
                cause: None,
                hash: doubt.read,
                attributes: false,
            },
            holders,
        };
        let site = Worksite::new(self.root, &self.options, None);
        let mut opened = lock(&self.opened);
        let copies = opened.get_or_insert_with(|| Copies::open(&self.mains, &self.from));
        copies.of(&site, &view, &damage).map(Some)
    }
}

impl GoodCopies for CopiesElsewhere<'_> {
    fn of(&self, doubt: &Doubt<'_>) -> Opinion {
        // Where nothing can be asked, nothing is known to be good.
        match self.verdict(doubt) {
            Ok(Some(Verdict::Catalog)) => Opinion::CatalogIsWrong,
            Ok(Some(Verdict::Good(good))) => match good.into_iter().next() {
                Some(copy) => Opinion::Good(GoodCopy {
                    path: copy.path,
                    file: copy.file,
                }),
                None => Opinion::None,
            },
            Ok(None) | Err(_) => Opinion::None,
        }
    }
}

/// Trees by their names in dumps.
pub(crate) fn named(mains: &[Tree]) -> Vec<(RelPath, PathBuf)> {
    let named = mains.iter().filter_map(|main| {
        let name = main.name.as_deref().or(main.path.file_name())?;
        Some((RelPath::from_bytes(name.as_bytes()), main.path.clone()))
    });
    named.collect()
}
