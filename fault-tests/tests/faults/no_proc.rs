//! A rescue system: a kernel that reads attributes by paths only, and no
//! `/proc` for them to start at.

use std::os::unix::fs::symlink;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::in_vm::on_own_machine;
use crate::setup::{Stage, assert_done, said};

fn proc(mounted: bool) {
    let mut command = if mounted {
        let mut mount = Command::new("mount");
        mount.args(["-t", "proc", "proc"]);
        mount
    } else {
        let mut umount = Command::new("umount");
        umount.arg("-l");
        umount
    };
    let done = command.arg("/proc").status().expect("it runs");
    assert!(done.success(), "{command:?}: {done}");
}

#[test]
#[ignore = "needs user-mode-linux"]
fn attributes_are_kept_without_proc() {
    on_own_machine("no_proc::attributes_are_kept_without_proc", || {
        let stage = Stage::new();
        let at = |name: &str| stage.source.join(name);
        std::fs::write(at("file"), "text").expect("written");
        symlink("file", at("link")).expect("linked");
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).expect("made");
        for name in ["file", "link", "fifo"] {
            let given = Command::new("setfattr")
                .args(["-h", "-n", "trusted.of", "-v", name])
                .arg(at(name))
                .status();
            assert!(given.expect("it runs").success(), "{name}");
        }
        for _ in 0..2 {
            proc(false);
            let output = stage.dumpme().output().expect("it runs");
            proc(true);
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            assert_done(&stage.dump, &stage.source);
        }
    });
}
