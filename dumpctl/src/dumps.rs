//! What the words that look at dumps share: the dump root with its trees, the
//! catalog if it can be asked, dumps and moments by name, lines to a pager.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::local_state::local_state;
use dumpcli::notices::NoticeOptions;
use dumpcli::paging::{Out, has_enough};
use dumpcli::{Lookup, Lookups, advice, figures, fit, no_moment};
use dumpcore::chrono::{DateTime, Local, SecondsFormat, Utc};
use dumpcore::{
    CatalogView, Chain, DumpId, DumpRoot, Fault, Filter, Location, NoCatalog, NotADump, RelPath,
    Stamp, State, When,
};
use serde_json::{Map, Value};

use crate::common::{Settings, with_command, with_rebuild};
use crate::program::PROGRAM;
use crate::table::Table;

/// How many faults are named one by one.
const NAMED: usize = 10;

/// All dump roots that are configured.
pub(crate) struct Looking {
    lookups: Lookups,
}

/// A dump root, and the trees in it.
pub(crate) struct Dumps<'a> {
    pub(crate) lookup: &'a Lookup,
    pub(crate) root: DumpRoot,
}

impl Looking {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Failure> {
        let notices = NoticeOptions {
            quiet: settings.session.quiet,
            log: settings.log,
        };
        let lookups = Lookups::find(PROGRAM, &settings.places, notices, settings.verbose)?;
        let lookups = lookups.ok_or_else(|| Failure::Usage("nothing is configured".to_owned()))?;
        Ok(Self { lookups })
    }

    /// All dump roots, also those that are not there.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Lookup> {
        self.lookups.all()
    }

    /// The paths of all dump roots of the configuration, also those that are not
    /// there, and of replicas.
    pub(crate) fn known_roots(&self) -> Result<Vec<PathBuf>, Failure> {
        self.lookups.known_roots()
    }

    /// See [`dumpcli::excluded`].
    pub(crate) fn excluded(
        &self,
        lookup: &Lookup,
        tree: &OsStr,
        copy: &Path,
    ) -> Result<Filter, Failure> {
        dumpcli::excluded(&self.lookups, lookup, tree, copy)
    }

    /// The dump root that is meant where no path chooses.
    pub(crate) fn dumps(&self) -> Result<Dumps<'_>, Failure> {
        Dumps::of(self.lookups.chosen()?)
    }

    /// The tree that a path is in, or the dump.
    pub(crate) fn locate(&self, path: &Path) -> Result<(&Lookup, Location), Failure> {
        self.lookups.locate(path)
    }

    /// See [`Lookups::find_typed`].
    pub(crate) fn find_typed<'a, T, E>(
        &'a self,
        path: &Path,
        at: (&'a Lookup, Location),
        find: impl Fn(&Lookup, &Location) -> Result<T, E>,
    ) -> Result<(&'a Lookup, Location, T), E> {
        self.lookups.find_typed(path, at, find)
    }

    /// The dump root that these paths choose, and the paths inside a dump.
    pub(crate) fn of_paths(&self, paths: &[PathBuf]) -> Result<(Dumps<'_>, Vec<RelPath>), Failure> {
        let mut chosen: Option<&Lookup> = None;
        let mut within = Vec::new();
        for path in paths {
            let (lookup, place) = self.lookups.locate(path)?;
            if chosen.is_some_and(|chosen| chosen.dump != lookup.dump) {
                let text = "the paths are of trees with different dump roots: name them one by one";
                return Err(Failure::Usage(text.to_owned()));
            }
            if place.within.is_root() {
                let text = "name a path in a tree, not a dump or a dump root";
                return Err(Failure::Usage(text.to_owned()));
            }
            chosen = Some(lookup);
            within.push(place.within);
        }
        match chosen {
            Some(lookup) => Ok((Dumps::of(lookup)?, within)),
            None => Ok((self.dumps()?, within)),
        }
    }
}

impl<'a> Dumps<'a> {
    fn of(lookup: &'a Lookup) -> Result<Self, Failure> {
        let root = DumpRoot::open(&lookup.dump)?.with_local_state(local_state());
        Ok(Self { lookup, root })
    }

    /// The catalog; `None`, with a line that says why, when it cannot be asked.
    /// `lacking`: what that means for the answer.
    pub(crate) fn catalog(&self, lacking: &str) -> Option<CatalogView> {
        match self.root.catalog() {
            Ok(catalog) => Some(catalog),
            Err(error) => {
                let why = self.no_catalog(&error);
                self.lookup.aside.warning(&format!("{why}: {lacking}"));
                None
            }
        }
    }

    /// The catalog, for what only that knows.
    pub(crate) fn needed_catalog(&self) -> Result<CatalogView, Failure> {
        self.root.catalog().map_err(|error| {
            let why = self.no_catalog(&error);
            Failure::Failed(format!("only the catalog knows that, and {why}"))
        })
    }

    /// Why the catalog is not asked, in one clause.
    fn no_catalog(&self, error: &NoCatalog) -> String {
        with_rebuild(&Chain(error).to_string(), &self.lookup.dump)
    }

    /// A published dump or a first copy.
    pub(crate) fn dump(&self, what: &OsStr) -> Result<DumpId, Failure> {
        match self.root.find(what) {
            Ok(DumpId::Incomplete(name)) => Err(Failure::Usage(format!(
                "{} is not a dump yet: name a published one",
                DumpId::Incomplete(name)
            ))),
            Ok(id) => Ok(id),
            Err(error) => Err(self.no_dump(&error)),
        }
    }

    fn no_dump(&self, error: &NotADump) -> Failure {
        if let NotADump::Missing { .. } | NotADump::Unknown { .. } = error
            && let Some(failure) = self.lookup.no_dumps()
        {
            return failure;
        }
        let text = Chain(error).to_string();
        match error {
            NotADump::Several { .. } | NotADump::Inside { .. } => Failure::Usage(text),
            _ => Failure::Failed(text),
        }
    }

    /// A moment as typed.
    pub(crate) fn when(&self, text: &OsStr) -> Result<When, Failure> {
        let today = self.lookup.now.date_naive();
        let when = self.root.when(text, today, &Local);
        when.map_err(|bad| no_moment(&bad))
    }

    /// From when on dumps count; `None`: all of them.
    pub(crate) fn since(&self, text: &OsStr) -> Result<Option<DateTime<Utc>>, Failure> {
        let when = self.when(text)?;
        Ok(when.since(&self.lookup.now, &self.root.listing()))
    }

    /// Does a state have a path, or may it, since that cannot be looked at?
    pub(crate) fn may_have(&self, state: State, path: &RelPath) -> bool {
        let place = match state {
            State::Dump(dump) => Some(self.root.path().join(dump.path()).join(path.as_path())),
            _ => self.lookup.navigator.main_path(path),
        };
        let missing = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
        place.is_some_and(|place| match place.symlink_metadata() {
            Ok(_) => true,
            Err(error) => !missing.contains(&error.kind()),
        })
    }

    /// The path of a place for people: in its tree, if it is known, else in a
    /// dump.
    pub(crate) fn shown(&self, within: &RelPath) -> PathBuf {
        let now = self.lookup.navigator.main_path(within);
        now.unwrap_or_else(|| within.as_path().to_path_buf())
    }
}

/// A time for machines.
pub(crate) fn time(moment: DateTime<Utc>) -> Value {
    let local = moment.with_timezone(&Local);
    local.to_rfc3339_opts(SecondsFormat::Millis, false).into()
}

/// The minute of a moment, for people.
pub(crate) fn minute(moment: DateTime<Utc>) -> Stamp {
    Stamp::of(&moment.with_timezone(&Local))
}

/// Names under a key, and once more as hexadecimal digits when one of them is
/// not UTF-8.
pub(crate) fn put_names<'n>(
    object: &mut Map<String, Value>,
    key: &str,
    names: impl Iterator<Item = &'n Path> + Clone,
) {
    let shown = names
        .clone()
        .map(|name| Value::from(name.to_string_lossy()));
    object.insert(key.to_owned(), shown.collect());
    if names.clone().any(|name| name.to_str().is_none()) {
        let hex = |name: &Path| -> Value {
            let bytes = name.as_os_str().as_encoded_bytes();
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                .into()
        };
        object.insert(format!("{key}_bytes"), names.map(hex).collect());
    }
}

/// Writes a line; `false`: the reader has seen enough.
pub(crate) fn line(out: &mut Out, line: &str) -> Result<bool, Failure> {
    match writeln!(out, "{line}") {
        Ok(()) => Ok(true),
        Err(error) if has_enough(&error) => Ok(false),
        Err(error) => Err(cannot_write(&error)),
    }
}

/// Writes a table, as wide as the terminal; `false`: the reader has seen enough.
pub(crate) fn table(out: &mut Out, table: &Table) -> Result<bool, Failure> {
    for text in table.lines(fit::stdout_columns()) {
        if !line(out, &text)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How old a dump is; a first copy has no moment.
pub(crate) fn age(moment: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    let age = moment.map(|moment| figures::age(now - moment));
    age.unwrap_or_else(|| "-".to_owned())
}

/// `1 dump`, `1,204 dumps`.
pub(crate) fn dumps_of(number: u64) -> String {
    match number {
        1 => "1 dump".to_owned(),
        number => format!("{} dumps", figures::number(number)),
    }
}

/// Writes all that is left, and waits for the reader.
pub(crate) fn close(out: Out) -> Result<(), Failure> {
    out.close().map_err(|error| cannot_write(&error))
}

pub(crate) fn cannot_write(error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot write: {error}"))
}

/// Tells what could not be read; then the answer is not whole.
pub(crate) fn faults(lookup: &Lookup, faults: &[Fault], closed: u64, exit: Exit) -> Exit {
    for fault in faults.iter().take(NAMED) {
        lookup.aside.failure(&Chain(fault).to_string());
    }
    if let more @ 1.. = faults.len().saturating_sub(NAMED) {
        lookup
            .aside
            .failure(&format!("{more} more could not be read"));
    }
    if closed > 0 {
        let what = if closed == 1 { "path" } else { "paths" };
        let text = format!("{closed} {what} passed over that you may not read");
        lookup.aside.warning(&text);
    }
    if faults.is_empty() {
        exit
    } else {
        Exit::Partial
    }
}

/// An error of the library in one sentence.
pub(crate) fn failed(error: dumpcore::Error, lookup: &Lookup) -> Failure {
    let about = advice::About {
        advice: PROGRAM.advice,
        read: &[],
        dump: &lookup.dump,
        origins: &[],
    };
    with_command(advice::explain(Failure::from(error), about), &lookup.dump)
}

/// The paths of the trees that are known, with their names in dumps.
pub(crate) fn trees(lookup: &Lookup) -> Vec<(PathBuf, OsString)> {
    lookup
        .navigator
        .trees()
        .filter_map(|tree| Some((tree.path.clone(), tree.name_in_dump()?)))
        .collect()
}
