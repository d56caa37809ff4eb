//! What is read, and how it is refused.

use super::*;

fn parsed(text: &str) -> Result<File, ConfigError> {
    File::parse(Path::new("/etc/dump/dump.toml"), text.as_bytes().to_vec())
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
    let photos = file.top.set["photos"].get_ref();
    let main = photos.main.as_ref().expect("main of the set");
    assert_eq!(main.get_ref(), &OneOrMany::One("/photos".into()));
    assert_eq!(file.line(main), 24);
    let limit = |text: &str| parsed(text).expect(text).top.bwlimit.expect("a limit");
    assert_eq!(
        limit("bwlimit = 500").get_ref().0,
        Rate::per_second(512_000)
    );
    assert_eq!(limit("bwlimit = 0").get_ref().0, Rate::UNLIMITED);
    assert!(photos.dump.is_none() && photos.hooks.pre.is_some());
}

#[test]
fn errors_name_line_and_column() {
    let cases = [
        ("dump = \"/d\"\njobz = 3\n", "2:1", "unknown field `jobz`"),
        ("jobs = \"many\"\n", "1:8", "invalid type: string \"many\""),
        ("jobs = 0\n", "1:8", "a nonzero u16"),
        ("bwlimit = \"fast\"\n", "1:11", "not a rate"),
        ("bwlimit = -1\n", "1:11", "not a rate"),
        ("bwlimit = true\n", "1:11", "a number of KiB a second"),
        ("idle = \"yes\"\n", "1:8", "expected a boolean"),
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
        ("log = \"paper\"\n", "1:7", "unknown variant `paper`"),
        ("[set.a]\n  x = 1\n", "2:3", "unknown field `x`"),
        ("[hooks]\nbefore = 1\n", "2:1", "unknown field `before`"),
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
    let error = File::parse(Path::new("/c"), b"a = 1\nb = \"\xff\"".to_vec());
    let message = error.expect_err("not UTF-8").to_string();
    assert_eq!(message, "/c:2:6: this is not UTF-8");
    let error = File::parse(Path::new("/c"), b"\xff\xfed\0u\0".to_vec());
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
    let file = parsed("").expect("empty");
    let home = Some(Path::new("/home/me"));
    for (path, is) in [
        ("/a", "/a"),
        ("a", "/etc/dump/a"),
        ("~/a", "/home/me/a"),
        ("~", "/home/me"),
        ("~a", "/etc/dump/~a"),
    ] {
        assert_eq!(file.resolve(path, home), Path::new(is), "{path}");
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
    let top = parsed(&example()).expect("valid in full").top;
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
        log,
        progress,
        root_name,
        slave,
        hooks,
        set,
    } = top;
    assert!(main.is_some() && dump.is_some() && root_name.is_some());
    assert!(exclude.is_some() && exclude_from.is_some());
    assert!(one_file_system.is_some() && checksum.is_some() && jobs.is_some());
    assert!(bwlimit.is_some() && idle.is_some() && ignore_ctime.is_some());
    assert!(log.is_some() && progress.is_some());
    let Slave {
        from,
        dump,
        exclude,
        exclude_from,
        wait,
    } = slave;
    assert!(from.is_some() && dump.is_some() && wait.is_some());
    assert!(exclude.is_some() && exclude_from.is_some());
    let Hooks { pre, post } = hooks;
    assert!(pre.is_some() && post.is_some());
    assert!(set.contains_key("photos"));
}
