//! Nobody sees what is not for them, and nothing outside of the dumps.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use axum::body::Body;
use axum::http::Request;
use common::{Ground, MINUTES};
use dumpweb::server::guard::Guard;

const TOKEN: &str = "0123456789abcdef";

const PAGES: [&str; 9] = [
    "/",
    "/at/2026/1121/1215/home",
    "/raw/2026/1121/1215/home/notes.md",
    "/zip/2026/1121/1215/home",
    "/search?q=a",
    "/changes?a=2026/0105/0800&b=2026/1121/1215",
    "/status",
    "/go?when=today",
    "/nothing",
];

#[tokio::test]
async fn nothing_is_shown_without_the_token() {
    let ground = Ground::new();
    let page = ground.guarded(Guard::tcp(TOKEN.into(), 4711, Vec::new()));
    let host = ("host", "127.0.0.1:4711");
    let get = |address: &'static str, more: Vec<(&'static str, &'static str)>| {
        let page = page.clone();
        async move {
            let mut request = Request::get(address);
            for (name, value) in more {
                request = request.header(name, value);
            }
            page.ask(request.body(Body::empty()).expect("a request"))
                .await
        }
    };
    let cookie = ("cookie", "dumpweb-4711=0123456789abcdef");
    for address in PAGES {
        let answer = get(address, vec![host]).await;
        assert_eq!(answer.status, 403, "{address}");
        assert!(!answer.text().contains("notes.md") && !answer.text().contains(TOKEN));
        let answer = get(address, vec![("host", "evil.example:4711"), cookie]).await;
        assert_eq!(answer.status, 421, "{address}");
        let foreign = ("origin", "https://evil.example");
        assert_eq!(
            get(address, vec![host, cookie, foreign]).await.status,
            403,
            "{address}"
        );
        let embedded = ("sec-fetch-site", "cross-site");
        assert_eq!(
            get(address, vec![host, cookie, embedded]).await.status,
            403,
            "{address}"
        );
        let status = get(address, vec![host, cookie]).await.status;
        assert!(
            status == 200 || status == 303 || address == "/nothing",
            "{address}: {status}"
        );
    }
    let answer = get("/?token=0123456789abcdef", vec![host]).await;
    assert_eq!(answer.status, 200);
    let set = answer.header("set-cookie");
    assert_eq!(
        set,
        "dumpweb-4711=0123456789abcdef; Path=/; HttpOnly; SameSite=Strict"
    );
    assert!(
        !answer.text().contains(TOKEN),
        "it does not stay in the page"
    );
    // The style sheet is public: the page that refuses needs it.
    assert_eq!(get("/style.css", vec![host]).await.status, 200);
}

#[tokio::test]
async fn nothing_can_be_sent_to_it() {
    let ground = Ground::new();
    let page = ground.page();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = Request::builder()
            .method(method)
            .uri("/status")
            .header("host", "x");
        let answer = page
            .ask(request.body(Body::from("x=1")).expect("a request"))
            .await;
        assert_eq!(answer.status, 405, "{method}");
    }
    let request = Request::head("/status")
        .header("host", "x")
        .body(Body::empty());
    let answer = page.ask(request.expect("a request")).await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (200, 0));
}

#[tokio::test]
async fn a_browser_is_told_to_be_strict() {
    let ground = Ground::new();
    let page = ground.page();
    for address in PAGES.iter().chain(&["/style.css", "/page.js"]) {
        let answer = page.get(address).await;
        assert_eq!(
            answer.header("x-content-type-options"),
            "nosniff",
            "{address}"
        );
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{address}");
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            "same-origin",
            "{address}"
        );
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{address}: {policy}");
        assert!(
            !policy.contains("script-src 'unsafe") && !policy.contains("http"),
            "{policy}"
        );
    }
    // What is in dumps is never a page of this origin.
    for name in [
        "page.html",
        "drawing.svg",
        "letters/draft.txt",
        "same.bin",
        "picture.png",
    ] {
        let answer = page.get(&format!("/raw/2026/1121/1215/home/{name}")).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("sandbox; default-src 'none'"),
            "{name}: {policy}"
        );
        let is_picture = name == "picture.png";
        let how = if is_picture { "inline" } else { "attachment" };
        assert!(
            answer.header("content-disposition").starts_with(how),
            "{name}"
        );
        let media = if is_picture {
            "image/png"
        } else {
            "application/octet-stream"
        };
        assert_eq!(answer.header("content-type"), media, "{name}");
    }
    let text = page.shown("/at/2026/1121/1215/home/page.html").await;
    assert!(
        !text.contains(" style=") && !text.contains("javascript:"),
        "{text}"
    );
}

#[tokio::test]
async fn nothing_outside_is_reached() {
    let ground = Ground::new();
    // Somebody who may write in a dump puts symlinks there.
    let dump = ground.root().join("2026/1121/1215");
    symlink(ground.at("outside"), dump.join("tree-out")).expect("linked");
    fs::create_dir_all(ground.root().join("2026/1121/1216_incomplete/home")).expect("made");
    fs::write(
        ground.root().join("2026/1121/1216_incomplete/home/x"),
        "unfinished",
    )
    .expect("written");
    let page = ground.page();
    for place in [
        "2026/1121/1215/home/way-out/secret",
        "2026/1121/1215/home/way-out/",
        "2026/1121/1215/home/secret-link",
        "2026/1121/1215/home/up/passwd",
        "2026/1121/1215/tree-out/secret",
        "2026/1121/1215/home/../../../../outside/secret",
        "2026/1121/1215/home/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/outside/secret",
        "2026/1121/1215/home/..%2f..%2f..%2foutside/secret",
        "2026/1121/1215//etc/passwd",
        "2026/1121/1216_incomplete/home/x",
        "current/home/notes.md",
        ".dump/catalog.db",
        "..%2f..%2foutside/secret",
        "2026/1121/1215/home/notes.md%00.txt",
    ] {
        for what in ["at", "raw", "zip"] {
            let answer = page.get(&format!("/{what}/{place}")).await;
            let text = answer.text();
            for secret in ["the secret", "root:", "unfinished", "SQLite"] {
                assert!(!text.contains(secret), "{what} {place}: {text}");
            }
            let refused = answer.status == 404 || answer.status == 400;
            let is_link =
                what == "at" && (place.ends_with("secret-link") || place.ends_with("way-out/"));
            assert!(refused || is_link, "{what} {place}: {}", answer.status);
        }
    }
    let text = page.shown("/search?q=secret&below=home/way-out").await;
    assert!(!text.contains("way-out/secret"), "{text}");
    let answer = page
        .get("/changes?a=2026/0105/0800&b=2026/1121/1215&below=home/way-out/secret")
        .await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    let text = page
        .shown("/changes?a=2026/0105/0800&b=2026/1121/1215&below=home/way-out")
        .await;
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn no_search_and_no_comparison_leads_outside() {
    let ground = Ground::new();
    fs::remove_file(ground.at("dump/.dump/catalog.db")).expect("removed");
    let page = ground.page();
    for below in [
        "..",
        "home/..",
        "home/../..",
        "home/../../../../..",
        "home/../../../../../outside",
        "home%2F..%2F..%2F..%2F..%2F..%2Foutside",
        "./home",
        "/home",
        "/etc",
        "home//letters",
        "home/%00",
        "home/letters/../../../../../../outside",
    ] {
        for query in [
            "/search?q=*",
            "/search?q=e",
            "/search?deleted=1",
            "/changes?a=2026/0105/0800&b=2026/1121/1215",
        ] {
            let address = format!("{query}&below={below}");
            let answer = page.get(&address).await;
            let text = answer.text();
            assert_eq!(answer.status, 404, "{address}: {text}");
            for name in ["kept-outside", "dump.toml", "runtime", "passwd"] {
                assert!(!text.contains(name), "{address}: {text}");
            }
        }
    }
    let text = page.shown("/search?q=lost&below=home/letters/").await;
    assert!(text.contains("lost.txt"), "{text}");
}

#[tokio::test]
async fn a_symlink_in_one_of_two_dumps_leads_nowhere() {
    let ground = Ground::empty();
    fs::write(ground.at("outside/secret"), "the secret").expect("written");
    fs::write(ground.at("outside/other"), "the secret").expect("written");
    symlink(ground.at("outside"), ground.at("home/x")).expect("linked");
    ground.dump(MINUTES[0]);
    fs::remove_file(ground.at("home/x")).expect("removed");
    ground.write("x/secret", b"inside");
    ground.write("x/deep/file", b"inside");
    ground.dump(MINUTES[1]);
    ground.record();
    for has_catalog in [true, false] {
        if !has_catalog {
            fs::remove_file(ground.at("dump/.dump/catalog.db")).expect("removed");
        }
        let page = ground.page();
        for below in ["home/x", "home/x/secret"] {
            let address = format!("/changes?a=2026/0105/0800&b=2026/0105/1730&below={below}");
            let text = page.shown(&address).await;
            let row = text
                .split("<tr>")
                .skip(1)
                .find(|row| row.contains("<bdi>home/x/secret</bdi>"));
            let row = row.unwrap_or_else(|| panic!("{below}: {text}"));
            assert!(row.contains(">added<"), "{has_catalog} {below}: {row}");
            assert!(!text.contains("x/other"), "{has_catalog} {below}: {text}");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_too_long_is_nowhere() {
    let ground = Ground::new();
    let page = ground.page();
    let long = "x".repeat(256);
    for place in [
        format!("2026/1121/1215/home/{long}"),
        format!("2026/1121/1215/home/{long}/x"),
        format!("2026/1121/1215/{long}/x"),
        format!("newest/{long}/x"),
    ] {
        for what in ["at", "raw", "zip"] {
            let answer = page.get(&format!("/{what}/{place}")).await;
            assert_eq!(answer.status, 404, "{what} {place}: {}", answer.text());
        }
        let address = format!("/search?q=x&below={place}");
        assert_eq!(page.get(&address).await.status, 404, "{address}");
    }
}

#[tokio::test]
async fn too_much_is_cut_or_refused() {
    let ground = Ground::empty();
    ground.write(
        "long.txt",
        "a line of some length, and another\n"
            .repeat(100_000)
            .as_bytes(),
    );
    ground.write("wide.txt", &[b'x'; 3_000_000]);
    ground.dump(MINUTES[0]);
    ground.write(
        "long.txt",
        "another line of some length here\n"
            .repeat(100_000)
            .as_bytes(),
    );
    ground.dump(MINUTES[1]);
    let page = ground.page();
    for name in ["long.txt", "wide.txt"] {
        let text = page.shown(&format!("/at/2026/0105/1730/home/{name}")).await;
        assert!(
            text.contains("Only the beginning is shown") && text.len() < 1 << 20,
            "{name}"
        );
    }
    let text = page
        .shown("/at/2026/0105/1730/home/long.txt?with=2026/0105/0800")
        .await;
    assert!(
        text.contains("Not all of it is shown") && text.len() < 4 << 20,
        "{}",
        text.len()
    );
    let long = "x/".repeat(4_000);
    for what in ["at", "raw", "zip"] {
        let answer = page
            .get(&format!("/{what}/2026/0105/1730/home/{long}"))
            .await;
        assert_eq!(answer.status, 404);
    }
}

/// A page of a user shows what that user may read, and no more.
#[test]
#[ignore = "needs root"]
fn two_users_see_what_cat_shows_them() {
    let ground = Ground::empty();
    ground.write("open/file", b"for everybody");
    ground.write("closed/file", b"for root alone");
    ground.write("acl/file", b"for one user by an ACL");
    let mode = |path: &str, mode: u32| {
        fs::set_permissions(ground.at(path), fs::Permissions::from_mode(mode)).expect("set");
    };
    for path in ["", "home", "dump", "home/open", "home/acl"] {
        mode(path, 0o755);
    }
    for (path, bits) in [
        ("home/open/file", 0o644),
        ("home/closed", 0o700),
        ("home/closed/file", 0o600),
        ("home/acl/file", 0o600),
    ] {
        mode(path, bits);
    }
    let user = fixtures::plain_user::PlainUser::new();
    let acl = format!("u:{}:r", fixtures::plain_user::PLAIN);
    let set = std::process::Command::new("setfacl")
        .args(["-m", &acl])
        .arg(ground.at("home/acl/file"))
        .status();
    assert!(set.expect("setfacl runs").success());
    ground.dump(MINUTES[0]);
    let root = ground.root();
    let mut command = user.command(env!("CARGO_BIN_EXE_dumpweb"));
    command
        .env("DUMPROOT", &root)
        .env("MAINROOT", ground.at("home"));
    let served = common::serving(command, &["--no-open", "--print-url"]);
    for (name, expected) in [
        ("open/file", true),
        ("acl/file", true),
        ("closed/file", false),
    ] {
        let path = root.join("2026/0105/0800/home").join(name);
        let cat = user.command("cat").arg(&path).output().expect("cat runs");
        assert_eq!(cat.status.success(), expected, "{name}");
        for what in ["at", "raw", "zip"] {
            let (status, text) = served.get(&format!("/{what}/2026/0105/0800/home/{name}"));
            assert!(!text.contains("for root alone"), "{what} {name}");
            if what != "zip" {
                assert_eq!(status == 200, expected, "{what} {name}: {status} {text}");
                assert_eq!(status == 403, !expected, "{what} {name}: {status} {text}");
            }
        }
    }
    let (status, text) = served.get("/search?q=file");
    assert_eq!(status, 200);
    assert!(
        text.contains("open/file") && !text.contains("closed/file"),
        "{text}"
    );
    let (_, archive) = served.get("/zip/2026/0105/0800/home");
    assert!(archive.contains("NOT-IN-THIS-ARCHIVE.txt"));
}
