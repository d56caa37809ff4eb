//! Who is compared, and what each is asked to do.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::rounds::shell;

/// Where all of it happens.
pub(crate) struct Bed {
    dir: PathBuf,
    ours: PathBuf,
    limit: Option<PathBuf>,
    /// Numbers the copies that peers make.
    next: Cell<u64>,
    made_by_us: bool,
}

/// A program, or a way to call one.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) missing: Option<String>,
    pub(crate) before: fn(&Bed),
    pub(crate) commands: fn(&Bed) -> Vec<String>,
    pub(crate) after: fn(&Bed),
}

/// A kind of work.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) cold: bool,
    /// Flushing the filesystem counts. Ours always flushes by itself.
    pub(crate) sync: bool,
    pub(crate) before: fn(&Bed, usize),
    pub(crate) peers: Vec<Peer>,
}

fn nothing(_: &Bed) {}

impl Peer {
    fn new(name: &'static str, commands: fn(&Bed) -> Vec<String>) -> Self {
        Self {
            name,
            missing: None,
            before: nothing,
            commands,
            after: nothing,
        }
    }

    fn needs(mut self, program: &str) -> Self {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .stdout(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            self.missing = Some(format!("{program} is not installed"));
        }
        self
    }

    fn around(mut self, before: fn(&Bed), after: fn(&Bed)) -> Self {
        self.before = before;
        self.after = after;
        self
    }
}

impl Bed {
    /// Makes the tree and first copies of it, for all to start from.
    pub(crate) fn make(dir: Option<&Path>, files: usize, dirs: usize) -> Self {
        let made_by_us = dir.is_none();
        let dir = dir.map_or_else(
            || std::env::temp_dir().join(format!("dump-peers-{}", std::process::id())),
            Path::to_path_buf,
        );
        fs::create_dir_all(&dir).expect("a directory");
        let bed = Self {
            ours: build_ours(),
            limit: build_limit(&dir),
            dir,
            next: Cell::new(0),
            made_by_us,
        };
        if !bed.at("tree").exists() {
            fixtures::tree::real_tree(&bed.at("tree"), files, dirs, 1);
        }
        for name in ["dump", "copies"] {
            shell(&format!("rm -rf {0}; mkdir {0}", bed.text(name)));
        }
        shell(&bed.dump_command("dump", "--init"));
        shell(&format!(
            "cp -a {} {}",
            bed.text("tree"),
            bed.text("copies/first")
        ));
        bed.sync();
        bed
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn text(&self, name: &str) -> String {
        format!("'{}'", self.at(name).display())
    }

    fn fresh(&self) -> String {
        self.next.set(self.next.get() + 1);
        self.last()
    }

    fn last(&self) -> String {
        self.text(&format!("copies/{}", self.next.get()))
    }

    fn dump_command(&self, root: &str, options: &str) -> String {
        format!(
            "'{}' -q --main {} --dump {} {options}",
            self.ours.join("dumpme").display(),
            self.text("tree"),
            self.text(root)
        )
    }

    pub(crate) fn sync(&self) {
        shell(&format!("sync -f {}", self.text("tree")));
    }

    pub(crate) fn drop_caches(&self) {
        shell("sync; echo 3 > /proc/sys/vm/drop_caches");
    }

    /// Changes the contents of every hundredth file.
    fn change(&self, round: usize) {
        let list = Command::new("find")
            .arg(self.at("tree"))
            .args(["-type", "f", "-print0"])
            .output()
            .expect("find");
        let paths = list.stdout.split(|b| *b == 0).filter(|p| !p.is_empty());
        for path in paths.step_by(100) {
            let path = std::str::from_utf8(path).expect("names of the bed are text");
            let file = fs::File::options().write(true).open(path);
            let bytes = (round as u64 + 1).to_le_bytes();
            file.and_then(|file| file.write_all_at(&bytes, 0))
                .expect("changed");
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }

    fn rsync_command(&self) -> String {
        let (tree, first) = (self.text("tree"), self.text("copies/first"));
        let to = self.fresh();
        format!("rsync -aHAXU --link-dest={first} {tree}/ {to}/")
    }

    fn clear_last(&self) {
        shell(&format!("rm -rf {}", self.last()));
    }

    fn clear_fresh(&self) {
        shell(&format!("rm -rf {}", self.text("fresh")));
    }

    fn init_repositories(&self) {
        self.clear_fresh();
        let (restic, borg) = (self.text("fresh/restic"), self.text("fresh/borg"));
        shell(&format!("mkdir -p {}", self.text("fresh")));
        shell(&format!(
            "command -v restic >/dev/null && RESTIC_PASSWORD=x restic -q init -r {restic} || :"
        ));
        shell(&format!(
            "command -v borg >/dev/null && borg init -e none {borg} || :"
        ));
    }

    pub(crate) fn works(&self) -> Vec<Work> {
        vec![
            self.unchanged("unchanged", "dump of an unchanged tree, warm", false),
            self.unchanged("cold", "the same, cold caches", true),
            self.changed(),
            self.full(),
            self.checkpoint(),
        ]
    }

    fn unchanged(&self, name: &'static str, title: &'static str, cold: bool) -> Work {
        let mut peers = vec![
            Peer::new("dumpme", |bed| vec![bed.dump_command("dump", "")]),
            Peer::new("rsync -aHAXU --link-dest", |bed| vec![bed.rsync_command()])
                .needs("rsync")
                .around(nothing, Bed::clear_last),
            Peer::new("cp -al (compares nothing)", |bed| {
                let first = bed.text("copies/first");
                vec![format!("cp -al {first} {}", bed.fresh())]
            })
            .around(nothing, Bed::clear_last),
            self.limit_peer("limit in C, 1 thread", |bed| vec![bed.limit_command(1)]),
            self.limit_peer("limit in C, 2 threads", |bed| vec![bed.limit_command(2)]),
            self.limit_peer("limit in C, 8 threads", |bed| vec![bed.limit_command(8)]),
        ];
        if cold && !fixtures::is_root() {
            for peer in &mut peers {
                peer.missing = Some("dropping caches needs root".to_owned());
            }
        }
        Work {
            name,
            title,
            cold,
            sync: false,
            before: |_, _| {},
            peers,
        }
    }

    fn limit_peer(&self, name: &'static str, commands: fn(&Bed) -> Vec<String>) -> Peer {
        let mut peer = Peer::new(name, commands).around(nothing, Bed::clear_last);
        if self.limit.is_none() {
            peer.missing = Some("no C compiler (cc)".to_owned());
        }
        peer
    }

    fn limit_command(&self, threads: usize) -> String {
        let limit = self.limit.as_deref().unwrap_or(Path::new("limit"));
        let (tree, first) = (self.text("tree"), self.text("copies/first"));
        format!(
            "'{}' {threads} {tree} {first} {}",
            limit.display(),
            self.fresh()
        )
    }

    fn changed(&self) -> Work {
        Work {
            name: "changed",
            title: "dump of a tree of which 1% changed, warm",
            cold: false,
            sync: true,
            before: Bed::change,
            peers: vec![
                Peer::new("dumpme", |bed| vec![bed.dump_command("dump", "")]),
                // Against the first copy always as many files differ.
                Peer::new("rsync -aHAXU --link-dest", |bed| vec![bed.rsync_command()])
                    .needs("rsync")
                    .around(nothing, Bed::clear_last),
            ],
        }
    }

    fn full(&self) -> Work {
        let fresh = |bed: &Bed| {
            bed.clear_fresh();
            shell(&format!("mkdir -p {}", bed.text("fresh")));
            bed.sync();
        };
        let peer = |name, commands| Peer::new(name, commands).around(fresh, Bed::clear_fresh);
        Work {
            name: "full",
            title: "first full dump, with sync, warm",
            cold: false,
            sync: true,
            before: |_, _| {},
            peers: vec![
                peer("dumpme --init", |bed| {
                    vec![bed.dump_command("fresh", "--init")]
                }),
                peer("rsync -aHAXU", |bed| {
                    vec![format!(
                        "rsync -aHAXU {}/ {}/",
                        bed.text("tree"),
                        bed.text("fresh/copy")
                    )]
                })
                .needs("rsync"),
                peer("cp -a", |bed| {
                    vec![format!(
                        "cp -a {} {}",
                        bed.text("tree"),
                        bed.text("fresh/copy")
                    )]
                }),
                Peer::new("restic backup", |bed| {
                    let (tree, to) = (bed.text("tree"), bed.text("fresh/restic"));
                    vec![format!("RESTIC_PASSWORD=x restic -q -r {to} backup {tree}")]
                })
                .around(Bed::init_repositories, Bed::clear_fresh)
                .needs("restic"),
                Peer::new("borg create", |bed| {
                    let (tree, to) = (bed.text("tree"), bed.text("fresh/borg"));
                    vec![format!("borg create {to}::one {tree}")]
                })
                .around(Bed::init_repositories, Bed::clear_fresh)
                .needs("borg"),
                peer("rdiff-backup", |bed| {
                    let (tree, to) = (bed.text("tree"), bed.text("fresh/rdiff"));
                    vec![format!("rdiff-backup {tree} {to}")]
                })
                .needs("rdiff-backup"),
            ],
        }
    }

    fn checkpoint(&self) -> Work {
        Work {
            name: "checkpoint",
            title: "checkpoint, with sync, warm",
            cold: false,
            sync: true,
            before: |_, _| {},
            peers: vec![
                Peer::new("chkptme", |bed| {
                    let chkptme = bed.ours.join("chkptme");
                    let dump = bed.text("dump");
                    vec![format!("'{}' -q --dump {dump}", chkptme.display())]
                })
                .around(Bed::sync, |bed| {
                    shell(&format!("rm -rf {}/*/*/*_chk", bed.text("dump")));
                    shell(&format!("rm -rf {0}; mkdir {0}", bed.text("dump")));
                    shell(&bed.dump_command("dump", "--init"));
                    bed.sync();
                }),
                Peer::new("cp -aH", |bed| {
                    let from = bed.text("dump/current/");
                    vec![format!("cp -aH {from} {}", bed.fresh())]
                })
                .around(Bed::sync, |bed| {
                    bed.clear_last();
                    bed.sync();
                }),
            ],
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.made_by_us {
            fixtures::tree::remove_deep(&self.dir);
        }
    }
}

/// Builds our programs as they are shipped; where they are.
fn build_ours() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let status = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--locked",
            "-p",
            "dumpme",
            "-p",
            "chkptme",
        ])
        .current_dir(&home)
        .status();
    assert!(
        status.expect("cargo").success(),
        "the programs do not build"
    );
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(home.join("target"), PathBuf::from);
    target.join("release").canonicalize().expect("built")
}

/// Compiles the limit, where there is a compiler.
fn build_limit(dir: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/limit.c");
    let limit = dir.join("limit");
    let compiled = Command::new("cc")
        .args(["-O2", "-Wall", "-pthread", "-o"])
        .arg(&limit)
        .arg(source)
        .status();
    compiled.ok()?.success().then_some(limit)
}
