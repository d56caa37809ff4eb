//! Taking over the history that another program made: each of its copies becomes
//! a dump under its own date, the oldest first.
//!
//! The copies are only read. What is a dump already is not imported again: each
//! has the mark of which copy it is. So an import that was stopped can be
//! continued, and one that is repeated brings in what is new. `current` never
//! moves back, nor to what is dated in the future.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use chrono::{DateTime, Local, TimeDelta, Timelike as _, Utc};

use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::lacking::Lacking;
use crate::model::minute::Stamp;
use crate::model::report::Report;
use crate::model::tree::Tree;
use crate::policy::layout::{self, DumpId, DumpName};
use crate::policy::link::LinkPolicy;
use crate::policy::old_copies::{ImportFrom, OldCopy};
use crate::root::DumpRoot;
use crate::root::listing::Listing;
use crate::run::{RunOptions, takes_run_options};
use crate::snapshot::Snapshot;
use crate::sys::dir::{self, For, Lister};
use crate::sys::{errno, path, stat};

/// Imports the dated copies of another program into a dump root.
///
/// ```no_run
/// use dumpcore::{Import, ImportFrom, ImportState};
///
/// let import = Import::new(ImportFrom::Rsnapshot, "/backup", "/dump")
///     .within("localhost/home");
/// for copy in import.plan()? {
///     if let ImportState::New(name) = copy.state {
///         let report = import.copy(&copy)?;
///         println!("{name}: {} entries", report.counts.entries());
///     }
/// }
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is imported until its copies are"]
pub struct Import {
    from: ImportFrom,
    dir: PathBuf,
    dump: PathBuf,
    within: Option<PathBuf>,
    name: Option<OsString>,
    init: bool,
    contents: bool,
    options: RunOptions,
}

/// What becomes of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportState {
    /// It will be this dump.
    New(DumpName),
    /// It is this dump already.
    There(DumpName),
    /// It was interrupted, or is being made.
    Unfinished,
    /// That program is removing it.
    Removed,
    /// It has no such tree.
    NoTree,
    /// It is dated in the future.
    Future,
}

impl ImportState {
    /// One word in snake_case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New(_) => "new",
            Self::There(_) => "there",
            Self::Unfinished => "unfinished",
            Self::Removed => "removed",
            Self::NoTree => "no_tree",
            Self::Future => "future",
        }
    }
}

/// A copy that another program made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportCopy {
    /// Its directory.
    pub path: PathBuf,
    /// The trees in it, under the names that they get.
    pub trees: Vec<Tree>,
    /// When it was made; `None` of one that is left out.
    pub moment: Option<DateTime<Utc>>,
    /// What it lacks, as a dump of another root; of one that is there already,
    /// what the dump lacks.
    pub lacks: Option<Lacking>,
    /// What becomes of it.
    pub state: ImportState,
}

impl Import {
    /// The copies that this program made in `dir`, into the dump root `dump`.
    pub fn new(from: ImportFrom, dir: impl Into<PathBuf>, dump: impl Into<PathBuf>) -> Self {
        Self {
            from,
            dir: dir.into(),
            dump: dump.into(),
            within: None,
            name: None,
            init: false,
            contents: false,
            options: RunOptions::new(),
        }
    }

    /// Where in each copy the tree is. If it is not given, a copy is a tree as a
    /// whole; with Back In Time, what is in its `backup`; of dumps, all trees.
    pub fn within(mut self, path: impl Into<PathBuf>) -> Self {
        self.within = Some(path.into());
        self
    }

    /// The name that the tree gets in the dumps. If it is not given, the last
    /// name of its path within a copy, or else of `dir`.
    pub fn root_name(mut self, name: impl Into<OsString>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The dump root may be one that has no `current` yet.
    pub fn init(mut self, yes: bool) -> Self {
        self.init = yes;
        self
    }

    /// Compare the contents of every file with the dump before, instead of taking
    /// one of the same size and modification time for unchanged.
    pub fn contents(mut self, yes: bool) -> Self {
        self.contents = yes;
        self
    }

    takes_run_options!();

    /// All copies, the oldest first, then those that are left out. Takes no lock.
    ///
    /// # Errors
    /// A directory that cannot be listed; [`Error::SameRoot`] when the dumps are
    /// those of the dump root that is written.
    pub fn plan(&self) -> Result<Vec<ImportCopy>, Error> {
        let root = DumpRoot::open(&self.dump)?;
        if self.from == ImportFrom::Dump && is_same(&self.dir, &self.dump) {
            return Err(Error::SameRoot {
                from: self.dir.clone(),
                dump: self.dump.clone(),
            });
        }
        let mut copies = match self.from {
            ImportFrom::Dump => self.dumps()?,
            _ => self.copies()?,
        };
        copies.sort_by(|a, b| {
            let order = |copy: &ImportCopy| (copy.moment.is_none(), copy.moment);
            (order(a), &a.path).cmp(&(order(b), &b.path))
        });
        self.name_each(&root.listing(), &mut copies)?;
        Ok(copies)
    }

    /// Imports one of them: a new one.
    ///
    /// # Errors
    /// As for [`Snapshot::run`]: nothing of this copy was published.
    pub fn copy(&self, copy: &ImportCopy) -> Result<Report, Error> {
        let snapshot = copy
            .trees
            .iter()
            .fold(Snapshot::new(&self.dump), |snapshot, tree| {
                snapshot.main(tree.clone())
            });
        // All but the first come into a dump root that has one.
        let has_none = DumpRoot::open(&self.dump)?.current_name();
        let init = self.init && matches!(has_none, Ok(None));
        let policy = LinkPolicy::new().contents(self.contents);
        let mut snapshot = snapshot.init(init).allow_empty(true).policy(policy);
        if let (ImportState::New(name), Some(moment)) = (copy.state, copy.moment) {
            snapshot = snapshot.at(name.stamp).moment(moment);
        }
        snapshot = snapshot.import_of(self.origin(), copy.lacks);
        snapshot.options(self.options.clone()).run()
    }

    /// The dumps of another dump root.
    fn dumps(&self) -> Result<Vec<ImportCopy>, Error> {
        let root = DumpRoot::open(&self.dir)?;
        let listing = root.listing();
        let mut copies = Vec::new();
        for dated in listing.oldest_first(..) {
            let dated = dated?;
            let path = listing.path(dated.name);
            let names = root.trees(DumpId::Dump(dated.name));
            let wanted = |name: &OsString| {
                let within = self.within.as_deref();
                within.is_none_or(|within| within.as_os_str() == name)
            };
            let trees: Vec<Tree> = (names.iter().filter(|name| wanted(name)))
                .map(|name| self.tree(path.join(name), name))
                .collect();
            copies.push(ImportCopy {
                lacks: listing.lacks(dated.name),
                ..copy(path, trees, dated.moment)
            });
        }
        // A checkpoint has the moment of the dump that it copies, and comes
        // behind it.
        let mut met = BTreeSet::new();
        copies.retain(|copy| met.insert((copy.moment, names(&copy.trees))));
        Ok(copies)
    }

    /// The copies of a program that dates their directories.
    fn copies(&self) -> Result<Vec<ImportCopy>, Error> {
        let failed = Fault::at(Op::List, &self.dir);
        let listed = dir::open_root(&self.dir, For::Reading).and_then(Lister::all);
        let listed = listed.map_err(failed)?;
        let mut copies = Vec::new();
        let (mut newest, mut is_interrupted) = (None, false);
        for entry in listed.iter() {
            let name = OsStr::from_bytes(entry.name.to_bytes());
            is_interrupted |= self.from.unfinished_mark().is_some_and(|mark| name == mark);
            let path = self.dir.join(name);
            let state = match self.from.read(name.as_bytes()) {
                OldCopy::Other => continue,
                OldCopy::Unfinished => Err(ImportState::Unfinished),
                OldCopy::Removed => Err(ImportState::Removed),
                OldCopy::ByTime => Ok(None),
                OldCopy::Dated(civil) => Ok(Some(civil)),
            };
            let meta = path::look(&path).map_err(Fault::at(Op::Stat, &path))?;
            if meta.kind != Kind::Dir {
                continue;
            }
            let made = match state {
                Err(state) => {
                    copies.push(ImportCopy {
                        state,
                        ..copy(path, Vec::new(), None)
                    });
                    continue;
                }
                Ok(None) => DateTime::<Utc>::try_from(meta.mtime).ok(),
                Ok(Some(civil)) => {
                    let minute = Stamp::from_civil(civil).first_moment();
                    Some(minute + TimeDelta::seconds(civil.second().into()))
                }
            };
            newest = newest.max(made);
            let trees = self.tree_of(&path).into_iter().collect();
            copies.push(copy(path, trees, made));
        }
        for copy in &mut copies {
            if is_interrupted && copy.moment.is_some() && copy.moment == newest {
                (copy.state, copy.moment) = (ImportState::Unfinished, None);
            }
        }
        Ok(copies)
    }

    /// The tree in a copy; `None` where there is none.
    fn tree_of(&self, path: &Path) -> Option<Tree> {
        let below = Path::new(self.from.tree()).join(self.within.as_deref().unwrap_or("".as_ref()));
        // No symlink leads out of a copy, nor does `..`.
        let mut within = path.to_path_buf();
        for part in below.components() {
            let Component::Normal(name) = part else {
                return None;
            };
            within.push(name);
            path::look(&within)
                .ok()
                .filter(|meta| meta.kind == Kind::Dir)?;
        }
        let meta = path::look(&within).ok()?;
        let named = self.within.as_deref().and_then(layout::root_name);
        let own = named.or_else(|| layout::root_name(&self.dir));
        let name = own.unwrap_or_else(|| OsStr::new("tree"));
        (meta.kind == Kind::Dir).then(|| self.tree(within.clone(), name))
    }

    /// What an imported dump says of where it comes from.
    fn origin(&self) -> Vec<u8> {
        let dir = dir::real_path(&self.dir).unwrap_or_else(|| self.dir.clone());
        let within = self.within.as_deref().unwrap_or("".as_ref());
        let parts = [
            self.from.as_str().as_bytes(),
            dir.as_os_str().as_bytes(),
            within.as_os_str().as_bytes(),
        ];
        parts.join(&0)
    }

    /// Is this what a dump says of where it comes from that was made of this copy?
    /// The disk may have been mounted elsewhere then: there is nothing there now,
    /// or the same copy.
    fn is_of(&self, origin: &[u8], copy: &Path) -> bool {
        let own = self.origin();
        if own == origin {
            return true;
        }
        let (own, other): (Vec<_>, Vec<_>) = (parts(&own), parts(origin));
        let ([from, _, within], [other_from, dir, other_within]) = (&own[..], &other[..]) else {
            return false;
        };
        let there = Path::new(OsStr::from_bytes(dir));
        let there = copy.file_name().map(|name| there.join(name));
        let moved = there.is_some_and(|there| {
            let found = path::look(&there);
            found.is_err_and(|e| errno::is_missing(&e)) || is_same(&there, copy)
        });
        from == other_from && within == other_within && moved
    }

    fn tree(&self, path: PathBuf, name: &OsStr) -> Tree {
        let name = self.name.as_deref().unwrap_or(name);
        Tree::new(path).named(name)
    }

    /// Which dump each copy becomes, or is.
    fn name_each(&self, listing: &Listing, copies: &mut [ImportCopy]) -> Result<(), Error> {
        let mut there: BTreeMap<DateTime<Utc>, Vec<DumpName>> = BTreeMap::new();
        for dated in listing.oldest_first(..) {
            let dated = dated?;
            there.entry(dated.moment).or_default().push(dated.name);
        }
        let now = Utc::now();
        let mut planned = BTreeSet::new();
        for copy in copies {
            let Some(moment) = copy.moment else { continue };
            if copy.trees.is_empty() {
                copy.state = ImportState::NoTree;
                continue;
            }
            if moment > now {
                copy.state = ImportState::Future;
                continue;
            }
            let own = there.get(&moment).into_iter().flatten();
            let holds = |name: &DumpName| {
                let names = names(&copy.trees);
                names.iter().all(|tree| listing.has_tree(*name, tree))
            };
            let mut own = own.filter(|name| match listing.marked_moment(**name) {
                Some(_) => {
                    let origin = listing.origin(**name);
                    origin.is_some_and(|origin| self.is_of(&origin, &copy.path) && holds(name))
                }
                // Where dumps have no marks, their trees are all that tells.
                None => holds(name),
            });
            copy.state = match own.next() {
                Some(name) => {
                    copy.lacks = listing.lacks(*name);
                    ImportState::There(*name)
                }
                None => {
                    let mut stamp = Stamp::of(&moment.with_timezone(&Local));
                    while planned.contains(&stamp) || listing.taken(stamp)? {
                        let next = stamp.next();
                        if next == stamp {
                            break;
                        }
                        stamp = next;
                    }
                    planned.insert(stamp);
                    ImportState::New(DumpName::dump(stamp))
                }
            };
        }
        Ok(())
    }
}

fn copy(path: PathBuf, trees: Vec<Tree>, moment: impl Into<Option<DateTime<Utc>>>) -> ImportCopy {
    ImportCopy {
        path,
        trees,
        moment: moment.into(),
        lacks: None,
        state: ImportState::NoTree,
    }
}

/// The parts of an origin.
fn parts(origin: &[u8]) -> Vec<&[u8]> {
    origin.split(|byte| *byte == 0).collect()
}

/// Are they one directory?
fn is_same(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| {
        let handle = dir::open_root(path, For::Passing).ok()?;
        stat::look_at(&handle).ok().map(|meta| meta.id())
    };
    id(one).is_some_and(|one| id(other) == Some(one))
}

fn names(trees: &[Tree]) -> Vec<OsString> {
    trees.iter().filter_map(Tree::name_in_dump).collect()
}
