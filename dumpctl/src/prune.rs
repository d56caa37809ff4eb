//! `dumpctl prune`: removes the dumps that no policy keeps.

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::policies::Clash;
use dumpcli::pruning;
use dumpcli::question::can_ask;
use dumpcli::session::warn_if_closed;
use dumpcore::{Printable, Prune, PrunePlan, Pruned};

use clap::Args;

use crate::common::Settings;
use crate::desk::{self, Desk};
use crate::prune_report::{self as report, WORD};
use crate::prune_rules::{KeepOptions, Rules};
use crate::removal_report::STOPPED;

const HELP: &str = "\
A VALUE is a number of periods (24), a span of time before the newest dump (2d, 5w,
6mo, 1y6mo), or 'all'. Of each period the last complete dump stays.

Always kept: the newest complete dump of each tree, what current, current_chk or a
pin names, first, dumps dated in the future, and where [slave] is configured the
dump that dumpslave takes next.

Examples:
  dumpctl prune -n                       show what would go, and why the rest stays
  dumpctl prune                          prune by [keep] of the configuration
  dumpctl prune --keep-daily 5w --keep-monthly all
                                         prune by these rules instead
  dumpctl prune --free 50GiB             remove the oldest until 50 GiB are free

Exit codes:
  0         done; or the answer was no
  1         failed: nothing was removed
  2         wrong usage: options, configuration or policy
  23        partly done: each dump or file that was left is named, and each name that
            different trees have; or nothing was removed, since too much would have
            gone without a question: more than 50 dumps and more than a third of a
            tree's, or more than 10 and all that are older than a long gap
  75        a run is using this dump root
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143): the next run
            finishes what was begun";

/// Remove the dumps that no policy keeps.
///
/// The policy of a tree is [keep] of the set that names the tree, in the dump root
/// of that set. A dump stays if the policy of any of its trees keeps it; a tree that
/// no set names is left alone.
/// Options --keep-* replace the policy as a whole. On a terminal the plan is shown
/// and a question asked.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Change nothing; show which dumps would go, and why the others stay
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Remove without asking, however many dumps go at once
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    keep: KeepOptions,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match decided(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

/// What is to go, asked about where somebody can be asked.
fn decided(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    let Rules {
        root,
        rules,
        dumps,
        clashes,
    } = Rules::find(&options.keep, settings)?;
    let prune = Prune::new(&root).rules(rules);
    let desk = Desk::open(&settings.session);
    let planned = desk.work(&root, |run| {
        if options.dry_run {
            warn_if_closed(&root);
        }
        prune.clone().options(run).plan_of(&dumps)
    });
    let plan = match planned {
        Ok(plan) => plan,
        Err(error) => return desk.fail(WORD, &settings.explained(error), desk::UNCHANGED),
    };
    tell_without_policy(&plan, &clashes);
    if let Some(shortage) = plan.shortage.filter(|shortage| !shortage.is_met) {
        tracing::warn!("{}", pruning::short(&shortage));
    }
    if options.dry_run {
        report::tell_plan(&root, &plan, settings)?;
        return Ok(Exit::Done);
    }
    let watched = match who_watches(options, &plan, &desk)? {
        Watched::By(person) => person,
        Watched::Ended(exit) => return Ok(exit),
    };
    let done = desk.work(&root, |run| {
        prune.brake(!watched).options(run).carry_out(plan)
    });
    match done {
        Err(error) => desk.fail(WORD, &settings.explained(error), STOPPED),
        Ok(pruned) => {
            let exit = match exit_of(&pruned, &desk) {
                Exit::Done if !clashes.is_empty() => Exit::Partial,
                exit => exit,
            };
            report::tell(&root, &pruned, settings, exit)?;
            Ok(exit)
        }
    }
}

/// Which trees have no policy, and why.
fn tell_without_policy(plan: &PrunePlan, clashes: &[Clash]) {
    for clash in clashes {
        tracing::error!("{clash}");
    }
    for (tree, dumps) in &plan.left_alone {
        if clashes.iter().any(|clash| clash.tree == *tree) {
            continue;
        }
        let tree = Printable::path(tree.as_ref());
        let stay = match dumps {
            1 => "its one dump stays".to_owned(),
            dumps => format!("its {dumps} dumps stay"),
        };
        tracing::warn!(
            "{tree} has no policy: {stay}; see 'dumpctl prune -n --tree {tree} --keep-daily 30'"
        );
    }
}

/// Does somebody answer for what goes?
enum Watched {
    /// A person, or nobody.
    By(bool),
    /// It was asked, and is not to be done.
    Ended(Exit),
}

fn who_watches(options: &Options, plan: &PrunePlan, desk: &Desk) -> Result<Watched, Failure> {
    if options.force {
        return Ok(Watched::By(true));
    }
    if can_ask() {
        let ended = match plan.remove.is_empty() {
            true => None,
            false => desk.unless_agreed(WORD, &report::question(plan))?,
        };
        return Ok(ended.map_or(Watched::By(true), Watched::Ended));
    }
    if options.keep.is_empty() {
        return Ok(Watched::By(false));
    }
    Err(Failure::Failed(
        "there is no terminal to ask on; --force prunes by options without asking".into(),
    ))
}

fn exit_of(pruned: &Pruned, desk: &Desk) -> Exit {
    let stopped = pruned.removal.as_ref().is_some_and(|r| r.stopped);
    if stopped || desk.is_stopped() && !pruned.is_complete() {
        desk.stopped_by()
    } else if pruned.is_complete() {
        Exit::Done
    } else {
        Exit::Partial
    }
}
