//! `dumpoffsite prune`: forgets snapshots by `[offsite.keep]`, and reclaims what
//! they alone needed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::Local;
use clap::Args;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::figures;
use dumpcli::question::can_ask;
use dumpcore::{DumpId, KeepCandidate, KeepPolicy, KeepReason, KeepRules, Printable};
use serde_json::Value;

use crate::choose;
use crate::common::Settings;
use crate::desk::{self, Desk, Done};
use crate::list;
use crate::push::host;
use crate::repository::{Reclaimed, Snapshot};

const HELP: &str = "\
The rules are those of [keep], see 'dumpctl prune --help', written as [offsite.keep]:
  [offsite.keep]
  daily   = 14
  monthly = 12

Only snapshots are forgotten that this machine has pushed of the trees of the set.
Data that another program may be using just now is first marked, and removed by a
prune that comes 23 hours later or more.

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

/// What stays, with the reasons, and what goes.
struct Plan {
    keep: Vec<(Snapshot, Vec<KeepReason>)>,
    gone: Vec<Snapshot>,
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
            let reclaimed = repository.would_reclaim(&plan.gone).map_err(failure)?;
            return plan.tell(desk, Some(reclaimed), true, Exit::Done);
        }
        if !options.force && can_ask() && !plan.gone.is_empty() {
            if let Some(exit) = desk.unless_agreed(&plan.question())? {
                return Ok(exit);
            }
        } else if let (false, Some(brake)) = (options.force, &plan.brake) {
            tracing::error!("{brake}");
            return plan.tell(desk, None, false, Exit::Partial);
        }
        if !plan.gone.is_empty() {
            repository.forget(&plan.gone).map_err(failure)?;
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
        let mut series: BTreeMap<PathBuf, Vec<(Snapshot, KeepCandidate)>> = BTreeMap::new();
        for snapshot in snapshots {
            let is_own = snapshot.host == host;
            let is_named = trees.iter().any(|tree| tree.path == snapshot.path);
            if let (true, true, Some(dump)) = (is_own, is_named, snapshot.dump) {
                let tree = vec![snapshot.path.clone().into_os_string()];
                let time = Some(snapshot.time);
                let mut candidate = KeepCandidate::new(DumpId::Dump(dump), time, tree);
                candidate.is_partial = snapshot.is_partial || snapshot.is_incomplete;
                let all = series.entry(snapshot.path.clone()).or_default();
                all.push((snapshot.clone(), candidate));
            }
        }
        let mut plan = Self {
            keep: Vec::new(),
            gone: Vec::new(),
            brake: None,
        };
        let rules = KeepRules::new().other_trees(policy.clone());
        for (path, series) in series {
            let (snapshots, dumps): (Vec<_>, Vec<_>) = series.into_iter().unzip();
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
            for (snapshot, verdict) in snapshots.into_iter().zip(verdicts) {
                match verdict.reasons.is_empty() {
                    true => plan.gone.push(snapshot),
                    false => plan.keep.push((snapshot, verdict.reasons)),
                }
            }
        }
        plan
    }

    fn question(&self) -> String {
        let lines: String = self
            .gone
            .iter()
            .map(|one| format!("  {}\n", name(one)))
            .collect();
        let (goes, of) = (self.gone.len(), self.gone.len() + self.keep.len());
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
        let gone = self.gone.iter().map(|one| Value::Object(list::object(one)));
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
        }
        let goes = self.gone.len();
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

fn name(snapshot: &Snapshot) -> String {
    let dump = snapshot.dump.map_or(String::new(), |dump| dump.to_string());
    let id = snapshot.short_id();
    format!("{id} {dump} {}", Printable::path(&snapshot.path))
}
