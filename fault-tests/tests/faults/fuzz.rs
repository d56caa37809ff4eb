//! Bad input by the thousand: whatever is read, nothing panics, hangs, or is
//! taken for what it is not. First the corpus and what is made from it, then
//! inputs made from nothing; what proptest finds it keeps beside this file.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use chrono::NaiveDate;
use chrono_tz::{Australia, Europe, UTC};
use dumpcli::file::{File, Sets, Usage};
use dumpcore::{Ago, Date, DumpName, DumpRoot, Filter, Stamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::corpus::Corpus;
use crate::setup::{Stage, temp};

fn cases(number: u32) -> ProptestConfig {
    ProptestConfig {
        cases: number,
        ..ProptestConfig::default()
    }
}

/// Bytes that are special to rules, and some that are not.
fn rule() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "*",
        "**",
        "***",
        "?",
        "[",
        "]",
        "[!",
        "[^",
        "[[:alpha:]]",
        "[a-",
        "\\",
        "/",
        "- ",
        "+ ",
        "-",
        "!",
        "a",
        "b",
        "ab",
        ".",
        " ",
        "\n",
        ";",
        "#",
        "-/ ",
        "-! ",
        "merge ",
        "dir-merge ",
        "P ",
        "R ",
        "-C",
        "\u{e9}",
        "\0",
    ]);
    let known = vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![4 => known, 1 => vec(any::<u8>(), 0..40)]
}

/// Paths of the same pieces.
fn path() -> impl Strategy<Value = Vec<u8>> {
    vec(
        select(vec!["a", "b", "ab", "a/b", "/", ".", "*", "[", "\\"]),
        1..24,
    )
    .prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn filter_rules(rules in vec(rule(), 1..5), paths in vec(path(), 1..5)) {
        let mut filter = Filter::new();
        let mut refused = 0;
        for rule in &rules {
            refused += usize::from(filter.add_rule(rule).is_err());
        }
        prop_assert!(filter.rules().len() <= rules.len() - refused);
        let _ = Filter::new().add_lines(Path::new("rules"), rules.join(&b'\n'));
        for path in &paths {
            for is_dir in [false, true] {
                let excluded = filter.excludes(path, is_dir);
                let verdict = filter.verdict(path, is_dir);
                prop_assert_eq!(excluded, verdict.is_some_and(|rule| !rule.is_include()));
            }
        }
    }

    #[test]
    fn dates_and_names(text in "[-0-9T:_chk/. ]{0,24}|\\PC{0,24}") {
        if let Ok(stamp) = text.parse::<Stamp>() {
            prop_assert_eq!(stamp.to_string().parse::<Stamp>().ok(), Some(stamp));
        }
        if let Some(name) = DumpName::parse(text.as_bytes()) {
            // What is read as a name is that name, and is found by it.
            prop_assert_eq!(name.path(), Path::new(&text));
            prop_assert_eq!(DumpName::parse(name.to_string().as_bytes()), Some(name));
        }
    }
}

/// Names that nearly are those of a dump root.
fn on_disk() -> impl Strategy<Value = Vec<u8>> {
    let near =
        "[0-9]{1,5}|[0-9]{4}(_chk|_incomplete|_chk_incomplete|_x)?|first|current|\\.[a-z]{1,4}";
    let near = near.prop_map(String::into_bytes);
    let any = vec(
        any::<u8>().prop_filter("no name", |b| ![0, b'/'].contains(b)),
        1..12,
    );
    prop_oneof![5 => near, 1 => any].prop_filter("no name", |name| name != b"." && name != b"..")
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn names_on_disk(names in vec((on_disk(), on_disk(), on_disk(), 0..4_u8), 0..12)) {
        let dir = temp();
        for (year, day, leaf, kind) in &names {
            let [year, day, leaf] = [year, day, leaf].map(|name| OsStr::from_bytes(name));
            let path = dir.path().join(year).join(day);
            // What is there already may be a file.
            if fs::create_dir_all(&path).is_ok() {
                let path = path.join(leaf);
                let _ = match kind {
                    0 => fs::write(&path, ""),
                    1 => symlink("..", &path),
                    _ => fs::create_dir(&path),
                };
            }
        }
        let dump = DumpRoot::open(dir.path()).expect("opened");
        let list = dump.list().expect("listed");
        prop_assert!(list.is_sorted());
        for name in &list {
            prop_assert!(fs::symlink_metadata(dir.path().join(name.path())).is_ok());
        }
    }

    #[test]
    fn forms_of_current(target in "(/?[a-z0-9_]{0,6}){0,5}|/?2026/1122/2331(/tree)?/?|(\\.\\./){0,3}first/tree|\\PC{1,30}") {
        let dir = temp();
        for path in ["2026/1122/2331/tree", "first/tree"] {
            fs::create_dir_all(dir.path().join(path)).expect("made");
        }
        if symlink(&target, dir.path().join("current")).is_ok() {
            let dump = DumpRoot::open(dir.path()).expect("opened");
            if let Ok(Some(current)) = dump.current() {
                // Whatever it says, it is a dump of this root.
                let ours = ["2026/1122/2331", "first"].map(|path| dir.path().join(path));
                let within = ours.iter().any(|ours| current.starts_with(ours));
                prop_assert!(within, "{} for {}", current.display(), target);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn configuration_files(lines in vec(select(vec![
        "main = \"/x\"", "main = [\"/x\", \"/y\"]", "dump = 3", "dump = \"\"", "[set.a]", "[set]",
        "exclude = [\"*.o\", \"- \"]", "jobs = 0", "jobs = -1", "jobs = 99999999999999999999",
        "hooks.pre = 1", "hooks.post = \"exit 9\"", "checksum = \"yes\"", "log = \"stderr\"",
        "= 1", "[[[", "x = {", "\u{0}", "\"unended", "checksum = true",
    ]), 0..6), junk in vec(any::<u8>(), 0..30), with_junk in any::<bool>()) {
        let stage = Stage::new();
        let mut text = lines.join("\n").into_bytes();
        if with_junk {
            text.extend(junk);
        }
        fs::write(stage.beside("config/dump/dump.toml"), text).expect("written");
        let output = stage.program("dumpme").arg("--print-config").output().expect("it runs");
        let code = output.status.code();
        prop_assert!(matches!(code, Some(0 | 2)), "{:?}: {}", code, crate::setup::said(&output));
    }
}

/// How many inputs are made from each corpus.
const OTHERS: u32 = 3000;

/// Rules, and behind each NUL a path that is asked about.
#[test]
fn the_corpus_of_filter_rules() {
    Corpus::of("filter").try_all(OTHERS, |input| {
        let mut parts = input.split(|byte| *byte == 0);
        let rules = parts.next().unwrap_or_default();
        let mut filter = Filter::new();
        if filter.add_lines(Path::new("rules"), rules).is_err() {
            // Whatever of it is a rule.
            filter = Filter::new();
            for line in rules.split(|byte| *byte == b'\n') {
                let _ = filter.add_rule(line);
            }
        }
        for path in parts {
            for is_dir in [false, true] {
                let excluded = filter.excludes(path, is_dir);
                let verdict = filter.verdict(path, is_dir);
                assert_eq!(excluded, verdict.is_some_and(|rule| !rule.is_include()));
            }
        }
    });
}

#[test]
fn the_corpus_of_dates_and_names() {
    let today = NaiveDate::from_ymd_opt(2026, 11, 22).expect("a day");
    let agos = [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 2, 3)];
    let agos = agos.map(|(years, months, days, hours)| Ago {
        years,
        months,
        days,
        hours,
        minutes: 0,
    });
    Corpus::of("dates").try_all(OTHERS, |input| {
        if let Some(name) = DumpName::parse(input) {
            assert_eq!(name.to_string().as_bytes(), input);
        }
        if let [year, day, leaf] = input.split(|byte| *byte == b'/').collect::<Vec<_>>()[..]
            && let Some(found) = DumpName::from_names(year, day, leaf)
        {
            let name = found.name;
            let whole = [name.leaf(), name.incomplete_leaf()];
            assert_eq!(whole[usize::from(found.incomplete)].as_bytes(), leaf);
            assert_eq!(name.year().as_bytes(), year);
            assert_eq!(name.day().as_bytes(), day);
        }
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        if let Ok(stamp) = text.parse::<Stamp>() {
            assert_eq!(stamp.to_string().parse(), Ok(stamp));
            assert!(stamp.next() > stamp);
        }
        for zone in [UTC, Europe::Berlin, Australia::Lord_Howe] {
            if let Ok(date) = Date::parse(text, today, &zone) {
                assert!(date.first() <= date.last());
                for ago in agos {
                    let from = date.first().first_moment();
                    let before = ago.before(&from.with_timezone(&zone));
                    assert!(before.is_none_or(|before| before < from));
                }
            }
        }
    });
}

#[test]
fn the_corpus_of_configuration_files() {
    let dir = temp();
    let path = dir.path().join("dump.toml");
    let usage = Usage {
        program: "dumpme",
        sets: Sets::All,
    };
    Corpus::of("config").try_all(OTHERS, |input| {
        fs::write(&path, input).expect("written");
        match File::read(&path, usage) {
            Ok(read) => assert!(read.is_some(), "it is there"),
            // A reader of that finds the place.
            Err(error) => assert!(error.to_string().contains("dump.toml"), "{error}"),
        }
    });
}

#[test]
fn the_corpus_of_forms_of_current() {
    let dir = temp();
    let ours = ["2026/1122/2331", "first", "2026/1101/0500_chk"];
    let ours = ours.map(|path| dir.path().join(path));
    for dump in &ours {
        fs::create_dir_all(dump.join("tree")).expect("made");
    }
    let link = dir.path().join("current");
    Corpus::of("current").try_all(OTHERS, |input| {
        let _ = fs::remove_file(&link);
        // A link's text has an end, and no NUL.
        if symlink(OsStr::from_bytes(input), &link).is_ok() {
            let dump = DumpRoot::open(dir.path()).expect("opened");
            if let Ok(current) = dump.current() {
                let current = current.expect("there is a link");
                assert!(ours.contains(&current), "{}", current.display());
            }
        }
    });
}
