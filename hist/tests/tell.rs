mod common;

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::symlink;

use predicates::prelude::*;

use common::{Ground, a_life};

/// The lines of all events in [`a_life`].
fn lines_of_a_life(ground: &Ground) -> [String; 6] {
    let first = ground.line(
        "create",
        "2020/0101/1000",
        "4 644 2020-01-01T00:00:01+00:00 f",
    );
    let second = ground.line(
        "write",
        "2020/0102/1000",
        "8 644 2020-01-01T00:00:02+00:00 f",
    );
    let third = ground.line(
        "wstat",
        "2020/0102/1015_chk",
        "8 600 2020-01-01T00:00:02+00:00 f",
    );
    let missing = ground.at("dump/2020/0201/1000");
    let fourth = format!(
        "{}\tnot in {}",
        ground.line(
            "delete",
            "2020/0102/1100",
            "8 600 2020-01-01T00:00:02+00:00 f"
        ),
        missing.display()
    );
    let last = ground.line(
        "create",
        "2021/0101/0000",
        "6 644 2020-01-01T00:00:03+00:00 f",
    );
    // A name in the future is of another zone, or of a clock that was wrong.
    let future = ground.line(
        "write",
        "2999/0101/0000",
        "7 644 2020-01-01T00:00:05+00:00 f",
    );
    [first, second, third, fourth, last, future]
}

#[test]
fn tells_a_life_line_by_line() {
    let ground = a_life();
    let all = lines_of_a_life(&ground);
    let diff = [
        format!("--- {}", ground.old("2020/0101/1000", "a/f").display()),
        format!("+++ {}", ground.old("2020/0102/1000", "a/f").display()),
        "@@ -1 +1,2 @@".into(),
        " one".into(),
        "+two".into(),
    ];
    ground.tells(&["-c", "a/f"], &all);
    let later = [
        format!("--- {}", ground.old("2021/0101/0000", "a/f").display()),
        format!("+++ {}", ground.old("2999/0101/0000", "a/f").display()),
        "@@ -1 +1 @@".into(),
        "-three".into(),
        "+future".into(),
    ];
    let diffs = [&all[..2], &diff, &all[2..], &later].concat();
    ground.tells(&["a/f"], &diffs);
    ground.tells(&["-c", "-s", "20200102", "a/f"], &{
        let begins = all[1].replace("#write", "#create");
        [&[begins], &all[2..]].concat()
    });
    // Up to the dump that the path is in, and from a dump on.
    let path = ground.old("2020/0102/1000", "a/f");
    let path = path.to_str().unwrap();
    ground.tells(&["-c", path], &all[..2]);
    symlink("2020/0102/1100", ground.at("dump/before-it")).unwrap();
    for since in [
        "2020/0102/1100",
        "before-it",
        ground.at("dump/2020/0102/1100/NEWAGE").to_str().unwrap(),
    ] {
        let begins = all[2]
            .replace("#wstat", "#create")
            .replace("1015_chk", "1100");
        ground.tells(
            &["-c", "-s", since, "a/f"],
            &[&[begins], &all[3..]].concat(),
        );
    }
}

#[test]
fn keeps_the_last_of_each_span() {
    let ground = a_life();
    let kinds = |option: &str| -> Vec<String> {
        let output = ground.hist().args(["-c", option, "a/f"]).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|l| l.split('\t').next().unwrap().to_owned())
            .collect()
    };
    let all = ["#create", "#write", "#delete", "#create", "#write"];
    for (option, expected) in [
        ("-h", &all[..]),
        ("-d", &all),
        ("-m", &["#create", "#delete", "#create", "#write"]),
        ("-y", &["#create", "#delete", "#create", "#write"]),
    ] {
        assert_eq!(kinds(option), expected, "{option}");
    }
}

#[test]
fn binary_is_compared_only_when_asked_for() {
    let ground = Ground::new();
    ground.write("2020/0101/1000", b"a\0b\n", 0o644, 1);
    ground.write("2020/0101/1100", b"a\0c\n", 0o644, 2);
    let short = predicate::str::contains("@@").not();
    ground.hist().arg("a/f").assert().success().stdout(short);
    let diff = predicate::str::contains("-a\0b\n+a\0c\n");
    ground
        .hist()
        .args(["-t", "a/f"])
        .assert()
        .success()
        .stdout(diff);
}

#[test]
fn text_in_any_encoding_is_compared_and_told_byte_by_byte() {
    let ground = Ground::new();
    ground.write("2020/0101/1000", b"caf\xe9\n", 0o644, 1);
    ground.write("2020/0101/1100", b"caf\xe8\n", 0o644, 2);
    for words in [["a/f"].as_slice(), &["-t", "a/f"]] {
        let out = ground.hist().args(words).output().unwrap();
        let diff = b"-caf\xe9\n+caf\xe8\n";
        assert!(out.stdout.ends_with(diff), "{}", out.stdout.escape_ascii());
    }
}

#[test]
fn tells_of_directories_and_symlinks() {
    let ground = Ground::new();
    ground.write("2020/0101/1000", b"x", 0o644, 1);
    ground.link("2020/0101/1000", "2020/0101/1100");
    fs::create_dir(ground.old("2020/0101/1100", "a/sub")).unwrap();
    for dump in ["2020/0101/1000", "2020/0101/1100"] {
        symlink(format!("to-{dump}"), ground.old(dump, "link")).unwrap();
    }
    let listed =
        predicate::str::is_match("#create\t[^\n]* d\n\tf\n#write\t[^\n]* d\n\tf\n\tsub/\n$");
    ground
        .hist()
        .args(["-v", "a"])
        .assert()
        .success()
        .stdout(listed.unwrap());
    let plain = predicate::str::is_match("^#create\t[^\n]* d\n#write\t[^\n]* d\n$").unwrap();
    ground.hist().arg("a").assert().success().stdout(plain);
    let targets = predicate::str::contains("-symlink to to-2020/0101/1000\n")
        .and(predicate::str::contains(" l\n"));
    ground.hist().arg("link").assert().success().stdout(targets);
}

#[test]
fn the_main_tree_is_marked() {
    let ground = Ground::new();
    ground.write("2020/0101/1000", b"old\n", 0o644, 1);
    fs::write(ground.at("NEWAGE/a/f"), "new\n").unwrap();
    let name = ground.at("NEWAGE/a/f").display().to_string();
    let marked = predicate::str::is_match(format!("#write\t{name} 4 [^\t]* f\tmain\n")).unwrap();
    ground
        .hist()
        .args(["--with-main", "a/f"])
        .assert()
        .success()
        .stdout(marked.clone());
    ground
        .hist()
        .arg("a/f")
        .assert()
        .success()
        .stdout(marked.not());
    fs::remove_file(ground.at("NEWAGE/a/f")).unwrap();
    let gone = predicate::str::contains(format!("\tnot in {name}\tmain\n"));
    ground
        .hist()
        .args(["--with-main", "a/f"])
        .assert()
        .success()
        .stdout(gone);
}

#[test]
fn json_has_one_object_a_line() {
    let ground = a_life();
    let output = ground.hist().args(["--json", "a/f"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<serde_json::Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let kinds: Vec<_> = objects
        .iter()
        .map(|o| o["change"].as_str().unwrap())
        .collect();
    let expected = ["create", "write", "wstat", "delete", "create", "write"];
    assert_eq!(kinds, expected);
    assert_eq!(objects[1]["size"], 8);
    assert_eq!(objects[1]["mode"], "0644");
    assert_eq!(objects[1]["mtime"], "2020-01-01T00:00:02.000000000+00:00");
    assert_eq!(objects[1]["dump"], "2020/0102/1000");
    let missing = ground.at("dump/2020/0201/1000");
    assert_eq!(objects[3]["missing_in"], missing.to_str().unwrap());
}

#[test]
fn what_never_was_is_an_error() {
    let ground = a_life();
    let none = predicate::str::contains("has NEWAGE/a/x (9 looked at)");
    ground
        .hist()
        .arg("a/x")
        .assert()
        .code(1)
        .stdout("")
        .stderr(none);
    let both = predicate::str::contains(ground.at("NEWAGE").display().to_string()).and(
        predicate::str::contains(ground.at("dump").display().to_string()),
    );
    ground
        .hist()
        .arg("/etc/passwd")
        .assert()
        .code(1)
        .stdout("")
        .stderr(both);
    for words in [
        &["-y", "-d", "a/f"][..],
        &["-s", "0230", "a/f"],
        &["-s", "/etc", "a/f"],
        &[],
    ] {
        let one_line = predicate::str::is_match("^hist: [^\n]+\n$").unwrap();
        ground
            .hist()
            .args(words)
            .assert()
            .code(2)
            .stdout("")
            .stderr(one_line);
    }
}

#[test]
fn a_start_in_the_future_is_named() {
    let ground = a_life();
    let said = "hist: the history cannot begin at 2099-01-01T00:00: it is ";
    let said = predicate::str::starts_with(said).and(predicate::str::ends_with(" now\n"));
    let run = ground.hist().args(["-s", "2099-01-01", "a/f"]).assert();
    run.code(1).stdout("").stderr(said);
    // A dump of the future is one, and a path in it has a history up to there.
    let begins = ground.line(
        "create",
        "2999/0101/0000",
        "7 644 2020-01-01T00:00:05+00:00 f",
    );
    ground.tells(&["-c", "-s", "2999/0101/0000", "a/f"], &[begins]);
    let path = ground.old("2999/0101/0000", "a/f");
    ground
        .hist()
        .args(["-c", "-s", "2099-01-01"])
        .arg(path)
        .assert()
        .success()
        .stdout(predicate::str::starts_with("#create\t"));
}

#[test]
fn relative_roots_are_found_from_anywhere() {
    let ground = Ground::new();
    ground.write("2020/0101/1000", b"old\n", 0o644, 1);
    // Under another name since: all of the tree is listed to find that out.
    let (old, now) = (ground.old("2020/0101/1000", "a/f"), ground.at("NEWAGE/a/g"));
    fs::copy(&old, &now).unwrap();
    let time = fs::metadata(&old).unwrap().modified().unwrap();
    let times = FileTimes::new().set_modified(time);
    let file = File::options().write(true).open(&now).unwrap();
    file.set_times(times).unwrap();
    for (dir, main, dump, path) in [
        ("", "NEWAGE", "dump", "NEWAGE/a/g"),
        ("NEWAGE", ".", "../dump", "a/g"),
        ("NEWAGE/a", "..", "../../dump", "g"),
    ] {
        let output = ground
            .hist()
            .env_remove("MAINROOT")
            .env_remove("DUMPROOT")
            .current_dir(ground.at(dir))
            .args(["--main", main, "--dump", dump, "--with-main", "--follow"])
            .args(["-q", "--json", path])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        let events: Vec<serde_json::Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(events[0]["change"], "create", "{text}");
        assert_eq!(events[1]["change"], "rename", "{text}");
        for path in [&events[0]["path"], &events[1]["path"], &events[1]["from"]] {
            assert!(path.as_str().unwrap().starts_with('/'), "{text}");
        }
    }
}

#[test]
fn a_listing_is_in_the_object() {
    use std::os::unix::ffi::OsStrExt;
    let ground = Ground::new();
    ground.write("2020/0101/1000", b"x", 0o644, 1);
    ground.link("2020/0101/1000", "2020/0101/1100");
    fs::create_dir(ground.old("2020/0101/1100", "a/sub")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"z\xff");
    File::create(ground.old("2020/0101/1100", "a").join(odd)).unwrap();
    let objects = |words: &[&str]| -> Vec<serde_json::Value> {
        let output = ground.hist().args(words).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    };
    let events = objects(&["--json", "-v", "a"]);
    let file = serde_json::json!({"name": "f", "directory": false});
    assert_eq!(events[0]["names"], serde_json::json!([file]));
    let sub = serde_json::json!({"name": "sub", "directory": true});
    let odd = serde_json::json!({
        "name": "z\u{fffd}", "name_bytes": "7aff", "directory": false,
    });
    assert_eq!(events[1]["names"], serde_json::json!([file, sub, odd]));
    for words in [&["--json", "a"][..], &["--json", "-v", "a/f"]] {
        assert!(objects(words)[0].get("names").is_none(), "{words:?}");
    }
}

#[test]
fn the_options_that_all_programs_share_are_taken() {
    let ground = a_life();
    let plain = ground.hist().arg("a/f").output().unwrap().stdout;
    for words in [&["-q"][..], &["--log", "stderr"], &["-q", "-v"]] {
        let run = ground.hist().args(words).arg("a/f").assert();
        run.success().stdout(plain.clone()).stderr("");
    }
    ground
        .hist()
        .args(["--log", "stderr", "a/x"])
        .assert()
        .code(1)
        .stderr(predicate::str::starts_with("hist: no dump in "));
    ground
        .hist()
        .arg("--print-config")
        .assert()
        .success()
        .stdout(predicate::str::contains("main = "));
}

#[test]
fn every_form_of_a_line_is_in_the_help() {
    let output = Ground::new().hist().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for word in [
        "#create",
        "#write",
        "#wstat",
        "#delete",
        "#rename",
        "#same",
        "not in PATH",
        "from PATH",
        "  main  ",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn colors_are_asked_for() {
    let ground = a_life();
    let color = predicate::str::contains("\x1b[32m+two\x1b[0m");
    ground
        .hist()
        .args(["--color", "always", "a/f"])
        .assert()
        .success()
        .stdout(color);
    let plain = predicate::str::contains("\x1b").not();
    ground.hist().arg("a/f").assert().success().stdout(plain);
}

/// Sets take turns in one dump root: a dump of another tree says nothing.
#[test]
fn a_dump_of_another_tree_is_no_deletion() {
    let ground = Ground::new();
    ground.write("2020/0101/1000", b"one\n", 0o644, 1);
    fs::create_dir_all(ground.at("dump/2020/0101/1030/photos")).unwrap();
    ground.link("2020/0101/1000", "2020/0101/1100");
    let line = "4 644 2020-01-01T00:00:01+00:00 f";
    ground.tells(&["a/f"], &[ground.line("create", "2020/0101/1000", line)]);
}

/// The dump root is there and empty: its disk may not be mounted.
#[test]
fn a_root_without_any_dump_is_told_as_such() {
    let ground = Ground::new();
    let said = "dump has no link 'current'; either its disk is not mounted, or it has no dump yet";
    ground
        .hist()
        .arg("a/f")
        .assert()
        .code(1)
        .stdout("")
        .stderr(predicate::str::contains(said));
}
