//! What is done with a version that was found.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use dumpcli::Lookup;
use dumpcli::diff::{self, DiffError, Style};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::paging::{Out, has_enough};
use dumpcli::{json, screen};
use dumpcore::{Chain, DumpName, LocatedIn, Location, Printable, Version};
use serde_json::{Map, Value};

use crate::options::{Options, PROGRAM};
use crate::restore::Copying;

/// What was asked for, and where its output goes.
pub(crate) enum Act {
    Print { out: Out, json: bool },
    Diff { out: Out, style: Style },
    Copy(Copying),
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
            Act::Copy(Copying::new(acts.copy_if_differs, options.output.force))
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
    ) -> Result<Exit, Failure> {
        let now = match &place.located_in {
            LocatedIn::Main(path) => path.clone(),
            LocatedIn::Dump(_) => ground.from.join(named),
        };
        let done = match self {
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
            Act::Copy(copying) => return copying.restore(ground, place, old),
            Act::Exec(command) => exec(command, &old.path, &now),
        };
        done.map(|()| Exit::Done)
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
    pub(crate) fn none(&mut self, path: &Path, why: &Failure) -> Result<(), Failure> {
        let Act::Print { out, json: true } = self else {
            return Ok(());
        };
        let mut object = json::of_failure(PROGRAM, why, Exit::Failed);
        if let Value::Object(object) = &mut object {
            json::put_path(object, "path", Some(path));
        }
        print_line(out, object.to_string().as_bytes())
    }

    /// Nothing more will come.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self {
            Act::Print { out, .. } | Act::Diff { out, .. } => out.close().map_err(failed),
            Act::Copy(_) | Act::Exec(_) => Ok(()),
        }
    }
}

fn print_line(out: &mut Out, line: &[u8]) -> Result<(), Failure> {
    match out.write_all(&[line, b"\n".as_slice()].concat()) {
        Err(error) if has_enough(&error) => Ok(()),
        other => other.map_err(failed),
    }
}

fn failed(error: impl std::error::Error + 'static) -> Failure {
    Failure::Failed(Chain(&error).to_string())
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
