//! `dumpctl pin` and `dumpctl unpin`: keep a dump under a name.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::Path;

use clap::{Args, ValueHint};
use dumpcli::advice::other_owner;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::{json, screen};
use dumpcore::{Chain, DumpId, DumpRoot, Error, PinName};
use serde_json::Value;

use crate::common::Settings;
use crate::desk;

const HELP: &str = "\
Examples:
  dumpctl pin before-upgrade                  keep the newest dump
  dumpctl pin 2026/1122/2331 before-upgrade   keep this dump
  dumpctl unpin before-upgrade                let it go again

A pin is a symlink in the dump root whose target is exactly a dump. It can be
named wherever a command takes a dump, and a running dump is not in its way.

Exit codes:
  0  done, or done before
  1  failed: nothing was changed
  2  wrong usage, such as a name that is a date";

/// Keep a dump under a name.
///
/// A dump that has a pin is neither removed by `dumpctl remove` nor let go by
/// retention. Refused are names that could be taken for something else: those
/// that begin with `current`, `@GMT-`, a dot or a digit, `first`, `main`, and
/// what names a moment, such as `yesterday`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// The dump, by its name (2026/1122/2331, first), its path or another pin
    /// [default: the one that `current` points to]
    #[arg(value_name = "DUMP", value_hint = ValueHint::DirPath)]
    first: Option<OsString>,
    /// Name of the pin
    #[arg(value_name = "NAME", value_hint = ValueHint::Other)]
    second: Option<OsString>,
    /// Change nothing; show what would be pinned
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Remove a pin. Its dump stays until something else removes it.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct UnpinOptions {
    /// Name of the pin
    #[arg(value_name = "NAME", value_hint = ValueHint::FilePath)]
    name: Option<OsString>,
    /// Change nothing; show what would be removed
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match pinned(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail("pin", &failure, settings.session.json),
    }
}

pub(crate) fn run_unpin(options: &UnpinOptions, settings: &Settings) -> Result<Exit, Failure> {
    match unpinned(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail("unpin", &failure, settings.session.json),
    }
}

fn pinned(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    // One alone is the name. Not for the parser to say, which does not see a
    // --print-config before the word.
    let (what, name) = match (&options.first, &options.second) {
        (Some(dump), Some(name)) => (dump.as_os_str(), name),
        (Some(name), None) => (OsStr::new("current"), name),
        _ => return Err(missing("pin")),
    };
    let root = open(settings)?;
    let dump = settings.find(&root, what)?;
    let name = pin_name(name, &root)?;
    let new = match options.dry_run {
        true => root.may_pin(dump, &name).map_err(Error::from),
        false => root.pin(dump, &name),
    };
    let new = new.map_err(|error| refused(error, settings))?;
    let done = Done {
        word: "pin",
        dump,
        name: &name,
        dry_run: options.dry_run,
    };
    let text = match (new, options.dry_run) {
        (true, false) => format!("pinned {dump} as {name}"),
        (true, true) => format!("dry run: would pin {dump} as {name}"),
        (false, _) => format!("{dump} is already pinned as {name}"),
    };
    done.tell(&text, settings)
}

fn unpinned(options: &UnpinOptions, settings: &Settings) -> Result<Exit, Failure> {
    let Some(name) = &options.name else {
        return Err(missing("unpin"));
    };
    let root = open(settings)?;
    let name = pin_name(name, &root)?;
    let pin = match options.dry_run {
        true => root.pin_of(&name).map_err(Error::from),
        false => root.unpin(&name),
    };
    let pin = pin.map_err(|error| refused(error, settings))?;
    let done = Done {
        word: "unpin",
        dump: pin.dump,
        name: &name,
        dry_run: options.dry_run,
    };
    let dump = pin.dump;
    let text = match options.dry_run {
        true => format!("dry run: would remove the pin {name} of {dump}"),
        false => format!("removed the pin {name} of {dump}"),
    };
    done.tell(&text, settings)
}

fn missing(word: &str) -> Failure {
    Failure::Usage(format!("name the pin (see 'dumpctl {word} --help')"))
}

fn open(settings: &Settings) -> Result<DumpRoot, Failure> {
    let root = DumpRoot::open(&settings.dump.value);
    root.map_err(|error| settings.explained(error))
}

/// The name of a pin; of its path in the dump root, as Tab completes it, the
/// last one.
fn pin_name(given: &OsStr, root: &DumpRoot) -> Result<PinName, Failure> {
    let path = Path::new(given);
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let name = match (above.and_then(real), path.file_name()) {
        (Some(above), Some(last)) if Some(&above) == real(root.path()).as_ref() => last,
        _ => given,
    };
    PinName::new(name).map_err(|bad| Failure::Usage(bad.to_string()))
}

/// An error, with whose dump root it is when that is why.
fn refused(error: Error, settings: &Settings) -> Failure {
    let is_closed = |error: &Error| match error {
        Error::Fault(fault) => fault.cause.kind() == ErrorKind::PermissionDenied,
        _ => false,
    };
    match other_owner(&settings.dump.value) {
        Some(owner) if is_closed(&error) => {
            let text = Chain(&error);
            Failure::Failed(format!("{text}; the dump root belongs to {owner}"))
        }
        _ => settings.explained(error),
    }
}

/// What was done, or would be.
struct Done<'a> {
    word: &'a str,
    dump: DumpId,
    name: &'a PinName,
    dry_run: bool,
}

impl Done<'_> {
    fn tell(&self, text: &str, settings: &Settings) -> Result<Exit, Failure> {
        if settings.session.json {
            let mut object = desk::head(self.word, Exit::Done);
            let root = dumpcli::absolute(&settings.dump.value);
            json::put_path(&mut object, "dump_root", Some(&root));
            object.insert("dry_run".into(), self.dry_run.into());
            object.insert("name".into(), self.dump.to_string().into());
            let path = root.join(self.dump.path());
            json::put_path(&mut object, "path", Some(&path));
            json::put_path(&mut object, "pin", Some(self.name.as_ref()));
            screen::print(&format!("{}\n", Value::Object(object)))?;
        } else if !settings.session.quiet {
            screen::print(&format!("{text}\n"))?;
        }
        Ok(Exit::Done)
    }
}
