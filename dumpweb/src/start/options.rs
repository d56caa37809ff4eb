//! The definition of the command line.

use std::time::Duration;

use clap::{Args, Parser};
use dumpcli::notices::NoticeOptions;
use dumpcli::options::Places;

use crate::start::listen::Listen;

const HELP: &str = "\
Without options it listens on a free port of this machine, opens the browser and
ends when nobody has looked for half an hour; where one runs that shows the same dump
root, the browser is opened with that one. What it shows is what its user may read.
Nothing is changed by it.

Examples:
  dumpweb                                    look at the dumps in the browser
  dumpweb --no-open --print-url              print the address, with its token
  dumpweb --url                              the addresses of those that run
  sudo dumpweb --user glenda --no-open --print-url
  dumpweb --listen unix:/run/user/1000/dump.sock   for a proxy that runs as you

The token in the address becomes a cookie. It is kept in
$XDG_RUNTIME_DIR/dumpweb/token (of a second one that runs, in token-2), which only its
user may read. On a unix socket
there is no token: the proxy before it has to know who asks, and one process
shows what one user may read. See docs/HOUSEHOLD.md.

Exit codes:
  0         ended, since nobody looked any more; or done
  1         failed: it cannot listen, or there is no dump root
  2         wrong usage: also as root without --user
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143)";

/// Look at the dumps of a file tree through time, in a browser.
///
/// Directories as they were, the versions of each file, what differs between them,
/// search over all dumps, downloads, and the state of the dump root.
#[derive(Debug, Parser)]
#[command(name = "dumpweb", version, after_help = HELP)]
pub(crate) struct Options {
    /// Where the trees and the dumps are.
    #[command(flatten)]
    pub(crate) places: Places,
    /// How it is reached.
    #[command(flatten)]
    pub(crate) page: PageOptions,
    /// What is said.
    #[command(flatten)]
    pub(crate) notices: NoticeOptions,
}

impl Options {
    /// Is a browser opened?
    pub(crate) fn opens_browser(&self) -> bool {
        let page = &self.page;
        let is_quiet = page.no_open || page.print_url || self.places.print_config;
        !is_quiet && !matches!(page.listen, Some(Listen::Unix(_)))
    }

    /// Is nothing asked for but to look? Then one that runs already will do.
    pub(crate) fn is_plain(&self) -> bool {
        let page = &self.page;
        let is_special = page.listen.is_some() || !page.host.is_empty();
        self.opens_browser() && !is_special && page.end_after == IDLE
    }
}

/// How long it waits for somebody to look, unless told otherwise.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// How the page is reached.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "The page")]
pub(crate) struct PageOptions {
    /// Where to listen: 127.0.0.1:PORT, [::1]:PORT, or unix:PATH for a proxy that
    /// knows who asks [default: a free port of 127.0.0.1, or the socket that systemd
    /// has opened]
    #[arg(long, value_name = "WHERE", value_parser = Listen::parse)]
    pub(crate) listen: Option<Listen>,
    /// A further name that the page is served under, as browsers send it; can be
    /// given several times. Other names are refused
    #[arg(long, value_name = "NAME", value_parser = host)]
    pub(crate) host: Vec<String>,
    /// Do not open a browser
    #[arg(long)]
    pub(crate) no_open: bool,
    /// Print the addresses of those that run, with their tokens, the one that was
    /// started last first, and exit; with --dump only of those that show that dump root
    #[arg(long, conflicts_with_all = ["listen", "host", "no_open", "user", "print_url"])]
    pub(crate) url: bool,
    /// As root: become this user, and show what that one may read
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Print the address, with its token, as the first line
    #[arg(long)]
    pub(crate) print_url: bool,
    /// End when nobody has looked for this long: 30min, 8h; 0 for never
    #[arg(long, value_name = "SPAN", default_value = "30min", value_parser = span)]
    pub(crate) end_after: Duration,
}

fn host(text: &str) -> Result<String, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_name) {
        true => Ok(text.to_owned()),
        false => Err("give the name of a host, such as nas.example.org".to_owned()),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|_| "give a span such as 30min or 8h, or 0".to_owned())
}
