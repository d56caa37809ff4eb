//! `dumpoffsite prune`: forgets snapshots by `[offsite.keep]`, and reclaims what
//! they alone needed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local, Utc};
use clap::Args;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::figures;
use dumpcli::question::can_ask;
use dumpcore::{DumpId, DumpName, KeepCandidate, KeepPolicy, KeepReason, KeepRules, Printable};
use serde_json::Value;

use crate::choose;
use crate::common::Settings;
use crate::desk::{self, Desk, Done};
use crate::list;
use crate::push::host;
use crate::repository::{Reclaimed, Snapshot};

const HELP: &str = "\
The rules are those of [keep] (see 'dumpctl prune --help'), in a table [offsite.keep]
of their own.

Only snapshots are forgotten that this machine has pushed of the trees of the set.
Several copies of one dump count as one, and the most complete one stays.
Data that another program may be using just now is first marked, and removed by a
prune that comes 23 hours later or more.

Configuration:
  [offsite.keep]
  daily = 14
  monthly = 12

Exit codes:
  0         done; or the answer was no
  1         failed
  2         wrong usage: options, configuration or policy
  23        nothing was forgotten, since too much would have gone without a question:
            more than 50 snapshots and more than a third of a tree's, or more than 10
            and all that are older than a long gap
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143): the next prune does
            the rest";

/// Forget the snapshots that no rule keeps, and reclaim their space.
///
/// On a terminal the plan is shown and a question asked.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Change nothing; show which snapshots would go, and why the others stay
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Forget without asking, however many snapshots go at once
    #[arg(long)]
    force: bool,
}

/// Stands behind a copy that goes although its dump stays.
const ANOTHER: &str = " (the dump stays in another copy)";

/// When a dump was made, and its name.
type Dump = (DateTime<Utc>, DumpName);

/// What stays, with the reasons, and what goes.
struct Plan {
    keep: Vec<(Snapshot, Vec<KeepReason>)>,
    gone: Vec<Snapshot>,
    /// What goes, although its dump stays: another copy has all that it has.
    twins: Vec<Snapshot>,
    /// Why somebody should look first.
    brake: Option<String>,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Done {
    desk::at("prune", settings, |desk| {
        let policy = policy(settings)?;
        let (repository, _) = desk.open(settings)?;
        let failure = |error| desk.failure(settings, error);
        let snapshots = repository.snapshots().map_err(failure)?;
        let plan = Plan::of(&snapshots, &policy, settings);
        if options.dry_run {
            let reclaimed = repository
                .would_reclaim(&plan.all_gone())
                .map_err(failure)?;
            return plan.tell(desk, Some(reclaimed), true, Exit::Done);
        }
        if !options.force && can_ask() && plan.goes() > 0 {
            if let Some(exit) = desk.unless_agreed(&plan.question())? {
                return Ok(exit);
            }
        } else if let (false, Some(brake)) = (options.force, &plan.brake) {
            tracing::error!("{brake}");
            return plan.tell(desk, None, false, Exit::Partial);
        }
        if plan.goes() > 0 {
            repository.forget(&plan.all_gone()).map_err(failure)?;
        }
        let reclaimed = repository.reclaim().map_err(failure)?;
        plan.tell(desk, Some(reclaimed), false, Exit::Done)
    })
}

/// What `[offsite.keep]` says.
fn policy(settings: &Settings) -> Result<KeepPolicy, Failure> {
    let Some(keep) = settings.sources.offsite_keep() else {
        return Err(Failure::Usage(
            "no policy says which snapshots stay: write [offsite.keep] in the configuration"
                .to_owned(),
        ));
    };
    let policy = keep.value.policy.clone().map_err(Failure::Usage)?;
    let useless = ["auto", "free", "at_least", "checkpoints"];
    let useless = useless
        .iter()
        .find(|key| keep.value.written.contains_key(**key));
    match useless {
        Some(key) => Err(Failure::Usage(format!(
            "[offsite.keep] has no '{key}': it is for dumps on a disk"
        ))),
        None => Ok(policy),
    }
}

impl Plan {
    /// Tree by tree, of what this machine has pushed.
    fn of(snapshots: &[Snapshot], policy: &KeepPolicy, settings: &Settings) -> Self {
        let host = host();
        let trees = choose::trees(settings);
        let mut series: BTreeMap<PathBuf, BTreeMap<Dump, Vec<Snapshot>>> = BTreeMap::new();
        for snapshot in snapshots {
            let is_own = snapshot.host == host;
            let is_named = trees.iter().any(|tree| tree.path == snapshot.path);
            if let (true, true, Some(dump)) = (is_own, is_named, snapshot.dump) {
                let of_path = series.entry(snapshot.path.clone()).or_default();
                let copies = of_path.entry((snapshot.time, dump)).or_default();
                copies.push(snapshot.clone());
            }
        }
        let mut plan = Self {
            keep: Vec::new(),
            gone: Vec::new(),
            twins: Vec::new(),
            brake: None,
        };
        let rules = KeepRules::new().other_trees(policy.clone());
        for (path, copies) in series {
            let dumps: Vec<_> = copies
                .iter()
                .map(|(dump, copies)| candidate(&path, *dump, copies))
                .collect();
            let now = Local::now();
            let verdicts = rules.judge(&dumps, &now);
            let goes: Vec<bool> = verdicts.iter().map(|one| one.reasons.is_empty()).collect();
            let brake = rules.brake(&dumps, &goes);
            let brake = brake.or_else(|| rules.gap(&dumps, &verdicts, &goes, &now));
            if let Some(brake) = brake {
                let (goes, of) = (brake.goes, brake.of);
                let path = Printable::path(&path);
                plan.brake = Some(format!(
                    "{goes} of {of} snapshots of {path} would be forgotten at once: nothing is; \
                     look at it with 'dumpoffsite prune -n', and give --force"
                ));
            }
            for (copies, verdict) in copies.into_values().zip(verdicts) {
                if verdict.reasons.is_empty() {
                    plan.gone.extend(copies);
                    continue;
                }
                let (needed, twins) = needed(copies);
                let needed = needed.into_iter();
                plan.keep
                    .extend(needed.map(|one| (one, verdict.reasons.clone())));
                plan.twins.extend(twins);
            }
        }
        plan
    }

    /// How many snapshots go.
    fn goes(&self) -> usize {
        self.gone.len() + self.twins.len()
    }

    fn all_gone(&self) -> Vec<Snapshot> {
        self.gone.iter().chain(&self.twins).cloned().collect()
    }

    fn question(&self) -> String {
        let gone = self.gone.iter().map(|one| format!("  {}\n", name(one)));
        let twins = self.twins.iter();
        let twins = twins.map(|one| format!("  {}{ANOTHER}\n", name(one)));
        let lines: String = gone.chain(twins).collect();
        let (goes, of) = (self.goes(), self.goes() + self.keep.len());
        format!("these {goes} of {of} snapshots:\n{lines}forget them, and reclaim their space?")
    }

    fn tell(&self, desk: &Desk, reclaimed: Option<Reclaimed>, dry_run: bool, exit: Exit) -> Done {
        let mut object = desk.head(exit);
        object.insert("dry_run".into(), dry_run.into());
        let kept = self.keep.iter().map(|(snapshot, reasons)| {
            let mut object = list::object(snapshot);
            let reasons = reasons.iter().map(KeepReason::as_str);
            object.insert("reasons".into(), reasons.map(Value::from).collect());
            Value::Object(object)
        });
        object.insert("keep".into(), kept.collect());
        let gone = self.gone.iter().map(|one| (one, false));
        let gone = gone.chain(self.twins.iter().map(|one| (one, true)));
        let gone = gone.map(|(snapshot, is_twin)| {
            let mut object = list::object(snapshot);
            object.insert("duplicate".into(), is_twin.into());
            Value::Object(object)
        });
        object.insert("remove".into(), gone.collect());
        object.insert("brake".into(), self.brake.as_deref().into());
        let bytes = reclaimed.map(|reclaimed| reclaimed.bytes);
        object.insert("reclaimed_bytes".into(), bytes.into());
        let unused = reclaimed.map(|reclaimed| reclaimed.unused_bytes);
        object.insert("unused_bytes".into(), unused.into());
        desk.tell(object, &self.text(reclaimed, dry_run))?;
        Ok(exit)
    }

    fn text(&self, reclaimed: Option<Reclaimed>, dry_run: bool) -> String {
        let mut text = String::new();
        if dry_run {
            for (snapshot, reasons) in &self.keep {
                let reasons = reasons.iter().map(ToString::to_string);
                let reasons = reasons.collect::<Vec<_>>().join(", ");
                text.push_str(&format!("keep    {} ({reasons})\n", name(snapshot)));
            }
            for snapshot in &self.gone {
                text.push_str(&format!("forget  {}\n", name(snapshot)));
            }
            for snapshot in &self.twins {
                text.push_str(&format!("forget  {}{ANOTHER}\n", name(snapshot)));
            }
        }
        let goes = self.goes();
        let stay = self.keep.len();
        let Some(reclaimed) = reclaimed else {
            text.push_str(&format!(
                "nothing was forgotten; {stay} of {} stay\n",
                stay + goes
            ));
            return text;
        };
        let bytes = figures::bytes(reclaimed.bytes);
        text.push_str(&match dry_run {
            true => {
                format!("dry run: would forget {goes} snapshots, keep {stay}, reclaim {bytes}\n")
            }
            false => format!("forgot {goes} snapshots, kept {stay}, reclaimed {bytes}\n"),
        });
        text
    }
}

/// A dump as one candidate, however many copies there are of it.
fn candidate(path: &Path, (time, dump): Dump, copies: &[Snapshot]) -> KeepCandidate {
    let tree = vec![path.as_os_str().to_owned()];
    let mut candidate = KeepCandidate::new(DumpId::Dump(dump), Some(time), tree);
    let lacks = |copy: &Snapshot| copy.is_partial || copy.is_incomplete;
    candidate.is_partial = copies.iter().all(lacks);
    candidate
}

/// The copies of a dump that are worth keeping, and those that they replace: a
/// complete copy has all, and of several with the same contents one is enough.
fn needed(mut copies: Vec<Snapshot>) -> (Vec<Snapshot>, Vec<Snapshot>) {
    if let Some(best) = copies.iter().position(|copy| !copy.is_incomplete) {
        let best = copies.remove(best);
        return (vec![best], copies);
    }
    let mut contents = BTreeSet::new();
    let is_new = |copy: &Snapshot| contents.insert(copy.contents());
    copies.into_iter().partition(is_new)
}

fn name(snapshot: &Snapshot) -> String {
    let dump = snapshot.dump.map_or(String::new(), |dump| dump.to_string());
    let id = snapshot.short_id();
    format!("{id} {dump} {}", Printable::path(&snapshot.path))
}
