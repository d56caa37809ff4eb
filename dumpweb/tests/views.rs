//! What each view shows, asked over HTTP.

mod common;

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::PathBuf;
use std::process::Command;

use common::{Ground, HOSTILE, MINUTES, PNG, name};
use dumpweb::address::encoded_path;

#[tokio::test]
async fn the_first_page_is_the_newest_dump() {
    let ground = Ground::new();
    let page = ground.page();
    let answer = page.get("/").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, "/at/2026/1121/1215/home")
    );
    let answer = page.get("/at/newest/home/letters").await;
    assert_eq!(answer.header("location"), "/at/2026/1121/1215/home/letters");
    let ground = Ground::empty();
    let empty = ground.page().shown("/").await;
    let said = format!(
        "no dumps at {}. Is its disk mounted?",
        ground.root().display()
    );
    assert!(empty.contains(&said), "{empty}");
}

#[tokio::test]
async fn a_directory_is_shown_as_it_was() {
    let ground = Ground::new();
    let page = ground.page();
    let text = page.shown("/at/2026/0105/0800/home/letters").await;
    assert!(
        text.contains("2 names, <strong>1 gone since</strong>"),
        "{text}"
    );
    let row = |text: &str, name: &str| {
        let rows = text
            .split("<tr")
            .find(|row| row.contains(&format!("<bdi>{name}</bdi>")));
        rows.unwrap_or_else(|| panic!("{name}: {text}")).to_owned()
    };
    assert!(row(&text, "lost.txt").contains("class=\"gone\""), "{text}");
    assert!(
        row(&text, "draft.txt").contains("class=\"changed\""),
        "{text}"
    );
    assert!(!text.contains("later.txt"), "it is younger");
    let text = page.shown("/at/2026/0105/0800/home").await;
    assert!(row(&text, "gone").contains("class=\"gone\""), "{text}");
    assert!(row(&text, "same.bin").contains("class=\"\""), "{text}");
    let text = page.shown("/at/2026/1121/1215/home").await;
    assert!(
        text.contains("in the newest dump") && !text.contains("class=\"gone\""),
        "{text}"
    );
    let by_size = page.shown("/at/2026/1121/1215/home?sort=size").await;
    let place = |name: &str| by_size.find(&format!("<bdi>{name}</bdi>")).expect("a row");
    assert!(place("letters") < place("same.bin") && place("same.bin") < place("empty"));
}

#[tokio::test]
async fn the_time_line_has_the_versions_that_differ() {
    let ground = Ground::new();
    let page = ground.page();
    let text = page
        .shown("/at/2026/0210/0800/home/letters/draft.txt")
        .await;
    let aside = text.split("<aside").nth(1).expect("a time line");
    for minute in [
        "2026/0105/0800",
        "2026/0105/1730",
        "2026/0210/0800",
        "2026/1120/0800",
    ] {
        let link = format!("href=\"/at/{minute}/home/letters/draft.txt\"");
        assert!(aside.contains(&link), "{minute}: {aside}");
    }
    assert!(aside.contains("4 in all"), "{aside}");
    let versions = aside
        .split("id=\"versions\"")
        .nth(1)
        .and_then(|part| part.split("id=\"calendar\"").next());
    assert!(
        !versions.expect("versions").contains("2026/1121/1215"),
        "it is the same as before"
    );
    let step = |rel: &str| {
        let part = aside
            .split("<a class=\"step\"")
            .find(|part| part.contains(&format!("rel=\"{rel}\"")));
        part.unwrap_or_else(|| panic!("{rel}: {aside}")).to_owned()
    };
    assert!(
        step("prev").contains("/at/2026/0105/1730/"),
        "{}",
        step("prev")
    );
    assert!(
        step("next").contains("/at/2026/1120/0800/"),
        "{}",
        step("next")
    );
    for label in [">2026<", ">Feb<", ">10<", ">08:00<"] {
        assert!(aside.contains(label), "{label}: {aside}");
    }
}

#[tokio::test]
async fn what_a_dump_lacks_is_found_before_and_after() {
    let ground = Ground::new();
    let page = ground.page();
    let answer = page.get("/at/2026/1121/1215/home/letters/lost.txt").await;
    let text = answer.text();
    assert_eq!(answer.status, 404);
    assert!(
        text.contains("The last version before, in 2026/0105/0800"),
        "{text}"
    );
    let answer = page.get("/at/2026/0105/0800/home/notes.md").await;
    assert!(
        answer
            .text()
            .contains("The next version after, in 2026/1121/1215"),
        "{}",
        answer.text()
    );
    let answer = page.get("/at/2026/1121/1215/home/never").await;
    assert!(
        answer.text().contains("No dump has it"),
        "{}",
        answer.text()
    );
    let answer = page.get("/at/2020/0101/0000/home").await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.text().contains("there is no dump 2020/0101/0000"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn a_file_is_shown_by_what_it_is() {
    let ground = Ground::new();
    let page = ground.page();
    let at = |name: &str| format!("/at/2026/1121/1215/home/{name}");
    let text = page.shown(&at("letters/draft.txt")).await;
    assert!(text.contains("Dear all,\nthird\nmore\nend\n"), "{text}");
    let output = Command::new("sha256sum")
        .arg(ground.at("home/letters/draft.txt"))
        .output();
    let sum = String::from_utf8(output.expect("it runs").stdout).expect("text");
    assert!(text.contains(&sum[..64]), "{text}");
    let text = page.shown(&at("picture.png")).await;
    assert!(
        text.contains("<img src=\"/raw/2026/1121/1215/home/picture.png\""),
        "{text}"
    );
    let text = page.shown(&at("paper.pdf")).await;
    assert!(
        text.contains("<iframe class=\"pdf\" src=\"/raw/2026/1121/1215/home/paper.pdf\""),
        "{text}"
    );
    let text = page.shown(&at("page.html")).await;
    assert!(
        text.contains("&lt;script&gt;document.title") && !text.contains("<iframe"),
        "{text}"
    );
    let text = page.shown(&at("same.bin")).await;
    assert!(text.contains("It cannot be shown here"), "{text}");
    let text = page.shown(&at("empty")).await;
    assert!(text.contains("This file is empty"), "{text}");
    let text = page.shown(&at("secret-link")).await;
    assert!(
        text.contains("outside/secret</bdi>") && !text.contains("the secret"),
        "{text}"
    );
}

#[tokio::test]
async fn two_versions_of_a_text_are_compared() {
    let ground = Ground::new();
    let page = ground.page();
    let address = "/at/2026/0105/0800/home/letters/draft.txt?with=2026/1120/0800";
    let text = page.shown(address).await;
    assert!(text.contains("<table class=\"diff two\">"), "{text}");
    assert!(
        text.contains("<td class=\"line added\">third</td>"),
        "{text}"
    );
    assert!(
        text.contains("<span class=\"added\">+2</span>"),
        "the older one is first: {text}"
    );
    let text = page.shown(&format!("{address}&unified=1")).await;
    assert!(text.contains("<table class=\"diff\">"), "{text}");
    let same = "/at/2026/1121/1215/home/letters/draft.txt?with=2026/1120/0800";
    assert!(page.shown(same).await.contains("the same content"));
    let binary = page
        .shown("/at/2026/1121/1215/home/picture.png?with=2026/0105/0800")
        .await;
    assert!(binary.contains("the same content"), "{binary}");
}

#[tokio::test]
async fn a_download_is_the_file() {
    let ground = Ground::new();
    ground.write(
        "large.bin",
        &(0..3_000_000u32)
            .map(|n| (n % 251) as u8)
            .collect::<Vec<_>>(),
    );
    ground.dump("2026-11-22T10:00");
    let page = ground.page();
    let whole = fs::read(ground.at("home/large.bin")).expect("read");
    let address = "/raw/2026/1122/1000/home/large.bin";
    let answer = page.get(&format!("{address}?download=1")).await;
    assert_eq!(answer.header("content-length"), "3000000");
    assert!(
        answer
            .header("content-disposition")
            .starts_with("attachment; filename=\"large.bin\"")
    );
    assert!(answer.bytes == whole, "the same bytes");
    let answer = page
        .get_with(address, &[("range", "bytes=1000000-1000099")])
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-range")),
        (206, "bytes 1000000-1000099/3000000")
    );
    assert!(answer.bytes == whole[1_000_000..1_000_100]);
    let answer = page.get_with(address, &[("range", "bytes=3000000-")]).await;
    assert_eq!(answer.status, 416);
    let answer = page.get("/raw/2026/1122/1000/home/picture.png").await;
    assert_eq!(
        (answer.header("content-type"), &answer.bytes[..]),
        ("image/png", PNG)
    );
    let answer = page.get("/raw/2026/1122/1000/home/letters").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_directory_becomes_an_archive() {
    let ground = Ground::new();
    let page = ground.page();
    let answer = page.get("/zip/2026/0105/1730/home").await;
    assert_eq!(answer.header("content-type"), "application/zip");
    assert!(
        answer
            .header("content-disposition")
            .contains("filename=\"home.zip\"")
    );
    let mut archive = zip::ZipArchive::new(Cursor::new(answer.bytes)).expect("an archive");
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.expect("a name").into_owned())
        .collect();
    for name in [
        "home/",
        "home/letters/draft.txt",
        "home/gone/deep/file.txt",
        "home/way-out",
        "home/hostile/invalid-%FF%FE",
        "home/hostile/back%5Cslash",
        "home/hostile/%252e%252e",
        "home/hostile/new%0Aline",
    ] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    assert!(
        !names
            .iter()
            .any(|name| name.contains("secret") && name.contains("way-out/")),
        "{names:?}"
    );
    let mut text = String::new();
    let mut file = archive
        .by_name("home/letters/draft.txt")
        .expect("it is there");
    file.read_to_string(&mut text).expect("read");
    assert_eq!(text, "Dear all,\nfirst\nend\n");
    drop(file);
    let link = archive.by_name("home/way-out").expect("it is there");
    assert!(link.is_symlink());
}

#[tokio::test]
async fn names_are_found_in_all_dumps() {
    let ground = Ground::new();
    for has_catalog in [true, false] {
        if !has_catalog {
            fs::remove_file(ground.at("dump/.dump/catalog.db")).expect("removed");
        }
        let page = ground.page();
        let text = page.shown("/search?q=LOST").await;
        assert!(
            text.contains("/at/2026/0105/1730/home/letters/lost.txt"),
            "{text}"
        );
        assert!(
            text.contains("<span class=\"badge\">deleted</span>"),
            "{text}"
        );
        assert_eq!(text.contains("has no catalog"), !has_catalog, "{text}");
        let text = page.shown("/search?q=*.txt&below=home/gone").await;
        assert!(
            text.contains("file.txt") && !text.contains("draft.txt"),
            "{text}"
        );
        let text = page.shown("/search?deleted=1&below=home/letters").await;
        assert!(
            text.contains("lost.txt") && !text.contains("<bdi>home/letters/draft.txt"),
            "{text}"
        );
        let text = page.shown("/search?q=nothing-like-this").await;
        assert!(text.contains("Nothing found"), "{text}");
        assert!(page.shown("/search").await.contains("role=\"search\""));
    }
}

#[tokio::test]
async fn two_dumps_are_compared() {
    let ground = Ground::new();
    for has_catalog in [true, false] {
        if !has_catalog {
            fs::remove_file(ground.at("dump/.dump/catalog.db")).expect("removed");
        }
        let page = ground.page();
        let text = page
            .shown("/changes?a=2026/1121/1215&b=2026/0105/0800")
            .await;
        assert!(
            text.contains("from 2026/0105/0800 to 2026/1121/1215"),
            "{text}"
        );
        for (word, path) in [
            ("deleted", "home/letters/lost.txt"),
            ("changed", "home/letters/draft.txt"),
            ("added", "home/notes.md"),
        ] {
            let row = text
                .split("<tr>")
                .find(|row| row.contains(&format!("<bdi>{path}</bdi>")));
            assert!(
                row.is_some_and(|row| row.contains(&format!(">{word}<"))),
                "{path}: {text}"
            );
        }
        let text = page
            .shown("/changes?a=2026/0105/0800&b=2026/1121/1215&below=home/gone")
            .await;
        assert!(
            text.contains("home/gone/deep") && !text.contains("draft.txt"),
            "{text}"
        );
        for other in ["2020/0101/0000", "nope", "current"] {
            let address = format!("/changes?a=2026/0105/0800&b={other}");
            assert_eq!(page.get(&address).await.status, 404, "{other}");
        }
    }
}

#[tokio::test]
async fn the_state_has_its_charts() {
    let ground = Ground::new();
    let page = ground.page();
    let text = page.shown("/status").await;
    assert_eq!(text.matches("<svg").count(), 2, "{text}");
    assert!(text.contains("href=\"/at/newest/home\""), "{text}");
    fs::remove_file(ground.at("dump/.dump/catalog.db")).expect("removed");
    let text = page.shown("/status").await;
    assert!(
        text.contains("Sizes are not known") && !text.contains("<svg"),
        "{text}"
    );
}

#[tokio::test]
async fn a_day_leads_to_its_last_dump() {
    let ground = Ground::new();
    let page = ground.page();
    for (when, leads_to) in [
        ("2026-01-05", "/at/2026/0105/1730/home/letters"),
        ("2026-03-01", "/at/2026/0210/0800/home/letters"),
        ("2026/0105/0800", "/at/2026/0105/0800/home/letters"),
    ] {
        let answer = page
            .get(&format!("/go?path=home%2Fletters&when={when}"))
            .await;
        assert_eq!(answer.header("location"), leads_to, "{when}");
    }
    for (when, status) in [("2025-01-01", 404), ("nonsense", 400), ("", 400)] {
        let answer = page.get(&format!("/go?path=home&when={when}")).await;
        assert_eq!(answer.status, status, "{when}: {}", answer.text());
    }
}

#[tokio::test]
async fn hostile_names_are_shown_and_lead_to_their_files() {
    let ground = Ground::new();
    let page = ground.page();
    let text = page.shown("/at/2026/1121/1215/home/hostile").await;
    assert!(!text.contains("<script>document"), "{text}");
    assert!(!text.contains('\u{202e}'), "{text}");
    for bytes in HOSTILE {
        let link = format!("/at/2026/1121/1215/home/hostile/{}", encoded_path(bytes));
        assert!(
            text.contains(&format!("href=\"{link}\"")),
            "{bytes:?}: {text}"
        );
        let shown = page.shown(&link).await;
        assert!(!shown.contains("<script>document"), "{shown}");
        let codes = shown.split("<code>").skip(1);
        let commands: Vec<&str> = codes
            .filter_map(|part| part.split("</code>").next())
            .filter(|code| code.starts_with("dumpctl restore"))
            .collect();
        let is_plain = commands.iter().all(|line| !line.contains('\u{202e}'));
        assert!(commands.len() == 2 && is_plain, "{commands:?}");
        let raw = page.get(&link.replacen("/at/", "/raw/", 1)).await;
        assert_eq!(raw.bytes, bytes, "its own bytes");
    }
}

#[tokio::test]
async fn a_large_directory_comes_in_pages() {
    let ground = Ground::empty();
    for number in 0..1203 {
        ground.write(&format!("many/file-{number:05}"), b"");
    }
    ground.dump(MINUTES[0]);
    let page = ground.page();
    let text = page.shown("/at/2026/0105/0800/home/many").await;
    assert!(
        text.contains("1,203 names") && text.contains("Page 1 of 3"),
        "{text}"
    );
    assert!(
        text.contains("file-00499<") && !text.contains("file-00500<"),
        "{text}"
    );
    let text = page.shown("/at/2026/0105/0800/home/many?page=2").await;
    assert!(
        text.contains("file-01202<") && text.contains("Page 3 of 3"),
        "{text}"
    );
    let text = page.shown("/at/2026/0105/0800/home/many?page=99").await;
    assert!(text.contains("Page 3 of 3"), "{text}");
}

/// The command that the page names does what it says.
#[tokio::test]
#[ignore = "needs dumpctl, built beside it"]
async fn the_command_that_is_named_restores() {
    let ground = Ground::new();
    let dumpctl = PathBuf::from(env!("CARGO_BIN_EXE_dumpweb")).with_file_name("dumpctl");
    assert!(dumpctl.is_file(), "build it: cargo build -p dumpctl");
    let text = ground
        .page()
        .shown("/at/2026/0105/0800/home/letters/lost.txt")
        .await;
    let commands: Vec<&str> = text
        .split("<code>")
        .skip(1)
        .filter_map(|part| part.split("</code>").next())
        .collect();
    let commands: Vec<&&str> = commands
        .iter()
        .filter(|one| one.starts_with("dumpctl"))
        .collect();
    let [in_place, aside] = commands.as_slice() else {
        panic!("{text}");
    };
    let folder = dumpctl.parent().expect("a folder");
    let run = |line: &str| {
        let mut shell = fixtures::shield::command("/bin/sh", &ground.at("outside"));
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let status = shell.env("PATH", path).args(["-c", line]).status();
        assert!(status.expect("it runs").success(), "{line}");
    };
    run(in_place);
    run(aside);
    for path in ["home/letters/lost.txt", "outside/lost.txt"] {
        assert_eq!(
            fs::read(ground.at(path)).expect("restored"),
            b"lost words\n"
        );
    }
    assert!(name(b"x").is_relative());
}
