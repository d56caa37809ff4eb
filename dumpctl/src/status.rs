//! `dumpctl status`: how the dump roots are, and what needs attention first.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::metrics::Metrics;
use dumpcli::paging::Out;
use dumpcli::policies::{Policies, is_same};
use dumpcli::settings::Sources;
use dumpcli::{Lookup, figures, fit, json, screen};
use dumpcore::chrono::{DateTime, Utc};
use dumpcore::{
    Attention, AttentionLimits, Chain, Dated, DumpRoot, NoCatalog, Printable, RootStatus,
    TreeStatus, WatchedTree,
};
use serde_json::{Map, Value};

use crate::common::Settings;
use crate::desk;
use crate::dumps::{self, Looking};
use crate::program::PROGRAM;
use crate::table::{Set, Table};

const WORD: &str = "status";

const HELP: &str = "\
What needs attention comes first; -q prints only that:
  no dump of a configured tree, or none for 26 hours; one that lacks entries
  room for less than 48 more dumps
  a checkpoint that is older than 190 days; none at all is not reported
  no new dump on the second disk ([slave]) for 50 hours
  a dump that a run left unfinished more than a day ago
  a tree without a policy ([keep]), when others have one or it has 1,000 dumps
  dumps dated in the future; links that look like pins and are none

Examples:
  dumpctl status                all dump roots that are configured
  dumpctl status -q || mail …   from a timer: only what needs attention
  dumpctl status --prometheus > /var/lib/prometheus/node-exporter/dump.prom

Exit codes:
  0  nothing needs attention
  1  failed
  2  wrong usage
  3  something needs attention";

/// Show the state of the dump roots, with what needs attention first.
#[derive(Args, Debug, Default)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Print metrics in the text format of Prometheus
    #[arg(long, conflicts_with = "json")]
    prometheus: bool,
}

/// A dump root, and what was found out about it.
struct Found<'a> {
    lookup: &'a Lookup,
    status: RootStatus,
    attention: Vec<Attention>,
    /// Why there is no telling for how many more dumps there is room.
    no_catalog: Option<NoCatalog>,
    replicas: Vec<Replica>,
}

/// The second disk of a dump root.
struct Replica {
    root: PathBuf,
    /// Can it be looked at?
    is_there: bool,
    /// The newest dump on it.
    newest: Option<Dated>,
}

impl Replica {
    fn at(root: PathBuf, now: DateTime<Utc>) -> Self {
        let found = DumpRoot::open(&root)
            .ok()
            .map(|root| root.listing().newest_first(..=now).next().transpose());
        let found = found.and_then(Result::ok);
        Self {
            root,
            is_there: found.is_some(),
            newest: found.flatten(),
        }
    }

    fn attention(&self, now: DateTime<Utc>, limits: &AttentionLimits) -> Option<Attention> {
        let root = self.root.clone();
        let age = self.newest.as_ref().map(|newest| now - newest.moment);
        match age {
            _ if !self.is_there => Some(Attention::NoReplica { root }),
            Some(age) if age <= limits.replica_age => None,
            age => Some(Attention::OldReplica { root, age }),
        }
    }
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match told(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

fn told(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    let looking = Looking::new(settings)?;
    let sources = Sources::load_all(PROGRAM, &settings.places.configuration)?;
    let mut all = Vec::new();
    for lookup in looking.each()? {
        all.push(Found::of(lookup, settings, &sources)?);
    }
    let needed = all.iter().any(|found| !found.attention.is_empty());
    let exit = if needed { Exit::Attention } else { Exit::Done };
    if options.prometheus {
        screen::print(&metrics(&all))?;
    } else if settings.session.json {
        let object = object(&all, exit);
        screen::print(&format!("{}\n", Value::Object(object)))?;
    } else {
        tell(&all, settings.session.quiet)?;
    }
    Ok(exit)
}

impl<'a> Found<'a> {
    fn of(lookup: &'a Lookup, settings: &Settings, sources: &[Sources]) -> Result<Self, Failure> {
        let root = DumpRoot::open(&lookup.dump)?;
        let catalog = root.catalog();
        let status = root
            .status(catalog.as_ref().ok(), lookup.now)
            .map_err(|error| dumps::failed(error, lookup))?;
        if status.trees.is_empty()
            && let Some(failure) = lookup.no_dumps()
        {
            return Err(failure);
        }
        let limits = AttentionLimits::default();
        let (watched, wrong) = watched(lookup, settings, sources)?;
        let mut attention = status.attention(&watched, &limits);
        let mut replicas = Vec::new();
        for sources in sources.iter().filter(|one| has_replicas_of(one, lookup)) {
            let root = lookup.absolute(&sources.slave_dump(None).value);
            if replicas.iter().any(|other: &Replica| other.root == root) {
                continue;
            }
            let replica = Replica::at(root, status.now);
            attention.extend(replica.attention(status.now, &limits));
            replicas.push(replica);
        }
        attention.extend(wrong.into_iter().map(|why| Attention::BadPolicy { why }));
        Ok(Self {
            lookup,
            status,
            attention,
            no_catalog: catalog.err(),
            replicas,
        })
    }

    fn root(&self) -> PathBuf {
        dumpcli::absolute(&self.lookup.dump)
    }

    fn age(&self, moment: DateTime<Utc>) -> String {
        figures::age(self.status.now - moment)
    }
}

/// Is the dump root of a set this one, and are its dumps replicated?
fn has_replicas_of(sources: &Sources, lookup: &Lookup) -> bool {
    sources.has_slave() && is_same(&lookup.absolute(&sources.dump(None).value), &lookup.dump)
}

/// The trees that are dumped into a dump root, by the configuration, and what
/// is wrong with their policies.
fn watched(
    lookup: &Lookup,
    settings: &Settings,
    sources: &[Sources],
) -> Result<(Vec<WatchedTree>, Vec<String>), Failure> {
    let places = &settings.places;
    let policies = match sources.first() {
        Some(first) => {
            let chosen = (first, places.main.as_slice());
            Policies::of_dump_root(PROGRAM, &places.configuration, chosen, &lookup.dump)?
        }
        None => Policies::default(),
    };
    let rules = policies.rules();
    let trees = dumps::trees(lookup).into_iter().map(|(_, name)| {
        let has_policy = !rules.policies(&name).is_empty();
        WatchedTree::new(name, has_policy)
    });
    let wrong = policies.wrong().map(str::to_owned);
    Ok((trees.collect(), wrong.collect()))
}

/// What can be done about it.
fn advice(attention: &Attention, root: &Path) -> Option<String> {
    let typed = |words: &str| Some(format!("'{words}'"));
    match attention {
        Attention::NoDump { .. } | Attention::OldDump { .. } => {
            Some("do its timer and its disk work? 'systemctl list-timers'".to_owned())
        }
        Attention::Partial { .. } => Some("the journal names what it lacks".to_owned()),
        Attention::OldCheckpoint { .. } => typed("chkptme"),
        Attention::OldReplica { .. } | Attention::NoReplica { .. } => {
            Some("is that disk mounted? 'dumpslave' copies the last dump to it".to_owned())
        }
        Attention::LittleRoom { .. } => typed("dumpctl prune -n"),
        Attention::Leftover { dump, .. } => {
            let words = format!("dumpctl remove {dump}");
            Some(format!(
                "the next run of its trees takes it over, or '{words}'"
            ))
        }
        Attention::NoPolicy { .. } => {
            Some("[keep] in the configuration says which dumps stay".to_owned())
        }
        Attention::BadPolicy { .. } => Some("until then nothing is removed by it".to_owned()),
        Attention::NotAPin { link } => {
            let name = link.file_name().map(Path::new).unwrap_or(link);
            let words = format!("rm {}", Printable::path(&root.join(name)));
            Some(format!("'{words}', if it is not needed"))
        }
        _ => None,
    }
}

fn tell(all: &[Found<'_>], quiet: bool) -> Result<(), Failure> {
    let mut text = String::new();
    let width = fit::stdout_columns();
    for found in all {
        for attention in &found.attention {
            let advice = advice(attention, &found.root());
            let advice = advice.map_or_else(String::new, |advice| format!(": {advice}"));
            put(&mut text, &format!("{attention}{advice}"), width);
        }
    }
    if !quiet {
        if text.is_empty() {
            text.push_str("nothing needs attention\n");
        }
        for found in all {
            text.push('\n');
            found.tell(&mut text, width);
        }
    }
    let mut out = Out::open();
    for line in text.lines() {
        if !dumps::line(&mut out, line)? {
            break;
        }
    }
    dumps::close(out)
}

/// A sentence, wrapped where the terminal ends.
fn put(text: &mut String, sentence: &str, width: Option<usize>) {
    let lines = match width {
        Some(width) => fit::wrapped(sentence, width),
        None => vec![sentence.to_owned()],
    };
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
}

impl Found<'_> {
    fn tell(&self, text: &mut String, width: Option<usize>) {
        let root = self.root();
        put(
            text,
            &format!("{}: {}", Printable::path(&root), self.room()),
            width,
        );
        let mut table = Table::new(
            &[Set::Left, Set::Left, Set::Right, Set::Right, Set::Left],
            &["TREE", "NEWEST", "AGE", "DUMPS", "SINCE"],
        );
        for tree in &self.status.trees {
            table.row(self.row(tree));
        }
        if let Some(checkpoint) = self.status.checkpoint {
            table.row(vec![
                "(checkpoint)".to_owned(),
                checkpoint.dump.to_string(),
                self.age(checkpoint.moment),
            ]);
        }
        for replica in &self.replicas {
            if let Some(newest) = &replica.newest {
                table.row(vec![
                    format!("({})", Printable::path(&replica.root)),
                    newest.name.to_string(),
                    self.age(newest.moment),
                ]);
            }
        }
        for line in table.lines(width) {
            let _ = writeln!(text, "{line}");
        }
    }

    fn row(&self, tree: &TreeStatus) -> Vec<String> {
        let newest = tree
            .newest
            .map_or_else(|| "-".to_owned(), |one| one.to_string());
        let age = tree.moment.map(|moment| self.age(moment));
        let since = tree
            .since
            .map(|since| dumps::minute(since).civil().date().to_string());
        vec![
            Printable::path(Path::new(&tree.name)).to_string(),
            newest,
            age.unwrap_or_else(|| "-".to_owned()),
            figures::number(tree.dumps),
            since.unwrap_or_else(|| "-".to_owned()),
        ]
    }

    /// What is free, and for what that is enough.
    fn room(&self) -> String {
        let room = &self.status.room;
        let mut text = match (room.free_bytes, room.total_bytes) {
            (Some(free), Some(total)) => {
                let (free, total) = (figures::bytes(free), figures::bytes(total));
                format!("{free} of {total} free")
            }
            _ => "free space is not known".to_owned(),
        };
        match (&room.more, &self.no_catalog) {
            (Some(more), _) => {
                let number = figures::number(more.number);
                let ends = more.ends.as_str();
                let _ = write!(text, ", room for about {number} more dumps");
                let _ = write!(text, " ({ends} run out first)");
            }
            (None, Some(error)) => {
                let why = Chain(error).to_string();
                let _ = write!(text, "; for how many more dumps is not known: {why}");
            }
            (None, None) => {}
        }
        text
    }
}

fn object(all: &[Found<'_>], exit: Exit) -> Map<String, Value> {
    let mut object = desk::head(WORD, exit);
    let attention = all.iter().flat_map(|found| {
        let root = found.root();
        found.attention.iter().map(move |attention| {
            let mut object = Map::new();
            object.insert("what".into(), attention.as_str().into());
            object.insert("text".into(), attention.to_string().into());
            object.insert("advice".into(), advice(attention, &root).into());
            json::put_path(&mut object, "dump_root", Some(&root));
            Value::Object(object)
        })
    });
    object.insert("attention".into(), attention.collect());
    object.insert("roots".into(), all.iter().map(Found::object).collect());
    object
}

impl Found<'_> {
    fn object(&self) -> Value {
        let mut object = Map::new();
        let status = &self.status;
        json::put_path(&mut object, "dump_root", Some(&self.root()));
        let trees = status.trees.iter().map(|tree| self.tree(tree));
        object.insert("trees".into(), trees.collect());
        let checkpoint = status.checkpoint.map(|checkpoint| {
            let mut object = Map::new();
            object.insert("name".into(), checkpoint.dump.to_string().into());
            self.put_moment(&mut object, Some(checkpoint.moment));
            Value::Object(object)
        });
        object.insert("checkpoint".into(), checkpoint.into());
        let replicas = self.replicas.iter().map(|replica| {
            let mut object = Map::new();
            json::put_path(&mut object, "dump_root", Some(&replica.root));
            let newest = replica.newest.as_ref();
            let name = newest.map(|newest| newest.name.to_string());
            object.insert("name".into(), name.into());
            self.put_moment(&mut object, newest.map(|newest| newest.moment));
            Value::Object(object)
        });
        object.insert("replicas".into(), replicas.collect());
        let room = &status.room;
        for (key, number) in [
            ("free_bytes", room.free_bytes),
            ("total_bytes", room.total_bytes),
            ("free_inodes", room.free_inodes),
            ("dump_bytes", room.dump_bytes),
            ("dump_inodes", room.dump_inodes),
            ("more_dumps", room.more.map(|more| more.number)),
        ] {
            object.insert(key.into(), number.into());
        }
        let ends = room.more.map(|more| more.ends.as_str());
        object.insert("ends".into(), ends.into());
        let leftovers = status.leftovers.iter().map(|leftover| {
            let mut object = Map::new();
            object.insert("name".into(), leftover.dump.to_string().into());
            self.put_moment(&mut object, Some(leftover.since));
            Value::Object(object)
        });
        object.insert("leftovers".into(), leftovers.collect());
        Value::Object(object)
    }

    fn tree(&self, tree: &TreeStatus) -> Value {
        let mut object = Map::new();
        json::put_path(&mut object, "tree", Some(Path::new(&tree.name)));
        object.insert("dumps".into(), tree.dumps.into());
        object.insert("since".into(), tree.since.map_or(Value::Null, dumps::time));
        let newest = tree.newest.map(|newest| newest.to_string());
        object.insert("name".into(), newest.into());
        self.put_moment(&mut object, tree.moment);
        object.insert("partial".into(), tree.lacks.is_some().into());
        object.insert("lacks".into(), tree.lacks.into());
        Value::Object(object)
    }

    fn put_moment(&self, object: &mut Map<String, Value>, moment: Option<DateTime<Utc>>) {
        let age = moment.map(|moment| (self.status.now - moment).num_seconds());
        object.insert("time".into(), moment.map_or(Value::Null, dumps::time));
        object.insert("age_seconds".into(), age.into());
    }
}

fn metrics(all: &[Found<'_>]) -> String {
    let mut metrics = Metrics::default();
    for found in all {
        let root = found.root();
        let status = &found.status;
        for tree in &status.trees {
            let labels = [("dump", root.as_os_str()), ("tree", &tree.name)];
            if let Some(moment) = tree.moment {
                let age = (status.now - moment).num_seconds();
                metrics.newest(&labels, moment.timestamp(), age.max(0));
            }
            let help = "How many dumps hold the tree.";
            metrics.gauge("dump_dumps", help, &labels, tree.dumps);
        }
        let labels = [("dump", root.as_os_str())];
        for (name, help, value) in [
            (
                "dump_free_bytes",
                "Bytes that are free on the dump disk.",
                status.room.free_bytes,
            ),
            (
                "dump_free_inodes",
                "Inodes that are free on the dump disk.",
                status.room.free_inodes,
            ),
            (
                "dump_more_dumps",
                "For how many more dumps there is room.",
                status.room.more.map(|more| more.number),
            ),
            (
                "dump_attention",
                "How many things need attention: see dumpctl status.",
                u64::try_from(found.attention.len()).ok(),
            ),
        ] {
            if let Some(value) = value {
                metrics.gauge(name, help, &labels, value);
            }
        }
    }
    metrics.text()
}
