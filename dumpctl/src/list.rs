//! `dumpctl list`: the dumps that there are.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::paging::Out;
use dumpcli::policies::Policies;
use dumpcli::settings::Sources;
use dumpcli::{figures, json, screen};
use dumpcore::chrono::{DateTime, Utc};
use dumpcore::{CatalogView, DumpId, DumpInfo, KeepCandidate, KeepReason, KeepRules, Printable};
use serde_json::{Map, Value};

use crate::common::Settings;
use crate::desk;
use crate::dumps::{self, Dumps, Looking, dumps_of};
use crate::program::PROGRAM;
use crate::prune_report;
use crate::table::{Set, Table};

const WORD: &str = "list";

const HELP: &str = "\
Columns:
  NAME     the dump, as other commands take it
  AGE      how long ago it was made
  KIND     dump; checkpoint: a copy that shares nothing with older dumps, or, by
           chkptme --linked, only with others of its kind;
           partial: some entries could not be read
  ADDED    what it stored that no older dump had
  ALONE    what removing it alone would free
  USED BY  of a checkpoint and of first, how many dumps use its files: while there
           are any, removing it frees little
  KEPT BY  current, current_chk, and the pins that name it; where a policy is
           configured also its rules (see 'dumpctl prune --help'), and nothing for
           a dump that the next prune removes
  TREES    what it holds, where dumps hold different trees

Without the catalog ADDED, ALONE and USED BY are not known.

Examples:
  dumpctl list                 all dumps, the oldest first
  dumpctl list --last 10       the newest ten
  dumpctl list --since 2w      those of the last two weeks
  dumpctl list --tree photos   those that hold the tree 'photos'

Exit codes:
  0  done
  1  failed
  2  wrong usage";

/// List the dumps, oldest first, with what each added and what removing it would
/// free.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Only dumps made since: a dump (its name, path or pin), a date, or how long
    /// ago (12h, 3d, 2w, 1y6mo)
    #[arg(long, value_name = "WHEN")]
    since: Option<OsString>,
    /// Only dumps that hold the tree of this name
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    tree: Option<OsString>,
    /// Only the newest N dumps
    #[arg(long, value_name = "N")]
    last: Option<usize>,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match listed(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

fn listed(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    let looking = Looking::new(settings)?;
    let dumps = looking.dumps()?;
    let since = match &options.since {
        Some(text) => dumps.since(text)?,
        None => None,
    };
    let catalog = dumps.catalog("sizes are not known");
    let all = dumps.root.dumps(catalog.as_ref());
    let all = all.map_err(|error| dumps::failed(error, dumps.lookup))?;
    if all.is_empty()
        && let Some(failure) = dumps.lookup.no_dumps()
    {
        return Err(failure);
    }
    let kept_by = kept_by(&dumps, settings, &all);
    let trees: BTreeSet<OsString> = all.iter().flat_map(|dump| dump.trees.clone()).collect();
    let chosen = chosen(options, since, all);
    if let Some(tree) = &options.tree
        && !trees.contains(tree)
    {
        let names = trees
            .iter()
            .map(|name| Printable::path(name.as_ref()).to_string());
        let names = names.collect::<Vec<_>>().join(", ");
        let tree = Printable::path(tree.as_ref());
        let text = format!("no dump holds a tree {tree}; there are {names}");
        return Err(Failure::Failed(text));
    }
    let used_by = used_by(&dumps, catalog.as_ref(), &chosen)?;
    drop(catalog);
    let listed = Listed {
        dumps: &dumps,
        chosen,
        kept_by,
        used_by,
    };
    if settings.session.json {
        let object = listed.object();
        screen::print(&format!("{}\n", Value::Object(object)))?;
    } else {
        listed.tell()?;
    }
    Ok(Exit::Done)
}

/// By dump, of those with which a full copy begins: how many dumps use its files.
fn used_by(
    dumps: &Dumps<'_>,
    catalog: Option<&CatalogView>,
    chosen: &[DumpInfo],
) -> Result<HashMap<DumpId, u64>, Failure> {
    let begin = |dump: &&DumpInfo| dump.is_checkpoint() || dump.dump == DumpId::First;
    let asked: Vec<DumpId> = chosen.iter().filter(begin).map(|dump| dump.dump).collect();
    let Some(catalog) = catalog.filter(|_| !asked.is_empty()) else {
        return Ok(HashMap::new());
    };
    let users = catalog.users_of(&asked, &[]);
    let users = users.map_err(|error| dumps::failed(error, dumps.lookup))?;
    let each = asked.into_iter().zip(users);
    Ok(each
        .filter_map(|(dump, users)| Some((dump, users?)))
        .collect())
}

fn chosen(options: &Options, since: Option<DateTime<Utc>>, all: Vec<DumpInfo>) -> Vec<DumpInfo> {
    let mut chosen = all;
    chosen.retain(|dump| {
        let late = since.is_none_or(|since| dump.moment.is_some_and(|moment| moment >= since));
        late && options
            .tree
            .as_ref()
            .is_none_or(|tree| dump.trees.contains(tree))
    });
    if let Some(last) = options.last {
        chosen.drain(..chosen.len().saturating_sub(last));
    }
    chosen
}

/// The dumps that are listed, and what is known of them.
struct Listed<'a> {
    dumps: &'a Dumps<'a>,
    chosen: Vec<DumpInfo>,
    kept_by: KeptBy,
    used_by: HashMap<DumpId, u64>,
}

impl Listed<'_> {
    fn tell(&self) -> Result<(), Failure> {
        if self.chosen.is_empty() {
            return Ok(());
        }
        let mut out = Out::open();
        dumps::table(&mut out, &self.table())?;
        dumps::close(out)
    }

    fn table(&self) -> Table {
        let first = self.chosen.first().map(|dump| &dump.trees);
        let mixed = self.chosen.iter().any(|dump| Some(&dump.trees) != first);
        let mut columns = vec![Set::Left, Set::Right, Set::Left, Set::Right, Set::Right];
        let mut head = vec!["NAME", "AGE", "KIND", "ADDED", "ALONE"];
        let has_users = !self.used_by.is_empty();
        if has_users {
            columns.push(Set::Right);
            head.push("USED BY");
        }
        columns.push(Set::Left);
        head.push("KEPT BY");
        if mixed {
            columns.push(Set::Left);
            head.push("TREES");
        }
        let mut table = Table::new(&columns, &head).give_way(self.give_way(&head));
        let now = self.dumps.lookup.now.to_utc();
        let size = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), figures::bytes);
        for dump in &self.chosen {
            let mut row = vec![
                dump.dump.to_string(),
                dumps::age(dump.moment, now),
                kind_for_people(dump).to_owned(),
                size(dump.added_bytes),
                size(dump.unique_bytes),
            ];
            if has_users {
                let users = self.used_by.get(&dump.dump);
                row.push(users.map_or_else(String::new, |users| dumps_of(*users)));
            }
            row.push(prune_report::reasons(&self.kept_by[&dump.dump]));
            if mixed {
                row.push(names(dump.trees.iter().map(Path::new)));
            }
            table.row(row);
        }
        table
    }

    /// What a narrow terminal does without: why a dump stays is told as long as it
    /// can be, and that one is partial.
    fn give_way(&self, head: &[&str]) -> Vec<usize> {
        let is_partial = self.chosen.iter().any(|dump| dump.lacks.is_some());
        let first = match is_partial {
            true => ["ADDED", "ALONE", "KIND"],
            false => ["KIND", "ADDED", "ALONE"],
        };
        let all = ["TREES", "USED BY"].into_iter().chain(first).chain(["AGE"]);
        all.filter_map(|name| head.iter().position(|other| *other == name))
            .collect()
    }

    fn object(&self) -> Map<String, Value> {
        let mut object = desk::head(WORD, Exit::Done);
        let root = dumpcli::absolute(&self.dumps.lookup.dump);
        json::put_path(&mut object, "dump_root", Some(&root));
        let each = self.chosen.iter().map(|dump| Value::Object(self.of(dump)));
        object.insert("dumps".into(), each.collect());
        object
    }

    fn of(&self, dump: &DumpInfo) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("name".into(), dump.dump.to_string().into());
        let path = self.dumps.lookup.absolute(&dump.path);
        json::put_path(&mut object, "path", Some(&path));
        object.insert("time".into(), dump.moment.map_or(Value::Null, dumps::time));
        object.insert("kind".into(), kind(dump).into());
        object.insert("linked".into(), dump.is_linked.into());
        object.insert("partial".into(), dump.lacks.is_some().into());
        dumps::put_names(&mut object, "trees", dump.trees.iter().map(Path::new));
        dumps::put_names(&mut object, "pins", dump.pins.iter().map(PathBuf::as_path));
        object.insert("entries".into(), dump.entries.into());
        object.insert("added_bytes".into(), dump.added_bytes.into());
        object.insert("unique_bytes".into(), dump.unique_bytes.into());
        let users = self.used_by.get(&dump.dump).copied();
        object.insert("used_by".into(), users.into());
        let words = self.kept_by[&dump.dump].iter().map(KeepReason::as_str);
        let mut words: Vec<&str> = words.collect();
        words.dedup();
        object.insert("keep".into(), words.into());
        object
    }
}

fn names<'n>(names: impl Iterator<Item = &'n Path>) -> String {
    let names: Vec<String> = names
        .map(|name| Printable::path(name).to_string())
        .collect();
    names.join(", ")
}

fn kind_for_people(dump: &DumpInfo) -> &'static str {
    match dump.lacks {
        Some(_) => "partial",
        None => kind(dump),
    }
}

fn kind(dump: &DumpInfo) -> &'static str {
    match dump.is_checkpoint() {
        true => "checkpoint",
        false => "dump",
    }
}

/// Why each dump stays.
type KeptBy = HashMap<DumpId, Vec<KeepReason>>;

/// By links, and by the policies if there are any.
fn kept_by(dumps: &Dumps<'_>, settings: &Settings, all: &[DumpInfo]) -> KeptBy {
    let rules = rules(dumps, settings);
    let has_policy = rules.is_some();
    let candidates: Vec<KeepCandidate> = all.iter().map(KeepCandidate::from).collect();
    let verdicts = rules
        .unwrap_or_default()
        .judge(&candidates, &dumps.lookup.now);
    let each = candidates.iter().zip(verdicts).map(|(dump, verdict)| {
        let mut reasons = verdict.reasons;
        reasons.retain(|reason| match reason {
            KeepReason::Current | KeepReason::CurrentCheckpoint | KeepReason::Pin(_) => true,
            _ => has_policy,
        });
        (dump.dump, reasons)
    });
    each.collect()
}

/// The policies of the trees, if there are any; what is wrong with them is told.
fn rules(dumps: &Dumps<'_>, settings: &Settings) -> Option<KeepRules> {
    let asked = &settings.places.configuration;
    let sources = Sources::load(PROGRAM, asked).ok()?;
    let chosen = (&sources, settings.places.main.as_slice());
    let policies = Policies::of_dump_root(PROGRAM, asked, chosen, &dumps.lookup.dump).ok()?;
    for wrong in policies.wrong() {
        dumps.lookup.aside.warning(wrong);
    }
    (!policies.is_empty()).then(|| policies.rules())
}
