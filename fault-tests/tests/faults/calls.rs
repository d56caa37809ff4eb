//! The calls by which a run changes a disk, and the runs that are tried at
//! each of them.
//!
//! With one worker a run does everything in its first thread, so that its
//! calls come in one order: a trace of one run tells which they are, and
//! strace then strikes further runs at each of them. Between two of them the
//! disk does not change: every state that can be is met.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use fixtures::strace::{Inject, trace, watch};
use fixtures::tree::Node;

use crate::sample_trees;
use crate::setup::{Stage, end_well};

/// Calls that change nothing on a disk; all others are points to be killed
/// at, also those that the tracer knows only by number.
const HARMLESS: &[&str] = &[
    "access",
    "arch_prctl",
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "clone3",
    "close",
    "connect",
    "execve",
    "faccessat2",
    "fadvise64",
    "fcntl",
    "flistxattr",
    "flock",
    "fstat",
    "fstatfs",
    "futex",
    "getcwd",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getpid",
    "getrandom",
    "gettid",
    "getuid",
    "ioctl",
    "lgetxattr",
    "llistxattr",
    "lseek",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "newfstatat",
    "openat",
    "pipe2",
    "poll",
    "prctl",
    "pread64",
    "prlimit64",
    "read",
    "readlink",
    "readlinkat",
    "recvfrom",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "sendto",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "socket",
    "socketpair",
    "statfs",
    "statx",
    "sysinfo",
    "uname",
    "fgetxattr",
    "getxattr",
    "listxattr",
    "shutdown",
    "syscall_0x1d0",
    "syscall_0x1d1",
];

/// A call to be killed at: its name, and which of them.
pub(crate) type Point = (String, usize);

/// All calls of a run's first thread that change something.
pub(crate) fn points(command: &Command) -> Vec<Point> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut first = None;
    let mut points = Vec::new();
    for line in trace(command, "all") {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let name = call.split('(').next().unwrap_or_default();
        if *first.get_or_insert(thread.to_owned()) != thread || call.starts_with(['<', '+', '-']) {
            continue;
        }
        let nth = seen.entry(name.to_owned()).or_default();
        *nth += 1;
        let makes = name == "openat" && call.contains("O_CREAT")
            || name == "ioctl" && call.contains("FICLONE");
        let says = call.starts_with("write(2,") || call.starts_with("write(1,");
        if makes || !says && !HARMLESS.contains(&name) {
            points.push((by_number(name), *nth));
        }
    }
    points
}

/// Kills a run when all is stored, and nothing of it is flushed.
pub(crate) fn before_flush() -> Inject {
    Inject::kill("syncfs").when(1)
}

/// Does a leftover have a watermark?
pub(crate) fn is_marked(site: &Path) -> bool {
    let mut value = [0_u8; 256];
    rustix::fs::getxattr(site, "user.dump.flushed", &mut value).is_ok()
}

/// A call that strace has no name for is chosen by its number.
fn by_number(name: &str) -> String {
    let number = name.strip_prefix("syscall_0x");
    let number = number.and_then(|hex| u32::from_str_radix(hex, 16).ok());
    number.map_or_else(|| name.to_owned(), |number| number.to_string())
}

/// One kind of run: where it begins, how it is started, what it makes.
pub(crate) struct Run {
    pub(crate) base: Stage,
    pub(crate) start: fn(&Stage) -> Command,
    /// The dump root that it writes.
    pub(crate) writes: fn(&Stage) -> &Path,
    /// Has that a `current` from the beginning?
    pub(crate) has_current: bool,
    /// Is it made with the catalog?
    pub(crate) catalog: bool,
    /// What is done last to a stage of its own.
    pub(crate) prepare: fn(&Stage),
}

impl Run {
    /// The first dump of all.
    pub(crate) fn first_dump() -> Self {
        Run {
            base: fresh(),
            start: Stage::dumpme,
            writes: dump,
            has_current: false,
            catalog: false,
            prepare: |_| {},
        }
    }

    /// The first dump of all, with the catalog.
    pub(crate) fn catalogued_first_dump() -> Self {
        Run {
            start: Stage::catalogued,
            catalog: true,
            ..Self::first_dump()
        }
    }

    /// A dump of what changed, with the catalog.
    pub(crate) fn catalogued_dump() -> Self {
        Run {
            start: Stage::catalogued,
            catalog: true,
            ..Self::dump()
        }
    }

    /// A dump of what changed.
    pub(crate) fn dump() -> Self {
        Run {
            base: changed(),
            has_current: true,
            ..Self::first_dump()
        }
    }

    /// A dump of what changed that is made from an expired one.
    pub(crate) fn recycled_dump() -> Self {
        let base = Stage::new();
        base.write(&sample_trees::before());
        base.dump_now();
        copy_tree(&base.source, &base.beside("was"));
        Run {
            base,
            start: |stage| stage.recycling(100),
            prepare: |stage| {
                stage.spare();
                stage.write(&sample_trees::after());
            },
            ..Self::catalogued_dump()
        }
    }

    /// The same where an earlier run was killed.
    pub(crate) fn dump_that_goes_on() -> Self {
        let base = changed();
        let half = Inject::kill("fsync").when(1);
        let mut command = base.dumpme();
        let seen = watch(command.arg("--jobs=1"), &[half]);
        assert_eq!(seen.status.signal(), Some(9));
        // Some of what it made is not what it should be by now.
        base.write(&sample_trees::after().with("changes", Node::file("once more")));
        Run {
            base,
            ..Self::dump()
        }
    }

    /// A checkpoint.
    pub(crate) fn checkpoint() -> Self {
        Run {
            base: dumped(),
            start: Stage::chkptme,
            ..Self::dump()
        }
    }

    /// A checkpoint that links to the one before.
    pub(crate) fn linked_checkpoint() -> Self {
        let start = |stage: &Stage| {
            let mut command = stage.chkptme();
            command.arg("--linked");
            command
        };
        let base = Stage::new();
        base.write(&sample_trees::before());
        base.dump_now();
        end_well(&mut start(&base));
        copy_tree(&base.source, &base.beside("was"));
        base.write(&sample_trees::after());
        base.dump_now();
        Run {
            base,
            start,
            ..Self::dump()
        }
    }

    /// The same with a catalog in the dump root.
    pub(crate) fn catalogued_linked_checkpoint() -> Self {
        Run {
            catalog: true,
            ..Self::linked_checkpoint()
        }
    }

    /// A checkpoint that is read back from the disk.
    pub(crate) fn verified_checkpoint() -> Self {
        let start = |stage: &Stage| {
            let mut command = stage.chkptme();
            command.arg("--verify");
            command
        };
        Run {
            start,
            ..Self::checkpoint()
        }
    }

    /// The first replica of all.
    pub(crate) fn first_replica() -> Self {
        Run {
            base: dumped(),
            start: Stage::dumpslave,
            writes: slave,
            has_current: false,
            catalog: false,
            prepare: |_| {},
        }
    }

    /// A replica of what changed.
    pub(crate) fn replica() -> Self {
        let base = changed();
        end_well(&mut base.dumpslave());
        base.dump_now();
        Run {
            base,
            has_current: true,
            ..Self::first_replica()
        }
    }

    /// A stage of its own to begin from. A copy of a dump root has other inodes, so
    /// that its catalog is made from them again.
    pub(crate) fn stage(&self) -> Stage {
        let stage = self.base.copy();
        if self.catalog && self.has_current {
            end_well(
                stage
                    .program("dumpctl")
                    .args(["catalog", "rebuild", "-q", "--dump"])
                    .arg(&stage.dump),
            );
        }
        (self.prepare)(&stage);
        stage
    }

    /// The catalog says what is on disk, at the latest after one more dump: one
    /// that was half made is put aside first.
    pub(crate) fn assert_catalog(&self, stage: &Stage) {
        if self.catalog {
            end_well(&mut stage.catalogued());
            end_well(
                stage
                    .program("dumpctl")
                    .args(["catalog", "check", "--all", "-q", "--dump"])
                    .arg(&stage.dump),
            );
        }
    }

    /// One that is to be struck.
    pub(crate) fn one(&self, stage: &Stage) -> Command {
        let mut command = (self.start)(stage);
        command.arg("--jobs=1");
        command
    }
}

/// A source that was never dumped.
pub(crate) fn fresh() -> Stage {
    let stage = Stage::new();
    stage.write(&sample_trees::after());
    stage
}

/// One that was dumped, and has changed since; what it was is kept beside.
pub(crate) fn changed() -> Stage {
    let stage = Stage::new();
    stage.write(&sample_trees::before());
    stage.dump_now();
    copy_tree(&stage.source, &stage.beside("was"));
    stage.write(&sample_trees::after());
    stage
}

/// The same with both states dumped.
pub(crate) fn dumped() -> Stage {
    let stage = changed();
    stage.dump_now();
    stage
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    command.arg("-a").arg(from).arg(to);
    assert!(command.status().expect("cp runs").success());
}

pub(crate) fn dump(stage: &Stage) -> &Path {
    &stage.dump
}

pub(crate) fn slave(stage: &Stage) -> &Path {
    &stage.slave
}
