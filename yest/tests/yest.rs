//! `yest` from outside.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_fs::TempDir;
use predicates::prelude::*;

/// A main tree and a dump root in a directory of their own.
struct Ground {
    dir: TempDir,
}

impl Ground {
    fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    fn within(top: &Path) -> Self {
        let ground = Self {
            dir: TempDir::new_in(top).unwrap(),
        };
        fs::create_dir_all(ground.main("a")).unwrap();
        fs::create_dir_all(ground.at("dump")).unwrap();
        fs::create_dir_all(ground.at("home")).unwrap();
        ground
    }

    fn at(&self, path: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(path)
    }

    fn main(&self, path: &str) -> PathBuf {
        self.at("NEWAGE").join(path)
    }

    fn old(&self, dump: &str, path: &str) -> PathBuf {
        self.at("dump").join(dump).join("NEWAGE").join(path)
    }

    /// Writes a file into a dump.
    fn dump(&self, dump: &str, path: &str, text: &str) {
        let file = self.old(dump, path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn yest(&self) -> Command {
        let mut command = Command::cargo_bin("yest").unwrap();
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.at("home"))
            .env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
            .env("MAINROOT", self.at("NEWAGE"))
            .env("DUMPROOT", self.at("dump"))
            .current_dir(self.main(""));
        command
    }

    /// Runs with these words and expects one name.
    fn names(&self, words: &[&str], expected: &Path) {
        let line = format!("{}\n", expected.display());
        self.yest()
            .args(words)
            .assert()
            .success()
            .stdout(line)
            .stderr("");
    }
}

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
    // Nothing bears the name now, which is when one needs it most.
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
    let none = predicate::str::contains(&dump).and(predicate::str::contains("nor has any older"));
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
    // The others are answered all the same.
    let found = format!("{}\n", ground.old("2020/0102/0000", "a/g").display());
    ground
        .yest()
        .args(["a/f", "a/g"])
        .assert()
        .code(1)
        .stdout(found);
    let early = predicate::str::contains("no dump of 2018-12-31T23:59 or earlier");
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
fn shows_what_changed_since() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "one\ntwo\n");
    fs::write(ground.main("a/f"), "one\nzwei\n").unwrap();
    let old = ground.old("2020/0101/0000", "a/f");
    let expected = format!(
        "--- {}\n+++ {}\n@@ -1,2 +1,2 @@\n one\n-two\n+zwei\n",
        old.display(),
        ground.main("a/f").display()
    );
    ground
        .yest()
        .args(["--diff", "a/f"])
        .assert()
        .success()
        .stdout(expected);
    let color = predicate::str::contains("\x1b[31m-two");
    ground
        .yest()
        .args(["--diff", "--color=always", "a/f"])
        .assert()
        .success()
        .stdout(color);
    fs::remove_file(ground.main("a/f")).unwrap();
    let gone = predicate::str::contains("+++ /dev/null").and(predicate::str::contains("-one"));
    ground
        .yest()
        .args(["--diff", "a/f"])
        .assert()
        .success()
        .stdout(gone);
    let gone = predicate::str::contains(": f\n").and(predicate::str::starts_with("Only in "));
    ground
        .yest()
        .args(["--diff", "a"])
        .assert()
        .success()
        .stdout(gone);
}

#[test]
fn runs_a_command_on_both_names() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f f", "old\n");
    fs::write(ground.main("a/f f"), "now\n").unwrap();
    ground
        .yest()
        .args(["--exec", "cat", "a/f f"])
        .assert()
        .success()
        .stdout("old\nnow\n");
    let differ = predicate::str::contains("exit status: 1");
    ground
        .yest()
        .args(["--exec", "cmp -s", "a/f f"])
        .assert()
        .code(1)
        .stderr(differ);
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

#[test]
fn brings_yesterdays_back() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "old\n");
    ground.dump("2020/0101/0000", "b/sub/f", "old\n");
    let text = |path: &str| fs::read_to_string(ground.main(path)).unwrap();
    // Nobody to ask: nothing is replaced, unless that was said before.
    fs::write(ground.main("a/f"), "now\n").unwrap();
    for option in ["--copy", "--copy-if-differs"] {
        let refused = format!(
            "yest: {} is there, and there is no terminal to ask on: \
             with --force it would be replaced by {}\n",
            ground.main("a/f").display(),
            ground.old("2020/0101/0000", "a/f").display()
        );
        ground
            .yest()
            .args([option, "a/f"])
            .write_stdin("y\n")
            .assert()
            .code(1)
            .stdout("")
            .stderr(refused);
        assert_eq!(text("a/f"), "now\n");
    }
    ground
        .yest()
        .args(["--copy", "--force", "a/f"])
        .assert()
        .success()
        .stdout("")
        .stderr("");
    assert_eq!(text("a/f"), "old\n");
    // It was deleted, and a whole directory with it: no question of asking.
    fs::remove_file(ground.main("a/f")).unwrap();
    ground
        .yest()
        .args(["--copy", "a/f", "b"])
        .assert()
        .success();
    assert_eq!(
        (text("a/f"), text("b/sub/f")),
        ("old\n".into(), "old\n".into())
    );

    use std::os::unix::fs::MetadataExt;
    let inode = || fs::metadata(ground.main("a/f")).unwrap().ino();
    let before = inode();
    ground
        .yest()
        .args(["--copy-if-differs", "a/f"])
        .assert()
        .success();
    assert_eq!(inode(), before, "it was the same, and is not touched");
    fs::write(ground.main("a/f"), "now\n").unwrap();
    ground
        .yest()
        .args(["--copy-if-differs", "--force", "a/f"])
        .assert()
        .success();
    assert_eq!(text("a/f"), "old\n");
    let left: Vec<_> = fs::read_dir(ground.main("a")).unwrap().collect();
    assert_eq!(left.len(), 1);

    let path = ground.old("2020/0101/0000", "a/f");
    let never = predicate::str::contains("a dump never changes");
    ground
        .yest()
        .args(["--copy", "-d0"])
        .arg(path)
        .assert()
        .code(1)
        .stderr(never);
}

#[test]
fn what_a_directory_has_gained_does_not_go_unsaid() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "old\n");
    let old = ground.old("2020/0101/0000", "a").display().to_string();
    let main = |path: &str| ground.main(path).display().to_string();
    let gain = |names: &[&str]| {
        for name in names {
            fs::create_dir_all(ground.main(name).parent().unwrap()).unwrap();
            fs::write(ground.main(name), "since\n").unwrap();
        }
    };
    let copies = |words: &[&str], code: i32, said: String| {
        let run = ground.yest().args(words).arg("a").assert();
        run.code(code).stdout("").stderr(said);
    };
    gain(&["a/new", "a/cache/1", "a/cache/2", "a/x", "a/y"]);
    let lost = |whose: &str| {
        let first = [main("a/cache"), main("a/new"), main("a/x")].join(", ");
        format!("6 entries that {whose} does not have: {first}, and 3 more")
    };
    let refused = format!(
        "yest: {} is there, and there is no terminal to ask on: \
         with --force it would be replaced by {old}, and lose {}\n",
        main("a"),
        lost("this dump")
    );
    copies(&["--copy"], 1, refused);
    assert!(ground.main("a/cache/1").exists());
    let said = format!("yest: {} has lost {}\n", main("a"), lost(&old));
    copies(&["--copy", "--force"], 0, said);
    assert!(!ground.main("a/cache").exists() && ground.main("a/f").exists());
    // One, and nothing that would be worth a word.
    gain(&["a/new"]);
    let one = format!("1 entry that {old} does not have: {}", main("a/new"));
    let said = format!("yest: {} has lost {one}\n", main("a"));
    copies(&["--copy-if-differs", "--force"], 0, said);
    gain(&["a/f"]);
    copies(&["--copy", "--force"], 0, String::new());
    gain(&["a/new"]);
    copies(&["--copy", "--force", "-q"], 0, String::new());
    let said = format!("yest: restored {} from {old}\n", main("a"));
    copies(&["--copy", "--force", "-v"], 0, said);
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
fn a_change_of_metadata_alone_is_shown() {
    use std::os::unix::fs::PermissionsExt;
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "same\n");
    let old = ground.old("2020/0101/0000", "a/f");
    fs::write(ground.main("a/f"), "same\n").unwrap();
    let time = fs::metadata(&old).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(ground.main("a/f"));
    let times = fs::FileTimes::new().set_modified(time);
    file.unwrap().set_times(times).unwrap();
    for (path, mode) in [(&old, 0o644), (&ground.main("a/f"), 0o600)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let expected = format!(
        "Metadata of {} and {} differ: mode 644, now 600\n",
        old.display(),
        ground.main("a/f").display()
    );
    for path in ["a/f", "a"] {
        let run = ground.yest().args(["--diff", path]).assert();
        run.success().stdout(expected.clone()).stderr("");
    }
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
fn directories_above_come_back_as_well() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "d/e/f", "old\n");
    ground.dump("2020/0101/0000", "d/e/other", "old\n");
    ground.dump("2020/0101/0000", "d/sub/f", "old\n");
    ground.yest().args(["--copy", "d/e/f"]).assert().success();
    let text = fs::read_to_string(ground.main("d/e/f")).unwrap();
    assert_eq!(text, "old\n");
    let names = |path: &str| fs::read_dir(ground.main(path)).unwrap().count();
    assert_eq!((names("d"), names("d/e"), names("")), (1, 1, 2));

    // A file where a directory was is named, and left.
    fs::remove_dir_all(ground.main("d/e")).unwrap();
    fs::write(ground.main("d/e"), "newer").unwrap();
    let in_the_way = format!("{}: not a directory", ground.main("d/e").display());
    ground
        .yest()
        .args(["--copy", "--force", "d/e/f"])
        .assert()
        .code(1)
        .stderr(predicate::str::contains(in_the_way));
    assert_eq!(fs::read_to_string(ground.main("d/e")).unwrap(), "newer");

    // A tree that is not there at all is most likely not mounted.
    fs::remove_dir_all(ground.main("")).unwrap();
    let gone = format!(
        "the main tree {} is not there",
        ground.at("NEWAGE").display()
    );
    ground
        .yest()
        .current_dir(ground.at("home"))
        .arg("--main")
        .arg(ground.at("NEWAGE"))
        .arg("--copy")
        .arg(ground.main("d/e/f"))
        .assert()
        .code(1)
        .stderr(predicate::str::contains(gone));
    assert!(!ground.main("").exists());
}

#[test]
#[ignore = "needs root: mounts a tmpfs where every access counts"]
fn looking_at_a_dump_moves_no_access_time_in_it() {
    use fixtures::mounts::{Fs, Mount};
    use std::os::unix::fs::MetadataExt;
    let mount = Mount::with(Fs::Tmpfs, 16, &[], "strictatime");
    let ground = Ground::within(mount.path());
    let (first, second) = ("2020/0101/0000", "2020/0103/0000");
    for (dump, target) in [(first, "old"), (second, "new")] {
        ground.dump(dump, "d/f", target);
        symlink(target, ground.old(dump, "d/link")).unwrap();
        symlink("same", ground.old(dump, "d/same")).unwrap();
    }
    fs::create_dir(ground.main("d")).unwrap();
    fs::write(ground.main("d/f"), "now").unwrap();
    symlink("now", ground.main("d/link")).unwrap();
    symlink("same", ground.main("d/same")).unwrap();
    let names = || {
        let dumps = [first, second].into_iter();
        dumps.flat_map(|dump| ["d/f", "d/link", "d/same"].map(|name| ground.old(dump, name)))
    };
    let accessed = |path: PathBuf| {
        let meta = fs::symlink_metadata(&path).unwrap();
        (path, meta.atime(), meta.atime_nsec())
    };
    let before: Vec<_> = names().map(accessed).collect();
    // An access within the same tick of the clock would not show.
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_ne!(
        fs::read_link(ground.main("d/link"))
            .map(|_| accessed(ground.main("d/link")))
            .unwrap()
            .2,
        before[1].2,
        "an access shows here"
    );
    let (old, in_dump) = (ground.old(first, "d"), ground.old(second, "d"));
    assert!(old.is_dir());
    for words in [
        &["--diff", "d"][..],
        &["--diff", "d/link"],
        &["--diff", "-d1", in_dump.to_str().unwrap()],
        &["--diff", "-d1", in_dump.join("link").to_str().unwrap()],
        &["--copy-if-differs", "--force", "d"],
    ] {
        ground.yest().args(words).assert().success();
        let after: Vec<_> = names().map(accessed).collect();
        assert_eq!(after, before, "{words:?}");
    }
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn asks_on_a_terminal_before_it_replaces() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "old\n");
    let program = ground.yest().get_program().to_str().unwrap().to_owned();
    for (answer, words, expected, asks) in [
        ("n\n", "--copy", "now\n", true),
        ("\n", "--copy", "now\n", true),
        ("y\n", "--copy", "old\n", true),
        ("n\n", "--copy --force", "old\n", false),
    ] {
        fs::write(ground.main("a/f"), "now\n").unwrap();
        let mut command = Command::new("script");
        command
            .args(["-qec", &format!("{program} {words} a/f"), "/dev/null"])
            .env("MAINROOT", ground.at("NEWAGE"))
            .env("DUMPROOT", ground.at("dump"))
            .current_dir(ground.main(""))
            .write_stdin(answer);
        let output = command.assert().success().get_output().stdout.clone();
        let asked = String::from_utf8_lossy(&output).contains("replace ");
        assert_eq!(asked, asks, "{words}");
        let now = fs::read_to_string(ground.main("a/f")).unwrap();
        assert_eq!(now, expected, "{words} and {answer:?}");
    }
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
