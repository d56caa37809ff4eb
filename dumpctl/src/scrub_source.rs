//! `dumpctl scrub --source`: reads the trees, and compares them with what was
//! dumped of them.

use std::time::Duration;

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::session_settings::SessionSettings;
use dumpcli::{figures, json, logging, screen};
use dumpcore::{Chain, ChangedFile, Printable, Rate, RelPath, ScrubSource, SourceScrubbed};
use serde_json::{Map, Value};

use crate::desk::{self, Desk};
use crate::dumps::{self, Dumps};
use crate::scrub_report::{WORD, count};

/// How many files are named one by one in the log.
const NAMED: usize = 1_000;

const STOPPED: &str = "stopped; nothing was changed";

/// How much is to be read.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) time: Option<Duration>,
    pub(crate) bwlimit: Option<Rate>,
    pub(crate) dry_run: bool,
}

/// Compares the trees that are known with the dumps.
pub(crate) fn compared(
    reading: Reading,
    dumps: &Dumps<'_>,
    session: &SessionSettings,
) -> Result<Exit, Failure> {
    let mut order = ScrubSource::new(&dumps.lookup.dump).time(reading.time);
    for (path, name) in dumps::trees(dumps.lookup) {
        order = order.tree(RelPath::from_bytes(name.as_encoded_bytes()), path);
    }
    let desk = Desk::open(session);
    let done = desk.work(&dumps.lookup.dump, |run| {
        let run = match reading.bwlimit {
            Some(rate) => run.bwlimit(rate),
            None => run,
        };
        order.options(run.dry_run(reading.dry_run)).run()
    });
    let scrubbed = match done {
        Ok(scrubbed) => scrubbed,
        Err(error) => return desk.fail(WORD, &dumps::failed(error, dumps.lookup), STOPPED),
    };
    let exit = match (scrubbed.stopped, scrubbed.is_sound()) {
        (true, _) => desk.stopped_by(),
        (false, true) => Exit::Done,
        (false, false) => Exit::Attention,
    };
    log(dumps, &scrubbed, exit);
    if session.json {
        let object = object(dumps, &scrubbed, exit);
        screen::print(&format!("{}\n", Value::Object(object)))?;
    } else if !session.quiet {
        screen::print(&format!("{}\n", summary(&scrubbed)))?;
    }
    Ok(exit)
}

fn log(dumps: &Dumps<'_>, scrubbed: &SourceScrubbed, exit: Exit) {
    for tree in &scrubbed.undumped {
        let (tree, root) = (Printable::path(tree), Printable::path(&dumps.lookup.dump));
        tracing::warn!("{tree} is not compared: the catalog of {root} has no dump of it");
    }
    for changed in scrubbed.changed.iter().take(NAMED) {
        tracing::error!(
            DUMP_FILE = Printable::path(&changed.file).to_string(),
            "{}",
            sentence(changed)
        );
    }
    if let more @ 1.. = scrubbed.changed.len().saturating_sub(NAMED) {
        tracing::error!(
            "{more} more changed without a trace; 'dumpctl scrub --source --json' names all"
        );
    }
    for fault in &scrubbed.faults {
        tracing::error!("not read: {}", Chain(fault));
    }
    if !scrubbed.dry_run {
        let root = dumpcli::absolute(&dumps.lookup.dump);
        let root = Printable::path(&root).to_string();
        tracing::info!(
            target: logging::REPORTED,
            DUMP_PATH = root,
            DUMP_STATUS = exit.status(),
            DUMP_EXIT = exit.code(),
            DUMP_BYTES = scrubbed.bytes,
            "finished comparing the trees of {root}: {}", summary(scrubbed)
        );
    }
}

/// What changed, since when dumps have it, and what to type.
fn sentence(changed: &ChangedFile) -> String {
    let file = dumpcli::absolute(&changed.file);
    let (first, last) = (changed.first, changed.last);
    let having = match first == last {
        true => format!("which {last} has"),
        false => format!("which the dumps from {first} to {last} have"),
    };
    let shown = Printable::path(&file);
    let what = format!(
        "changed without a trace: {shown}: its contents are not those that were dumped, {having}, \
         and its times say that nobody wrote to it"
    );
    match changed.dump_is_good {
        true => {
            let file = dumpcli::quoted(&file);
            format!("{what}; to restore it: dumpctl restore --at {last} --in-place {file}")
        }
        false => format!(
            "{what}; what {last} has of it is not what was stored either: look for another copy \
             with 'dumpctl scrub {last}'"
        ),
    }
}

fn object(dumps: &Dumps<'_>, scrubbed: &SourceScrubbed, exit: Exit) -> Map<String, Value> {
    let mut object = desk::head(WORD, exit);
    let root = dumps.lookup.absolute(&dumps.lookup.dump);
    json::put_path(&mut object, "dump_root", Some(&root));
    object.insert("source".into(), true.into());
    object.insert("dry_run".into(), scrubbed.dry_run.into());
    object.insert("files".into(), scrubbed.files.into());
    object.insert("bytes".into(), scrubbed.bytes.into());
    let changed = scrubbed.changed.iter().map(|changed| {
        let mut object = Map::new();
        let file = dumpcli::absolute(&changed.file);
        json::put_path(&mut object, "path", Some(&file));
        object.insert("first".into(), changed.first.to_string().into());
        object.insert("last".into(), changed.last.to_string().into());
        object.insert("dump_is_good".into(), changed.dump_is_good.into());
        Value::Object(object)
    });
    object.insert("changed".into(), changed.collect());
    object.insert("touched".into(), scrubbed.touched.into());
    object.insert("unsettled".into(), scrubbed.unsettled.into());
    object.insert("unknown".into(), scrubbed.unknown.into());
    object.insert("unread".into(), scrubbed.unread.into());
    let undumped = scrubbed.undumped.iter().map(|tree| dumpcli::absolute(tree));
    let undumped: Vec<_> = undumped.collect();
    dumps::put_names(&mut object, "undumped", undumped.iter().map(|path| &**path));
    let mut faults = scrubbed.faults.clone();
    faults.iter_mut().for_each(json::fault_absolute);
    object.insert("faults".into(), json::value(&faults));
    object.insert("faults_total".into(), scrubbed.faults_total.into());
    object
}

/// How much was read, and what of it changed.
fn summary(scrubbed: &SourceScrubbed) -> String {
    let files = count(scrubbed.files, "file");
    let bytes = figures::bytes(scrubbed.bytes);
    if scrubbed.dry_run {
        return format!("dry run: would read {files}, {bytes}");
    }
    let mut text = format!("read {files}, {bytes}: ");
    match scrubbed.changed.len() {
        0 => text.push_str("nothing changed without a trace"),
        changed => text.push_str(&format!(
            "{} changed without a trace",
            figures::number(changed as u64)
        )),
    }
    for (number, what) in [
        (scrubbed.touched, "written to since the last dump"),
        (scrubbed.unsettled, "too new when they were dumped"),
        (scrubbed.unknown, "without a recorded hash"),
        (scrubbed.unread, "not read"),
    ] {
        if number > 0 {
            text.push_str(&format!("; {} {what}", count(number, "file")));
        }
    }
    text
}
