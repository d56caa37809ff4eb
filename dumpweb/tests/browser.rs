//! The page in a real browser: every view, by keyboard alone, without scripts, on a
//! small screen and a large one, with hostile names, and for those who do not see it.
//!
//! Pictures of all views are written to the directory that `DUMPWEB_PICTURES` names.

mod common;
#[path = "common/driver.rs"]
mod driver;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use common::{Ground, HOSTILE, Served, serving};
use driver::{Browser, ENTER, LEFT, RIGHT, Setup, TAB};
use dumpweb::address::encoded_path;
use fixtures::plain_user::PlainUser;

const VIEWS: [(&str, &str); 9] = [
    ("directory", "/at/2026/0105/0800/home"),
    ("letters", "/at/2026/0105/1730/home/letters"),
    ("file", "/at/2026/0210/0800/home/letters/draft.txt"),
    ("picture", "/at/2026/1121/1215/home/picture.png"),
    (
        "compare",
        "/at/2026/1120/0800/home/letters/draft.txt?with=2026/0105/0800",
    ),
    ("missing", "/at/2026/1121/1215/home/letters/lost.txt"),
    ("search", "/search?q=t"),
    ("changes", "/changes?a=2026/0105/0800&b=2026/1121/1215"),
    ("status", "/status"),
];

/// The page as it runs for a plain user.
struct Shown {
    served: Served,
    _user: PlainUser,
    ground: Ground,
}

impl Shown {
    fn new() -> Self {
        let (user, ground) = (PlainUser::new(), Ground::new());
        let open = Command::new("chown")
            .args(["-R", "12345:12345"])
            .arg(ground.at(""))
            .status();
        assert!(open.expect("chown runs").success());
        let mut command = user.command(env!("CARGO_BIN_EXE_dumpweb"));
        command
            .env("DUMPROOT", ground.root())
            .env("MAINROOT", ground.at("home"));
        let served = serving(command, &["--no-open", "--print-url"]);
        Self {
            served,
            _user: user,
            ground,
        }
    }

    fn address(&self, path: &str) -> String {
        format!("http://{}{path}", self.served.address())
    }

    /// A browser that was let in.
    fn browser(&self, setup: Setup) -> Browser {
        let browser = Browser::open(setup);
        browser.go(&self.address(&format!("/?token={}", self.served.token)));
        browser.wait("it is let in", |browser| {
            browser.address().contains("/at/2026/1121/1215/home")
        });
        browser
    }
}

/// Nothing is wider than the screen, and nothing was refused by the policy.
fn fits(browser: &Browser, name: &str) {
    let wide = browser
        .run("const root = document.documentElement; return [root.scrollWidth, root.clientWidth]");
    assert_eq!(wide[0], wide[1], "{name} is too wide");
}

#[test]
#[ignore = "needs root, chromium and chromedriver"]
fn every_view_is_shown_on_every_screen() {
    let shown = Shown::new();
    let pictures = std::env::var_os("DUMPWEB_PICTURES").map(PathBuf::from);
    for (dark, width) in [(false, 1920), (true, 1920), (false, 320), (true, 320)] {
        let browser = shown.browser(Setup {
            dark,
            width,
            ..Setup::WIDE
        });
        for (name, path) in VIEWS {
            browser.go(&shown.address(path));
            assert_eq!(
                browser.run("return document.querySelectorAll('main, header').length"),
                2,
                "{name}"
            );
            fits(&browser, name);
            if let Some(folder) = &pictures {
                let mode = if dark { "dark" } else { "light" };
                browser.picture(&folder.join(format!("{name}-{width}-{mode}.png")));
            }
        }
    }
}

#[test]
#[ignore = "needs root, chromium and chromedriver"]
fn time_moves_without_loading_the_page_again() {
    let shown = Shown::new();
    let browser = shown.browser(Setup::WIDE);
    browser.go(&shown.address("/at/2026/1121/1215/home/letters/draft.txt"));
    browser.run("window.same = true");
    for minute in ["2026/0210/0800", "2026/0105/1730", "2026/0105/0800"] {
        browser.press(&[LEFT]);
        browser.wait(minute, |browser| browser.address().contains(minute));
    }
    browser.wait("its text", |browser| {
        !browser.text("pre.text").contains("first")
    });
    browser.press(&[RIGHT]);
    browser.wait("later", |browser| {
        browser.address().contains("2026/0105/1730")
    });
    browser.wait("its text", |browser| {
        browser.text("pre.text").contains("first")
    });
    assert_eq!(
        browser.run("return window.same"),
        true,
        "it was not loaded again"
    );
    let told = browser.run("return document.getElementById('told').textContent");
    assert!(
        told.as_str()
            .is_some_and(|told| told.contains("5 Jan 2026, 17:30")),
        "{told}"
    );
    browser.run("history.back()");
    browser.wait("back", |browser| {
        browser.address().contains("2026/0105/0800")
    });
    browser.click("#time .version.changed");
    browser.wait("a version", |browser| {
        browser.address().contains("2026/1120/0800")
    });
}

#[test]
#[ignore = "needs root, chromium and chromedriver"]
fn the_keyboard_is_enough() {
    let shown = Shown::new();
    let browser = shown.browser(Setup::WIDE);
    browser.press(&["/"]);
    let focused = browser.run("return document.activeElement.name");
    assert_eq!(focused, "q");
    browser.press(&["l", "o", "s", "t", ENTER]);
    browser.wait("the search", |browser| {
        browser.address().contains("/search?")
    });
    // By the tabulator to what was found.
    for _ in 0..30 {
        let at = browser.run("return document.activeElement.getAttribute('href')");
        if at.as_str().is_some_and(|at| at.ends_with("lost.txt")) {
            break;
        }
        browser.press(&[TAB]);
    }
    let ring = browser.run("return getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(ring, "solid", "where the focus is can be seen");
    browser.press(&[ENTER]);
    browser.wait("the file", |browser| {
        browser
            .address()
            .contains("/at/2026/0105/1730/home/letters/lost.txt")
    });
    assert_eq!(browser.text("pre.text").trim(), "lost words");
    browser.press(&[TAB]);
    assert_eq!(
        browser.run("return document.activeElement.textContent"),
        "Skip to the content"
    );
}

#[test]
#[ignore = "needs root, chromium and chromedriver"]
fn it_works_without_scripts() {
    let shown = Shown::new();
    for width in [320, 1920] {
        let browser = shown.browser(Setup {
            scripts: false,
            width,
            ..Setup::WIDE
        });
        browser.go(&shown.address("/at/2026/1121/1215/home/letters/draft.txt"));
        browser.click("#time a[rel=prev]");
        browser.wait("the version before", |browser| {
            browser.address().contains("2026/0210/0800")
        });
        browser.click("form.compare button");
        browser.wait("a comparison", |browser| {
            browser.address().contains("with=")
        });
        assert!(!browser.text("table.diff").is_empty());
        browser.go(&shown.address("/search?q=lost"));
        browser.click("table.files a");
        browser.wait("what was found", |browser| {
            browser.address().contains("lost.txt")
        });
        for (name, path) in VIEWS {
            browser.go(&shown.address(path));
            fits(&browser, name);
        }
    }
}

#[test]
#[ignore = "needs root, chromium and chromedriver"]
fn hostile_names_run_nothing() {
    let shown = Shown::new();
    let browser = shown.browser(Setup::WIDE);
    let folder = "/at/2026/1121/1215/home/hostile";
    browser.go(&shown.address(folder));
    assert_eq!(
        browser.run("return document.querySelectorAll('.files tbody tr').length"),
        HOSTILE.len()
    );
    for bytes in HOSTILE {
        browser.go(&shown.address(&format!("{folder}/{}", encoded_path(bytes))));
        assert_ne!(browser.title(), "hit");
        assert_eq!(
            browser.run("return document.querySelectorAll('main script').length"),
            0
        );
    }
    // Not even as a page of its own.
    browser.go(&shown.address("/at/2026/1121/1215/home/page.html"));
    assert_ne!(browser.title(), "hit");
}

#[test]
#[ignore = "needs root, chromium and chromedriver"]
fn a_download_is_what_the_dump_has() {
    let shown = Shown::new();
    let browser = shown.browser(Setup::WIDE);
    let script = "const done = arguments[arguments.length - 1];
        fetch('/raw/2026/0105/0800/home/same.bin?download=1').then((answer) => answer.arrayBuffer())
            .then((bytes) => done(Array.from(new Uint8Array(bytes))));";
    let bytes = browser.run_async(script);
    let bytes: Vec<u8> = serde_json::from_value(bytes).expect("bytes");
    let there = fs::read(shown.ground.root().join("2026/0105/0800/home/same.bin")).expect("read");
    assert!(bytes == there, "the same bytes");
}

#[test]
#[ignore = "needs root, chromium and chromedriver"]
fn nobody_is_let_in_without_the_token() {
    let shown = Shown::new();
    let browser = Browser::open(Setup::WIDE);
    browser.go(&shown.address("/at/2026/1121/1215/home"));
    assert_eq!(browser.title(), "Not let in");
    // Another name that leads here, also with the token.
    let port = shown.served.address().port();
    for path in ["/", &format!("/?token={}", shown.served.token)] {
        browser.go(&format!("http://evil.example:{port}{path}"));
        assert_eq!(browser.title(), "Not let in");
        assert!(browser.text("main").contains("--host NAME"));
    }
}

#[test]
#[ignore = "needs root, chromium, chromedriver and npm"]
fn those_who_do_not_see_it_can_use_it() {
    let dir = assert_fs::TempDir::new().expect("a directory");
    let npm = Command::new("npm")
        .args(["pack", "axe-core@4"])
        .current_dir(dir.path())
        .output();
    let npm = npm.expect("npm runs");
    assert!(
        npm.status.success(),
        "{}",
        String::from_utf8_lossy(&npm.stderr)
    );
    let packed = String::from_utf8(npm.stdout).expect("a name");
    let tar = Command::new("tar")
        .arg("xzf")
        .arg(packed.trim())
        .current_dir(dir.path())
        .status();
    assert!(tar.expect("tar runs").success());
    let axe = fs::read_to_string(dir.path().join("package/axe.min.js")).expect("read");
    let shown = Shown::new();
    let check = format!(
        "{axe};const done = arguments[arguments.length - 1];\
         axe.run(document, {{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}})\
         .then((found) => done(found.violations.map((one) => one.id + ': ' + one.nodes.map((node) => node.html).join(' | '))))"
    );
    for (dark, width) in [(false, 1920), (true, 320)] {
        let browser = shown.browser(Setup {
            dark,
            width,
            ..Setup::WIDE
        });
        for (name, path) in VIEWS {
            browser.go(&shown.address(path));
            let found = browser.run_async(&check);
            assert_eq!(found, serde_json::json!([]), "{name}, dark: {dark}");
        }
    }
}
