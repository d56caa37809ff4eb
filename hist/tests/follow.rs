//! `hist --follow` through renames, in dumps as the library takes them.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};

use assert_cmd::Command;
use assert_fs::TempDir;
use dumpcore::{CatalogTools, Snapshot, Stamp};

/// A main tree, of which a dump is taken on one day after the other.
struct Ground {
    dir: TempDir,
    days: u32,
}

impl Ground {
    fn new() -> Self {
        let ground = Self {
            dir: TempDir::new().unwrap(),
            days: 0,
        };
        for path in ["NEWAGE/a", "dump", "home"] {
            fs::create_dir_all(ground.at(path)).unwrap();
        }
        ground
    }

    fn at(&self, path: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(path)
    }

    fn main(&self, path: &str) -> PathBuf {
        self.at("NEWAGE").join(path)
    }

    fn old(&self, day: u32, path: &str) -> PathBuf {
        let dump = format!("dump/2026/01{day:02}/1000/NEWAGE");
        self.at(&dump).join(path)
    }

    /// A file, last modified this many nanoseconds after some second.
    fn write(&self, path: &str, bytes: &[u8], nanos: u32) {
        let path = self.main(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        touch(&path, nanos);
    }

    fn mv(&self, from: &str, to: &str) {
        fs::rename(self.main(from), self.main(to)).unwrap();
    }

    fn dump(&mut self) {
        self.days += 1;
        self.dump_at(&format!("2026-01-{:02}T10:00", self.days));
    }

    fn dump_at(&self, at: &str) {
        let at: Stamp = at.parse().unwrap();
        let run = Snapshot::new(self.at("dump")).main(self.main("")).at(at);
        let first = !self.at("dump/current").is_symlink();
        let report = run.init(first).run().unwrap();
        assert!(report.is_complete());
    }

    /// Runs a program, which succeeds and has nothing to complain of.
    fn run(&self, program: &Path, with: impl FnOnce(&mut Command)) -> Output {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(fixtures::shield::looking(&self.at("")))
            .env("TZ", "UTC")
            .current_dir(self.main(""));
        with(&mut command);
        command.assert().success().stderr("").get_output().clone()
    }

    /// By the catalog, and as told by walking the dumps.
    fn hist(&self, words: &[&str]) -> String {
        let told = |quiet: &[&str]| {
            let output = self.run(&program(), |command| {
                command.arg("--follow").args(quiet).args(words);
            });
            String::from_utf8(output.stdout).unwrap()
        };
        let walked = told(&["-q"]);
        CatalogTools::new(self.at("dump")).rebuild().unwrap();
        assert_eq!(told(&[]), walked, "{words:?}");
        fs::remove_file(self.at("dump/.dump/catalog.db")).unwrap();
        walked
    }

    /// What happened, to which path, and from where it came.
    fn told(&self, words: &[&str]) -> Vec<(String, PathBuf, Option<PathBuf>)> {
        let text = self.hist(&[&["--json"], words].concat());
        text.lines()
            .map(|line| {
                let object: serde_json::Value = serde_json::from_str(line).unwrap();
                let path = |key: &str| object[key].as_str().map(PathBuf::from);
                let change = object["change"].as_str().unwrap().to_owned();
                (change, path("path").unwrap(), path("from"))
            })
            .collect()
    }

    fn created(&self, day: u32, path: &str) -> (String, PathBuf, Option<PathBuf>) {
        self.event("create", day, path)
    }

    fn event(&self, change: &str, day: u32, path: &str) -> (String, PathBuf, Option<PathBuf>) {
        (change.to_owned(), self.old(day, path), None)
    }

    /// Renamed in the dump of a day, from a name in that of the day before.
    fn renamed(&self, day: u32, path: &str, from: &str) -> (String, PathBuf, Option<PathBuf>) {
        let (change, path, _) = self.event("rename", day, path);
        (change, path, Some(self.old(day - 1, from)))
    }
}

fn program() -> PathBuf {
    Command::cargo_bin("hist").unwrap().get_program().into()
}

fn touch(path: &Path, nanos: u32) {
    let modified = SystemTime::UNIX_EPOCH + Duration::new(1_577_836_800, nanos);
    let times = FileTimes::new().set_modified(modified);
    File::open(path).unwrap().set_times(times).unwrap();
}

#[test]
fn a_file_through_all_its_names() {
    let mut ground = Ground::new();
    ground.write("a/x", b"one\n", 1);
    ground.dump();
    ground.write("a/x", b"two\n", 2);
    ground.dump();
    // To another directory, without a change; and a dump in which it stays.
    ground.mv("a/x", "y");
    ground.dump();
    ground.dump();
    // Renamed and given another mode: both are shown.
    fs::create_dir(ground.main("b")).unwrap();
    ground.mv("y", "b/z");
    fs::set_permissions(ground.main("b/z"), Permissions::from_mode(0o600)).unwrap();
    ground.dump();
    ground.write("b/z", b"three\n", 3);
    ground.dump();
    let all = [
        ground.created(1, "a/x"),
        ground.event("write", 2, "a/x"),
        ground.renamed(3, "y", "a/x"),
        ground.renamed(5, "b/z", "y"),
        ground.event("wstat", 5, "b/z"),
        ground.event("write", 6, "b/z"),
    ];
    assert_eq!(ground.told(&["b/z"]), all);
    // From any of its names on backwards.
    let y = ground.old(4, "y").display().to_string();
    assert_eq!(ground.told(&[&y]), all[..3]);
    let since = ground.told(&["-s", "20260102", "b/z"]);
    assert_eq!(since[0], ground.created(2, "a/x"));
    assert_eq!(since[1..], all[2..]);
}

#[test]
fn a_rename_within_a_span_is_told_with_its_last_version() {
    let mut ground = Ground::new();
    ground.write("a/x", b"one\n", 1);
    ground.dump();
    ground.mv("a/x", "a/y");
    ground.dump_at("2026-02-01T10:00");
    ground.write("a/y", b"two\n", 2);
    ground.dump_at("2026-02-02T10:00");
    let last = ground.at("dump/2026/0202/1000/NEWAGE/a/y");
    let expected = [
        ground.created(1, "a/x"),
        ("rename".into(), last.clone(), Some(ground.old(1, "a/x"))),
        ("write".into(), last, None),
    ];
    assert_eq!(ground.told(&["-m", "a/y"]), expected);
}

#[test]
fn a_directory_renamed_whole_and_what_is_in_it() {
    let mut ground = Ground::new();
    ground.write("a/old/sub/f", b"text\n", 1);
    ground.write("a/old/g", b"text\n", 1);
    symlink("nowhere", ground.main("a/old/link")).unwrap();
    ground.dump();
    ground.mv("a/old", "a/new");
    // What leads to the new name is not the old one.
    symlink("new", ground.main("a/old")).unwrap();
    ground.dump();
    for path in ["", "/sub", "/sub/f", "/g", "/link"] {
        let (old, new) = (format!("a/old{path}"), format!("a/new{path}"));
        let expected = [ground.created(1, &old), ground.renamed(2, &new, &old)];
        assert_eq!(ground.told(&[&new]), expected, "{path}");
    }
}

#[test]
fn the_name_that_fits_best_counts() {
    let mut ground = Ground::new();
    for path in ["a/one/same", "a/two/same", "a/three", "a/f"] {
        ground.write(path, b"", 1);
    }
    ground.dump();
    // Whole directories, with the same empty file in each.
    ground.mv("a/one", "one");
    ground.mv("a/two", "two");
    ground.mv("a/three", "three");
    fs::remove_file(ground.main("a/f")).unwrap();
    ground.dump();
    for (new, old) in [
        ("one/same", "a/one/same"),
        ("two/same", "a/two/same"),
        ("three", "a/three"),
    ] {
        let expected = [ground.created(1, old), ground.renamed(2, new, old)];
        assert_eq!(ground.told(&[new]), expected);
    }
}

#[test]
fn what_is_no_rename_is_not_called_one() {
    let mut ground = Ground::new();
    for (path, bytes) in [
        ("a/copied", b"copied"),
        ("a/edited", b"edited"),
        ("a/aged00", b"aged00"),
        ("a/other0", b"other0"),
        ("a/twin-1", b"twins!"),
        ("a/twin-2", b"twins!"),
    ] {
        ground.write(path, bytes, 1);
    }
    ground.dump();
    // A copy, and the first is still there.
    ground.write("new/copied", b"copied", 1);
    // Changed as well, or only touched.
    fs::remove_file(ground.main("a/edited")).unwrap();
    ground.write("new/edited", b"EDITED", 1);
    ground.mv("a/aged00", "new/aged00");
    touch(&ground.main("new/aged00"), 2);
    // Removed, and another that agrees in all but its contents.
    fs::remove_file(ground.main("a/other0")).unwrap();
    ground.write("new/another", b"OTHER0", 1);
    // Which of the two it was, nobody can tell.
    fs::remove_file(ground.main("a/twin-1")).unwrap();
    ground.mv("a/twin-2", "new/twin");
    ground.dump();
    for name in ["copied", "edited", "aged00", "another", "twin"] {
        let path = format!("new/{name}");
        assert_eq!(ground.told(&[&path]), [ground.created(2, &path)]);
    }
}

#[test]
fn a_file_with_several_names_is_known_by_its_inode() {
    let mut ground = Ground::new();
    ground.write("a/x", b"same", 1);
    ground.write("a/z", b"same", 1);
    fs::hard_link(ground.main("a/x"), ground.main("a/keep")).unwrap();
    ground.dump();
    // Alike in all, but not the same inode: `z` goes, and is not it.
    fs::remove_file(ground.main("a/z")).unwrap();
    ground.mv("a/x", "new");
    ground.dump();
    let expected = [ground.created(1, "a/x"), ground.renamed(2, "new", "a/x")];
    assert_eq!(ground.told(&["new"]), expected);
}

#[test]
fn a_rename_that_no_dump_has_yet() {
    let mut ground = Ground::new();
    ground.write("a/x", b"one\n", 1);
    ground.write("a/copied", b"copied\n", 1);
    ground.dump();
    ground.mv("a/x", "y");
    ground.write("copy", b"copied\n", 1);
    let rename = (
        "rename".to_owned(),
        ground.main("y"),
        Some(ground.old(1, "a/x")),
    );
    let expected = [ground.created(1, "a/x"), rename];
    assert_eq!(ground.told(&["--with-main", "y"]), expected);
    let copy = [("create".to_owned(), ground.main("copy"), None)];
    assert_eq!(ground.told(&["--with-main", "copy"]), copy);
    // A tree that no dump has yet, beside one that is as it was.
    fs::create_dir(ground.at("other")).unwrap();
    ground.write("../other/copied", b"copied\n", 1);
    let (main, other) = (ground.at("NEWAGE"), ground.at("other"));
    let roots = [
        "--main",
        main.to_str().unwrap(),
        "--main",
        other.to_str().unwrap(),
    ];
    let words = [&roots[..], &["--with-main", "../other/copied"]].concat();
    let copy = [("create".to_owned(), ground.at("other/copied"), None)];
    assert_eq!(ground.told(&words), copy);
    // The main tree by a symlink, as it may be configured.
    symlink(ground.at("NEWAGE"), ground.at("way")).unwrap();
    let way = ground.at("way").display().to_string();
    let config = ground.at("dump.toml");
    fs::write(
        &config,
        format!("root_name = \"NEWAGE\"\nmain = \"{way}\"\n"),
    )
    .unwrap();
    for (path, lines) in [("y", 2), ("copy", 1)] {
        let output = ground.run(&program(), |command| {
            let words = ["-q", "-c", "--follow", "--with-main", path, "--config"];
            command.env_remove("MAINROOT").args(words).arg(&config);
        });
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), lines, "{text}");
    }
}

#[test]
#[ignore = "needs strace"]
fn following_lists_directories_and_looks_only_at_what_is_gone() {
    let mut ground = Ground::new();
    for n in 0..400 {
        ground.write(&format!("d{}/f{n}", n % 20), b"text\n", n);
    }
    ground.dump();
    ground.mv("d7/f7", "a/moved");
    fs::remove_file(ground.main("d3/f3")).unwrap();
    ground.dump();
    let trace = ground.at("trace");
    let output = ground.run(Path::new("strace"), |command| {
        let words = ["-f", "-e", "trace=%file", "-o"];
        command.args(words).arg(&trace).arg(program());
        command.args(["-q", "--follow", "a/moved"]);
    });
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("#rename"), "{text}");
    let trace = fs::read_to_string(trace).unwrap();
    let named = |n: u32| {
        let name = [format!("/f{n}\""), format!("\"f{n}\"")];
        let names = |line: &&str| name.iter().any(|name| line.contains(name));
        trace.lines().filter(names).count()
    };
    assert!(named(7) > 0, "the one that moved is looked at");
    assert_eq!(named(3), 1, "what is gone is looked at once");
    for n in (0..400).filter(|n| ![3, 7].contains(n)) {
        assert_eq!(named(n), 0, "f{n} is linked, and not looked at");
    }
    let listed = trace
        .lines()
        .filter(|l| l.contains("d1\"") && l.contains("O_DIRECTORY"));
    assert_eq!(listed.count(), 2, "a directory is listed once in each dump");
}

#[test]
#[ignore = "needs strace"]
fn the_catalog_saves_listing_directories() {
    let mut ground = Ground::new();
    for n in 0..40 {
        ground.write(&format!("d{}/f{n}", n % 20), b"text\n", n);
    }
    ground.dump();
    ground.mv("d7/f7", "a/moved");
    fs::remove_file(ground.main("d3/f3")).unwrap();
    ground.dump();
    CatalogTools::new(ground.at("dump")).rebuild().unwrap();
    let trace = ground.at("trace");
    let output = ground.run(Path::new("strace"), |command| {
        let words = ["-f", "-e", "trace=%file", "-o"];
        command.args(words).arg(&trace).arg(program());
        command.args(["--follow", "a/moved"]);
    });
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("#rename"), "{text}");
    let trace = fs::read_to_string(trace).unwrap();
    let named = |what: &str| trace.lines().filter(|line| line.contains(what)).count();
    assert!(
        named("/f7\"") + named("\"f7\"") > 0,
        "the one that moved is looked at"
    );
    // What has another time is not it.
    for other in ["f3\"", "f8\"", "d1\""] {
        assert_eq!(named(other), 0, "{other}");
    }
}

/// Why the catalog is not asked is told where the dumps are walked instead, and
/// only there.
#[test]
fn why_the_dumps_are_walked_is_told_once() {
    let mut ground = Ground::new();
    ground.write("a/x", b"one\n", 1);
    ground.write("a/stays", b"two\n", 2);
    ground.dump();
    ground.mv("a/x", "y");
    ground.dump();
    let complains = |ground: &Ground, path: &str| {
        let mut command = Command::new(program());
        command
            .env_clear()
            .envs(fixtures::shield::looking(&ground.at("")))
            .current_dir(ground.main(""));
        let output = command.args(["--follow", path]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let told = complains(&ground, "y");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("has no catalog"), "{told}");
    assert!(told.contains("comparing the dumps themselves"), "{told}");
    assert_eq!(complains(&ground, "a/stays"), "");
    CatalogTools::new(ground.at("dump")).rebuild().unwrap();
    assert_eq!(complains(&ground, "y"), "");
    // It does not know this dump.
    ground.dump();
    ground.mv("y", "z");
    ground.dump();
    let told = complains(&ground, "z");
    assert!(told.contains("not up to date: it lacks 2 dumps"), "{told}");
}
