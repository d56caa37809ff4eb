//! `dumpctl du`: where the space goes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::paging::Out;
use dumpcli::{figures, fit, json, screen};
use dumpcore::{DumpId, Generation, Printable, RelPath, Usage};
use serde_json::{Map, Value};

use crate::common::Settings;
use crate::desk;
use crate::dumps::{self, Dumps, Looking};
use crate::table::{Set, Table};

const WORD: &str = "du";

const HELP: &str = "\
With DUMPs: what removing them together would free. Without: what all dumps take.
Either is also told of each tree or, with --path and --tree, of each name in that
directory, the largest first. A file counts once, in whatever dumps it is; one
with names in several directories counts in each of them, but once in the sum.

A checkpoint is a full copy, and later dumps link to its files: each begins a
generation, which costs its space until the last dump of it is gone.

Examples:
  dumpctl du                         what the dumps take, and which full copies
                                     there are
  dumpctl du 2025/0101/0000 first    what removing these two would free
  dumpctl du --path ~/photos         what a directory costs over all of history

Exit codes:
  0  done
  1  failed: there is no catalog, say
  2  wrong usage";

/// Show what dumps, trees and paths cost over all of history.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// What these dumps alone hold: names (2025/0101/0000, first), paths or pins
    #[arg(value_name = "DUMP", value_hint = ValueHint::DirPath)]
    dumps: Vec<OsString>,
    /// Only what is at or below this path of a tree, which need not exist any
    /// more
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    path: Option<PathBuf>,
    /// Only the tree of this name
    #[arg(long, value_name = "NAME", conflicts_with = "path", value_hint = ValueHint::Other)]
    tree: Option<OsString>,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match told(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

fn told(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    let looking = Looking::new(settings)?;
    let (dumps, mut below) = looking.of_paths(options.path.as_slice())?;
    if let Some(tree) = &options.tree {
        below.push(RelPath::from(std::path::Path::new(tree)));
    }
    let below = below.pop();
    let set = options.dumps.iter().map(|what| dumps.dump(what));
    let set: Vec<DumpId> = set.collect::<Result<_, _>>()?;
    let catalog = dumps.needed_catalog()?;
    let set = (!set.is_empty()).then_some(set);
    let number = set.as_ref().map(Vec::len);
    let usage = catalog.usage(set, below.clone());
    drop(catalog);
    let usage = usage.map_err(|error| dumps::failed(error, dumps.lookup))?;
    let usage = usage.ok_or_else(|| {
        let path = below.clone().unwrap_or_default();
        Failure::Failed(format!("no dump ever had {path}"))
    })?;
    if settings.session.json {
        let object = object(&dumps, &usage);
        screen::print(&format!("{}\n", Value::Object(object)))?;
    } else {
        tell(&dumps, &usage, number, below.as_ref())?;
    }
    Ok(Exit::Done)
}

fn tell(
    dumps: &Dumps<'_>,
    usage: &Usage,
    number: Option<usize>,
    below: Option<&RelPath>,
) -> Result<(), Failure> {
    let mut out = Out::open();
    let size = figures::bytes(usage.unique_bytes);
    let of = below.map(|below| Printable::path(&dumps.shown(below)).to_string());
    let text = match (number, of) {
        (None, None) => format!("all dumps take {size}"),
        (None, Some(path)) => format!("{path} takes {size} in all dumps"),
        (Some(1), None) => format!("removing this dump would free {size}"),
        (Some(number), None) => format!("removing these {number} dumps would free {size}"),
        (Some(_), Some(path)) => format!("removing these dumps would free {size} of {path}"),
    };
    dumps::line(&mut out, &text)?;
    let mut table = Table::new(&[Set::Right, Set::Path], &["", ""]);
    for (path, bytes) in &usage.paths {
        let path = Printable::path(&dumps.shown(path)).to_string();
        table.row(vec![figures::bytes(*bytes), path]);
    }
    dumps::table(&mut out, &table)?;
    for copies in copies(&usage.generations) {
        let lines = match fit::stdout_columns() {
            Some(width) => fit::wrapped(&copies, width),
            None => vec![copies],
        };
        for line in lines {
            dumps::line(&mut out, &line)?;
        }
    }
    dumps::close(out)
}

/// A line for each tree: how many full copies of it there are, and since when.
fn copies(generations: &[Generation]) -> Vec<String> {
    let mut lines = Vec::new();
    let of_trees = generations.chunk_by(|one, other| one.tree == other.tree);
    for of_tree in of_trees {
        let since = |generation: &Generation| {
            let when = generation.moment.map(|moment| {
                let minute = dumps::minute(moment);
                format!("{:04}-{:02}", minute.year(), minute.month())
            });
            let when = when.unwrap_or_else(|| generation.since.to_string());
            format!("{when} ({})", figures::bytes(generation.bytes))
        };
        let copies = match of_tree.len() {
            1 => "1 full copy".to_owned(),
            number => format!("{number} full copies"),
        };
        let tree = Printable::path(&of_tree[0].tree);
        let of = |linked| {
            let those = of_tree.iter().filter(move |one| one.is_linked == linked);
            let those: Vec<String> = those.map(since).collect();
            let those = (!those.is_empty()).then(|| those.join(", "));
            those.map(|those| match linked {
                false => format!("since {those}"),
                true => format!("linked checkpoints since {those}"),
            })
        };
        let since: Vec<String> = [false, true].into_iter().filter_map(of).collect();
        lines.push(format!("{copies} of {tree}: {}", since.join("; ")));
    }
    lines
}

fn object(dumps: &Dumps<'_>, usage: &Usage) -> Map<String, Value> {
    let mut object = desk::head(WORD, Exit::Done);
    let root = dumpcli::absolute(&dumps.lookup.dump);
    json::put_path(&mut object, "dump_root", Some(&root));
    object.insert("unique_bytes".into(), usage.unique_bytes.into());
    let generations = usage.generations.iter().map(|generation| {
        let mut object = Map::new();
        json::put_path(&mut object, "tree", Some(&generation.tree));
        object.insert("name".into(), generation.since.to_string().into());
        let time = generation.moment.map_or(Value::Null, dumps::time);
        object.insert("time".into(), time);
        object.insert("linked".into(), generation.is_linked.into());
        object.insert("dumps".into(), generation.dumps.into());
        object.insert("bytes".into(), generation.bytes.into());
        Value::Object(object)
    });
    object.insert("generations".into(), generations.collect());
    let paths = usage.paths.iter().map(|(path, bytes)| {
        let mut object = Map::new();
        json::put_path(&mut object, "path", Some(&dumps.shown(path)));
        object.insert("bytes".into(), (*bytes).into());
        Value::Object(object)
    });
    object.insert("paths".into(), paths.collect());
    object
}
