//! Which version of a path is restored, and where to.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use dumpcli::failure::Failure;
use dumpcli::{Hints, Lookup};
use dumpcore::chrono::{DateTime, Utc};
use dumpcore::{
    Chain, DumpId, DumpName, Filter, FindError, LocatedIn, Location, Printable, Version, When,
};

use super::options::Target;
use crate::dumps::Looking;

const HINTS: Hints = Hints {
    too_old: " (give a later --at, or none for the newest)",
    later: ", which can be restored by its path",
};

/// One path to restore.
pub(super) struct Item<'a> {
    /// As it was given.
    pub(super) given: PathBuf,
    pub(super) lookup: &'a Lookup,
    pub(super) place: Location,
    pub(super) version: Version,
    /// The path that it gets.
    pub(super) to: PathBuf,
    /// What is not deleted although the dump does not have it.
    pub(super) spared: Filter,
}

/// What decides which version is meant.
enum Moment {
    Newest,
    In(DumpName),
    First,
    Until(DateTime<Utc>),
}

impl<'a> Item<'a> {
    pub(super) fn find(
        looking: &'a Looking,
        path: &Path,
        at: Option<&OsStr>,
        target: &Target,
    ) -> Result<Self, Failure> {
        let (lookup, place) = looking.locate(path)?;
        if place.within.is_root() {
            let text = "name a tree in a dump, or a path in one, not a dump or a dump root";
            return Err(Failure::Usage(text.to_owned()));
        }
        let moment = moment(lookup, &place, at)?;
        let found = looking.find_typed(path, (lookup, place), |lookup, place| {
            version(lookup, place, &moment)
        });
        let (lookup, place, version) =
            found.map_err(|error| lookup.failure_with(&error, &HINTS))?;
        // A whole tree is what somebody's rm may have left of it.
        let is_tree = !place.within.as_bytes().contains(&b'/');
        if let Some(dump) = version.dump.filter(|_| is_tree)
            && let Some(half) = lookup.navigator.lost_entries(dump)
        {
            lookup.aside.warning(&Chain(&half).to_string());
        }
        let place = match target {
            Target::Directory(_) => place,
            Target::InPlace => in_main(lookup, place)?,
        };
        let to = match (target, &place.located_in) {
            (Target::InPlace, LocatedIn::Main(path)) => path.clone(),
            (Target::Directory(directory), _) => {
                let name = place.within.as_path().file_name();
                directory.join(name.unwrap_or_default())
            }
            (Target::InPlace, LocatedIn::Dump(_)) => path.to_path_buf(),
        };
        Ok(Self {
            given: path.to_path_buf(),
            lookup,
            place,
            version,
            to,
            spared: Filter::new(),
        })
    }

    /// Spares what is excluded from dumps of its tree.
    pub(super) fn spare(&mut self, looking: &Looking) -> Result<(), Failure> {
        let within = self.place.within.as_path();
        let tree = within.iter().next().unwrap_or_default();
        let below = within.iter().count().saturating_sub(1);
        let version = &self.version.path;
        let copy = version.ancestors().nth(below).unwrap_or(version);
        self.spared = looking.excluded(self.lookup, tree, copy)?;
        Ok(())
    }
}

/// Of a path in a dump, the place in the main tree that it is of.
fn in_main(lookup: &Lookup, place: Location) -> Result<Location, Failure> {
    let LocatedIn::Dump(_) = place.located_in else {
        return Ok(place);
    };
    let Some(path) = lookup.navigator.path_now(&place) else {
        let tree = place.within.as_path().iter().next().unwrap_or_default();
        let tree = Printable::path(Path::new(tree)).to_string();
        return Err(Failure::Usage(format!(
            "no tree is known that dumps call {tree}: name it with --main, or give --to DIR"
        )));
    };
    lookup
        .navigator
        .locate(&path)
        .map_err(|error| Failure::Failed(Chain(&error).to_string()))
}

fn moment(lookup: &Lookup, place: &Location, at: Option<&OsStr>) -> Result<Moment, Failure> {
    let Some(text) = at else {
        return Ok(match place.located_in {
            LocatedIn::Dump(dump) => Moment::In(dump),
            LocatedIn::Main(_) => Moment::Newest,
        });
    };
    match lookup.when(text, place)? {
        When::Dump(DumpId::Dump(name)) => Ok(Moment::In(name)),
        When::Dump(DumpId::First) => Ok(Moment::First),
        When::Dump(id) => Err(Failure::Usage(format!(
            "{id} is not a dump yet: name a published one"
        ))),
        When::Date(date) if lookup.is_future(&date) => Err(Failure::Failed(format!(
            "{date} is in the future: it is {} now",
            lookup.minute()
        ))),
        When::Date(date) => Ok(Moment::Until(date.last().last_moment())),
        When::Ago(ago) => lookup.ago(ago, place).map(Moment::Until).map_err(|_| {
            let text = text.to_string_lossy();
            Failure::Usage(format!("'{text}' leads back before the year 0: give less"))
        }),
        _ => Err(Failure::Usage("name a dump, a date or how long ago".into())),
    }
}

fn version(lookup: &Lookup, place: &Location, moment: &Moment) -> Result<Version, FindError> {
    let navigator = &lookup.navigator;
    match moment {
        Moment::Newest => navigator.newest_version(place),
        Moment::In(name) => navigator.version_in(place, *name),
        Moment::Until(at) => navigator.version_at(place, *at),
        Moment::First => navigator.version_in_first(place),
    }
}
