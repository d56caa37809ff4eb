//! A restic repository, by way of `rustic_core`: the only folder that knows that
//! library, whose interface its authors call unstable.
//!
//! What it promises beyond that library:
//! - A snapshot is stored only when all that it needs has been stored and checked:
//!   the library would pass over a file that could not be read, see [`push`].
//! - Every error of reading is counted and named.
//! - What it is asked to stop, it stops, see [`guard`].

mod bars;
mod check;
mod error;
mod guard;
mod node;
mod packs;
mod prune;
mod push;
mod remarks;
mod restore;
pub(crate) mod secrets;
mod snapshots;
mod source;

use std::path::PathBuf;
use std::sync::Arc;

use dumpcli::screen::Screen;
use rustic_backend::BackendOptions;
use rustic_core::{
    ConfigOptions, Credentials, KeyOptions, OpenStatus, RepositoryBackends, RepositoryOptions,
};

pub(crate) use self::check::{Finding, Subset};
pub(crate) use self::error::RepositoryError;
pub(crate) use self::guard::Control;
pub(crate) use self::prune::Reclaimed;
pub(crate) use self::push::{Pushed, Tree};
pub(crate) use self::snapshots::Snapshot;

use self::bars::Bars;
use self::error::message;
use self::guard::Guard;

/// Where a repository is, and what opens it.
pub(crate) struct Address {
    /// As restic writes it.
    pub(crate) location: String,
    /// The same without a password.
    pub(crate) shown: String,
    pub(crate) password: String,
    /// Where copies of indexes and snapshots are kept; `None` for nowhere.
    pub(crate) cache: Option<PathBuf>,
}

/// An opened repository.
pub(crate) struct Repository {
    opened: Option<rustic_core::Repository<OpenStatus>>,
    backends: RepositoryBackends,
    shown: String,
    control: Arc<Control>,
}

impl Repository {
    /// Makes a repository; gives its id.
    ///
    /// # Errors
    /// There is one already, or it cannot be written.
    pub(crate) fn init(
        address: &Address,
        control: &Arc<Control>,
    ) -> Result<String, RepositoryError> {
        let (repository, _) = Self::found(address, control, None)?;
        let there = repository.config_id();
        let refuse = |error| address.failed(error, control);
        if there.map_err(refuse)?.is_some() {
            return Err(RepositoryError::Exists(address.shown.clone()));
        }
        let password = Credentials::password(&address.password);
        let keys = KeyOptions::default().with_created(true);
        let made = repository.init(&password, &keys, &ConfigOptions::default());
        Ok(made.map_err(refuse)?.config().id.to_hex().to_string())
    }

    /// Opens a repository. `screen`: where progress is shown.
    ///
    /// # Errors
    /// There is none, the password is wrong, or it cannot be read.
    pub(crate) fn open(
        address: &Address,
        control: &Arc<Control>,
        screen: Option<&Arc<Screen>>,
    ) -> Result<Self, RepositoryError> {
        let (repository, backends) = Self::found(address, control, screen)?;
        let refuse = |error| address.failed(error, control);
        if repository.config_id().map_err(refuse)?.is_none() {
            return Err(RepositoryError::Missing(address.shown.clone()));
        }
        let opened = repository.open(&Credentials::password(&address.password));
        Ok(Self {
            opened: Some(opened.map_err(refuse)?),
            backends,
            shown: address.shown.clone(),
            control: Arc::clone(control),
        })
    }

    fn found(
        address: &Address,
        control: &Arc<Control>,
        screen: Option<&Arc<Screen>>,
    ) -> Result<(rustic_core::Repository<()>, RepositoryBackends), RepositoryError> {
        remarks::listen();
        let refuse = |error| address.failed(error, control);
        let backend = BackendOptions::default().repository(address.location.clone());
        let backends = backend.to_backends().map_err(refuse)?;
        let guard = Guard::new(backends.repository(), Arc::clone(control));
        let backends = RepositoryBackends::new(Arc::new(guard), None);
        let mut options = RepositoryOptions::default().no_cache(address.cache.is_none());
        if let Some(cache) = &address.cache {
            options = options.cache_dir(cache.clone());
        }
        let bars = Bars::new(screen.map(Arc::clone));
        let found = rustic_core::Repository::new_with_progress(&options, &backends, bars);
        Ok((found.map_err(refuse)?, backends))
    }

    fn opened(&self) -> Result<&rustic_core::Repository<OpenStatus>, RepositoryError> {
        self.opened.as_ref().ok_or_else(|| self.lost())
    }

    /// Takes it, for what turns it into something else.
    fn taken(&mut self) -> Result<rustic_core::Repository<OpenStatus>, RepositoryError> {
        let lost = self.lost();
        self.opened.take().ok_or(lost)
    }

    /// An operation before failed, and took the opened repository with it.
    fn lost(&self) -> RepositoryError {
        RepositoryError::Other(format!(
            "the repository {} is not open any more",
            self.shown
        ))
    }

    /// What an error of the library means here.
    fn failed(&self, error: Box<rustic_core::RusticError>) -> RepositoryError {
        failed(&error, &self.shown, &self.control)
    }
}

impl Address {
    fn failed(&self, error: Box<rustic_core::RusticError>, control: &Control) -> RepositoryError {
        failed(&error, &self.shown, control)
    }
}

fn failed(error: &rustic_core::RusticError, shown: &str, control: &Control) -> RepositoryError {
    if control.is_stopped() {
        RepositoryError::Stopped
    } else if error.is_incorrect_password() {
        RepositoryError::WrongPassword(shown.to_owned())
    } else {
        RepositoryError::Other(format!("the repository {shown}: {}", message(error)))
    }
}
