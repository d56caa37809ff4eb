//! `dumpctl find`: paths by name, over all dumps.

use std::ffi::OsString;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::paging::{Color, Out, has_enough};
use dumpcli::{figures, fit, json, quoted, screen};
use dumpcore::{FindReport, FoundPath, Kind, Printable};
use serde_json::{Map, Value};

use crate::common::Settings;
use crate::desk;
use crate::dumps::{self, Dumps, Looking};
use crate::patterns::{self, Style};
use crate::program::PROGRAM;

const WORD: &str = "find";

const HELP: &str = "\
A pattern is a glob of a shell: * for any characters, ? for one, [a-z] for one of
these. It is matched against the last name of a path. One that holds a slash is
matched against the whole path, which begins with the name of the tree: * and ?
do not match a slash then, ** does. It may also begin with the path of a tree.

Each path is printed once: the first and the last dump that has it ('now' when
its tree's newest dump does), how many versions it had, how large the last one
is, and the path. Without the catalog the dumps are walked, the newest first,
and the first dump and the number of versions are not known; --path makes that
quicker.

Examples:
  dumpctl find '*.tex'                   all that ever was called so
  dumpctl find --deleted 'letter*'       what is in no new dump any more
  dumpctl find --path ~/src '*.rs'       below a directory
  dumpctl find 'home/**/notes/*'         by the whole path
  dumpctl find --larger 1G '*'           large files
  cp \"$(dumpctl find --json letter.tex | jq -r .path)\" .

Exit codes:
  0   done
  1   nothing found, or failed
  2   wrong usage
  23  partly done: some directories could not be read; each is named";

/// Find files and directories by name in all dumps.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Names to look for, as globs; quote them, so that the shell does not
    /// replace them
    #[arg(value_name = "PATTERN", value_hint = ValueHint::Other)]
    patterns: Vec<OsString>,
    /// Whatever the case of letters
    #[arg(short = 'i', long)]
    ignore_case: bool,
    /// The patterns are regular expressions, which may match a part
    #[arg(long)]
    regex: bool,
    /// Only what the newest dump of its tree lacks
    #[arg(long)]
    deleted: bool,
    /// Only what a dump made since then has: a dump (its name, path or pin), a
    /// date, or how long ago (12h, 3d, 2w, 1y6mo)
    #[arg(long, value_name = "WHEN")]
    since: Option<OsString>,
    /// Only what takes more space than this: 500K, 10M, 1.5G
    #[arg(long, value_name = "SIZE", value_parser = figures::parse_bytes)]
    larger: Option<u64>,
    /// Only at or below this path of a tree, which need not exist any more
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    path: Option<PathBuf>,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match found(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

fn found(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    if options.patterns.is_empty() {
        let text = "name what to look for, such as '*.tex' (see 'dumpctl find --help')";
        return Err(Failure::Usage(text.to_owned()));
    }
    let looking = Looking::new(settings)?;
    let (dumps, below) = looking.of_paths(options.path.as_slice())?;
    let style = Style {
        ignore_case: options.ignore_case,
        regex: options.regex,
    };
    let trees = dumps::trees(dumps.lookup);
    let mut find = dumps.lookup.navigator.find().deleted(options.deleted);
    for pattern in &options.patterns {
        let test = patterns::test(pattern, style, &trees).map_err(|why| {
            let pattern = Printable::path(pattern.as_ref());
            Failure::Usage(format!("'{pattern}': {why}"))
        })?;
        find = find.test(test);
    }
    for path in below {
        find = find.below(path);
    }
    if let Some(text) = &options.since
        && let Some(since) = dumps.since(text)?
    {
        find = find.since(since);
    }
    if let Some(larger) = options.larger {
        find = find.larger(larger);
    }
    let catalog = dumps.catalog("looking through the dumps, the newest first");
    let mut teller = Teller::new(settings, &dumps, catalog.is_none());
    let report = find.run(catalog.as_ref(), &mut |found| teller.tell(&found));
    drop(catalog);
    teller.end()?;
    let report = report.map_err(|error| dumps::failed(error, dumps.lookup))?;
    let exit = ended(&dumps, &report)?;
    // As with grep, the exit code says it; a person is told why it may be.
    if report.found == 0 && exit == Exit::Failed && screen::stderr_is_terminal() {
        let names: Vec<OsString> = trees.into_iter().map(|(_, name)| name).collect();
        screen::complain(PROGRAM.name, &nothing(options, &names));
    }
    Ok(exit)
}

/// That nothing matches. A pattern with a slash that does not begin as paths in dumps
/// do is named.
fn nothing(options: &Options, trees: &[OsString]) -> String {
    let lacks_tree = |pattern: &&str| {
        let first = pattern.split_once('/').map(|(first, _)| first);
        let is_plain = |first: &str| !first.is_empty() && !first.contains(['*', '?', '[', '\\']);
        first.is_some_and(|first| is_plain(first) && !trees.iter().any(|tree| tree == first))
    };
    let mut patterns = options.patterns.iter().filter_map(|text| text.to_str());
    let [tree, ..] = trees else {
        return "nothing matches".to_owned();
    };
    match patterns.find(lacks_tree).filter(|_| !options.regex) {
        Some(pattern) => {
            let path = Path::new(tree).join(pattern);
            format!(
                "nothing matches; a pattern with a slash begins with the name of the tree: {}",
                quoted(&path)
            )
        }
        None => "nothing matches".to_owned(),
    }
}

fn ended(dumps: &Dumps<'_>, report: &FindReport) -> Result<Exit, Failure> {
    let exit = dumps::faults(dumps.lookup, &report.faults, report.closed, Exit::Done);
    match report.found {
        0 if exit == Exit::Done => match dumps.lookup.no_dumps() {
            Some(failure) => Err(failure),
            None => Ok(Exit::Failed),
        },
        _ => Ok(exit),
    }
}

/// Tells of paths as they are found.
struct Teller<'a> {
    out: Out,
    dumps: &'a Dumps<'a>,
    json: bool,
    /// Each line at once: it may be long until the next one.
    at_once: bool,
    width: Option<usize>,
    begun: bool,
    failed: Option<Failure>,
}

/// As wide as a checkpoint's name.
const NAME: usize = 18;
/// What a path gets at least, before other columns are told.
const PATH: usize = 20;

impl<'a> Teller<'a> {
    fn new(settings: &Settings, dumps: &'a Dumps<'a>, at_once: bool) -> Self {
        Self {
            out: Out::open(),
            dumps,
            json: settings.session.json,
            at_once,
            width: fit::stdout_columns(),
            begun: false,
            failed: None,
        }
    }

    fn tell(&mut self, found: &FoundPath) -> ControlFlow<()> {
        let line = match self.json {
            true => Value::Object(object(self.dumps, found)).to_string(),
            false => self.columns(found),
        };
        let written = writeln!(self.out, "{line}");
        let written = written.and_then(|()| {
            if self.at_once {
                self.out.flush()
            } else {
                Ok(())
            }
        });
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                if !has_enough(&error) {
                    self.failed = Some(dumps::cannot_write(&error));
                }
                ControlFlow::Break(())
            }
        }
    }

    /// Columns of fixed widths: lines that are still to come are not known.
    fn columns(&mut self, found: &FoundPath) -> String {
        let mut text = String::new();
        if !self.begun {
            self.begun = true;
            let head = self.line(["FIRST", "LAST", "VERS", "SIZE"], "PATH");
            text.push_str(&format!("{}\n", Color::Auto.paint("1", &head)));
        }
        let dash = || "-".to_owned();
        let last = match found.deleted {
            true => found.last.to_string(),
            false => "now".to_owned(),
        };
        let first = found.first.map_or_else(dash, |first| first.to_string());
        let versions = found
            .versions
            .map_or_else(dash, |number| number.to_string());
        let size = found.bytes.map_or_else(dash, figures::bytes);
        let mut path = Printable::path(&self.dumps.shown(&found.path)).to_string();
        if found.kind == Kind::Dir {
            path.push('/');
        }
        text.push_str(&self.line([&first, &last, &versions, &size], &path));
        text
    }

    /// The path is what was looked for: where the terminal is narrow, it is not told
    /// of all else.
    fn line(&self, [first, last, versions, size]: [&str; 4], path: &str) -> String {
        let all = format!("{first:NAME$}  {last:NAME$}  {versions:>4}  {size:>8}  ");
        let Some(width) = self.width else {
            return all + path;
        };
        let some = [
            all,
            format!("{last:NAME$}  {size:>8}  "),
            format!("{last:NAME$}  "),
        ];
        let fitting = some.into_iter().find(|some| some.len() + PATH <= width);
        let figures = fitting.unwrap_or_default();
        let path = fit::path(path, width.saturating_sub(figures.len()));
        figures + &path
    }

    fn end(self) -> Result<(), Failure> {
        dumps::close(self.out)?;
        self.failed.map_or(Ok(()), Err)
    }
}

fn object(dumps: &Dumps<'_>, found: &FoundPath) -> Map<String, Value> {
    let mut object = Map::new();
    let path = dumps.lookup.absolute(&found.last_path);
    json::put_path(&mut object, "path", Some(&path));
    object.insert("type".into(), found.kind.as_str().into());
    object.insert(
        "first".into(),
        found.first.map(|first| first.to_string()).into(),
    );
    object.insert("last".into(), found.last.to_string().into());
    object.insert("versions".into(), found.versions.into());
    object.insert("bytes".into(), found.bytes.into());
    object.insert("deleted".into(), found.deleted.into());
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_lacks_the_name_of_the_tree_is_told_of_it() {
        let trees = ["tree".into(), "other".into()];
        for (pattern, regex, hint) in [
            (
                "docs/letter.txt",
                false,
                " of the tree: tree/docs/letter.txt",
            ),
            ("docs/*.txt", false, " of the tree: 'tree/docs/*.txt'"),
            ("other/letter.txt", false, "nothing matches"),
            ("**/letter.txt", false, "nothing matches"),
            ("/tree/letter.txt", false, "nothing matches"),
            ("letter.txt", false, "nothing matches"),
            ("docs/letter.txt", true, "nothing matches"),
        ] {
            let options = Options {
                patterns: vec![pattern.into()],
                ignore_case: false,
                regex,
                deleted: false,
                since: None,
                larger: None,
                path: None,
            };
            let said = nothing(&options, &trees);
            assert!(said.starts_with("nothing matches"), "{said}");
            assert!(said.ends_with(hint), "{pattern}: {said}");
        }
    }
}
