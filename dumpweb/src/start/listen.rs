//! Where the page is listened for: a port of this machine, or a unix socket.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use dumpcli::failure::Failure;
use dumpcore::Printable;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// On a port of this machine; 0 for any that is free.
    Tcp(SocketAddr),
    /// On a unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// As it is typed.
    ///
    /// # Errors
    /// What is not a place to listen, or one that others reach.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.is_empty() {
                true => Err("give a path, as in unix:/run/dumpweb/glenda.sock".to_owned()),
                false => Ok(Self::Unix(path.into())),
            };
        }
        let text = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        };
        let address: SocketAddr = text
            .parse()
            .map_err(|_| "give 127.0.0.1:PORT, [::1]:PORT or unix:PATH".to_owned())?;
        match address.ip().is_loopback() {
            true => Ok(Self::Tcp(address)),
            false => Err(
                "other machines would reach it without encryption: listen on 127.0.0.1, or on \
                 unix:PATH behind a proxy (see docs/HOUSEHOLD.md)"
                    .to_owned(),
            ),
        }
    }
}

/// What is listened on.
#[derive(Debug)]
pub(crate) enum Listener {
    /// A port.
    Tcp(TcpListener, SocketAddr),
    /// A unix socket; with its path, when it is ours to remove.
    Unix(UnixListener, Option<PathBuf>),
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(_, address) => write!(f, "http://{address}/"),
            Self::Unix(_, Some(path)) => write!(f, "unix:{}", Printable::path(path)),
            Self::Unix(_, None) => f.write_str("the socket of systemd"),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, Some(path)) = self {
            let _ = fs::remove_file(path);
        }
    }
}

impl Listener {
    /// Listens there, or where systemd does already.
    ///
    /// # Errors
    /// It is not possible.
    pub(crate) fn open(asked: Option<&Listen>) -> Result<Self, Failure> {
        if let Some(given) = Self::of_systemd()? {
            return match asked {
                None => Ok(given),
                Some(_) => {
                    let text = "systemd has opened a socket already: leave --listen out";
                    Err(Failure::Usage(text.to_owned()))
                }
            };
        }
        let any = Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        match asked.unwrap_or(&any) {
            Listen::Tcp(address) => {
                let listen = || -> io::Result<Self> {
                    let listener = TcpListener::bind(address)?;
                    listener.set_nonblocking(true)?;
                    let address = listener.local_addr()?;
                    Ok(Self::Tcp(listener, address))
                };
                listen().map_err(|cause| failed(&address.to_string(), &cause))
            }
            Listen::Unix(path) => {
                let shown = format!("unix:{}", Printable::path(path));
                Self::unix(path).map_err(|cause| failed(&shown, &cause))
            }
        }
    }

    /// Only its own user may connect: who may besides is for systemd's socket unit
    /// to say.
    fn unix(path: &Path) -> io::Result<Self> {
        let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
        // One that nobody listens on any more is in the way.
        if is_socket && UnixStream::connect(path).is_err() {
            fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(listener, Some(path.to_path_buf())))
    }

    /// Has systemd opened a socket? Not known any more once it was taken.
    pub(crate) fn is_given() -> bool {
        std::env::var_os("LISTEN_FDS").is_some()
    }

    fn of_systemd() -> Result<Option<Self>, Failure> {
        let wrong = || Failure::Failed("the sockets of systemd cannot be taken".to_owned());
        let given = sd_listen_fds::get().map_err(|_| wrong())?;
        let mut given = given.into_iter().map(|(_, handle)| handle.into_std());
        let Some(handle) = given.next() else {
            return Ok(None);
        };
        let listener = UnixListener::from(handle);
        // Of a socket of another kind this is an error.
        if listener.local_addr().is_err() || given.next().is_some() {
            let text = "systemd should open one unix socket for it (ListenStream=/run/…)";
            return Err(Failure::Usage(text.to_owned()));
        }
        listener.set_nonblocking(true).map_err(|_| wrong())?;
        Ok(Some(Self::Unix(listener, None)))
    }
}

fn failed(at: &str, cause: &io::Error) -> Failure {
    Failure::Failed(format!("cannot listen on {at}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_to() {
        for text in ["127.0.0.1:0", "127.9.9.9:80", "[::1]:4711", "localhost:80"] {
            assert!(matches!(Listen::parse(text), Ok(Listen::Tcp(_))), "{text}");
        }
        for text in [
            "0.0.0.0:80",
            "[::]:80",
            "192.168.1.2:80",
            "[::ffff:127.0.0.1]:80",
        ] {
            let said = Listen::parse(text).expect_err(text);
            assert!(said.contains("unix:PATH behind a proxy"), "{text}: {said}");
        }
        for text in ["", "80", "127.0.0.1", "unix:", "example.org:80"] {
            assert!(Listen::parse(text).is_err(), "{text}");
        }
        let unix = Listen::parse("unix:/run/x.sock");
        assert_eq!(unix, Ok(Listen::Unix("/run/x.sock".into())));
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_replaced() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let path = dir.path().join("x.sock");
        let first = UnixListener::bind(&path).expect("bound");
        assert!(Listener::unix(&path).is_err(), "in use");
        drop(first);
        let second = Listener::unix(&path).expect("replaced");
        drop(second);
        assert!(!path.exists(), "removed");
        fs::write(&path, "a file").expect("written");
        assert!(Listener::unix(&path).is_err(), "not a socket");
    }
}
