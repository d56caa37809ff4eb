//! Questions on a terminal: only a yes is one; a no, the end of the input and a
//! signal change nothing, and each ends as it is documented.

mod common;

use std::fs;
use std::process::Command;

use common::Ground;
use fixtures::Fingerprint;
use fixtures::terminal::{Reply, Signal, at_question};
use serde_json::Value;

/// A file that was changed since it was dumped, and a policy that lets dumps go.
fn ground() -> Ground {
    let ground = Ground::empty();
    fs::write(ground.at("tree/dir/same"), "the same").expect("written");
    fs::write(ground.at("tree/own"), "as dumped").expect("written");
    for minute in ["2020-01-01T01:00", "2020-01-01T02:00", "2020-01-02T03:00"] {
        ground.dump(minute);
    }
    fixtures::shield::configure(
        &ground.at("."),
        &format!(
            "main = {:?}\ndump = {:?}\n[keep]\nlast = 1\n",
            ground.at("tree"),
            ground.root()
        ),
    );
    fs::write(ground.at("tree/own"), "changed since").expect("written");
    ground
}

/// Each command that asks, with what makes it ask.
const WORDS: [(&str, &[&str]); 4] = [
    ("prune", &[]),
    ("remove", &["2020/0101/0200"]),
    ("erase", &["tree/dir/same"]),
    ("restore", &["--in-place", "tree/own"]),
];

fn asking(ground: &Ground, word: &str, args: &[&str], json: bool) -> Command {
    let mut command = ground.dumpctl(&[word]);
    command.args(args).args(json.then_some("--json"));
    command
}

/// All that one of the commands could change.
fn all(ground: &Ground) -> (Fingerprint, String) {
    let own = fs::read(ground.at("tree/own")).expect("read");
    let own = String::from_utf8_lossy(&own).into_owned();
    (Fingerprint::of(&ground.root()), own)
}

fn object(shown: &str) -> Value {
    let line = shown.lines().find(|line| line.starts_with('{'));
    let line = line.unwrap_or_else(|| panic!("no object: {shown}"));
    serde_json::from_str(line).expect("JSON")
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn a_signal_stops_it_at_once() {
    let ground = ground();
    let before = all(&ground);
    for (word, args) in WORDS {
        for (reply, code) in [
            (Reply::Types("\x03"), 130),
            (Reply::Sends(Signal::INT), 130),
            (Reply::Sends(Signal::TERM), 143),
            (Reply::Sends(Signal::HUP), 143),
        ] {
            for json in [false, true] {
                let (ended, shown) = at_question(&asking(&ground, word, args, json), reply);
                assert_eq!(ended, Some(code), "{word} {reply:?}: {shown}");
                let told = "\ndumpctl: stopped; nothing was changed\n";
                assert!(shown.ends_with(told), "{word} {reply:?}: {shown}");
                if json {
                    let object = object(&shown);
                    assert_eq!(object["command"], word);
                    assert_eq!(object["status"], "stopped");
                    assert_eq!(object["exit"], code);
                }
                assert_eq!(all(&ground), before, "{word} {reply:?}");
            }
        }
    }
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn what_is_not_a_yes_is_a_no() {
    let ground = ground();
    let before = all(&ground);
    for (word, args) in WORDS {
        for reply in ["n\r", "\r", "\x04", "y\x04\x04", "yy\r"] {
            for json in [false, true] {
                let command = asking(&ground, word, args, json);
                let (ended, shown) = at_question(&command, Reply::Types(reply));
                assert_eq!(ended, Some(0), "{word} {reply:?}: {shown}");
                assert!(shown.ends_with('\n'), "{word} {reply:?}: {shown:?}");
                if json {
                    let object = object(&shown);
                    assert_eq!(object["schema"], 1);
                    assert_eq!(object["command"], word);
                    assert_eq!(object["status"], "declined");
                    assert_eq!(object["exit"], 0);
                }
                assert_eq!(all(&ground), before, "{word} {reply:?}");
            }
        }
    }
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn a_yes_is_one() {
    for (word, args) in WORDS {
        let ground = ground();
        let before = all(&ground);
        let command = asking(&ground, word, args, true);
        let (ended, shown) = at_question(&command, Reply::Types("y\r"));
        assert_eq!(ended, Some(0), "{word}: {shown}");
        assert_eq!(object(&shown)["status"], "complete", "{word}");
        assert!(all(&ground) != before, "{word} did nothing: {shown}");
    }
}
