//! `dumpctl prune` as a person, and a timer, meet it.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use common::{Ground, ends};
use dumpcore::DumpRoot;
use fixtures::Fingerprint;
use fixtures::usage::assert_refused;
use serde_json::{Value, json};

const MINUTES: [&str; 5] = [
    "2020-01-01T01:00",
    "2020-01-01T02:00",
    "2020-01-02T03:00",
    "2020-01-02T04:00",
    "2020-01-03T05:00",
];

/// Five dumps of three days, and this configuration of their tree.
fn with(config: &str) -> Ground {
    let ground = Ground::empty();
    fs::write(ground.at("tree/dir/same"), vec![1; 100_000]).expect("written");
    for minute in MINUTES {
        fs::write(ground.at("tree/own"), vec![2; 50_000]).expect("written");
        ground.dump(minute);
    }
    configure(&ground, config);
    ground
}

fn configure(ground: &Ground, config: &str) {
    let places = "main = \"../../tree\"\ndump = \"../../dump\"\nlog = \"stderr\"\n";
    fixtures::shield::configure(&ground.at(""), &format!("{places}{config}"));
}

fn names(ground: &Ground) -> Vec<String> {
    let root = DumpRoot::open(ground.root()).expect("opened");
    let names = root.list().expect("listed").into_iter();
    names.map(|name| name.to_string()).collect()
}

fn object(printed: &str) -> Value {
    serde_json::from_str(printed).expect(printed)
}

#[test]
fn a_dry_run_shows_what_goes_and_why_the_rest_stays() {
    let ground = with("[keep]\ndaily = 2\n");
    let before = Fingerprint::of(&ground.root());
    let (printed, said) = ends(ground.dumpctl(&["prune", "-n"]), 0);
    let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(lines[0]), ["NAME", "AGE", "KEPT", "BY"]);
    let expected = [
        ("keep", "2020/0101/0100", "current_chk"),
        ("remove", "2020/0101/0200", "-"),
        ("remove", "2020/0102/0300", "-"),
        ("keep", "2020/0102/0400", "daily"),
        ("keep", "2020/0103/0500", "current, newest, daily"),
    ];
    for (line, (fate, name, why)) in lines[1..].iter().zip(expected) {
        assert!(line.starts_with(fate) && line.contains(name), "{line}");
        assert!(line.ends_with(&format!("  {why}")), "{line}");
    }
    assert!(
        lines[6].starts_with("dry run: would remove 2 of 5 dumps and free "),
        "{printed}"
    );
    assert!(lines[6].ends_with("; 3 stay"), "{printed}");
    assert_eq!((lines.len(), said.as_str()), (7, ""));
    before.assert_unchanged(&ground.root());
}

#[test]
fn the_plan_and_what_was_done_are_objects() {
    let ground = with("[keep]\ndaily = 2\n");
    let planned = object(&ends(ground.dumpctl(&["prune", "-n", "--json"]), 0).0);
    let head = json!({
        "schema": 1, "program": "dumpctl", "command": "prune", "status": "complete", "exit": 0,
        "dump_root": ground.root(), "dry_run": true, "brake": null, "shortage": null,
        "without_policy": [],
        "keep": [
            {"name": "2020/0101/0100", "reasons": ["current_chk"]},
            {"name": "2020/0102/0400", "reasons": ["daily"]},
            {"name": "2020/0103/0500", "reasons": ["current", "newest", "daily"]},
        ],
        "remove": [
            {"name": "2020/0101/0200", "why": "rules"},
            {"name": "2020/0102/0300", "why": "rules"},
        ],
    });
    for (key, value) in head.as_object().expect("an object") {
        assert_eq!(&planned[key], value, "{key}");
    }
    let done = object(&ends(ground.dumpctl(&["prune", "--json"]), 0).0);
    for key in ["keep", "remove", "freed_bytes", "status"] {
        assert_eq!(planned[key], done[key], "{key}");
    }
    assert_eq!(done["removed"][1]["name"], "2020/0102/0300");
    assert_eq!((&done["faults"], &done["left"]), (&json!([]), &json!([])));
    assert_eq!(
        names(&ground),
        ["2020/0101/0100", "2020/0102/0400", "2020/0103/0500"]
    );
}

#[test]
fn by_configuration_it_runs_without_a_terminal_and_by_options_with_force() {
    let ground = with("[keep]\ndaily = \"all\"\n");
    let (_, said) = ends(ground.dumpctl(&["prune", "--keep-last", "1"]), 1);
    assert!(
        said.contains("no terminal to ask on; --force prunes by options"),
        "{said}"
    );
    assert_eq!(names(&ground).len(), 5);
    let (printed, _) = ends(ground.dumpctl(&["prune"]), 0);
    assert!(printed.starts_with("removed 1 dump, "), "{printed}");
    assert!(printed.ends_with(" freed; 4 stay\n"), "{printed}");
    let words = ["prune", "-v", "--keep-last", "1", "--force"];
    let (printed, _) = ends(ground.dumpctl(&words), 0);
    assert!(printed.contains("removed 2020/0102/0400: "), "{printed}");
    assert_eq!(names(&ground), ["2020/0101/0100", "2020/0103/0500"]);
    let (printed, _) = ends(ground.dumpctl(&["prune"]), 0);
    assert_eq!(printed, "nothing to remove; 2 dumps stay\n");
}

#[test]
#[ignore = "needs script"]
fn on_a_terminal_it_asks() {
    let ground = with("[keep]\ndaily = 2\n");
    let program = env!("CARGO_BIN_EXE_dumpctl");
    let ask = |answer: &str| {
        let on = format!("stty cols 60; {program} prune");
        let line = format!("printf '{answer}\\n' | script -qec '{on}' /dev/null");
        let shield = ground.dumpctl(&[]);
        let mut command = Command::new("sh");
        command.env_clear().args(["-c", &line]);
        for (name, value) in shield.get_envs() {
            command.env(name, value.expect("a value"));
        }
        ends(command, 0).0
    };
    let shown = ask("n");
    let question = "dumpctl: remove these 2 of 5 dumps, and free ";
    assert!(shown.contains("dumpctl: no policy keeps:"), "{shown}");
    assert!(shown.contains("  2020/0101/0200  "), "{shown}");
    assert!(
        shown.contains(question) && shown.contains("? [y/N]"),
        "{shown}"
    );
    assert_eq!(names(&ground).len(), 5);
    let shown = ask("y");
    assert!(shown.contains("removed 2 dumps, "), "{shown}");
    assert_eq!(names(&ground).len(), 3);
}

/// Dumps made by hand, of each hour of the first days of 2019.
fn many(ground: &Ground, number: usize) {
    for at in 0..number {
        let name = format!("2019/01{:02}/{:02}00/tree", at / 24 + 1, at % 24);
        fs::create_dir_all(ground.root().join(name)).expect("made");
    }
}

#[test]
fn so_many_at_once_take_a_person_or_force() {
    let ground = with("[keep]\nlast = 3\n");
    many(&ground, 60);
    let (printed, said) = ends(ground.dumpctl(&["prune", "--json"]), 23);
    let braked = "not pruned: the policy would remove 61 of 65 dumps of tree at once; look at the \
                  plan with 'dumpctl prune -n'";
    assert!(said.contains(braked), "{said}");
    let told = object(&printed);
    assert_eq!(told["status"], "partial");
    assert_eq!(
        told["brake"],
        json!({"tree": "tree", "remove": 61, "of": 65, "why": "many"})
    );
    assert_eq!(told["freed_bytes"], 0);
    assert_eq!(names(&ground).len(), 65);
    let (printed, said) = ends(ground.dumpctl(&["prune", "-n"]), 0);
    let note = "\n61 of 65 dumps of tree would go at once: without a terminal nothing is removed";
    assert!(printed.contains(note), "{printed}");
    assert_eq!(said, "");
    ends(ground.dumpctl(&["prune", "--force"]), 0);
    assert_eq!(names(&ground).len(), 4);
}

#[test]
fn so_many_of_all_trees_at_once_are_told() {
    let other = "[set.other]\nmain = \"/nowhere/other\"\n[set.other.keep]\nlast = 34\n";
    let ground = with(&format!("[keep]\nlast = 38\n{other}"));
    // Of none of them more than 50.
    for at in 0..120 {
        let tree = ["tree", "other"][at % 2];
        let name = format!("2019/01{:02}/{:02}00/{tree}", at / 24 + 1, at % 24);
        fs::create_dir_all(ground.root().join(name)).expect("made");
    }
    let by = ["prune", "-n"];
    let (printed, _) = ends(ground.dumpctl(&by), 0);
    let note = "of 125 dumps of all trees would go at once: without a terminal nothing is removed";
    assert!(printed.contains(note), "{printed}");
    let (printed, _) = ends(ground.dumpctl(&[&by[..], &["--json"]].concat()), 0);
    let told = object(&printed);
    let goes = told["remove"].as_array().expect("a list").len();
    assert!(goes > 50, "{told}");
    assert_eq!(
        told["brake"],
        json!({"tree": null, "remove": goes, "of": 125, "why": "many"})
    );
}

#[test]
fn wrong_policies_are_refused() {
    let ground = with("");
    let calls: &[(&[&str], &str)] = &[
        (&["prune", "--keep-daily=0"], "'0' would keep nothing"),
        (&["prune", "--keep-daily", "-3"], "'-3' would keep nothing"),
        (
            &["prune", "--keep-daily=2w3"],
            "'2w3' is not a span of time",
        ),
        (
            &["prune", "--keep-within=7"],
            "'7' is not a span of time: use numbers with min, h, d, w",
        ),
        (&["prune", "--keep-hourly=6M"], "6min or 6mo?"),
        (
            &["prune", "--keep-checkpoints=2"],
            "no rule says which dumps stay",
        ),
        (
            &["prune", "--keep-last=1", "--keep-checkpoints=0"],
            "'0' would keep nothing",
        ),
        (&["prune", "--free=10"], "a part of the disk such as 10%"),
        (&["prune", "--at-least=7d"], "--at-least belongs to --free"),
        (
            &["prune"],
            "no policy says which dumps of tree stay: write [keep]",
        ),
        (&["prune", "dump"], "'dump'"),
    ];
    assert_refused("dumpctl", || ground.dumpctl(&[]), calls);
    for (keep, said) in [
        (
            "[keep]\nhourly = 0\n",
            "dump.toml:5:10: '0' would keep nothing",
        ),
        ("[keep]\n", "dump.toml:4:1: no rule says which dumps stay"),
        (
            "[keep]\nhourli = 2\n",
            "unknown key `hourli`; did you mean `hourly`?",
        ),
    ] {
        configure(&ground, keep);
        assert_refused("dumpctl", || ground.dumpctl(&[]), &[(&["prune"], said)]);
        // What only looks is not kept from it.
        let (_, told) = ends(ground.dumpctl(&["list"]), 0);
        assert!(told.contains(said), "{told}");
    }
    // Months may be `m` here, as restic has them.
    configure(&ground, "[keep]\nmonthly = \"6m\"\n");
    ends(ground.dumpctl(&["prune", "-n"]), 0);
    assert_eq!(names(&ground).len(), 5);
}

#[test]
fn of_several_trees_one_is_chosen() {
    let ground = with("[keep]\nlast = 1\n[set.mail]\nmain = \"../../mail\"\nkeep.last = 1\n");
    for at in 1..=3 {
        let dir = ground.root().join(format!("2019/010{at}/0000/mail"));
        fs::create_dir_all(dir).expect("made");
    }
    let photos = ground.root().join("2018/0101/0000/photos");
    fs::create_dir_all(photos).expect("made");
    let goes = |words: &[&str]| -> Vec<String> {
        let words = [&["prune", "-n", "--json"], words].concat();
        let plan = object(&ends(ground.dumpctl(&words), 0).0);
        let remove = plan["remove"].as_array().expect("a list");
        let names = remove
            .iter()
            .map(|goes| goes["name"].as_str().expect("a name"));
        names.map(str::to_owned).collect()
    };
    let mail = ["2019/0101/0000", "2019/0102/0000"];
    let tree = ["2020/0101/0200", "2020/0102/0300", "2020/0102/0400"];
    assert_eq!(goes(&[]), [&mail[..], &tree[..]].concat());
    assert_eq!(goes(&["--set", "mail"]), mail);
    assert_eq!(goes(&["--tree", "tree"]), tree);
    assert_eq!(goes(&["--tree", "mail", "--keep-last", "2"]), mail[..1]);
    let (_, said) = ends(ground.dumpctl(&["prune", "-n", "--keep-last", "2"]), 2);
    assert!(
        said.contains("several trees (mail, photos, tree): choose one with --tree"),
        "{said}"
    );
    let (_, said) = ends(ground.dumpctl(&["prune", "-n", "--tree", "musik"]), 1);
    assert!(
        said.contains("no dump holds a tree musik; there are mail, photos, tree"),
        "{said}"
    );
    // A tree that no set names is left alone, and named.
    let (_, said) = ends(ground.dumpctl(&["prune", "-n"]), 0);
    assert!(
        said.contains("photos has no policy: its one dump stays; see"),
        "{said}"
    );
}

#[test]
fn the_second_dump_root_has_a_policy_of_its_own() {
    let config = "[keep]\nlast = 1\n[slave]\ndump = \"../../slave\"\n[slave.keep]\nlast = 2\n";
    let ground = with(config);
    let copied = Command::new("cp")
        .arg("-a")
        .args([ground.root(), ground.at("slave")])
        .status();
    assert!(copied.expect("run").success());
    let goes = |root: &str| {
        let root = ground.at(root);
        let root = root.to_str().expect("text");
        let plan = ends(
            ground.dumpctl(&["prune", "-n", "--json", "--dump", root]),
            0,
        )
        .0;
        object(&plan)["remove"].as_array().expect("a list").len()
    };
    // Where dumpslave takes its dumps from, it has one that it takes next: here
    // that is the newest.
    assert_eq!((goes("dump"), goes("slave")), (3, 2));
}

#[test]
fn a_run_is_waited_for_by_nobody_and_leftovers_are_finished() {
    let ground = with("[keep]\nlast = 1\n");
    let root = DumpRoot::open(ground.root()).expect("opened");
    let lock = root.lock().expect("locked");
    let (_, said) = ends(ground.dumpctl(&["prune"]), 75);
    assert!(said.contains("another run"), "{said}");
    drop(lock);
    let left = ground.root().join(".dump/removing/2018-0101-0000/tree");
    fs::create_dir_all(&left).expect("made");
    let (printed, _) = ends(ground.dumpctl(&["prune"]), 0);
    assert!(printed.contains("left by an earlier removal"), "{printed}");
    assert!(!left.exists());
    assert_eq!(names(&ground).len(), 2);
}

#[test]
fn the_list_says_which_rules_keep_a_dump() {
    let ground = with("[keep]\ndaily = 2\n");
    symlink("2020/0102/0300", ground.root().join("before-upgrade")).expect("linked");
    let listed = object(&ends(ground.dumpctl(&["list", "--json"]), 0).0);
    let dumps = listed["dumps"].as_array().expect("a list");
    let keep: Vec<&Value> = dumps.iter().map(|dump| &dump["keep"]).collect();
    let expected = [
        json!(["current_chk"]),
        json!([]),
        json!(["pin"]),
        json!(["daily"]),
        json!(["current", "newest", "daily"]),
    ];
    assert_eq!(keep, expected.iter().collect::<Vec<_>>());
    let (printed, _) = ends(ground.dumpctl(&["list", "--last", "3"]), 0);
    assert!(printed.contains("  before-upgrade\n"), "{printed}");
    assert!(printed.contains("  current, newest, daily\n"), "{printed}");
    // Without a policy links alone are told.
    configure(&ground, "");
    let (printed, _) = ends(ground.dumpctl(&["list", "--last", "1"]), 0);
    assert!(printed.ends_with("  current\n"), "{printed}");
}

#[test]
fn different_trees_of_one_name_are_left_and_told() {
    let sets = "[set.a]\nmain = \"../../a/tree\"\n[keep]\nlast = 1\n";
    let ground = with(sets);
    let told = "different trees are dumped under the name tree: ";
    let (printed, said) = ends(ground.dumpctl(&["prune"]), 23);
    assert!(said.contains(told) && said.contains("(set a)"), "{said}");
    assert_eq!(printed, "nothing to remove; 5 dumps stay\n");
    let (printed, _) = ends(ground.dumpctl(&["status"]), 3);
    assert!(printed.contains(told), "{printed}");
    // Nor by rules for one of them, of which nobody can tell the dumps.
    for words in [
        &["--keep-last", "1"][..],
        &["--set", "a", "--keep-last", "1"],
        &["--set", "dump", "--keep-last", "1"],
        &["--set", "a", "--free", "99%"],
    ] {
        for force in ["--force", "-n"] {
            let words = [&["prune", force], words].concat();
            let (_, said) = ends(ground.dumpctl(&words), 2);
            let told = said.contains(told) && said.contains("with --tree tree");
            assert!(told, "{words:?}: {said}");
        }
    }
    assert_eq!(names(&ground).len(), 5);
    // A person may say which dumps of both stay.
    let by = ["prune", "--tree", "tree", "--keep-last", "1", "--force"];
    ends(ground.dumpctl(&by), 0);
    assert_eq!(names(&ground).len(), 2);
}

#[test]
fn a_policy_is_for_the_dump_root_of_its_set() {
    let off = "[set.off]\nmain = \"../../tree\"\n[set.off.slave]\ndump = \"../../slave\"\n";
    let ground = with(&format!("[keep]\nlast = 1\n{off}"));
    for copy in ["archive", "slave"] {
        let mut copying = Command::new("cp");
        let copied = copying.arg("-a").args([ground.root(), ground.at(copy)]);
        assert!(copied.status().expect("run").success());
    }
    let at = |root: &str| ground.at(root).to_str().expect("text").to_owned();
    for (words, said) in [
        (vec![], "[keep] is for the dump root "),
        (vec!["--set", "off"], "no policy says which dumps of tree"),
    ] {
        for root in ["archive", "slave"] {
            let root = at(root);
            let words = [&["prune", "--dump", &root], &words[..]].concat();
            let (_, told) = ends(ground.dumpctl(&words), 2);
            assert!(told.contains(said), "{words:?}: {told}");
        }
    }
    let archive = at("archive");
    let by = ["prune", "--dump", &archive, "--keep-last", "1", "--force"];
    ends(ground.dumpctl(&by), 0);
    let root = DumpRoot::open(ground.at("archive")).expect("opened");
    assert_eq!(root.list().expect("listed").len(), 2);
    assert_eq!(names(&ground).len(), 5);
}

/// Where there are years of dumps, each call counts.
#[test]
#[ignore = "needs strace"]
fn a_plan_takes_few_calls_for_each_dump() {
    let ground = with("[keep]\nlast = 10000\n");
    let mut made = 0;
    let mut calls = |months: [u32; 2]| {
        for (month, day, hour) in months.into_iter().flat_map(|month| {
            (1..=28).flat_map(move |day| (0..24).map(move |hour| (month, day, hour)))
        }) {
            let dump = format!("2019/{month:02}{day:02}/{hour:02}00/tree");
            fs::create_dir_all(ground.root().join(dump)).expect("made");
            made += 1;
        }
        let calls = fixtures::strace::count_syscalls(&ground.dumpctl(&["prune", "-n", "-q"]));
        (made, calls.values().sum::<u64>())
    };
    let (few, many) = (calls([1, 2]), calls([3, 4]));
    let each = (many.1 - few.1) as f64 / f64::from(many.0 - few.0);
    assert!(each < 10.0, "{each} calls for each dump");
}
