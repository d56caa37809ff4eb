//! Which root a path is in: a main tree, or a dump.
//!
//! A path may be relative, lead through symlinks into a tree, or name what has
//! been deleted since: the part of it that still exists is resolved, the rest
//! is taken as written. The last name itself is not followed, since a symlink
//! inside a tree has a history of its own; only when it is in neither tree
//! does it count as a way into one.
//!
//! A symlink further up may have taken the place of a directory, whose past is
//! in the dumps: when it leads out of all trees, the path counts as it was
//! typed.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::find_error::FindError;
use crate::model::fault::{Fault, Op};
use crate::model::path::RelPath;
use crate::model::tree::Tree;
use crate::policy::layout::{DumpName, root_name};
use crate::sys::path::{Last, resolve, root_id, steps};

/// The trees that paths are looked for in.
#[derive(Clone, Debug)]
pub(super) struct Trees {
    pub(super) roots: Vec<Tree>,
    pub(super) dump: PathBuf,
}

/// Where a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The same path inside a dump: the root's name, then the path below it.
    /// Empty for a dump itself.
    pub within: RelPath,
    /// The tree it is in.
    pub located_in: LocatedIn,
    /// The symlink in the main tree that leads elsewhere, where the path was
    /// taken as it was typed, through that symlink's name.
    pub typed_through: Option<PathBuf>,
}

impl Location {
    /// A path inside a dump, which begins with the name of a tree. Its history
    /// ends with that dump.
    #[must_use]
    pub fn in_dump(dump: DumpName, within: RelPath) -> Self {
        Self {
            within,
            located_in: LocatedIn::Dump(dump),
            typed_through: None,
        }
    }

    /// How many names are between the tree, or the dump root, and the place: of
    /// several that hold a path, the innermost has the fewest.
    #[must_use]
    pub fn depth(&self) -> usize {
        let names = self.within.as_path().components().count();
        match self.located_in {
            LocatedIn::Main(_) => names.saturating_sub(1),
            // Year, day and minute.
            LocatedIn::Dump(_) => names + 3,
        }
    }
}

/// The tree that a path is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocatedIn {
    /// A main tree; with the path there, as the tree was named.
    Main(PathBuf),
    /// A dump.
    Dump(DumpName),
}

impl Trees {
    /// Finds the tree that a path is in.
    /// Of trees inside one another the innermost counts.
    pub(super) fn locate(&self, path: &Path) -> Result<Location, FindError> {
        let path = Path::new("/").join(path);
        let fault = |cause| Fault::new(Op::Stat, path.clone(), cause);
        let mut undated = false;
        if !asks_to_follow(&path) {
            let unfollowed = resolve(&path, Last::AsWritten).map_err(fault)?;
            match self.place(&unfollowed) {
                Some(Ok(place)) => return Ok(place),
                Some(Err(Undated)) => undated = true,
                None => {}
            }
        }
        // Only now: following a symlink of a dump moves its access time.
        match self.place(&resolve(&path, Last::Followed).map_err(fault)?) {
            Some(Ok(place)) => return Ok(place),
            Some(Err(Undated)) => undated = true,
            None => {}
        }
        if !undated && let Some(place) = self.locate_as_typed(&path) {
            return Ok(place);
        }
        Err(if undated {
            FindError::NoDump {
                path,
                dump: self.dump.clone(),
            }
        } else {
            FindError::InNeither {
                path,
                main: self.roots.iter().map(|r| r.path.clone()).collect(),
                dump: self.dump.clone(),
            }
        })
    }

    /// The innermost main tree that the names of a path lead into as they are
    /// typed, when a symlink further down leads elsewhere.
    pub(super) fn locate_as_typed(&self, path: &Path) -> Option<Location> {
        let path = without_dots(&Path::new("/").join(path));
        let steps = steps(&path);
        let roots = self.roots.iter().filter_map(|root| {
            let id = root_id(&root.path)?;
            let at = steps.iter().rposition(|step| step.id == id)?;
            Some((at, root))
        });
        let (at, root) = roots.max_by_key(|(at, _)| *at)?;
        let link = at + 1 + steps[at + 1..].iter().position(|step| step.is_symlink)?;
        let rest = |names: usize| -> PathBuf { path.iter().take(names).skip(at + 1).collect() };
        let whole = rest(usize::MAX);
        let place = main_place(root, &RelPath::from_bytes(whole.as_os_str().as_bytes()))?;
        Some(Location {
            typed_through: Some(root.path.join(rest(link + 1))),
            ..place.ok()?
        })
    }

    /// The path in a main tree of what is `within` a dump.
    pub(super) fn main_path(&self, within: &RelPath) -> Option<PathBuf> {
        let mut names = within.as_bytes().splitn(2, |b| *b == b'/');
        let root_name = names.next()?;
        let rest = RelPath::from_bytes(names.next().unwrap_or_default());
        let named = |root: &&Tree| {
            root.name_in_dump()
                .is_some_and(|n| n.as_bytes() == root_name)
        };
        Some(rest.below(&self.roots.iter().find(named)?.path))
    }

    /// The same trees, by paths that lead through no symlink.
    pub(super) fn resolved(&self) -> Self {
        let resolved = |root: &Tree| Tree {
            path: resolve(&root.path, Last::Followed).unwrap_or_else(|_| root.path.clone()),
            name: root.name_in_dump(),
        };
        Self {
            roots: self.roots.iter().map(resolved).collect(),
            dump: self.dump.clone(),
        }
    }

    fn place(&self, path: &Path) -> Option<Result<Location, Undated>> {
        let in_dump = below(path, &self.dump);
        let mains = self
            .roots
            .iter()
            .filter_map(|root| Some((root, below(path, &root.path)?)));
        // The longer the rest, the further out the root.
        let in_main = mains.min_by_key(|(_, rest)| rest.as_bytes().len());
        match (in_main, in_dump) {
            (Some((root, rest)), Some(dump_rest))
                if rest.as_bytes().len() < dump_rest.as_bytes().len() =>
            {
                main_place(root, &rest)
            }
            (_, Some(rest)) => Some(dump_place(&rest).ok_or(Undated)),
            (Some((root, rest)), None) => main_place(root, &rest),
            (None, None) => None,
        }
    }
}

/// It is in the dump root, but in nothing that has a date.
struct Undated;

fn main_place(root: &Tree, rest: &RelPath) -> Option<Result<Location, Undated>> {
    let name = root.name_in_dump()?;
    Some(Ok(Location {
        within: RelPath::from_bytes(name.as_bytes()).join(rest.as_bytes()),
        located_in: LocatedIn::Main(rest.below(&root.path)),
        typed_through: None,
    }))
}

impl Tree {
    /// The name that it is dumped under: the one given, the last of its path
    /// or, of what ends in `..`, the last of its real path. `None` where that
    /// is unknown, as of what does not exist.
    #[must_use]
    pub fn name_in_dump(&self) -> Option<OsString> {
        let own = |path: &Path| root_name(path).map(OsString::from);
        let given = self.name.clone().or_else(|| own(&self.path));
        given.or_else(|| own(&resolve(&self.path, Last::Followed).ok()?))
    }
}

fn dump_place(rest: &RelPath) -> Option<Location> {
    let mut names = rest.as_bytes().splitn(4, |b| *b == b'/');
    let found = DumpName::from_names(names.next()?, names.next()?, names.next()?)?;
    (!found.incomplete).then(|| Location {
        within: RelPath::from_bytes(names.next().unwrap_or_default()),
        located_in: LocatedIn::Dump(found.name),
        typed_through: None,
    })
}

/// The rest of `path` below a root, which may itself be a symlink or gone.
fn below(path: &Path, root: &Path) -> Option<RelPath> {
    let root = resolve(root, Last::Followed).ok()?;
    let rest = path.strip_prefix(root).ok()?;
    Some(RelPath::from_bytes(rest.as_os_str().as_bytes()))
}

/// Does the path itself say that its last name is to be followed?
fn asks_to_follow(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    path.file_name().is_none() || bytes.ends_with(b"/") || bytes.ends_with(b"/.")
}

/// The names of a path as a shell reads them: `..` takes the one before away.
fn without_dots(path: &Path) -> PathBuf {
    let mut names = PathBuf::new();
    for name in path.components() {
        match name {
            Component::ParentDir => drop(names.pop()),
            Component::CurDir => {}
            name => names.push(name),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use assert_fs::TempDir;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A main tree, a dump root, and a way in from outside.
    fn ground() -> (TempDir, Trees) {
        let ground = TempDir::new().unwrap();
        let base = fs::canonicalize(ground.path()).unwrap();
        for dir in [
            "disk/NEWAGE/a/b",
            "dump/2026/1122/2331/NEWAGE/a",
            "dump/2026/1122/2332_incomplete/NEWAGE",
            "dump/first/NEWAGE",
            "outside",
        ] {
            fs::create_dir_all(base.join(dir)).unwrap();
        }
        fs::write(base.join("disk/NEWAGE/a/f"), "").unwrap();
        for (target, link) in [
            ("disk/NEWAGE", "MAIN"),
            ("../disk/NEWAGE/a", "outside/way"),
            ("../disk/NEWAGE/a/f", "outside/file"),
            ("/nowhere", "disk/NEWAGE/a/dangling"),
            ("b", "disk/NEWAGE/a/link"),
            ("2026/1122/2331", "dump/current"),
        ] {
            symlink(target, base.join(link)).unwrap();
        }
        let trees = Trees {
            roots: vec![Tree {
                path: base.join("MAIN"),
                name: None,
            }],
            dump: base.join("dump"),
        };
        (ground, trees)
    }

    #[test]
    fn finds_the_tree_of_a_path() {
        let (ground, trees) = ground();
        let base = fs::canonicalize(ground.path()).unwrap();
        let main = [
            (".", "MAIN/a/f", "MAIN/a/f"),
            (".", "MAIN", "MAIN"),
            (".", "disk/NEWAGE/", "MAIN"),
            ("disk/NEWAGE", ".", "MAIN"),
            ("disk/NEWAGE/a/b", "..", "MAIN/a"),
            ("disk/NEWAGE/a", "f", "MAIN/a/f"),
            ("disk/NEWAGE/a", "./b/../f", "MAIN/a/f"),
            ("disk/NEWAGE/a", "gone", "MAIN/a/gone"),
            ("disk/NEWAGE/a", "gone/deep/er", "MAIN/a/gone/deep/er"),
            ("disk/NEWAGE/a", "f/under a file", "MAIN/a/f/under a file"),
            ("disk/NEWAGE/a", "dangling", "MAIN/a/dangling"),
            ("disk/NEWAGE/a", "link", "MAIN/a/link"),
            ("disk/NEWAGE/a", "link/", "MAIN/a/b"),
            ("disk/NEWAGE/a", "link/x", "MAIN/a/b/x"),
            ("outside", "way", "MAIN/a"),
            ("outside", "way/gone", "MAIN/a/gone"),
            ("outside", "file", "MAIN/a/f"),
        ];
        for (from, path, expected) in main {
            let place = trees.locate(&base.join(from).join(path));
            let place = place.unwrap_or_else(|e| panic!("{from} {path}: {e}"));
            assert_eq!(place.within.as_bytes(), expected.as_bytes(), "{path}");
            assert_eq!(
                place.located_in,
                LocatedIn::Main(base.join(expected)),
                "{path}"
            );
        }
        let dump = [
            ("dump/2026/1122/2331/NEWAGE/a", "NEWAGE/a"),
            ("dump/2026/1122/2331/NEWAGE/gone/x", "NEWAGE/gone/x"),
            ("dump/2026/1122/2331", ""),
            ("dump/current/NEWAGE/a/", "NEWAGE/a"),
            ("dump/current", ""),
            // A dump that retention has dropped still has a date.
            ("dump/2020/0101/0000/NEWAGE/a", "NEWAGE/a"),
        ];
        for (path, within) in dump {
            let place = trees.locate(&base.join(path)).unwrap();
            assert_eq!(place.within.as_bytes(), within.as_bytes(), "{path}");
            assert!(matches!(place.located_in, LocatedIn::Dump(_)), "{path}");
        }
    }

    #[test]
    fn names_both_roots_of_a_path_in_neither() {
        let (ground, trees) = ground();
        let base = fs::canonicalize(ground.path()).unwrap();
        for path in ["/", "outside", "outside/x", "disk", "MAINx", "nowhere/x"] {
            let error = trees.locate(&base.join(path)).unwrap_err();
            assert!(matches!(error, FindError::InNeither { .. }), "{path}");
            let text = error.to_string();
            for root in ["MAIN", "dump"] {
                let root = base.join(root);
                assert!(text.contains(root.to_str().unwrap()), "{path}: {text}");
            }
        }
        for path in [
            "dump",
            "dump/first/NEWAGE",
            "dump/2026/1122",
            "dump/2026/1122/2332_incomplete/NEWAGE",
        ] {
            let error = trees.locate(&base.join(path)).unwrap_err();
            assert!(matches!(error, FindError::NoDump { .. }), "{path}: {error}");
        }
    }

    #[test]
    fn the_innermost_tree_counts() {
        let (ground, mut trees) = ground();
        let base = fs::canonicalize(ground.path()).unwrap();
        trees.roots.push(Tree {
            path: base.join("disk/NEWAGE/a/b"),
            name: Some("B".into()),
        });
        trees.roots.push(Tree {
            path: base.clone(),
            name: Some("all".into()),
        });
        for (path, within) in [
            ("disk/NEWAGE/a/b/x", "B/x"),
            ("disk/NEWAGE/a/x", "MAIN/a/x"),
            ("outside/x", "all/outside/x"),
            ("dump/2026/1122/2331/NEWAGE", "NEWAGE"),
        ] {
            let place = trees.locate(&base.join(path)).unwrap();
            assert_eq!(place.within.as_bytes(), within.as_bytes(), "{path}");
        }
    }

    #[test]
    fn a_tree_that_ends_in_dots_has_its_real_name() {
        let (ground, mut trees) = ground();
        let base = fs::canonicalize(ground.path()).unwrap();
        trees.roots[0].path = base.join("disk/NEWAGE/a/..");
        let place = trees.locate(&base.join("disk/NEWAGE/a/f")).unwrap();
        assert_eq!(place.within.as_bytes(), b"NEWAGE/a/f");
    }

    #[test]
    fn a_tree_that_is_gone_still_has_a_past() {
        let (ground, trees) = ground();
        let base = fs::canonicalize(ground.path()).unwrap();
        fs::remove_file(base.join("MAIN")).unwrap();
        let place = trees.locate(&base.join("MAIN/a/f")).unwrap();
        assert_eq!(place.within.as_bytes(), b"MAIN/a/f");
    }
}
