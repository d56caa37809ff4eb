//! `dumpctl remove`: what it says, what it asks, and how it ends.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Ground, ends, traced};
use dumpcore::{CatalogTools, Checkpoint, DumpRoot, Report, Snapshot};
use fixtures::plain_user::PlainUser;
use fixtures::strace::{Inject, inject, trace};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

/// Four dumps, and a catalog of them.
fn with_catalog() -> Ground {
    let ground = Ground::new();
    CatalogTools::new(ground.root()).rebuild().expect("made");
    ground
}

#[test]
fn removes_what_is_named_and_says_what_that_freed() {
    let ground = with_catalog();
    let path = ground.root().join("2030/0102/0300/");
    let words = [
        "remove",
        "--force",
        "2030/0101/0200",
        path.to_str().expect("text"),
    ];
    let (printed, said) = ends(ground.dumpctl(&words), 0);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert!(
        lines[0].starts_with("removed 2030/0101/0200: 5 entries, "),
        "{printed}"
    );
    assert!(
        lines[1].starts_with("removed 2030/0102/0300: 5 entries, "),
        "{printed}"
    );
    // Two others have the file that did not change.
    for line in &lines {
        assert!(line.ends_with(" freed: 2 dumps use its files"), "{printed}");
    }
    assert_eq!(said, "");
    assert!(!ground.has("2030/0101/0200") && !ground.has("2030/0102/0300"));
    assert!(ground.has("2030/0101/0100") && ground.has("2030/0102/0400/tree/dir/same"));
}

#[test]
fn a_dry_run_tells_the_same_and_removes_nothing() {
    let ground = Ground::new();
    let words = ["remove", "-n", "--json", "2030/0101/0200"];
    let read = |words: &[&str]| -> Value {
        let (printed, _) = ends(ground.dumpctl(words), 0);
        serde_json::from_str(&printed).expect("an object")
    };
    let planned = read(&words);
    assert!(ground.has("2030/0101/0200/tree/own"));
    let done = read(&["remove", "--force", "--json", "2030/0101/0200"]);
    assert_eq!(
        (&planned["dry_run"], &done["dry_run"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(planned["removed"], done["removed"]);
    assert_eq!(planned["freed_bytes"], done["freed_bytes"]);
    let removed = &done["removed"][0];
    let head = json!({
        "schema": 1, "program": "dumpctl", "command": "remove", "status": "complete", "exit": 0,
        "dump_root": ground.root(), "left": [], "faults": [], "faults_total": 0,
        "finished_entries": 0,
        "remaining": [],
    });
    for (key, value) in head.as_object().expect("an object") {
        assert_eq!(&done[key], value, "{key}");
    }
    assert_eq!(removed["name"], "2030/0101/0200");
    assert_eq!(removed["path"], json!(ground.root().join("2030/0101/0200")));
    assert_eq!(
        (&removed["entries"], &removed["whole"]),
        (&json!(5), &json!(true))
    );
    assert!(
        removed["freed_bytes"]
            .as_u64()
            .is_some_and(|freed| freed >= 50_000)
    );
}

/// Two dumps, a checkpoint, which shares nothing with older dumps, two dumps that have
/// its files, and another checkpoint; the names of the first checkpoint and of
/// the dumps behind it.
fn generations() -> (Ground, String, [String; 2]) {
    let ground = Ground::empty();
    fs::write(ground.at("tree/dir/same"), vec![1; 100_000]).expect("written");
    ground.dump("2020-01-01T01:00");
    ground.dump("2020-01-01T02:00");
    let name = |report: &Report| report.name().expect("a dump").to_string();
    let run = || Checkpoint::new(ground.root()).run().expect("published");
    let checkpoint = name(&run());
    let snapshot = || Snapshot::new(ground.root()).main(ground.at("tree"));
    let later = [1, 2].map(|_| name(&snapshot().run().expect("published")));
    run();
    CatalogTools::new(ground.root()).rebuild().expect("made");
    (ground, checkpoint, later)
}

/// Three dumps with a linked checkpoint behind each but the last, and what the
/// checkpoints are named.
fn chained() -> (Ground, [String; 2]) {
    let ground = Ground::empty();
    fs::write(ground.at("tree/dir/same"), vec![1; 100_000]).expect("written");
    ground.dump("2020-01-01T01:00");
    let chain = ["2020-01-01T02:00", "2020-01-01T03:00"].map(|next| {
        let report = Checkpoint::new(ground.root()).linked(true).run();
        let name = report.expect("published").name().expect("a dump");
        ground.dump(next);
        name.to_string()
    });
    CatalogTools::new(ground.root()).rebuild().expect("made");
    (ground, chain)
}

#[test]
fn a_linked_checkpoint_says_how_many_checkpoints_use_its_files() {
    let (ground, chain) = chained();
    let (printed, _) = ends(ground.dumpctl(&["remove", "--force", &chain[0]]), 0);
    assert!(
        printed.ends_with(" freed: 1 checkpoint uses its files\n"),
        "{printed}"
    );
    // The newest is what `current_chk` names.
    let (_, said) = ends(ground.dumpctl(&["remove", "--force", &chain[1]]), 1);
    assert!(said.contains("'current_chk' names it"), "{said}");
}

#[test]
fn linked_checkpoints_are_told_as_such_and_as_one_copy() {
    let (ground, chain) = chained();
    let object = |words: &[&str], code: i32| -> Value {
        let (printed, _) = ends(ground.dumpctl(words), code);
        serde_json::from_str(&printed).expect("an object")
    };
    let listed = object(&["list", "--json"], 0);
    let dumps = listed["dumps"].as_array().expect("a list");
    let linked: Vec<_> = dumps.iter().filter(|dump| dump["linked"] == true).collect();
    assert_eq!((linked.len(), dumps.len()), (2, 5), "{listed}");
    for dump in linked {
        let alone = dump["unique_bytes"].as_u64().expect("a size");
        assert!(alone < 100_000, "the other has the file: {dump}");
    }
    let status = object(&["status", "--json"], 3);
    let newest = &status["roots"][0]["checkpoint"];
    assert_eq!(newest["name"], json!(chain[1]));
    assert_eq!(newest["linked"], true);
    let usage = object(&["du", "--json"], 0);
    let copies = usage["generations"].as_array().expect("a list");
    let kinds: Vec<_> = copies
        .iter()
        .map(|one| (&one["linked"], &one["dumps"]))
        .collect();
    assert_eq!(
        kinds,
        [(&json!(false), &json!(3)), (&json!(true), &json!(2))]
    );
    let (printed, _) = ends(ground.dumpctl(&["du"]), 0);
    for words in [
        "2 full copies of tree: since 2020-01 (",
        "); linked checkpoints since 2020-01 (",
    ] {
        assert!(printed.contains(words), "{printed}");
    }
}

#[test]
fn a_checkpoint_says_how_many_dumps_use_its_files() {
    let (ground, checkpoint, later) = generations();
    let plan = |dump: &str| -> (u64, Value, String) {
        let dry = |more: &str| ends(ground.dumpctl(&["remove", "-n", more, dump]), 0).0;
        let object: Value = serde_json::from_str(&dry("--json")).expect("an object");
        let removed = &object["removed"][0];
        let freed = removed["freed_bytes"].as_u64().expect("a size");
        (freed, removed["used_by"].clone(), dry("--no-progress"))
    };
    // Only its directories go.
    let (freed, users, line) = plan(&checkpoint);
    assert_eq!(users, json!(2));
    assert!(freed < 100_000, "{freed}");
    assert!(line.ends_with(" freed: 2 dumps use its files\n"), "{line}");
    // Older dumps do not need it, and it needs none of them.
    assert_eq!(plan("2020/0101/0100").1, json!(1));
    // When the others go with it, nothing uses it.
    let words = ["remove", "-n", "--json", &checkpoint, &later[0], &later[1]];
    let object: Value = serde_json::from_str(&ends(ground.dumpctl(&words), 0).0).expect("one");
    let removed = object["removed"].as_array().expect("a list");
    assert!(removed.iter().all(|one| one["used_by"] == 0), "{object}");
    assert!(
        object["freed_bytes"]
            .as_u64()
            .is_some_and(|freed| freed > 100_000)
    );
    // Without the catalog nobody knows.
    fs::remove_file(ground.root().join(".dump/catalog.db")).expect("removed");
    let (_, users, line) = plan(&checkpoint);
    assert_eq!(users, Value::Null);
    assert!(line.ends_with(" freed\n"), "{line}");
}

#[test]
fn a_list_says_of_checkpoints_how_many_dumps_use_their_files() {
    let (ground, checkpoint, _) = generations();
    let (listed, _) = ends(ground.dumpctl(&["list"]), 0);
    let row = listed.lines().find(|line| line.starts_with(&checkpoint));
    let row = row.expect("listed");
    assert!(row.contains("checkpoint"), "{listed}");
    let head = listed.lines().next().expect("a head");
    assert!(head.contains("USED BY"), "{listed}");
    assert!(row.contains(" 2 dumps"), "{listed}");
    let listed = ends(ground.dumpctl(&["list", "--json"]), 0).0;
    let object: Value = serde_json::from_str(&listed).expect("an object");
    let listed = object["dumps"].as_array().expect("a list");
    let of = |name: &str| {
        listed
            .iter()
            .find(|one| one["name"] == name)
            .expect("listed")
    };
    assert_eq!(of(&checkpoint)["used_by"], 2);
    assert_eq!(of("2020/0101/0100")["used_by"], Value::Null);
}

#[test]
fn what_may_not_go_stays_with_the_reason() {
    let ground = Ground::new();
    symlink("2030/0101/0200", ground.root().join("before-upgrade")).expect("linked");
    for (dump, reason) in [
        (
            "2030/0102/0400",
            "kept 2030/0102/0400: the link 'current' names it; take another dump first",
        ),
        (
            "current",
            "kept 2030/0102/0400: the link 'current' names it",
        ),
        (
            "2030/0101/0100",
            "the link 'current_chk' names it; make a checkpoint first",
        ),
        (
            "before-upgrade",
            "the pin 'before-upgrade' keeps it; remove that first, with 'dumpctl unpin",
        ),
    ] {
        let (printed, said) = ends(ground.dumpctl(&["remove", "--force", dump]), 1);
        assert!(said.contains(reason), "{said}");
        assert_eq!(printed, "");
    }
    // The others go anyway.
    let words = ["remove", "--force", "--json", "2030/0102/0300", "current"];
    let (printed, said) = ends(ground.dumpctl(&words), 23);
    assert!(said.contains("kept 2030/0102/0400"), "{said}");
    let object: Value = serde_json::from_str(&printed).expect("an object");
    assert_eq!(object["status"], "partial");
    assert_eq!(object["left"][0]["reason"], "linked");
    assert_eq!(object["left"][0]["name"], "2030/0102/0400");
    assert!(!ground.has("2030/0102/0300") && ground.has("2030/0102/0400/tree/own"));
}

#[test]
fn what_is_named_must_be_a_dump() {
    let ground = Ground::new();
    for (what, code, text) in [
        (
            "2030/0101",
            2,
            "2030/0101 is a day with 2 dumps; name the ones",
        ),
        ("2030", 2, "2030 is a year with 4 dumps; name the ones"),
        (
            "2030/0101/0200/tree",
            2,
            "is inside the dump 2030/0101/0200; name the dump itself",
        ),
        (
            "2030/0101/0130",
            1,
            "has no dump 2030/0101/0130; the nearest are 2030/0101/0100, 2030/0101/0200",
        ),
        ("letter", 1, "letter is neither a dump of"),
    ] {
        // One that is wrong keeps all of them.
        let words = ["remove", "--force", "2030/0101/0200", what];
        let (_, said) = ends(ground.dumpctl(&words), code);
        assert!(said.contains(text), "{said}");
        assert!(ground.has("2030/0101/0200/tree/own"));
    }
    let (printed, _) = ends(
        ground.dumpctl(&["remove", "--force", "--json", "letter"]),
        1,
    );
    let object: Value = serde_json::from_str(&printed).expect("an object");
    assert_eq!(
        (&object["status"], &object["schema"]),
        (&json!("failed"), &json!(1))
    );
    assert!(
        object["error"]
            .as_str()
            .is_some_and(|error| error.contains("letter"))
    );
}

#[test]
fn a_dump_of_another_root_is_told_as_such() {
    let (ground, other) = (Ground::new(), Ground::new());
    for name in ["2030/0101/0200", "current"] {
        let path = other.root().join(name);
        let path = path.to_str().expect("text");
        let (_, said) = ends(ground.dumpctl(&["remove", "--force", path]), 1);
        let of = other.root().display().to_string();
        assert!(
            said.contains(&format!("{path} is a dump of {of}, not of")),
            "{said}"
        );
        assert!(said.contains("with --dump"), "{said}");
    }
    assert!(other.has("2030/0101/0200"));
}

#[test]
fn a_link_that_is_almost_a_pin_is_told_of() {
    let ground = Ground::new();
    for (name, target) in [("pin", "2030/0101/0200"), ("almost", "2030/0101/0100/tree")] {
        symlink(target, ground.root().join(name)).expect("made");
    }
    let told = |words: &[&str]| ends(ground.dumpctl(words), 0).1;
    let said = told(&["remove", "-n", "-v", "2030/0102/0300"]);
    assert!(
        said.contains("/almost is not a pin and keeps no dump"),
        "{said}"
    );
    assert!(!said.contains("/pin is not"), "{said}");
    let said = told(&["remove", "-n", "2030/0102/0300"]);
    assert!(!said.contains("almost"), "{said}");
}

/// The dump root is there and empty: its disk may not be mounted.
#[test]
fn a_root_without_any_dump_is_told_as_such() {
    let ground = Ground::new();
    fs::remove_dir_all(ground.root()).expect("removed");
    fs::create_dir(ground.root()).expect("made");
    for dump in ["2030/0101/0200", "letter"] {
        let (_, said) = ends(ground.dumpctl(&["remove", "--force", dump]), 1);
        let words = "dump has no link 'current'; either its disk is not mounted, or it has no dump";
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn the_options_of_the_program_stand_before_a_word_or_behind_it() {
    let ground = Ground::new();
    let root = ground.root();
    let root = root.to_str().expect("text");
    let behind = ["remove", "-n", "2030/0101/0200", "--dump", root, "--json"];
    let before = ["--json", "--dump", root, "remove", "-n", "2030/0101/0200"];
    let [behind, before] = [behind, before].map(|words| {
        let mut command = ground.dumpctl(&words);
        command.env_remove("DUMPROOT");
        ends(command, 0).0
    });
    assert!(before.contains("\"dry_run\":true"), "{before}");
    assert_eq!(before, behind);
    let listed = |words: &[&str]| ends(ground.dumpctl(words), 0).0;
    let settings = listed(&["--print-config", "-j", "3"]);
    assert!(
        settings.contains(&format!("dump = \"{root}\"")),
        "{settings}"
    );
    assert!(settings.contains("\njobs = 3 "), "{settings}");
    for words in [
        ["--print-config", "remove", "-j3"],
        ["remove", "--print-config", "-j3"],
    ] {
        assert_eq!(listed(&words), settings, "{words:?}");
    }
    let (_, stderr) = ends(ground.dumpctl(&["remove"]), 2);
    assert!(stderr.contains("name the dump to remove"), "{stderr}");
}

#[test]
fn without_a_terminal_it_takes_force() {
    let ground = Ground::new();
    let (_, said) = ends(ground.dumpctl(&["remove", "2030/0101/0200"]), 1);
    assert!(said.contains("--force"), "{said}");
    assert!(ground.has("2030/0101/0200/tree/own"));
    ends(ground.dumpctl(&["remove", "--force"]), 2);
}

#[test]
#[ignore = "needs script"]
fn on_a_terminal_it_asks() {
    let ground = with_catalog();
    let program = env!("CARGO_BIN_EXE_dumpctl");
    let answer = |answer: &str, dumps: &str, code: i32| {
        let line =
            format!("printf '{answer}\\n' | script -qec '{program} remove {dumps}' /dev/null");
        let mut command = ground.dumpctl(&[]);
        let shield = command
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)));
        let shield: Vec<_> = shield.collect();
        command = Command::new("sh");
        command.env_clear().args(["-c", &line]);
        command.envs(
            shield
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let (printed, _) = ends(command, code);
        printed
    };
    let asked = answer("n", "2030/0101/0200", 0);
    assert!(asked.contains("dumpctl: 2030/0101/0200 frees "), "{asked}");
    let question = ": 3 dumps use its files; remove it? [y/N]";
    assert!(asked.contains(question), "{asked}");
    assert!(ground.has("2030/0101/0200/tree/own"));
    let asked = answer("y", "2030/0101/0200 2030/0102/0300 2030/0102/0400", 23);
    assert!(asked.contains("  2030/0102/0300: 5 entries, "), "{asked}");
    assert!(asked.contains(" to free: 2 dumps use its files"), "{asked}");
    assert!(!asked.contains("dry run"), "{asked}");
    let kept = asked.matches("kept 2030/0102/0400: ").count();
    assert_eq!(kept, 1, "{asked}");
    assert!(asked.contains("remove these 2 dumps, and free "), "{asked}");
    assert!(!ground.has("2030/0101/0200") && !ground.has("2030/0102/0300"));
}

#[test]
fn a_root_that_a_run_holds_and_a_dump_that_is_read_are_left() {
    let ground = Ground::new();
    let root = DumpRoot::open(ground.root()).expect("opened");
    let lock = root.lock().expect("locked");
    ends(ground.dumpctl(&["remove", "--force", "2030/0101/0200"]), 75);
    drop(lock);
    let reader = File::open(ground.root().join("2030/0101/0200")).expect("opened");
    flock(&reader, FlockOperation::LockShared).expect("held");
    let (_, said) = ends(ground.dumpctl(&["remove", "--force", "2030/0101/0200"]), 23);
    assert!(said.contains("another program is reading it"), "{said}");
    assert!(ground.has("2030/0101/0200/tree/own"));
}

#[test]
#[ignore = "needs strace"]
fn a_signal_stops_it_and_the_next_run_finishes() {
    let ground = Ground::new();
    let dump = ground.root().join("2030/0101/0200/tree/dir");
    for number in 0..500 {
        fs::create_dir(dump.join(number.to_string())).expect("made");
    }
    let command = ground.dumpctl(&["remove", "--force", "-j1", "2030/0101/0200"]);
    let slow = Inject::delay("unlinkat", 20_000);
    let mut child = inject(&command, &[slow]).spawn().expect("it runs");
    while !ground.has(".dump/removing/2030-0101-0200") {
        assert!(child.try_wait().expect("asked").is_none(), "too soon");
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(traced(&child), Signal::TERM).expect("sent");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
    // To remove all of it takes ten seconds.
    let left = fs::read_dir(ground.root().join(".dump/removing/2030-0101-0200/tree/dir"));
    let left = left.expect("listed").count();
    assert!(left > 250, "{left}");
    assert!(!ground.has("2030/0101/0200") && ground.has(".dump/removing"));
    ground.dump("2030-01-03T00:00");
    assert!(!ground.has(".dump/removing"));
}

/// Each dump that it did not come to is named, for people and for machines.
#[test]
#[ignore = "needs strace"]
fn what_it_did_not_come_to_is_named() {
    for as_json in [false, true] {
        let ground = Ground::new();
        let mut command = ground.dumpctl(&["remove", "--force"]);
        command.args(["2030/0101/0200", "2030/0102/0300"]);
        command.args(as_json.then_some("--json"));
        // Within the time that a run is given to stop.
        let slow = Inject::delay("fsync", 1_000_000).when(1);
        let mut command = inject(&command, &[slow]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
        while !ground.has(".dump/removing/2030-0101-0200") {
            assert!(child.try_wait().expect("asked").is_none(), "too soon");
            std::thread::sleep(Duration::from_millis(5));
        }
        kill_process(traced(&child), Signal::INT).expect("sent");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130));
        assert!(!ground.has("2030/0101/0200") && ground.has("2030/0102/0300"));
        let printed = String::from_utf8(output.stdout).expect("text");
        if as_json {
            let object: Value = serde_json::from_str(&printed).expect("an object");
            assert_eq!(object["remaining"], json!(["2030/0102/0300"]));
            assert_eq!(object["removed"][0]["name"], "2030/0101/0200");
        } else {
            assert!(
                printed.contains("still there: 2030/0102/0300\n"),
                "{printed}"
            );
            assert_eq!(printed.matches("still there").count(), 1, "{printed}");
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn a_dump_that_the_disk_does_not_let_go_has_its_name_again() {
    let ground = Ground::new();
    let rest = ground.root().join(".dump/removing/2018-0101-0000/tree");
    fs::create_dir_all(&rest).expect("made");
    let removing = ground.root().join(".dump/removing");
    let words = ["remove", "--force", "2030/0101/0200"];
    let flush = || Inject::error("fsync", "EIO").on(&removing);
    let command = inject(&ground.dumpctl(&words), &[flush()]);
    let (printed, said) = ends(command, 23);
    assert!(said.contains("kept 2030/0101/0200: "), "{said}");
    assert!(!printed.contains("removed 2030"), "{printed}");
    assert!(ground.has("2030/0101/0200/tree/dir/same"));
    assert!(rest.exists(), "nothing else is finished then");
    // Nor may it get its name back: it is on its way out, and still whole.
    let faults = [flush(), Inject::error("renameat2", "EIO").when(2)];
    let command = inject(&ground.dumpctl(&words), &faults);
    let (printed, said) = ends(command, 23);
    assert!(said.contains("2030/0101/0200"), "{said}");
    assert!(!said.contains("kept 2030"), "{said}");
    assert!(!ground.has("2030/0101/0200"), "{printed}");
    assert!(removing.join("2030-0101-0200/tree/dir/same").exists());
    ends(ground.dumpctl(&["remove", "--force", "2030/0102/0300"]), 0);
    assert!(!removing.exists());
}

#[test]
#[ignore = "needs root to become another user"]
fn a_plain_users_read_only_directories_go() {
    let user = PlainUser::new();
    let (tree, root) = (user.home().join("tree"), user.home().join("dump"));
    let sh = |script: &str| {
        let status = user.command("sh").args(["-c", script]).status();
        assert!(status.expect("it runs").success(), "{script}");
    };
    sh(
        "mkdir -p dump tree/mod/x@v1/sub && echo text >tree/mod/x@v1/sub/file && chmod -R a-w tree/mod/x@v1",
    );
    // As root they would not be in the way.
    for minute in common::MINUTES {
        let snapshot = Snapshot::new(&root).main(&tree);
        let init = fs::symlink_metadata(root.join("current")).is_err();
        let snapshot = snapshot.init(init).at(minute.parse().expect("a minute"));
        snapshot.run().expect("published");
    }
    let given = Command::new("chown")
        .args(["-R", "12345:12345"])
        .arg(&root)
        .status();
    assert!(given.expect("it runs").success());
    let shared = root.join("2030/0102/0300/tree/mod/x@v1/sub");
    let modes = |path: &Path| {
        let mode = |path: &Path| fs::metadata(path).expect("there").mode();
        (mode(path), mode(&path.join("file")))
    };
    let before = modes(&shared);
    fs::set_permissions(
        root.join("2030/0101/0200"),
        fs::Permissions::from_mode(0o555),
    )
    .expect("closed");
    let mut command = user.command(env!("CARGO_BIN_EXE_dumpctl"));
    command
        .args(["remove", "--force", "2030/0101/0200", "--dump"])
        .arg(&root);
    ends(command, 0);
    assert!(!root.join("2030/0101/0200").exists() && !root.join(".dump/removing").exists());
    assert_eq!(modes(&shared), before);
}

#[test]
#[ignore = "needs strace"]
fn it_gives_way_when_that_is_asked_for() {
    let ground = Ground::new();
    let is_idle = |words: &[&str]| {
        let mut command = ground.dumpctl(&["remove", "-n", "2030/0101/0200"]);
        command.args(words);
        let lines = trace(&command, "sched_setscheduler,ioprio_set");
        lines.iter().any(|line| line.contains("SCHED_IDLE"))
    };
    assert!(is_idle(&["--idle"]));
    assert!(!is_idle(&[]));
    let file = ground.at("dump.toml");
    fs::write(&file, "idle = true\n").expect("written");
    let file = file.to_str().expect("text");
    assert!(is_idle(&["--config", file]));
    assert!(!is_idle(&["--config", file, "--no-idle"]));
}
