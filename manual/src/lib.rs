//! The manual pages and the completions, made from what the programs and the
//! example configuration say themselves.
//!
//! ```text
//! cargo run -p manual
//! ```
//!
//! writes `man/` and `completions/` beside this crate; a test fails when what
//! is committed there is not what this would write.

#![forbid(unsafe_code)]

mod configuration;
mod program;
mod roff;

use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

/// The overview is written by hand: no program says any of it.
const OVERVIEW: &str = include_str!("dump.7");

/// The overview by the package's name: where the ext2 `dump` is installed,
/// `man dump` shows its dump(8).
const OTHER_NAME: &str = ".so man7/dump.7\n";

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its path in the repository.
    pub path: PathBuf,
    /// What it holds.
    pub text: Vec<u8>,
}

/// The definitions of all programs.
#[must_use]
pub fn commands() -> [Command; 8] {
    [
        dumpme::command(),
        chkptme::command(),
        dumpslave::command(),
        yest::command(),
        hist::command(),
        dumpctl::command(),
        dumpoffsite::command(),
        dumpweb::command(),
    ]
}

/// All files, in a fixed order.
#[must_use]
pub fn pages() -> Vec<Page> {
    let page = |path: String, text: Vec<u8>| Page {
        path: PathBuf::from(path),
        text,
    };
    let mut pages = vec![
        page(
            "man/dump.7".to_owned(),
            OVERVIEW
                .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
                .replace("@DATE@", roff::DATE)
                .into_bytes(),
        ),
        page(
            "man/dump.toml.5".to_owned(),
            configuration::page().into_bytes(),
        ),
        page(
            "man/dump-backup.7".to_owned(),
            OTHER_NAME.as_bytes().to_vec(),
        ),
    ];
    for command in commands() {
        let name = command.get_name().to_owned();
        pages.push(page(
            format!("man/{name}.1"),
            program::page(&command).into_bytes(),
        ));
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command.clone(), &name, &mut text);
            let file = match shell {
                Shell::Zsh => format!("_{name}"),
                other => format!("{name}.{other}"),
            };
            pages.push(page(format!("completions/{file}"), text));
        }
    }
    pages
}

/// The folder that they are written to: this crate's.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
