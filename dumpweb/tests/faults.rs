//! What cannot be read is said to be unknown, never to be gone, the same or fine.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::{Ground, MINUTES, Served, serving};
use fixtures::plain_user::PlainUser;

const OLD: &str = "2026/0105/0800";
const NEW: &str = "2026/0105/1730";

/// Two dumps, of which the newer one lacks a file, and a page over them for a user
/// who may not read all.
struct Closed {
    served: Served,
    ground: Ground,
    _user: PlainUser,
}

impl Closed {
    fn new() -> Self {
        let (user, ground) = (PlainUser::new(), Ground::empty());
        ground.write("a/x", b"in both");
        ground.write("b/y", b"in both");
        ground.write("lost", b"in the older one");
        for path in ["", "home", "dump"] {
            let open = fs::Permissions::from_mode(0o755);
            fs::set_permissions(ground.at(path), open).expect("set");
        }
        ground.dump(MINUTES[0]);
        ground.remove("lost");
        ground.dump(MINUTES[1]);
        let mut command = user.command(env!("CARGO_BIN_EXE_dumpweb"));
        command
            .env("DUMPROOT", ground.root())
            .env("MAINROOT", ground.at("home"));
        let served = serving(command, &["--no-open", "--print-url"]);
        Self {
            served,
            ground,
            _user: user,
        }
    }

    /// What is shown while a path in the dump root has another mode.
    #[track_caller]
    fn shown(&self, path: &str, mode: u32, address: &str) -> String {
        let path = self.ground.root().join(path);
        let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode));
        set(mode).expect("set");
        let (status, text) = self.served.get(address);
        set(0o755).expect("set");
        assert_eq!(status, 200, "{address}: {text}");
        text
    }
}

fn row(text: &str, name: &str) -> String {
    let rows = text
        .split("<tr")
        .skip(1)
        .find(|row| row.contains(&format!("<bdi>{name}</bdi>")));
    rows.unwrap_or_else(|| panic!("{name}: {text}")).to_owned()
}

#[test]
#[ignore = "needs root"]
fn what_cannot_be_compared_is_not_gone() {
    let page = Closed::new();
    let (top, below) = (format!("/at/{OLD}/home"), format!("/at/{OLD}/home/a"));
    for closed in [
        NEW.to_owned(),
        format!("{NEW}/home"),
        format!("{NEW}/home/a"),
    ] {
        let text = page.shown(&closed, 0o700, &below);
        let said = "What became of it since is not known";
        assert!(
            text.contains(said) && text.contains("you may not read"),
            "{closed}: {text}"
        );
        assert!(
            !text.contains("gone since") && !text.contains("in the newest dump"),
            "{closed}: {text}"
        );
        let row = row(&text, "x");
        assert!(
            row.contains("class=\"unknown\"") && !row.contains("badge"),
            "{closed}: {row}"
        );
    }
    // With all open, what is gone is.
    let text = page.shown(NEW, 0o755, &top);
    assert!(
        row(&text, "lost").contains("class=\"gone\"") && text.contains("1 gone since"),
        "{text}"
    );
    assert!(row(&text, "a").contains("class=\"\""), "{text}");
}

#[test]
#[ignore = "needs root"]
fn the_newest_dump_is_not_one_that_can_be_read() {
    let page = Closed::new();
    let path = page.ground.root().join(NEW);
    let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode));
    set(0o700).expect("set");
    let (status, text) = page.served.get("/at/newest/home");
    assert_eq!(status, 403, "{text}");
    let (status, text) = page.served.get(&format!("/at/{OLD}/home"));
    assert!(
        status == 200 && text.contains(&format!("/at/{NEW}/home\"")),
        "the next dump is named: {text}"
    );
    let (_, text) = page.served.get("/status");
    assert!(text.contains("1 dumps cannot be listed"), "{text}");
    set(0o755).expect("set");
    let (_, text) = page.served.get("/status");
    assert!(!text.contains("cannot be listed"), "{text}");
}

#[test]
#[ignore = "needs root"]
fn what_cannot_be_looked_through_is_not_deleted() {
    let page = Closed::new();
    let lost = "<bdi>home/lost</bdi>";
    for (closed, is_known) in [
        (format!("{NEW}/home/a"), true),
        (format!("{NEW}/home"), false),
        (NEW.to_owned(), false),
    ] {
        let text = page.shown(&closed, 0o700, "/search?deleted=1&q=*");
        assert!(
            !text.contains("<bdi>home/a/x</bdi>") && text.contains("could not be read"),
            "{closed}: {text}"
        );
        assert_eq!(text.contains(lost), is_known, "{closed}: {text}");
        let text = page.shown(&closed, 0o700, "/search?deleted=1&q=*&below=home/a");
        assert!(!text.contains("badge"), "{closed}: {text}");
    }
    let text = page.shown(NEW, 0o755, "/search?deleted=1&q=*");
    assert!(
        text.contains(lost) && !text.contains("home/b") && !text.contains("could not"),
        "{text}"
    );
}

#[tokio::test]
async fn only_the_same_bytes_are_the_same_content() {
    let ground = Ground::empty();
    let files: [(&str, &[u8], &[u8], &str); 6] = [
        ("crlf", b"a\nb\n", b"a\r\nb\r\n", "The lines are the same"),
        ("end", b"a\nb", b"a\nb\n", "The lines are the same"),
        (
            "latin",
            b"caf\xe9\n",
            b"caf\xe8\n",
            "The lines are the same",
        ),
        ("touched", b"a\nb\n", b"a\nb\n", "the same content"),
        ("bin", b"\0\x01", b"\0\x01", "the same content"),
        ("other", b"\0\x01", b"\0\x02", "They differ"),
    ];
    let fill = |newer: bool| {
        for (name, old, new, _) in files {
            // Another inode, whatever it holds.
            let path = ground.at("home").join(name);
            let _ = fs::remove_file(&path);
            ground.write(name, if newer { new } else { old });
            let time = std::time::SystemTime::UNIX_EPOCH
                + std::time::Duration::from_secs(1_600_000_000 + u64::from(newer));
            let file = fs::File::open(path).expect("opened");
            file.set_modified(time).expect("set");
        }
    };
    fill(false);
    ground.dump(MINUTES[0]);
    fill(true);
    ground.dump(MINUTES[1]);
    let page = ground.page();
    for (name, .., expected) in files {
        let text = page
            .shown(&format!("/at/{NEW}/home/{name}?with={OLD}"))
            .await;
        for said in ["The lines are the same", "the same content", "They differ"] {
            assert_eq!(text.contains(said), said == expected, "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn a_long_way_is_cut_in_the_middle() {
    let ground = Ground::new();
    let page = ground.page();
    for (names, left_out) in [(1, 0), (59, 0), (60, 1), (8_000, 7_941)] {
        let path = format!("home/{}", vec!["n"; names].join("/"));
        let answer = page.get(&format!("/at/{OLD}/{path}")).await;
        assert_eq!(answer.status, 404);
        let text = answer.text();
        let way = text
            .split("</nav>")
            .find(|part| part.contains("nav class=\"way\""));
        let way = way.expect("a way");
        let links = way.matches("<a href").count();
        assert_eq!(links, (names + 1).min(60), "{names}");
        let said = format!("{left_out} more");
        assert_eq!(way.contains(&said), left_out > 0, "{names}: {way}");
        assert!(text.len() < 2 << 20, "{names}: {}", text.len());
    }
}

#[tokio::test]
async fn without_the_catalog_not_all_is_known() {
    let ground = Ground::new();
    let said = "not known whether scrubs found damage";
    let text = ground.page().shown("/status").await;
    assert!(!text.contains(said), "{text}");
    fs::remove_file(ground.at("dump/.dump/catalog.db")).expect("removed");
    let text = ground.page().shown("/status").await;
    assert!(text.contains(said), "{text}");
    assert!(!text.contains("Nothing needs attention."), "{text}");
}
