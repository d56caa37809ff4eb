//! Which name `yest` finds, for which words, and what it says where it finds
//! none.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use predicates::prelude::*;

use common::Ground;

#[test]
fn names_the_last_dump_of_yesterday_or_before() {
    let ground = Ground::new();
    for dump in ["2019/1231/2300", "2020/0101/0000", "2020/0101/0100_chk"] {
        ground.dump(dump, "a/f", dump);
    }
    // Noise, what is being made, and the future.
    for dump in [
        "2020/0101/0200_incomplete",
        "2020/0101/0200.bak",
        "2999/0101/0000",
        "first",
        ".rsync",
        "lost+found",
    ] {
        ground.dump(dump, "a/f", "");
    }
    let newest = ground.old("2020/0101/0100_chk", "a/f");
    ground.names(&["a/f"], &newest);
    ground.names(&["./a/../a/f"], &newest);
    ground.names(&[ground.main("a/f").to_str().unwrap()], &newest);
    symlink(ground.main("a"), ground.at("way")).unwrap();
    ground.names(&["../way/f"], &newest);
    // Nothing has the name now, which is when one needs it most.
    assert!(!ground.main("a/f").exists());
    ground.names(&["a"], &ground.old("2020/0101/0100_chk", "a"));
    ground.names(&["."], &ground.at("dump/2020/0101/0100_chk/NEWAGE"));
    ground.names(
        &["--date", "2020-01-01T00:59", "a/f"],
        &ground.old("2020/0101/0000", "a/f"),
    );
    ground.names(
        &["--date", "20191231", "a/f"],
        &ground.old("2019/1231/2300", "a/f"),
    );
    ground.names(&["--date=200101", "a/f"], &newest);
    ground.names(
        &["--date", "2019-12-31T23:00:00Z", "a/f"],
        &ground.old("2020/0101/0000", "a/f"),
    );
}

#[test]
fn counts_from_the_date_of_the_dump_that_a_path_lies_in() {
    let ground = Ground::new();
    let table: [(&str, &[&str], &str); 14] = [
        // Month ends and leap days.
        ("2026/0331/1200", &["-m1"], "2026/0228/1200"),
        ("2024/0331/1200", &["-m", "1"], "2024/0229/1200"),
        ("2024/0229/1200", &["-y=1"], "2023/0228/1200"),
        ("2024/0301/1200", &["-d1"], "2024/0229/1200"),
        ("2024/0301/1200", &["-d=1"], "2024/0229/1200"),
        ("2024/0301/1200", &["-d", "1"], "2024/0229/1200"),
        ("2024/0301/1200", &[], "2024/0229/1200"),
        // New Year, and no dump early enough in the new one.
        ("2026/0101/0030", &["-h1"], "2025/1231/2330"),
        ("2026/0102/0000", &["-d1"], "2025/1231/2330"),
        // The days on which the clocks change.
        ("2026/0329/0330", &["-h", "1"], "2026/0329/0130"),
        ("2026/0329/0330", &["-d1"], "2026/0328/0330"),
        ("2026/1025/0330", &["-h2"], "2026/1025/0230"),
        ("2026/1025/0230", &["-h1"], "2026/1025/0130"),
        ("2026/1025/1200", &["-d1", "-h0"], "2026/1024/1200"),
    ];
    for (from, _, to) in table {
        ground.dump(from, "a/f", "");
        ground.dump(to, "a/f", "");
    }
    for (from, words, to) in table {
        let path = ground.old(from, "a/f");
        let words = [words, &[path.to_str().unwrap()]].concat();
        ground.names(&words, &ground.old(to, "a/f"));
    }
    // Again and again, as far as there are dumps.
    let path = ground.old("2024/0301/1200", "a/f");
    let day_before = ground.old("2024/0229/1200", "a/f");
    ground.names(&["--date", "29", day_before.to_str().unwrap()], &day_before);
    ground.names(&["--date", "0229", path.to_str().unwrap()], &day_before);
}

#[test]
fn a_file_that_was_not_there_is_an_error() {
    let ground = Ground::new();
    ground.dump("2019/0101/0000", "a/f", "");
    ground.dump("2020/0101/0000", "a/f", "");
    ground.dump("2020/0102/0000", "a/g", "");
    let dump = ground.at("dump/2020/0102/0000").display().to_string();
    let older = ground.old("2020/0101/0000", "a/f").display().to_string();
    let names_both = predicate::str::contains(&dump).and(predicate::str::contains(&older));
    ground
        .yest()
        .arg("a/f")
        .assert()
        .code(1)
        .stdout("")
        .stderr(names_both);
    let none =
        predicate::str::contains(&dump).and(predicate::str::contains("neither has an older"));
    ground
        .yest()
        .arg("a/x")
        .assert()
        .code(1)
        .stdout("")
        .stderr(none);
    for option in ["-n", "--no-check"] {
        ground.names(&[option, "a/f"], &ground.old("2020/0102/0000", "a/f"));
    }
    // The others are answered anyway.
    let found = format!("{}\n", ground.old("2020/0102/0000", "a/g").display());
    ground
        .yest()
        .args(["a/f", "a/g"])
        .assert()
        .code(1)
        .stdout(found);
    let early = predicate::str::contains("no dump from 2018-12-31T23:59 or earlier");
    ground
        .yest()
        .args(["--date", "20181231", "a/f"])
        .assert()
        .code(1)
        .stdout("")
        .stderr(early);
}

#[test]
fn a_path_in_neither_tree_names_both_roots() {
    let ground = Ground::new();
    let both = predicate::str::contains(ground.at("NEWAGE").display().to_string()).and(
        predicate::str::contains(ground.at("dump").display().to_string()),
    );
    ground
        .yest()
        .arg("/etc/passwd")
        .assert()
        .code(1)
        .stdout("")
        .stderr(both);
}

#[test]
fn wrong_usage_is_told_in_one_line() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "");
    for words in [
        &[][..],
        &["-d", "x", "a/f"],
        &["-d-1", "a/f"],
        &["--date", "0230", "a/f"],
        &["--date", "tomorrow", "a/f"],
        &["--date", "0101", "-d1", "a/f"],
        &["--diff", "--copy", "a/f"],
        &["-y", "5000", "a/f"],
        &["--nonsense", "a/f"],
    ] {
        let one_line = predicate::str::is_match("^yest: [^\n]+\n$").unwrap();
        ground
            .yest()
            .args(words)
            .assert()
            .code(2)
            .stdout("")
            .stderr(one_line);
    }
    let hours = predicate::str::contains("-h, --hours");
    ground.yest().arg("--help").assert().success().stdout(hours);
}

#[test]
fn roots_come_from_lists_options_and_configuration() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "");
    let expected = format!("{}\n", ground.old("2020/0101/0000", "a/f").display());
    let list = |name: &str| format!("/nowhere/at/all:{}", ground.at(name).display());
    ground
        .yest()
        .env("MAINROOT", list("NEWAGE"))
        .env("DUMPROOT", list("dump"))
        .arg("a/f")
        .assert()
        .success()
        .stdout(expected.clone());
    let roots = [ground.at("NEWAGE"), ground.at("dump")];
    ground
        .yest()
        .env_remove("MAINROOT")
        .env("DUMPROOT", "/nowhere/at/all")
        .arg("--main")
        .arg(&roots[0])
        .arg("--dump")
        .arg(&roots[1])
        .arg("a/f")
        .assert()
        .success()
        .stdout(expected.clone());
    let config = ground.at("dump.toml");
    fs::write(&config, "main = \"NEWAGE\"\ndump = \"dump\"\n").unwrap();
    ground
        .yest()
        .env_remove("MAINROOT")
        .env_remove("DUMPROOT")
        .arg("--config")
        .arg(&config)
        .arg("a/f")
        .assert()
        .success()
        .stdout(expected);
}

#[test]
fn names_that_are_no_text_come_through_a_pipe_whole() {
    use std::os::unix::ffi::OsStrExt;
    let ground = Ground::new();
    let name = std::ffi::OsStr::from_bytes(b"a\xff\nb");
    ground.dump("2020/0101/0000", "x", "");
    fs::write(ground.old("2020/0101/0000", "").join(name), "").unwrap();
    let output = ground
        .yest()
        .arg(name)
        .assert()
        .success()
        .get_output()
        .clone();
    assert!(output.stdout.ends_with(b"/NEWAGE/a\xff\nb\n"));
    ground
        .yest()
        .args(["--json", "x"])
        .assert()
        .success()
        .stdout(predicate::str::contains("\"dump\":\"2020/0101/0000\""));
}

#[test]
fn a_dump_root_that_cannot_be_read_is_named() {
    let ground = Ground::new();
    fs::remove_dir(ground.at("dump")).unwrap();
    let named = predicate::str::contains(ground.at("dump").display().to_string());
    ground
        .yest()
        .arg("a/f")
        .assert()
        .code(1)
        .stdout("")
        .stderr(named);
}

/// A traveller's dumps: one from Tokyo, named after tomorrow, and a younger
/// one from Los Angeles, named after this morning.
#[test]
fn moments_count_and_not_names() {
    let ground = Ground::new();
    let (tokyo, west) = ("2020/0102/0400", "2020/0101/1300");
    for (dump, moment) in [
        (tokyo, "2020-01-01T19:00:00Z"),
        (west, "2020-01-01T21:00:00Z"),
    ] {
        ground.dump(dump, "a/f", dump);
        let dump = ground.at("dump").join(dump);
        xattr::set(dump, "user.dump.moment", moment.as_bytes()).unwrap();
    }
    let [tokyo, west] = [tokyo, west].map(|dump| ground.old(dump, "a/f"));
    // One hour ahead of UTC.
    ground.names(&["--date", "2020-01-01T21:59", "a/f"], &tokyo);
    ground.names(&["--date", "2020-01-01T22:00", "a/f"], &west);
    ground.names(&["-h2", west.to_str().unwrap()], &tokyo);
    let early = ["--date", "2020-01-01T19:59", "a/f"];
    let said = predicate::str::contains("has no dump from 2020-01-01T19:59 or earlier");
    ground.yest().args(early).assert().code(1).stderr(said);
}

/// The answer is an older dump, whose name is of tomorrow: that needs a word.
#[test]
fn an_older_dump_with_a_name_in_the_future_is_explained() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/g", "");
    ground.dump("2999/0101/0000", "a/f", "");
    let dump = ground.at("dump/2999/0101/0000");
    xattr::set(dump, "user.dump.moment", b"2019-12-31T20:00:00Z").unwrap();
    let said = "2999/0101/0000/NEWAGE/a/f, made at 2019-12-31T21:00 by this clock, \
                though its name lies in the future\n";
    let run = ground.yest().arg("a/f").assert().code(1);
    run.stderr(predicate::str::ends_with(said));
}

/// Sets take turns in one dump root: the newest dump is of another tree.
#[test]
fn a_path_is_looked_for_in_the_dumps_of_its_tree() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "");
    ground.dump("2020/0101/0100", "a/g", "");
    for dump in ["2020/0101/0030", "2020/0101/0200"] {
        fs::create_dir_all(ground.at("dump").join(dump).join("photos")).unwrap();
    }
    ground.names(&["a/g"], &ground.old("2020/0101/0100", "a/g"));
    ground.names(&["-n", "a/x"], &ground.old("2020/0101/0100", "a/x"));
    let said = format!(
        "yest: {} has no NEWAGE/a/f; the nearest older one is {}\n",
        ground.at("dump/2020/0101/0100").display(),
        ground.old("2020/0101/0000", "a/f").display()
    );
    ground.yest().arg("a/f").assert().code(1).stderr(said);
}

#[test]
fn a_date_in_the_future_is_told_of() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "");
    ground.dump("2020/0101/0000", "a/g", "");
    let found = ground.old("2020/0101/0000", "a/f").display().to_string();
    let both = format!("{found}\n{}g\n", found.trim_end_matches('f'));
    for (words, said) in [
        (&["--date", "2099-01-01", "a/f", "a/g"][..], "2099-01-01"),
        (&["--date", "20990101", "-n", "a/f", "a/g"], "2099-01-01"),
        (
            &["--date", "2099-01-01T10:00", "a/f", "a/g"],
            "2099-01-01T10:00",
        ),
    ] {
        let said = format!("yest: {said} is in the future; this is the newest dump\n");
        let run = ground.yest().args(words).assert().success();
        run.stdout(both.clone()).stderr(said);
    }
    ground.names(&["-q", "--date", "2099-01-01", "a/f"], Path::new(&found));
    ground.names(&["--date", "2020-01-02", "a/f"], Path::new(&found));
}

#[test]
fn relative_roots_are_found_from_anywhere() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "old\n");
    fs::write(ground.main("a/f"), "now\n").unwrap();
    let within = |dir: &str| {
        let mut command = ground.yest();
        command.current_dir(ground.at(dir));
        command.env_remove("MAINROOT").env_remove("DUMPROOT");
        command
    };
    let named = ground.old("2020/0101/0000", "a/f");
    for (dir, main, dump, path) in [
        ("", "NEWAGE", "dump", "NEWAGE/a/f"),
        ("NEWAGE", ".", "../dump", "a/f"),
        ("NEWAGE/a", "..", "../../dump", "f"),
        ("dump", "../NEWAGE", ".", "../NEWAGE/a/f"),
    ] {
        within(dir)
            .args(["--main", main, "--dump", dump, path])
            .assert()
            .success()
            .stdout(format!("{}\n", named.display()))
            .stderr("");
    }
    let output = within("NEWAGE")
        .args(["--json", "--main", ".", "--dump", "../dump", "a/f"])
        .output()
        .unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["path"], ground.main("a/f").to_str().unwrap());
    assert_eq!(object["old"], named.to_str().unwrap());
    within("")
        .args(["--main", "NEWAGE", "--dump", "dump"])
        .args(["--copy", "--force", "NEWAGE"])
        .assert()
        .success();
    let text = fs::read_to_string(ground.main("a/f")).unwrap();
    assert_eq!(text, "old\n");
}

#[test]
fn a_path_without_a_version_is_an_object_too() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "");
    let output = ground
        .yest()
        .args(["--json", "a/none", "a/f"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [none, found] = objects.as_slice() else {
        panic!("{text}");
    };
    assert_eq!(none["program"], "yest");
    assert_eq!(none["status"], "failed");
    assert_eq!(none["exit"], 1);
    assert_eq!(none["path"], ground.main("a/none").to_str().unwrap());
    let error = none["error"].as_str().unwrap();
    assert!(error.contains("has no NEWAGE/a/none"), "{error}");
    assert_eq!(found["dump"], "2020/0101/0000");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, format!("yest: {error}\n"));
}

#[test]
fn the_options_that_all_programs_share_are_taken() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "");
    let found = ground.old("2020/0101/0000", "a/f");
    for words in [
        &["-v", "a/f"][..],
        &["-q", "a/f"],
        &["--log", "stderr", "a/f"],
        &["--log", "auto", "a/f"],
    ] {
        ground.names(words, &found);
    }
    // The log has what stderr would have.
    let said = "yest: warning: 2099-01-01 is in the future; this is the newest dump\n";
    ground
        .yest()
        .args(["--log", "stderr", "--date", "2099-01-01", "a/f"])
        .assert()
        .success()
        .stderr(said);
    ground
        .yest()
        .args(["--log", "stderr", "a/none"])
        .assert()
        .code(1)
        .stderr(predicate::str::starts_with("yest: ").and(predicate::str::contains("a/none")));
    for words in [&["-q", "-v", "a/f"][..], &["--log", "paper", "a/f"]] {
        ground.yest().args(words).assert().code(2);
    }
    ground
        .yest()
        .arg("--print-config")
        .assert()
        .success()
        .stdout(predicate::str::contains("main = "));
}

#[test]
fn what_is_in_force_is_what_a_reader_heeds() {
    let ground = Ground::new();
    let config = ground.at("home/dump.toml");
    fs::write(&config, "log = \"syslog\"\nhooks.pre = \"false\"\n").unwrap();
    let output = ground
        .yest()
        .arg("--config")
        .arg(&config)
        .args(["--print-config", "a"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("# environment: DUMPROOT"));
    // It takes no run: what is of runs is not in force.
    assert!(
        !text.contains("hooks") && !text.contains("syslog"),
        "{text}"
    );
}

#[test]
fn the_last_version_is_found_whenever_it_was() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/gone", "first\n");
    ground.dump("2020/0102/0000", "a/gone", "last\n");
    ground.dump("2020/0103/0000", "a/other", "");
    ground.dump("2999/0101/0000", "a/new", "of another clock\n");
    ground.names(
        &["--last", "a/gone"],
        &ground.old("2020/0102/0000", "a/gone"),
    );
    ground.names(&["--last", "a/new"], &ground.old("2999/0101/0000", "a/new"));
    // Of a path in a dump, too: later ones count.
    let old = ground.old("2020/0101/0000", "a/gone");
    ground.names(
        &["--last", old.to_str().unwrap()],
        &ground.old("2020/0102/0000", "a/gone"),
    );
    let none = format!(
        "yest: no dump in {} has NEWAGE/a/never (4 looked at)\n",
        ground.at("dump").display()
    );
    ground
        .yest()
        .args(["--last", "a/never"])
        .assert()
        .code(1)
        .stdout("")
        .stderr(none);
    ground
        .yest()
        .args(["--last", "--copy", "a/gone"])
        .assert()
        .success();
    assert_eq!(fs::read_to_string(ground.main("a/gone")).unwrap(), "last\n");
    for words in [
        ["--last", "-d1"].as_slice(),
        &["--last", "--date", "today"],
        &["--last", "-n"],
    ] {
        ground.yest().args(words).arg("a/gone").assert().code(2);
    }
}

#[test]
fn yesterday_is_a_date() {
    let ground = Ground::new();
    // Of a path in a dump it is the day before that dump.
    ground.dump("2020/0101/0000", "a/f", "");
    ground.dump("2020/0101/2300", "a/f", "");
    ground.dump("2020/0102/0000", "a/f", "");
    let old = ground.old("2020/0102/0000", "a/f");
    let words = |date| ["--date", date, old.to_str().unwrap()];
    ground.names(&words("yesterday"), &ground.old("2020/0101/2300", "a/f"));
    ground.names(&words("today"), &old);
    // Of the main tree it is yesterday.
    ground.names(&["--date", "yesterday", "a/f"], &old);
    ground
        .yest()
        .args(["--date", "1331", "a/f"])
        .assert()
        .code(2)
        .stderr("yest: '1331' is not a date: months are 01 to 12, not 13\n");
}

#[test]
fn a_moment_is_named_by_a_dump_or_by_how_long_ago() {
    let ground = Ground::new();
    for dump in ["2020/0101/0000", "2020/0101/2300", "2020/0103/0000"] {
        ground.dump(dump, "a/f", "");
    }
    symlink("2020/0101/0000", ground.at("dump/before-upgrade")).unwrap();
    let of = |dump| ground.old(dump, "a/f");
    let path = ground.at("dump/2020/0101/2300");
    for (when, dump) in [
        ("2020/0101/0000", "2020/0101/0000"),
        ("before-upgrade", "2020/0101/0000"),
        (path.to_str().unwrap(), "2020/0101/2300"),
        ("0h", "2020/0103/0000"),
        ("1y6mo ago", "2020/0103/0000"),
    ] {
        ground.names(&["--date", when, "a/f"], &of(dump));
        ground.names(&["--at", when, "a/f"], &of(dump));
        ground.names(&["-n", "--at", when, "a/f"], &of(dump));
    }
    // Of a path in a dump it is so long before that dump.
    let last = of("2020/0103/0000");
    let last = last.to_str().unwrap();
    ground.names(&["--at", "2d", last], &of("2020/0101/0000"));
    ground.names(&["--at", "1d1h ago", last], &of("2020/0101/2300"));
    for (when, code, said) in [
        ("6m", 2, "'6m' is not a span of time: 6min or 6mo?\n"),
        (
            "5000y",
            2,
            "'5000y' leads back before the year 0: give less\n",
        ),
        (
            "2020/0101",
            2,
            "is a day with 2 dumps; name the ones you mean\n",
        ),
        ("2020/0101/0001", 1, "; the nearest are 2020/0101/0000, "),
        (
            "soon",
            2,
            "'soon' is neither a dump nor a time: use today, ",
        ),
    ] {
        let run = ground.yest().args(["--at", when, "a/f"]).assert();
        run.code(code).stderr(predicate::str::contains(said));
    }
}

/// The dump root is there and empty: its disk may not be mounted.
#[test]
fn a_root_without_any_dump_is_told_as_such() {
    let ground = Ground::new();
    let said = format!(
        "yest: {} has no link 'current'; either its disk is not mounted, or it has no dump yet; \
         make the first dump with 'dumpme --init'\n",
        ground.at("dump").display()
    );
    for words in [&["a/f"][..], &["--last", "a/f"], &["--no-check", "a/f"]] {
        let run = ground.yest().args(words).assert().code(1).stdout("");
        run.stderr(said.clone());
    }
}

#[test]
fn where_nothing_is_found_it_says_what_there_is() {
    let ground = Ground::new();
    ground.dump("2020/0101/1200", "a/g", "");
    ground.dump("2020/0102/1200", "a/f", "");
    let root = ground.at("dump").display().to_string();
    let says = |words: &[&str], code: i32, said: &str| {
        let said = format!("yest: {said}\n");
        ground.yest().args(words).assert().code(code).stderr(said);
    };
    says(
        &["--date", "20191231", "a/f"],
        1,
        &format!(
            "{root} has no dump from 2019-12-31T23:59 or earlier; \
             its oldest is 2020/0101/1200, of 2020-01-01T12:00 (see --last, or -h 0)"
        ),
    );
    let later = ground.old("2020/0102/1200", "a/f").display().to_string();
    says(
        &["--date", "20200101", "a/f"],
        1,
        &format!(
            "{root}/2020/0101/1200 has no NEWAGE/a/f, and neither has an older dump; \
             a later one has it, see --last: {later}"
        ),
    );
    says(
        &["-y", "9999", "a/f"],
        2,
        "-y, -m, -d and -h together lead back before the year 0: give less",
    );
    for number in ["-1", "x", "1.5", "4294967296"] {
        says(
            &["-d", number, "a/f"],
            2,
            &format!(
                "invalid value '{number}' for '--days <N>': \
                 give a whole number from 0 to 4294967295 (see --help)"
            ),
        );
    }
}
