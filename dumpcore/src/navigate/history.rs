//! The history of one path: its versions through the dumps, oldest first.
//!
//! Fast by design: one `lstat` a dump, and a version with the inode of the
//! version before is that version, unread. What the dumps cost besides is one
//! listing of each year and day. Only the named path is touched, and the
//! rest of one dump only when a rename is to be followed.
//!
//! Dumps are first condensed into runs of the same state (a version, or its
//! absence); what is asked for is chosen among the runs; and the changes are
//! those between the runs that are left.

use std::ops::Bound;
use std::path::PathBuf;

use super::Navigator;
use super::compare::{Difference, Trust, compare};
use super::locate::{Lies, Place};
use super::read::makes_up_inodes;
use super::rename;
use super::version::{Version, is_inside, look};
use crate::fault::Fault;
use crate::layout::DumpName;
use crate::meta::Id;
use crate::relpath::RelPath;
use crate::stamp::Stamp;

/// Tells the history of a place.
#[derive(Clone, Debug)]
#[must_use = "a history does nothing until it is run"]
pub struct History<'a> {
    navigator: &'a Navigator,
    place: &'a Place,
    from: Option<Stamp>,
    until: Option<Stamp>,
    every: Option<Every>,
    with_main: bool,
    follow: bool,
    trust: Trust,
}

/// A span of the calendar of which only the last version is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// A calendar year.
    Year,
    /// A month of one year.
    Month,
    /// A day of one year.
    Day,
    /// An hour of one day.
    Hour,
}

impl Every {
    /// What two minutes of the same span have in common.
    fn span(self, at: Stamp) -> (i32, u32, u32, u32) {
        let all = (at.year(), at.month(), at.day(), at.hour());
        match self {
            Every::Year => (all.0, 0, 0, 0),
            Every::Month => (all.0, all.1, 0, 0),
            Every::Day => (all.0, all.1, all.2, 0),
            Every::Hour => all,
        }
    }
}

/// What a history is made of.
#[derive(Debug)]
pub struct Past {
    /// The changes, the oldest first.
    pub events: Vec<Event>,
    /// What could not be read. A dump in which the path cannot be looked at
    /// is passed over; contents that cannot be read are judged by size and
    /// modification time.
    pub faults: Vec<Fault>,
    /// In how many dumps the path was looked for.
    pub dumps: usize,
}

/// A change of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub change: Change,
    /// The version that it led to; for [`Change::Delete`] the last one, in
    /// the last dump that had it.
    pub version: Version,
    /// The version before, when there was one.
    pub before: Option<Version>,
    /// Does it speak of the main tree as it is now?
    pub main: bool,
}

/// What happened to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It is there, and was not before.
    Create,
    /// Its content is another: see [`Difference::Content`].
    Write,
    /// Its metadata is another, and its content the same.
    Wstat,
    /// It is no longer there.
    Delete {
        /// The first dump that has it no more, or its path in the main tree.
        missing: PathBuf,
    },
    /// It is there, and the dump before had it under another name.
    Rename {
        /// That name, in the dump before.
        from: PathBuf,
    },
    /// Nothing: only said of the main tree.
    Same,
}

impl Change {
    /// The name that Plan 9 has for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Change::Create => "create",
            Change::Write => "write",
            Change::Wstat => "wstat",
            Change::Delete { .. } => "delete",
            Change::Rename { .. } => "rename",
            Change::Same => "same",
        }
    }
}

/// Consecutive dumps in which the path was the same.
#[derive(Clone, Debug)]
struct Run {
    /// The version in the first of them; `None` for its absence.
    version: Option<Version>,
    /// The inode in the last of them.
    id: Option<Id>,
    first: DumpName,
    last: DumpName,
    /// The name in the dump before, when it was another.
    renamed_from: Option<PathBuf>,
}

impl<'a> History<'a> {
    pub(super) fn new(navigator: &'a Navigator, place: &'a Place) -> Self {
        Self {
            navigator,
            place,
            from: None,
            until: None,
            every: None,
            with_main: false,
            follow: false,
            trust: Trust::Inode,
        }
    }

    /// Dumps of this minute and later only.
    pub fn from(mut self, earliest: Stamp) -> Self {
        self.from = Some(earliest);
        self
    }

    /// Dumps of this minute and earlier only: now, in general. A path in a
    /// dump ends with that dump in any case.
    pub fn until(mut self, latest: Stamp) -> Self {
        self.until = Some(latest);
        self
    }

    /// Only the last version of each span, and a deletion that follows it
    /// within the span.
    pub fn every(mut self, every: Every) -> Self {
        self.every = Some(every);
        self
    }

    /// Also how the main tree has it now.
    pub fn with_main(mut self, yes: bool) -> Self {
        self.with_main = yes;
        self
    }

    /// When a file appears: look in the dump before for its inode under
    /// another name, and go on there.
    pub fn follow(mut self, yes: bool) -> Self {
        self.follow = yes;
        self
    }

    /// Reads the dumps.
    pub fn run(mut self) -> Past {
        if makes_up_inodes(self.navigator.listing.root()) {
            self.trust = Trust::SizeAndTime;
        }
        let mut past = Past {
            events: Vec::new(),
            faults: Vec::new(),
            dumps: 0,
        };
        let mut runs = self.runs(&mut past);
        if let Some(every) = self.every {
            runs = thinned(runs, every);
        }
        let mut before: Option<Run> = None;
        for run in runs {
            let event = self.event(before.as_ref(), &run, &mut past.faults);
            match (&mut before, event) {
                // The same as before, now that those between are left out.
                (Some(before), None) => before.last = run.last,
                (before, event) => {
                    past.events.extend(event);
                    *before = Some(run);
                }
            }
        }
        if self.with_main {
            let event = self.main_event(before.as_ref(), &mut past.faults);
            past.events.extend(event);
        }
        past
    }

    /// The last dump that counts, in order of their names.
    fn limit(&self) -> Option<DumpName> {
        let by_date = self.until.map(DumpName::checkpoint);
        let by_place = match self.place.lies {
            Lies::Dump(dump) => Some(dump),
            Lies::Main(_) => None,
        };
        match (by_date, by_place) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// All runs, under whatever names the path had.
    fn runs(&self, past: &mut Past) -> Vec<Run> {
        let mut within = self.place.within.clone();
        let mut limit = self.limit();
        let mut later = Vec::new();
        loop {
            let mut runs = self.scan(&within, limit, past);
            let Some(renamed) = self.find_rename(&within, &mut runs, past) else {
                runs.append(&mut later);
                return runs;
            };
            let mut newer = runs.split_off(renamed.at);
            newer.append(&mut later);
            later = newer;
            within = renamed.from;
            limit = Some(renamed.dump);
        }
    }

    /// The runs of one name, up to a dump.
    fn scan(&self, within: &RelPath, limit: Option<DumpName>, past: &mut Past) -> Vec<Run> {
        let listing = &self.navigator.listing;
        let first = self.from.map_or(Bound::Unbounded, Bound::Included);
        let last = limit.map_or(Bound::Unbounded, |dump| Bound::Included(dump.stamp));
        let mut runs = Vec::new();
        for dump in listing.oldest_first((first, last)) {
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
        runs: &mut Vec<Run>,
        dump: DumpName,
        within: &RelPath,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Fault> {
        let top = self.navigator.listing.path(dump);
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
                Some(before) if before.version.is_none() => before.last = dump,
                // A dump that was removed meanwhile says nothing.
                _ if look(&top)?.is_none() => {}
                _ => runs.push(Run::new(dump, None)),
            }
            return Ok(());
        };
        let version = Version {
            path,
            dump: Some(dump),
            meta,
        };
        if let Some(before) = before
            && let Some(old) = &before.version
            && self.judged(old, &version, faults) == Difference::Nothing
        {
            before.id = Some(meta.id());
            before.last = dump;
        } else {
            runs.push(Run::new(dump, Some(version)));
        }
        Ok(())
    }

    /// The newest appearance that is a rename, if any is to be found.
    fn find_rename(
        &self,
        within: &RelPath,
        runs: &mut [Run],
        past: &mut Past,
    ) -> Option<rename::Renamed> {
        if !self.follow {
            return None;
        }
        for at in (1..runs.len()).rev() {
            let dump = runs[at - 1].last;
            let (None, Some(version)) = (&runs[at - 1].version, &runs[at].version) else {
                continue;
            };
            let top = self.navigator.listing.path(dump);
            if let Some(from) = rename::find(&top, within, &version.meta, &mut past.faults) {
                runs[at].renamed_from = Some(from.below(&top));
                return Some(rename::Renamed { at, dump, from });
            }
        }
        None
    }

    /// What happened between two runs; nothing when they are the same.
    fn event(&self, before: Option<&Run>, run: &Run, faults: &mut Vec<Fault>) -> Option<Event> {
        let old = before.and_then(|run| run.version.as_ref());
        let (change, version) = match (old, &run.version) {
            (None, None) => return None,
            (None, Some(new)) => (Change::Create, new.clone()),
            (Some(old), None) => {
                let missing = self.navigator.listing.path(run.first);
                let last = before.map_or(run.last, |run| run.last);
                (Change::Delete { missing }, self.in_dump(old, last))
            }
            (Some(old), Some(new)) => match (self.judged(old, new, faults), &run.renamed_from) {
                (Difference::Nothing, Some(from)) => {
                    (Change::Rename { from: from.clone() }, new.clone())
                }
                (Difference::Nothing, None) => return None,
                (Difference::Metadata, _) => (Change::Wstat, new.clone()),
                (Difference::Content, _) => (Change::Write, new.clone()),
            },
        };
        Some(Event {
            change,
            version,
            before: old.cloned(),
            main: false,
        })
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

    /// The difference; what cannot be read is judged by size and time.
    fn judged(&self, old: &Version, new: &Version, faults: &mut Vec<Fault>) -> Difference {
        compare(old, new, self.trust).unwrap_or_else(|fault| {
            faults.push(fault);
            let (old, new) = (&old.meta, &new.meta);
            if (old.kind, old.size, old.mtime) != (new.kind, new.size, new.mtime) {
                Difference::Content
            } else if (old.mode, old.uid, old.gid) != (new.mode, new.uid, new.gid) {
                Difference::Metadata
            } else {
                Difference::Nothing
            }
        })
    }

    /// How the main tree differs from the last dump.
    fn main_event(&self, last: Option<&Run>, faults: &mut Vec<Fault>) -> Option<Event> {
        let path = self.navigator.path_now(self.place)?;
        let now = match Version::at(&path) {
            Ok(now) => now,
            Err(fault) => {
                faults.push(fault);
                return None;
            }
        };
        let old = last.and_then(|run| run.version.as_ref());
        let (change, version) = match (old, now) {
            (None, None) => return None,
            (None, Some(new)) => (Change::Create, new),
            (Some(old), None) => {
                let dump = last.map(|run| run.last).or(old.dump)?;
                (Change::Delete { missing: path }, self.in_dump(old, dump))
            }
            (Some(old), Some(new)) => {
                let change = match self.judged(old, &new, faults) {
                    Difference::Nothing => Change::Same,
                    Difference::Metadata => Change::Wstat,
                    Difference::Content => Change::Write,
                };
                (change, new)
            }
        };
        Some(Event {
            change,
            version,
            before: old.cloned(),
            main: true,
        })
    }
}

impl Run {
    fn new(dump: DumpName, version: Option<Version>) -> Self {
        Self {
            id: version.as_ref().map(|v| v.meta.id()),
            version,
            first: dump,
            last: dump,
            renamed_from: None,
        }
    }
}

/// Of each span the last version, and the absence with which it ends.
fn thinned(runs: Vec<Run>, every: Every) -> Vec<Run> {
    let mut kept: Vec<Run> = Vec::new();
    for run in runs {
        let span = every.span(run.first.stamp);
        // An absence does not take the place of the version before it; a
        // version takes the place of all that its span had.
        while kept.last().is_some_and(|last| {
            every.span(last.first.stamp) == span
                && (run.version.is_some() || last.version.is_none())
        }) {
            kept.pop();
        }
        kept.push(run);
    }
    kept
}
