//! The history of one path: its versions through the dumps, oldest first.
//!
//! Fast by design: one `lstat` a dump, and a version with the inode of the
//! version before is that version, unread. What the dumps cost besides is one
//! listing of each year and day. Only the named path is touched; when renames
//! are to be followed, also the listings of two dumps wherever it appears.
//!
//! Dumps are first condensed into runs of the same state (a version, or its
//! absence); what is asked for is chosen among the runs; and the changes are
//! those between the runs that are left.

use std::ops::Bound;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::catalog::CatalogView;
use super::change::{Change, Changes, Event, told};
use super::compare::{Difference, judged};
use super::compare_options::CompareOptions;
use super::half_dump::half_dumps;
use super::locate::{LocatedIn, Location};
use super::navigator::{Navigator, tree_of};
use super::read::makes_up_inodes;
use super::rename::{Renamed, Search};
use super::spans::{Keep, Span, thinned};
use super::version::{Version, is_inside, look};
use crate::model::fault::Fault;
use crate::model::path::RelPath;
use crate::policy::layout::DumpName;
use crate::root::listing::Dated;
use crate::sys::path;

/// Tells the history of a place.
#[derive(Clone, Debug)]
#[must_use = "a history does nothing until it is run"]
pub struct History<'a> {
    navigator: &'a Navigator,
    place: &'a Location,
    from: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    every: Option<Keep>,
    with_main: bool,
    follow: bool,
    catalog: Option<&'a CatalogView>,
    counts: bool,
    options: CompareOptions,
}

impl Navigator {
    /// The history of a place.
    pub fn history<'a>(&'a self, place: &'a Location) -> History<'a> {
        History::new(self, place)
    }
}

impl<'a> History<'a> {
    fn new(navigator: &'a Navigator, place: &'a Location) -> Self {
        Self {
            navigator,
            place,
            from: None,
            until: None,
            every: None,
            with_main: false,
            follow: false,
            catalog: None,
            counts: true,
            options: CompareOptions::new(),
        }
    }

    /// Dumps of this moment and later only.
    pub fn from(mut self, earliest: DateTime<Utc>) -> Self {
        self.from = Some(earliest);
        self
    }

    /// Dumps of this moment and earlier only. A path in a dump ends with that
    /// dump in any case.
    pub fn until(mut self, latest: DateTime<Utc>) -> Self {
        self.until = Some(latest);
        self
    }

    /// Only the last version of each span, and a deletion that follows it
    /// within the span.
    pub fn every(mut self, every: Keep) -> Self {
        self.every = Some(every);
        self
    }

    /// Also how the main tree has it now.
    pub fn with_main(mut self, yes: bool) -> Self {
        self.with_main = yes;
        self
    }

    /// When the path appears: look in the dump before for the name it had,
    /// and continue there. With [`History::with_main`], also when it appears in
    /// the main tree.
    ///
    /// That name is one with the same inode; or one that is gone since, of the
    /// same type, size, modification time and contents (of a directory: the
    /// same names in it), if there is one that fits best. What was renamed and
    /// changed between two dumps is not found. The cost is a listing of all of
    /// both dumps for each appearance, and one look at each name that is gone;
    /// with [`History::catalog`] only what it records as gone is looked at.
    pub fn follow(mut self, yes: bool) -> Self {
        self.follow = yes;
        self
    }

    /// Asks the catalog for earlier names, where that knows the dumps; what it
    /// says is looked at in the dumps, so that the answer is the same as
    /// without.
    pub fn catalog(mut self, catalog: Option<&'a CatalogView>) -> Self {
        self.catalog = catalog;
        self
    }

    /// Whether the last dumps that lack a path which came back are counted, to see
    /// whether they lost entries: each is listed from top to bottom for that. Yes
    /// unless said otherwise.
    pub fn count_entries(mut self, yes: bool) -> Self {
        self.counts = yes;
        self
    }

    /// How far versions are compared.
    pub fn options(mut self, options: CompareOptions) -> Self {
        self.options = options;
        self
    }

    /// Reads the dumps.
    pub fn run(mut self) -> Changes {
        if makes_up_inodes(self.navigator.listing.root()) {
            self.options = self.options.trust_times();
        }
        let mut past = Changes {
            events: Vec::new(),
            faults: Vec::new(),
            dumps: 0,
            walked: 0,
            catalog_failed: None,
        };
        let now = self.now(&mut past);
        let (mut runs, renamed_from) = self.runs(now.as_ref(), &mut past);
        if let Some(every) = self.every {
            runs = thinned(runs, every);
        }
        let mut before: Option<Span> = None;
        for run in runs {
            let events = self.events(before.as_ref(), &run, &mut past.faults);
            match &mut before {
                // The same as before, now that those between are left out.
                Some(before) if events.is_empty() => before.last = run.last,
                before => *before = Some(run),
            }
            past.events.extend(events);
        }
        if let Some(now) = now {
            let events = self.main_events(before.as_ref(), now, renamed_from, &mut past.faults);
            past.events.extend(events);
        }
        if self.counts {
            let now = self.navigator.path_now(self.place);
            let is_there_now = || now.is_some_and(|now| path::exists(&now));
            let lost = half_dumps(&past.events, is_there_now);
            past.faults.extend(lost);
        }
        past
    }

    /// How the main tree has the path, when that is asked for and known.
    fn now(&self, past: &mut Changes) -> Option<Now> {
        let path = self.navigator.path_now(self.place)?;
        let looked = self.with_main.then(|| match self.place.typed_through {
            // Nothing of the tree: there is a symlink in its place.
            Some(_) => Ok(None),
            None => Version::at(&path),
        })?;
        match looked {
            Ok(version) => Some(Now { path, version }),
            Err(fault) => {
                past.faults.push(fault);
                None
            }
        }
    }

    /// The dump that counts as the last, where a path is in one.
    fn limit(&self) -> Option<Dated> {
        match self.place.located_in {
            LocatedIn::Dump(dump) => Some(self.navigator.listing.dated(dump)),
            LocatedIn::Main(_) => None,
        }
    }

    /// All runs, under all names that the path had; and the name in the last
    /// dump of what has another one now.
    fn runs(&self, now: Option<&Now>, past: &mut Changes) -> (Vec<Span>, Option<PathBuf>) {
        let mut within = self.place.within.clone();
        let mut limit = self.limit();
        let mut later = Vec::new();
        let mut runs = self.scan(&within, limit, past);
        let mut renamed_now = None;
        if let Some((dump, from)) = now.and_then(|now| self.find_rename_now(now, &runs, past)) {
            renamed_now = Some(from.below(&self.navigator.listing.path(dump.name)));
            runs = self.scan(&from, Some(dump), past);
            within = from;
        }
        loop {
            let Some((renamed, dump)) = self.find_rename(&within, &mut runs, past) else {
                runs.append(&mut later);
                return (runs, renamed_now);
            };
            let mut newer = runs.split_off(renamed.at);
            newer.append(&mut later);
            later = newer;
            within = renamed.from;
            limit = Some(dump);
            runs = self.scan(&within, limit, past);
        }
    }

    /// The runs of one name, up to a dump.
    fn scan(&self, within: &RelPath, limit: Option<Dated>, past: &mut Changes) -> Vec<Span> {
        let listing = &self.navigator.listing;
        let first = self.from.map_or(Bound::Unbounded, Bound::Included);
        let last = limit.map(|dump| dump.moment);
        let last = last.into_iter().chain(self.until).min();
        let last = last.map_or(Bound::Unbounded, Bound::Included);
        let mut runs = Vec::new();
        for dump in listing.oldest_first((first, last)) {
            if self.options.is_stopped() {
                break;
            }
            match dump {
                Ok(dump) if limit.is_some_and(|limit| dump > limit) => {}
                Ok(dump) => {
                    past.dumps += 1;
                    if let Err(fault) = self.extend(&mut runs, dump, within, &mut past.faults) {
                        past.faults.push(fault);
                    }
                }
                Err(fault) => past.faults.push(fault),
            }
        }
        runs
    }

    /// Adds what one dump has to the runs.
    fn extend(
        &self,
        runs: &mut Vec<Span>,
        dump: Dated,
        within: &RelPath,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Fault> {
        let top = self.navigator.listing.path(dump.name);
        let path = within.below(&top);
        let mut found = look(&path)?;
        let mut before = runs.last_mut();
        if let (Some(before), Some(meta)) = (&mut before, &found)
            && before.id == Some(meta.id())
        {
            before.last = dump;
            return Ok(());
        }
        if found.is_some() && !is_inside(&top, &path)? {
            found = None;
        }
        let Some(meta) = found else {
            match before {
                // A dump of other trees says nothing, nor does one that was
                // removed meanwhile.
                _ if !self.navigator.listing.has_tree(dump.name, tree_of(within)) => {}
                Some(before) if before.version.is_none() => before.last = dump,
                _ => runs.push(Span::new(dump, None)),
            }
            return Ok(());
        };
        let version = Version {
            path,
            dump: Some(dump.name),
            meta,
        };
        if let Some(before) = before
            && let Some(old) = &before.version
            && judged(old, &version, &self.options, faults) == Difference::Nothing
        {
            before.id = Some(meta.id());
            before.last = dump;
        } else {
            runs.push(Span::new(dump, Some(version)));
        }
        Ok(())
    }

    /// The newest appearance that is a rename, if any is to be found.
    fn find_rename(
        &self,
        within: &RelPath,
        runs: &mut [Span],
        past: &mut Changes,
    ) -> Option<(Renamed, Dated)> {
        if !self.follow {
            return None;
        }
        for at in (1..runs.len()).rev() {
            let dump = runs[at - 1].last;
            let (None, Some(version)) = (&runs[at - 1].version, &runs[at].version) else {
                continue;
            };
            let listing = &self.navigator.listing;
            let after = listing.path(runs[at].first.name);
            let search = Search {
                listing,
                before: dump.name,
                appeared: Some(runs[at].first.name),
                after: &|name| Some(name.below(&after)),
                inodes: !makes_up_inodes(listing.root()),
                catalog: self.catalog,
            };
            let outcome = search.find(within, version, &mut past.faults);
            if let Some(from) = outcome.counted(past) {
                runs[at].renamed_from = Some(from.below(&listing.path(dump.name)));
                return Some((Renamed { at, from }, dump));
            }
        }
        None
    }

    /// The last dump, and the name in it of what appears in the main tree.
    fn find_rename_now(
        &self,
        now: &Now,
        runs: &[Span],
        past: &mut Changes,
    ) -> Option<(Dated, RelPath)> {
        let (Some(version), Some(last)) = (&now.version, runs.last()) else {
            return None;
        };
        // After the dump that a path is in there may be others.
        let is_next = matches!(self.place.located_in, LocatedIn::Main(_));
        if !self.follow || !is_next || last.version.is_some() {
            return None;
        }
        let trees = self.navigator.trees.resolved();
        let search = Search {
            listing: &self.navigator.listing,
            before: last.last.name,
            appeared: None,
            after: &|name| trees.main_path(name),
            // The dumps have copies, never the inode itself.
            inodes: false,
            catalog: self.catalog,
        };
        let outcome = search.find(&self.place.within, version, &mut past.faults);
        let from = outcome.counted(past)?;
        Some((last.last, from))
    }

    /// What happened between two runs; nothing when they are the same.
    fn events(&self, before: Option<&Span>, run: &Span, faults: &mut Vec<Fault>) -> Vec<Event> {
        let old = before.and_then(|run| run.version.as_ref());
        let (changes, version) = match (old, &run.version) {
            (None, None) => return Vec::new(),
            (Some(old), None) => {
                let missing = self.navigator.listing.path(run.first.name);
                let last = before.map_or(run.last, |run| run.last).name;
                (vec![Change::Delete { missing }], self.in_dump(old, last))
            }
            (old, Some(new)) => {
                let changes = self.changes(old, new, run.renamed_from.clone(), faults);
                (changes, new.clone())
            }
        };
        told(changes, &version, old, false)
    }

    /// What led from one version, or its absence, to the next.
    fn changes(
        &self,
        old: Option<&Version>,
        new: &Version,
        renamed_from: Option<PathBuf>,
        faults: &mut Vec<Fault>,
    ) -> Vec<Change> {
        let Some(old) = old else {
            return vec![Change::Create];
        };
        let rename = renamed_from.map(|from| Change::Rename { from });
        let other = match judged(old, new, &self.options, faults) {
            Difference::Nothing => None,
            Difference::Metadata => Some(Change::Wstat),
            Difference::Content => Some(Change::Write),
        };
        rename.into_iter().chain(other).collect()
    }

    /// The same version, under its name in another dump.
    fn in_dump(&self, version: &Version, dump: DumpName) -> Version {
        let listing = &self.navigator.listing;
        let within = version.dump.and_then(|had| {
            let rest = version.path.strip_prefix(listing.path(had)).ok()?;
            Some(listing.path(dump).join(rest))
        });
        Version {
            path: within.unwrap_or_else(|| version.path.clone()),
            dump: Some(dump),
            meta: version.meta,
        }
    }

    /// How the main tree differs from the last dump.
    fn main_events(
        &self,
        last: Option<&Span>,
        now: Now,
        renamed_from: Option<PathBuf>,
        faults: &mut Vec<Fault>,
    ) -> Vec<Event> {
        let old = last.and_then(|run| run.version.as_ref());
        let (changes, version) = match (old, now.version) {
            (None, None) => return Vec::new(),
            (Some(old), None) => {
                let dump = last.map(|run| run.last.name).or(old.dump);
                let version = dump.map_or_else(|| old.clone(), |dump| self.in_dump(old, dump));
                (vec![Change::Delete { missing: now.path }], version)
            }
            (old, Some(new)) => {
                let mut changes = self.changes(old, &new, renamed_from, faults);
                if changes.is_empty() {
                    changes.push(Change::Same);
                }
                (changes, new)
            }
        };
        told(changes, &version, old, true)
    }
}

/// The same path in the main tree, and the entry there.
struct Now {
    path: PathBuf,
    version: Option<Version>,
}
