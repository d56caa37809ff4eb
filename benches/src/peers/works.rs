//! The kinds of work, who does them, and what is to be reached.

use super::tools::Tool;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A further copy of a tree that is as it was.
    Unchanged,
    /// The same, and the oldest copy goes.
    Recycled,
    /// A further copy after one file of a hundred was written to.
    Changed,
    /// The same after a directory with a twelfth of all files was moved.
    Moved,
    /// A further copy of one large file, in which one MiB was written to.
    BigFile,
    /// The first copy, onto an empty filesystem.
    Full,
    /// A copy of a dump that shares nothing with it, beside it on a
    /// filesystem that has nothing else.
    Checkpoint,
    /// A whole dump put into an empty place, on a filesystem that has nothing
    /// else.
    Restore,
    /// A copy taken away whose files others share.
    Remove,
}

impl What {
    /// Each copy gets a filesystem of its own: copies of everything are too
    /// large to keep, and must not be removed.
    pub(crate) fn is_fresh(self) -> bool {
        matches!(self, Self::Full | Self::Checkpoint | Self::Restore)
    }

    /// Nothing of the copy is there before.
    pub(crate) fn begins(self) -> bool {
        matches!(self, Self::Full | Self::Restore)
    }

    /// Flushing counts: of what is not on the disk, nothing is copied. Of an
    /// unchanged tree hardly anything has to be written; without the flush
    /// the limit is one of calls alone.
    pub(crate) fn is_synced(self) -> bool {
        !matches!(self, Self::Unchanged | Self::Recycled)
    }
}

/// A kind of work.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// As it is asked for.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) what: What,
    pub(crate) cold: bool,
    /// Ours first; to each other how many times ours it should take at least.
    pub(crate) tools: Tools,
}

/// Who takes part, and how many times ours it should take at least.
type Tools = Vec<(Tool, Option<f64>)>;

impl Work {
    fn warm(name: &'static str, title: &'static str, what: What, tools: Tools) -> Self {
        Self {
            name,
            title,
            what,
            cold: false,
            tools,
        }
    }

    fn cold(name: &'static str, title: &'static str, what: What, tools: Tools) -> Self {
        Self {
            cold: true,
            ..Self::warm(name, title, what, tools)
        }
    }
}

const RECYCLED: &str = "dump of an unchanged tree, and removal of the oldest";
const BIG_FILE: &str = "dump of a large file in which 1 MiB changed, with sync";

/// All of them, in the order in which they can share a tree: the one that
/// changes it is the last.
pub(crate) fn works(processors: usize) -> Vec<Work> {
    let mut works = copies(processors);
    works.extend(later());
    works.push(Work::warm(
        "changed",
        "dump of a tree of which 1% changed, with sync",
        What::Changed,
        changed(),
    ));
    works.push(Work::cold(
        "changed-cold",
        "dump of a tree of which 1% changed, with sync, cold caches",
        What::Changed,
        without_goals(changed()),
    ));
    works.push(Work::warm(
        "moved",
        "dump of a tree in which a large directory was moved, with sync",
        What::Moved,
        without_goals(changed()),
    ));
    works.push(Work::warm("big-file", BIG_FILE, What::BigFile, big_file()));
    works
}

/// Copies of a tree that is as it was.
fn copies(processors: usize) -> Vec<Work> {
    vec![
        Work::warm(
            "unchanged",
            "dump of an unchanged tree",
            What::Unchanged,
            unchanged(processors, 10.0, Some(1.0 / 1.3)),
        ),
        Work::cold(
            "unchanged-cold",
            "dump of an unchanged tree, cold caches",
            What::Unchanged,
            unchanged(processors, 6.0, None),
        ),
        Work::warm("recycled", RECYCLED, What::Recycled, recycled()),
        Work::warm("full", "first full dump, with sync", What::Full, full()),
        Work::cold(
            "full-cold",
            "first full dump, with sync, cold caches",
            What::Full,
            without_goals(full()),
        ),
        Work::warm(
            "checkpoint",
            "checkpoint, with sync",
            What::Checkpoint,
            checkpoint(),
        ),
        Work::cold(
            "checkpoint-cold",
            "checkpoint, with sync, cold caches",
            What::Checkpoint,
            without_goals(checkpoint()),
        ),
    ]
}

/// What is done with copies later.
fn later() -> Vec<Work> {
    vec![
        Work::warm(
            "restore",
            "restoring a whole dump, with sync",
            What::Restore,
            restore(),
        ),
        Work::cold(
            "restore-cold",
            "restoring a whole dump, with sync, cold caches",
            What::Restore,
            without_goals(restore()),
        ),
        Work::warm(
            "remove",
            "removing a dump, with sync",
            What::Remove,
            remove(),
        ),
        Work::cold(
            "remove-cold",
            "removing a dump, with sync, cold caches",
            What::Remove,
            remove(),
        ),
    ]
}

fn unchanged(processors: usize, rsync: f64, limit: Option<f64>) -> Tools {
    let mut tools = vec![
        (Tool::Dumpme, None),
        (Tool::Rsync, Some(rsync)),
        (Tool::CpAl, None),
        (Tool::Limit(1), None),
    ];
    if processors > 1 {
        tools.push((Tool::Limit(processors), limit));
    }
    // When disks are waited for, more help than there are processors.
    if processors < 8 {
        tools.push((Tool::Limit(8), None));
    }
    tools.extend([Tool::Restic, Tool::Borg, Tool::RdiffBackup].map(|tool| (tool, None)));
    tools
}

fn recycled() -> Tools {
    vec![
        (Tool::Recycling, None),
        (Tool::RsyncAndRemove, Some(30.0)),
        (Tool::CpAlAndRemove, None),
        // Ours takes at most 1.5 times as long.
        (Tool::Find, Some(1.0 / 1.5)),
    ]
}

fn changed() -> Tools {
    vec![
        (Tool::Dumpme, None),
        (Tool::Rsync, Some(8.0)),
        (Tool::Restic, None),
        (Tool::Borg, None),
        (Tool::RdiffBackup, None),
    ]
}

fn big_file() -> Tools {
    vec![
        (Tool::DumpmeBig, None),
        // To share blocks takes no longer than to copy all.
        (Tool::DumpmeBigWhole, Some(1.0)),
        (Tool::RsyncBig, None),
    ]
}

fn full() -> Tools {
    vec![
        (Tool::Dumpme, None),
        (Tool::Rsync, Some(1.5)),
        (Tool::CpA, Some(1.4)),
        (Tool::Restic, None),
        (Tool::Borg, None),
        (Tool::RdiffBackup, None),
    ]
}

fn checkpoint() -> Tools {
    vec![(Tool::Chkptme, None), (Tool::CpAh, Some(1.3))]
}

fn restore() -> Tools {
    vec![
        (Tool::Restore, None),
        (Tool::Rsync, Some(2.0)),
        (Tool::CpA, Some(1.4)),
    ]
}

fn remove() -> Tools {
    vec![(Tool::Remove, None), (Tool::RmRf, Some(2.0))]
}

fn without_goals(tools: Tools) -> Tools {
    tools.into_iter().map(|(tool, _)| (tool, None)).collect()
}
