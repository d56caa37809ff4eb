//! The token that lets its user in, and the file that others of the same user find
//! it in: `$XDG_RUNTIME_DIR/dumpweb/token`.
//!
//! A browser is opened by a file that only its user may read: in the list of
//! processes everybody would see an address.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dumpcli::failure::Failure;
use dumpcore::Printable;

const TOKEN: &str = "token";
const OPENER: &str = "open.html";

/// The directory of what runs; `None` where there is none for this user.
#[must_use]
pub(crate) fn folder() -> Option<PathBuf> {
    let own = nix::unistd::geteuid();
    let given = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let given = given.filter(|path| path.is_absolute());
    let usual = || PathBuf::from(format!("/run/user/{own}"));
    let folder = given.unwrap_or_else(usual);
    // What another user owns would show the token to that one.
    let is_own =
        fs::metadata(&folder).is_ok_and(|meta| meta.is_dir() && meta.uid() == own.as_raw());
    is_own.then(|| folder.join("dumpweb"))
}

/// A token that nobody guesses: 256 bits from the system, in hexadecimal digits.
///
/// # Errors
/// The system gives none.
pub(crate) fn make() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    let read = fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|cause| Failure::Failed(format!("no random numbers for a token: {cause}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The address that lets one in.
#[must_use]
pub(crate) fn url(address: SocketAddr, token: &str) -> String {
    format!("http://{address}/?token={token}")
}

/// The files of one that runs; gone when it ends.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    text: String,
}

impl Files {
    /// Writes them: the token and the address, a line each. Those of one that began
    /// earlier are replaced.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn write(folder: &Path, address: SocketAddr, token: &str) -> Result<Self, Failure> {
        let text = format!("{token}\n{address}\n");
        let url = url(address, token);
        let opener = format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"referrer\" content=\"no-referrer\">\
             <meta http-equiv=\"refresh\" content=\"0;url={url}\"><title>dump</title></head>\
             <body><a href=\"{url}\">dump</a></body></html>\n"
        );
        let write = || -> io::Result<()> {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
            replace(&folder.join(TOKEN), &text)?;
            replace(&folder.join(OPENER), &opener)
        };
        let failed = |cause| {
            let folder = Printable::path(folder);
            Failure::Failed(format!("cannot write the token to {folder}: {cause}"))
        };
        write().map_err(failed)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            text,
        })
    }

    /// Opens the browser.
    ///
    /// # Errors
    /// There is no program that opens one.
    pub(crate) fn open(&self) -> io::Result<()> {
        let quiet = Stdio::null;
        let mut command = Command::new("xdg-open");
        command.arg(self.folder.join(OPENER));
        let mut opener = command
            .stdin(quiet())
            .stdout(quiet())
            .stderr(quiet())
            .spawn()?;
        // It is waited for, so that it does not stay behind as a zombie.
        let wait = move || drop(opener.wait());
        std::thread::Builder::new()
            .name("browser".into())
            .spawn(wait)
            .map(drop)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let token = self.folder.join(TOKEN);
        // One that began later has its own there.
        if fs::read_to_string(&token).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(token);
            let _ = fs::remove_file(self.folder.join(OPENER));
        }
    }
}

/// Writes a file that only its owner may read, as a whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&part, path)
}

/// The address of the one that runs, with its token.
///
/// # Errors
/// None runs.
pub(crate) fn running() -> Result<String, Failure> {
    let none = || Failure::Failed("no dumpweb of this user runs here: start one".to_owned());
    let text = folder().map(|folder| fs::read_to_string(folder.join(TOKEN)));
    let text = text.and_then(Result::ok).ok_or_else(none)?;
    let mut lines = text.lines();
    let token = lines.next().ok_or_else(none)?;
    let address: SocketAddr = lines
        .next()
        .and_then(|line| line.parse().ok())
        .ok_or_else(none)?;
    // One that was killed left its file behind.
    match TcpStream::connect_timeout(&address, Duration::from_secs(2)) {
        Ok(_) => Ok(url(address, token)),
        Err(_) => Err(none()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_token_is_for_its_user_alone() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let folder = dir.path().join("dumpweb");
        let address = "127.0.0.1:4711".parse().expect("an address");
        let token = make().expect("random numbers");
        assert_eq!(token.len(), 64);
        assert_ne!(token, make().expect("random numbers"));
        let files = Files::write(&folder, address, &token).expect("written");
        let mode =
            |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for name in [TOKEN, OPENER] {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
        let text = fs::read_to_string(folder.join(TOKEN)).expect("read");
        assert_eq!(text, format!("{token}\n127.0.0.1:4711\n"));
        let later = Files::write(&folder, address, "other").expect("written");
        drop(files);
        assert!(folder.join(TOKEN).exists(), "that of the later one");
        drop(later);
        assert!(!folder.join(TOKEN).exists() && !folder.join(OPENER).exists());
    }
}
