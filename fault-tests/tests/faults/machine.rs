//! The limits of the machine: few descriptors, little memory, one core; very
//! deep, very wide, very long.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use fixtures::mounts::{Fs, Mount};
use fixtures::strace::trace;
use fixtures::tree::{deep, depth_of, wide};

use crate::sample_trees;
use crate::setup::{ROOT, Stage, assert_done, end_well};

/// The program with 64 descriptors and 256 MB of address space. What the C
/// library sets aside of that for each thread is not used, and would be most of
/// it.
fn poor(command: &Command) -> Command {
    let mut poor = under(&["prlimit", "--nofile=64", "--as=268435456"], command);
    poor.env("MALLOC_ARENA_MAX", "1");
    poor
}

fn under(wrapper: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(wrapper[0]);
    wrapped.args(&wrapper[1..]).arg(command.get_program());
    wrapped.args(command.get_args());
    wrapped.env("XDG_CONFIG_HOME", "/nonexistent");
    wrapped
}

#[test]
#[ignore = "needs time and memory: 300,000 directories"]
fn a_hundred_thousand_directories_deep_with_64_descriptors() {
    let stage = Stage::new();
    deep(&stage.source, 100_000);
    end_well(&mut poor(&stage.dumpme()));
    end_well(&mut poor(&stage.dumpme()));
    assert_eq!(depth_of(&stage.dump.join("current").join(ROOT)), 100_000);
}

#[test]
#[ignore = "needs root for a mount, time and memory: a million names"]
fn a_million_names_in_one_directory_with_256_mb() {
    // Memory that the machine shares with others has too few inodes.
    let mount = Mount::with(Fs::Tmpfs, 8000, &[], "nr_inodes=0");
    let mut stage = Stage::with_dump_on(mount.path());
    stage.source = mount.path().join(ROOT);
    wide(&stage.source, 1_000_000);
    end_well(&mut poor(&stage.dumpme()));
    end_well(&mut poor(&stage.dumpme()));
    let newest = stage.dump.join("current").join(ROOT);
    assert_eq!(fs::read_dir(&newest).expect("listed").count(), 1_000_000);
    let last = fs::metadata(newest.join("f0999999")).expect("there");
    assert_eq!(last.nlink(), 2, "the second dump links to the first");
}

/// How many threads a program starts, whichever it is and for what.
fn threads(command: &Command) -> usize {
    let calls = trace(command, "clone,clone3");
    let started = calls.iter().filter(|call| call.contains("CLONE_THREAD"));
    started.count()
}

/// One of the workers is the thread that was there from the start; what else
/// there is does not depend on their number.
#[test]
#[ignore = "needs strace"]
fn as_many_workers_as_were_asked_for() {
    let stage = Stage::new();
    stage.write(&sample_trees::before());
    stage.dump_now();
    end_well(&mut stage.dumpslave());
    for program in ["dumpme", "chkptme", "dumpslave"] {
        let with = |jobs: usize| {
            // Each of them begins with the same.
            let stage = stage.copy();
            stage.write(&sample_trees::after());
            let mut command = match program {
                "dumpme" => stage.dumpme(),
                "chkptme" => {
                    let mut command = stage.chkptme();
                    // Which is a merge of its own, and has workers, too.
                    command.arg("--no-space-check");
                    command
                }
                _ => {
                    stage.dump_now();
                    stage.dumpslave()
                }
            };
            command.args(["-j", &jobs.to_string()]);
            threads(&command)
        };
        let alone = with(1);
        for jobs in [2, 3, 9] {
            assert_eq!(with(jobs), alone + jobs - 1, "{program} -j {jobs}");
        }
    }
}

#[test]
fn a_tebibyte_that_is_all_hole() {
    let stage = Stage::new();
    let hole = stage.source.join("hole");
    File::create(&hole)
        .expect("made")
        .set_len(1 << 40)
        .expect("long");
    end_well(&mut poor(&stage.dumpme()));
    end_well(&mut poor(&stage.chkptme()));
    let copy = fs::metadata(stage.dump.join("current").join(ROOT).join("hole")).expect("there");
    assert_eq!(copy.len(), 1 << 40);
    assert!(copy.blocks() < 64, "{} blocks", copy.blocks());
}

#[test]
fn on_one_core_with_few_descriptors() {
    let stage = Stage::new();
    for round in 0..3 {
        stage.write(&sample_trees::wide(1000, 3, round));
        let mut one_core = under(&["taskset", "-c", "0"], &poor(&stage.dumpme()));
        end_well(&mut one_core);
        assert_done(&stage.dump, &stage.source);
    }
}
