//! What beats what.

use super::*;
use crate::config::options::{Load, Output, Places, Progress};
use crate::exit::Exit;
use crate::program::Advice;
use assert_fs::TempDir;
use assert_fs::prelude::*;
use std::path::Path;

const FILE: &str = "\
dump = \"/top\"
main = \"/top-main\"
exclude = [\"*.top\"]
log = \"syslog\"
[set.a]
dump = \"/of-a\"
exclude_from = \"rules\"
";

const PROGRAM: Program = Program {
    name: "dumpme",
    version: "1",
    makes: "dump",
    unlinked: "",
    advice: Advice::COMMON,
};

struct Case {
    dir: TempDir,
    places: Places,
    env: Env,
}

/// An environment that knows nothing, and a file that may be named.
fn case() -> Case {
    let dir = TempDir::new().expect("a directory for the test");
    dir.child("dump.toml").write_str(FILE).expect("written");
    let env = Env {
        config_home: Some(dir.path().join("none")),
        ..Env::default()
    };
    let places = Places::default();
    Case { dir, places, env }
}

impl Case {
    fn with_file(mut self) -> Self {
        self.places.configuration.config = Some(self.dir.path().join("dump.toml"));
        self
    }

    fn dump(&self) -> (PathBuf, String) {
        let sources = Sources::load_with(PROGRAM, &self.places.configuration, self.env.clone())
            .expect("valid");
        let dump = sources.dump(self.places.dump.clone());
        let shown = dump.source.to_string();
        let dir = format!("{}/", self.dir.path().display());
        (dump.value, shown.replace(&dir, ""))
    }
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let mut case = case();
    let is = |dump: &str, source: &str| (PathBuf::from(dump), source.to_owned());
    assert_eq!(case.dump(), is("/dump", "default"));
    case = case.with_file();
    assert_eq!(case.dump(), is("/top", "file: dump.toml:1"));
    case.env.dumproot = Some("/of-env".into());
    assert_eq!(case.dump(), is("/of-env", "environment: DUMPROOT"));
    case.places.configuration.set = Some("a".into());
    assert_eq!(case.dump(), is("/of-a", "file: dump.toml:6 [set.a]"));
    case.places.dump = Some("/of-flag".into());
    assert_eq!(case.dump(), is("/of-flag", "flag"));
}

#[test]
fn several_trees_come_from_flags_together() {
    let mut case = case().with_file();
    case.env.mainroot = Some("/of-env".into());
    case.places.main = vec!["/a".into(), "/b".into()];
    let sources = Sources::load_with(PROGRAM, &case.places.configuration, case.env).expect("valid");
    let main = sources.main(&case.places.main);
    assert_eq!(main.value, [Path::new("/a"), Path::new("/b")]);
    assert_eq!(main.source, Source::Flag);
}

#[test]
fn of_a_list_the_first_existing_directory_counts() {
    let dir = TempDir::new().expect("a directory for the test");
    dir.child("file").touch().expect("made");
    dir.child("one").create_dir_all().expect("made");
    dir.child("two").create_dir_all().expect("made");
    let at = dir.path().display().to_string();
    let cases = [
        ("{}/none:{}/file:{}/two:{}/one", Some("two")),
        ("{}/one", Some("one")),
        (":{}/one:", Some("one")),
        ("{}/none:{}/file", Some("none")),
        ("", None),
        (":", None),
    ];
    for (list, first) in cases {
        let list = OsString::from(list.replace("{}", &at));
        let first = first.map(|name| dir.path().join(name));
        assert_eq!(first_directory(&list), first, "{list:?}");
    }
}

#[test]
fn rules_of_the_command_line_come_first() {
    let mut case = case().with_file();
    case.places.configuration.set = Some("a".into());
    let flags = Excludes(vec![Rule::File("f".into()), Rule::Pattern("*.flag".into())]);
    let sources = Sources::load_with(PROGRAM, &case.places.configuration, case.env).expect("valid");
    let rules = sources.excludes(&flags, |s| s.exclude.as_ref(), |s| s.exclude_from.as_ref());
    let rules: Vec<Rule> = rules.into_iter().map(|rule| rule.value).collect();
    let expected = [
        Rule::File("f".into()),
        Rule::Pattern("*.flag".into()),
        Rule::Pattern("*.top".into()),
        Rule::File(case.dir.path().join("rules")),
    ];
    assert_eq!(rules, expected);
}

#[test]
fn the_own_file_is_looked_for_before_the_system_s() {
    let env = Env {
        home: Some("/home/me".into()),
        system: Some("/etc/dump/dump.toml".into()),
        ..Env::default()
    };
    let paths = |env: &Env| -> Vec<String> {
        let paths = env.config_paths();
        paths.iter().map(|p| p.display().to_string()).collect()
    };
    let own = "/home/me/.config/dump/dump.toml";
    assert_eq!(paths(&env), [own, "/etc/dump/dump.toml"]);
    let env = Env {
        config_home: Some("/cfg".into()),
        ..env
    };
    assert_eq!(paths(&env)[0], "/cfg/dump/dump.toml");
    let all = Env::of_process();
    assert_eq!(
        paths(&all).last().map(String::as_str),
        Some("/etc/dump/dump.toml")
    );
}

#[test]
fn what_was_named_must_be_there() {
    let mut case = case();
    case.places.configuration.config = Some(case.dir.path().join("missing.toml"));
    let error = Sources::load_with(PROGRAM, &case.places.configuration, case.env.clone())
        .expect_err("missing");
    assert!(error.to_string().contains("missing.toml"), "{error}");
    assert_eq!(Exit::of_failure(&error, None), Exit::Usage);

    case = case.with_file();
    case.places.configuration.set = Some("b".into());
    let error =
        Sources::load_with(PROGRAM, &case.places.configuration, case.env).expect_err("no such set");
    assert!(error.to_string().contains("[set.b]"), "{error}");
}

#[test]
fn a_set_must_be_in_some_file() {
    let mut case = case();
    case.places.configuration.set = Some("a".into());
    let error = Sources::load_with(PROGRAM, &case.places.configuration, case.env.clone());
    let error = error.expect_err("no file at all").to_string();
    assert!(error.contains("none/dump/dump.toml"), "{error}");
    case = case.with_file();
    case.dir.child("b.toml").touch().expect("made");
    case.places.configuration.set = Some("c".into());
    let error =
        Sources::load_with(PROGRAM, &case.places.configuration, case.env).expect_err("none");
    assert!(error.to_string().ends_with("the sets are: a, b"), "{error}");
}

#[test]
fn a_set_may_have_a_file_of_its_own() {
    let mut case = case().with_file();
    let own = case.dir.child("photos.toml");
    own.write_str("\ndump = \"of-photos\"\n").expect("written");
    case.env.dumproot = Some("/of-env".into());
    case.places.configuration.set = Some("photos".into());
    let here = case.dir.path().join("of-photos");
    assert_eq!(
        case.dump(),
        (here.clone(), "file: photos.toml:2 [set.photos]".into())
    );
    // What it does not say, the top level does.
    let sources =
        Sources::load_with(PROGRAM, &case.places.configuration, case.env.clone()).expect("valid");
    assert_eq!(
        sources.main(&case.places.main).value,
        [Path::new("/top-main")]
    );
    assert_eq!(sources.set(), Some("photos"));

    // Without the file that it is beside it is a set anyway.
    std::fs::remove_file(case.dir.path().join("dump.toml")).expect("removed");
    assert_eq!(case.dump().0, here);
    case.env.config_home = Some(case.dir.path().to_owned());
    case.places.configuration.config = None;
    let home = case.dir.child("dump/photos.toml");
    home.write_str("dump = \"/of-home\"\n").expect("written");
    assert_eq!(case.dump().0, Path::new("/of-home"));

    case = self::case().with_file();
    for (name, text, why) in [
        ("a", "", "keep only one"),
        ("b", "[set.c]\n", "sets of its own"),
        ("c", "mian = 1\n", "c.toml:1:1: unknown key"),
    ] {
        let own = case.dir.child(format!("{name}.toml"));
        own.write_str(text).expect("written");
        case.places.configuration.set = Some(name.into());
        let error = Sources::load_with(PROGRAM, &case.places.configuration, case.env.clone());
        let error = error.expect_err(name).to_string();
        assert!(error.contains(why), "{error}");
    }
    case.places.configuration.set = Some("../b".into());
    let error =
        Sources::load_with(PROGRAM, &case.places.configuration, case.env).expect_err("no name");
    assert!(error.to_string().contains("[set.../b]"), "{error}");
}

#[test]
fn the_top_level_has_a_name() {
    let mut case = case().with_file();
    case.env.dumproot = Some("/of-env".into());
    case.places.configuration.set = Some("dump".into());
    let top = (PathBuf::from("/top"), "file: dump.toml:1".to_owned());
    assert_eq!(case.dump(), top, "it was named");
    // Also where there is no file, so that a unit can run without one.
    case = self::case();
    case.places.configuration.set = Some("dump".into());
    assert_eq!(case.dump().0, Path::new("/dump"));
}

#[test]
fn a_table_of_a_set_replaces_that_of_the_top_level() {
    let mut case = case().with_file();
    let text = "dump = \"/d\"\n[hooks]\npre = \"a\"\npost = \"b\"\n[slave]\ndump = \"/s\"\nfrom = \"/f\"\n\
                [set.a.hooks]\npre = \"c\"\n[set.b.slave]\ndump = \"/t\"\n";
    case.dir
        .child("dump.toml")
        .write_str(text)
        .expect("written");
    for (set, pre, post, from, slave) in [
        (None, "a", Some("b"), "/f", "/s"),
        (Some("a"), "c", None, "/f", "/s"),
        (Some("b"), "a", Some("b"), "/d", "/t"),
    ] {
        case.places.configuration.set = set.map(str::to_owned);
        let slave_program = Program {
            name: "dumpslave",
            ..PROGRAM
        };
        let sources =
            Sources::load_with(slave_program, &case.places.configuration, case.env.clone());
        let sources = sources.expect("valid");
        let session = sources.session(Output::default(), Progress::default(), Load::default());
        let hook = |hook: Option<Value<OneOrMany>>| hook.map(|hook| hook.value);
        let one = |text: &str| OneOrMany::One(text.to_owned());
        assert_eq!(hook(session.pre), Some(one(pre)), "{set:?}");
        assert_eq!(hook(session.post), post.map(one), "{set:?}");
        assert_eq!(sources.slave_from(None).value, Path::new(from), "{set:?}");
        assert_eq!(sources.slave_dump(None).value, Path::new(slave), "{set:?}");
    }
}

#[test]
fn all_sets_are_the_top_level_and_each_other() {
    let mut case = case().with_file();
    for name in ["photos.toml", ".hidden.toml", "notes.txt", "old.toml~"] {
        let file = case.dir.child(name);
        file.write_str("dump = \"/of-photos\"\n").expect("written");
    }
    let dumps = |case: &Case| -> Vec<PathBuf> {
        let all = Sources::load_all_with(PROGRAM, &case.places.configuration, case.env.clone());
        let all = all.expect("valid");
        all.iter()
            .map(|one| one.dump(case.places.dump.clone()).value)
            .collect()
    };
    assert_eq!(
        dumps(&case),
        ["/top", "/of-a", "/of-photos"].map(PathBuf::from)
    );
    case.places.configuration.set = Some("a".into());
    assert_eq!(dumps(&case), [Path::new("/of-a")]);
    case.places.configuration.set = None;
    case.places.dump = Some("/flag".into());
    assert_eq!(dumps(&case), vec![Path::new("/flag"); 3]);
    // Beside a file of another name there may be anything.
    let other = case.dir.child("other.cfg");
    other.write_str(FILE).expect("written");
    case.places = Places::default();
    case.places.configuration.config = Some(other.path().to_owned());
    assert_eq!(dumps(&case), ["/top", "/of-a"].map(PathBuf::from));
}

#[test]
fn a_name_is_of_the_tree_that_it_stands_with() {
    let mut case = case().with_file();
    let name = |case: &Case, text: &str, flag: Option<&str>| {
        let file = case.dir.child("dump.toml");
        file.write_str(text).expect("written");
        let sources = Sources::load_with(PROGRAM, &case.places.configuration, case.env.clone())
            .expect("valid");
        let main = sources.main(&case.places.main);
        let name = sources.root_name(flag.map(OsString::from), &main);
        name.map(|name| name.value.into_string().expect("text"))
    };
    let both = "main = \"/b\"\nroot_name = \"q\"\n[set.a]\nmain = \"/a\"\n";
    let q = Some("q".to_owned());
    assert_eq!(name(&case, both, None), q);
    assert_eq!(
        name(&case, "root_name = \"q\"", None),
        q,
        "of the default tree"
    );
    case.places.configuration.set = Some("a".into());
    assert_eq!(name(&case, both, None), None, "the set has another tree");
    let of_set = format!("{both}root_name = \"r\"\n");
    assert_eq!(name(&case, &of_set, None).as_deref(), Some("r"));
    case.places.configuration.set = None;
    case.env.mainroot = Some("/".into());
    assert_eq!(name(&case, both, None), None);
    case.places.main = vec!["/c".into()];
    assert_eq!(name(&case, both, None), None);
    assert_eq!(name(&case, both, Some("s")).as_deref(), Some("s"));
}
