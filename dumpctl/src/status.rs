//! `dumpctl status`: how the dump roots are, and what needs attention first.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::paging::{Color, Out};
use dumpcli::settings::Sources;
use dumpcli::{figures, fit, screen};
use dumpcore::{Chain, Printable, TreeStatus};
use serde_json::Value;

use crate::common::{Settings, with_rebuild};
use crate::desk;
use crate::dumps::{self, Looking};
use crate::program::PROGRAM;
use crate::status_found::{Away, Found, WORD, advice, needing_attention};
use crate::status_json;
use crate::table::{Set, Table};

const HELP: &str = "\
What needs attention comes first; -q prints only that:
  files that 'dumpctl scrub' found damaged
  a dump root that is not there, when there are others
  no dump of a configured tree, or none for 26 hours; one that lacks entries
  room for fewer than 48 more dumps, or for all that [keep] lets there be
  a checkpoint that is older than 190 days; none at all is not reported
  no new dump on the second disk ([slave]) for 50 hours
  a dump that a run left unfinished more than a day ago
  an expired dump that cannot be removed, or what is left of one for a day
  a tree without a policy ([keep]), when others have one or it has 1,000 dumps
  dumps dated in the future; links that look like pins and are none; pins, and
    current_chk, whose dumps are gone

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
    #[arg(long)]
    prometheus: bool,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match told(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

fn told(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    if options.prometheus && settings.session.json {
        let text = "--prometheus and --json cannot be used together".to_owned();
        return Err(Failure::Usage(text));
    }
    let looking = Looking::new(settings)?;
    let sources = Sources::load_all(PROGRAM, &settings.places.configuration)?;
    let mut all = Vec::new();
    let mut away = Vec::new();
    let mut first = None;
    for lookup in looking.all() {
        match Found::of(lookup, settings, &sources) {
            Ok(found) => all.push(found),
            Err(failure @ Failure::Usage(_)) => return Err(failure),
            Err(failure) => {
                away.push(Away::of(lookup, &failure));
                first.get_or_insert(failure);
            }
        }
    }
    // One that is away hides none of the others.
    if let Some(failure) = first.filter(|_| all.is_empty()) {
        return Err(failure);
    }
    let needed = !away.is_empty() || all.iter().any(|found| !found.attention.is_empty());
    let exit = if needed { Exit::Attention } else { Exit::Done };
    if options.prometheus {
        screen::print(&status_json::metrics(&all, &away))?;
    } else if settings.session.json {
        let object = status_json::object(&all, &away, exit);
        screen::print(&format!("{}\n", Value::Object(object)))?;
    } else {
        tell(&all, &away, settings.session.quiet)?;
    }
    Ok(exit)
}

fn tell(all: &[Found<'_>], away: &[Away], quiet: bool) -> Result<(), Failure> {
    let mut text = String::new();
    let width = fit::stdout_columns();
    for (attention, root) in needing_attention(all, away) {
        let advice = advice(attention, &root);
        let advice = advice.map_or_else(String::new, |advice| format!(": {advice}"));
        let mut lines = String::new();
        put(&mut lines, &format!("{attention}{advice}"), width);
        for line in lines.lines() {
            let _ = writeln!(text, "{}", Color::Auto.paint("33", line));
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
        if let Some(last) = self.status.scrub.and_then(|scrub| scrub.last) {
            let _ = writeln!(text, "last scrub: {} ago", self.age(last));
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
        if let Some(dumps) = room.settled_dumps {
            let number = figures::number(dumps);
            let _ = write!(text, ", settles at about {number} dumps");
            if let Some((bytes, total)) = room.settled_bytes.zip(room.total_bytes) {
                let percent = u128::from(bytes) * 100 / u128::from(total.max(1));
                let _ = write!(text, ", {percent}% of the disk");
            }
            if let Some(bytes) = room.checkpoint_bytes {
                let bytes = figures::bytes(bytes);
                let _ = write!(text, " (next checkpoint +{bytes})");
            }
        }
        match (&room.more, &self.no_catalog) {
            (Some(_), _) if room.suffices == Some(true) => {}
            (Some(more), _) => {
                let number = figures::number(more.number);
                let ends = more.ends.as_str();
                let _ = write!(text, ", room for about {number} more dumps");
                let _ = write!(text, " ({ends} run out first)");
            }
            (None, Some(error)) => {
                let why = with_rebuild(&Chain(error).to_string(), &self.lookup.dump);
                let _ = write!(text, "; for how many more dumps is not known: {why}");
            }
            (None, None) => {}
        }
        text
    }
}
