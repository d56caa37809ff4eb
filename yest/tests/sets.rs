//! Which set a path belongs to, when several trees and dump roots are known.

mod common;

use std::fs;

use predicates::prelude::*;
use predicates::str::contains;

use common::Ground;

/// A tree, another inside it, and a third in a file of its own; the last has
/// its own dump root.
fn ground() -> Ground {
    let ground = Ground::new();
    let config = ground.at("home/.config/dump");
    fs::create_dir_all(&config).unwrap();
    let text = format!(
        "main = '{0}NEWAGE'\ndump = '{0}dump'\n\
         [set.inner]\nmain = '{0}NEWAGE/a/b'\nroot_name = 'B'\n",
        ground.at("").display()
    );
    fs::write(config.join("dump.toml"), text).unwrap();
    let photos = format!(
        "main = '{0}photos'\ndump = '{0}other'\n",
        ground.at("").display()
    );
    fs::write(config.join("photos.toml"), photos).unwrap();
    for dir in ["NEWAGE/a/b", "photos", "other"] {
        fs::create_dir_all(ground.at(dir)).unwrap();
    }
    for file in [
        "dump/2020/0101/0000/NEWAGE/a/f",
        "dump/2020/0101/0000/NEWAGE/a/b/f",
        "dump/2020/0102/0000/B/f",
        "other/2020/0103/0000/photos/f",
    ] {
        let file = ground.at(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }
    ground
}

#[test]
fn the_innermost_tree_of_all_sets_counts() {
    let ground = ground();
    let found = |from: &str, words: &[&str], expected: &str| {
        let mut yest = ground.yest();
        yest.env_remove("MAINROOT").env_remove("DUMPROOT");
        let line = format!("{}\n", ground.at(expected).display());
        yest.current_dir(ground.at(from))
            .args(words)
            .assert()
            .success()
            .stdout(line)
            .stderr("");
    };
    found("NEWAGE", &["a/f"], "dump/2020/0101/0000/NEWAGE/a/f");
    found("NEWAGE", &["a/b/f"], "dump/2020/0102/0000/B/f");
    found("NEWAGE/a/b", &["."], "dump/2020/0102/0000/B");
    found("photos", &["f"], "other/2020/0103/0000/photos/f");
    // A path in a dump chooses, too.
    found(
        "other/2020/0103/0000",
        &["-h0", "photos/f"],
        "other/2020/0103/0000/photos/f",
    );
    found(
        "",
        &["-h0", "dump/2020/0102/0000/B/f"],
        "dump/2020/0102/0000/B/f",
    );
    // What a person names is what is looked at.
    found(
        "NEWAGE",
        &["--set", "dump", "a/b/f"],
        "dump/2020/0101/0000/NEWAGE/a/b/f",
    );
    let main = ground.at("NEWAGE");
    let main = main.to_str().unwrap();
    found(
        "NEWAGE",
        &["--main", main, "a/b/f"],
        "dump/2020/0101/0000/NEWAGE/a/b/f",
    );
}

#[test]
fn what_lies_in_no_set_is_told_with_all_trees() {
    let ground = ground();
    let yest = |words: &[&str]| {
        let mut yest = ground.yest();
        yest.env_remove("MAINROOT")
            .env_remove("DUMPROOT")
            .args(words);
        yest.assert()
    };
    let mut said = yest(&["/usr/share"]).code(1);
    for tree in ["NEWAGE", "NEWAGE/a/b", "photos", "dump", "other"] {
        said = said.stderr(contains(ground.at(tree).to_str().unwrap()));
    }
    // One dump root that is away does not keep anyone from the others.
    fs::rename(ground.at("other"), ground.at("away")).unwrap();
    yest(&["a/f"]).code(0);
    let photos = ground.at("photos/f");
    yest(&[photos.to_str().unwrap()])
        .code(1)
        .stderr(contains("cannot open dump root"));
    yest(&["--set", "holidays", "a/f"])
        .code(2)
        .stderr(contains("the sets are: inner, photos"));
    yest(&["--set", "photos", "a/f"]).code(1);
}

#[test]
fn a_set_in_two_places_is_refused() {
    let ground = ground();
    let own = ground.at("home/.config/dump/inner.toml");
    fs::write(own, "").unwrap();
    let both = || contains("inner.toml and [set.inner] in").and(contains("keep only one"));
    for words in [["--set", "inner", "a/f"].as_slice(), &["a/f"]] {
        ground.yest().args(words).assert().code(2).stderr(both());
    }
}
