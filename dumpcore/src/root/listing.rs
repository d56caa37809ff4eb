//! Lists the dumps of a dump root in order of their moments, without writing
//! and without a lock.
//!
//! Names are local time and may mislead: after a flight, a dump of an hour ago
//! can have a name of tomorrow. So the moment of each dump is read (one call for
//! an attribute, another for the directory's time where it has none). Names and
//! moments are never far apart, though (`policy/moment`), so that only names
//! around the moments in question are read, and finding the newest dump lists a
//! few directories, however many there are. A checkpoint has the moment of what
//! it copied, which may be long before its name: names up to 31 days later are
//! searched for it. Names that are in the future in every time zone are few and
//! always read, since somebody may have renamed a dump.

use std::collections::BinaryHeap;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::vec;

use chrono::{DateTime, Local, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::names::{Calendar, Names};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::lacking::Lacking;
use crate::model::minute::Stamp;
use crate::policy::layout::{self, DumpName, Found, Sort};
use crate::policy::moment;
use crate::sys::name::c_name;
use crate::sys::parallel::in_parallel;
use crate::sys::{errno, path, xattr};

/// A dump and when it was made. Ordered by moment, then by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Dated {
    /// When its run began. A checkpoint and a replica have the moment of the
    /// dump that they copy, an import has its own date.
    pub moment: DateTime<Utc>,
    /// Its name.
    pub name: DumpName,
}

/// The dumps of a dump root, as they are at the moment of each question.
///
/// Nothing is cached between two calls, so that a long-lived value never
/// returns what was true before.
#[derive(Clone, Debug)]
pub struct Listing {
    calendar: Calendar,
}

impl Listing {
    /// The listing of this dump root, whose path may lead through symlinks.
    /// Reads nothing yet.
    #[must_use]
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self {
            calendar: Calendar::new(root.as_ref()),
        }
    }

    /// The dump root as it was given.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.calendar.root()
    }

    /// The directory of a dump, whether it exists or not.
    #[must_use]
    pub fn path(&self, name: DumpName) -> PathBuf {
        self.root().join(name.path())
    }

    /// When a dump was made: its mark, or without one its directory's
    /// modification time where that fits its name, else its name. The name also
    /// counts for a dump that does not exist or may not be read.
    #[must_use]
    pub fn moment(&self, name: DumpName) -> DateTime<Utc> {
        if let Some(moment) = self.marked_moment(name) {
            return moment;
        }
        let modified = path::look(&self.path(name)).ok().map(|meta| meta.mtime);
        moment::unmarked(modified, name.stamp)
    }

    /// When a dump was made, by the mark that it has; `None` of one without.
    #[must_use]
    pub fn marked_moment(&self, name: DumpName) -> Option<DateTime<Utc>> {
        let mark = c_name(layout::MOMENT_XATTR.as_bytes());
        let mark = xattr::get_at(&self.path(name), &mark).ok().flatten()?;
        moment::parse(&mark)
    }

    /// A dump with its moment.
    #[must_use]
    pub fn dated(&self, name: DumpName) -> Dated {
        Dated {
            moment: self.moment(name),
            name,
        }
    }

    /// What a published dump lacks, because it could not be read when the dump,
    /// or the one that it copies, was made. `None` for a complete dump, for one
    /// that does not exist, and on a filesystem that stores no marks. A mark that
    /// cannot be read might say anything: it counts as one of a partial dump.
    #[must_use]
    pub fn lacks(&self, name: DumpName) -> Option<Lacking> {
        let mark = c_name(layout::PARTIAL_XATTR.as_bytes());
        match xattr::get_at(&self.path(name), &mark) {
            Ok(mark) => layout::partial_of(&mark?),
            Err(cause) if errno::is_absent(&cause) => None,
            Err(_) => Some(Lacking::Unknown),
        }
    }

    /// Of which copy a dump was imported; `None` of one that was not.
    pub(crate) fn origin(&self, name: DumpName) -> Option<Vec<u8>> {
        let mark = c_name(layout::ORIGIN_XATTR.as_bytes());
        xattr::get_at(&self.path(name), &mark).ok().flatten()
    }

    /// How many names a published dump had when it was published; `None` where
    /// that was not noted.
    #[must_use]
    pub fn noted_names(&self, name: DumpName) -> Option<u64> {
        let mark = c_name(layout::NAMES_XATTR.as_bytes());
        let mark = xattr::get_at(&self.path(name), &mark).ok().flatten()?;
        str::from_utf8(&mark).ok()?.trim().parse().ok()
    }

    /// Is there a tree of this name in a dump? `false` when that cannot be read.
    #[must_use]
    pub fn has_tree(&self, name: DumpName, tree: impl AsRef<Path>) -> bool {
        let tree = self.path(name).join(tree);
        path::look(&tree).is_ok_and(|meta| meta.kind == Kind::Dir)
    }

    /// All published dumps in no order, with the numbers of their directories'
    /// inodes as listings have them. Reads no moments.
    #[cfg(feature = "catalog")]
    pub(crate) fn numbered(&self) -> Result<Vec<(DumpName, u64)>, Fault> {
        self.calendar.numbered()
    }

    /// The names of all published dumps, in their order. Asks none for its
    /// moment.
    pub(crate) fn names(&self) -> Result<Vec<DumpName>, Fault> {
        self.calendar.ascending(..).collect()
    }

    /// The newest dump: the one with the latest moment, which does not always
    /// have the largest name. Its name may also be ahead of the clock: when runs
    /// begin within a minute of each other, each is named a minute after the one
    /// before. [`Listing::moment`], not the name, says when it was made.
    ///
    /// # Errors
    /// A directory on the way that cannot be listed.
    pub fn newest(&self) -> Result<Option<DumpName>, Fault> {
        first(self.newest_first(..))
    }

    /// The newest dump of this moment or earlier.
    ///
    /// # Errors
    /// A directory on the way that cannot be listed.
    pub fn newest_not_later(&self, at: DateTime<Utc>) -> Result<Option<DumpName>, Fault> {
        first(self.newest_first(..=at))
    }

    /// The newest dump within these moments that has a tree of this name. Looks
    /// into one dump after the other until one has it.
    ///
    /// # Errors
    /// A directory on the way that cannot be listed.
    pub fn newest_with(
        &self,
        tree: impl AsRef<Path>,
        moments: impl RangeBounds<DateTime<Utc>>,
    ) -> Result<Option<DumpName>, Fault> {
        let tree = tree.as_ref();
        for dump in self.newest_first(moments) {
            let name = dump?.name;
            if self.has_tree(name, tree) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The last dump of the newest day before `day` that has one, in local
    /// time.
    ///
    /// # Errors
    /// A directory on the way that cannot be listed.
    pub fn newest_before_day(&self, day: NaiveDate) -> Result<Option<DumpName>, Fault> {
        let midnight = Stamp::from_civil(day.and_time(NaiveTime::MIN));
        first(self.newest_first(..midnight.first_moment()))
    }

    /// The dumps within these moments, the oldest first. Reads all their names
    /// at once; a directory that cannot be listed is returned as a fault, before
    /// all dumps.
    pub fn oldest_first(&self, moments: impl RangeBounds<DateTime<Utc>>) -> Dumps<'_> {
        let span = Span::of(moments);
        let names = self
            .calendar
            .ascending((span.first_name(), Bound::Unbounded));
        let (mut faults, mut within) = (Vec::new(), Vec::new());
        for name in names {
            match name {
                Ok(name) if span.may_hold(name) => within.push(name),
                Ok(_) => {}
                Err(fault) => faults.push(Err(fault)),
            }
        }
        let mut dumps = in_parallel(&within, |name| self.dated(*name));
        dumps.retain(|dump| span.contains(dump.moment));
        dumps.sort_unstable();
        faults.extend(dumps.into_iter().map(Ok));
        Dumps(Way::OldestFirst(faults.into_iter()))
    }

    /// The dumps within these moments, the newest first, read as the iterator
    /// advances. A year or day that cannot be listed is returned as a fault in
    /// its place; older dumps still follow.
    pub fn newest_first(&self, moments: impl RangeBounds<DateTime<Utc>>) -> Dumps<'_> {
        let span = Span::of(moments);
        let last = span.last_name();
        let mut names = self.calendar.descending((span.first_name(), last));
        let mut dumps = Backwards {
            listing: self,
            span,
            next: names.next(),
            names,
            found: BinaryHeap::new(),
        };
        if let Bound::Included(last) = last {
            let future = Bound::Excluded(last.max(span.future));
            // What cannot be listed there is returned with the others, or is not
            // what is asked for.
            let names = self.calendar.descending((future, Bound::Unbounded));
            names.flatten().for_each(|name| dumps.meet(name));
        }
        Dumps(Way::NewestFirst(Box::new(dumps)))
    }

    /// What is being made, or was left behind by runs that stopped; the
    /// oldest first. Reads every day directory.
    ///
    /// # Errors
    /// A directory that cannot be listed.
    pub fn incompletes(&self) -> Result<Vec<Found>, Fault> {
        self.calendar.incompletes()
    }

    /// Does anything exist under the name that a dump or a checkpoint of this
    /// minute would be published as? Not only a directory counts: anything is in
    /// the way.
    ///
    /// # Errors
    /// A name that cannot be looked at, for another reason than its absence.
    pub fn taken(&self, stamp: Stamp) -> Result<bool, Fault> {
        Ok(self.is_taken(DumpName::dump(stamp))? || self.is_taken(DumpName::checkpoint(stamp))?)
    }

    /// Is there something of this name?
    ///
    /// # Errors
    /// As [`Listing::taken`].
    pub(crate) fn is_taken(&self, name: DumpName) -> Result<bool, Fault> {
        let path = self.path(name);
        match path::look(&path) {
            Ok(_) => Ok(true),
            Err(cause) if errno::is_absent(&cause) => Ok(false),
            Err(cause) => Err(Fault::new(Op::Stat, path, cause)),
        }
    }
}

fn first(mut dumps: Dumps<'_>) -> Result<Option<DumpName>, Fault> {
    Ok(dumps.next().transpose()?.map(|dump| dump.name))
}

/// A range of moments, and the names that dumps within it can have.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Bound<DateTime<Utc>>,
    to: Bound<DateTime<Utc>>,
    /// A dump with a later name than this was named by a wrong clock.
    future: Stamp,
}

impl Span {
    /// How much later than the dump that it copies a checkpoint may be made and
    /// still be found by that dump's moment.
    const LATE: TimeDelta = TimeDelta::days(31);

    fn of(moments: impl RangeBounds<DateTime<Utc>>) -> Self {
        Self {
            from: moments.start_bound().cloned(),
            to: moments.end_bound().cloned(),
            future: Stamp::of(&(Local::now() + moment::FARTHEST)),
        }
    }

    fn contains(&self, moment: DateTime<Utc>) -> bool {
        (self.from, self.to).contains(&moment)
    }

    fn first_name(&self) -> Bound<Stamp> {
        named(self.from, -moment::FARTHEST)
    }

    fn last_name(&self) -> Bound<Stamp> {
        named(self.to, moment::FARTHEST + Self::LATE)
    }

    /// Can a dump with this name be within these moments? The name is known not
    /// to be too early.
    fn may_hold(&self, name: DumpName) -> bool {
        let last = named(self.to, moment::FARTHEST);
        name.sort == Sort::Checkpoint
            || name.stamp > self.future
            || (Bound::Unbounded, last).contains(&name.stamp)
    }
}

/// The minute, in local time, at this distance from a moment.
fn named(moment: Bound<DateTime<Utc>>, apart: TimeDelta) -> Bound<Stamp> {
    let (Bound::Included(moment) | Bound::Excluded(moment)) = moment else {
        return Bound::Unbounded;
    };
    match moment.checked_add_signed(apart) {
        Some(moment) => Bound::Included(Stamp::of(&moment.with_timezone(&Local))),
        None => Bound::Unbounded,
    }
}

/// Published dumps in order of their moments: see [`Listing::oldest_first`]
/// and [`Listing::newest_first`].
#[derive(Debug)]
pub struct Dumps<'a>(Way<'a>);

#[derive(Debug)]
enum Way<'a> {
    OldestFirst(vec::IntoIter<Result<Dated, Fault>>),
    NewestFirst(Box<Backwards<'a>>),
}

impl Iterator for Dumps<'_> {
    type Item = Result<Dated, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Way::OldestFirst(dumps) => dumps.next(),
            Way::NewestFirst(dumps) => dumps.next(),
        }
    }
}

/// Goes backwards through the names, and holds each dump until no remaining
/// name can have a later moment.
#[derive(Debug)]
struct Backwards<'a> {
    listing: &'a Listing,
    span: Span,
    names: Names<'a>,
    next: Option<Result<DumpName, Fault>>,
    found: BinaryHeap<Dated>,
}

impl Iterator for Backwards<'_> {
    type Item = Result<Dated, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let name = match &self.next {
                None => return self.found.pop().map(Ok),
                Some(Err(_)) => {
                    let fault = std::mem::replace(&mut self.next, self.names.next());
                    return fault.map(|fault| fault.map(|name| self.listing.dated(name)));
                }
                Some(Ok(name)) => *name,
            };
            if self.found.peek().is_some_and(|dump| is_later(dump, name)) {
                return self.found.pop().map(Ok);
            }
            self.next = self.names.next();
            self.meet(name);
        }
    }
}

impl Backwards<'_> {
    fn meet(&mut self, name: DumpName) {
        if self.span.may_hold(name) {
            let dump = self.listing.dated(name);
            if self.span.contains(dump.moment) {
                self.found.push(dump);
            }
        }
    }
}

/// Is a dump's moment later than that of any dump with this name or an earlier
/// one?
fn is_later(dump: &Dated, name: DumpName) -> bool {
    let latest = name.stamp.first_moment();
    let latest = latest.checked_add_signed(moment::FARTHEST);
    latest.is_some_and(|latest| dump.moment > latest)
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
