//! The time line of what is looked at: its versions that differ, by day, and all
//! dumps as a calendar. However many dumps there are, what it holds is small: the
//! months, the days of one month and the dumps of one day.

use std::collections::BTreeMap;
use std::sync::Arc;

use dumpcore::{DumpId, Kind, RelPath};

use crate::view::calendar::{Calendar, Day, day_of, is_checkpoint, time_of};
use crate::view::error::ViewError;
use crate::view::site::{Site, has_tree, tree_of};
use crate::view::stop::Stop;
use crate::view::version::{VersionChange, VersionRow, Versions};

/// The number of versions that are shown on each side of the one in view.
const AROUND: usize = 60;

/// The time line of a path, seen from one dump.
#[derive(Clone, Debug, Default)]
pub struct TimeLine {
    /// The path.
    pub within: RelPath,
    /// All years that have dumps.
    pub years: Vec<Step>,
    /// The months of the year in view.
    pub months: Vec<Step>,
    /// The days of the month in view.
    pub days: Vec<Step>,
    /// The dumps of the day in view.
    pub dumps: Vec<Step>,
    /// The dump before, and the one after.
    pub near: Near,
    /// The version before, and the one after.
    pub differing: Near,
    /// The versions around the one in view by the day of their dumps, the newest
    /// day first.
    pub versions: Vec<(Option<Day>, Vec<VersionStep>)>,
    /// How many versions there are in all.
    pub total: usize,
    /// How many dumps could not be looked at.
    pub unread: usize,
    /// Were the versions not looked for?
    pub left_out: bool,
}

/// What is before something, and what is after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// Before.
    pub older: Option<DumpId>,
    /// After.
    pub newer: Option<DumpId>,
}

/// A year, month, day or dump of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `2026`, `11`, `22`, `23:31`
    pub label: String,
    /// The dump that it leads to: the last one of a year, month or day.
    pub dump: DumpId,
    /// How many dumps it stands for.
    pub number: usize,
    /// Is it what is in view?
    pub is_shown: bool,
    /// Is one of them a checkpoint?
    pub has_checkpoint: bool,
    /// The pins of all of them.
    pub pins: Vec<Vec<u8>>,
}

/// A version in the time line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionStep {
    /// What it is.
    pub row: VersionRow,
    /// Is it what is in view?
    pub is_shown: bool,
}

impl TimeLine {
    /// Of a path, seen from a dump. `names`: how many names a directory has.
    ///
    /// # Errors
    /// The dump root cannot be listed.
    pub fn find(
        site: &Site,
        dump: DumpId,
        within: &RelPath,
        names: usize,
        stop: &Stop,
    ) -> Result<Self, ViewError> {
        let calendar = site.calendar()?;
        let versions = Versions::find(site, within, names, stop)?;
        let mut line = Self {
            within: within.clone(),
            near: near(site, &calendar, dump, within)?,
            ..Self::default()
        };
        line.fill_calendar(&calendar, dump);
        line.fill_versions(&versions, &calendar, dump);
        Ok(line)
    }

    fn fill_calendar(&mut self, calendar: &Calendar, shown: DumpId) {
        let day = day_of(shown);
        let key = |dump: DumpId| day_of(dump).unwrap_or((i32::MIN, 0, 0));
        let here = day.unwrap_or((i32::MIN, 0, 0));
        let all = || calendar.oldest_first().iter().copied();
        self.years = steps(
            calendar,
            all(),
            |dump| key(dump).0,
            here.0,
            |dump| day_of(dump).map_or_else(|| "first copy".to_owned(), |day| day.0.to_string()),
        );
        let of_year = || all().filter(|dump| day.is_some() && key(*dump).0 == here.0);
        self.months = steps(
            calendar,
            of_year(),
            |dump| key(dump).1,
            here.1,
            |dump| month(key(dump).1).to_owned(),
        );
        let of_month = || of_year().filter(|dump| key(*dump).1 == here.1);
        self.days = steps(
            calendar,
            of_month(),
            |dump| key(dump).2,
            here.2,
            |dump| key(dump).2.to_string(),
        );
        let of_day = of_month().filter(|dump| key(*dump).2 == here.2);
        self.dumps = steps(calendar, of_day, |dump| dump, shown, time_of);
    }

    fn fill_versions(&mut self, versions: &Arc<Versions>, calendar: &Calendar, dump: DumpId) {
        self.total = versions.rows.len();
        self.unread = versions.unread;
        self.left_out = versions.left_out;
        let shown = versions.in_dump(dump, calendar);
        let at = |place: usize| versions.rows.get(place).map(|row| row.dump);
        self.differing = Near {
            older: shown.and_then(|shown| shown.checked_sub(1)).and_then(at),
            newer: at(shown.map_or(0, |shown| shown + 1)),
        };
        let middle = shown.unwrap_or(0);
        let first = middle.saturating_sub(AROUND);
        let near = versions.rows.iter().enumerate().skip(first);
        let near = near.take(middle - first + AROUND + 1);
        let mut days: Vec<(Option<Day>, Vec<VersionStep>)> = Vec::new();
        for (place, row) in near.collect::<Vec<_>>().into_iter().rev() {
            let step = VersionStep {
                row: row.clone(),
                is_shown: shown == Some(place),
            };
            let day = day_of(row.dump);
            match days.last_mut() {
                Some((last, steps)) if *last == day => steps.push(step),
                _ => days.push((day, vec![step])),
            }
        }
        self.versions = days;
    }
}

/// The dumps before and after that have the tree. One that cannot be looked into
/// counts: its page says why.
fn near(
    site: &Site,
    calendar: &Calendar,
    dump: DumpId,
    within: &RelPath,
) -> Result<Near, ViewError> {
    let (root, tree) = (site.root()?, tree_of(within));
    let has_tree = |dump: &&DumpId| has_tree(&root, **dump, &tree).unwrap_or(true);
    let all = calendar.oldest_first();
    let Some(place) = calendar.place(dump) else {
        return Ok(Near::default());
    };
    Ok(Near {
        older: all[..place].iter().rev().find(has_tree).copied(),
        newer: all[place + 1..].iter().find(has_tree).copied(),
    })
}

/// Dumps that have something in common, as one step each.
fn steps<K: Ord + Copy>(
    calendar: &Calendar,
    dumps: impl Iterator<Item = DumpId>,
    key: impl Fn(DumpId) -> K,
    shown: K,
    label: impl Fn(DumpId) -> String,
) -> Vec<Step> {
    let mut found: BTreeMap<K, Step> = BTreeMap::new();
    for dump in dumps {
        let step = found.entry(key(dump)).or_insert_with(|| Step {
            label: label(dump),
            dump,
            number: 0,
            is_shown: key(dump) == shown,
            has_checkpoint: false,
            pins: Vec::new(),
        });
        step.dump = dump;
        step.number += 1;
        step.has_checkpoint |= is_checkpoint(dump);
        step.pins.extend_from_slice(calendar.pins(dump));
    }
    found.into_values().collect()
}

/// A month by its number.
#[must_use]
pub fn month(number: u32) -> &'static str {
    const NAMES: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let place = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
    NAMES.get(place).copied().unwrap_or("")
}

/// In words what led to a version.
#[must_use]
pub fn word(change: VersionChange, kind: Kind) -> &'static str {
    match (change, kind) {
        (VersionChange::Created, _) => "created",
        (VersionChange::Changed, Kind::Dir) => "names changed",
        (VersionChange::Changed, _) => "changed",
        (VersionChange::Attributes, Kind::Dir) => "modified",
        (VersionChange::Attributes, _) => "attributes changed",
        (VersionChange::Deleted, _) => "deleted",
    }
}
