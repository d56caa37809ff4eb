//! Lists the dumps of a dump root in order of their moments, without writing
//! and without a lock.
//!
//! Names are local time and may mislead: a traveller's dump of an hour ago
//! has a name of tomorrow. So each dump is asked for its moment (one look at
//! an attribute, another at the directory where it has none). Names and
//! moments are never far apart, though (`policy/moment`), so that only the
//! names around what is asked for are read, and the newest dump costs a few
//! directories, however many there are. A checkpoint has the moment of what
//! it copied, which may be long before its name: it is looked for as far as 31
//! days behind it. Names that are in the future of every zone are few, and
//! always looked at: somebody may have moved a dump.

use std::collections::BinaryHeap;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::vec;

use chrono::{DateTime, Local, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::names::{Calendar, Names};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::minute::Stamp;
use crate::policy::layout::{self, DumpName, Found, Sort};
use crate::policy::moment;
use crate::sys::name::c_name;
use crate::sys::{errno, path, xattr};

/// A dump and when it was made. Ordered by that; of equal ones by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Dated {
    /// When its run began; of a checkpoint and a replica, when that of the
    /// dump began that they are copies of; of an import, its own date.
    pub moment: DateTime<Utc>,
    /// Its name.
    pub name: DumpName,
}

/// The dumps of a dump root, as they are at the moment of each question.
///
/// Nothing is kept between two questions, so that a long-lived value never
/// answers from the past.
#[derive(Clone, Debug)]
pub struct Listing {
    calendar: Calendar,
}

impl Listing {
    /// Of this dump root, which may be reached by symlinks. Reads nothing yet.
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

    /// When a dump was made: by the mark that it has; without one by its
    /// directory's time of modification, where that fits its name; else by its
    /// name. Of what does not exist, or may not be looked at, by its name.
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

    /// How many entries a published dump lacks, since they could not be read
    /// when it was made, or when that was made which it is a copy of. `None`
    /// of one that is complete, or on a filesystem that takes no marks.
    #[must_use]
    pub fn lacks(&self, name: DumpName) -> Option<u64> {
        let mark = c_name(layout::PARTIAL_XATTR.as_bytes());
        let mark = xattr::get_at(&self.path(name), &mark).ok().flatten()?;
        layout::partial_count(&mark)
    }

    /// Is there a tree of this name in a dump? Not, if that cannot be looked at.
    #[must_use]
    pub fn has_tree(&self, name: DumpName, tree: impl AsRef<Path>) -> bool {
        let tree = self.path(name).join(tree);
        path::look(&tree).is_ok_and(|meta| meta.kind == Kind::Dir)
    }

    /// The names of all published dumps, in their order. Asks none for its
    /// moment.
    #[cfg(feature = "catalog")]
    pub(crate) fn names(&self) -> Result<Vec<DumpName>, Fault> {
        self.calendar.ascending(..).collect()
    }

    /// The newest dump: of the latest moment, which is not always the largest
    /// name. Nor is its name always a minute that has passed: where runs come
    /// within a minute of each other, each is named a minute after the one
    /// before, and names run ahead of the clock for as long. Ask
    /// [`Listing::moment`], not the name, when it was made.
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

    /// The newest dump of these moments that has a tree of this name. Looks
    /// into each dump until one has it.
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

    /// The dumps of these moments, the oldest first. Reads all their names at
    /// once; a directory that cannot be listed comes out as a fault, before
    /// all dumps.
    pub fn oldest_first(&self, moments: impl RangeBounds<DateTime<Utc>>) -> Dumps<'_> {
        let span = Span::of(moments);
        let names = self
            .calendar
            .ascending((span.first_name(), Bound::Unbounded));
        let (mut faults, mut dumps) = (Vec::new(), Vec::new());
        for name in names {
            match name {
                Ok(name) if span.may_hold(name) => dumps.push(self.dated(name)),
                Ok(_) => {}
                Err(fault) => faults.push(Err(fault)),
            }
        }
        dumps.retain(|dump| span.contains(dump.moment));
        dumps.sort_unstable();
        faults.extend(dumps.into_iter().map(Ok));
        Dumps(Way::OldestFirst(faults.into_iter()))
    }

    /// The dumps of these moments, the newest first, read as they are asked
    /// for. A year or day that cannot be listed comes out as a fault in its
    /// place; the dumps behind it still follow.
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
            // What cannot be listed there comes out with the others, or is not
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

    /// Is there something under the name that a dump or a checkpoint of this
    /// minute would be published as? Anything counts, also what is not
    /// a directory: it is in the way.
    ///
    /// # Errors
    /// A name that cannot be looked at, for another reason than its absence.
    pub fn taken(&self, stamp: Stamp) -> Result<bool, Fault> {
        for name in [DumpName::dump(stamp), DumpName::checkpoint(stamp)] {
            let path = self.path(name);
            match path::look(&path) {
                Ok(_) => return Ok(true),
                Err(cause) if errno::is_absent(&cause) => {}
                Err(cause) => return Err(Fault::new(Op::Stat, path, cause)),
            }
        }
        Ok(false)
    }
}

fn first(mut dumps: Dumps<'_>) -> Result<Option<DumpName>, Fault> {
    Ok(dumps.next().transpose()?.map(|dump| dump.name))
}

/// Moments that are asked for, and the names that dumps of them can have.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Bound<DateTime<Utc>>,
    to: Bound<DateTime<Utc>>,
    /// A dump with a later name than this was named by a wrong clock.
    future: Stamp,
}

impl Span {
    /// How much later than the dump that it copies a checkpoint may be made,
    /// to be found where that is asked for.
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

    /// Can a dump of this name be of these moments? Its name is not too early.
    fn may_hold(&self, name: DumpName) -> bool {
        let last = named(self.to, moment::FARTHEST);
        name.sort == Sort::Checkpoint
            || name.stamp > self.future
            || (Bound::Unbounded, last).contains(&name.stamp)
    }
}

/// The minute, in local time, so far from a moment.
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

/// Goes backwards through the names, and holds what was found until no name
/// that is still to come can be of a later moment.
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

/// Is a dump later than any that has this name, or an earlier one?
fn is_later(dump: &Dated, name: DumpName) -> bool {
    let latest = name.stamp.first_moment();
    let latest = latest.checked_add_signed(moment::FARTHEST);
    latest.is_some_and(|latest| dump.moment > latest)
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
