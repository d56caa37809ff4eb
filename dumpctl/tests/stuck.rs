//! What cannot be removed of a dump: `status` names it, and what was asked to remove
//! it fails as long as it is there.

mod common;

use std::fs;

use common::{Disk, Ground, ends};
use fixtures::chattr::{Freed, chattr, free};
use serde_json::Value;

/// What needs attention that is left of removed dumps.
fn not_removed(ground: &Ground) -> Vec<Value> {
    let mut command = ground.dumpctl(&["status", "--json"]);
    command.env("MAINROOT", ground.at("tree"));
    let output = command.output().expect("it runs");
    let object: Value = serde_json::from_slice(&output.stdout).expect("an object");
    let all = object["attention"].as_array().expect("a list");
    let is = |one: &&Value| one["what"] == "not_removed";
    all.iter().filter(is).cloned().collect()
}

#[test]
#[ignore = "needs root, for chattr(1) on the filesystem of temporary files"]
fn what_cannot_be_removed_fails_by_hand_and_is_named_by_status() {
    for (path, how, named) in [
        ("tree/own", "+i", "tree/own"),
        ("tree/dir", "+a", "tree/dir"),
        ("tree/dir", "+i", "tree/dir"),
        ("", "+a", ""),
    ] {
        let ground = Ground::new();
        let _freed = Freed(ground.root());
        let away = ground.root().join(".dump/removing/2030-0101-0200");
        // Of a dump itself, what has left its name already.
        if path.is_empty() {
            fs::create_dir_all(away.join("tree/dir")).expect("made");
            fs::remove_dir_all(ground.root().join("2030/0101/0200")).expect("removed");
            chattr(how, &away);
        } else {
            chattr(how, &ground.root().join("2030/0101/0200").join(path));
            let remove = ground.dumpctl(&["remove", "--force", "2030/0101/0200"]);
            let (_, said) = ends(remove, 23);
            let named = format!("2030-0101-0200/{named}: Operation not permitted");
            assert_eq!(said.matches(&named).count(), 1, "{said}");
            assert!(said.contains("run 'chattr -ia' on it first"), "{said}");
        }
        let places = "main = \"../../tree\"\ndump = \"../../dump\"\nlog = \"stderr\"\n";
        ground.config(&format!("{places}[keep]\nlast = 100\n"));
        let (_, said) = ends(ground.dumpctl(&["prune"]), 23);
        let fixed = away.join(named);
        let fixed = fixed.to_string_lossy();
        let fixed = fixed.trim_end_matches('/');
        let told = format!("cannot remove {fixed}: Operation not permitted");
        assert_eq!(said.matches(&told).count(), 1, "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        let found = not_removed(&ground);
        let [found] = &found[..] else {
            panic!("{found:?}")
        };
        let text = found["text"].as_str().expect("a text");
        let ends_so = format!("since {fixed} is immutable or append-only");
        assert!(text.ends_with(&ends_so), "{text}");
        let advice = found["advice"].as_str().expect("an advice");
        let typed = format!("'chattr -R -ia {}'", away.display());
        assert!(advice.ends_with(&typed), "{advice}");
        free(&away);
        // What is merely cut off is for the next run.
        assert_eq!(not_removed(&ground), [Value::Null; 0]);
        ends(ground.dumpctl(&["prune"]), 0);
        assert!(!away.exists());
    }
}

/// What is stuck on the second disk is named beside that of the first.
#[test]
#[ignore = "needs root, for chattr(1) on the filesystem of temporary files"]
fn what_is_stuck_on_the_second_disk_is_named_too() {
    let ground = Ground::new();
    let slave = ground.at("slave");
    ground.config(&format!("[slave]\ndump = {slave:?}\n"));
    let _freed = Freed(slave.clone());
    let replica = dumpcore::Replica::of(ground.root()).to(&slave);
    fs::create_dir(&slave).expect("made");
    replica.latest(true).init(true).run().expect("made");
    assert_eq!(not_removed(&ground), [Value::Null; 0]);
    let left = slave.join(".dump/removing/2030-0101-0200/tree");
    fs::create_dir_all(&left).expect("made");
    chattr("+i", &left);
    let found = not_removed(&ground);
    let [found] = &found[..] else {
        panic!("{found:?}")
    };
    let text = found["text"].as_str().expect("a text");
    assert!(text.contains(left.to_str().expect("a name")), "{text}");
}

/// A dump in which something is mounted keeps its name; it is named if it is to go.
#[test]
#[ignore = "needs root: mounts a tmpfs"]
fn an_expired_dump_in_which_something_is_mounted_is_named_too() {
    let ground = Ground::empty();
    fs::write(ground.at("tree/dir/file"), "text").expect("written");
    for minute in ["2020-01-01T01:00", "2020-01-01T02:00", "2020-01-01T03:00"] {
        ground.dump(minute);
    }
    let places = "main = \"../../tree\"\ndump = \"../../dump\"\nlog = \"stderr\"\n";
    let keep = |last: u32| ground.config(&format!("{places}[keep]\nlast = {last}\n"));
    let left = ground.root().join(".dump/removing/2029-0101-0100/tree");
    fs::create_dir_all(&left).expect("made");
    for (point, path) in [
        ("2020/0101/0200/tree/dir", "2020/0101/0200"),
        (
            ".dump/removing/2029-0101-0100/tree",
            ".dump/removing/2029-0101-0100",
        ),
    ] {
        keep(1);
        assert_eq!(not_removed(&ground), [Value::Null; 0]);
        let point = fs::canonicalize(ground.root()).expect("there").join(point);
        let disk = Disk::at(point.clone());
        let found = not_removed(&ground);
        let [found] = &found[..] else {
            panic!("{found:?}")
        };
        let text = found["text"].as_str().expect("a text");
        let told = format!(
            "{} is to be removed and stays, since something is mounted on {}",
            ground.root().join(path).display(),
            point.display()
        );
        assert_eq!(text, told);
        let advice = found["advice"].as_str().expect("an advice");
        assert!(advice.contains(&format!("'umount {}'", point.display())));
        // What a policy keeps is in nobody's way.
        keep(100);
        let is_left = path.starts_with('.');
        assert_eq!(not_removed(&ground).len(), usize::from(is_left));
        drop(disk);
        assert_eq!(not_removed(&ground), [Value::Null; 0]);
    }
    keep(1);
    ends(ground.dumpctl(&["prune"]), 0);
    assert!(!ground.has("2020/0101/0200") && !left.exists());
}
