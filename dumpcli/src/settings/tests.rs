//! What beats what.

use super::*;
use assert_fs::TempDir;
use assert_fs::prelude::*;

const FILE: &str = "\
dump = \"/top\"
main = \"/top-main\"
exclude = [\"*.top\"]
log = \"syslog\"
[set.a]
dump = \"/of-a\"
exclude_from = \"rules\"
";

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
        self.places.config = Some(self.dir.path().join("dump.toml"));
        self
    }

    fn dump(&self) -> (PathBuf, String) {
        let sources = Sources::load_with(&self.places, self.env.clone()).expect("valid");
        let dump = sources.dump(&self.places);
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
    case.places.set = Some("a".into());
    assert_eq!(case.dump(), is("/of-a", "file: dump.toml:6 [set.a]"));
    case.places.dump = Some("/of-flag".into());
    assert_eq!(case.dump(), is("/of-flag", "flag"));
}

#[test]
fn several_trees_come_from_flags_together() {
    let mut case = case().with_file();
    case.env.mainroot = Some("/of-env".into());
    case.places.main = vec!["/a".into(), "/b".into()];
    let sources = Sources::load_with(&case.places, case.env).expect("valid");
    let main = sources.main(&case.places);
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
    case.places.set = Some("a".into());
    let flags = Excludes(vec![Rule::File("f".into()), Rule::Pattern("*.flag".into())]);
    let sources = Sources::load_with(&case.places, case.env).expect("valid");
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
    assert_eq!(paths(&Env::default()), ["/etc/dump/dump.toml"]);
}

#[test]
fn what_was_named_must_be_there() {
    let mut case = case();
    case.places.config = Some(case.dir.path().join("missing.toml"));
    let error = Sources::load_with(&case.places, case.env.clone()).expect_err("missing");
    assert!(error.to_string().contains("missing.toml"), "{error}");
    assert_eq!(error.exit(None), crate::exit::Exit::Usage);

    case = case.with_file();
    case.places.set = Some("b".into());
    let error = Sources::load_with(&case.places, case.env).expect_err("no such set");
    assert!(error.to_string().contains("[set.b]"), "{error}");
}

#[test]
fn a_set_must_be_in_some_file() {
    let mut case = case();
    case.places.set = Some("a".into());
    let error = Sources::load_with(&case.places, case.env).expect_err("no file at all");
    assert!(error.to_string().contains("/etc/dump/dump.toml"), "{error}");
}

#[test]
fn a_name_is_of_the_tree_that_it_stands_with() {
    let mut case = case().with_file();
    let name = |case: &Case, text: &str, flag: Option<&str>| {
        let file = case.dir.child("dump.toml");
        file.write_str(text).expect("written");
        let sources = Sources::load_with(&case.places, case.env.clone()).expect("valid");
        let main = sources.main(&case.places);
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
    case.places.set = Some("a".into());
    assert_eq!(name(&case, both, None), None, "the set has another tree");
    let of_set = format!("{both}root_name = \"r\"\n");
    assert_eq!(name(&case, &of_set, None).as_deref(), Some("r"));
    case.places.set = None;
    case.env.mainroot = Some("/".into());
    assert_eq!(name(&case, both, None), None);
    case.places.main = vec!["/c".into()];
    assert_eq!(name(&case, both, None), None);
    assert_eq!(name(&case, both, Some("s")).as_deref(), Some("s"));
}
