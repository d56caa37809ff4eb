//! `hist` for somebody who looks: columns, what changed, colours and a pager.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use predicates::prelude::*;
use serde_json::{Value, json};

use common::{Ground, a_life};
use fixtures::terminal::shown;

/// A file of which each attribute changes once.
fn attributes() -> Ground {
    let ground = Ground::new();
    let (first, second) = ("2020/0101/1000", "2020/0101/1100");
    ground.write(first, b"one\n", 0o644, 1);
    xattr::set(ground.old(first, "a/f"), "user.gone", b"1").unwrap();
    xattr::set(ground.old(first, "a/f"), "user.other", b"1").unwrap();
    ground.write(second, b"one\n", 0o4755, 3600);
    xattr::set(ground.old(second, "a/f"), "user.other", b"2").unwrap();
    xattr::set(ground.old(second, "a/f"), "user.new", b"1").unwrap();
    ground
}

/// A directory that gains and loses names.
fn names() -> Ground {
    let ground = Ground::new();
    let (first, second) = ("2020/0101/1000", "2020/0101/1100");
    for (dump, name) in [(first, "gone"), (first, "stays"), (second, "stays")] {
        ground.empty(dump);
        fs::write(ground.old(dump, "a").join(name), "").unwrap();
    }
    fs::create_dir(ground.old(second, "a/sub")).unwrap();
    for number in 10..23 {
        fs::write(ground.old(second, "a").join(format!("new{number}")), "").unwrap();
    }
    ground
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn a_life_in_columns() {
    let ground = a_life();
    let dump = ground.at("dump");
    let dump = dump.to_str().unwrap();
    // A checkpoint's name is longer.
    let expected = format!(
        "\
#create  {dump}/2020/0101/1000/NEWAGE/a/f     4 B 644 2020-01-01 00:00 f
#write   {dump}/2020/0102/1000/NEWAGE/a/f     8 B 644 2020-01-01 00:00 f
#wstat   {dump}/2020/0102/1015_chk/NEWAGE/a/f 8 B 600 2020-01-01 00:00 f
#delete  {dump}/2020/0102/1100/NEWAGE/a/f     8 B 600 2020-01-01 00:00 f
         not in {dump}/2020/0201/1000
#create  {dump}/2021/0101/0000/NEWAGE/a/f     6 B 644 2020-01-01 00:00 f
#write   {dump}/2999/0101/0000/NEWAGE/a/f     7 B 644 2020-01-01 00:00 f
"
    );
    assert_eq!(ground.on_terminal(200, &["-c", "a/f"]), expected);
    let narrow = ground.on_terminal(60, &["a/f"]);
    let mut lines = narrow.lines();
    assert_eq!(lines.next(), Some("#create  4 B 644 2020-01-01 00:00 f"));
    let path = format!("         {}", ground.old("2020/0101/1000", "a/f").display());
    assert_eq!(lines.next(), Some(path.as_str()));
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn what_a_wstat_changed_is_named() {
    let ground = attributes();
    let text = ground.on_terminal(200, &["a/f"]);
    let expected = "         mode 0644 → 4755, modified 2020-01-01 00:00 → 2020-01-01 01:00, \
                    user.gone removed, user.new added, user.other changed";
    assert!(text.lines().any(|line| line == expected), "{text}");
    let short = ground.on_terminal(200, &["-c", "a/f"]);
    assert_eq!(short.lines().count(), 2, "{short}");
}

#[test]
#[ignore = "needs root, to give files away, and script(1)"]
fn owner_and_acl_are_named() {
    let ground = Ground::new();
    let (first, second) = ("2020/0101/1000", "2020/0101/1100");
    ground.write(first, b"one\n", 0o644, 1);
    ground.write(second, b"one\n", 0o644, 1);
    let path = ground.old(second, "a/f");
    chown(&path, Some(1000), Some(100)).unwrap();
    let acl = fixtures::acl::with_user(5, 4);
    xattr::set(&path, "system.posix_acl_access", &acl).unwrap();
    let text = ground.on_terminal(200, &["a/f"]);
    let last = text.lines().last().unwrap();
    assert!(
        last.contains("owner 0 → 1000, group 0 → 100, ACL added"),
        "{text}"
    );
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn what_a_directory_gained_and_lost_is_named_up_to_a_limit() {
    let text = names().on_terminal(200, &["a"]);
    let named: Vec<&str> = text.lines().skip(2).map(str::trim_start).collect();
    let mut expected: Vec<String> = (10..20).map(|n| format!("+ new{n}")).collect();
    expected.push("+ … and 4 more".to_owned());
    expected.push("- gone".to_owned());
    assert_eq!(named, expected);
}

#[test]
fn machines_are_told_all_of_it() {
    let objects = |ground: &Ground, path: &str| -> Vec<Value> {
        let ran = ground.hist().args(["--json", path]).output().unwrap();
        let text = String::from_utf8(ran.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let found = objects(&attributes(), "a/f");
    assert_eq!(found[0].get("changed"), None);
    let changed = json!({
        "mode": { "before": "0644", "after": "4755" },
        "mtime": {
            "before": "2020-01-01T00:00:01.000000000+00:00",
            "after": "2020-01-01T01:00:00.000000000+00:00",
        },
        "xattrs": [
            { "name": "user.gone", "change": "removed" },
            { "name": "user.new", "change": "added" },
            { "name": "user.other", "change": "changed" },
        ],
    });
    assert_eq!(found[1]["changed"], changed);
    let found = objects(&names(), "a");
    assert_eq!(found[1]["change"], "write");
    assert_eq!(
        found[1]["removed"],
        json!([{ "name": "gone", "directory": false }])
    );
    let added = found[1]["added"].as_array().unwrap();
    assert_eq!(added.len(), 14);
    assert_eq!(added[13], json!({ "name": "sub", "directory": true }));
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn no_line_is_wider_than_the_terminal() {
    let ground = Ground::new();
    let long = "日本語の名前/".repeat(8) + "a very long name \u{1b}[2J with\tcontrol characters/f";
    for (number, dump) in ["2020/0101/1000", "2020/0101/1100_chk"].iter().enumerate() {
        let path = ground.old(dump, "a").join(&long);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "the same\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600 + 0o44 * number as u32)).unwrap();
        let name = path.with_file_name(format!("{number}{}", "ö".repeat(120)));
        fs::write(name, "").unwrap();
    }
    ground.empty("2020/0102/1000");
    let path = format!("a/{long}");
    let dir = path.strip_suffix("/f").unwrap();
    for columns in [20, 60, 80, 81, 200] {
        for words in [[path.as_str()].as_slice(), &["-c", &path], &[dir]] {
            let text = ground.on_terminal(columns, words);
            assert!(text.lines().count() >= 3, "{text}");
            for line in text.lines() {
                let wide = unicode_width::UnicodeWidthStr::width(line);
                assert!(wide <= columns.into(), "{wide} of {columns}: {line}");
            }
        }
    }
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn pages_and_colors_only_on_a_terminal() {
    let ground = a_life();
    let on_a_terminal = |pager: &str, no_color: &str| -> String {
        let mut command = ground.terminal(200, &["a/f"]);
        command.env("PAGER", pager).env("NO_COLOR", no_color);
        shown(&command.output().unwrap())
    };
    let paged = on_a_terminal("sed 's/^/paged: /'", "1");
    assert!(paged.contains("paged: #create  "), "{paged}");
    assert!(!paged.contains('\x1b'), "{paged}");
    let plain = on_a_terminal("", "");
    assert!(plain.contains("\x1b[32m+two\x1b[0m"), "{plain}");
    // A pager that is left early, and one that is not there.
    let left = on_a_terminal("head -n 1", "1");
    assert_eq!(left.lines().count(), 1, "{left}");
    let none = on_a_terminal("/no/such/pager", "1");
    assert!(
        none.contains("PAGER names a command that cannot be run"),
        "{none}"
    );
    let pipe = ground
        .hist()
        .env("PAGER", "sed s/^/paged:/")
        .arg("a/f")
        .assert();
    pipe.success()
        .stdout(predicate::str::contains("paged:").not());
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn less_is_the_pager_where_none_is_named() {
    let ground = a_life();
    let less = ground.at("bin/less");
    fs::create_dir(ground.at("bin")).unwrap();
    fs::write(&less, "#!/bin/sh\necho \"less $LESS\"\ncat\n").unwrap();
    fs::set_permissions(&less, Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = ground.terminal(200, &["-c", "a/f"]);
    command.env("PATH", format!("{}:{path}", ground.at("bin").display()));
    let text = shown(&command.output().unwrap());
    assert!(text.starts_with("less FRX\n"), "{text}");
    assert!(text.contains("#create"), "{text}");
    // A person who sets LESS knows best.
    let text = shown(&command.env("LESS", "i").output().unwrap());
    assert!(text.starts_with("less i\n"), "{text}");
}
