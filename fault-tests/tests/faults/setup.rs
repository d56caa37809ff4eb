//! A source, two dump roots and the programs, shielded from the machine's
//! own settings; and what must hold of a dump root at every instant.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use dumpcore::DumpRoot;
use fixtures::tree::{Tree, remove_deep};
use fixtures::{Fingerprint, Options, diff_trees, plain_user};
use tempfile::TempDir;

/// The name of the tree in all dumps of these tests.
pub(crate) const ROOT: &str = "tree";

/// Where temporary things are quick.
pub(crate) fn memory() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() {
        shm.to_path_buf()
    } else {
        std::env::temp_dir()
    }
}

/// A temporary directory in memory.
pub(crate) fn temp() -> TempDir {
    let dir = TempDir::new_in(memory()).expect("a directory");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(dir.path(), open).expect("opened up");
    dir
}

/// A source, a dump root and a second one, with programs; gone when dropped.
pub(crate) struct Stage {
    top: PathBuf,
    /// What is dumped.
    pub(crate) source: PathBuf,
    /// Where it is dumped to.
    pub(crate) dump: PathBuf,
    /// Where dumps are replicated to.
    pub(crate) slave: PathBuf,
    /// Who runs the programs, when that is not the runner of the tests.
    user: Option<u32>,
}

impl Stage {
    /// The tree of each dump, the oldest first.
    pub(crate) fn trees(&self) -> Vec<PathBuf> {
        let root = DumpRoot::open(&self.dump).expect("opened");
        let dumps = root.list().expect("listed").into_iter();
        dumps
            .map(|dump| self.dump.join(dump.path()).join(ROOT))
            .collect()
    }

    /// An empty source and empty dump roots, in memory.
    pub(crate) fn new() -> Self {
        let stage = Self::at(temp().keep());
        for dir in [&stage.source, &stage.dump, &stage.slave] {
            fs::create_dir_all(dir).expect("made");
        }
        stage
    }

    /// The same with the dump root on a filesystem of the test's own.
    pub(crate) fn with_dump_on(mount: &Path) -> Self {
        let mut stage = Self::new();
        stage.dump = mount.join("dump");
        fs::create_dir_all(&stage.dump).expect("made");
        stage
    }

    fn at(top: PathBuf) -> Self {
        let bin = top.join("bin");
        fs::create_dir_all(&bin).expect("made");
        for name in ["dumpme", "chkptme", "dumpslave", "yest", "hist", "dumpctl"] {
            let made = symlink(env!("CARGO_BIN_EXE_programs"), bin.join(name));
            assert!(made.is_ok() || bin.join(name).is_symlink(), "{made:?}");
        }
        fs::create_dir_all(top.join("config/dump")).expect("made");
        fs::write(top.join("config/dump/dump.toml"), "").expect("written");
        Stage {
            source: top.join(ROOT),
            dump: top.join("dump"),
            slave: top.join("slave"),
            user: None,
            top,
        }
    }

    /// Gives source and dump root to a plain user, who runs the programs from
    /// now on.
    pub(crate) fn of_plain_user(mut self) -> Self {
        self.user = Some(plain_user::PLAIN);
        // What was built may be where only we can reach it.
        let bin = self.top.join("bin");
        plain_user::copy_program(env!("CARGO_BIN_EXE_programs"), &bin.join("programs"));
        for name in ["dumpme", "chkptme", "dumpslave", "dumpctl"] {
            fs::remove_file(bin.join(name)).expect("removed");
            symlink("programs", bin.join(name)).expect("made");
        }
        for dir in [&self.source, &self.dump, &self.slave] {
            plain_user::give(dir);
        }
        self
    }

    /// A second stage, the same in all that a dump keeps.
    pub(crate) fn copy(&self) -> Self {
        let top = temp().keep();
        let mut command = Command::new("cp");
        command.arg("-a").arg(self.top.join(".")).arg(&top);
        assert!(command.status().expect("cp runs").success());
        Self::at(top)
    }

    /// A path beside source and dump root.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    /// One of the programs, without the surrounding environment.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.top.join("bin").join(name));
        command
            .env_clear()
            .envs(fixtures::shield::environment(&self.top.join("home")))
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .current_dir(&self.top);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// A dump of the source, the first if there is no `current`.
    pub(crate) fn dumpme(&self) -> Command {
        let mut command = self.program("dumpme");
        command.args(["--log", "stderr", "-q", "--main"]);
        command.arg(&self.source).arg("--dump").arg(&self.dump);
        command.arg("--no-catalog");
        if fs::symlink_metadata(self.dump.join("current")).is_err() {
            command.arg("--init");
        }
        command
    }

    /// A dump with the catalog.
    pub(crate) fn catalogued(&self) -> Command {
        let mut command = self.dumpme();
        command.arg("--catalog");
        command
    }

    /// A dump with the catalog that is made from an expired one where there is one,
    /// and keeps this many of the newest.
    pub(crate) fn recycling(&self, last: u32) -> Command {
        let file = self.beside(&format!("keep{last}.toml"));
        let text = format!("[keep]\nauto = true\nlast = {last}\n");
        fs::write(&file, text).expect("written");
        let mut command = self.catalogued();
        command.arg("--config").arg(file);
        command
    }

    /// Two dumps of the source, the first of which has expired and is kept for the
    /// next run; the catalog knows the second.
    pub(crate) fn spare(&self) {
        end_well(&mut self.catalog("rebuild"));
        for _ in 0..2 {
            end_well(&mut self.recycling(1));
        }
        let spares = fs::read_dir(self.dump.join(".dump/removing"));
        assert_eq!(spares.expect("there is one").count(), 1);
    }

    /// A checkpoint of the newest dump.
    pub(crate) fn chkptme(&self) -> Command {
        let mut command = self.program("chkptme");
        command.args(["--log", "stderr", "-q", "--dump"]);
        command.arg(&self.dump);
        command
    }

    /// A replica of the newest dump, the first if there is no `current`.
    pub(crate) fn dumpslave(&self) -> Command {
        let mut command = self.program("dumpslave");
        command.args(["--log", "stderr", "-q", "--latest", "--from"]);
        command.arg(&self.dump).arg("--dump").arg(&self.slave);
        if fs::symlink_metadata(self.slave.join("current")).is_err() {
            command.arg("--init");
        }
        command
    }

    /// A removal of dumps.
    pub(crate) fn remove(&self, dumps: &[&str]) -> Command {
        let mut command = self.program("dumpctl");
        command.args(["remove", "--log", "stderr", "-q", "--force", "--dump"]);
        command.arg(&self.dump).args(dumps);
        command
    }

    /// A look after the catalog: rebuild or check.
    pub(crate) fn catalog(&self, what: &str) -> Command {
        let mut command = self.program("dumpctl");
        command.args(["catalog", what, "--log", "stderr", "-q", "--dump"]);
        command.arg(&self.dump);
        command
    }

    /// A removal of the dumps that this policy does not keep.
    pub(crate) fn prune(&self, policy: &[&str]) -> Command {
        let mut command = self.program("dumpctl");
        command.args(["prune", "--log", "stderr", "-q", "--force", "--dump"]);
        command.arg(&self.dump).args(policy);
        command
    }

    /// Replaces the source.
    pub(crate) fn write(&self, tree: &Tree) {
        if self.source.exists() {
            let kept = fs::read_dir(&self.source).expect("listed");
            for entry in kept.map(|entry| entry.expect("listed")) {
                if entry.file_type().expect("known").is_dir() {
                    remove_deep(&entry.path());
                } else {
                    fs::remove_file(entry.path()).expect("removed");
                }
            }
        }
        tree.write(&self.source);
        if let Some(user) = self.user {
            let mut command = Command::new("chown");
            command.arg("-R").arg(format!("{user}:{user}"));
            end_well(command.arg(&self.source));
        }
    }

    /// A dump that must end well.
    #[track_caller]
    pub(crate) fn dump_now(&self) {
        end_well(&mut self.dumpme());
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        remove_deep(&self.top);
    }
}

/// Runs to the end, which must be a good one.
#[track_caller]
pub(crate) fn end_well(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert_code(&output, 0);
}

/// Runs to the end, which must have this exit code; what was said.
#[track_caller]
pub(crate) fn end_with(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("it runs");
    assert_code(&output, code);
    said(&output)
}

#[track_caller]
pub(crate) fn assert_code(output: &Output, code: i32) {
    let ended: ExitStatus = output.status;
    assert_eq!(ended.code(), Some(code), "{ended}: {}", said(output));
}

/// What a program said on standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Is a tree the same as one of those that it may be?
#[track_caller]
pub(crate) fn assert_one_of(dump: &Path, may_be: &[&Path]) {
    let mut all = Vec::new();
    for tree in may_be {
        let lines = diff_trees(tree, dump, &Options::of_runner());
        if lines.is_empty() {
            return;
        }
        all.push(format!("not {}:\n{}", tree.display(), lines.join("\n")));
    }
    panic!("{}: {}", dump.display(), all.join("\n"));
}

/// What must hold of a dump root at every instant: all that looks published
/// is one of these trees, whole, and `current` (if it has one, or must have
/// one) names such a dump.
#[track_caller]
pub(crate) fn assert_stands(root: &Path, has_current: bool, may_be: &[&Path]) {
    let dump = DumpRoot::open(root).expect("opened");
    let current = dump.current().expect("current names a dump");
    assert!(current.is_some() || !has_current, "current is missing");
    for name in dump.list().expect("listed") {
        assert_one_of(&root.join(name.path()).join(ROOT), may_be);
    }
    if let Some(current) = current {
        assert_one_of(&current.join(ROOT), may_be);
    }
}

/// What must hold when a run has ended well: the newest dump is the source,
/// and nothing half made is left.
#[track_caller]
pub(crate) fn assert_done(root: &Path, source: &Path) {
    assert_stands_newest(root, source);
    let left = leftovers(root);
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// The same where what is on its way out may not be gone yet: that is for the next
/// run. Is it?
#[track_caller]
pub(crate) fn assert_done_but_removing(root: &Path, source: &Path) -> bool {
    assert_stands_newest(root, source);
    let mut left = leftovers(root);
    let all = left.len();
    left.retain(|path| *path != root.join(".dump/removing"));
    assert!(left.is_empty(), "left behind: {left:?}");
    all == 0
}

#[track_caller]
fn assert_stands_newest(root: &Path, source: &Path) {
    let dump = DumpRoot::open(root).expect("opened");
    let current = dump.current().expect("current names a dump");
    let current = current.expect("there is a current");
    assert_one_of(&current.join(ROOT), &[source]);
    let newest = dump.list().expect("listed").last().copied();
    let newest = newest.expect("there is a dump");
    match dump.is_linked(newest) {
        // One that has no moment, since that could not be stored, may look newer.
        true => {
            let checkpoint = dump.current_checkpoint().expect("read");
            let checkpoint = checkpoint.expect("there is a checkpoint");
            assert_one_of(&checkpoint.join(ROOT), &[source]);
        }
        false => assert_eq!(root.join(newest.path()), current),
    }
    assert_apart(&dump);
}

/// No inode is both in a linked checkpoint and in another dump.
#[track_caller]
fn assert_apart(root: &DumpRoot) {
    let (mut chain, mut others) = (BTreeSet::new(), BTreeSet::new());
    for name in root.list().expect("listed") {
        let inodes = match root.is_linked(name) {
            true => &mut chain,
            false => &mut others,
        };
        add_inodes(&root.path().join(name.path()), inodes);
    }
    let both: Vec<_> = chain.intersection(&others).collect();
    assert!(both.is_empty(), "in the chain and in dumps: {both:?}");
}

fn add_inodes(dir: &Path, inodes: &mut BTreeSet<u64>) {
    for entry in fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path();
        let meta = fs::symlink_metadata(&path).expect("there");
        inodes.insert(meta.ino());
        if meta.is_dir() {
            add_inodes(&path, inodes);
        }
    }
}

/// What runs left in a dump root: places, and names that are not a dump's.
pub(crate) fn leftovers(root: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| entry.expect("listed").path()).collect()
    };
    let mut found = Vec::new();
    for year in list(root) {
        let name = year.file_name().expect("a name").as_bytes().to_vec();
        let known = [&b"current"[..], b"current_chk", b"lost+found", b".rsync"];
        if known.contains(&&name[..]) {
            continue;
        }
        if name == b".dump" {
            let rest = list(&year).into_iter();
            // The lock stays, and so does the catalog; what SQLite left of a
            // transaction that was cut off is undone when it is opened next.
            let stays = |path: &PathBuf| {
                let name = path.file_name().unwrap_or_default().as_bytes();
                name == b"lock" || name.starts_with(b"catalog")
            };
            found.extend(rest.filter(|path| !stays(path)));
            continue;
        }
        if !name.iter().all(u8::is_ascii_digit) {
            found.push(year);
            continue;
        }
        for minute in list(&year).iter().flat_map(|day| list(day)) {
            if minute.as_os_str().as_bytes().ends_with(b"_incomplete") {
                found.push(minute);
            }
        }
    }
    found
}

/// History, and that it still is what it was.
pub(crate) struct History(Fingerprint);

impl History {
    pub(crate) fn of(root: &Path) -> Self {
        History(Fingerprint::of(root))
    }

    #[track_caller]
    pub(crate) fn assert_unchanged(&self, root: &Path) {
        self.0.assert_unchanged(root);
    }
}

/// Does something again and again, counted from 0, while `act` is done; how
/// often it was.
pub(crate) fn meanwhile<T>(again: impl Fn(usize) + Sync, act: impl FnOnce() -> T) -> (T, usize) {
    /// Also when `act` fails, or nobody would ever end.
    struct Stop<'s>(&'s AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let aside = scope.spawn(|| {
            let running = (0..).take_while(|_| !ended.load(Ordering::Relaxed));
            running.map(&again).count()
        });
        let stop = Stop(&ended);
        let done = act();
        drop(stop);
        (done, aside.join().expect("it ends"))
    })
}
