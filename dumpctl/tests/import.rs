//! `dumpctl import`: what it prints, and how it ends; with copies that the real
//! programs made.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{Ground, ends};
use dumpcore::DumpRoot;
use fixtures::rsync_differences;
use fixtures::strace::{Inject, inject};
use serde_json::Value;

/// Copies as rsync-time-backup makes them.
fn copies(ground: &Ground) -> PathBuf {
    let dir = ground.at("copies");
    for name in ["2020-02-02-101005", "2020-02-03-101005"] {
        fs::create_dir_all(dir.join(name)).expect("made");
        fs::write(dir.join(name).join("file"), name).expect("written");
    }
    dir
}

fn import(ground: &Ground, words: &[&str], dir: &Path) -> Command {
    let mut command = ground.dumpctl(&["import"]);
    command.args(words).arg(dir);
    command
}

/// As when a program wrote in place, and set the time again.
#[test]
fn contents_that_size_and_time_do_not_tell_are_imported_when_asked_for() {
    for (words, second) in [(&[][..], "one"), (&["--checksum"], "two")] {
        let ground = Ground::empty();
        let dir = copies(&ground);
        for (name, text) in [("2020-02-02-101005", "one"), ("2020-02-03-101005", "two")] {
            let file = dir.join(name).join("file");
            fs::write(&file, text).expect("written");
            fs::write(dir.join(name).join("same"), "same").expect("written");
            for name in [file, dir.join(name).join("same")] {
                let file = fs::File::options().write(true).open(name).expect("opened");
                file.set_modified(std::time::UNIX_EPOCH).expect("set");
            }
        }
        let common = ["--init", "--root-name", "home", "rsync-time-backup"];
        ends(import(&ground, &[words, &common].concat(), &dir), 0);
        let of = |dump: &str, name: &str| ground.root().join(dump).join("home").join(name);
        let text = |dump| fs::read_to_string(of(dump, "file")).expect("imported");
        assert_eq!(text("2020/0202/1010"), "one");
        assert_eq!(text("2020/0203/1010"), second, "{words:?}");
        let inode = |dump| fs::metadata(of(dump, "same")).expect("imported").ino();
        assert_eq!(inode("2020/0202/1010"), inode("2020/0203/1010"));
    }
}

#[test]
fn each_copy_is_told() {
    let ground = Ground::empty();
    let dir = copies(&ground);
    fs::write(dir.join("backup.inprogress"), "").expect("written");
    let words = ["--init", "--root-name", "tree", "rsync-time-backup"];
    let (printed, said) = ends(import(&ground, &["-n", "rsync-time-backup"], &dir), 0);
    assert!(
        printed.starts_with("2020/0202/1010: would import "),
        "{printed}"
    );
    assert!(
        said.contains("2020-02-03-101005 is left out: it is not finished"),
        "{said}"
    );
    assert!(!ground.root().join("current").exists());
    let (printed, _) = ends(import(&ground, &words, &dir), 0);
    assert!(
        printed.starts_with("2020/0202/1010: imported "),
        "{printed}"
    );
    assert!(
        printed.ends_with(": 2 entries, 1 copied (17 B)\n"),
        "{printed}"
    );
    fs::remove_file(dir.join("backup.inprogress")).expect("removed");
    let (printed, said) = ends(import(&ground, &words, &dir), 0);
    assert_eq!(said, "");
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("2020/0202/1010: has "), "{printed}");
    assert!(
        lines[1].starts_with("2020/0203/1010: imported "),
        "{printed}"
    );
    assert!(ground.has("2020/0203/1010/tree/file"));
    let mut json = import(&ground, &words, &dir);
    json.arg("--json");
    let (printed, _) = ends(json, 0);
    let object: Value = serde_json::from_str(&printed).expect("one object");
    assert_eq!(object["copies"][1]["state"], "there");
    assert_eq!(object["copies"][1]["name"], "2020/0203/1010");
    assert!(object["keep_would_remove"].is_null());
}

#[test]
fn what_a_policy_would_remove_is_told() {
    let ground = Ground::empty();
    let dir = copies(&ground);
    let (tree, root) = (ground.at("tree"), ground.root());
    let text = format!("main = {tree:?}\ndump = {root:?}\n[keep]\nlast = 1\n");
    let file = ground.at("dump.toml");
    fs::write(&file, text).expect("written");
    let mut command = import(
        &ground,
        &["--init", "--root-name", "tree", "rsync-time-backup"],
        &dir,
    );
    command.env_remove("DUMPROOT").arg("--config").arg(&file);
    let (printed, _) = ends(command, 0);
    let last = printed.lines().last().expect("a line");
    // `current_chk` keeps the first one.
    assert!(
        last.starts_with("by [keep] the next prune removes "),
        "{printed}"
    );
    assert!(
        ground.has("2020/0202/1010/tree/file"),
        "nothing was removed"
    );
}

#[test]
fn what_is_asked_for_is_not_there() {
    let ground = Ground::empty();
    let dir = copies(&ground);
    let (_, said) = ends(ground.dumpctl(&["import"]), 2);
    assert!(
        said.contains("name the program that made the copies"),
        "{said}"
    );
    let (_, said) = ends(import(&ground, &["borg"], &dir), 2);
    assert!(said.contains("rsnapshot, rsync-time-backup"), "{said}");
    let (_, said) = ends(import(&ground, &["rsnapshot"], &dir), 1);
    assert!(said.contains("holds no copy of rsnapshot"), "{said}");
    let (_, said) = ends(import(&ground, &["rsync-time-backup"], &dir), 1);
    assert!(said.contains("--init"), "{said}");
    let (_, said) = ends(import(&ground, &["rsnapshot"], Path::new("/nowhere")), 1);
    assert!(said.contains("/nowhere"), "{said}");
}

/// Every dump is as rsync judges the copy that it was made of, and what did not
/// change is one inode.
fn assert_imported(ground: &Ground, copies: &[PathBuf], tree: &str, unchanged: &str) {
    use std::os::unix::fs::MetadataExt as _;
    let root = DumpRoot::open(ground.root()).expect("opened");
    let dumps = root.dumps(None).expect("listed");
    assert_eq!(dumps.len(), copies.len());
    let mut inodes = Vec::new();
    for (dump, copy) in dumps.iter().zip(copies) {
        let own = dump.path.join(tree);
        assert_eq!(rsync_differences(copy, &own), Vec::<String>::new());
        inodes.push(own.join(unchanged).metadata().expect("there").ino());
    }
    inodes.dedup();
    assert_eq!(inodes.len(), 1, "{inodes:?}");
}

#[test]
#[ignore = "needs rsnapshot and rsync"]
fn what_rsnapshot_made() {
    let ground = Ground::empty();
    let (tree, to) = (ground.at("tree"), ground.at("snapshots"));
    fs::create_dir(&to).expect("made");
    fs::write(tree.join("same"), "the same").expect("written");
    let conf = ground.at("rsnapshot.conf");
    let text = format!(
        "config_version\t1.2\nsnapshot_root\t{}/\nno_create_root\t1\ncmd_rsync\t/usr/bin/rsync\n\
         cmd_cp\t/bin/cp\ncmd_rm\t/bin/rm\nretain\talpha\t6\nlockfile\t{}\nbackup\t{}/\t\
         localhost/\n",
        to.display(),
        ground.at("rsnapshot.pid").display(),
        tree.display()
    );
    fs::write(&conf, text).expect("written");
    for number in 0..3 {
        fs::write(tree.join("other"), number.to_string()).expect("written");
        let mut rsnapshot = Command::new("rsnapshot");
        rsnapshot.arg("-c").arg(&conf).arg("alpha");
        ends(rsnapshot, 0);
        // It dates them by seconds.
        std::thread::sleep(Duration::from_millis(1100));
    }
    let within = Path::new("localhost").join(tree.strip_prefix("/").expect("absolute"));
    let words = [
        "--init",
        "--within",
        within.to_str().expect("text"),
        "rsnapshot",
    ];
    ends(import(&ground, &words, &to), 0);
    let made: Vec<_> = (0..3)
        .rev()
        .map(|n| to.join(format!("alpha.{n}")).join(&within))
        .collect();
    assert_imported(&ground, &made, "tree", "same");
}

#[test]
#[ignore = "needs backintime and rsync"]
fn what_back_in_time_made() {
    let ground = Ground::empty();
    let (tree, to) = (ground.at("tree"), ground.at("snapshots"));
    let profile = to.join("backintime/host/anna/1");
    fs::create_dir_all(&profile).expect("made");
    fs::write(tree.join("same"), "the same").expect("written");
    let config = ground.at("backintime.conf");
    let text = format!(
        "config.version=6\nprofiles.version=1\nprofile1.snapshots.mode=local\n\
         profile1.snapshots.path={}\nprofile1.snapshots.path.host=host\n\
         profile1.snapshots.path.user=anna\nprofile1.snapshots.path.profile=1\n\
         profile1.snapshots.include.1.value={}\nprofile1.snapshots.include.1.type=0\n\
         profile1.snapshots.include.size=1\nprofile1.snapshots.exclude.size=0\n\
         profile1.snapshots.notify.enabled=false\nprofile1.schedule.mode=0\n",
        to.display(),
        tree.display()
    );
    fs::write(&config, text).expect("written");
    for number in 0..2 {
        fs::write(tree.join("other"), number.to_string()).expect("written");
        let mut backintime = Command::new("backintime");
        backintime.arg("--config").arg(&config).arg("backup");
        // It runs with Debian's Python.
        backintime
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", ground.at(""));
        ends(backintime, 0);
        std::thread::sleep(Duration::from_millis(1100));
    }
    let within = tree.strip_prefix("/").expect("absolute");
    let words = [
        "--init",
        "--within",
        within.to_str().expect("text"),
        "backintime",
    ];
    ends(import(&ground, &words, &profile), 0);
    let mut names: Vec<String> = fs::read_dir(&profile)
        .expect("listed")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .filter(|name| name.starts_with("20"))
        .collect();
    names.sort();
    let made: Vec<_> = names
        .iter()
        .map(|name| profile.join(name).join("backup").join(within))
        .collect();
    assert_imported(&ground, &made, "tree", "same");
}

#[test]
#[ignore = "needs strace"]
fn a_copy_that_cannot_be_read_does_not_keep_the_next_from_coming_in() {
    let ground = Ground::empty();
    let dir = copies(&ground);
    let bad = dir.join("2020-02-01-101005");
    fs::create_dir_all(&bad).expect("made");
    let words = [
        "--init",
        "--within",
        "home",
        "--root-name",
        "home",
        "--json",
    ];
    for name in [
        "2020-02-01-101005",
        "2020-02-02-101005",
        "2020-02-03-101005",
    ] {
        fs::create_dir_all(dir.join(name).join("home")).expect("made");
        fs::write(dir.join(name).join("home/file"), name).expect("written");
    }
    // Nobody may open it.
    let mut command = import(
        &ground,
        &[&words[..], &["rsync-time-backup"]].concat(),
        &dir,
    );
    let at = bad.join("home");
    let fault = [Inject::error("openat", "EACCES").on(&at)];
    command = inject(&command, &fault);
    let (printed, said) = ends(command, 23);
    assert!(
        said.contains("2020-02-01-101005 was not imported"),
        "{said}"
    );
    let object: Value = serde_json::from_str(&printed).expect("one object");
    let copies = object["copies"].as_array().expect("a list");
    assert_eq!(copies.len(), 3);
    assert!(
        copies[0]["error"]
            .as_str()
            .is_some_and(|e| e.contains("cannot open tree"))
    );
    assert!(ground.has("2020/0203/1010/home/file"));
}

#[test]
fn a_dump_root_is_not_imported_into_itself() {
    let ground = Ground::new();
    std::os::unix::fs::symlink(ground.root(), ground.at("same")).expect("linked");
    for dir in ["dump", "same"] {
        let (_, said) = ends(import(&ground, &["dump"], &ground.at(dir)), 1);
        assert!(said.contains("are the same directory"), "{said}");
    }
    let root = DumpRoot::open(ground.root()).expect("opened");
    assert_eq!(root.list().expect("listed").len(), 4);
}

#[test]
fn copies_that_are_mounted_elsewhere_are_known() {
    let ground = Ground::empty();
    let dir = copies(&ground);
    let words = ["--init", "--root-name", "tree", "rsync-time-backup"];
    ends(import(&ground, &words, &dir), 0);
    let moved = ground.at("elsewhere");
    fs::rename(&dir, &moved).expect("renamed");
    // A mount point is left.
    fs::create_dir(&dir).expect("made");
    let (printed, _) = ends(import(&ground, &words[1..], &moved), 0);
    assert!(printed.starts_with("2020/0202/1010: has "), "{printed}");
    let root = DumpRoot::open(ground.root()).expect("opened");
    assert_eq!(root.list().expect("listed").len(), 2);
    // Those of another one, of the same times, are others.
    copies(&ground);
    ends(import(&ground, &words[1..], &dir), 0);
    assert_eq!(root.list().expect("listed").len(), 2, "these were there");
    ends(import(&ground, &words[1..], &moved), 0);
    assert_eq!(root.list().expect("listed").len(), 4);
}

#[test]
fn what_ends_an_import_is_an_object_with_its_copies() {
    let ground = Ground::empty();
    let dir = copies(&ground);
    let words = [
        "--init",
        "--root-name",
        "tree",
        "rsync-time-backup",
        "--json",
    ];
    let root = DumpRoot::open(ground.root()).expect("opened");
    let lock = root.lock().expect("locked");
    let (printed, _) = ends(import(&ground, &words, &dir), 75);
    drop(lock);
    let object: Value = serde_json::from_str(&printed).expect("one object");
    assert_eq!(object["status"], "busy");
    assert_eq!(object["copies"].as_array().map(Vec::len), Some(1));
}
