//! The benches on trees so small that only their working is tried: that each
//! program does what it is asked for, and that what it kept can be restored.

use std::path::Path;

use benches::peers::{self, Results};
use benches::{latency, page, scale, scrub, years};
use clap::Parser as _;

/// The peers that keep plain directories: for those with formats of their own
/// one filesystem is enough.
const DIRECTORIES: &str = "--peers=rsync,cp,limit,rm";

fn measured() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_measured"))
}

/// All works on one filesystem, with all peers or some; each copy is restored
/// and compared.
fn peers_on(fs: &str, peers: &[&str]) {
    let dir = tempfile::tempdir().expect("temp dir");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (results, table, svg) = (at("results.json"), at("table.md"), at("chart.svg"));
    let run = |more: &[&str]| {
        let common = [
            "peers",
            "--files=120",
            "--dirs=8",
            "--rounds=1",
            "--warm-up=0",
            "--check",
            "--fs",
            fs,
            "--results",
            &results,
            "--table",
            &table,
            "--svg",
            &svg,
        ];
        let settings = peers::Settings::parse_from(common.iter().chain(more));
        peers::measure(&settings, measured(), &mut |_| {}).expect("measured")
    };
    let all = run(peers);
    assert_eq!(all.runs.len(), 15);
    for run in &all.runs {
        for peer in &run.peers {
            assert_eq!(peer.missing, None, "{fs}, {}: {}", run.work, peer.name);
            assert!(run.rounds[0].contains_key(&peer.name), "{}", peer.name);
        }
    }
    // What comes later is added, and only drawing measures nothing.
    run(&["--only=unchanged", "--peers=cp"]);
    assert_eq!(run(&["--draw"]).runs.len(), 16);
    let kept = Results::load(Path::new(&results)).expect("loaded");
    assert_eq!(kept.runs[15].peers.len(), 2);
    let text = std::fs::read_to_string(table).expect("written");
    assert!(text.contains(", 2 rounds)"), "{text}");
    let drawn = std::fs::read_to_string(svg).expect("written");
    assert!(
        drawn.contains("<rect") && drawn.contains("rsync -aHAXU"),
        "{drawn}"
    );
}

#[test]
#[ignore = "needs root, rsync, restic, borg, rdiff-backup and a C compiler"]
fn every_peer_copies_what_it_should_on_ext4() {
    peers_on("ext4", &[]);
}

#[test]
#[ignore = "needs root, xfsprogs, rsync and a C compiler"]
fn every_peer_copies_what_it_should_on_xfs() {
    peers_on("xfs", &[DIRECTORIES]);
}

#[test]
#[ignore = "needs root, btrfs-progs, rsync and a C compiler"]
fn every_peer_copies_what_it_should_on_btrfs() {
    peers_on("btrfs", &[DIRECTORIES]);
}

#[test]
fn a_work_that_is_not_known_is_named() {
    let settings = peers::Settings::parse_from(["peers", "--only=unchanged,nothing"]);
    let error = peers::measure(&settings, measured(), &mut |_| {}).expect_err("refused");
    assert!(
        error.to_string().contains("no such work: nothing"),
        "{error}"
    );
}

/// Twice the files take twice the calls; memory stays.
#[test]
#[ignore = "needs root, strace and valgrind"]
fn cost_grows_as_the_tree_does() {
    let settings = scale::Settings::parse_from(["scale", "--files=2000,20000", "--shape=many"]);
    let mut rows = Vec::new();
    let mut keep = |row: &scale::Row| rows.push(row.clone());
    scale::measure(&settings, measured(), &mut keep).expect("measured");
    let [few, many] = &rows[..] else {
        panic!("{rows:?}")
    };
    for of in [
        |row: &scale::Row| row.calls,
        |row: &scale::Row| row.instructions,
    ] {
        for (few, many) in of(few)
            .into_iter()
            .flatten()
            .zip(of(many).into_iter().flatten())
        {
            let times = many as f64 / few as f64;
            // What a run needs once is shared by more.
            assert!((5.0..10.5).contains(&times), "{times} times: {rows:?}");
        }
    }
    for row in &rows {
        let [_, linked, recycled] = row.calls.expect("counted");
        assert!(recycled < linked, "one was recycled: {rows:?}");
        let [first, linked, recycled] = row.written.expect("counted");
        assert!(first > linked && linked > recycled, "{rows:?}");
    }
}

#[test]
#[ignore = "needs root; drops the caches"]
fn a_scrub_reads_what_cat_reads() {
    let few = ["scrub", "--files=400", "--dirs=20", "--rounds=1"];
    let settings = scrub::Settings::parse_from(few);
    let mut rounds = Vec::new();
    let mut keep = |round: &scrub::Round| rounds.push(round.clone());
    scrub::measure(&settings, measured(), &mut keep).expect("measured");
    let [round] = &rounds[..] else {
        panic!("{rounds:?}")
    };
    // Of a tree this small the catalog and directories are a good part.
    let whole = |read: &u64| (round.allocated..round.allocated * 2).contains(read);
    assert!(round.read.iter().all(whole), "{round:?}");
    assert!(round.memory > 1_000, "{round:?}");
}

#[test]
#[ignore = "needs root, strace, sshd, sshfs and FUSE"]
fn slow_disks_and_networks_are_dumped() {
    let settings = latency::Settings::parse_from([
        "latency",
        "--files=60",
        "--dirs=6",
        "--jobs=1,4",
        "--network-ms=1",
        "--disk-ms=1",
    ]);
    let mut titles = Vec::new();
    let mut keep = |series: &latency::Series| {
        assert_eq!(series.steps.len(), 2);
        titles.push(series.title.clone());
    };
    latency::measure(&settings, measured(), &mut keep).expect("measured");
    assert!(
        titles.len() == 2 && titles[0].contains("sshfs"),
        "{titles:?}"
    );
}

#[test]
fn years_of_dumps_are_asked_about() {
    let few = [
        "years",
        "--dumps=40",
        "--files=300",
        "--dirs=20",
        "--rounds=1",
    ];
    let settings = years::Settings::parse_from(few);
    let mut lines = Vec::new();
    years::measure(&settings, measured(), &mut |row| lines.push(row.lines)).expect("measured");
    // Each has a head: a dump more, ten of them, a tenth of the files, some that
    // are gone.
    assert_eq!(lines[..3], [41, 11, 31]);
    assert!(lines[3..].iter().all(|lines| *lines > 1), "{lines:?}");
}

#[test]
fn each_view_of_the_page_is_asked_for() {
    let few = [
        "page",
        "--files=60",
        "--dirs=4",
        "--dumps=6",
        "--years=30",
        "--versions=10",
        "--names=1200",
        "--bytes=5000000",
        "--rounds=1",
        "--pause=0",
    ];
    let settings = page::Settings::parse_from(few);
    let mut views = Vec::new();
    page::measure(&settings, measured(), &mut |row| views.push(row.clone())).expect("measured");
    assert_eq!(views.len(), 32);
    let bytes = |view: &str| {
        let found = views.iter().find(|row| row.view.contains(view));
        found.unwrap_or_else(|| panic!("{view}")).bytes
    };
    assert!(bytes("its first GiB") > 5_000_000);
    assert!(bytes("a directory of many names") > 100_000);
}
