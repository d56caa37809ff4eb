//! Whose connection it is. On a port of this machine every user of it can connect,
//! and a browser sends a cookie to all ports of a host: one on which another user
//! listens gets the token as well. So it lets nobody in who is neither the user
//! that it runs as nor root.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

/// Connections of this machine, which the system lists with their users.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// What others are told.
const REFUSED: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\
    Connection: close\r\n\r\nThis page is for another user of this machine.\n";

/// Listens on a port; only connections of this user, and of root, are accepted.
#[derive(Debug)]
pub struct OwnUser {
    listener: TcpListener,
    address: SocketAddr,
    user: u32,
}

impl OwnUser {
    /// Listens for connections of this user.
    ///
    /// # Errors
    /// The address is not known.
    pub fn new(listener: TcpListener, user: u32) -> io::Result<Self> {
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            user,
        })
    }

    fn is_let_in(&self, peer: SocketAddr) -> bool {
        let tables = TABLES
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok());
        let mut users = tables.filter_map(|table| user_of(&table, peer, self.address));
        users
            .next()
            .is_some_and(|user| user == self.user || user == 0)
    }
}

impl axum::serve::Listener for OwnUser {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let (stream, peer) = axum::serve::Listener::accept(&mut self.listener).await;
            if self.is_let_in(peer) {
                return (stream, peer);
            }
            // It fits into the buffer of a new connection.
            let _ = stream.writable().await;
            let _ = stream.try_write(REFUSED);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// The user whose end of a connection begins at `from` and leads to `to`, by a table
/// of the system. `None` where it is not listed, or its process has closed it: then
/// the system no longer knows whose it was.
fn user_of(table: &str, from: SocketAddr, to: SocketAddr) -> Option<u32> {
    let same = |text: &str, address: SocketAddr| {
        let canonical = |address: SocketAddr| (address.ip().to_canonical(), address.port());
        parsed(text).map(canonical) == Some(canonical(address))
    };
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, own, other, ..] = fields[..] else {
            return None;
        };
        let (user, inode) = (fields.get(7)?, fields.get(9)?);
        let is_it = same(own, from) && same(other, to) && *inode != "0";
        is_it.then(|| user.parse().ok()).flatten()
    })
}

/// An address of a table: words of 32 bits as they are in memory, and a port.
fn parsed(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = ip.get(8 * at..8 * at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net;

    /// As this machine writes them.
    fn table(ip: &str, port: u16, to: &str, to_port: u16, user: u32, inode: u32) -> String {
        let hex = |ip: &str| -> String {
            let ip: IpAddr = ip.parse().expect("an address");
            let bytes = match ip {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            let words = bytes.chunks(4);
            words
                .map(|word| {
                    let word = u32::from_ne_bytes(word.try_into().expect("four bytes"));
                    format!("{word:08X}")
                })
                .collect()
        };
        format!(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100\n   \
             1: {}:{port:04X} {}:{to_port:04X} 01 00000000:00000000 00:00000000 00000000 {user:5}        0 {inode} 1 0 20\n",
            hex(ip),
            hex(to)
        )
    }

    #[test]
    fn the_user_is_that_of_the_other_end() {
        let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let (from, to) = (address("127.0.0.1:4000"), address("127.0.0.1:4711"));
        let rows = [
            (
                table("127.0.0.1", 4000, "127.0.0.1", 4711, 1000, 77),
                Some(1000),
            ),
            // A program that speaks IPv6 to an address of IPv4.
            (
                table("::ffff:127.0.0.1", 4000, "::ffff:127.0.0.1", 4711, 1000, 77),
                Some(1000),
            ),
            (table("127.0.0.1", 4001, "127.0.0.1", 4711, 1000, 77), None),
            (table("127.0.0.2", 4000, "127.0.0.1", 4711, 1000, 77), None),
            // Our own end.
            (table("127.0.0.1", 4711, "127.0.0.1", 4000, 1000, 77), None),
            // Closed: the system shows root, which it need not be.
            (table("127.0.0.1", 4000, "127.0.0.1", 4711, 0, 0), None),
            (String::new(), None),
            ("head\nnonsense\n1: x y z\n".to_owned(), None),
        ];
        for (text, expected) in rows {
            assert_eq!(user_of(&text, from, to), expected, "{text}");
        }
        let (from, to) = (address("[::1]:4000"), address("[::1]:4711"));
        let six = table("::1", 4000, "::1", 4711, 1000, 77);
        assert_eq!(user_of(&six, from, to), Some(1000));
    }

    #[test]
    fn the_system_lists_a_connection() {
        let listener = net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let to = listener.local_addr().expect("an address");
        let stream = net::TcpStream::connect(to).expect("connected");
        let from = stream.local_addr().expect("an address");
        let found = || user_of(&fs::read_to_string(TABLES[0]).expect("read"), from, to);
        assert_eq!(found(), Some(nix::unistd::geteuid().as_raw()));
        drop(stream);
        assert_eq!(found(), None, "closed");
    }
}
