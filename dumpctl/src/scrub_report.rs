//! What `dumpctl scrub` says: for people, the log and machines.

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::session_settings::SessionSettings;
use dumpcli::{figures, json, logging, screen};
use dumpcore::{Chain, DamageKind, Damaged, DamagedPath, Op, Printable, RelPath, Scrubbed};
use serde_json::{Map, Value};

use crate::desk;
use crate::dumps::Dumps;

pub(crate) const WORD: &str = "scrub";
/// How many damaged files are named one by one in the log.
const NAMED: usize = 1_000;

/// What became of something damaged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Damaged,
    Healed,
}

pub(crate) struct Telling<'a> {
    pub(crate) dumps: &'a Dumps<'a>,
    pub(crate) session: &'a SessionSettings,
}

impl Telling<'_> {
    /// What was found.
    pub(crate) fn tell(&self, scrubbed: &Scrubbed, exit: Exit) -> Result<(), Failure> {
        self.log(scrubbed, exit);
        if self.session.json {
            let object = self.object(scrubbed, exit);
            return screen::print(&format!("{}\n", Value::Object(object)));
        }
        if self.session.quiet {
            return Ok(());
        }
        screen::print(&format!("{}\n", summary(scrubbed)))
    }

    fn shown(&self, path: &RelPath) -> String {
        Printable::path(&self.dumps.shown(path)).to_string()
    }

    fn log(&self, scrubbed: &Scrubbed, exit: Exit) {
        for healed in scrubbed.healed.iter().take(NAMED) {
            let path = healed.paths.first().map(|path| self.shown(&path.path));
            tracing::warn!(
                DUMP_FILE = path,
                DUMP_STATUS = healed.kind.as_str(),
                "healed: {}",
                self.sentence(healed, Fate::Healed)
            );
        }
        for damaged in scrubbed.damaged.iter().take(NAMED) {
            let path = damaged.paths.first().map(|path| self.shown(&path.path));
            tracing::error!(
                DUMP_FILE = path,
                DUMP_STATUS = damaged.kind.as_str(),
                "damaged: {}",
                self.sentence(damaged, Fate::Damaged)
            );
        }
        if let more @ 1.. = scrubbed.damaged.len().saturating_sub(NAMED) {
            tracing::error!("{more} more are damaged; 'dumpctl scrub --json' names all");
        }
        for link in &scrubbed.links {
            let path = Printable::path(&link.link);
            tracing::error!("damaged: the link {path}: {}", link.why);
        }
        for fault in &scrubbed.faults {
            match fault.op {
                Op::Stat | Op::Open | Op::Read | Op::List | Op::ReadLink | Op::ReadXattr => {
                    tracing::error!("not read: {}", Chain(fault));
                }
                _ => tracing::error!("not healed: {}", Chain(fault)),
            }
        }
        self.log_records(scrubbed);
        for left in &scrubbed.leftovers {
            tracing::warn!("{left} was left by a run that stopped, and is not read");
        }
        if !scrubbed.dry_run {
            let root = dumpcli::absolute(&self.dumps.lookup.dump);
            let root = Printable::path(&root).to_string();
            tracing::info!(
                target: logging::REPORTED,
                DUMP_PATH = root,
                DUMP_STATUS = exit.status(),
                DUMP_EXIT = exit.code(),
                DUMP_BYTES = scrubbed.bytes,
                "finished scrubbing {root}: {}", summary(scrubbed)
            );
        }
    }

    /// What was wrong with records, or lacking.
    fn log_records(&self, scrubbed: &Scrubbed) {
        for path in &scrubbed.catalog {
            let path = self.shown(path);
            tracing::warn!(
                "the catalog had a wrong hash of {path}; the file is sound, and the hash is put \
                 right"
            );
        }
        if scrubbed.unhashed > 0 && !scrubbed.read_only {
            let root = Printable::path(&self.dumps.lookup.dump);
            tracing::warn!(
                "damage to the contents of {} in {root} cannot be found: no hash of them is kept, \
                 since this filesystem does not tell when a file was made, or since the catalog \
                 was removed meanwhile",
                count(scrubbed.unhashed, "file")
            );
        }
        if scrubbed.read_only {
            let root = Printable::path(&self.dumps.lookup.dump);
            tracing::warn!(
                "the dump root {root} is on a filesystem that is read-only: what was read is not \
                 recorded; see why it is ('dmesg': the kernel does so when a disk fails)"
            );
        }
    }

    /// What is damaged, where, and what has it as it was stored.
    fn sentence(&self, damaged: &Damaged, fate: Fate) -> String {
        let paths: Vec<String> = damaged.paths.iter().map(|path| self.place(path)).collect();
        let mut text = format!("{}: {}", paths.join(", also "), damaged.kind);
        if let Some(cause) = &damaged.cause {
            text.push_str(&format!(" ({cause})"));
        }
        if damaged.needs_fsck {
            text.push_str(
                "; the filesystem itself is damaged: unmount it and run fsck, then scrub again",
            );
        }
        let contents = [
            DamageKind::Contents,
            DamageKind::ReadError,
            DamageKind::Size,
        ];
        let is_file = contents.contains(&damaged.kind) && fate == Fate::Damaged;
        if is_file && damaged.good.is_empty() && !damaged.needs_fsck {
            text.push_str("; no good copy was found");
        }
        if let Some(good) = damaged.good.first() {
            let good = dumpcli::absolute(good);
            let good = Printable::path(&good);
            text.push_str(&match fate {
                Fate::Damaged if damaged.needs_fsck => format!("; a good copy is {good}"),
                Fate::Damaged => {
                    format!("; a good copy is {good}, which 'dumpctl scrub --heal' takes")
                }
                Fate::Healed if damaged.kind == DamageKind::Metadata => {
                    format!("; its attributes are those of {good} now")
                }
                Fate::Healed => format!("; its contents are those of {good} now"),
            });
        }
        text
    }

    fn place(&self, path: &DamagedPath) -> String {
        let shown = self.shown(&path.path);
        match path.dumps {
            1 => format!("{shown} (in {})", path.last),
            dumps => format!(
                "{shown} (in {dumps} dumps, {} to {})",
                path.first, path.last
            ),
        }
    }

    fn object(&self, scrubbed: &Scrubbed, exit: Exit) -> Map<String, Value> {
        let mut object = desk::head(WORD, exit);
        let root = self.dumps.lookup.absolute(&self.dumps.lookup.dump);
        json::put_path(&mut object, "dump_root", Some(&root));
        object.insert("dry_run".into(), scrubbed.dry_run.into());
        object.insert("read_only".into(), scrubbed.read_only.into());
        object.insert("files".into(), scrubbed.files.into());
        object.insert("bytes".into(), scrubbed.bytes.into());
        let damaged = scrubbed.damaged.iter().map(|damaged| self.damaged(damaged));
        object.insert("damaged".into(), damaged.collect());
        object.insert("healed".into(), scrubbed.healed.len().into());
        object.insert("unread".into(), scrubbed.unread.into());
        let healed = scrubbed.healed.iter().map(|healed| self.damaged(healed));
        object.insert("healed_files".into(), healed.collect());
        object.insert("hashed".into(), scrubbed.hashed.into());
        object.insert("unhashed".into(), scrubbed.unhashed.into());
        let catalog = scrubbed.catalog.iter().map(|path| {
            let mut object = Map::new();
            json::put_path(&mut object, "path", Some(&self.dumps.shown(path)));
            Value::Object(object)
        });
        object.insert("catalog".into(), catalog.collect());
        let links = scrubbed.links.iter().map(|link| {
            let mut object = Map::new();
            json::put_path(&mut object, "path", Some(&dumpcli::absolute(&link.link)));
            object.insert("why".into(), link.why.clone().into());
            Value::Object(object)
        });
        object.insert("links".into(), links.collect());
        let left = scrubbed.leftovers.iter().map(ToString::to_string);
        object.insert("leftovers".into(), left.collect());
        let mut faults = scrubbed.faults.clone();
        faults.iter_mut().for_each(json::fault_absolute);
        object.insert("faults".into(), json::value(&faults));
        object
    }

    fn damaged(&self, damaged: &Damaged) -> Value {
        let mut object = Map::new();
        object.insert("why".into(), damaged.kind.as_str().into());
        object.insert("error".into(), damaged.cause.clone().into());
        object.insert("needs_fsck".into(), damaged.needs_fsck.into());
        let paths = damaged.paths.iter().map(|path| {
            let mut object = Map::new();
            json::put_path(&mut object, "path", Some(&self.dumps.shown(&path.path)));
            object.insert("first".into(), path.first.to_string().into());
            object.insert("last".into(), path.last.to_string().into());
            object.insert("dumps".into(), path.dumps.into());
            Value::Object(object)
        });
        object.insert("paths".into(), paths.collect());
        let good = damaged.good.iter().map(|path| dumpcli::absolute(path));
        let good: Vec<_> = good.collect();
        crate::dumps::put_names(&mut object, "good", good.iter().map(|path| &**path));
        Value::Object(object)
    }
}

/// How much was read, and what of it is damaged.
fn summary(scrubbed: &Scrubbed) -> String {
    let files = count(scrubbed.files, "file");
    let bytes = figures::bytes(scrubbed.bytes);
    if scrubbed.dry_run {
        return format!("dry run: would read {files}, {bytes}");
    }
    let mut text = format!("read {files}, {bytes}: ");
    match scrubbed.damaged.len() + scrubbed.links.len() {
        0 if scrubbed.unhashed > 0 => text.push_str("no damage was found"),
        0 => text.push_str("nothing is damaged"),
        damaged => text.push_str(&format!("{} damaged", figures::number(damaged as u64))),
    }
    if !scrubbed.healed.is_empty() {
        let healed = figures::number(scrubbed.healed.len() as u64);
        text.push_str(&format!("; {healed} healed"));
    }
    if scrubbed.hashed > 0 {
        let hashed = count(scrubbed.hashed, "file");
        text.push_str(&format!("; {hashed} had no hash, and have one from now on"));
    }
    if scrubbed.unhashed > 0 {
        let unhashed = count(scrubbed.unhashed, "file");
        text.push_str(&format!("; {unhashed} not compared, without a hash"));
    }
    if scrubbed.unread > 0 {
        text.push_str(&format!("; {} not read", count(scrubbed.unread, "file")));
    }
    text
}

pub(crate) fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{} {what}s", figures::number(number)),
    }
}
