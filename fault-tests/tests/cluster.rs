//! Dump roots on GlusterFS and CephFS: real daemons, trees on a local disk, judged
//! by the real rsync and by fingerprints. A brick, a client and a run are killed.
//!
//! They take packages that nothing else needs: `.ci/cluster` installs them, and runs
//! all of these. `.ci/run` runs the history on GlusterFS.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use fixtures::cluster::{Cluster, Engine};
use fixtures::rsync::assert_rsync_same;
use fixtures::tree::real_tree;
use fixtures::{Fingerprint, run_lock};
use tempfile::TempDir;

/// A cluster, a tree beside it, and the programs.
struct Stage {
    cluster: Cluster,
    dir: TempDir,
}

impl Stage {
    fn new(engine: Engine, files: usize) -> Self {
        let dir = tempfile::tempdir().expect("made");
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).expect("made");
        real_tree(&tree, files, files / 20, 7);
        for made in ["bin", "home"] {
            fs::create_dir(dir.path().join(made)).expect("made");
        }
        for program in ["dumpme", "chkptme", "dumpslave", "yest", "hist", "dumpctl"] {
            let name = dir.path().join("bin").join(program);
            symlink(env!("CARGO_BIN_EXE_programs"), name).expect("a name");
        }
        let cluster = Cluster::up(engine);
        for root in ["dump", "second"] {
            fs::create_dir(cluster.path().join(root)).expect("made");
        }
        Self { cluster, dir }
    }

    fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    fn root(&self) -> PathBuf {
        self.cluster.path().join("dump")
    }

    fn current(&self) -> PathBuf {
        self.root().join("current/tree")
    }

    /// The name of the newest dump.
    fn newest(&self) -> String {
        let link = fs::read_link(self.root().join("current")).expect("a link");
        link.to_str().expect("a name").to_owned()
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        self.on(&self.root(), program, args)
    }

    fn on(&self, root: &Path, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.dir.path().join("bin").join(program));
        fixtures::shield(&mut command, &self.dir.path().join("home")).args(args);
        command.env("MAINROOT", self.tree()).env("DUMPROOT", root);
        command.current_dir(self.tree());
        if !matches!(program, "yest" | "hist") {
            command.args(["--log", "stderr"]);
        }
        command
    }

    #[track_caller]
    fn runs(&self, program: &str, args: &[&str], code: i32) -> String {
        ends(&mut self.command(program, args), code)
    }

    /// A run in the background, which has stored something.
    fn begun(&self, args: &[&str]) -> Child {
        let mut command = self.command("dumpme", args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        for _ in 0..600 {
            if self.leftovers() > 0 {
                return child;
            }
            if child.try_wait().expect("asked").is_some() {
                break;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("it never stored anything");
    }

    /// How many unfinished dumps there are.
    fn leftovers(&self) -> usize {
        let days = walk(&self.root(), 3);
        let unfinished = |path: &&PathBuf| path.to_string_lossy().ends_with("_incomplete");
        days.iter().filter(unfinished).count()
    }

    fn change(&self) {
        let tree = self.tree();
        fs::write(tree.join("new"), "new").expect("written");
        let some = walk(&tree, 3).into_iter().filter(|path| path.is_file());
        for path in some.take(5) {
            fs::write(&path, "changed, and of another size").expect("written");
        }
    }
}

/// What is below, at most so deep.
fn walk(top: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(names) = fs::read_dir(top) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = names.flatten().map(|name| name.path()).collect();
    found.sort();
    if depth > 1 {
        let dirs: Vec<PathBuf> = found
            .iter()
            .filter(|path| !path.is_symlink())
            .cloned()
            .collect();
        found.extend(dirs.iter().flat_map(|dir| walk(dir, depth - 1)));
    }
    found
}

#[track_caller]
fn ends(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("it runs");
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&all).into_owned();
    assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
    said
}

/// A history with everything that is made in a dump root.
fn a_history(engine: Engine) {
    let stage = Stage::new(engine, 400);
    let (tree, root) = (stage.tree(), stage.root());
    stage.runs("dumpme", &["-q", "--init"], 0);
    assert_rsync_same(&tree, &stage.current());
    let first = stage.newest();
    let report = stage.runs("dumpme", &[], 0);
    assert!(report.contains("nothing new"), "{report}");
    let file = walk(&tree, 3).into_iter().find(|path| path.is_file());
    let file = file.expect("a file");
    let inode = |dump: &str| {
        let name = file.strip_prefix(&tree).expect("below");
        let path = root.join(dump).join("tree").join(name);
        fs::symlink_metadata(path).expect("dumped").ino()
    };
    assert_eq!(inode(&first), inode("current"));
    let history = Fingerprint::of(&root);
    stage.change();
    stage.runs("dumpme", &["-q"], 0);
    assert_rsync_same(&tree, &stage.current());
    let third = stage.newest();
    stage.runs("chkptme", &["-q", "--verify"], 0);
    stage.runs("chkptme", &["-q", "--linked"], 0);
    assert_rsync_same(&tree, &root.join("current_chk/tree"));
    // A second root in the same cluster.
    let second = stage.cluster.path().join("second");
    let replica = ["-q", "--init", "--latest", "--dump"];
    let second_named = second.to_str().expect("a name");
    stage.runs("dumpslave", &[&replica[..], &[second_named]].concat(), 0);
    assert_rsync_same(&tree, &second.join("current/tree"));
    history.assert_unchanged(&root);
    let said = stage.runs("dumpctl", &["scrub"], 0);
    // Where it is not told when files were made, no hash is kept, and it says so.
    let sound = ["nothing is damaged", "no damage was found"];
    assert!(sound.iter().any(|end| said.contains(end)), "{said}");
    let out = stage.dir.path().join("out");
    let wanted = ["restore", "--at", &third, "--to"];
    let named = [
        out.to_str().expect("a name"),
        tree.to_str().expect("a name"),
    ];
    stage.runs("dumpctl", &[&wanted[..], &named].concat(), 0);
    assert_rsync_same(&tree, &out.join("tree"));
    stage.runs("dumpctl", &["remove", "--force", &first], 0);
    assert!(!root.join(&first).exists());
    let said = stage.runs("hist", &["new"], 0);
    assert!(said.contains(&third), "{said}");
}

/// `kill -9` at some moments: older dumps stay, and the next run makes a whole one.
fn killed_runs(engine: Engine) {
    let stage = Stage::new(engine, 1500);
    stage.runs("dumpme", &["-q", "--init"], 0);
    for wait in [0, 30, 100, 300, 900] {
        let history = Fingerprint::of(&stage.root());
        fs::rename(stage.tree(), stage.dir.path().join("old")).expect("moved");
        fs::create_dir(stage.tree()).expect("made");
        real_tree(&stage.tree(), 1500, 75, wait);
        fs::remove_dir_all(stage.dir.path().join("old")).expect("removed");
        let mut child = stage.begun(&["-q"]);
        sleep(Duration::from_millis(wait));
        child.kill().expect("killed");
        child.wait().expect("gone");
        history.assert_unchanged(&stage.root());
        stage.runs("dumpme", &["-q"], 0);
        history.assert_unchanged(&stage.root());
        assert_rsync_same(&stage.tree(), &stage.current());
        assert_eq!(stage.leftovers(), 0);
    }
}

/// The machine dies right after a dump was published, and with it all that its client
/// had not handed over.
fn a_client_that_dies(engine: Engine) {
    let stage = Stage::new(engine, 300);
    for init in [&["-q", "--init"][..], &["-q"]] {
        stage.runs("dumpme", init, 0);
        stage.cluster.kill_client();
        stage.cluster.mount_again();
        let options = fixtures::Options::default();
        let differences = fixtures::diff_trees(&stage.tree(), &stage.current(), &options);
        assert_eq!(differences, Vec::<String>::new());
        stage.change();
    }
}

/// The filesystem goes away under a run: it says so, and publishes nothing.
fn a_client_that_goes_in_mid_run(engine: Engine) {
    let stage = Stage::new(engine, 1500);
    stage.runs("dumpme", &["-q", "--init"], 0);
    let before = fs::read_link(stage.root().join("current")).expect("a link");
    fs::remove_dir_all(stage.tree()).expect("removed");
    fs::create_dir(stage.tree()).expect("made");
    real_tree(&stage.tree(), 1500, 75, 99);
    let mut child = stage.begun(&["-q"]);
    stage.cluster.kill_client();
    let ended = child.wait().expect("it ends");
    assert_eq!(ended.code(), Some(1));
    stage.cluster.mount_again();
    let after = fs::read_link(stage.root().join("current")).expect("a link");
    assert_eq!(after, before);
    stage.runs("dumpme", &["-q"], 0);
    assert_rsync_same(&stage.tree(), &stage.current());
}

/// Two machines see one lock, one `current` and the same dumps.
fn two_clients(engine: Engine) {
    let mut stage = Stage::new(engine, 100);
    let other = stage.cluster.add_client().join("dump");
    stage.runs("dumpme", &["-q", "--init"], 0);
    let held = run_lock::hold(&other);
    stage.runs("dumpme", &[], 75);
    ends(&mut stage.on(&other, "dumpme", &[]), 75);
    drop(held);
    let held = run_lock::hold(&stage.root());
    ends(&mut stage.on(&other, "dumpme", &[]), 75);
    drop(held);
    for round in 0..3 {
        let (here, there) = (stage.root(), other.clone());
        let (one, two) = if round % 2 == 0 {
            (here, there)
        } else {
            (there, here)
        };
        stage.change();
        ends(&mut stage.on(&one, "dumpme", &["-q"]), 0);
        // The other client may have asked a moment before.
        sleep(Duration::from_secs(2));
        let [made, seen] = [&one, &two].map(|at| fs::read_link(at.join("current")));
        assert_eq!(made.expect("a link"), seen.expect("a link"));
        assert_rsync_same(&stage.tree(), &two.join("current/tree"));
    }
}

macro_rules! on {
    ($engine:ident, $($name:ident: $what:ident),+ $(,)?) => {
        $(#[test]
        #[ignore = "needs root, FUSE and the Debian packages of the cluster: .ci/cluster"]
        fn $name() {
            $what(Engine::$engine);
        })+
    };
}

on!(
    Gluster,
    glusterfs_holds_a_history: a_history,
    on_glusterfs_killed_runs_are_continued: killed_runs,
    a_client_of_glusterfs_dies: a_client_that_dies,
    a_client_of_glusterfs_goes_in_mid_run: a_client_that_goes_in_mid_run,
    two_clients_of_glusterfs_see_the_same: two_clients,
);

on!(
    Ceph,
    cephfs_holds_a_history: a_history,
    on_cephfs_killed_runs_are_continued: killed_runs,
    a_client_of_cephfs_dies: a_client_that_dies,
    a_client_of_cephfs_goes_in_mid_run: a_client_that_goes_in_mid_run,
    two_clients_of_cephfs_see_the_same: two_clients,
);

/// Two of three bricks are enough; what the third missed comes when it is back.
#[test]
#[ignore = "needs root, FUSE and the Debian packages of the cluster: .ci/cluster"]
fn a_brick_of_glusterfs_dies_in_mid_run() {
    let stage = Stage::new(Engine::Gluster, 1500);
    stage.runs("dumpme", &["-q", "--init"], 0);
    let history = Fingerprint::of(&stage.root());
    fs::remove_dir_all(stage.tree()).expect("removed");
    fs::create_dir(stage.tree()).expect("made");
    real_tree(&stage.tree(), 1500, 75, 99);
    let mut child = stage.begun(&["-q"]);
    stage.cluster.kill_brick(2);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_rsync_same(&stage.tree(), &stage.current());
    stage.cluster.start_bricks();
    stage.change();
    stage.runs("dumpme", &["-q"], 0);
    assert_rsync_same(&stage.tree(), &stage.current());
    history.assert_unchanged(&stage.root());
}
