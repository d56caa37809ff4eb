//! How far `yest` reaches: through a symlink that took the place of a
//! directory, and deeper than a path may be long.

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use predicates::prelude::*;

use common::Ground;

#[test]
fn a_directory_that_gave_way_to_a_symlink_is_found_as_typed() {
    let ground = Ground::new();
    ground.dump("2020/0101/0000", "a/f", "old");
    fs::create_dir(ground.at("disk")).unwrap();
    fs::rename(ground.main("a"), ground.at("disk/a")).unwrap();
    symlink(ground.at("disk/a"), ground.main("a")).unwrap();
    fs::write(ground.at("disk/a/f"), "now").unwrap();
    let old = ground.old("2020/0101/0000", "a/f");
    ground.names(&["a/f"], &old);
    ground.names(&["../NEWAGE/./a/f"], &old);
    ground.names(&[ground.main("a/f").to_str().unwrap()], &old);
    ground.names(&["a/"], &ground.old("2020/0101/0000", "a"));
    let said =
        predicate::str::contains("a is a symlink now: looking for what was NEWAGE/a/f before");
    ground
        .yest()
        .args(["-v", "a/f"])
        .assert()
        .success()
        .stderr(said);
    // What has the name now is what a person compares with.
    let diff = predicate::str::contains("-old").and(predicate::str::contains("+now"));
    ground
        .yest()
        .args(["--diff", "a/f"])
        .assert()
        .success()
        .stdout(diff);
    // But nothing is put there in the name of what was here.
    let refused = predicate::str::contains("a is a symlink now");
    ground
        .yest()
        .args(["--copy", "--force", "a/f"])
        .assert()
        .code(1)
        .stderr(refused);
    assert_eq!(fs::read(ground.at("disk/a/f")).unwrap(), b"now");
    // From outside nothing leads to the tree.
    let outside = predicate::str::contains("is neither in");
    let disk = ground.at("disk/a/f");
    ground.yest().arg(&disk).assert().code(1).stderr(outside);

    // Moved within the tree: its past is still under the old name.
    fs::rename(ground.at("disk/a"), ground.main("b")).unwrap();
    fs::remove_file(ground.main("a")).unwrap();
    symlink("b", ground.main("a")).unwrap();
    ground.names(&["a/f"], &old);
    let b = predicate::str::contains("has no NEWAGE/b/f");
    ground.yest().arg("b/f").assert().code(1).stderr(b);
    ground.dump("2020/0102/0000", "b/f", "newer");
    ground.names(&["a/f"], &ground.old("2020/0102/0000", "b/f"));
}

#[test]
fn a_path_longer_than_the_system_takes_is_found() {
    const DEPTH: usize = 2100;
    let ground = Ground::new();
    let main = fixtures::tree::deep(&ground.main("x"), DEPTH);
    let top = ground.old("2020/0101/0000", "x");
    let dump = fixtures::tree::deep(&top, DEPTH);
    let bottom = |handle| fixtures::tree::short_path(handle).join("bottom");
    fs::write(bottom(&dump), "old\n").unwrap();
    fs::write(bottom(&main), "now\n").unwrap();
    let old = top.join("d/".repeat(DEPTH)).join("bottom");
    let line = format!("{}\n", old.display());
    for handle in [&main, &dump] {
        let mut yest = ground.yest();
        yest.current_dir(fixtures::tree::short_path(handle))
            .args(["-h0", "bottom"]);
        yest.assert().success().stdout(line.clone());
    }
    let diff = predicate::str::contains("-old\n+now\n");
    let mut yest = ground.yest();
    yest.current_dir(fixtures::tree::short_path(&main))
        .args(["--diff", "bottom"]);
    yest.assert().success().stdout(diff);
    let mut yest = ground.yest();
    yest.current_dir(fixtures::tree::short_path(&main))
        .arg("none");
    let said = yest.output().unwrap().stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.contains("/none, and neither has an older dump") && said.len() < 1000,
        "{said}"
    );
    for top in [ground.main("x"), top] {
        fixtures::tree::remove_deep(&top);
    }
}
