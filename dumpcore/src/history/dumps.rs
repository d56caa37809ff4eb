//! All dumps of a dump root, with what is known of each.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::catalog::CatalogView;
use super::usage::own_bytes;
use crate::catalog::DumpSizes;
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::lacking::Lacking;
use crate::policy::layout::{self, DumpId, LinkTarget, Sort};
use crate::policy::retention::KeepCandidate;
use crate::root::DumpRoot;
use crate::sys::errno;
use crate::sys::parallel::in_parallel;

/// A dump, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpInfo {
    /// Which one.
    pub dump: DumpId,
    /// Its directory.
    pub path: PathBuf,
    /// When it was made; `None` of a first copy.
    pub moment: Option<DateTime<Utc>>,
    /// What it lacks, since it could not be read; `None` of one that is complete.
    pub lacks: Option<Lacking>,
    /// The names of its trees.
    pub trees: Vec<OsString>,
    /// The links of the dump root that name it: `current`, `current_chk`.
    pub links: Vec<PathBuf>,
    /// Its pins.
    pub pins: Vec<PathBuf>,
    /// How many names it has; `None` where that was not noted.
    pub entries: Option<u64>,
    /// Space taken by what no older dump had when it was made, in bytes; with
    /// its directories. `None` without the catalog.
    pub added_bytes: Option<u64>,
    /// Space that removing it alone would free, in bytes. `None` without the
    /// catalog.
    pub unique_bytes: Option<u64>,
    /// Is it a checkpoint that is linked to others of a chain, and shares nothing
    /// with dumps?
    pub is_linked: bool,
    /// How many inodes it has that no older dump on disk has, its directories
    /// among them. `None` without the catalog.
    pub added_inodes: Option<u64>,
}

/// When a dump was made; `None` of a first copy.
type Moment = Option<DateTime<Utc>>;

/// The links of a dump root that name a dump.
#[derive(Debug, Default)]
struct Links {
    ours: Vec<PathBuf>,
    pins: Vec<PathBuf>,
}

impl DumpInfo {
    /// Is it a copy that shares nothing with older dumps?
    #[must_use]
    pub fn is_checkpoint(&self) -> bool {
        matches!(self.dump, DumpId::Dump(name) if name.sort == Sort::Checkpoint)
    }
}

impl From<&DumpInfo> for KeepCandidate {
    fn from(info: &DumpInfo) -> Self {
        let mut candidate = Self::new(info.dump, info.moment, info.trees.clone());
        candidate.is_partial = info.lacks.is_some();
        candidate.links = info.links.iter().chain(&info.pins).cloned().collect();
        candidate
    }
}

impl DumpRoot {
    /// All published dumps and a first copy, the oldest first. With the catalog
    /// also what each of them holds.
    ///
    /// # Errors
    /// The dump root, or the catalog, cannot be read.
    pub fn dumps(&self, catalog: Option<&CatalogView>) -> Result<Vec<DumpInfo>, Error> {
        let sizes = match catalog {
            None => Vec::new(),
            Some(catalog) => catalog
                .view
                .sizes()
                .map_err(|e| Error::Other(Box::new(e)))?,
        };
        let sizes: HashMap<DumpId, DumpSizes> =
            sizes.into_iter().map(|sizes| (sizes.dump, sizes)).collect();
        let mut named = self.named()?;
        let dumps = self.with_moments()?;
        // Where there are years of them this is most of the time.
        let mut each = in_parallel(&dumps, |dump| self.info(*dump, sizes.get(&dump.0)));
        for info in &mut each {
            let links = named.remove(&info.dump).unwrap_or_default();
            (info.links, info.pins) = (links.ours, links.pins);
        }
        Ok(each)
    }

    /// What is known of a dump, apart from the links that name it.
    fn info(&self, (dump, moment): (DumpId, Moment), sizes: Option<&DumpSizes>) -> DumpInfo {
        let listing = self.listing();
        let own = match sizes {
            Some(_) => own_bytes(self.path(), dump),
            None => 0,
        };
        DumpInfo {
            dump,
            path: self.path().join(dump.path()),
            moment,
            lacks: dump.name().and_then(|name| listing.lacks(name)),
            trees: match sizes {
                Some(sizes) => {
                    let names = sizes.trees.iter();
                    names.map(|name| OsString::from_vec(name.clone())).collect()
                }
                None => self.trees(dump),
            },
            links: Vec::new(),
            pins: Vec::new(),
            entries: match sizes {
                Some(sizes) => Some(sizes.entries),
                None => dump.name().and_then(|name| listing.noted_names(name)),
            },
            added_bytes: sizes.map(|sizes| sizes.added + own),
            unique_bytes: sizes.map(|sizes| sizes.unique + own),
            is_linked: self.is_linked(dump),
            added_inodes: sizes.map(|sizes| sizes.added_inodes),
        }
    }

    /// What the rules of retention are to know of all published dumps and a first
    /// copy, the oldest first.
    ///
    /// # Errors
    /// The dump root cannot be read.
    pub fn keep_candidates(&self) -> Result<Vec<KeepCandidate>, Error> {
        let mut named = self.named()?;
        let listing = self.listing();
        let dumps = self.with_moments()?;
        // Where there are years of them this is most of the time.
        let looked = in_parallel(&dumps, |(dump, _)| {
            let lacks = dump.name().and_then(|name| listing.lacks(name));
            (lacks.is_some(), self.trees(*dump))
        });
        let each = dumps.into_iter().zip(looked);
        let each = each.map(|((dump, moment), (is_partial, trees))| {
            let Links { ours, pins } = named.remove(&dump).unwrap_or_default();
            let mut candidate = KeepCandidate::new(dump, moment, trees);
            candidate.is_partial = is_partial;
            candidate.links = ours.into_iter().chain(pins).collect();
            candidate
        });
        Ok(each.collect())
    }

    /// All published dumps and a first copy with their moments, the oldest first.
    fn with_moments(&self) -> Result<Vec<(DumpId, Moment)>, Error> {
        let mut dumps = Vec::new();
        if self.has(DumpId::First)? {
            dumps.push((DumpId::First, None));
        }
        for dated in self.listing().oldest_first(..) {
            let dated = dated?;
            dumps.push((DumpId::Dump(dated.name), Some(dated.moment)));
        }
        Ok(dumps)
    }

    /// The names of the trees in a dump, in the order of their bytes; none where
    /// it does not exist, or may not be listed.
    #[must_use]
    pub fn trees(&self, dump: DumpId) -> Vec<OsString> {
        self.list_trees(dump).unwrap_or_default()
    }

    /// The names of the trees in a dump; none where it does not exist.
    ///
    /// # Errors
    /// The dump cannot be listed.
    pub(super) fn list_trees(&self, dump: DumpId) -> Result<Vec<OsString>, Fault> {
        let path = self.path().join(dump.path());
        let listed = match super::read::list(&path) {
            Ok(listed) => listed,
            Err(cause) if errno::has_changed(&cause) => return Ok(Vec::new()),
            Err(cause) => return Err(Fault::new(Op::List, path, cause)),
        };
        let names = listed.iter().filter(|entry| match entry.kind {
            Some(kind) => kind == Kind::Dir,
            None => {
                let tree = OsString::from_vec(entry.name.to_bytes().to_vec());
                self.open_dump(&dump.rel_path().join(tree.as_encoded_bytes()))
                    .is_ok()
            }
        });
        let names = names.map(|entry| OsString::from_vec(entry.name.to_bytes().to_vec()));
        Ok(names.collect())
    }

    /// By dump: the links that name it.
    fn named(&self) -> Result<HashMap<DumpId, Links>, Error> {
        let mut named: HashMap<DumpId, Links> = HashMap::new();
        let id = |target: LinkTarget| target.name.map_or(DumpId::First, DumpId::Dump);
        for link in [layout::CURRENT, layout::CURRENT_CHECKPOINT] {
            match self.link(link) {
                Ok(Some(target)) => named.entry(id(target)).or_default().ours.push(link.into()),
                // That it is broken is for others to tell: the dumps are there.
                Ok(None) | Err(Error::BadCurrent { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for pin in self.pins()? {
            named.entry(pin.dump).or_default().pins.push(pin.name);
        }
        Ok(named)
    }
}
