//! What all requests share.

use std::sync::Arc;

use tokio::task;

use crate::server::guard::Guard;
use crate::server::limits::{Activity, Limits, Work};
use crate::view::error::ViewError;
use crate::view::site::Site;

/// What all requests share.
#[derive(Debug)]
pub struct App {
    /// What is looked at.
    pub site: Site,
    /// Who is let in.
    pub guard: Guard,
    /// How much is done at once.
    pub limits: Limits,
    /// When something was asked last.
    pub activity: Arc<Activity>,
}

impl App {
    /// Of a dump root.
    #[must_use]
    pub fn new(site: Site, guard: Guard) -> Arc<Self> {
        Arc::new(Self {
            site,
            guard,
            limits: Limits::default(),
            activity: Arc::default(),
        })
    }

    /// Reads something on a thread that may wait for the disk, when it is its turn.
    ///
    /// # Errors
    /// What the reading has against it; [`ViewError::Busy`].
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: Work,
        read: impl FnOnce(&Site) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let turn = self.limits.turn(work).await?;
        let app = Arc::clone(self);
        let read = task::spawn_blocking(move || {
            let found = read(&app.site);
            drop(turn);
            found
        });
        let ended = read.await;
        ended.unwrap_or_else(|_| Err(ViewError::Failed("this view failed".to_owned())))
    }
}
