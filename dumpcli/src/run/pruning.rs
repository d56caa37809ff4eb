//! Pruning behind a run that published: which dumps went, and what kept others
//! from going.
//!
//! What was published stays published whatever happens here. What somebody has to
//! decide, since the brake held or the rules cannot be used, ends the run as one that
//! did a part of its work; a disk that fails does as well. What cannot be removed does
//! not: it is told as a warning, once, also where the run before has named it.

use std::path::{Path, PathBuf};

use dumpcore::{
    BrakeReason, Chain, Error, Fault, GoesFor, KeepBrake, KeepRules, Printable, Prune, Pruned,
    Reason, Report, RunOptions, Shortage, Warning, is_disk_failure,
};
use serde_json::{Map, Value};

use crate::output::{figures, json, logging};

/// What became of the dumps that are not to be kept.
#[derive(Debug)]
pub struct AfterRun {
    outcome: Outcome,
    /// What is wrong besides.
    problems: Vec<String>,
    /// What the run has named already that cannot be removed.
    told: Vec<PathBuf>,
}

#[derive(Debug)]
enum Outcome {
    Pruned(Box<Pruned>),
    /// It was asked for, and could not be done; `by_disk`: since the disk fails.
    Undone {
        why: String,
        by_disk: bool,
    },
    /// It was asked for in a way that cannot be followed, or was stopped.
    Failed(String),
    /// It was not to be done here.
    Skipped(String),
}

impl AfterRun {
    /// Prunes by these rules behind the run of this report; one of the dumps that go is
    /// kept for the next run when that can `recycle` it. `None` when another run has the
    /// dump root: the next one prunes.
    #[must_use]
    pub fn prune(
        (root, report): (&Path, &Report),
        rules: KeepRules,
        recycle: bool,
        options: RunOptions,
    ) -> Option<Self> {
        let prune = Prune::new(root).rules(rules).brake(true).measure(false);
        let prune = prune.behind_a_run(true);
        match prune.recycle(recycle).options(options.dry_run(false)).run() {
            Ok(pruned) => Some(Self {
                told: told_by(report),
                ..Self::of(Outcome::Pruned(Box::new(pruned)))
            }),
            Err(Error::Busy { .. }) => {
                tracing::info!("not pruned: another run is using the dump root");
                None
            }
            Err(Error::Interrupted) => Some(Self::failed("stopped; the next run prunes".into())),
            Err(error) => Some(Self::of(Outcome::Undone {
                why: Chain(&error).to_string(),
                by_disk: is_disk_failure(&error),
            })),
        }
    }

    fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            problems: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Pruning was asked for, and could not begin.
    #[must_use]
    pub fn failed(why: String) -> Self {
        Self::of(Outcome::Failed(why))
    }

    /// Nothing was to be pruned here, and why.
    #[must_use]
    pub fn skipped(why: String) -> Self {
        Self::of(Outcome::Skipped(why))
    }

    /// `table`, the policy that would prune, is for another dump root.
    #[must_use]
    pub fn elsewhere(table: &str, root: &Path) -> Self {
        let root = Printable::path(root);
        Self::skipped(format!("{table} is for the dump root {root}"))
    }

    /// What is wrong with the policies besides.
    #[must_use]
    pub fn and(mut self, problems: impl IntoIterator<Item = String>) -> Self {
        self.problems.extend(problems);
        self
    }

    fn pruned(&self) -> Option<&Pruned> {
        match &self.outcome {
            Outcome::Pruned(pruned) => Some(pruned),
            _ => None,
        }
    }

    /// What somebody has to decide or set right, one sentence each: the run ends as
    /// one that did a part of its work.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.problems.clone();
        if let Outcome::Failed(why) | Outcome::Undone { why, by_disk: true } = &self.outcome {
            problems.push(cannot(why));
        }
        problems.extend(self.not_removed(true));
        let Some(pruned) = self.pruned() else {
            return problems;
        };
        if pruned.is_braked() {
            problems.extend(pruned.plan.brake.as_ref().map(braked));
        }
        let shortage = pruned.plan.shortage.filter(|shortage| !shortage.is_met);
        problems.extend(shortage.map(|shortage| short(&shortage)));
        if pruned.removal.as_ref().is_some_and(|one| one.stopped) {
            problems.push("stopped while pruning; the next run finishes".to_owned());
        }
        problems
    }

    /// What could not be removed, one sentence each, without what the run has named.
    /// It changes nothing about how that ends.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        match &self.outcome {
            Outcome::Undone {
                why,
                by_disk: false,
            } => vec![cannot(why)],
            _ => self.not_removed(false),
        }
    }

    /// What could not be removed, since the disk fails or since it refuses that.
    fn not_removed(&self, by_disk: bool) -> Vec<String> {
        let removal = self.pruned().and_then(|pruned| pruned.removal.as_ref());
        let Some(removal) = removal else {
            return Vec::new();
        };
        // What is being read, or became protected meanwhile, is for another time.
        let left = removal.left.iter().filter(|left| match left.reason {
            Reason::Read => false,
            Reason::Failed(ref fault) => is_disk_failure(fault) == by_disk,
            ref reason => !reason.is_protection() && !by_disk,
        });
        let left = left.map(|left| format!("kept {}: {}", left.dump, left.reason));
        let is_told = |fault: &Fault| !by_disk && self.told.contains(&fault.path);
        let news = |fault: &&Fault| is_disk_failure(*fault) == by_disk && !is_told(fault);
        let faults = removal.faults.iter().filter(news).cloned();
        left.chain(faults.map(|fault| Warning::NotRemoved { fault }.to_string()))
            .collect()
    }

    /// Was all done that somebody is to know of by the exit code?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.problems().is_empty()
    }

    /// What was removed, or why nothing was to be, in one line; `None` when
    /// nothing had to go.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        if let Outcome::Skipped(why) = &self.outcome {
            return Some(format!("not pruned: {why}"));
        }
        let pruned = self.pruned()?;
        let removal = pruned.removal.as_ref()?;
        let removed = removal.removed.len();
        if removed == 0 {
            return None;
        }
        let noun = if removed == 1 { "dump" } else { "dumps" };
        let freed = figures::bytes(removal.freed_bytes);
        let for_room = pruned.plan.remove.iter();
        let for_room = for_room.filter(|goes| goes.why == GoesFor::Room).count();
        let why = match for_room {
            0 => String::new(),
            for_room => format!(" ({for_room} of them for lack of room)"),
        };
        let stay = pruned.plan.keep.len();
        Some(format!(
            "pruned {removed} {noun}{why}, {freed} freed; {stay} stay"
        ))
    }

    /// For machines.
    #[must_use]
    pub fn object(&self) -> Value {
        let mut object = Map::new();
        let none = Vec::new();
        let removal = self.pruned().and_then(|pruned| pruned.removal.as_ref());
        let removed = removal.map_or(&none, |removal| &removal.removed).iter();
        let removed = removed.map(|removed| Value::from(removed.dump.to_string()));
        object.insert("removed".into(), removed.collect());
        let recyclable = removal.map_or(&none, |removal| &removal.removed).iter();
        let mut recyclable = recyclable.filter(|removed| removed.recyclable);
        let recyclable = recyclable.next().map(|removed| removed.dump.to_string());
        object.insert("recyclable".into(), json::value(&recyclable));
        let freed = removal.map(|removal| removal.freed_bytes);
        object.insert("freed_bytes".into(), freed.unwrap_or(0).into());
        let kept = self.pruned().map(|pruned| pruned.plan.keep.len());
        object.insert("kept".into(), json::value(&kept));
        let mut problems = self.problems();
        problems.extend(self.troubles());
        object.insert("problems".into(), problems.into());
        if let Outcome::Skipped(why) = &self.outcome {
            object.insert("skipped".into(), why.as_str().into());
        }
        Value::Object(object)
    }

    /// In the log: what is wrong is an error each, what could not be removed a warning,
    /// the rest one line.
    pub(crate) fn log(&self) {
        for trouble in self.troubles() {
            tracing::warn!(DUMP_OPERATION = "prune", "{trouble}");
        }
        for problem in self.problems() {
            tracing::error!(DUMP_OPERATION = "prune", "{problem}");
        }
        if let Some(line) = self.line() {
            tracing::info!(target: logging::REPORTED, DUMP_OPERATION = "prune", "{line}");
        }
    }
}

fn cannot(why: &str) -> String {
    format!("cannot prune: {why}")
}

/// What a run has named that cannot be removed.
fn told_by(report: &Report) -> Vec<PathBuf> {
    let paths = report.warnings.iter().filter_map(|warning| match warning {
        Warning::NotRemoved { fault } | Warning::SetAside { fault, .. } => Some(fault.path.clone()),
        _ => None,
    });
    paths.collect()
}

/// Nothing went, since too many would have gone at once.
#[must_use]
pub fn braked(brake: &KeepBrake) -> String {
    format!(
        "not pruned: the policy would remove {} at once; \
         look at the plan with 'dumpctl prune -n', then run 'dumpctl prune' on a terminal or \
         with --force",
        too_many(brake)
    )
}

/// Of which dumps too many would go, and how many.
#[must_use]
pub fn too_many(brake: &KeepBrake) -> String {
    let KeepBrake { tree, goes, of, .. } = brake;
    let what = match tree {
        Some(tree) => format!("{goes} of {of} dumps of {}", Printable::path(tree.as_ref())),
        None => format!("{goes} of {of} dumps of all trees"),
    };
    match brake.why {
        BrakeReason::Gap => format!(
            "{what}, all that are older than a gap which is longer than each span of the policy \
             (was the clock wrong?),"
        ),
        _ => what,
    }
}

/// That there is not enough room, and cannot be.
#[must_use]
pub fn short(shortage: &Shortage) -> String {
    let bytes = figures::bytes;
    if shortage.free_bytes >= shortage.wanted_bytes {
        return format!(
            "{} inodes are free, not {}, and removing every dump that may go would not free \
             enough: nothing was removed beyond the rules",
            shortage.free_inodes, shortage.wanted_inodes
        );
    }
    format!(
        "{} are free, not {}, and removing every dump that may go would free only {}: \
         nothing was removed beyond the rules",
        bytes(shortage.free_bytes),
        bytes(shortage.wanted_bytes),
        bytes(shortage.could_free_bytes)
    )
}
