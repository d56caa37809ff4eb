//! The program as a person meets it, before any tree is read: usage, help,
//! configuration.

mod common;

use assert_fs::prelude::*;
use common::Place;
use fixtures::usage::{assert_helps, assert_refused};
use predicates::prelude::*;
use predicates::str::contains;

#[test]
fn wrong_usage_exits_2_with_one_sentence() {
    let place = Place::new();
    let calls: &[(&[&str], &str)] = &[
        (&["--exclud=x"], "'--exclud'"),
        (&["tree"], "'tree'"),
        (&["--jobs", "0"], "'0' for '--jobs"),
        (&["--jobs", "many"], "'many' for '--jobs"),
        (&["--bwlimit", "fast"], "'fast' for '--bwlimit"),
        (&["--bwlimit=-1"], "not a rate"),
        (&["--bwlimit", "100b"], "too small"),
        (&["--at", "yesterday"], "YYYY-MM-DDTHH:MM"),
        (&["--at", "2026-02-30T00:00"], "YYYY-MM-DDTHH:MM"),
        (&["--log", "paper"], "journal, syslog, stderr"),
        (&["-q", "-v"], "cannot be used with"),
        (&["--main"], "a value is required"),
        (&["--set", "photos"], "[set.photos]"),
        (&["--config", "/no/such/file"], "/no/such/file"),
        (&["--exclude-from", "/no/such/rules"], "/no/such/rules"),
        (&["--exclude", "- "], "bad rule"),
        (
            &["--main=a", "--main=b", "--root-name=x"],
            "a root name is for one tree",
        ),
    ];
    assert_refused("dumpme", || place.plain_dumpme(), calls);
}

#[test]
fn help_names_options_examples_and_exit_codes() {
    let place = Place::new();
    let words = [
        "--main",
        "--dump",
        "--config",
        "--set",
        "--init",
        "--exclude",
        "--exclude-from",
        "--dry-run",
        "--checksum",
        "--one-file-system",
        "--jobs",
        "--bwlimit",
        "--idle",
        "--progress",
        "--no-progress",
        "--root-name",
        "--at",
        "--allow-empty",
        "--log",
        "--json",
        "--print-config",
        "MAINROOT",
        "Examples:",
        "Exit codes:",
        "130, 143",
    ];
    assert_helps(|| place.plain_dumpme(), &words);
}

#[test]
fn version_is_that_of_the_package() {
    let version = concat!("dumpme ", env!("CARGO_PKG_VERSION"), "\n");
    let place = Place::new();
    place
        .dumpme()
        .arg("--version")
        .assert()
        .success()
        .stdout(version);
}

#[test]
fn an_unknown_key_is_named_with_its_place() {
    let place = Place::new();
    let file = place.dir.child("my.toml");
    file.write_str("dump = \"/dump\"\n\n  exlude = [\"*.o\"]\n")
        .expect("written");
    place
        .dumpme()
        .arg("--config")
        .arg(file.path())
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("my.toml:3:3: unknown key `exlude`"));
}

#[test]
fn a_typo_for_another_program_does_not_stop_a_dump() {
    let place = Place::new();
    place.dir.child("tree/f").touch().expect("made");
    place.dir.child("dump").create_dir_all().expect("made");
    let text = "main = \"../../tree\"\ndump = \"../../dump\"\nexclude = \"*.o\"\n\
                [keep]\nhourli = \"2d\"\n[slave]\nweit = true\n[set.other]\nmian = 1\n";
    place.config(text);
    let mut ran = place
        .dumpme()
        .args(["--init", "--log", "stderr"])
        .assert()
        .success();
    for told in [
        "dump.toml:5:1: unknown key `hourli`; did you mean `hourly`?",
        "dump.toml:7:1: unknown key `weit` in [slave], which dumpme does not use",
        "dump.toml:9:1: unknown key `mian`",
    ] {
        ran = ran.stderr(contains(told));
    }
    let mut of_set = place.dumpme();
    of_set
        .args(["--set", "other"])
        .assert()
        .code(2)
        .stderr(contains("`mian`"));
    place.config(&text.replace("[keep]", "[kep]"));
    place
        .dumpme()
        .assert()
        .code(2)
        .stderr(contains("unknown key `kep`"));
}

#[test]
fn the_own_configuration_is_found_and_a_wrong_one_refused() {
    let place = Place::new();
    place.config("jobs = \"many\"\n");
    place
        .dumpme()
        .assert()
        .code(2)
        .stderr(contains("config/dump/dump.toml:1:8: expected "));
}

#[test]
fn print_config_tells_every_source_and_can_be_read_again() {
    let place = Place::new();
    place.config(
        "main = [\"/a\", \"/b\"]\nexclude = [\"*.o\"]\nroot_name = \"x\"\nhash = false\ncatalog = true\n\
         hooks.post = [\"true\", \"it's\"]\n[set.one]\nmain = \"/c\"\n",
    );
    let printed = place
        .dumpme()
        .args([
            "--print-config",
            "--set",
            "one",
            "--exclude",
            "say \"hi\"",
            "-j",
            "2",
        ])
        .env("DUMPROOT", place.dir.path())
        .assert()
        .success()
        .stderr("")
        .stdout(contains("environment: DUMPROOT"))
        .stdout(contains("dump.toml:8 [set.one]"))
        .stdout(contains("catalog = true").and(contains("dump.toml:5")))
        .stdout(contains("hash = false").and(contains("dump.toml:4")))
        .stdout(contains("jobs = 2").and(contains("# flag")))
        .stdout(contains("one_file_system = false").and(contains("# default")));
    // What is printed is a configuration that says the same.
    let again = place.dir.child("again.toml");
    again
        .write_binary(&printed.get_output().stdout)
        .expect("written");
    let values = |text: &[u8]| -> String {
        let text = String::from_utf8_lossy(text);
        let lines = text.lines().skip(1);
        let value = |line: &str| line.split(" # ").next().unwrap_or("").trim_end().to_owned();
        lines.map(value).collect::<Vec<_>>().join("\n")
    };
    let second = place
        .dumpme()
        .args(["--print-config", "--config"])
        .arg(again.path())
        .assert()
        .success();
    let (first, second) = (printed.get_output(), second.get_output());
    assert_eq!(values(&first.stdout), values(&second.stdout));
}

#[test]
fn of_mainroot_the_first_existing_directory_counts() {
    let place = Place::new();
    let second = place.dir.child("second");
    second.create_dir_all().expect("made");
    let list = format!("/no/such/tree:{}", second.path().display());
    place
        .dumpme()
        .arg("--print-config")
        .env("MAINROOT", list)
        .assert()
        .success()
        .stdout(contains(format!("main = \"{}\"", second.path().display())))
        .stdout(contains("environment: MAINROOT"));
}

#[test]
fn the_example_shows_the_defaults_that_are_in_force() {
    let place = Place::new();
    let printed = place.plain_dumpme().arg("--print-config").output();
    let printed = String::from_utf8(printed.expect("it runs").stdout).expect("text");
    let mut compared = Vec::new();
    let example = include_str!("../../dumpcli/dump.example.toml");
    // What is an example only says so, and stands in a paragraph of its own.
    let of_defaults = |text: &&str| !text.contains("xample:") && !text.contains("#[");
    for paragraph in example.split("\n\n").filter(of_defaults) {
        let settings = paragraph.lines().filter_map(|line| line.strip_prefix('#'));
        for (key, shown) in settings.filter_map(|line| line.split_once(" = ")) {
            let begin = format!("{key} = ");
            let lines = printed.lines().filter_map(|line| line.strip_prefix(&begin));
            for (value, source) in lines.filter_map(|line| line.split_once(" # ")) {
                assert_eq!(source, "default", "{key}");
                let plain = |text: &str| text.trim().trim_matches('"').to_owned();
                assert_eq!(plain(shown), plain(value), "{key}");
                compared.push(key);
            }
        }
    }
    for key in ["main", "dump", "catalog", "hash", "bwlimit", "log"] {
        assert!(compared.contains(&key), "{key} is not in {compared:?}");
    }
}
