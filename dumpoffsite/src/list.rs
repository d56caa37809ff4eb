//! `dumpoffsite list`: the snapshots of the repository.

use chrono::{Local, SecondsFormat, Utc};
use clap::Args;
use dumpcli::exit::Exit;
use dumpcli::{figures, json};
use dumpcore::Printable;
use serde_json::{Map, Value};

use crate::common::Settings;
use crate::desk::{self, Done};
use crate::repository::Snapshot;

const HELP: &str = "\
Exit codes:
  0         done
  1         failed
  2         wrong usage: options or configuration";

/// List the snapshots in the repository, oldest first.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options, settings: &Settings) -> Done {
    desk::at("list", settings, |desk| {
        let (repository, address) = desk.open(settings)?;
        let snapshots = repository.snapshots();
        let snapshots = snapshots.map_err(|error| desk.failure(settings, error))?;
        let mut object = desk.head(Exit::Done);
        object.insert("repository".into(), address.shown.as_str().into());
        let all = snapshots.iter().map(|one| Value::Object(self::object(one)));
        object.insert("snapshots".into(), all.collect());
        desk.tell(object, &table(&snapshots))?;
        Ok(Exit::Done)
    })
}

/// A snapshot for machines.
pub(crate) fn object(snapshot: &Snapshot) -> Map<String, Value> {
    let mut object = Map::new();
    let time = snapshot.time.with_timezone(&Local);
    object.insert("snapshot".into(), snapshot.id.as_str().into());
    let name = snapshot.dump.map(|dump| dump.to_string());
    object.insert("name".into(), name.into());
    let time = time.to_rfc3339_opts(SecondsFormat::Secs, false);
    object.insert("time".into(), time.into());
    object.insert("host".into(), snapshot.host.as_str().into());
    let is_partial = snapshot.is_partial || snapshot.is_incomplete;
    object.insert("partial".into(), is_partial.into());
    json::put_path(&mut object, "path", Some(&snapshot.path));
    object
}

fn table(snapshots: &[Snapshot]) -> String {
    if snapshots.is_empty() {
        return "there are no snapshots\n".to_owned();
    }
    let now = Utc::now();
    let mut rows = vec![["SNAPSHOT", "DUMP", "AGE", "KIND", "HOST", "PATH"].map(str::to_owned)];
    rows.extend(snapshots.iter().map(|one| {
        [
            one.short_id().to_owned(),
            one.dump.map_or("-".to_owned(), |dump| dump.to_string()),
            figures::age(now - one.time),
            kind(one).to_owned(),
            one.host.clone(),
            Printable::path(&one.path).to_string(),
        ]
    }));
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..6).map(|column| widest(column).unwrap_or(0)).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

fn kind(snapshot: &Snapshot) -> &'static str {
    match snapshot {
        one if one.dump.is_none() => "other",
        one if one.is_incomplete => "incomplete",
        one if one.is_partial => "partial",
        _ => "dump",
    }
}
