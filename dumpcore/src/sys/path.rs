//! Paths that a person names: of any length, through symlinks or not.
//!
//! The kernel takes at most 4095 bytes of a path, and trees are deeper than
//! that: what is longer is walked piece by piece, by handles.

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::process::getcwd;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::dir::{self, For};
use super::stat::{self, Fresh};
use super::{errno, link};
use crate::model::metadata::{Id, Kind, Meta};

/// As many symlinks as the kernel follows on one way.
const MOST_LINKS: u32 = 40;

/// Looks at the entry of a path; its last name is not followed.
pub(crate) fn look(path: &Path) -> io::Result<Meta> {
    match stat::look(CWD, &c_name(path.as_os_str())?, Fresh::AsStat) {
        Err(error) if errno::is_too_long(&error) && dir::is_long(path) => {
            let (above, name) = above(path)?;
            stat::look(above.as_fd(), &name, Fresh::AsStat)
        }
        other => other,
    }
}

/// Does a path lead to something, through symlinks too?
pub(crate) fn exists(path: &Path) -> bool {
    path.exists()
}

/// The directory above a path, and the last name.
pub(crate) fn above(path: &Path) -> io::Result<(OwnedFd, CString)> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        // `/` has no name: it is `.` in itself.
        return Ok((dir::open_root(path, For::Passing)?, c".".to_owned()));
    };
    Ok((dir::open_root(above, For::Passing)?, c_name(name)?))
}

fn c_name(name: &OsStr) -> io::Result<CString> {
    Ok(CString::new(name.as_bytes())?)
}

/// What becomes of the last name of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// It may be a symlink that is followed.
    Followed,
    /// It is not looked at.
    AsWritten,
}

/// The path from `/` on without dots and symlinks. From the first name on that
/// does not exist, or is a symlink to what does not, it is as it was written.
///
/// # Errors
/// A name that cannot be looked at, for another reason than its absence; also
/// `..` behind one that does not exist.
pub(crate) fn resolve(path: &Path, last: Last) -> io::Result<PathBuf> {
    let mut way = Way::start(path)?;
    let names: Vec<Component<'_>> = path.components().collect();
    for (at, name) in names.iter().enumerate() {
        if let (Last::AsWritten, Component::Normal(name)) = (last, name)
            && at + 1 == names.len()
        {
            way.names.push(name.to_os_string());
            break;
        }
        match way.step(*name, &mut 0) {
            Ok(()) => {}
            Err(error) if errno::is_absent(&error) => return way.with_rest(&names[at..], error),
            Err(error) => return Err(error),
        }
    }
    Ok(way.path())
}

/// A directory on the way, and the names that lead to it from `/`.
#[derive(Clone)]
struct Way {
    /// `None` where the way has ended in something else than a directory.
    dir: Option<Rc<OwnedFd>>,
    names: Vec<OsString>,
}

impl Way {
    fn start(path: &Path) -> io::Result<Self> {
        if path.is_absolute() {
            return Self::root();
        }
        let here = working_directory()?;
        let names = here.iter().skip(1).map(OsStr::to_os_string).collect();
        Ok(Self {
            dir: Some(Rc::new(dir::open_root(Path::new("."), For::Passing)?)),
            names,
        })
    }

    fn root() -> io::Result<Self> {
        Ok(Self {
            dir: Some(Rc::new(dir::open_root(Path::new("/"), For::Passing)?)),
            names: Vec::new(),
        })
    }

    fn dir(&self) -> io::Result<BorrowedFd<'_>> {
        let dir = self.dir.as_ref().ok_or(Errno::NOTDIR)?;
        Ok(dir.as_fd())
    }

    /// One name further; when that fails, the way is as it was. `links`: how
    /// many symlinks have led here.
    fn step(&mut self, name: Component<'_>, links: &mut u32) -> io::Result<()> {
        match name {
            Component::Normal(name) => self.enter(name, links),
            Component::ParentDir => {
                let above = dir::open_parent(self.dir()?, For::Passing)?;
                self.dir = Some(Rc::new(above));
                self.names.pop();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, name: &OsStr, links: &mut u32) -> io::Result<()> {
        let c_name = c_name(name)?;
        let opened = match dir::open_dir(self.dir()?, &c_name, For::Passing) {
            Ok(opened) => Some(Rc::new(opened)),
            Err(error) if errno::is_no_directory(&error) => {
                match link::read_symlink(self.dir()?, &c_name) {
                    Ok(target) => return self.follow(Path::new(os(&target)), links),
                    Err(error) if errno::is_no_symlink(&error) => None,
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        self.dir = opened;
        self.names.push(name.to_os_string());
        Ok(())
    }

    fn follow(&mut self, target: &Path, links: &mut u32) -> io::Result<()> {
        *links += 1;
        if *links > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        let mut way = if target.is_absolute() {
            Self::root()?
        } else {
            self.clone()
        };
        for name in target.components() {
            way.step(name, links)?;
        }
        *self = way;
        Ok(())
    }

    /// Where `..` leads from what does not exist is unknown.
    fn with_rest(self, rest: &[Component<'_>], absent: io::Error) -> io::Result<PathBuf> {
        if rest.contains(&Component::ParentDir) {
            return Err(absent);
        }
        Ok(self.path().join(rest.iter().collect::<PathBuf>()))
    }

    fn path(&self) -> PathBuf {
        let names = self.names.iter().map(OsString::as_os_str);
        std::iter::once(OsStr::new("/")).chain(names).collect()
    }
}

/// Which directory a root is, that a person named.
pub(crate) fn root_id(path: &Path) -> Option<Id> {
    let root = dir::open_root(path, For::Passing).ok()?;
    Some(stat::look_at(&root).ok()?.id())
}

/// A name on the way down a path, as it is typed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// The directory that it leads to.
    pub(crate) id: Id,
    /// Does it lead there as a symlink?
    pub(crate) is_symlink: bool,
}

/// Goes down the names of an absolute path without dots, through symlinks, as
/// long as they lead to directories. What comes first is `/`.
pub(crate) fn steps(path: &Path) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut dir = None;
    for name in path.iter() {
        let Some((opened, step)) = step_down(dir.as_ref(), name) else {
            break;
        };
        dir = Some(opened);
        steps.push(step);
    }
    steps
}

fn step_down(dir: Option<&OwnedFd>, name: &OsStr) -> Option<(OwnedFd, Step)> {
    let (opened, is_symlink) = match dir {
        None => (dir::open_root(Path::new(name), For::Passing).ok()?, false),
        Some(dir) => {
            let name = c_name(name).ok()?;
            match dir::open_dir(dir.as_fd(), &name, For::Passing) {
                Ok(opened) => (opened, false),
                Err(_) => (dir::open_followed(dir.as_fd(), &name).ok()?, true),
            }
        }
    };
    let id = stat::look_at(&opened).ok()?.id();
    Some((opened, Step { id, is_symlink }))
}

fn os(text: &CString) -> &OsStr {
    OsStr::from_bytes(text.to_bytes())
}

/// The directory that this process works in, without symlinks and however deep
/// it is: where the kernel does not tell (more than 4095 bytes), the way up
/// is taken name by name.
///
/// # Errors
/// [`NotFound`](io::ErrorKind::NotFound) of a directory that was removed or
/// unmounted, or what kept the directories above it from being listed.
pub fn working_directory() -> io::Result<PathBuf> {
    match getcwd(Vec::new()) {
        Ok(path) if path.to_bytes().starts_with(b"/") => {
            Ok(PathBuf::from(OsString::from_vec(path.into_bytes())))
        }
        // "(unreachable)/…": it is not below this process's root.
        Ok(_) => Err(Errno::NOENT.into()),
        Err(Errno::NAMETOOLONG) => climb(dir::open_root(Path::new("."), For::Passing)?),
        Err(error) => Err(error.into()),
    }
}

/// The path of a directory, from the names that those above know it by.
fn climb(mut at: OwnedFd) -> io::Result<PathBuf> {
    let mut names = Vec::new();
    let mut id = stat::look_at(&at)?.id();
    let base = loop {
        // Once it is short enough the kernel tells the rest.
        if let Some(base) = told(&at, id) {
            break base;
        }
        let above = dir::open_parent(at.as_fd(), For::Passing)?;
        let above_id = stat::look_at(&above)?.id();
        if above_id == id {
            break PathBuf::from("/");
        }
        names.push(name_of(above.as_fd(), id)?);
        (at, id) = (above, above_id);
    };
    Ok(base.join(names.iter().rev().collect::<PathBuf>()))
}

/// What the kernel calls the directory of a handle, if it says so.
fn told(handle: &OwnedFd, id: Id) -> Option<PathBuf> {
    let link = CString::new(format!("/proc/self/fd/{}", handle.as_raw_fd())).ok()?;
    let path = link::read_symlink(CWD, &link).ok()?;
    let path = Path::new(os(&path));
    // Of one that was removed it says "… (deleted)".
    let is_it = path.is_absolute() && look(path).ok()?.id() == id;
    is_it.then(|| path.to_path_buf())
}

/// The name in a directory of one below it.
fn name_of(above: BorrowedFd<'_>, id: Id) -> io::Result<OsString> {
    let names = dir::list_all(above, For::Reading)?;
    let is_it = |name| stat::look(above, name, Fresh::AsStat).is_ok_and(|meta| meta.id() == id);
    let by_number = names.iter().find(|e| e.ino == id.ino && is_it(e.name));
    // A mount point is listed with the number that it covers.
    let may_be = |kind: Option<Kind>| kind.is_none_or(|kind| kind == Kind::Dir);
    let found = by_number.or_else(|| names.iter().find(|e| may_be(e.kind) && is_it(e.name)));
    let name = found.ok_or(Errno::NOENT)?.name;
    Ok(OsStr::from_bytes(name.to_bytes()).to_os_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn resolves_as_the_system_does_and_leaves_what_is_not_there() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let base = fs::canonicalize(dir.path()).expect("there");
        fs::create_dir_all(base.join("a/b")).expect("made");
        fs::write(base.join("a/f"), "").expect("written");
        for (target, link) in [
            ("a/b", "to_b"),
            ("../to_b/..", "a/up"),
            ("to_b/../f", "to_f"),
            ("nowhere/x", "dangling"),
            ("dangling", "to_dangling"),
        ] {
            symlink(target, base.join(link)).expect("linked");
        }
        symlink(base.join("a"), base.join("absolute")).expect("linked");
        for path in [
            "",
            "to_b",
            "to_b/.",
            "a/up/up/b",
            "to_f",
            "absolute/up/f",
            "a/./b/../f",
        ] {
            let path = base.join(path);
            let real = fs::canonicalize(&path).expect("there");
            assert_eq!(resolve(&path, Last::Followed).expect("there"), real);
        }
        for (path, last, expected) in [
            ("absolute/b/none/x", Last::Followed, "a/b/none/x"),
            ("to_f/x", Last::Followed, "a/f/x"),
            ("dangling/x", Last::Followed, "dangling/x"),
            ("a/up/../to_dangling/x", Last::Followed, "to_dangling/x"),
            ("absolute/up/up", Last::AsWritten, "a/up"),
            ("to_b", Last::AsWritten, "to_b"),
            ("a/../to_b", Last::AsWritten, "to_b"),
        ] {
            let found = resolve(&base.join(path), last).expect(path);
            assert_eq!(found, base.join(expected), "{path}");
        }
        let unknown = resolve(&base.join("none/../a"), Last::Followed).expect_err("unknown");
        assert!(errno::is_missing(&unknown), "{unknown}");
        symlink("loop", base.join("loop")).expect("linked");
        let endless = resolve(&base.join("loop/x"), Last::Followed).expect_err("endless");
        assert!(errno::has_changed(&endless), "{endless}");
    }

    #[test]
    fn a_relative_path_starts_in_the_working_directory() {
        let here = working_directory().expect("a directory");
        assert_eq!(here, std::env::current_dir().expect("a directory"));
        let found = resolve(Path::new("none/x"), Last::Followed).expect("resolved");
        assert_eq!(found, here.join("none/x"));
        let (above, name) = above(Path::new("none")).expect("opened");
        let id = look(&here).expect("there").id();
        assert_eq!(stat::look_at(&above).expect("there").id(), id);
        assert_eq!(name.as_c_str(), c"none");
        let handle = dir::open_root(Path::new("."), For::Passing).expect("opened");
        assert_eq!(climb(handle).expect("climbed"), here);
    }
}
