//! Those of this user that run: each has a file with its token, its address and its
//! dump root, `$XDG_RUNTIME_DIR/dumpweb/token`; further ones `token-2` and so on.
//!
//! It keeps its file locked while it runs, so that what was killed does not look as if
//! it ran: another program may have its port by then.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dumpcli::failure::Failure;
use dumpcore::Printable;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::start::desktop::open;

/// One that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its token.
    pub(crate) token: String,
    /// The dump root that it shows.
    pub(crate) root: PathBuf,
    /// A file that leads a browser there.
    opener: PathBuf,
    began: SystemTime,
}

/// More than anybody starts.
const MOST: usize = 100;

impl Running {
    /// All of a directory, the newest first.
    pub(crate) fn all(folder: &Path) -> Vec<Self> {
        let numbers = 1..=MOST;
        let mut all: Vec<Self> = numbers
            .filter_map(|number| Self::read(folder, number))
            .collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.began));
        all
    }

    /// `None` when it has ended.
    fn read(folder: &Path, number: usize) -> Option<Self> {
        let path = name(folder, number);
        if !is_held(&path) {
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
        let mut line = || str::from_utf8(lines.next()?).ok();
        let (token, address) = (line()?.to_owned(), line()?.parse().ok()?);
        let root = lines.next()?;
        Some(Self {
            address,
            token,
            root: OsStr::from_bytes(root.strip_suffix(b"\n").unwrap_or(root)).into(),
            opener: opener(&path),
            began: fs::metadata(&path).ok()?.modified().ok()?,
        })
    }

    /// Opens the browser.
    ///
    /// # Errors
    /// There is no program that opens one.
    pub(crate) fn open(&self) -> io::Result<()> {
        open(&self.opener)
    }

    /// The address that lets one in.
    pub(crate) fn url(&self) -> String {
        url(self.address, &self.token)
    }
}

/// The address that lets one in.
#[must_use]
pub(crate) fn url(address: SocketAddr, token: &str) -> String {
    format!("http://{address}/?token={token}")
}

/// The files of this one, gone when it ends.
#[derive(Debug)]
pub(crate) struct Files {
    token: PathBuf,
    /// Locked while it runs.
    _held: Flock<File>,
}

impl Files {
    /// Writes them under the first name that no other one has.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn write(
        folder: &Path,
        address: SocketAddr,
        token: &str,
        root: &Path,
    ) -> Result<Self, Failure> {
        let write = || -> io::Result<Self> {
            let mut make = DirBuilder::new();
            make.recursive(true).mode(0o700).create(folder)?;
            // Two that start at once must not take the same name.
            let _turn = locked(File::open(folder)?, FlockArg::LockExclusive)?;
            let mut names = (1..=MOST).map(|number| name(folder, number));
            let free = names.find(|path| !is_held(path));
            let path = free.ok_or_else(|| io::Error::other("too many of this user run"))?;
            let text = [token, "\n", &address.to_string(), "\n"].concat();
            let text = [text.as_bytes(), root.as_os_str().as_bytes(), b"\n"].concat();
            let held = replace(&path, &text)?;
            replace(&opener(&path), leading_to(&url(address, token)).as_bytes())?;
            Ok(Self {
                token: path,
                _held: held,
            })
        };
        write().map_err(|cause| {
            let folder = Printable::path(folder);
            Failure::Failed(format!("cannot write the token to {folder}: {cause}"))
        })
    }

    /// Opens the browser.
    ///
    /// # Errors
    /// There is no program that opens one.
    pub(crate) fn open(&self) -> io::Result<()> {
        open(&opener(&self.token))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Still locked: they are nobody else's.
        let _ = fs::remove_file(opener(&self.token));
        let _ = fs::remove_file(&self.token);
    }
}

/// The name of the file of the first one, the second one, and so on.
fn name(folder: &Path, number: usize) -> PathBuf {
    match number {
        1 => folder.join("token"),
        more => folder.join(format!("token-{more}")),
    }
}

/// A page beside it that leads to the address: in the list of processes everybody
/// would see that.
fn opener(token: &Path) -> PathBuf {
    let name = token.file_name().unwrap_or_default().to_string_lossy();
    token.with_file_name(format!("{}.html", name.replace("token", "open")))
}

fn leading_to(url: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0;url={url}\"><title>dump</title></head>\
         <body><a href=\"{url}\">dump</a></body></html>\n"
    )
}

/// Does one that runs have this file?
fn is_held(path: &Path) -> bool {
    let file = File::open(path);
    file.is_ok_and(|file| {
        let tried = Flock::lock(file, FlockArg::LockSharedNonblock);
        tried.is_err_and(|(_, cause)| cause == Errno::EWOULDBLOCK)
    })
}

fn locked(file: File, how: FlockArg) -> io::Result<Flock<File>> {
    Flock::lock(file, how).map_err(|(_, cause)| cause.into())
}

/// Writes a file that only its owner may read, as a whole or not at all, and locks it.
fn replace(path: &Path, text: &[u8]) -> io::Result<Flock<File>> {
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut file = locked(options.open(&part)?, FlockArg::LockExclusiveNonblock)?;
    file.write_all(text)?;
    fs::rename(&part, path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn ports(folder: &Path) -> Vec<u16> {
        let mut ports: Vec<u16> = Running::all(folder)
            .iter()
            .map(|one| one.address.port())
            .collect();
        ports.sort_unstable();
        ports
    }

    #[test]
    fn the_token_is_for_its_user_alone() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let folder = dir.path().join("dumpweb");
        let root = Path::new(OsStr::from_bytes(b"/dump\n\xff"));
        let files = Files::write(&folder, address(4711), "secret", root).expect("written");
        let mode =
            |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for name in ["token", "open.html"] {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
        let all = Running::all(&folder);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].url(), "http://127.0.0.1:4711/?token=secret");
        assert_eq!(all[0].root, root);
        let opener = fs::read_to_string(&all[0].opener).expect("read");
        assert!(opener.contains(&all[0].url()), "{opener}");
        drop(files);
        assert_eq!(fs::read_dir(&folder).expect("listed").count(), 0);
    }

    #[test]
    fn none_hides_another() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let folder = dir.path();
        let write = |port| Files::write(folder, address(port), "x", Path::new("/dump"));
        let (first, second) = (write(1).expect("written"), write(2).expect("written"));
        assert_eq!(ports(folder), [1, 2]);
        let third = write(3).expect("written");
        drop(first);
        // The names of those that ended are taken again; those behind them count.
        let fourth = write(4).expect("written");
        assert_eq!(ports(folder), [2, 3, 4]);
        drop((second, fourth));
        assert_eq!(ports(folder), [3]);
        drop(third);
        assert!(Running::all(folder).is_empty());
    }

    /// Killed: its files stay, and are nobody's.
    #[test]
    fn what_was_killed_does_not_run() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        fs::write(dir.path().join("token"), "x\n127.0.0.1:1\n/dump\n").expect("written");
        fs::write(dir.path().join("open.html"), "").expect("written");
        assert!(Running::all(dir.path()).is_empty());
        let files = Files::write(dir.path(), address(2), "y", Path::new("/dump"));
        let files = files.expect("written");
        assert_eq!(ports(dir.path()), [2]);
        drop(files);
        assert!(!dir.path().join("token").exists());
    }
}
