//! What a person can do about an error, in the words of the program that says
//! it.
//!
//! The library says what is wrong and knows no option. What a program alone can
//! do about an error stands in its own table, its [`Advice`]; what they all can,
//! here.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use dumpcore::{DumpRoot, Error, Printable, Sort};

use crate::config::environment::Env;
use crate::config::origin::{Origin, Source};
use crate::failure::Failure;
use crate::paths::quoted;
use crate::program::{Advice, Root};

/// What a program is about when it meets an error.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The program's own table.
    pub advice: Advice,
    /// The trees, or the dump root, that it reads.
    pub read: &'a [PathBuf],
    /// The dump root that it writes.
    pub dump: &'a Path,
    /// Who named these.
    pub origins: &'a [Origin],
}

/// A failure with what can be done about it, by an option of this program say.
#[must_use]
pub fn explain(failure: Failure, about: About<'_>) -> Failure {
    match failure {
        Failure::Core { error, .. } => Failure::Core {
            origin: about.origin(&error).into(),
            hint: about.hint(&error).into(),
            error,
        },
        other => other,
    }
}

impl About<'_> {
    /// What is to be added to the sentence of an error; empty when it says all.
    fn hint(&self, error: &Error) -> String {
        match error {
            Error::MainUnusable { .. } => String::new(),
            Error::DumpUnusable { cause, .. } => match cause.kind() {
                ErrorKind::NotFound => self.act(error).to_owned(),
                _ => String::new(),
            },
            Error::DumpDisk { free: Some(_), .. } => self.leftovers(),
            Error::NoCurrent { dump } => {
                link_again(dump).unwrap_or_else(|| self.act(error).to_owned())
            }
            // What is not a symlink is in the way of one.
            Error::BadCurrent {
                link,
                target: Some(_),
                ..
            } => link
                .parent()
                .and_then(link_again)
                .unwrap_or_else(|| self.act(error).to_owned()),
            Error::StateUnusable { path, cause } if cause.kind() == ErrorKind::PermissionDenied => {
                of_another_user(path)
            }
            // Room first: an option that merely does not look comes last.
            Error::NoSpace { .. } => format!("{}{}", self.leftovers(), self.act(error)),
            _ => self.act(error).to_owned(),
        }
    }

    /// What helps: what the program itself says, else what any program does.
    fn act(&self, error: &Error) -> &'static str {
        let root = match error {
            Error::NoCurrent { dump: root } | Error::DumpUnusable { path: root, .. }
                if self.read.contains(root) =>
            {
                Root::Read
            }
            _ => Root::Written,
        };
        (self.advice.of)(error, root).unwrap_or_else(|| common(error))
    }

    /// Where a path that cannot be opened comes from.
    fn origin(&self, error: &Error) -> String {
        let (Error::MainUnusable { path, .. } | Error::DumpUnusable { path, .. }) = error else {
            return String::new();
        };
        let origin = self.origins.iter().find(|origin| origin.path == *path);
        origin.map(named_by).unwrap_or_default()
    }

    /// What takes room on a full disk, and this program would not resume: each
    /// resumes only its own.
    fn leftovers(&self) -> String {
        let listed = DumpRoot::open(self.dump).map(|dump| dump.listing().incompletes());
        // The disk is full: whatever else is wrong with it is said next time.
        let Ok(Ok(found)) = listed else {
            return String::new();
        };
        let others = found.iter().map(|found| found.name);
        let others = others.filter(|name| name.sort != self.advice.resumes);
        let text = others.map(|name| {
            let path = self.dump.join(name.incomplete_path());
            let path = Printable::path(&path);
            let who = match name.sort {
                Sort::Checkpoint => "chkptme",
                _ => "dumpme",
            };
            format!(
                "; {path}, left by an interrupted run, takes room too: \
                 {who} continues it, or remove it with 'dumpctl remove'"
            )
        });
        text.collect()
    }
}

/// The error of a dump root that has neither `current` nor a dump: most likely
/// its disk is not mounted, and that it lacks a path says nothing about the
/// path. `None` when it has either, or cannot be read.
#[must_use]
pub fn no_dumps(dump: &Path) -> Option<Error> {
    let link = dump.join("current").symlink_metadata();
    if !link.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return None;
    }
    let newest = DumpRoot::open(dump).ok()?.listing().newest().ok()?;
    let dump = dump.to_path_buf();
    newest.is_none().then_some(Error::NoCurrent { dump })
}

/// The command that makes `current` again, of a dump root that has dumps.
fn link_again(dump: &Path) -> Option<String> {
    let listing = DumpRoot::open(dump).ok()?;
    let newest = listing.listing().newest().ok()??;
    let link = quoted(&dump.join("current"));
    Some(format!(
        "; its newest dump is {newest}: if only the link was lost, make it again with: \
         ln -sfn {newest} {link}"
    ))
}

/// Whose a path is, when it is not this user's; empty when it is, or when it
/// cannot be told.
fn of_another_user(path: &Path) -> String {
    match other_owner(path) {
        Some(owner) => {
            format!("; it belongs to {owner}: use a dump root of your own, with --dump")
        }
        None => String::new(),
    }
}

/// Whom a path belongs to, when that is not the user.
#[must_use]
pub fn other_owner(path: &Path) -> Option<String> {
    match path.symlink_metadata().map(|found| found.uid()) {
        Ok(owner) if owner == rustix::process::geteuid().as_raw() => None,
        Ok(0) => Some("root".to_owned()),
        Ok(owner) => Some(format!("user {owner}")),
        Err(_) => None,
    }
}

/// What any program can say.
fn common(error: &Error) -> &'static str {
    match error {
        Error::NoCurrent { .. } => "; make the first dump with 'dumpme --init'",
        Error::DumpUnusable { .. } => "; mount its disk, or create it and run 'dumpme --init'",
        Error::AlreadyInitialised { .. } => "; run without --init",
        Error::HalfDump { .. } => "; remove what is left of it with 'dumpctl remove'",
        Error::Shortage { .. } => "; see --jobs",
        _ => "",
    }
}

/// Where a configuration file was looked for, when there is none of these.
fn nowhere(looked_for: &[PathBuf]) -> String {
    if looked_for.iter().any(|path| path.exists()) {
        return String::new();
    }
    let paths: Vec<String> = looked_for.iter().map(|path| quoted(path)).collect();
    let paths = paths.join(" or ");
    format!(", or in a configuration file; none was found as {paths}")
}

fn named_by(origin: &Origin) -> String {
    let option = origin.option;
    match &origin.source {
        Source::Flag => format!(" (from {option})"),
        Source::Env(name) => format!(" (from {name} in the environment)"),
        Source::Default => {
            let looked_for = Env::of_process().config_paths();
            format!(
                " (the default; set it with {option}{})",
                nowhere(&looked_for)
            )
        }
        Source::File { path, line, .. } => format!(" (from {}:{line})", path.display()),
    }
}

#[cfg(test)]
#[path = "advice_tests.rs"]
mod tests;
