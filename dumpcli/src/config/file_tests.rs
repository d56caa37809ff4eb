//! What is read, and how it is refused.

use super::*;
use dumpcore::Rate;

use crate::config::keys::LogTarget;
use crate::config::keys::{Hooks, Offsite, OneOrMany, Slave};

const ALL: Usage<'_> = Usage {
    program: "dumpslave",
    sets: Sets::All,
};

fn parsed(text: &str) -> Result<File, ConfigError> {
    parsed_for(ALL, text)
}

pub(super) fn parsed_for(usage: Usage<'_>, text: &str) -> Result<File, ConfigError> {
    File::parse(
        Path::new("/etc/dump/dump.toml"),
        text.as_bytes().to_vec(),
        usage,
    )
}

#[test]
fn reads_every_key() {
    let text = r#"
        main = ["/home", "/etc"]
        dump = "/dump"
        exclude = ["*.o"]
        exclude_from = "rules"
        one_file_system = true
        jobs = 4
        bwlimit = "1.5m"
        idle = true
        checksum = false
        ignore_ctime = true
        catalog = true
        hash = false
        heal = true
        log = "syslog"
        progress = false
        root_name = "NEWAGE"
        [slave]
        from = "/dump"
        dump = "/dumpslave"
        exclude = []
        exclude_from = ["a", "b"]
        wait = true
        [hooks]
        pre = "mount /dump"
        post = ["curl", "https://example.org/beat"]
        [set.photos]
        main = "/photos"
        hooks.pre = "true"
    "#;
    let file = parsed(text).expect("every key is known");
    let main = file.top.main.as_ref().expect("main");
    assert_eq!(main.get_ref().as_slice(), ["/home", "/etc"]);
    assert_eq!(file.line(main), 2);
    let log = file.top.log.as_ref().map(|log| *log.get_ref());
    assert_eq!(log, Some(LogTarget::Syslog));
    let photos = &file.sets["photos"];
    let main = photos.main.as_ref().expect("main of the set");
    assert_eq!(main.get_ref(), &OneOrMany::One("/photos".into()));
    assert_eq!(file.line(main), 28);
    let limit = |text: &str| parsed(text).expect(text).top.bwlimit.expect("a limit");
    assert_eq!(
        limit("bwlimit = 500").get_ref().0,
        Rate::per_second(512_000)
    );
    assert_eq!(limit("bwlimit = 0").get_ref().0, Rate::UNLIMITED);
    assert!(photos.dump.is_none() && photos.hooks.as_ref().is_some_and(|h| h.pre.is_some()));
}

#[test]
fn an_unknown_key_names_those_that_stand_there() {
    for (text, has_sets) in [
        ("mian = 1\n", true),
        ("[set.a]\nmian = 1\n", false),
        ("[hooks]\nbefore = 1\n", false),
    ] {
        let message = parsed(text).expect_err(text).to_string();
        assert_eq!(message.ends_with("`keep`, `set`"), has_sets, "{message}");
    }
}

#[test]
fn errors_name_line_and_column() {
    let cases = [
        ("dump = \"/d\"\njobz = 3\n", "2:1", "unknown key `jobz`"),
        ("jobs = \"many\"\n", "1:8", "found \"many\""),
        ("jobs = 0\n", "1:8", "from 1 to 65535"),
        ("bwlimit = \"fast\"\n", "1:11", "not a rate"),
        ("bwlimit = -1\n", "1:11", "not a rate"),
        ("bwlimit = true\n", "1:11", "a number of KiB per second"),
        ("idle = \"yes\"\n", "1:8", "expected true or false"),
        ("\n\nmain = 7\n", "3:8", "a string or a list of strings"),
        ("main = []\n", "1:8", "this names no tree"),
        ("[set.a]\nmain = []\n", "2:8", "this names no tree"),
        ("main = \"\"\n", "1:8", "this names no tree"),
        ("main = [\"/a\", \"\"]\n", "1:8", "this names no tree"),
        ("dump = \"\"\n", "1:8", "this names no directory"),
        ("[slave]\nfrom = \"\"\n", "2:8", "this names no directory"),
        (
            "[set.a.slave]\ndump = \"\"\n",
            "2:8",
            "this names no directory",
        ),
        ("exclude_from = \"\"\n", "1:16", "this names no file"),
        (
            "root_name = \"a/b\"\n",
            "1:13",
            "this cannot be a name in a dump",
        ),
        (
            "root_name = \"..\"\n",
            "1:13",
            "this cannot be a name in a dump",
        ),
        ("main = [\"a\", 1]\n", "1:14", "expected a string"),
        ("log = \"paper\"\n", "1:7", "unknown value `paper`"),
        ("[set.a]\n  x = 1\n", "2:3", "unknown key `x`"),
        ("[hooks]\nbefore = 1\n", "2:1", "unknown key `before`"),
        ("dump = /dump\n", "1:8", ""),
        ("dump = \"a\"\ndump = \"b\"\n", "2:1", "duplicate key"),
        ("[set.a.set.b]\n", "1:", "sets of its own"),
        ("# \u{e9}\u{e9}\njobs = \"\u{e9}\" x\n", "2:12", ""),
    ];
    for (text, at, what) in cases {
        let message = parsed(text).expect_err(text).to_string();
        let start = format!("/etc/dump/dump.toml:{at}");
        assert!(message.starts_with(&start), "{text:?}: {message}");
        assert!(message.contains(what), "{text:?}: {message}");
        assert!(!message.contains('\n'), "{text:?}: {message}");
    }
}

#[test]
fn what_is_not_text_is_an_error_with_its_line() {
    let error = File::parse(Path::new("/c"), b"a = 1\nb = \"\xff\"".to_vec(), ALL);
    let message = error.expect_err("not UTF-8").to_string();
    assert_eq!(message, "/c:2:6: this is not UTF-8");
    let error = File::parse(Path::new("/c"), b"\xff\xfed\0u\0".to_vec(), ALL);
    let message = error.expect_err("UTF-16").to_string();
    assert_eq!(message, "/c:1:1: this is UTF-16: save the file as UTF-8");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_key() {
    let file = parsed("\u{feff}dump = \"/d\"\r\njobs = 2\r\n").expect("valid");
    let dump = file.top.dump.as_ref().expect("a dump root");
    assert_eq!((dump.get_ref().as_str(), file.line(dump)), ("/d", 1));
    let error = parsed("\u{feff}jobz = 2\n")
        .expect_err("unknown")
        .to_string();
    assert!(error.starts_with("/etc/dump/dump.toml:1:1: "), "{error}");
}

#[test]
fn paths_count_from_the_file() {
    let home = Some(Path::new("/home/me"));
    for (path, is) in [
        ("/a", "/a"),
        ("a", "/etc/dump/a"),
        ("~/a", "/home/me/a"),
        ("~", "/home/me"),
        ("~a", "/etc/dump/~a"),
    ] {
        assert_eq!(
            resolve(Path::new("/etc/dump"), path, home),
            Path::new(is),
            "{path}"
        );
    }
}

#[test]
fn a_single_rule_needs_no_list() {
    let text = "exclude = \"*.iso\"\n[slave]\nexclude = \"*.tmp\"\n";
    let top = parsed(text).expect("valid").top;
    let one = |rule: &str| OneOrMany::One(rule.to_owned());
    assert_eq!(top.exclude.expect("a rule").get_ref(), &one("*.iso"));
    let slave = top.slave.expect("a table");
    assert_eq!(slave.exclude.expect("a rule").get_ref(), &one("*.tmp"));
}

const PROGRAMS: [&str; 5] = ["dumpme", "chkptme", "dumpslave", "yest", "hist"];

#[test]
fn what_another_program_uses_is_known() {
    let all = "\
dump = \"/d\"
[keep]
auto = true
hourly = \"2d\"
last = 3
[slave]
from = \"/d\"
[slave.keep]
daily = \"1y\"
[offsite]
repository = \"r\"
password_file = \"p\"
[offsite.keep]
daily = 14
[shadow_copies]
dir = \"/s\"
[hooks]
pre = \"true\"
[set.photos.keep]
daily = 5
checkpoints = 2
";
    for program in PROGRAMS {
        let sets = Sets::All;
        let usage = Usage { program, sets };
        let file = parsed_for(usage, all).expect("known");
        assert!(file.warnings.is_empty(), "{program}: {:?}", file.warnings);
    }
}

#[test]
fn a_typo_in_what_another_program_uses_is_told() {
    for program in PROGRAMS {
        let sets = Sets::All;
        let usage = Usage { program, sets };
        for (text, what) in [
            (
                "[keep]\nhourli = 2\n",
                "/etc/dump/dump.toml:2:1: unknown key `hourli`",
            ),
            (
                "[slave.keep]\nauto = true\nx = 2\n",
                "dump.toml:3:1: unknown key `x`",
            ),
            (
                "[offsite.keep]\nx = 2\n",
                "dump.toml:2:1: unknown key `x` in [offsite.keep]",
            ),
            ("keep = 3\n", "dump.toml:1:8: `keep` should be a table"),
            (
                "[set.a.shadow_copies]\nd = 1\n",
                "dump.toml:2:1: unknown key `d`",
            ),
        ] {
            let file = parsed_for(usage, text).expect("harmless");
            let [told] = file.warnings.as_slice() else {
                panic!("{program}, {text}: {:?}", file.warnings);
            };
            assert!(told.contains(what), "{told}");
            let used = match program {
                "dumpme" => text.starts_with("[keep]") || text.starts_with("keep"),
                "dumpslave" => text.starts_with("[slave.keep]"),
                _ => false,
            };
            let is_shadow = text.contains("shadow_copies") && program == "dumpme";
            let end = match used {
                _ if is_shadow => "; shadow copies are not updated".to_owned(),
                true => "; nothing is pruned".to_owned(),
                false => format!("which {program} does not use"),
            };
            assert!(told.contains(&end), "{told}");
        }
        let own = |text: &str| parsed_for(usage, text).map(|file| file.warnings.len());
        let (slave, hooks) = (own("[slave]\nx = 1\n"), own("[hooks]\nx = 1\n"));
        // A checkpoint looks for good copies there.
        let uses = ["dumpslave", "chkptme"].contains(&program);
        assert_eq!(slave.is_err(), uses, "{slave:?}");
        assert_eq!(
            hooks.is_ok(),
            ["yest", "hist"].contains(&program),
            "{hooks:?}"
        );
        assert!(own("[kep]\nx = 1\n").is_err(), "no program knows it");
    }
}

#[test]
fn a_typo_in_a_set_is_an_error_for_those_who_use_it() {
    let text = "dump = \"/d\"\n[set.a]\nmian = \"/a\"\n[set.b]\nmain = \"/b\"\n";
    let with = |sets| {
        let program = "dumpme";
        parsed_for(Usage { program, sets }, text)
    };
    for sets in [Sets::Top, Sets::One("b")] {
        let file = with(sets).expect("harmless");
        assert_eq!(file.names, ["a", "b"]);
        assert_eq!(file.sets.contains_key("b"), sets == Sets::One("b"));
        assert!(file.warnings[0].contains("dump.toml:3:1: unknown key `mian`"));
    }
    for sets in [Sets::All, Sets::One("a"), Sets::Own] {
        assert!(with(sets).is_err(), "{sets:?}");
    }
    for text in ["[set.dump]\nmain = \"/a\"\n", "set = 3\n", "set.a = 3\n"] {
        assert!(parsed(text).is_err(), "{text}");
    }
}

/// The example that is shipped, with its examples put in force.
fn example() -> String {
    let text = include_str!("../../dump.example.toml");
    let in_force = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    text.lines().map(in_force).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_valid_and_shows_every_key() {
    let as_shipped = parsed(include_str!("../../dump.example.toml")).expect("valid");
    assert!(as_shipped.top.main.is_none(), "nothing in it is in force");
    let file = parsed(&example()).expect("valid in full");
    assert!(file.names.contains(&"photos".to_owned()));
    let top = file.top;
    let Section {
        main,
        dump,
        exclude,
        exclude_from,
        one_file_system,
        jobs,
        bwlimit,
        idle,
        checksum,
        ignore_ctime,
        catalog,
        hash,
        heal,
        linked_checkpoints,
        log,
        progress,
        root_name,
        slave,
        offsite,
        keep,
        has_slave,
        shadow_copies,
        hooks,
    } = top;
    assert!(keep.is_none() && has_slave, "dumpslave has another table");
    assert!(offsite.is_none(), "dumpoffsite has this table");
    assert!(
        shadow_copies.is_none(),
        "dumpme and dumpctl have this table"
    );
    assert!(main.is_some() && dump.is_some() && root_name.is_some());
    assert!(exclude.is_some() && exclude_from.is_some());
    assert!(one_file_system.is_some() && checksum.is_some() && jobs.is_some());
    assert!(bwlimit.is_some() && idle.is_some() && ignore_ctime.is_some());
    let switches = [catalog, hash, heal, linked_checkpoints, progress];
    assert!(log.is_some() && switches.iter().all(Option::is_some));
    let Slave {
        from,
        dump,
        exclude,
        exclude_from,
        wait,
        keep,
    } = slave.expect("a table");
    assert_eq!(keys(keep.as_ref()), ["daily", "yearly"]);
    assert!(from.is_some() && dump.is_some() && wait.is_some());
    assert!(exclude.is_some() && exclude_from.is_some());
    let Hooks { pre, post } = hooks.expect("a table");
    assert!(pre.is_some() && post.is_some());
}

#[test]
fn the_example_shows_every_key_of_what_is_off_site() {
    let usage = Usage {
        program: "dumpoffsite",
        sets: Sets::All,
    };
    let file = parsed_for(usage, &example()).expect("valid in full");
    let Offsite {
        repository,
        password_file,
        environment_file,
        keep,
    } = file.top.offsite.expect("a table");
    assert!(repository.is_some() && password_file.is_some() && environment_file.is_some());
    assert_eq!(keys(keep.as_ref()), ["daily", "monthly"]);
    let empty = "[offsite]\npassword_file = \"\"\n";
    let error = parsed_for(usage, empty).expect_err("no file").to_string();
    assert!(error.contains("names no file"), "{error}");
}

#[test]
fn the_example_shows_every_key_of_what_stays() {
    let usage = Usage {
        program: "dumpctl",
        sets: Sets::All,
    };
    let file = parsed_for(usage, &example()).expect("valid in full");
    let expected = [
        "at_least",
        "auto",
        "checkpoints",
        "daily",
        "free",
        "hourly",
        "last",
        "monthly",
        "weekly",
        "yearly",
    ];
    assert_eq!(keys(file.top.keep.as_ref()), expected);
}

/// The keys of a table of what stays, which must be right.
pub(super) fn keys(keep: Option<&Spanned<KeepTable>>) -> Vec<String> {
    let keep = keep.expect("a table").get_ref();
    assert!(keep.policy.is_ok(), "{:?}", keep.policy);
    let mut keys: Vec<String> = keep.written.keys().cloned().collect();
    keys.sort();
    keys
}
