//! Somebody works against us: in the source, while root dumps it, and in the
//! dump root, where an unprivileged user owns a part.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use fixtures::chattr::chattr;
use fixtures::mounts::{Fs, Mount};
use fixtures::plain_user::{PlainUser, give};
use fixtures::tree::Node;
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};

use crate::clocks::at;
use crate::sample_trees;
use crate::setup::{
    ROOT, Stage, assert_done, assert_done_but_removing, end_well, end_with, meanwhile, temp,
};

const SECRET: &str = "for no eyes but its owner's";

/// Swaps two names again and again while something is done.
fn swapping<T>(a: &Path, b: &Path, act: impl FnOnce() -> T) -> T {
    let swap = |_| renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).expect("swapped");
    meanwhile(swap, act).0
}

/// Ends within a minute, well or with faults.
fn dump_in_time(stage: &Stage) {
    let dumpme = stage.dumpme();
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "60"]).arg(dumpme.get_program());
    command
        .args(dumpme.get_args())
        .current_dir(stage.beside("."));
    command.env("XDG_CONFIG_HOME", stage.beside("config"));
    let output = command.output().expect("it runs");
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 23)), "{}", output.status);
}

/// All files below, read.
fn holds_secret(dir: &Path) -> bool {
    let output = Command::new("grep")
        .args(["-rqF", "-D", "skip", SECRET])
        .arg(dir)
        .status();
    output.expect("grep runs").success()
}

#[test]
#[ignore = "needs time: runs against a race"]
fn a_directory_that_becomes_a_symlink_leads_nowhere() {
    let stage = Stage::new();
    stage.write(&sample_trees::wide(100, 1, 0));
    let secret = stage.beside("secret");
    for name in ["f00040", "other"] {
        fs::create_dir_all(&secret).expect("made");
        fs::write(secret.join(name), SECRET).expect("written");
    }
    let link = stage.source.join("link");
    symlink(&secret, &link).expect("made");
    assert!(holds_secret(&secret));
    let dir = stage.source.join("d002");
    swapping(&dir, &link, || (0..40).for_each(|_| dump_in_time(&stage)));
    assert!(!holds_secret(&stage.dump), "the symlink was followed");
    stage.dump_now();
    assert_done(&stage.dump, &stage.source);
}

#[test]
#[ignore = "needs time: runs against a race"]
fn a_fifo_in_the_place_of_a_file_blocks_nothing() {
    let stage = Stage::new();
    stage.write(&sample_trees::wide(60, 1, 0));
    let fifo = stage.source.join("fifo");
    let mode = Mode::from_raw_mode(0o644);
    mknodat(CWD, &fifo, FileType::Fifo, mode, 0).expect("made");
    let file = stage.source.join("d001/f00025");
    swapping(&file, &fifo, || (0..40).for_each(|_| dump_in_time(&stage)));
    stage.dump_now();
    assert_done(&stage.dump, &stage.source);
}

/// A place of somebody else's, that must stay as it is.
struct Elsewhere(tempfile::TempDir);

impl Elsewhere {
    fn new() -> Self {
        let dir = temp();
        fs::write(dir.path().join("victim"), "untouched").expect("written");
        Elsewhere(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[track_caller]
    fn assert_untouched(&self) {
        let names: Vec<PathBuf> = fs::read_dir(self.path())
            .expect("listed")
            .map(|entry| entry.expect("listed").path())
            .collect();
        assert_eq!(names, [self.path().join("victim")]);
        let text = fs::read_to_string(&names[0]).expect("read");
        assert_eq!(text, "untouched");
    }
}

#[test]
fn a_symlink_in_the_place_of_a_directory_of_the_dump_root_is_not_followed() {
    for place in ["2031", "2031/0506", "2031/0506/0708_incomplete"] {
        let (stage, elsewhere) = (Stage::new(), Elsewhere::new());
        stage.write(&sample_trees::before());
        stage.dump_now();
        let place = stage.dump.join(place);
        fs::create_dir_all(place.parent().expect("above")).expect("made");
        symlink(elsewhere.path(), &place).expect("made");
        let named = fs::read_link(stage.dump.join("current")).expect("a link");
        let said = end_with(stage.dumpme().args(["--at", "2031-05-06T07:08"]), 1);
        assert!(said.contains("2031"), "{said}");
        elsewhere.assert_untouched();
        let still = fs::read_link(stage.dump.join("current")).expect("a link");
        assert_eq!(named, still);
    }
}

/// The same for a checkpoint, and for a replica of a dump of that minute.
#[test]
#[ignore = "needs faketime"]
fn nor_is_it_by_a_checkpoint_or_a_replica() {
    let moment = 1_935_990_480; // 2031-05-08T07:08
    let day = "2031/0508";
    type Start = fn(&Stage) -> Command;
    let checkpoint = (Stage::chkptme as Start, "0708_chk_incomplete");
    let replica = (Stage::dumpslave as Start, "0708_incomplete");
    for ((start, site), above) in [checkpoint, replica].into_iter().flat_map(|run| {
        let place = format!("{day}/{}", run.1);
        [
            (run, "2031".to_owned()),
            (run, day.to_owned()),
            (run, place),
        ]
    }) {
        let (stage, elsewhere) = (Stage::new(), Elsewhere::new());
        stage.write(&sample_trees::before());
        let of_that_minute = ["--at", "2031-05-08T07:08"];
        let is_replica = site == replica.1;
        let root = if is_replica {
            end_well(stage.dumpme().args(of_that_minute));
            &stage.slave
        } else {
            stage.dump_now();
            &stage.dump
        };
        let place = root.join(&above);
        fs::create_dir_all(place.parent().expect("above")).expect("made");
        symlink(elsewhere.path(), &place).expect("made");
        let named = fs::read_link(root.join("current")).ok();
        let said = end_with(&mut at(&start(&stage), moment, "UTC"), 1);
        assert!(said.contains("cannot create"), "{above}: {said}");
        assert!(said.contains("2031"), "{above}: {said}");
        elsewhere.assert_untouched();
        assert_eq!(named, fs::read_link(root.join("current")).ok());
    }
}

/// What is published leads a reader nowhere when its day becomes a symlink.
#[test]
fn a_symlink_in_the_place_of_a_published_day_is_not_followed() {
    let stage = Stage::new();
    stage.write(&sample_trees::before());
    stage.dump_now();
    let current = fs::canonicalize(stage.dump.join("current")).expect("there");
    let day = current.parent().expect("a day");
    let aside = stage.beside("aside");
    fs::rename(day, &aside).expect("moved");
    symlink(&aside, day).expect("made");
    for mut command in [stage.dumpme(), stage.chkptme(), stage.dumpslave()] {
        let said = end_with(&mut command, 1);
        assert!(said.contains("must each be a directory"), "{said}");
    }
    assert_eq!(fs::read_dir(&aside).expect("listed").count(), 1);
    assert_eq!(fs::read_dir(&stage.slave).expect("listed").count(), 0);
}

#[test]
fn what_is_planted_in_a_leftover_is_neither_followed_nor_written() {
    let (stage, elsewhere) = (Stage::new(), Elsewhere::new());
    stage.write(&sample_trees::before().with("planted/file", Node::file("untouched!")));
    stage.dump_now();
    let site = stage.dump.join("2020/0101/0000_incomplete").join(ROOT);
    fs::create_dir_all(&site).expect("made");
    symlink(elsewhere.path(), site.join("dir")).expect("made");
    let victim = elsewhere.path().join("victim");
    // One more name of somebody's file, where a file is to be stored.
    for name in ["changes", "new", "same"] {
        fs::hard_link(&victim, site.join(name)).expect("linked");
    }
    stage.write(&sample_trees::after());
    let look = || {
        let meta = fs::metadata(&victim).expect("there");
        (meta.mode(), meta.uid(), meta.mtime(), meta.mtime_nsec())
    };
    let before = look();
    stage.dump_now();
    assert_done(&stage.dump, &stage.source);
    elsewhere.assert_untouched();
    assert_eq!(before, look());
}

#[test]
fn a_current_that_is_no_link_is_refused_and_left() {
    let stage = Stage::new();
    stage.write(&sample_trees::before());
    let current = stage.dump.join("current");
    fs::create_dir_all(current.join(ROOT)).expect("made");
    for init in [false, true] {
        let mut command = stage.dumpme();
        if init {
            command.arg("--init");
        }
        let said = end_with(&mut command, 1);
        assert!(said.contains("is not a symlink"), "{said}");
        assert!(current.join(ROOT).is_dir());
        assert_eq!(fs::read_dir(&stage.dump).expect("listed").count(), 1);
    }
}

#[test]
#[ignore = "needs root to become another user"]
fn a_leftover_of_another_user_is_left_to_them() {
    let user = PlainUser::new();
    let (tree, dump) = (user.home().join(ROOT), user.home().join("dump"));
    let run = |init: &[&str]| {
        let mut command = user.command(env!("CARGO_BIN_EXE_programs"));
        command.arg0("dumpme").args(["--log", "stderr", "--main"]);
        command.arg(&tree).arg("--dump").arg(&dump).args(init);
        end_with(&mut command, 0)
    };
    for dir in [&tree, &dump] {
        fs::create_dir(dir).expect("made");
        give(dir);
    }
    fs::write(tree.join("file"), "readable").expect("written");
    run(&["--init"]);
    let day = fs::canonicalize(dump.join("current")).expect("there");
    let site = day.with_file_name("0000_incomplete");
    fs::create_dir_all(site.join(ROOT)).expect("made");
    fs::write(site.join(ROOT).join("roots"), "").expect("written");
    let said = run(&[]);
    assert!(said.contains("0000_incomplete"), "{said}");
    assert!(site.join(ROOT).join("roots").is_file());
    let newest = dump.join("current").join(ROOT);
    assert_eq!(fs::read_dir(newest).expect("listed").count(), 1);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn what_cannot_be_removed_is_named_with_the_systems_answer() {
    let mount = Mount::new(Fs::Ext4, 24);
    let stage = Stage::with_dump_on(mount.path());
    stage.write(&sample_trees::before());
    stage.dump_now();
    let site = stage.dump.join("2020/0101/0000_incomplete").join(ROOT);
    fs::create_dir_all(&site).expect("made");
    let stuck = site.join("stuck");
    fs::write(&stuck, "").expect("written");
    chattr("+i", &stuck);
    let mut run = stage.program("dumpme");
    run.args(["--log", "stderr", "--no-catalog", "--main"]);
    run.arg(&stage.source).arg("--dump").arg(&stage.dump);
    for _ in 0..2 {
        let said = end_with(&mut run, 0);
        assert!(said.contains("/stuck: Operation not permitted"), "{said}");
        assert!(!assert_done_but_removing(&stage.dump, &stage.source));
    }
    let aside = fs::read_dir(stage.dump.join(".dump/removing")).expect("listed");
    for aside in aside {
        let aside = aside.expect("listed").path();
        chattr("-i", &aside.join(ROOT).join("stuck"));
    }
    stage.dump_now();
    assert_done(&stage.dump, &stage.source);
}
