//! Pins: links in the dump root that keep dumps.
//!
//! A pin is a symlink directly in the dump root whose target is exactly a dump
//! of it. To make one takes no lock of the dump root, so that it does not wait
//! for a run: the dump is held for reading meanwhile. Who removes a dump holds it
//! alone, and then looks for pins once more, so that no pin is left without its
//! dump.

use std::ffi::{CStr, CString, OsStr};
use std::fmt;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::path::Printable;
use crate::policy::layout::{self, BadPinName, DumpId, PinName};
use crate::root::DumpRoot;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::{disk, errno, link, path};

/// A link that keeps a dump under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pin {
    /// The name of the link, as it stands in the dump root.
    pub name: PathBuf,
    /// The dump that it keeps.
    pub dump: DumpId,
}

/// A link in the dump root that looks like a pin and keeps no dump.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotAPin {
    /// The path of the link.
    pub path: PathBuf,
    /// Its target.
    pub target: PathBuf,
    /// Why its name cannot be that of a pin; `None`: its target is not exactly a
    /// dump.
    pub bad_name: Option<BadPinName>,
}

impl fmt::Display for NotAPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = Printable::path(&self.path);
        write!(f, "the link {path} is not a pin and keeps no dump: ")?;
        match &self.bad_name {
            Some(bad) => bad.fmt(f),
            None => {
                let target = Printable::path(&self.target);
                write!(f, "its target {target} is not exactly a dump")
            }
        }
    }
}

/// Why a pin was not made or not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// A pin of that name keeps another dump.
    #[error("the pin {} already exists and keeps {dump}; remove it first, with \
             'dumpctl unpin {}', or choose another name",
             Printable::path(.path), Printable::path(last(.path)))]
    Taken {
        /// The path of the pin.
        path: PathBuf,
        /// What it keeps.
        dump: DumpId,
    },
    /// Something of that name is there.
    #[error("{} already exists and is not a pin; choose another name", Printable::path(.path))]
    InTheWay {
        /// Its path.
        path: PathBuf,
    },
    /// It is a dump that is being made, or was left behind.
    #[error("{dump} is not published, and only a published dump can be pinned")]
    Incomplete {
        /// The dump.
        dump: DumpId,
    },
    /// There is no pin of that name.
    #[error("{} has no pin {}{}", Printable::path(.root), Printable::path(.name), others(.pins))]
    Missing {
        /// The dump root.
        root: PathBuf,
        /// The name.
        name: PathBuf,
        /// The pins that there are.
        pins: Vec<PathBuf>,
    },
    /// What has that name is not a link.
    #[error("{} is not a pin", Printable::path(.path))]
    NotALink {
        /// Its path.
        path: PathBuf,
    },
    /// The link of that name is not a pin.
    #[error("{0}; remove it with rm if it is not needed")]
    Other(NotAPin),
    /// The disk, or the dump root's owner, refuses.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<PinError> for Error {
    fn from(error: PinError) -> Self {
        match error {
            PinError::Fault(fault) => Error::Fault(fault),
            other => Error::Other(Box::new(other)),
        }
    }
}

fn last(path: &Path) -> &Path {
    path.file_name().map_or(path, Path::new)
}

fn others(pins: &[PathBuf]) -> String {
    let names: Vec<_> = pins
        .iter()
        .map(|name| Printable::path(name).to_string())
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!("; the only one is {one}"),
        names => format!("; there are {}", names.join(", ")),
    }
}

impl DumpRoot {
    /// The links that keep dumps under names, by name.
    ///
    /// # Errors
    /// A [`Fault`] when the dump root cannot be listed.
    pub fn pins(&self) -> Result<Vec<Pin>, Fault> {
        let mut pins = Vec::new();
        self.each_link(|name, text| {
            if let Some(dump) = layout::pinned(text)
                && PinName::new(name).is_ok()
            {
                let name = PathBuf::from(name);
                pins.push(Pin { name, dump });
            }
        })?;
        Ok(pins)
    }

    /// Links in the dump root that look like pins and keep no dump, by name:
    /// their target is not exactly a dump, or their name is one that a pin cannot
    /// have. The links that runs move are not among them, nor are links to a dump
    /// whose names begin with a dot.
    ///
    /// # Errors
    /// A [`Fault`] when the dump root cannot be listed.
    pub fn links_that_are_not_pins(&self) -> Result<Vec<NotAPin>, Fault> {
        let ours = [layout::CURRENT, layout::CURRENT_CHECKPOINT];
        let is_ours = |name: &OsStr| ours.iter().any(|ours| name == *ours);
        let mut links = Vec::new();
        self.each_link(|name, text| {
            let (bad_name, is_dump) = (PinName::new(name).err(), layout::pinned(text).is_some());
            let is_hidden = name.as_bytes().starts_with(b".");
            if is_ours(name) || is_hidden || bad_name.is_some() != is_dump {
                return;
            }
            links.push(NotAPin {
                path: self.path().join(name),
                target: OsStr::from_bytes(text).into(),
                bad_name,
            });
        })?;
        Ok(links)
    }

    /// The links of the dump root, with their targets, by name.
    pub(super) fn each_link(&self, mut each: impl FnMut(&OsStr, &[u8])) -> Result<(), Fault> {
        let failed = |e| Fault::new(Op::List, self.path().to_path_buf(), e);
        let mut chunk = dir::list_all(self.handle().as_fd(), For::Reading).map_err(failed)?;
        chunk.sort_by_name();
        for entry in chunk.iter() {
            if let Some(text) = self.text_of(entry.name).map_err(failed)? {
                each(OsStr::from_bytes(entry.name.to_bytes()), text.to_bytes());
            }
        }
        Ok(())
    }

    /// The target of a link in the dump root; `None` of what is not a link.
    pub(crate) fn text_of(&self, name: &CStr) -> io::Result<Option<CString>> {
        match link::read_symlink(self.handle().as_fd(), name) {
            Ok(text) => Ok(Some(text)),
            Err(e) if errno::is_no_symlink(&e) || errno::is_missing(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Could this dump be pinned under this name? `false`: it is already.
    ///
    /// # Errors
    /// [`PinError`] when not.
    pub fn may_pin(&self, dump: DumpId, name: &PinName) -> Result<bool, PinError> {
        if let DumpId::Incomplete(_) = dump {
            return Err(PinError::Incomplete { dump });
        }
        match self.pin_of(name) {
            Ok(pin) if pin.dump == dump => Ok(false),
            Ok(pin) => Err(PinError::Taken {
                path: self.path().join(name),
                dump: pin.dump,
            }),
            Err(PinError::Missing { .. }) => Ok(true),
            Err(PinError::Other(_) | PinError::NotALink { .. }) => Err(self.in_the_way(name)),
            Err(error) => Err(error),
        }
    }

    /// May a dump that is still to be made get this pin?
    ///
    /// # Errors
    /// [`PinError`] when something has that name.
    pub(crate) fn pin_is_free(&self, name: &PinName) -> Result<(), PinError> {
        match self.pin_of(name) {
            Ok(Pin { dump, .. }) => Err(PinError::Taken {
                path: self.path().join(name),
                dump,
            }),
            Err(PinError::Missing { .. }) => Ok(()),
            Err(PinError::Other(_) | PinError::NotALink { .. }) => Err(self.in_the_way(name)),
            Err(error) => Err(error),
        }
    }

    /// Keeps a dump under a name, durably. `false`: that name keeps it already.
    ///
    /// # Errors
    /// [`PinError`] in [`Error::Other`], or a [`Fault`]; nothing has changed then.
    pub fn pin(&self, dump: DumpId, name: &PinName) -> Result<bool, Error> {
        self.outside_of_dumps()?;
        if !self.may_pin(dump, name)? {
            return Ok(false);
        }
        let held = self.hold_dump(&dump.rel_path());
        let (_, hold) = held.map_err(|e| Fault::new(Op::Open, self.path().join(dump.path()), e))?;
        self.put_pin(dump, name)?;
        drop(hold);
        Ok(true)
    }

    /// Makes the link of a pin, and flushes it. The dump must be held.
    pub(crate) fn put_pin(&self, dump: DumpId, name: &PinName) -> Result<(), PinError> {
        let failed = |op| move |e| Fault::new(op, self.path().join(name), e);
        let (target, link) = (
            c_name(dump.path().as_os_str().as_bytes()),
            c_name(name.as_os_str().as_bytes()),
        );
        match link::symlink(&target, self.handle().as_fd(), &link) {
            Err(e) if errno::is_taken(&e) => return Err(self.in_the_way(name)),
            made => made.map_err(failed(Op::Create))?,
        }
        disk::sync(self.handle()).map_err(|e| {
            // Nothing must look done that may not last.
            let _ = link::remove(self.handle().as_fd(), &link);
            PinError::from(failed(Op::Sync)(e))
        })
    }

    /// The pin of this name.
    ///
    /// # Errors
    /// [`PinError`] when there is none.
    pub fn pin_of(&self, name: &PinName) -> Result<Pin, PinError> {
        let failed = |e| Fault::new(Op::ReadLink, self.path().join(name), e);
        let text = self.text_of(&c_name(name.as_os_str().as_bytes()));
        let Some(text) = text.map_err(failed)? else {
            let path = self.path().join(name);
            if path::exists(&path) {
                return Err(PinError::NotALink { path });
            }
            return Err(PinError::Missing {
                root: self.path().to_path_buf(),
                name: name.as_os_str().into(),
                pins: self.pins()?.into_iter().map(|pin| pin.name).collect(),
            });
        };
        match layout::pinned(text.to_bytes()) {
            Some(dump) => Ok(Pin {
                name: name.as_os_str().into(),
                dump,
            }),
            None => Err(PinError::Other(NotAPin {
                path: self.path().join(name),
                target: OsStr::from_bytes(text.to_bytes()).into(),
                bad_name: None,
            })),
        }
    }

    /// Removes a pin, durably; its dump stays as long as nothing else lets it go.
    ///
    /// # Errors
    /// [`PinError`] in [`Error::Other`], or a [`Fault`]; nothing has changed then.
    pub fn unpin(&self, name: &PinName) -> Result<Pin, Error> {
        self.outside_of_dumps()?;
        let pin = self.pin_of(name)?;
        let failed = |op| move |e| Fault::new(op, self.path().join(name), e);
        let link = c_name(name.as_os_str().as_bytes());
        link::remove(self.handle().as_fd(), &link).map_err(failed(Op::Remove))?;
        disk::sync(self.handle()).map_err(failed(Op::Sync))?;
        Ok(pin)
    }

    fn in_the_way(&self, name: &PinName) -> PinError {
        PinError::InTheWay {
            path: self.path().join(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chain::Chain;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn root() -> (assert_fs::TempDir, DumpRoot) {
        let dir = assert_fs::TempDir::new().expect("a directory");
        for dump in ["2026/1122/2331/tree", "2026/1122/2332/tree", "first/tree"] {
            fs::create_dir_all(dir.path().join(dump)).expect("made");
        }
        let root = DumpRoot::open(dir.path()).expect("opened");
        (dir, root)
    }

    fn dump(name: &str) -> DumpId {
        DumpId::parse(name.as_bytes()).expect(name)
    }

    fn pin_name(name: &str) -> PinName {
        PinName::new(name).expect(name)
    }

    fn said(refused: Result<impl fmt::Debug, Error>) -> String {
        Chain(&refused.expect_err("refused")).to_string()
    }

    #[test]
    fn a_pin_is_made_once_and_removed_once() {
        let (dir, root) = root();
        let (name, made) = (pin_name("before"), dump("2026/1122/2331"));
        assert_eq!(root.may_pin(made, &name), Ok(true));
        assert!(root.pin(made, &name).expect("made"));
        assert!(!root.pin(made, &name).expect("it is there"));
        let target = fs::read_link(dir.path().join("before")).expect("a link");
        assert_eq!(target, Path::new("2026/1122/2331"));
        let pin = Pin {
            name: "before".into(),
            dump: made,
        };
        assert_eq!(root.pins(), Ok(vec![pin.clone()]));
        let taken = said(root.pin(dump("first"), &name));
        let expected = "keeps 2026/1122/2331; remove it first, with 'dumpctl unpin before'";
        assert!(taken.contains(expected), "{taken}");
        assert_eq!(root.unpin(&name).expect("removed"), pin);
        let missing = said(root.unpin(&name));
        assert!(missing.ends_with(" has no pin before"), "{missing}");
        assert!(root.pin(dump("first"), &name).expect("a first copy, too"));
    }

    #[test]
    fn what_is_there_stays() {
        let (dir, root) = root();
        fs::write(dir.path().join("notes"), "").expect("written");
        symlink("2026/1122/2331/tree", dir.path().join("almost")).expect("linked");
        for name in ["notes", "almost"] {
            let name = pin_name(name);
            let made = said(root.pin(dump("first"), &name));
            assert!(
                made.ends_with("is not a pin; choose another name"),
                "{made}"
            );
            let kept = said(root.unpin(&name));
            assert!(kept.contains("is not a pin"), "{kept}");
            assert!(path::exists(&dir.path().join(&name)));
        }
        let missing = said(root.pin(dump("2026/1122/2333"), &pin_name("gone")));
        assert!(missing.starts_with("cannot open "), "{missing}");
        let half = said(root.pin(dump("2026/1122/2333_incomplete"), &pin_name("half")));
        assert!(half.contains("is not published"), "{half}");
        assert_eq!(root.pins(), Ok(Vec::new()));
    }

    #[test]
    fn links_that_look_like_pins_are_told_apart() {
        let (dir, root) = root();
        for (name, target) in [
            ("current", "2026/1122/2332"),
            ("pin", "2026/1122/2331"),
            ("almost", "2026/1122/2331/tree"),
            ("today", "2026/1122/2331"),
            (".current.new", "2026/1122/2331"),
            ("2025", "elsewhere"),
        ] {
            symlink(target, dir.path().join(name)).expect("linked");
        }
        let told = root.links_that_are_not_pins().expect("listed");
        let told: Vec<String> = told.iter().map(NotAPin::to_string).collect();
        let [almost, today] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert!(
            almost.ends_with("2026/1122/2331/tree is not exactly a dump"),
            "{almost}"
        );
        assert!(
            today.contains("today cannot be the name of a pin"),
            "{today}"
        );
    }
}
