//! Which dump a person means: by its name, by its path, or by a pin.

use std::ffi::OsStr;
use std::fmt;
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::path::Printable;
use crate::policy::layout::{self, Day, DumpId, DumpName, LinkTarget, PinName, Year};
use crate::root::DumpRoot;
use crate::root::names::Calendar;
use crate::sys::dir;
use crate::sys::name::c_name;
use crate::sys::{errno, path};

/// How many similar names an error lists.
const NEAREST: usize = 3;

/// A span of time that has a directory in a dump root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Period {
    /// A year.
    Year,
    /// A day.
    Day,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Year => "year",
            Self::Day => "day",
        })
    }
}

/// Why no dump was found under what a person named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotADump {
    /// It names a year or a day.
    #[error("{name} is a {what} with {}", name_them(*.dumps))]
    Several {
        /// The year or the day.
        name: String,
        /// Is it a year or a day?
        what: Period,
        /// How many dumps it has.
        dumps: usize,
    },
    /// It is in a dump.
    #[error("{} is inside the dump {dump}; name the dump itself", Printable::path(.path))]
    Inside {
        /// What was named.
        path: PathBuf,
        /// The dump.
        dump: DumpId,
    },
    /// Nothing of that name is there.
    #[error("{} has no dump {}{}", Printable::path(.root), Printable::path(.path), near(.nearest))]
    Missing {
        /// The dump root.
        root: PathBuf,
        /// What was named.
        path: PathBuf,
        /// The dumps next to it.
        nearest: Vec<DumpId>,
    },
    /// It is neither a name nor a path in the dump root, nor a pin.
    #[error("{} is neither a dump of {} nor a pin; name a dump as in {}",
        Printable::path(.path), Printable::path(.root), example(.nearest))]
    Unknown {
        /// The dump root.
        root: PathBuf,
        /// What was named.
        path: PathBuf,
        /// The newest dump.
        nearest: Vec<DumpId>,
    },
    /// It is a dump of another dump root.
    #[error("{} is a dump of {}, not of {}",
        Printable::path(.path), Printable::path(.of), Printable::path(.root))]
    Elsewhere {
        /// The dump root.
        root: PathBuf,
        /// What was named.
        path: PathBuf,
        /// The other dump root.
        of: PathBuf,
    },
    /// The dump root cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Fault),
}

impl From<NotADump> for Error {
    fn from(error: NotADump) -> Self {
        match error {
            NotADump::Unreadable(fault) => Error::Fault(fault),
            other => Error::Other(Box::new(other)),
        }
    }
}

fn name_them(dumps: usize) -> String {
    match dumps {
        1 => "1 dump; name it".to_owned(),
        dumps => format!("{dumps} dumps; name the ones you mean"),
    }
}

fn near(nearest: &[DumpId]) -> String {
    let names: Vec<_> = nearest.iter().map(DumpId::to_string).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!("; the nearest is {one}"),
        names => format!("; the nearest are {}", names.join(", ")),
    }
}

fn example(nearest: &[DumpId]) -> String {
    let newest = nearest.first().map(DumpId::to_string);
    newest.unwrap_or_else(|| "2026/1122/2331".to_owned())
}

impl DumpRoot {
    /// The dump that a person means by its name (`2026/1122/2331`, `first`), by
    /// its path, or by a pin. `current` and `current_chk` are what they point
    /// to.
    ///
    /// # Errors
    /// [`NotADump`] when there is none, with what may have been meant.
    pub fn find(&self, what: impl AsRef<OsStr>) -> Result<DumpId, NotADump> {
        let what = what.as_ref();
        let below = self.below(Path::new(what));
        let bytes = below.as_os_str().as_bytes();
        if let Some(id) = DumpId::parse(bytes) {
            return match self.has(id)? {
                true => Ok(id),
                false => Err(NotADump::Missing {
                    root: self.path().to_path_buf(),
                    path: below.clone(),
                    nearest: self.nearest(id)?,
                }),
            };
        }
        if let Some(dump) = layout::dump_around(&below)
            && let Some(dump) = DumpId::parse(dump.as_os_str().as_bytes())
            && self.has(dump)?
        {
            let path = PathBuf::from(what);
            return Err(NotADump::Inside { path, dump });
        }
        if let Some(id) = self.linked(&below)? {
            return Ok(id);
        }
        self.several(&below)?;
        if let Some(of) = root_of_dump(Path::new(what)) {
            return Err(NotADump::Elsewhere {
                root: self.path().to_path_buf(),
                path: PathBuf::from(what),
                of,
            });
        }
        let newest = self.listing().newest()?;
        Err(NotADump::Unknown {
            root: self.path().to_path_buf(),
            path: PathBuf::from(what),
            nearest: newest.into_iter().map(DumpId::Dump).collect(),
        })
    }

    /// Is there a directory of this name?
    pub(crate) fn has(&self, id: DumpId) -> Result<bool, Fault> {
        match self.open_dump(&id.rel_path()) {
            Ok(_) => Ok(true),
            Err(e) if errno::has_changed(&e) => Ok(false),
            Err(e) => Err(Fault::new(Op::Open, self.path().join(id.path()), e)),
        }
    }

    /// The path relative to the dump root, or the path itself: the name of a dump
    /// is understood in any working directory.
    fn below(&self, path: &Path) -> PathBuf {
        let plain: PathBuf = path.components().collect();
        let named = plain.iter().next().map(OsStr::as_bytes);
        if DumpId::parse(plain.as_os_str().as_bytes()).is_some()
            || named.is_some_and(|first| Year::parse(first).is_some()) && !path::exists(&plain)
        {
            return plain;
        }
        // The last name is not followed: it may be a pin.
        let resolved = plain
            .parent()
            .zip(plain.file_name())
            .and_then(|(above, last)| {
                let above = if above.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    above
                };
                Some(dir::real_path(above)?.join(last))
            });
        let root = dir::real_path(self.path());
        let below = resolved.zip(root).and_then(|(path, root)| {
            let below = path.strip_prefix(&root).ok()?;
            (!below.as_os_str().is_empty()).then(|| below.to_path_buf())
        });
        below.unwrap_or(plain)
    }

    /// The dump that a link in the dump root names.
    fn linked(&self, name: &Path) -> Result<Option<DumpId>, Fault> {
        let bytes = name.as_os_str().as_bytes();
        let ours = [layout::CURRENT, layout::CURRENT_CHECKPOINT];
        let ours = ours.iter().any(|ours| ours.as_bytes() == bytes);
        if bytes.contains(&b'/') || !(ours || PinName::new(name).is_ok()) {
            return Ok(None);
        }
        let text = self.text_of(&c_name(bytes));
        let text = text.map_err(|e| Fault::new(Op::ReadLink, self.path().join(name), e))?;
        let Some(text) = text else { return Ok(None) };
        let id = match ours {
            true => LinkTarget::parse(text.to_bytes())
                .map(|target| target.name.map_or(DumpId::First, DumpId::Dump)),
            false => layout::pinned(text.to_bytes()),
        };
        match id {
            Some(id) if self.has(id)? => Ok(Some(id)),
            _ => Ok(None),
        }
    }

    /// An error when it is a year or a day that has dumps.
    fn several(&self, below: &Path) -> Result<(), NotADump> {
        let names: Vec<_> = below.iter().map(OsStr::as_bytes).collect();
        let (year, day) = match names.as_slice() {
            [year] => (Year::parse(year), None),
            [year, day] => match Day::parse(day) {
                Some(day) => (Year::parse(year), Some(day)),
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        let Some(year) = year else { return Ok(()) };
        let of = |name: &DumpName| {
            let stamp = name.stamp;
            let same_day = |day: Day| (day.month, day.day) == (stamp.month(), stamp.day());
            stamp.year() == year.0 && day.is_none_or(same_day)
        };
        let mut number = 0;
        for name in Calendar::new(self.path()).ascending(..) {
            number += usize::from(of(&name?));
        }
        match number {
            0 => Ok(()),
            dumps => Err(NotADump::Several {
                name: below.display().to_string(),
                what: if day.is_some() {
                    Period::Day
                } else {
                    Period::Year
                },
                dumps,
            }),
        }
    }

    /// The dumps next to one that is not there, the nearest first.
    fn nearest(&self, id: DumpId) -> Result<Vec<DumpId>, Fault> {
        let Some(name) = id.name() else {
            return Ok(Vec::new());
        };
        let calendar = Calendar::new(self.path());
        let before = calendar.descending(..=name.stamp);
        let after = calendar.ascending((Bound::Excluded(name.stamp), Bound::Unbounded));
        let found = before.take(NEAREST).chain(after.take(NEAREST));
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        let minutes = |other: &DumpName| (other.stamp.civil() - name.stamp.civil()).num_minutes();
        found.sort_by_key(|other| minutes(other).abs());
        found.truncate(NEAREST);
        Ok(found.into_iter().map(DumpId::Dump).collect())
    }
}

/// The dump root that a path to a dump, or to a link to one, is in.
fn root_of_dump(path: &Path) -> Option<PathBuf> {
    let real = dir::real_path(path)?;
    let root = real.ancestors().find(|root| {
        let below = real.strip_prefix(root).ok();
        below.is_some_and(|below| DumpId::parse(below.as_os_str().as_bytes()).is_some())
    })?;
    let current = root.join(layout::CURRENT);
    path::exists(&current).then(|| root.to_path_buf())
}
