//! Who is compared, and how each is asked: to begin, to go on, and to show
//! what it kept.

use std::path::{Path, PathBuf};

use crate::programs::word;

/// What a program is asked to do.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    /// What to copy.
    pub(crate) tree: &'a Path,
    /// Where copies go; another directory for each program, but one for all
    /// that link to the same first copy.
    pub(crate) at: &'a Path,
    /// The dump root beside the tree.
    pub(crate) dump: &'a Path,
    /// Where our programs are.
    pub(crate) ours: &'a Path,
    /// The compiled limit.
    pub(crate) limit: &'a Path,
    /// For what is restored.
    pub(crate) scratch: &'a Path,
}

impl Site<'_> {
    fn tree(&self) -> String {
        word(self.tree)
    }

    fn at(&self, name: impl ToString) -> String {
        word(&self.at.join(name.to_string()))
    }

    fn scratch(&self) -> String {
        word(self.scratch)
    }
}

/// A program, or a way to call one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Dumpme,
    Rsync,
    CpAl,
    CpA,
    Limit(usize),
    Restic,
    Borg,
    RdiffBackup,
    Chkptme,
    CpAh,
    Restore,
    Remove,
    RmRf,
    /// Ours, made from the dump that expired in the run before, and letting the
    /// oldest expire.
    Recycling,
    /// A further copy, and the removal of the oldest.
    RsyncAndRemove,
    CpAlAndRemove,
    /// Only looks at the tree.
    Find,
    /// Copies of a large file alone.
    DumpmeBig,
    DumpmeBigWhole,
    RsyncBig,
}

impl Tool {
    /// Is the large file copied, not the tree?
    pub(crate) fn is_for_big_file(self) -> bool {
        matches!(
            self,
            Self::DumpmeBig | Self::DumpmeBigWhole | Self::RsyncBig
        )
    }

    /// As it stands in the tables, when it begins or continues.
    pub(crate) fn name(self, begins: bool) -> String {
        match (self, begins) {
            (Self::Dumpme, true) => "dumpme --init".into(),
            (Self::Dumpme, false) => "dumpme".into(),
            (Self::Rsync, true) => "rsync -aHAXU".into(),
            (Self::Rsync, false) => "rsync -aHAXU --link-dest".into(),
            (Self::CpAl, _) => "cp -al (compares nothing)".into(),
            (Self::CpA, _) => "cp -a".into(),
            (Self::Limit(1), _) => "limit in C, 1 thread".into(),
            (Self::Limit(n), _) => format!("limit in C, {n} threads"),
            (Self::Restic, _) => "restic backup".into(),
            (Self::Borg, _) => "borg create".into(),
            (Self::RdiffBackup, _) => "rdiff-backup".into(),
            (Self::Chkptme, _) => "chkptme".into(),
            (Self::CpAh, _) => "cp -aH --reflink=never".into(),
            (Self::Restore, _) => "dumpctl restore".into(),
            (Self::Remove, _) => "dumpctl remove".into(),
            (Self::RmRf, _) => "rm -rf".into(),
            (Self::Recycling, _) => "dumpme, auto = true".into(),
            (Self::RsyncAndRemove, _) => "rsync -aHAXU --link-dest, rm -rf".into(),
            (Self::CpAlAndRemove, _) => "cp -al (compares nothing), rm -rf".into(),
            (Self::Find, _) => "find -printf (makes nothing)".into(),
            (Self::DumpmeBig, _) => "dumpme of a large file".into(),
            (Self::DumpmeBigWhole, _) => "dumpme --whole-file".into(),
            (Self::RsyncBig, _) => "rsync -aHAXU --link-dest".into(),
        }
    }

    /// The program that must be installed, and what makes it tell its version.
    pub(crate) fn program(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Dumpme | Self::Chkptme | Self::Limit(_) => None,
            Self::DumpmeBig | Self::DumpmeBigWhole => None,
            Self::Restore | Self::Remove | Self::Recycling => None,
            Self::Find => Some(("find", "--version")),
            Self::Rsync | Self::RsyncAndRemove | Self::RsyncBig => Some(("rsync", "--version")),
            Self::CpAl | Self::CpA | Self::CpAh | Self::CpAlAndRemove => Some(("cp", "--version")),
            Self::Restic => Some(("restic", "version")),
            Self::Borg => Some(("borg", "--version")),
            Self::RdiffBackup => Some(("rdiff-backup", "--version")),
            Self::RmRf => Some(("rm", "--version")),
        }
    }

    /// The directory that its copies go to.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            Self::Dumpme | Self::Chkptme | Self::Remove => "dump",
            Self::Rsync
            | Self::CpAl
            | Self::CpA
            | Self::Limit(_)
            | Self::CpAh
            | Self::RmRf
            | Self::Restore => "copies",
            Self::Restic => "restic",
            Self::Borg => "borg",
            Self::RdiffBackup => "rdiff",
            Self::Recycling => "recycled",
            Self::RsyncAndRemove => "rolling-rsync",
            Self::CpAlAndRemove => "rolling-cp",
            Self::Find => "found",
            Self::DumpmeBig => "big-dump",
            Self::DumpmeBigWhole => "big-whole",
            Self::RsyncBig => "big-copies",
        }
    }

    /// Makes what is there before the first copy.
    pub(crate) fn init(self, site: &Site<'_>) -> String {
        let at = word(site.at);
        match self {
            Self::Restic => format!("RESTIC_PASSWORD=x restic -q init -r {at}"),
            Self::Borg => format!("borg init -e none {at}"),
            _ => format!("mkdir -p {at}"),
        }
    }

    /// The first copy, as number 0.
    pub(crate) fn first(self, site: &Site<'_>) -> String {
        let (tree, to) = (site.tree(), site.at(0));
        match self {
            Self::Dumpme | Self::Chkptme | Self::CpAh | Self::Remove => {
                format!("{} --init", dumpme(site))
            }
            Self::DumpmeBig | Self::DumpmeBigWhole => format!("{} --init", dumpme(site)),
            Self::Rsync | Self::RsyncBig => format!("rsync -aHAXU {tree}/ {to}/"),
            Self::CpA | Self::CpAl | Self::Limit(_) | Self::RmRf => format!("cp -a {tree} {to}"),
            Self::Restore => format!("{} restore --to {to} {tree}", dumpctl(site, site.dump)),
            Self::Restic | Self::Borg | Self::RdiffBackup => self.next(site, 0),
            // A time of change proves something when it is a minute old.
            Self::Recycling => {
                let run = recycling(site);
                let table = "[keep]\\nauto = true\\nlast = 2\\n";
                let keep = keep(site);
                format!("printf '{table}' >{keep}; sleep 61; {run} --init; {run}; {run}; {run}")
            }
            Self::RsyncAndRemove | Self::CpAlAndRemove => {
                let (second, third) = (site.at("0.1"), site.at("0.2"));
                format!("cp -a {tree} {to}; cp -al {to} {second}; cp -al {to} {third}")
            }
            Self::Find => ":".into(),
        }
    }

    /// What is there before a further piece of work, beside the first copy:
    /// for a removal, what is removed.
    pub(crate) fn before(self, site: &Site<'_>, number: u64) -> String {
        match self {
            // The newest is never removed, nor the first, which is the checkpoint
            // as long as there is none.
            Self::Remove => {
                let (at, dumpme) = (word(site.at), dumpme(site));
                format!(
                    "cd {at} && \
                     if [ \"$(readlink current)\" = \"$(readlink current_chk)\" ]; then {dumpme}; fi; \
                     readlink current > {at}-removed && {dumpme}"
                )
            }
            Self::RmRf => Self::CpAl.next(site, number),
            _ => ":".into(),
        }
    }

    /// A further copy, or a removal of one.
    pub(crate) fn next(self, site: &Site<'_>, number: u64) -> String {
        let (tree, first, to) = (site.tree(), site.at(0), site.at(number));
        let at = word(site.at);
        match self {
            Self::Dumpme | Self::DumpmeBig => dumpme(site),
            Self::DumpmeBigWhole => format!("{} --whole-file", dumpme(site)),
            Self::Rsync | Self::RsyncBig => {
                format!("rsync -aHAXU --link-dest={first} {tree}/ {to}/")
            }
            Self::CpAl => format!("cp -al {first} {to}"),
            Self::CpA => format!("cp -a {tree} {to}"),
            Self::Restore => self.first(site),
            Self::Remove => format!(
                "{} remove --force $(cat {at}-removed)",
                dumpctl(site, site.at)
            ),
            Self::RmRf => format!("rm -rf {to}"),
            Self::Limit(n) => format!("{} {n} {tree} {first} {to}", word(site.limit)),
            Self::Restic => format!("RESTIC_PASSWORD=x restic -q -r {at} backup {tree}"),
            Self::Borg => format!("borg create {at}::n{number} {tree}"),
            Self::RdiffBackup => format!("rdiff-backup backup {tree} {at}"),
            Self::Chkptme => format!(
                "{} -q --log stderr --dump {at}",
                word(&site.ours.join("chkptme"))
            ),
            Self::Recycling => recycling(site),
            Self::RsyncAndRemove => rolling(site, |newest| {
                format!("rsync -aHAXU --link-dest={newest} {tree}/ {to}/")
            }),
            Self::CpAlAndRemove => rolling(site, |newest| format!("cp -al {newest} {to}")),
            Self::Find => format!("find {tree} -printf '%p %s %T@ %m %U %G\\n' >/dev/null"),
            // A checkpoint shares no byte with what it is of.
            Self::CpAh => format!("cp -aH --reflink=never {} {to}", site.at("current")),
        }
    }

    /// How to get back what was copied last, and where it is then.
    pub(crate) fn restore(self, site: &Site<'_>, number: u64) -> (String, PathBuf) {
        let (at, out) = (word(site.at), site.scratch());
        let below = |dir: &Path| dir.join(site.tree.strip_prefix("/").unwrap_or(site.tree));
        match self {
            Self::Dumpme | Self::Chkptme | Self::Recycling => {
                (":".into(), site.at.join("current/tree"))
            }
            Self::DumpmeBig | Self::DumpmeBigWhole => (":".into(), site.at.join("current/big")),
            Self::Remove => (
                format!("test ! -e {at}/$(cat {at}-removed)"),
                site.at.join("current/tree"),
            ),
            Self::RmRf => (format!("test ! -e {}", site.at(number)), site.at.join("0")),
            Self::Restore => (":".into(), site.at.join("0").join("tree")),
            Self::Find => (":".into(), site.tree.to_path_buf()),
            Self::CpAh => (":".into(), site.at.join(number.to_string()).join("tree")),
            Self::Rsync
            | Self::RsyncBig
            | Self::CpAl
            | Self::CpA
            | Self::Limit(_)
            | Self::RsyncAndRemove
            | Self::CpAlAndRemove => (":".into(), site.at.join(number.to_string())),
            Self::Restic => (
                format!("RESTIC_PASSWORD=x restic -q -r {at} restore latest --target {out}"),
                below(site.scratch),
            ),
            Self::Borg => (
                format!("mkdir {out} && cd {out} && borg extract {at}::n{number}"),
                below(site.scratch),
            ),
            Self::RdiffBackup => (
                format!("rdiff-backup restore {at} {out}"),
                site.scratch.to_path_buf(),
            ),
        }
    }
}

fn dumpctl(site: &Site<'_>, root: &Path) -> String {
    format!(
        "{} -q --log stderr --dump {}",
        word(&site.ours.join("dumpctl")),
        word(root)
    )
}

/// What says that a dump may be made from one that expired.
fn keep(site: &Site<'_>) -> String {
    word(&site.at.with_extension("toml"))
}

fn recycling(site: &Site<'_>) -> String {
    format!("{} --config {}", dumpme(site), keep(site))
}

/// A further copy beside the newest, and the removal of the oldest.
fn rolling(site: &Site<'_>, copy: impl Fn(&str) -> String) -> String {
    let at = word(site.at);
    let nth = |which: &str| format!("{at}/$(ls {at} | sort -V | {which} -n 1)");
    let (newest, oldest) = (nth("tail"), nth("head"));
    format!("newest={newest}; {} && rm -rf {oldest}", copy("$newest"))
}

fn dumpme(site: &Site<'_>) -> String {
    format!(
        "{} -q --log stderr --main {} --dump {}",
        word(&site.ours.join("dumpme")),
        site.tree(),
        word(site.at)
    )
}
