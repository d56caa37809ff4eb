//! What is done with a version that was found.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use dumpcli::diff::{self, DiffError, Style};
use dumpcli::exit::{Exit, Failure};
use dumpcli::lookup::Lookup;
use dumpcli::paging::{Out, has_enough};
use dumpcli::{json, screen};
use dumpcore::{DumpName, LocatedIn, Location, Printable, Version, WouldRemove};
use serde_json::{Map, Value};

use crate::{Options, PROGRAM};

/// What was asked for, and where its output goes.
pub(crate) enum Act {
    Print { out: Out, json: bool },
    Diff { out: Out, style: Style },
    Copy { only_if_differs: bool, force: bool },
    Exec(OsString),
}

impl Act {
    pub(crate) fn of(options: &Options) -> Self {
        let acts = &options.acts;
        if acts.diff {
            Act::Diff {
                out: Out::open(),
                style: Style::of_stdout(options.output.color, options.output.text),
            }
        } else if acts.copy || acts.copy_if_differs {
            Act::Copy {
                only_if_differs: acts.copy_if_differs,
                force: options.output.force,
            }
        } else if let Some(command) = &acts.exec {
            Act::Exec(command.clone())
        } else {
            Act::Print {
                out: Out::plain(),
                json: options.output.json,
            }
        }
    }

    /// On a version that is there.
    pub(crate) fn run(
        &mut self,
        ground: &Lookup,
        named: &Path,
        place: &Location,
        old: &Version,
    ) -> Result<(), Failure> {
        let now = match &place.located_in {
            LocatedIn::Main(path) => path.clone(),
            LocatedIn::Dump(_) => ground.from.join(named),
        };
        match self {
            Act::Print { .. } => match old.dump {
                Some(dump) => self.name(ground, named, &old.path, dump),
                None => Ok(()),
            },
            Act::Diff { out, style } => {
                let new = ground.navigator.version_now(place).map_err(failed)?;
                match diff::versions(Some(old), new.as_ref(), *style, out) {
                    Err(DiffError::Out(error)) if has_enough(&error) => Ok(()),
                    other => other.map_err(failed),
                }
            }
            Act::Copy {
                only_if_differs,
                force,
            } => restore(ground, place, old, *only_if_differs, *force),
            Act::Exec(command) => exec(command, &old.path, &now),
        }
    }

    /// Prints a name in a dump.
    pub(crate) fn name(
        &mut self,
        ground: &Lookup,
        named: &Path,
        old: &Path,
        dump: DumpName,
    ) -> Result<(), Failure> {
        let Act::Print { out, json } = self else {
            return Ok(());
        };
        let line = if *json {
            let mut object = Map::new();
            json::put_path(&mut object, "path", Some(&ground.absolute(named)));
            json::put_path(&mut object, "old", Some(old));
            object.insert("dump".into(), dump.to_string().into());
            Value::Object(object).to_string().into_bytes()
        } else if screen::stdout_is_terminal() {
            Printable::path(old).to_string().into_bytes()
        } else {
            old.as_os_str().as_bytes().to_vec()
        };
        print_line(out, &line)
    }

    /// There is nothing to be done with a path, or it did not succeed: for
    /// machines that is an object as well.
    pub(crate) fn none(
        &mut self,
        ground: &Lookup,
        named: &Path,
        why: &Failure,
    ) -> Result<(), Failure> {
        let Act::Print { out, json: true } = self else {
            return Ok(());
        };
        let mut object = json::of_failure(PROGRAM, why, Exit::Failed);
        if let Value::Object(object) = &mut object {
            json::put_path(object, "path", Some(&ground.absolute(named)));
        }
        print_line(out, object.to_string().as_bytes())
    }

    /// Nothing more will come.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self {
            Act::Print { out, .. } | Act::Diff { out, .. } => out.close().map_err(failed),
            Act::Copy { .. } | Act::Exec(_) => Ok(()),
        }
    }
}

fn print_line(out: &mut Out, line: &[u8]) -> Result<(), Failure> {
    match out.write_all(&[line, b"\n".as_slice()].concat()) {
        Err(error) if has_enough(&error) => Ok(()),
        other => other.map_err(failed),
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// The command gets both names as its last words.
fn exec(command: &OsStr, old: &Path, now: &Path) -> Result<(), Failure> {
    let mut script = command.to_os_string();
    script.push(" \"$@\"");
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(script)
        .arg("yest")
        .args([old, now])
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Failed(format!(
            "{} ended with {status}",
            Printable(command.as_bytes())
        ))),
        Err(error) => Err(failed(error)),
    }
}

fn restore(
    ground: &Lookup,
    place: &Location,
    old: &Version,
    only_if_differs: bool,
    force: bool,
) -> Result<(), Failure> {
    let navigator = &ground.navigator;
    let mut goes = WouldRemove::default();
    if let LocatedIn::Main(now) = &place.located_in {
        if only_if_differs && !navigator.differs(old, place).map_err(failed)? {
            return Ok(());
        }
        goes = navigator.would_remove(old, place).map_err(failed)?;
        let exists = Version::at(now).map_err(failed)?.is_some();
        if exists && !force && !confirmed(now, old, &goes)? {
            return Ok(());
        }
    }
    let losses = navigator.restore(old, place).map_err(failed)?;
    if let LocatedIn::Main(now) = &place.located_in {
        let now = Printable::path(now);
        let old = Printable::path(&old.path);
        // Whoever was asked has been told.
        if force && goes.entries > 0 {
            let text = format!("{now} has lost {}", lost(&goes, &old.to_string()));
            ground.aside.warning(&text);
        }
        ground.aside.done(&format!("restored {now} from {old}"));
    }
    match losses.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Failed(format!(
            "restored, but not all of its metadata: {first}{}",
            if losses.len() > 1 { ", and more" } else { "" }
        ))),
    }
}

/// What goes for good, in words.
fn lost(goes: &WouldRemove, dump: &str) -> String {
    let named: Vec<String> = goes
        .first
        .iter()
        .map(|path| Printable::path(path).to_string())
        .collect();
    let entries = if goes.entries == 1 {
        "entry"
    } else {
        "entries"
    };
    let more = match goes.entries.saturating_sub(named.len() as u64) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!(
        "{} {entries} that {dump} does not have: {}{more}",
        goes.entries,
        named.join(", ")
    )
}

/// Asks before something is replaced; where nobody can answer, nothing is.
fn confirmed(now: &Path, old: &Version, goes: &WouldRemove) -> Result<bool, Failure> {
    let (now, old) = (Printable::path(now), Printable::path(&old.path));
    let losing = match goes.entries {
        0 => String::new(),
        _ => format!(", and lose {}", lost(goes, "this dump")),
    };
    if !io::stdin().is_terminal() {
        return Err(Failure::Failed(format!(
            "{now} is there, and there is no terminal to ask on: \
             with --force it would be replaced by {old}{losing}"
        )));
    }
    let (mut input, mut output) = (io::stdin().lock(), io::stderr().lock());
    let question = format!("yest: replace {now} by {old}{losing}? [y/N] ");
    output.write_all(question.as_bytes()).map_err(failed)?;
    output.flush().map_err(failed)?;
    let mut answer = String::new();
    input.read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
