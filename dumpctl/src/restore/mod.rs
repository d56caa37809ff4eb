//! `dumpctl restore`: brings paths back from a dump.

mod options;
mod tell;
mod version;

use std::fs;
use std::path::{Path, PathBuf};

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::question::can_ask;
use dumpcore::{
    DumpRoot, Error, LinksAmong, Merging, Printable, Restore, RestoreError, RestorePlan, Restored,
    RunOptions,
};

use crate::common::Settings;
use crate::desk::{self, Desk};
use crate::dumps::Looking;
use crate::scrub::replicas;
pub(crate) use options::Options;
use options::Target;
use tell::{Told, WORD, explained};
use version::Item;

const STOPPED: &str = "stopped; what is restored stays, and the same command restores the rest";

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match restored(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

fn restored(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    let target = options.target()?;
    let paths = options.paths()?;
    let looking = Looking::new(settings)?;
    let mut items = Vec::new();
    for path in &paths {
        items.push(Item::find(&looking, path, options.at.as_deref(), &target)?);
    }
    apart(&items)?;
    if options.deletes() {
        if !options.delete_excluded {
            items.iter_mut().try_for_each(|item| item.spare(&looking))?;
        }
        items.iter().try_for_each(whole)?;
        items
            .iter()
            .try_for_each(|item| holds_no_root(item, &looking))?;
    }
    let desk = Desk::open(&settings.session);
    let work = Work {
        options,
        settings,
        desk: &desk,
        target: &target,
    };
    match work.unless_agreed(&items) {
        Ok(None) => work.all(&items),
        Ok(Some(exit)) => Ok(exit),
        Err(failure) => desk.fail(WORD, &failure, desk::UNCHANGED),
    }
}

/// Two paths of one place would restore one over the other.
fn apart(items: &[Item<'_>]) -> Result<(), Failure> {
    for (number, item) in items.iter().enumerate() {
        if let Some(first) = items[..number].iter().find(|other| other.to == item.to) {
            return Err(Failure::Usage(format!(
                "{} and {} would both be restored to {}: restore them one by one",
                Printable::path(&first.given),
                Printable::path(&item.given),
                Printable::path(&item.to)
            )));
        }
    }
    Ok(())
}

/// What a dump could not read is not what the tree did not have: it is not
/// deleted.
fn whole(item: &Item<'_>) -> Result<(), Failure> {
    let listing = item.lookup.navigator.listing();
    let dump = item.version.dump;
    let Some((dump, lacks)) = dump.and_then(|dump| Some((dump, listing.lacks(dump)?))) else {
        return Ok(());
    };
    Err(Failure::Failed(format!(
        "the dump {} is partial: it lacks {lacks} that could not be read, and --delete could \
         delete them from {}; without --delete it can be restored",
        Printable::path(&listing.path(dump)),
        Printable::path(&item.to)
    )))
}

/// Refuses to delete in a place that has a dump root of the configuration in
/// it; one that is not configured is known by what is in it.
fn holds_no_root(item: &Item<'_>, looking: &Looking) -> Result<(), Failure> {
    let real = |path: &Path| path.canonicalize().ok();
    let Some(to) = real(&item.to) else {
        return Ok(());
    };
    let roots = looking.known_roots()?;
    let inside = |root: &PathBuf| real(root).is_some_and(|root| root.starts_with(&to));
    match roots.into_iter().find(inside) {
        None => Ok(()),
        Some(path) => Err(Failure::Failed(explained(&RestoreError::HoldsDumps {
            path,
            of: item.to.clone(),
        }))),
    }
}

/// What is to be done, and what surrounds it.
struct Work<'a> {
    options: &'a Options,
    settings: &'a Settings,
    desk: &'a Desk,
    target: &'a Target,
}

impl Work<'_> {
    fn restore(&self, item: &Item<'_>, run: RunOptions) -> Result<Restore, RestoreError> {
        let options = self.options;
        let merging = Merging::new()
            .overwrite(options.overwrite.into())
            .delete(options.deletes())
            .backup(options.backup.clone());
        let (navigator, version) = (&item.lookup.navigator, &item.version);
        let restore = match self.target {
            Target::Directory(to) => Restore::into_directory(navigator, version, &item.place, to)?,
            Target::InPlace => Restore::new(navigator, version, &item.place)?,
        };
        let restore = restore.merging(merging).spare(item.spared.clone());
        let restore = restore.resume(true);
        Ok(restore.verify(options.verify).options(run))
    }

    /// No item is restored where one of them would delete dumps.
    fn check(&self, items: &[Item<'_>]) -> Result<(), Failure> {
        let check = |item: &&Item<'_>| {
            let checked = self
                .desk
                .work(&item.lookup.dump, |run| self.restore(item, run)?.check());
            checked.map_err(|error| self.failure(error))
        };
        items
            .iter()
            .filter(|item| !self.is_new(item))
            .try_for_each(|item| check(&item))
    }

    /// What would be done; `None` of what does not exist yet.
    fn plans(&self, items: &[Item<'_>]) -> Result<Vec<Option<RestorePlan>>, Failure> {
        let plan = |item: &Item<'_>| {
            if self.is_new(item) {
                return Ok(None);
            }
            let planned = self.desk.work(&item.lookup.dump, |run| {
                self.restore(item, run)?.dry_run(true).run()
            });
            match planned {
                Ok(Restored::Planned(plan)) => Ok(Some(*plan)),
                Ok(_) => Ok(None),
                Err(error) => Err(self.failure(error)),
            }
        };
        items.iter().map(plan).collect()
    }

    /// Is there nothing at its place, so that no plan is needed?
    fn is_new(&self, item: &Item<'_>) -> bool {
        let is_missing = |path: &PathBuf| {
            let looked = fs::symlink_metadata(path);
            looked.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        };
        match self.target {
            Target::Directory(directory) => is_missing(directory) || is_missing(&item.to),
            Target::InPlace => is_missing(&item.to),
        }
    }

    /// Looks at what is to be done, and asks where that takes somebody's yes.
    /// How it ends when it is not to be done: a dry run with the plan.
    fn unless_agreed(&self, items: &[Item<'_>]) -> Result<Option<Exit>, Failure> {
        let options = self.options;
        if options.deletes() || options.backup.is_some() {
            self.check(items)?;
        }
        if options.force && !options.dry_run {
            return Ok(None);
        }
        let plans = self.plans(items)?;
        match options.dry_run {
            true => {
                let words = tell::Words::of(options);
                tell::plans(items, &plans, words, self.settings).map(Some)
            }
            false => self.ask(items, &plans),
        }
    }

    /// Asks where something would be replaced or deleted.
    fn ask(
        &self,
        items: &[Item<'_>],
        plans: &[Option<RestorePlan>],
    ) -> Result<Option<Exit>, Failure> {
        let words = tell::Words::of(self.options);
        let question = |between| tell::question(items, plans, words, between);
        let Some(lines) = question("\n  ") else {
            return Ok(None);
        };
        if !can_ask() {
            let sentence = question(" ").unwrap_or_default();
            return Err(Failure::Failed(format!(
                "{sentence}, and there is no terminal to ask on; --force does it without asking"
            )));
        }
        self.desk
            .unless_agreed(WORD, &format!("{lines}\ncontinue?"))
    }

    fn all(&self, items: &[Item<'_>]) -> Result<Exit, Failure> {
        if let Target::Directory(directory) = self.target {
            let path = dumpcli::absolute(directory);
            if DumpRoot::is_in_dumps(&path) {
                return Err(self.failure(RestoreError::InDump { path }));
            }
            let made = fs::create_dir_all(directory);
            made.map_err(|error| {
                let path = Printable::path(directory);
                Failure::Failed(format!("cannot create {path}: {error}"))
            })?;
        }
        let mut told = Told::new(self.settings);
        let versions = items
            .iter()
            .map(|item| (&item.lookup.navigator, &item.version));
        let among = LinksAmong::of(versions).map_err(|error| self.failure(error))?;
        for item in items {
            if self.desk.is_stopped() {
                break;
            }
            // What is damaged may be whole there.
            let replicas = replicas(self.settings, item.lookup)?;
            let done = self.desk.work(&item.lookup.dump, |run| {
                let restore = self.restore(item, run)?.among(&among);
                let restore = replicas.into_iter().fold(restore, Restore::copies_in);
                restore.run_replacing()
            });
            match done {
                Ok(done) => told.done(item, &done)?,
                Err(RestoreError::Interrupted { .. }) => break,
                Err(error) => told.failed(item, &error),
            }
        }
        let stopped = self.desk.is_stopped() && !told.is_whole(items.len());
        let exit = match stopped {
            true => self.desk.stopped_by(),
            false => told.exit(),
        };
        if stopped {
            dumpcli::screen::complain("dumpctl", STOPPED);
        }
        told.end(exit)?;
        Ok(exit)
    }

    fn failure(&self, error: RestoreError) -> Failure {
        match error {
            RestoreError::Interrupted { .. } => Failure::from(Error::Interrupted),
            error => Failure::Failed(explained(&error)),
        }
    }
}
