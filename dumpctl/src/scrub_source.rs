//! `dumpctl scrub --source`: reads the trees, and compares them with what was
//! dumped of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::session_settings::SessionSettings;
use dumpcli::{figures, json, logging, screen};
use dumpcore::{Chain, DumpId, Printable, Rate, RelPath, ScrubSource, SourceScrubbed};
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
        tracing::error!("{tree} is not compared: the catalog of {root} has no dump of it");
    }
    for tree in &scrubbed.uncompared {
        tracing::error!(
            "nothing of {} could be compared: its files are gone (is its disk mounted?), are on \
             another filesystem, were too new when they were dumped, or have no recorded hash",
            Printable::path(tree)
        );
    }
    for changed in scrubbed.changed.iter().take(NAMED) {
        tracing::error!(
            DUMP_FILE = Printable::path(&changed.file).to_string(),
            "{}",
            Sentence {
                file: &changed.file,
                links: &changed.links,
                having: changed.first.zip(changed.last),
                dump_is_good: changed.dump_is_good,
            }
            .text()
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

/// How many other names of a file are told.
const LINKS: usize = 20;

/// What is said of a file that changed, and what to type.
#[derive(Clone, Copy)]
struct Sentence<'a> {
    file: &'a Path,
    /// Its other names.
    links: &'a [PathBuf],
    /// The first and the last dump that have what was stored.
    having: Option<(DumpId, DumpId)>,
    dump_is_good: bool,
}

impl Sentence<'_> {
    fn text(self) -> String {
        let file = dumpcli::absolute(self.file);
        let having = match self.having {
            None => String::new(),
            Some((first, last)) if first == last => format!(", which {last} has"),
            Some((first, last)) => format!(", which the dumps from {first} to {last} have"),
        };
        let what = format!(
            "changed without a trace: {}{}: its contents are not those that were dumped{having}, \
             and its times say that nobody wrote to it",
            Printable::path(&file),
            self.others()
        );
        match self.having {
            None => format!("{what}; no dump has it any more: look for a copy elsewhere"),
            Some((_, last)) if self.dump_is_good => {
                let file = dumpcli::quoted(&file);
                let again = self.linked_again(&file);
                format!(
                    "{what}; to restore it: dumpctl restore --at {last} --in-place {file}{again}"
                )
            }
            Some((_, last)) => format!(
                "{what}; what {last} has of it is not what was stored either: look for another \
                 copy with 'dumpctl scrub {last}'"
            ),
        }
    }

    /// Its other names, in brackets.
    fn others(self) -> String {
        let shown = self.links.iter().take(LINKS);
        let shown = shown.map(|link| Printable::path(&dumpcli::absolute(link)).to_string());
        let shown = shown.collect::<Vec<_>>().join(", ");
        match self.links.len() {
            0 => String::new(),
            1..=LINKS => format!(" (also {shown})"),
            all => format!(" (also {shown} and {} more)", all - LINKS),
        }
    }

    /// What makes hard links of all names again: a restored file is a new one.
    fn linked_again(self, file: &str) -> String {
        let link = |link: &PathBuf| {
            let link = dumpcli::quoted(&dumpcli::absolute(link));
            format!(" && ln -f {file} {link}")
        };
        let commands: String = self.links.iter().take(LINKS).map(link).collect();
        match self.links.len() {
            0..=LINKS => commands,
            _ => format!("{commands}, and so on for the other names: see --json"),
        }
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
        put_paths(&mut object, "links", &changed.links);
        let name = |dump: Option<DumpId>| Value::from(dump.map(|dump| dump.to_string()));
        object.insert("first".into(), name(changed.first));
        object.insert("last".into(), name(changed.last));
        object.insert("dump_is_good".into(), changed.dump_is_good.into());
        Value::Object(object)
    });
    object.insert("changed".into(), changed.collect());
    object.insert("touched".into(), scrubbed.touched.into());
    object.insert("unsettled".into(), scrubbed.unsettled.into());
    object.insert("unknown".into(), scrubbed.unknown.into());
    object.insert("unread".into(), scrubbed.unread.into());
    for (key, trees) in [
        ("undumped", &scrubbed.undumped),
        ("uncompared", &scrubbed.uncompared),
    ] {
        put_paths(&mut object, key, trees);
    }
    let mut faults = scrubbed.faults.clone();
    faults.iter_mut().for_each(json::fault_absolute);
    object.insert("faults".into(), json::value(&faults));
    object.insert("faults_total".into(), scrubbed.faults_total.into());
    object
}

fn put_paths(object: &mut Map<String, Value>, key: &str, paths: &[PathBuf]) {
    let paths: Vec<_> = paths.iter().map(|path| dumpcli::absolute(path)).collect();
    dumps::put_names(object, key, paths.iter().map(|path| &**path));
}

/// How much was read, and what of it changed.
fn summary(scrubbed: &SourceScrubbed) -> String {
    let files = count(scrubbed.files, "file");
    let bytes = figures::bytes(scrubbed.bytes);
    if scrubbed.dry_run {
        return format!("dry run: would read {files}, {bytes}");
    }
    let mut text = match scrubbed.files {
        0 => String::new(),
        _ => format!("read {files}, {bytes}: "),
    };
    match scrubbed.changed.len() {
        0 if scrubbed.files == 0 && scrubbed.unsettled + scrubbed.unknown > 0 => {
            text.push_str("nothing could be compared");
        }
        // All is newer than the dump, which is as it should be.
        0 if scrubbed.files == 0 && scrubbed.touched > 0 && scrubbed.is_sound() => {
            text.push_str("nothing to compare");
        }
        0 if scrubbed.files == 0 => text.push_str("nothing was compared"),
        0 => text.push_str("nothing changed without a trace"),
        changed => text.push_str(&format!(
            "{} changed without a trace",
            figures::number(changed as u64)
        )),
    }
    for (number, what) in [
        (scrubbed.touched, "written to since the last dump"),
        (scrubbed.unsettled, "changed too shortly before the dump"),
        (scrubbed.unknown, "without a recorded hash"),
        (scrubbed.unread, "not read"),
    ] {
        if number > 0 {
            text.push_str(&format!("; {} {what}", count(number, "file")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(name: &str) -> DumpId {
        DumpId::parse(name.as_bytes()).expect("a name")
    }

    #[test]
    fn a_sentence_says_which_dumps_have_what_was_stored() {
        let (first, last) = (dump("2026/1101/0500"), dump("2026/1102/0500"));
        let sentence = Sentence {
            file: Path::new("/home/letter"),
            links: &[],
            having: Some((first, last)),
            dump_is_good: true,
        };
        let said = sentence.text();
        assert!(
            said.contains("from 2026/1101/0500 to 2026/1102/0500"),
            "{said}"
        );
        assert!(
            said.ends_with("--at 2026/1102/0500 --in-place /home/letter"),
            "{said}"
        );
        let bad = Sentence {
            having: Some((last, last)),
            dump_is_good: false,
            ..sentence
        };
        let said = bad.text();
        assert!(said.ends_with("'dumpctl scrub 2026/1102/0500'"), "{said}");
        let gone = Sentence {
            having: None,
            ..bad
        };
        let said = gone.text();
        assert!(
            said.starts_with("changed without a trace: /home/letter: "),
            "{said}"
        );
        assert!(
            said.contains("no dump has it any more") && !said.contains("restore"),
            "{said}"
        );
    }

    #[test]
    fn a_sentence_has_all_names_of_a_file() {
        let last = dump("2026/1102/0500");
        let links: Vec<PathBuf> = (0..25).map(|at| format!("/home/a {at}").into()).collect();
        let few = Sentence {
            file: Path::new("/home/letter"),
            links: &links[..2],
            having: Some((last, last)),
            dump_is_good: true,
        };
        let said = few.text();
        assert!(
            said.contains(": /home/letter (also /home/a 0, /home/a 1): "),
            "{said}"
        );
        assert!(
            said.ends_with(
                "--in-place /home/letter && ln -f /home/letter '/home/a 0' && ln -f /home/letter \
                 '/home/a 1'"
            ),
            "{said}"
        );
        let said = Sentence {
            links: &links,
            ..few
        }
        .text();
        assert!(said.contains("/home/a 19 and 5 more): "), "{said}");
        assert!(!said.contains("/home/a 20"), "{said}");
    }
}
