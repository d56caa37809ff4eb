//! A directory at a time: what was in it, and what of that is gone or has changed
//! since, by the newest dump that has its tree.
//!
//! However many names it has, only those of one page are looked at one by one;
//! sorting by size or time looks at all, which is done up to a limit.

use std::cmp::Reverse;

use dumpcore::{DirEntry, DumpId, EntryAt, EntryDir, Kind, RelPath, Time};

use crate::view::error::ViewError;
use crate::view::site::Site;

/// Names on one page.
pub const ON_A_PAGE: usize = 500;

/// With more names than these it is sorted by name alone.
const SORTED: usize = 20_000;

/// A page of a directory.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// The rows of this page.
    pub rows: Vec<Row>,
    /// How many names there are in all.
    pub total: usize,
    /// How many of them are gone since.
    pub gone: usize,
    /// Which page it is, from 0.
    pub page: usize,
    /// How many pages there are.
    pub pages: usize,
    /// How it is sorted.
    pub sort: Sorting,
    /// May it be sorted otherwise?
    pub is_sortable: bool,
    /// The dump that it is held against; `None` when it is the newest itself, or
    /// which one is the newest is not known.
    pub against: Option<DumpId>,
    /// Why it could not be held against the newest dump: what became of its names is
    /// not known then.
    pub not_compared: Option<String>,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its bytes.
    pub name: Vec<u8>,
    /// What it is; `None` where it could not be looked at.
    pub kind: Option<Kind>,
    /// Why not.
    pub fault: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was modified.
    pub mtime: Time,
    /// What became of it.
    pub since: Since,
}

/// What became of an entry by the newest dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// It is there, and the same.
    Same,
    /// It is there, and has changed.
    Changed,
    /// It is gone.
    Gone,
    /// One of both could not be looked at.
    Unknown,
}

/// How a directory is sorted: directories come first in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sorting {
    /// By name, as people sort them: whatever the case of letters.
    #[default]
    Name,
    /// The largest first.
    Size,
    /// The newest first.
    Time,
}

impl Sorting {
    /// By its word in an address.
    #[must_use]
    pub fn parse(word: Option<&str>) -> Self {
        match word {
            Some("size") => Self::Size,
            Some("time") => Self::Time,
            _ => Self::Name,
        }
    }

    /// Its word in an address.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Time => "time",
        }
    }
}

impl Directory {
    /// Lists a page of a directory.
    ///
    /// # Errors
    /// This user may not list it.
    pub fn list(
        site: &Site,
        (dump, within): (DumpId, &RelPath),
        entry: &EntryAt,
        (page, sort): (usize, Sorting),
    ) -> Result<Self, ViewError> {
        let listed = entry.list()?;
        let against = Against::find(site, dump, within);
        let names = listed.names();
        let total = names.len();
        let is_sortable = total <= SORTED;
        let sort = if is_sortable { sort } else { Sorting::Name };
        let gone = against.lacking(&names);
        let pages = total.div_ceil(ON_A_PAGE).max(1);
        let page = page.min(pages - 1);
        let rows = rows(&listed, &names, page, sort);
        Ok(Self {
            rows: rows
                .into_iter()
                .map(|row| against.judge(row, &listed))
                .collect(),
            total,
            gone,
            page,
            pages,
            sort,
            is_sortable,
            against: against.dump(),
            not_compared: match against {
                Against::Unknown(_, why) => Some(why),
                _ => None,
            },
        })
    }
}

/// The rows of a page.
fn rows(listed: &EntryDir, names: &[DirEntry], page: usize, sort: Sorting) -> Vec<Row> {
    if sort == Sorting::Name {
        let mut keys: Vec<_> = names.iter().enumerate().map(key).collect();
        let shown = nth_page(&mut keys, page).iter();
        return shown
            .filter_map(|(_, _, at)| row(listed, &names[*at]))
            .collect();
    }
    let all = names.iter().filter_map(|name| row(listed, name));
    let mut rows: Vec<Row> = all.collect();
    rows.sort_by_key(|row| {
        let key = match sort {
            Sorting::Size => i128::from(row.size),
            _ => row.mtime.as_nanos(),
        };
        (row.kind != Some(Kind::Dir), Reverse(key))
    });
    let shown = rows.into_iter().skip(page * ON_A_PAGE);
    shown.take(ON_A_PAGE).collect()
}

/// The same directory in the newest dump.
enum Against {
    /// It is the newest dump.
    Newest,
    /// That dump, the directory, and the names in it, in the order of their bytes.
    There(DumpId, EntryDir, Vec<DirEntry>),
    /// That dump has no such directory.
    Gone(DumpId),
    /// It could not be read, for this reason; nor, where it is `None`, which dump is
    /// the newest.
    Unknown(Option<DumpId>, String),
}

/// A directory, and the names in it.
type Listed = (EntryDir, Vec<DirEntry>);

impl Against {
    fn find(site: &Site, dump: DumpId, within: &RelPath) -> Self {
        let newest = match site.newest(within) {
            Ok(Some(newest)) if newest != dump => newest,
            Ok(_) => return Self::Newest,
            Err(error) => return Self::Unknown(None, error.to_string()),
        };
        match Self::names(site, newest, within) {
            Ok(Some((dir, names))) => Self::There(newest, dir, names),
            Ok(None) => Self::Gone(newest),
            Err(error) => Self::Unknown(Some(newest), error.to_string()),
        }
    }

    fn names(site: &Site, newest: DumpId, within: &RelPath) -> Result<Option<Listed>, ViewError> {
        let entry = site.root()?.entry(newest, within)?;
        let Some(entry) = entry.filter(|entry| entry.meta().kind == Kind::Dir) else {
            return Ok(None);
        };
        let dir = entry.list()?;
        let names = dir.names();
        Ok(Some((dir, names)))
    }

    fn dump(&self) -> Option<DumpId> {
        match self {
            Self::Newest => None,
            Self::There(dump, ..) | Self::Gone(dump) => Some(*dump),
            Self::Unknown(dump, _) => *dump,
        }
    }

    /// Is a name gone? All are, where the directory is.
    fn lacks(&self, name: &[u8]) -> bool {
        match self {
            Self::Newest | Self::Unknown(..) => false,
            Self::There(_, _, names) => {
                let found = names.binary_search_by(|other| other.name.as_slice().cmp(name));
                found.is_err()
            }
            Self::Gone(_) => true,
        }
    }

    /// How many of these names, which are in the order of their bytes, are gone?
    fn lacking(&self, names: &[DirEntry]) -> usize {
        let Self::There(_, _, now) = self else {
            let all = matches!(self, Self::Gone(_));
            return if all { names.len() } else { 0 };
        };
        let mut now = now.iter().peekable();
        let is_gone = |name: &&DirEntry| {
            while now.next_if(|other| other.name < name.name).is_some() {}
            now.peek().is_none_or(|other| other.name != name.name)
        };
        names.iter().filter(is_gone).count()
    }

    fn judge(&self, mut row: Row, listed: &EntryDir) -> Row {
        row.since = match self {
            Self::Newest => Since::Same,
            Self::Unknown(..) => Since::Unknown,
            Self::Gone(_) => Since::Gone,
            _ if self.lacks(&row.name) => Since::Gone,
            Self::There(_, now, _) => match (listed.entry(&row.name), now.entry(&row.name)) {
                (Ok(Some(then)), Ok(Some(now))) if differs(&then, &now) => Since::Changed,
                (Ok(Some(_)), Ok(Some(_))) => Since::Same,
                (Ok(Some(_)), Ok(None)) => Since::Gone,
                _ => Since::Unknown,
            },
        };
        row
    }
}

/// Do two entries differ, as far as one look at each tells? Those of different
/// inodes are the same when size and time are: a checkpoint is such a copy.
fn differs(then: &EntryAt, now: &EntryAt) -> bool {
    let (then, now) = (then.meta(), now.meta());
    if then.id() == now.id() {
        return false;
    }
    let size = |size: u64| if then.kind == Kind::Dir { 0 } else { size };
    then.kind != now.kind || size(then.size) != size(now.size) || then.mtime != now.mtime
}

/// What a name is sorted by: directories first, then in lower case, where it is text;
/// of those that are the same the order of their bytes decides, in which they come.
type Key = (bool, String, usize);

fn key((at, name): (usize, &DirEntry)) -> Key {
    let folded = String::from_utf8_lossy(&name.name).to_lowercase();
    (!name.is_dir, folded, at)
}

/// The keys of one page in their order. The others are not sorted: that would take
/// longer than everything else, of a hundred thousand names.
fn nth_page(keys: &mut [Key], page: usize) -> &[Key] {
    let first = (page * ON_A_PAGE).min(keys.len());
    if first > 0 && first < keys.len() {
        keys.select_nth_unstable(first);
    }
    let rest = &mut keys[first..];
    let last = ON_A_PAGE.min(rest.len());
    if last < rest.len() {
        rest.select_nth_unstable(last);
    }
    let shown = &mut rest[..last];
    shown.sort_unstable();
    shown
}

/// Looks at a name; `None` when it is gone meanwhile.
fn row(listed: &EntryDir, name: &DirEntry) -> Option<Row> {
    let (meta, fault) = match listed.entry(&name.name) {
        Ok(None) => return None,
        Ok(Some(entry)) => (Some(*entry.meta()), None),
        Err(fault) => (None, Some(ViewError::from(fault).to_string())),
    };
    Some(Row {
        name: name.name.clone(),
        kind: meta.map(|meta| meta.kind),
        fault,
        size: meta.map_or(0, |meta| meta.size),
        mtime: meta.map_or_else(Time::default, |meta| meta.mtime),
        since: Since::Same,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_those_of_the_sorted_whole() {
        for total in [0, 1, 499, 500, 501, 1203] {
            // In no order, and some of them equal but for their place.
            let keys: Vec<Key> = (0..total)
                .map(|at| (at % 7 != 0, format!("{:03}", at * 7919 % 301), at))
                .collect();
            let mut sorted = keys.clone();
            sorted.sort();
            for page in 0..4 {
                let expected = sorted.chunks(ON_A_PAGE).nth(page).unwrap_or_default();
                assert_eq!(nth_page(&mut keys.clone(), page), expected, "{total}");
            }
        }
    }

    #[test]
    fn names_that_are_gone_are_counted_as_they_are_looked_up() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let tree = dir.path().join("2026/1122/2331/tree");
        std::fs::create_dir_all(&tree).expect("made");
        for name in ["B", "a", "c", "e"] {
            std::fs::write(tree.join(name), "").expect("written");
        }
        let root = dumpcore::DumpRoot::open(dir.path()).expect("opened");
        let dump = DumpId::parse(b"2026/1122/2331").expect("a name");
        let top = root.entry(dump, &RelPath::from("tree")).expect("looked");
        let now = top.expect("it exists").list().expect("listed");
        let names = now.names();
        let there = Against::There(dump, now, names);
        let of = |names: &[&str]| -> Vec<DirEntry> {
            let other = dir.path().join("2026/1122/2331/other");
            let _ = std::fs::remove_dir_all(&other);
            std::fs::create_dir(&other).expect("made");
            for name in names {
                std::fs::write(other.join(name), "").expect("written");
            }
            let entry = root.entry(dump, &RelPath::from("other")).expect("looked");
            entry.expect("it exists").list().expect("listed").names()
        };
        for (then, gone) in [
            (&["A", "B", "a", "b", "c", "d", "e", "f"][..], 4),
            (&["B", "a", "c", "e"], 0),
            (&["f"], 1),
            (&[], 0),
        ] {
            let then = of(then);
            assert_eq!(there.lacking(&then), gone);
            let lacks = then.iter().filter(|name| there.lacks(&name.name)).count();
            assert_eq!(lacks, gone);
        }
        assert_eq!(Against::Gone(dump).lacking(&of(&["a", "b"])), 2);
        assert_eq!(Against::Newest.lacking(&of(&["a", "b"])), 0);
    }
}
