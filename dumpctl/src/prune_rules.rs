//! By which policies `dumpctl prune` prunes: those of the configuration, or the
//! one that options give.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use dumpcli::failure::Failure;
use dumpcli::origin::Source;
use dumpcli::policies::{Clash, Policies};
use dumpcli::settings::Sources;
use dumpcore::{
    BadKeep, DumpRoot, FreeGoal, KeepAmount, KeepCandidate, KeepPeriod, KeepPolicy, KeepRules,
    Printable,
};

use crate::common::Settings;
use crate::dumps::Looking;
use crate::program::PROGRAM;

/// A policy as options. Restic's names, also for spans.
#[derive(Args, Debug)]
#[command(next_help_heading = "Policy, instead of [keep]")]
pub(crate) struct KeepOptions {
    /// Keep the last dumps: a number, or those of a span of time
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    keep_last: Option<KeepAmount>,
    /// Keep a dump of each hour
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    keep_hourly: Option<KeepAmount>,
    /// Keep a dump of each day
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    keep_daily: Option<KeepAmount>,
    /// Keep a dump of each week
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    keep_weekly: Option<KeepAmount>,
    /// Keep a dump of each month
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    keep_monthly: Option<KeepAmount>,
    /// Keep a dump of each year
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    keep_yearly: Option<KeepAmount>,
    /// Keep all dumps of this span of time before the newest
    #[arg(long, value_name = "SPAN", value_parser = KeepAmount::within)]
    keep_within: Option<KeepAmount>,
    /// Keep a dump of each hour of this span of time
    #[arg(long, value_name = "SPAN", value_parser = KeepAmount::within, hide = true)]
    keep_within_hourly: Option<KeepAmount>,
    /// Keep a dump of each day of this span of time
    #[arg(long, value_name = "SPAN", value_parser = KeepAmount::within, hide = true)]
    keep_within_daily: Option<KeepAmount>,
    /// Keep a dump of each week of this span of time
    #[arg(long, value_name = "SPAN", value_parser = KeepAmount::within, hide = true)]
    keep_within_weekly: Option<KeepAmount>,
    /// Keep a dump of each month of this span of time
    #[arg(long, value_name = "SPAN", value_parser = KeepAmount::within, hide = true)]
    keep_within_monthly: Option<KeepAmount>,
    /// Keep a dump of each year of this span of time
    #[arg(long, value_name = "SPAN", value_parser = KeepAmount::within, hide = true)]
    keep_within_yearly: Option<KeepAmount>,
    /// Keep the newest N checkpoints
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep_checkpoints: Option<String>,
    /// Remove the oldest dumps, beyond the rules, until this much is free: a part of
    /// the disk (10%) or a size (50GiB). Not those of --keep-last, nor checkpoints
    /// that are kept
    #[arg(long, value_name = "AMOUNT")]
    free: Option<FreeGoal>,
    /// With --free: keep the last dump of each day of this span [default: 7d]
    #[arg(long, value_name = "SPAN")]
    at_least: Option<String>,
    /// Only dumps that hold the tree of this name
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    tree: Option<OsString>,
}

/// Where is pruned, and by which policies.
pub(crate) struct Rules {
    pub(crate) root: PathBuf,
    pub(crate) rules: KeepRules,
    /// All dumps that there are.
    pub(crate) dumps: Vec<KeepCandidate>,
    /// The trees that were asked for and have no policy since others have their
    /// name.
    pub(crate) clashes: Vec<Clash>,
}

impl KeepOptions {
    /// Do they say nothing about which dumps stay?
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_policy() && self.free.is_none()
    }

    fn has_policy(&self) -> bool {
        self.rules().next().is_some() || self.keep_checkpoints.is_some()
    }

    fn rules(&self) -> impl Iterator<Item = (KeepPeriod, KeepAmount)> {
        let of_period = [
            (self.keep_last, self.keep_within),
            (self.keep_hourly, self.keep_within_hourly),
            (self.keep_daily, self.keep_within_daily),
            (self.keep_weekly, self.keep_within_weekly),
            (self.keep_monthly, self.keep_within_monthly),
            (self.keep_yearly, self.keep_within_yearly),
        ];
        KeepPeriod::ALL
            .into_iter()
            .zip(of_period)
            .flat_map(|(period, (number, span))| {
                let amounts = [number, span].into_iter().flatten();
                amounts.map(move |amount| (period, amount))
            })
    }

    fn policy(&self) -> Result<KeepPolicy, BadKeep> {
        let policy = KeepPolicy::new();
        let mut policy = self.rules().fold(policy, |policy, (period, amount)| {
            policy.keep(period, amount)
        });
        if let Some(number) = &self.keep_checkpoints {
            policy = policy.checkpoints_text(number)?;
        }
        if let Some(goal) = self.free {
            policy = policy.free(goal);
        }
        if let Some(span) = &self.at_least {
            policy = policy.at_least_text(span)?;
        }
        policy.check()?;
        Ok(policy)
    }

    /// The policies of the configuration with what the options change. `selected`:
    /// the trees that are asked for; `None` for all of `trees`.
    fn change(
        &self,
        policies: &Policies,
        selected: Option<&[OsString]>,
        trees: &BTreeSet<OsString>,
    ) -> Result<KeepRules, Failure> {
        let rules = policies.rules();
        let given = |or: &dyn Fn() -> Result<Vec<OsString>, Failure>| match selected {
            Some(selected) => Ok(selected.to_vec()),
            None => or(),
        };
        if self.has_policy() {
            let policy = self.policy().map_err(bad)?;
            let of = given(&|| Ok(vec![only_one(trees)?]))?;
            self.is_clear(&of, policies)?;
            let of = of.into_iter();
            return Ok(of.fold(rules, |rules, tree| rules.only_policy(tree, policy.clone())));
        }
        let span = self.at_least.as_deref().map(KeepPolicy::read_span);
        let span = span.transpose().map_err(bad)?;
        match (self.free, span) {
            (Some(goal), span) => {
                let of = given(&|| match policies.is_empty() {
                    true => Ok(vec![only_one(trees)?]),
                    false => {
                        let of = trees.iter().filter(|tree| !rules.policies(tree).is_empty());
                        Ok(of.cloned().collect())
                    }
                })?;
                self.is_clear(&of, policies)?;
                let of = of.into_iter();
                Ok(of.fold(rules, |rules, tree| rules.make_room(tree, goal, span)))
            }
            (None, Some(_)) => {
                let text = "--at-least belongs to --free or --keep-* (see 'dumpctl prune --help')";
                Err(Failure::Usage(text.to_owned()))
            }
            (None, None) => Ok(rules),
        }
    }
}

impl KeepOptions {
    /// Refuses to take different trees of one name for one, unless the name was
    /// given.
    fn is_clear(&self, of: &[OsString], policies: &Policies) -> Result<(), Failure> {
        let mut clashes = policies.clashes().into_iter();
        match clashes.find(|clash| self.tree.is_none() && of.contains(&clash.tree)) {
            None => Ok(()),
            Some(clash) => {
                let tree = Printable::path(clash.tree.as_ref());
                let text = format!("{clash}; or prune them as one, with --tree {tree}");
                Err(Failure::Usage(text))
            }
        }
    }
}

impl Rules {
    /// From the configuration and the options.
    pub(crate) fn find(options: &KeepOptions, settings: &Settings) -> Result<Self, Failure> {
        let sources = Sources::load(PROGRAM, &settings.places.configuration)?;
        let root = chosen_root(settings, &sources)?;
        let asked = (&sources, settings.places.main.as_slice());
        let policies =
            Policies::of_dump_root(PROGRAM, &settings.places.configuration, asked, &root)?;
        if let Some(wrong) = policies.wrong().next() {
            return Err(Failure::Usage(wrong.to_owned()));
        }
        let dumps = DumpRoot::open(&root).and_then(|root| root.keep_candidates());
        let dumps = dumps.map_err(|error| settings.explained(error))?;
        let trees = dumps.iter().flat_map(|dump| &dump.trees);
        let trees: BTreeSet<OsString> = trees.cloned().collect();
        let selected = selected(options, settings, &policies, &trees)?;
        let mut rules = options.change(&policies, selected.as_deref(), &trees)?;
        if let Some(selected) = selected {
            rules = rules.only(selected);
        }
        let mut clashes = policies.clashes();
        clashes.retain(|clash| {
            let tree = clash.tree.as_ref();
            trees.contains(tree) && rules.asks_for(tree) && rules.policies(tree).is_empty()
        });
        if clashes.is_empty() {
            has_policy(&rules, &trees, &root, policies.elsewhere())?;
        }
        Ok(Self {
            root,
            rules,
            dumps,
            clashes,
        })
    }
}

/// The dump root that is meant.
fn chosen_root(settings: &Settings, sources: &Sources) -> Result<PathBuf, Failure> {
    if settings.dump.source == Source::Default && !sources.sets().is_empty() {
        let looking = Looking::new(settings)?;
        return Ok(looking.dumps()?.lookup.dump.clone());
    }
    Ok(settings.dump.value.clone())
}

/// The trees that are asked for; `None` for all.
fn selected(
    options: &KeepOptions,
    settings: &Settings,
    policies: &Policies,
    trees: &BTreeSet<OsString>,
) -> Result<Option<Vec<OsString>>, Failure> {
    if let Some(tree) = &options.tree {
        if !trees.contains(tree) {
            let there = shown(trees);
            let tree = Printable::path(tree.as_ref());
            let text = format!("no dump holds a tree {tree}; there are {there}");
            return Err(Failure::Failed(text));
        }
        return Ok(Some(vec![tree.clone()]));
    }
    match settings.places.configuration.set.is_some() || !settings.places.main.is_empty() {
        true => Ok(policies.chosen_trees().map(<[OsString]>::to_vec)),
        false => Ok(None),
    }
}

/// The only tree that there is.
fn only_one(trees: &BTreeSet<OsString>) -> Result<OsString, Failure> {
    match trees.iter().collect::<Vec<_>>().as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::Failed("there are no dumps".to_owned())),
        _ => Err(Failure::Usage(format!(
            "the dumps hold several trees ({}): choose one with --tree or --set",
            shown(trees)
        ))),
    }
}

/// Somebody must have said which dumps stay.
fn has_policy(
    rules: &KeepRules,
    trees: &BTreeSet<OsString>,
    root: &Path,
    elsewhere: Option<&Path>,
) -> Result<(), Failure> {
    let mut asked = trees.iter().filter(|tree| rules.asks_for(tree)).peekable();
    if asked.peek().is_none() || asked.any(|tree| !rules.policies(tree).is_empty()) {
        return Ok(());
    }
    let asked = trees.iter().filter(|tree| rules.asks_for(tree));
    let asked = shown(&asked.cloned().collect());
    if let Some(other) = elsewhere {
        return Err(Failure::Usage(format!(
            "no policy says which dumps of {asked} in {} stay: [keep] is for the dump root {}; give \
             --keep-* (see 'dumpctl prune --help')",
            Printable::path(root),
            Printable::path(other)
        )));
    }
    Err(Failure::Usage(format!(
        "no policy says which dumps of {asked} stay: write [keep] in the configuration, or give \
         --keep-* (see 'dumpctl prune --help')"
    )))
}

fn shown(trees: &BTreeSet<OsString>) -> String {
    let names = trees
        .iter()
        .map(|tree| Printable::path(tree.as_ref()).to_string());
    names.collect::<Vec<_>>().join(", ")
}

fn bad(error: BadKeep) -> Failure {
    Failure::Usage(error.to_string())
}
