//! What docs/MACHINES.md tells a laptop to configure that brings its dumps to
//! a server: with a real sshd and sshfs, and the page's own lines, in which
//! only names of machines and places are replaced.

mod common;

use std::fs;

use common::Place;
use fixtures::page;
use fixtures::sshfs_server::Sshd;
use predicates::str::contains;

#[test]
#[ignore = "needs root, sshd, sshfs and FUSE"]
fn dumps_of_a_laptop_are_brought_to_a_server_when_it_is_there() {
    let place = Place::with(&["2026/0101/0000"]);
    for dir in ["mnt", "laptops/laptop"] {
        fs::create_dir_all(place.dir.path().join(dir)).expect("made");
    }
    let sshd = Sshd::up(place.dir.path());
    let ssh = sshd.client_config("server");
    let page = include_str!("../../docs/MACHINES.md");
    let text = page::block(page, "Its own disk", "toml");
    let text = [
        ("/mnt/server", place.whole("mnt")),
        ("/srv/laptops", place.whole("laptops")),
        ("\"/dump\"", format!("{:?}", place.whole("dump"))),
        (
            "/dev/tcp/server/22",
            format!("/dev/tcp/127.0.0.1/{}", sshd.port()),
        ),
        ("sshfs ", format!("sshfs -F {} ", ssh.display())),
    ]
    .iter()
    .fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from} in {text}");
        text.replace(from, to)
    });
    place.config(&text);
    let run = |args: &[&str]| {
        let mut run = place.dumpslave();
        run.args(["--log", "stderr"]).args(args).assert()
    };
    run(&["--init", "--latest"]).code(0);
    let mounted = fs::read_dir(place.dir.path().join("mnt")).expect("listed");
    assert_eq!(mounted.count(), 0, "unmounted by the post hook");
    let there = place.dir.path().join("laptops/laptop/current");
    let replica = there.join("tree/sub/file");
    assert_eq!(
        fs::read_to_string(&replica).expect("read"),
        "2026/0101/0000"
    );
    let current = fs::read_link(&there).expect("a replica");
    drop(sshd);
    run(&["--latest"]).code(75).stderr(contains("not now"));
    assert_eq!(fs::read_link(&there).expect("a replica"), current);
}
