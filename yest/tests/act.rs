//! What `yest` does with what it found: shows what changed, runs a command,
//! brings it back.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;

use common::Ground;
use fixtures::terminal::{Reply, Signal, at_question};

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
#[ignore = "needs patch"]
fn a_patch_of_text_in_any_encoding_applies() {
    let ground = Ground::new();
    let old = ground.old("2020/0101/0000", "a/f");
    let cases: [(&[u8], &[u8], &[&str]); 3] = [
        (b"caf\xe9\r\nmenu\n", b"caf\xe8\r\nmenu", &["--diff", "a/f"]),
        (b"a\rb\n", b"a\rc\n", &["--diff", "a/f"]),
        (b"a\0b\n", b"a\0c\n", &["--diff", "-t", "a/f"]),
    ];
    for (was, is, words) in cases {
        ground.dump("2020/0101/0000", "a/f", "");
        fs::write(&old, was).unwrap();
        fs::write(ground.main("a/f"), is).unwrap();
        let diff = ground.yest().args(words).output().unwrap().stdout;
        fs::write(ground.at("patch"), &diff).unwrap();
        let text = diff.escape_ascii().to_string();
        let apply = Command::new("patch")
            .args(["--binary", "-s", "-o"])
            .arg(ground.at("patched"))
            .arg(&old)
            .arg(ground.at("patch"))
            .output()
            .unwrap();
        assert!(apply.status.success(), "{text}: {apply:?}");
        assert_eq!(fs::read(ground.at("patched")).unwrap(), is, "{text}");
    }
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
fn replaces_nothing_unasked_and_nothing_in_a_dump() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "old\n");
    let text = |path: &str| fs::read_to_string(ground.main(path)).unwrap();
    fs::create_dir_all(ground.main("a")).unwrap();
    fs::write(ground.main("a/f"), "now\n").unwrap();
    // Nobody to ask: nothing is replaced, unless that was said before.
    for option in ["--copy", "--copy-if-differs"] {
        let refused = format!(
            "yest: {} exists, and there is no terminal to ask on; \
             --force would replace it with {}\n",
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
    let path = ground.old("2020/0101/0000", "a/f");
    let never = predicate::str::contains("dumps are never changed");
    ground
        .yest()
        .args(["--copy", "-d0"])
        .arg(path)
        .assert()
        .code(1)
        .stderr(never);
}

#[test]
fn brings_yesterdays_back() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "old\n");
    ground.dump("2020/0101/0000", "b/sub/f", "old\n");
    let text = |path: &str| fs::read_to_string(ground.main(path)).unwrap();
    fs::write(ground.main("a/f"), "now\n").unwrap();
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
        format!("6 entries that {whose} does not have ({first}, and 3 more)")
    };
    let refused = format!(
        "yest: {} exists, and there is no terminal to ask on; \
         --force would replace it with {old} and delete {}\n",
        main("a"),
        lost("this dump")
    );
    copies(&["--copy"], 1, refused);
    assert!(ground.main("a/cache/1").exists());
    let said = format!("yest: deleted from {}: {}\n", main("a"), lost(&old));
    copies(&["--copy", "--force"], 0, said);
    assert!(!ground.main("a/cache").exists() && ground.main("a/f").exists());
    // One, and nothing that would be worth a word.
    gain(&["a/new"]);
    let one = format!("1 entry that {old} does not have ({})", main("a/new"));
    let said = format!("yest: deleted from {}: {one}\n", main("a"));
    copies(&["--copy-if-differs", "--force"], 0, said);
    gain(&["a/f"]);
    copies(&["--copy", "--force"], 0, String::new());
    gain(&["a/new"]);
    copies(&["--copy", "--force", "-q"], 0, String::new());
    gain(&["a/new"]);
    let said = ground
        .yest()
        .args(["--copy", "--force", "-v", "a"])
        .output();
    let said = String::from_utf8(said.unwrap().stderr).unwrap();
    let (lost, restored) = said.split_once('\n').unwrap();
    assert!(lost.contains(": 1 entry that "), "{said}");
    let begin = format!(
        "yest: restored {} from {old}: 1 file, 1 directory, 4 B in ",
        main("a")
    );
    let end = " s; replaced what was there, removed 1 entry that the dump does not have\n";
    assert!(
        restored.starts_with(&begin) && restored.ends_with(end),
        "{said}"
    );
}

/// What could not be read then may exist now.
#[test]
fn nothing_is_deleted_by_a_partial_dump() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "old\n");
    let dump = ground.at("dump/2020/0101/0000");
    xattr::set(&dump, "user.dump.partial", b"2").unwrap();
    fs::write(ground.main("a/f"), "now\n").unwrap();
    fs::write(ground.main("a/new"), "since\n").unwrap();
    for words in [
        &["--copy"][..],
        &["--copy", "--force"],
        &["--copy-if-differs", "--force"],
    ] {
        let refused = format!(
            "yest: the dump {} is partial: it lacks 2 entries that could not be read, and \
             restoring {now} would delete 1 entry that it does not have ({}); 'dumpctl restore \
             --at 2020/0101/0000 --in-place {now}' deletes nothing\n",
            dump.display(),
            ground.main("a/new").display(),
            now = ground.main("a").display(),
        );
        let run = ground.yest().args(words).arg("a").assert();
        run.code(1).stdout("").stderr(refused);
        assert_eq!(fs::read_to_string(ground.main("a/f")).unwrap(), "now\n");
        let new = fs::read_to_string(ground.main("a/new")).unwrap();
        assert_eq!(new, "since\n");
    }
    // Where nothing would be deleted, it is as good as another.
    fs::remove_file(ground.main("a/new")).unwrap();
    let copy = || ground.yest().args(["--copy", "--force", "a"]).assert();
    copy().success();
    assert_eq!(fs::read_to_string(ground.main("a/f")).unwrap(), "old\n");
    xattr::remove(&dump, "user.dump.partial").unwrap();
    fs::write(ground.main("a/new"), "since\n").unwrap();
    copy().success();
    assert!(!ground.main("a/new").exists());
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
        "the main tree {} does not exist",
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
    fixtures::clock::tick();
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
#[ignore = "needs script(1), for a terminal"]
fn at_its_question_a_signal_stops_it_and_the_end_of_the_input_is_a_no() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "old\n");
    fs::write(ground.main("a/f"), "now\n").unwrap();
    let shielded = ground.yest();
    let mut command = std::process::Command::new(shielded.get_program());
    command
        .args(["--copy", "a/f"])
        .envs(fixtures::shield::looking(&ground.at("")))
        .current_dir(ground.main(""));
    for (reply, code) in [
        (Reply::Types("\x03"), 130),
        (Reply::Sends(Signal::TERM), 143),
        (Reply::Sends(Signal::HUP), 143),
        (Reply::Types("\x04"), 0),
    ] {
        let (ended, shown) = at_question(&command, reply);
        assert_eq!(ended, Some(code), "{reply:?}: {shown}");
        let now = ground.main("a/f").display().to_string();
        let told = shown.ends_with(&format!("\nyest: stopped; {now} was not changed\n"));
        assert_eq!(told, code != 0, "{reply:?}: {shown}");
        let now = fs::read_to_string(ground.main("a/f")).unwrap();
        assert_eq!(now, "now\n", "{reply:?}");
    }
}
