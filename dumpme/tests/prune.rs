//! Pruning behind a dump: what goes, and that a dump does not fail by it.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use assert_fs::prelude::*;
use common::Place;
use dumpcore::DumpRoot;
use predicates::prelude::*;
use predicates::str::contains;

const PLACES: &str = "main = \"../../tree\"\ndump = \"../../dump\"\nlog = \"stderr\"\n";

fn names(place: &Place) -> BTreeSet<String> {
    let root = DumpRoot::open(place.dir.path().join("dump")).expect("opened");
    let names = root.list().expect("listed").into_iter();
    names.map(|name| name.to_string()).collect()
}

fn with(keep: &str) -> Place {
    let place = Place::with_tree();
    place.config(&format!("{PLACES}{keep}"));
    place
}

/// Takes a dump of that minute of the first days of 2020.
fn dump_at(place: &Place, minute: &str) -> assert_cmd::assert::Assert {
    let mut dumpme = place.dumpme();
    if !place.dir.path().join("dump/current").is_symlink() {
        dumpme.arg("--init");
    }
    dumpme.args(["--at", minute]).assert()
}

/// Dumps made by hand, of each hour of the first days of 2020.
fn by_hand(place: &Place, number: usize) {
    for at in 0..number {
        let name = format!("2020/01{:02}/{:02}00", at / 24 + 1, at % 24);
        let dir = place.dir.path().join("dump").join(name).join("tree");
        fs::create_dir_all(&dir).expect("made");
    }
}

#[test]
fn a_complete_dump_prunes_by_the_policy() {
    let place = with("[keep]\nauto = true\ndaily = 2\n");
    for minute in ["2020-01-01T01:00", "2020-01-01T02:00"] {
        dump_at(&place, minute).success();
    }
    // `current_chk` names the first dump until there is a checkpoint.
    assert_eq!(names(&place).len(), 2);
    let ran = dump_at(&place, "2020-01-02T03:00").success();
    ran.stdout(contains("pruned").not());
    let ran = dump_at(&place, "2020-01-03T03:00").success();
    ran.stdout(contains("pruned 1 dump, ").and(contains(" freed; 3 stay\n")));
    let stay = ["2020/0101/0100", "2020/0102/0300", "2020/0103/0300"];
    assert_eq!(names(&place), BTreeSet::from(stay.map(str::to_owned)));
    // A dry run prunes nothing, and what is not `auto` does not either.
    let dry = place
        .dumpme()
        .args(["-n", "--at", "2020-01-04T03:00"])
        .assert();
    dry.success();
    place.config(&format!("{PLACES}[keep]\ndaily = 1\n"));
    dump_at(&place, "2020-01-04T03:00").success();
    assert_eq!(names(&place).len(), 4);
}

#[test]
fn the_catalog_knows_at_once_what_was_pruned() {
    let place = with("[keep]\nauto = true\nlast = 1\n");
    place.dumpme().arg("--init").assert().success();
    place.dumpme().assert().success();
    let ran = place.dumpme().assert().success();
    ran.stdout(contains("pruned 1 dump, "));
    let root = DumpRoot::open(place.dir.path().join("dump")).expect("opened");
    let catalog = root.catalog().expect("up to date");
    let dumps = root.dumps(Some(&catalog)).expect("listed");
    assert_eq!(dumps.len(), 2);
    assert!(dumps.iter().all(|dump| dump.unique_bytes.is_some()));
}

/// What expires is kept for the next run, which says what it was made from.
#[test]
#[ignore = "needs ext4, xfs, btrfs or tmpfs for temporary files"]
fn an_expired_dump_is_recycled_and_that_is_told() {
    let place = with("[keep]\nauto = true\nlast = 1\n");
    place.dumpme().arg("--init").assert().success();
    place.dumpme().assert().success();
    let ran = place.dumpme().arg("--json").output().expect("run");
    let object: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("an object");
    let gone = object["pruned"]["removed"][0]
        .as_str()
        .expect("a name")
        .to_owned();
    assert_eq!(object["pruned"]["recyclable"], gone);
    assert_eq!(object["recycled_from"], serde_json::Value::Null);
    let told = format!("dump/{gone}, which had expired\n");
    let ran = place.dumpme().arg("-v").assert().success();
    ran.stdout(contains("made from ").and(contains(told)));
    let ran = place.dumpme().args(["-v", "--checksum"]).assert().success();
    let why = " is not recycled: the options for comparing files do not allow it\n";
    ran.stderr(contains(why))
        .stdout(contains("made from ").not());
    place.dumpme().assert().success();
    // Without it, what was kept goes.
    place.config(PLACES);
    let ran = place.dumpme().arg("-v").assert().success();
    ran.stdout(contains("which had expired").not());
    assert!(!place.dir.path().join("dump/.dump/removing").exists());
}

#[test]
fn what_was_pruned_stands_in_the_object() {
    let place = with("[keep]\nauto = true\nlast = 1\n");
    for minute in ["2020-01-01T01:00", "2020-01-01T02:00"] {
        dump_at(&place, minute).success();
    }
    let mut dumpme = place.dumpme();
    let ran = dumpme.args(["--json", "--at", "2020-01-02T03:00"]).output();
    let ran = ran.expect("run");
    let object: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("an object");
    assert_eq!(object["status"], "complete");
    assert_eq!(
        object["pruned"]["removed"],
        serde_json::json!(["2020/0101/0200"])
    );
    assert_eq!(object["pruned"]["kept"], 2);
    assert_eq!(object["pruned"]["problems"], serde_json::json!([]));
    assert!(
        object["pruned"]["freed_bytes"]
            .as_u64()
            .is_some_and(|freed| freed > 0)
    );
}

#[test]
fn so_many_at_once_are_left_and_told() {
    let place = with("[keep]\nauto = true\nlast = 1\n");
    by_hand(&place, 60);
    symlink("2020/0103/1100", place.dir.path().join("dump/current")).expect("linked");
    let braked = "not pruned: the policy would remove 60 of 61 dumps of tree at once; look at \
                  the plan with 'dumpctl prune -n'";
    place.dumpme().assert().code(23).stderr(contains(braked));
    assert_eq!(names(&place).len(), 61, "published, and nothing removed");
}

#[test]
fn a_policy_that_cannot_be_read_stops_no_dump() {
    let place = with("[keep]\nauto = true\nhourly = \"2d3\"\n");
    let told = "dump.toml:6:10: '2d3' is not a span of time";
    let ran = dump_at(&place, "2020-01-01T01:00").code(23);
    ran.stderr(contains(told).and(contains("cannot prune: ")));
    assert_eq!(names(&place).len(), 1);
    // Where nothing is to be pruned by itself, it is a warning.
    place.config(&format!("{PLACES}[keep]\nhourly = \"2d3\"\n"));
    let ran = dump_at(&place, "2020-01-01T02:00").success();
    ran.stderr(contains("'2d3' is not a span of time").and(contains("; nothing is pruned")));
    // Nor does what is wrong in another set.
    place.config(&format!(
        "{PLACES}[keep]\nauto = true\nlast = 1\n[set.b]\nmian = \"x\"\n"
    ));
    let ran = dump_at(&place, "2020-01-01T03:00").code(23);
    ran.stderr(contains("cannot prune: ").and(contains("unknown key `mian`")));
    assert_eq!(names(&place).len(), 3);
}

#[test]
fn sets_that_share_a_dump_root_keep_what_is_theirs() {
    let place = Place::with_tree();
    place
        .dir
        .child("mail/file")
        .write_str("text")
        .expect("written");
    let sets = "[keep]\nauto = true\nlast = 1\n\
                [set.mail]\nmain = \"../../mail\"\n[set.mail.keep]\nlast = 2\n";
    place.config(&format!("{PLACES}{sets}"));
    let of_mail = |minute: &str| {
        let mut dumpme = place.dumpme();
        dumpme
            .args(["--set", "mail", "--at", minute])
            .assert()
            .success();
    };
    dump_at(&place, "2020-01-01T00:00").success();
    of_mail("2020-01-01T01:00");
    of_mail("2020-01-01T02:00");
    of_mail("2020-01-01T03:00");
    dump_at(&place, "2020-01-01T04:00").success();
    // The set of mail does not prune by itself, and the other prunes its own.
    assert_eq!(names(&place).len(), 5);
    dump_at(&place, "2020-01-01T05:00").success();
    let stay = ["0000", "0100", "0200", "0300", "0500"];
    let stay = stay.map(|minute| format!("2020/0101/{minute}"));
    assert_eq!(names(&place), BTreeSet::from(stay));
}

#[test]
fn links_for_samba_follow_the_dumps_and_stop_none() {
    let shadow = "[shadow_copies]\ndir = \"../../shadow\"\n";
    let place = with(&format!("{shadow}[keep]\nauto = true\ndaily = 2\n"));
    let links = |place: &Place| {
        let links = fs::read_dir(place.dir.path().join("shadow")).expect("listed");
        links.count()
    };
    dump_at(&place, "2020-01-01T01:00").success();
    assert_eq!(links(&place), 1);
    dump_at(&place, "2020-01-02T03:00").success();
    let dry = place.dumpme().arg("-n").assert();
    dry.success();
    assert_eq!(links(&place), 2);
    let mut dumpme = place.dumpme();
    let dumpme = dumpme.args(["--at", "2020-01-02T04:00", "--json"]);
    let ran = dumpme.assert().success();
    // The dump of three o'clock is gone, and so is its link.
    ran.stdout(contains("\"shadow_copies\"").and(contains("\"made\":1")))
        .stdout(contains("\"removed\":1").and(contains("\"kept\":1")));
    assert_eq!(links(&place), 2);
    place.config(&format!(
        "{PLACES}[shadow_copies]\ndir = \"../../dump/s\"\n"
    ));
    let ran = dump_at(&place, "2020-01-03T04:00").code(23);
    ran.stderr(contains("cannot update the shadow copies").and(contains("inside the dump root")));
    assert_eq!(names(&place).len(), 3);
    place.config(&format!("{PLACES}[shadow_copies]\ndri = \"../../s\"\n"));
    let ran = dump_at(&place, "2020-01-04T04:00").code(23);
    ran.stderr(contains("unknown key `dri`").and(contains("shadow copies are not updated")));
    assert_eq!(names(&place).len(), 4);
}

/// Two trees `data`, each of a set, and these lines for the second of them.
fn two_of_one_name(lines: &str) -> Place {
    let place = Place::new();
    for tree in ["x/data", "y/data"] {
        let file = place.dir.child(tree).child("file");
        file.write_str(tree).expect("written");
    }
    place.dir.child("dump").create_dir_all().expect("made");
    place.config(&format!(
        "dump = \"../../dump\"\nlog = \"stderr\"\n[set.docs]\nmain = \"../../y/data\"\n\
         [set.photos]\nmain = \"../../x/data\"\n{lines}"
    ));
    place
}

fn of_set(place: &Place, set: &str, number: usize) {
    for _ in 0..number {
        let mut dumpme = place.dumpme();
        if !place.dir.path().join("dump/current").is_symlink() {
            dumpme.arg("--init");
        }
        dumpme.args(["--set", set]).assert().success();
    }
}

#[test]
fn different_trees_of_one_name_are_not_pruned() {
    let keep = "keep = { auto = true, last = 1 }\n";
    let place = two_of_one_name(keep);
    of_set(&place, "docs", 4);
    let ran = place.dumpme().args(["-q", "--set", "photos"]).assert();
    let told = "different trees are dumped under the name data: ";
    ran.code(23)
        .stderr(contains(told).and(contains("y/data (set docs)")));
    assert_eq!(names(&place).len(), 5);
    // The same where only an option gives the tree that name.
    let other = keep.replace("keep", "root_name = \"pictures\"\nkeep");
    let place = two_of_one_name(&other);
    of_set(&place, "docs", 4);
    let words = ["--set", "photos", "--root-name", "data"];
    place
        .dumpme()
        .args(words)
        .assert()
        .code(23)
        .stderr(contains(told));
    assert_eq!(names(&place).len(), 5);
    // With a name of its own it is another tree.
    of_set(&place, "photos", 3);
    assert_eq!(names(&place).len(), 6);
}

#[test]
fn a_set_without_a_policy_keeps_what_another_one_prunes() {
    let place = two_of_one_name("root_name = \"pictures\"\n");
    let sets = "dump = \"../../dump\"\nlog = \"stderr\"\n[set.docs]\nmain = \"../../y/data\"\n\
                [set.also]\nmain = \"../../y/data\"\nkeep = { auto = true, last = 1 }\n";
    place.config(sets);
    of_set(&place, "docs", 3);
    of_set(&place, "also", 2);
    assert_eq!(names(&place).len(), 5, "docs has no [keep]");
    place.config(&sets.replace("[set.docs]\n", "[set.docs]\nkeep.last = 2\n"));
    of_set(&place, "also", 1);
    // `current_chk` names the first one.
    assert_eq!(names(&place).len(), 3, "what any of them keeps stays");
}

#[test]
fn a_policy_is_for_the_dump_root_of_its_set() {
    let place = with("[keep]\nauto = true\nlast = 1\n");
    place.dir.child("usb").create_dir_all().expect("made");
    let usb = place.dir.path().join("usb");
    let onto_usb = |init: bool| {
        let mut dumpme = place.dumpme();
        dumpme.arg("--dump").arg(&usb);
        dumpme.args(init.then_some("--init")).assert().success()
    };
    onto_usb(true);
    onto_usb(false);
    let told = contains("not pruned: [keep] is for the dump root ").and(contains("/dump\n"));
    onto_usb(false).stdout(told);
    let root = DumpRoot::open(&usb).expect("opened");
    assert_eq!(root.list().expect("listed").len(), 3);
    // By whatever names it.
    let mut dumpme = place.dumpme();
    dumpme.env("DUMPROOT", &usb).assert().success();
    assert_eq!(root.list().expect("listed").len(), 4);
    // Where the configuration names none, it is for the one in use.
    place.config("main = \"../../tree\"\n[keep]\nauto = true\nlast = 1\n");
    onto_usb(false);
    assert_eq!(root.list().expect("listed").len(), 2);
}

#[test]
fn the_import_of_an_older_copy_prunes_nothing() {
    let place = with("[keep]\nauto = true\nlast = 1\n");
    for day in ["03", "04"] {
        dump_at(&place, &format!("2020-01-{day}T00:00")).success();
    }
    let ran = dump_at(&place, "2020-01-02T00:00").success();
    ran.stdout(contains(
        "not pruned: an older copy was imported; the next dump prunes\n",
    ));
    assert_eq!(names(&place).len(), 3);
    let ran = dump_at(&place, "2020-01-05T00:00").success();
    ran.stdout(contains("pruned 2 dumps, "));
    // `current_chk` names the first one.
    let stay = ["2020/0103/0000", "2020/0105/0000"];
    assert_eq!(names(&place), BTreeSet::from(stay.map(str::to_owned)));
}

#[test]
fn a_clock_that_is_wrong_once_costs_no_history() {
    let place = with("[keep]\nauto = true\nhourly = \"2d\"\ndaily = \"1w\"\n");
    for hour in 0..13 {
        dump_at(&place, &format!("2020-01-01T{hour:02}:00")).success();
    }
    // `current_chk` names the first one.
    for (minute, of) in [("2025-01-01T00:00", 14), ("2025-01-01T01:00", 15)] {
        let told = format!(
            "not pruned: the policy would remove 12 of {of} dumps of tree, all that are older \
             than a gap which is longer than each span of the policy (was the clock wrong?), at \
             once; look at the plan with 'dumpctl prune -n'"
        );
        dump_at(&place, minute).code(23).stderr(contains(told));
    }
    assert_eq!(names(&place).len(), 15);
}
