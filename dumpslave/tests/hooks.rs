//! The commands around a run that finds its work done.

use assert_cmd::Command;
use assert_fs::TempDir;
use assert_fs::prelude::*;
use predicates::str::contains;

#[test]
fn a_failing_post_is_no_silent_fault_where_there_was_nothing_to_do() {
    let dir = TempDir::new().expect("a directory for the test");
    let dump = dir.child("from/2020/0229/1234");
    dump.child("tree/file").write_str("text").expect("written");
    dir.child("from/current")
        .symlink_to_dir("2020/0229/1234")
        .expect("linked");
    dir.child("to").create_dir_all().expect("made");
    let config = dir.child("dump.toml");
    config.write_str("").expect("written");
    let run = |more: &[&str]| {
        let mut run = Command::new(env!("CARGO_BIN_EXE_dumpslave"));
        run.current_dir(&dir)
            .env_clear()
            .args(["--config", "dump.toml", "--log", "stderr"])
            .args(["--from", "from", "--dump", "to"])
            .args(more);
        run
    };
    run(&["--init"]).assert().code(0);
    run(&[]).assert().code(0).stderr(contains("nothing to do"));
    config
        .write_str("hooks.post = 'echo $DUMP_STATUS > told; exit 9'\n")
        .expect("written");
    run(&[])
        .assert()
        .code(23)
        .stderr(contains("exit status: 9"));
    dir.child("told").assert("present\n");
}
