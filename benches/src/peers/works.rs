//! The kinds of work, who does them, and what is to be reached.

use super::tools::Tool;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A further copy of a tree that is as it was.
    Unchanged,
    /// A further copy after one file of a hundred was written to.
    Changed,
    /// The first copy, onto an empty filesystem.
    Full,
    /// A copy of a dump that shares nothing with it, beside it on a
    /// filesystem that has nothing else.
    Checkpoint,
}

impl What {
    /// Each copy gets a filesystem of its own: copies of everything are too
    /// large to keep, and must not be removed.
    pub(crate) fn is_fresh(self) -> bool {
        matches!(self, Self::Full | Self::Checkpoint)
    }

    /// Flushing counts: of what is not on the disk, nothing is copied. Of an
    /// unchanged tree hardly anything has to be written; without the flush
    /// the limit is one of calls alone.
    pub(crate) fn is_synced(self) -> bool {
        self != Self::Unchanged
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
    pub(crate) tools: Vec<(Tool, Option<f64>)>,
}

/// All of them, in the order in which they can share a tree: the one that
/// changes it is the last.
pub(crate) fn works(processors: usize) -> Vec<Work> {
    let work = |name, title, what, cold, tools: &[(Tool, Option<f64>)]| Work {
        name,
        title,
        what,
        cold,
        tools: tools.to_vec(),
    };
    let unchanged = |rsync, limit| {
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
    };
    let changed = [
        (Tool::Dumpme, None),
        (Tool::Rsync, Some(8.0)),
        (Tool::Restic, None),
        (Tool::Borg, None),
        (Tool::RdiffBackup, None),
    ];
    let full = [
        (Tool::Dumpme, None),
        (Tool::Rsync, Some(1.5)),
        (Tool::CpA, Some(1.4)),
        (Tool::Restic, None),
        (Tool::Borg, None),
        (Tool::RdiffBackup, None),
    ];
    let checkpoint = [(Tool::Chkptme, None), (Tool::CpAh, Some(1.3))];
    let without = |tools: &[(Tool, Option<f64>)]| -> Vec<_> {
        tools.iter().map(|(tool, _)| (*tool, None)).collect()
    };
    vec![
        work(
            "unchanged",
            "dump of an unchanged tree",
            What::Unchanged,
            false,
            &unchanged(10.0, Some(1.0 / 1.3)),
        ),
        work(
            "unchanged-cold",
            "dump of an unchanged tree, cold caches",
            What::Unchanged,
            true,
            &unchanged(6.0, None),
        ),
        work(
            "full",
            "first full dump, with sync",
            What::Full,
            false,
            &full,
        ),
        work(
            "full-cold",
            "first full dump, with sync, cold caches",
            What::Full,
            true,
            &without(&full),
        ),
        work(
            "checkpoint",
            "checkpoint, with sync",
            What::Checkpoint,
            false,
            &checkpoint,
        ),
        work(
            "checkpoint-cold",
            "checkpoint, with sync, cold caches",
            What::Checkpoint,
            true,
            &without(&checkpoint),
        ),
        work(
            "changed",
            "dump of a tree of which 1% changed, with sync",
            What::Changed,
            false,
            &changed,
        ),
        work(
            "changed-cold",
            "dump of a tree of which 1% changed, with sync, cold caches",
            What::Changed,
            true,
            &without(&changed),
        ),
    ]
}
