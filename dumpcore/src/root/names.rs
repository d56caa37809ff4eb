//! Walks the years and days of a dump root, by name.
//!
//! It works by path, as a person with `ls` would, and reads a year or a day
//! directory only when the answer depends on it: over a network filesystem
//! the last names cost three directories, however many dumps there are.
//!
//! The race it tolerates: dumps are published and removed while it lists. A year
//! or day that is removed between being named and being read counts as empty;
//! the dump root itself must exist. A dump that is being made is never listed as
//! published, since publishing is one rename.
//!
//! Names that `layout` does not know are skipped, and so are years, days and
//! dumps that are not directories: a symlink to a day would make the same dump
//! appear twice, under a wrong date.

use std::ffi::OsStr;
use std::ops::{Bound, RangeBounds};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec;

use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::minute::Stamp;
use crate::policy::layout::{Day, DumpName, Found, Year};
use crate::sys::dir::{self, For, Lister};
use crate::sys::errno;
use crate::sys::stat::{self, Fresh};

/// The years and days of a dump root.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    root: PathBuf,
}

impl Calendar {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The dumps with names from these minutes, in order.
    pub(crate) fn ascending(&self, minutes: impl RangeBounds<Stamp>) -> Names<'_> {
        Names::new(self, minutes, Order::Ascending)
    }

    /// The dumps with names from these minutes, the last first.
    pub(crate) fn descending(&self, minutes: impl RangeBounds<Stamp>) -> Names<'_> {
        Names::new(self, minutes, Order::Descending)
    }

    /// What is being made, or was left behind by runs that stopped; the
    /// oldest first. Reads every day directory.
    pub(crate) fn incompletes(&self) -> Result<Vec<Found>, Fault> {
        let mut found = Vec::new();
        for year in self.years()? {
            for day in self.days(year)? {
                let leaves = self.leaves(year, day)?;
                found.extend(leaves.into_iter().filter(|f| f.incomplete));
            }
        }
        found.sort_by_key(|f| f.name);
        Ok(found)
    }

    /// Year directories in order.
    fn years(&self) -> Result<Vec<Year>, Fault> {
        let mut years = Vec::new();
        each_directory(&self.root, |name, _| years.extend(Year::parse(name)))?;
        years.sort();
        Ok(years)
    }

    /// Day directories of a year in order.
    fn days(&self, year: Year) -> Result<Vec<Day>, Fault> {
        let mut days = Vec::new();
        vanishing(each_directory(&self.year_path(year), |name, _| {
            days.extend(Day::parse(name));
        }))?;
        days.sort();
        Ok(days)
    }

    /// Dumps of a day in order, also those being made.
    fn leaves(&self, year: Year, day: Day) -> Result<Vec<Found>, Fault> {
        let mut leaves = Vec::new();
        self.each_leaf(year, day, |found, _| leaves.push(found))?;
        leaves.sort_by_key(|f| f.name);
        Ok(leaves)
    }

    /// Published dumps in no order, with the numbers of their directories'
    /// inodes, as listings tell them.
    #[cfg(feature = "catalog")]
    pub(crate) fn numbered(&self) -> Result<Vec<(DumpName, u64)>, Fault> {
        let mut dumps = Vec::new();
        for year in self.years()? {
            for day in self.days(year)? {
                self.each_leaf(year, day, |found, ino| {
                    if !found.incomplete {
                        dumps.push((found.name, ino));
                    }
                })?;
            }
        }
        Ok(dumps)
    }

    fn each_leaf(
        &self,
        year: Year,
        day: Day,
        mut take: impl FnMut(Found, u64),
    ) -> Result<(), Fault> {
        let (year_name, day_name) = (year_name(year), day_name(day));
        let path = self.year_path(year).join(&day_name);
        vanishing(each_directory(&path, |name, ino| {
            let found = DumpName::from_names(year_name.as_bytes(), day_name.as_bytes(), name);
            if let Some(found) = found {
                take(found, ino);
            }
        }))
    }

    fn year_path(&self, year: Year) -> PathBuf {
        self.root.join(year_name(year))
    }
}

fn year_name(year: Year) -> String {
    format!("{:04}", year.0)
}

fn day_name(day: Day) -> String {
    format!("{:02}{:02}", day.month, day.day)
}

/// Names of the directories in a directory, with their inodes as the listing
/// has them; symlinks to directories do not count.
fn each_directory(path: &Path, mut take: impl FnMut(&[u8], u64)) -> Result<(), Fault> {
    let failed = Fault::at(Op::List, path);
    let dir = Arc::new(dir::open_root(path, For::Reading).map_err(&failed)?);
    let listed = Lister::all(Arc::clone(&dir)).map_err(failed)?;
    for entry in listed.iter() {
        let name = entry.name.to_bytes();
        // Where listings have no types, each name needs a call of its own, and
        // by then the entry may be gone.
        let looked = || stat::look(dir.as_fd(), entry.name, Fresh::AsStat).map(|meta| meta.kind);
        match entry.kind.map_or_else(looked, Ok) {
            Ok(Kind::Dir) => take(name, entry.ino),
            Ok(_) => {}
            Err(cause) if errno::is_absent(&cause) => {}
            Err(cause) => {
                let path = path.join(OsStr::from_bytes(name));
                return Err(Fault::new(Op::Stat, path, cause));
            }
        }
    }
    Ok(())
}

/// A directory that was removed or replaced since it was named is empty.
fn vanishing(listed: Result<(), Fault>) -> Result<(), Fault> {
    match listed {
        Err(fault) if errno::is_absent(&fault.cause) => Ok(()),
        other => other,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

impl Order {
    fn of<T>(self, mut ascending: Vec<T>) -> vec::IntoIter<T> {
        if self == Order::Descending {
            ascending.reverse();
        }
        ascending.into_iter()
    }
}

/// Published dumps in order of their names, read by year and day as the
/// iterator advances.
///
/// A year or day that cannot be listed is returned as a fault in its place; the
/// dumps after it still follow.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    calendar: &'a Calendar,
    order: Order,
    minutes: (Bound<Stamp>, Bound<Stamp>),
    years: Option<vec::IntoIter<Year>>,
    days: vec::IntoIter<(Year, Day)>,
    leaves: vec::IntoIter<DumpName>,
}

impl<'a> Names<'a> {
    fn new(calendar: &'a Calendar, minutes: impl RangeBounds<Stamp>, order: Order) -> Self {
        Self {
            calendar,
            order,
            minutes: (minutes.start_bound().cloned(), minutes.end_bound().cloned()),
            years: None,
            days: Vec::new().into_iter(),
            leaves: Vec::new().into_iter(),
        }
    }

    /// Can a name between these two minutes be in range? Years and days outside
    /// it are not read.
    fn meets(&self, first: Option<Stamp>, last: Option<Stamp>) -> bool {
        let (Some(first), Some(last)) = (first, last) else {
            return false;
        };
        let after_start = match self.minutes.0 {
            Bound::Included(from) => last >= from,
            Bound::Excluded(from) => last > from,
            Bound::Unbounded => true,
        };
        let before_end = match self.minutes.1 {
            Bound::Included(to) => first <= to,
            Bound::Excluded(to) => first < to,
            Bound::Unbounded => true,
        };
        after_start && before_end
    }

    fn open_years(&mut self) -> Result<vec::IntoIter<Year>, Fault> {
        let mut years = self.calendar.years()?;
        years.retain(|y| self.meets(Stamp::new(y.0, 1, 1, 0, 0), Stamp::new(y.0, 12, 31, 23, 59)));
        Ok(self.order.of(years))
    }

    fn open_days(&self, year: Year) -> Result<vec::IntoIter<(Year, Day)>, Fault> {
        let mut days = self.calendar.days(year)?;
        days.retain(|d| {
            self.meets(
                Stamp::new(year.0, d.month, d.day, 0, 0),
                Stamp::new(year.0, d.month, d.day, 23, 59),
            )
        });
        let days = days.into_iter().map(|day| (year, day)).collect();
        Ok(self.order.of(days))
    }

    fn open_leaves(&self, year: Year, day: Day) -> Result<vec::IntoIter<DumpName>, Fault> {
        let leaves = self.calendar.leaves(year, day)?;
        let wanted = leaves
            .into_iter()
            .filter(|found| !found.incomplete && self.minutes.contains(&found.name.stamp))
            .map(|found| found.name)
            .collect();
        Ok(self.order.of(wanted))
    }

    fn step(&mut self) -> Result<Option<DumpName>, Fault> {
        loop {
            if let Some(name) = self.leaves.next() {
                return Ok(Some(name));
            }
            if let Some((year, day)) = self.days.next() {
                self.leaves = self.open_leaves(year, day)?;
                continue;
            }
            let years = match &mut self.years {
                Some(years) => years,
                unread => {
                    // A root that cannot be listed is reported once.
                    *unread = Some(Vec::new().into_iter());
                    let listed = self.open_years()?;
                    self.years.insert(listed)
                }
            };
            let Some(year) = years.next() else {
                return Ok(None);
            };
            self.days = self.open_days(year)?;
        }
    }
}

impl Iterator for Names<'_> {
    type Item = Result<DumpName, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
