//! `dumpweb`: shows dumps through time in a browser.
//!
//! The program as a library, so that manual pages and completions are made from
//! the same definitions as its `--help` ([`command`]), and so that tests ask it
//! without a socket ([`server::routes::router`]).
//!
//! Its folders are its levels: a file imports only from its own folder and from
//! what stands further down this list.
//!
//! | where | what lives there |
//! | --- | --- |
//! | `start/` | the life of the program: options, user, socket, token, end |
//! | `server/` | the page over HTTP: who is let in, what is asked, how it is sent |
//! | `page/` | HTML, without any reading |
//! | `view/` | what a view shows, found out by `dumpcore` |
//! | `address.rs` | URLs: bytes of names, and back |

#![forbid(unsafe_code)]

pub mod address;
pub mod page;
mod program;
pub mod server;
mod start;
pub mod view;

use std::process::ExitCode;

use clap::CommandFactory as _;
use dumpcli::command_line;

use program::PROGRAM;
use start::options::Options;

/// The definition of the command line.
#[must_use]
pub fn command() -> clap::Command {
    Options::command()
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    command_line::main(PROGRAM, start::serve::run)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
