//! The desktop: the browser is opened there, also to say that nothing can be shown.
//! Somebody who starts it from a menu sees no terminal.

use std::env;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::{Command, Stdio};

use dumpcli::failure::Failure;
use maud::{DOCTYPE, html};

/// Opens the browser with a file that only its user may read: in the list of processes
/// everybody would see an address.
///
/// # Errors
/// There is no program that opens one.
pub(crate) fn open(file: &Path) -> io::Result<()> {
    let quiet = Stdio::null;
    let mut command = Command::new("xdg-open");
    command.arg(file);
    let command = command.stdin(quiet()).stdout(quiet()).stderr(quiet());
    let mut opener = command.spawn()?;
    // It is waited for, so that it does not stay behind as a zombie.
    let wait = move || drop(opener.wait());
    let thread = std::thread::Builder::new().name("browser".into());
    thread.spawn(wait).map(drop)
}

/// Was it started where nobody sees what it prints, but somebody sees a browser?
pub(crate) fn is_from_a_menu() -> bool {
    let has_screen = ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| {
        let value = env::var_os(name);
        value.is_some_and(|value| !value.is_empty())
    });
    has_screen && !io::stderr().is_terminal() && !io::stdin().is_terminal()
}

/// Shows in the browser why there is no page. What fails here is not worth a word more
/// than what is printed anyway.
pub(crate) fn show(folder: &Path, failure: &Failure) {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Dumps" } }
            body {
                h1 { "The dumps cannot be shown" }
                p { (failure) }
                p { "'dumpweb' in a terminal says the same; 'man dumpweb' has its options." }
            }
        }
    };
    let file = folder.join("problem.html");
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, text.into_string()));
    if written.is_ok() {
        let _ = open(&file);
    }
}
