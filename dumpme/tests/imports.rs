//! The loops of docs/IMPORTING.md that take in the copies of other programs, run
//! as they are printed there.

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use assert_fs::prelude::*;
use common::Place;

/// The loop that has this text in it.
fn documented_loop(mark: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/IMPORTING.md");
    let page = fs::read_to_string(path).expect("the page is there");
    let mut blocks = page.split("```sh\n").skip(1);
    let block = blocks.find(|block| block.contains(mark)).expect(mark);
    let (block, _) = block.split_once("```").expect("an end");
    block.to_owned()
}

/// Three copies where a program would have them, the oldest first.
struct Copies {
    mark: &'static str,
    copies: [&'static str; 3],
    home: &'static str,
}

const ALL: [Copies; 3] = [
    Copies {
        mark: "/localhost/home",
        copies: ["daily.2", "daily.1", "daily.0"],
        home: "localhost/home",
    },
    Copies {
        mark: "--root-name home",
        copies: [
            "2020-01-01-100000",
            "2020-01-02-100000",
            "2020-02-01-093000",
        ],
        home: "",
    },
    Copies {
        mark: "backintime",
        copies: [
            "backintime/host/me/1/20200101-100000-123",
            "backintime/host/me/1/20200102-100000-456",
            "backintime/host/me/1/20200201-093000-789",
        ],
        home: "backup/home",
    },
];

impl Copies {
    fn lay_out(&self, place: &Place) {
        place.dir.child("dump").create_dir_all().expect("made");
        for (number, copy) in (1..).zip(self.copies) {
            let copy = place.dir.child("backup").child(copy);
            let home = copy.child(self.home);
            home.child("same").write_str("same").expect("written");
            home.child("file")
                .write_str(copy.path().to_str().expect("text"))
                .expect("written");
            let day = UNIX_EPOCH + Duration::from_secs(1_577_880_000 + number * 86_400);
            for path in [home.path().join("same"), copy.path().to_path_buf()] {
                let file = File::open(path).expect("opened");
                file.set_modified(day).expect("its time is set");
            }
        }
    }

    /// Runs the loop, in this place instead of at the root.
    fn run(&self, place: &Place) -> String {
        let here = place.dir.path().display();
        let text = documented_loop(self.mark)
            .replace(" /backup/", &format!(" {here}/backup/"))
            .replace(" /dump ", &format!(" {here}/dump "));
        let programs = Path::new(env!("CARGO_BIN_EXE_dumpme")).parent();
        let programs = programs.expect("a directory").display();
        let output = Command::new("sh")
            .args(["-c", &text])
            .env_clear()
            .env("PATH", format!("{programs}:/usr/bin:/bin"))
            .env("HOME", place.dir.path())
            .env("XDG_CONFIG_HOME", place.dir.path().join("config"))
            .output()
            .expect("sh runs");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn dumps(place: &Place) -> usize {
    let dump = dumpcore::DumpRoot::open(place.dir.path().join("dump")).expect("opened");
    dump.list().expect("listed").len()
}

/// What is published with a fault is published: the loop continues.
#[test]
fn a_copy_that_is_taken_in_in_part_does_not_end_the_loop() {
    for copies in &ALL {
        let place = Place::new();
        copies.lay_out(&place);
        place.config("hooks.post = \"exit 1\"\n");
        let said = copies.run(&place);
        assert_eq!(dumps(&place), 3, "{}: {said}", copies.mark);
        let newest = place.dir.path().join("backup").join(copies.copies[2]);
        let current = place.dir.child("dump/current/home/file");
        current.assert(newest.to_str().expect("text"));
    }
}

#[test]
fn a_copy_that_cannot_be_taken_in_ends_the_loop() {
    for copies in ALL.iter().filter(|copies| !copies.home.is_empty()) {
        let place = Place::new();
        copies.lay_out(&place);
        let second = place.dir.path().join("backup").join(copies.copies[1]);
        let home = second.join(copies.home);
        fs::rename(&home, home.with_file_name("away")).expect("renamed");
        let day = UNIX_EPOCH + Duration::from_secs(1_577_880_000 + 2 * 86_400);
        let file = File::open(&second).expect("opened");
        file.set_modified(day).expect("its time is set");
        let said = copies.run(&place);
        assert!(said.contains("cannot open"), "{}: {said}", copies.mark);
        assert_eq!(dumps(&place), 1, "{}: {said}", copies.mark);
    }
}
