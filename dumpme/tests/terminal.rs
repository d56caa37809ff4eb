//! What somebody sees who looks on: a progress line that moves and fits, and
//! one line at the end.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use fixtures::terminal::shown;
use unicode_width::UnicodeWidthStr;

use common::Place;

/// A tree with one file that is large for a slow copy, under names that are
/// wide and that hold control characters.
fn place() -> Place {
    let place = Place::new();
    let dir = place
        .dir
        .path()
        .join("tree/日本語の長い名前のディレクトリ\u{1b}[2J\t");
    fs::create_dir_all(&dir).expect("made");
    fs::create_dir_all(place.dir.path().join("dump")).expect("made");
    let large = vec![b'x'; 3 << 20];
    fs::write(dir.join("a large file of 日本語.bin"), large).expect("written");
    place
}

/// A run on a terminal of this many columns.
fn run(place: &Place, columns: u16, args: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_dumpme");
    let args = [&["--main", "tree", "--dump", "dump"], args].concat();
    let mut command: Command = fixtures::terminal::command(program, &args, columns);
    let config = place.dir.path().join("config");
    let ran = command
        .current_dir(place.dir.path())
        .env("XDG_CONFIG_HOME", config)
        .output()
        .expect("script runs");
    let text = shown(&ran);
    assert!(ran.status.success(), "{text}");
    text
}

/// What stood on a line at some moment, without what moves the cursor.
fn lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => {
                let _ = chars.find(|c| c.is_ascii_alphabetic());
                lines.push(String::new());
            }
            '\r' | '\n' => lines.push(String::new()),
            c => lines.last_mut().expect("one").push(c),
        }
    }
    lines
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn progress_moves_within_a_file_and_is_never_too_wide() {
    for columns in [20, 40, 80, 200] {
        let place = place();
        let args = ["--init", "--bwlimit", "1M"];
        let text = run(&place, columns, &args);
        let mut lines = lines(&text);
        lines.retain(|line| line.contains(" dumping") && !line.starts_with("dumpme:"));
        let progress: BTreeSet<&str> = lines
            .iter()
            .filter_map(|line| line.split_once(" dumping").map(|(_, rest)| rest.trim()))
            .collect();
        // Without a total it is the bytes that move; where there is room.
        let moved = if columns < 80 { 1 } else { 4 };
        assert!(progress.len() >= moved, "{columns}: {progress:?}");
        for line in &lines {
            assert!(line.width() <= columns.into(), "{columns}: {line}");
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn a_terminal_is_told_once_how_a_run_ended() {
    let place = place();
    let last = |args: &[&str]| -> (String, usize) {
        let text = run(&place, 200, args);
        let lines: Vec<&str> = text.lines().collect();
        let done = lines
            .iter()
            .filter(|line| line.contains("dumpme: finished "));
        (lines.last().expect("one").to_string(), done.count())
    };
    let (line, done) = last(&["--init"]);
    assert!(
        line.contains(": 1 entry in 2 directories; 3.00 MiB copied in "),
        "{line}"
    );
    assert!(line.ends_with(" free"), "{line}");
    assert_eq!(done, 0);
    let (line, done) = last(&["-v"]);
    assert!(line.starts_with("still free "), "{line}");
    assert_eq!(done, 1);
}
