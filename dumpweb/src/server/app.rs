//! What all requests share.

use std::sync::Arc;

use tokio::task::{self, JoinHandle};

use crate::server::guard::Guard;
use crate::server::limits::{Activity, Limits, Work};
use crate::view::error::ViewError;
use crate::view::site::Site;
use crate::view::stop::Stop;

/// Says that nobody waits any more when it is dropped: a request whose connection is
/// closed is.
#[derive(Debug, Default)]
pub struct Asked(Stop);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.set();
    }
}

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
    /// What takes long ends early when nobody waits for the answer any more.
    ///
    /// # Errors
    /// What the reading has against it; [`ViewError::Busy`].
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: Work,
        read: impl FnOnce(&Site, &Stop) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let (_asked, reading) = self.start(work, read).await?;
        let ended = reading.await;
        ended.unwrap_or_else(|_| Err(ViewError::Failed("this view failed".to_owned())))
    }

    /// Begins to read on such a thread. It is told to end early when [`Asked`] is
    /// dropped.
    ///
    /// # Errors
    /// [`ViewError::Busy`].
    pub async fn start<T: Send + 'static>(
        self: &Arc<Self>,
        work: Work,
        read: impl FnOnce(&Site, &Stop) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<(Asked, JoinHandle<Result<T, ViewError>>), ViewError> {
        let asked = Asked::default();
        let stop = asked.0.clone();
        let turn = self.limits.turn(work).await?;
        let app = Arc::clone(self);
        let reading = task::spawn_blocking(move || {
            let found = read(&app.site, &stop);
            drop(turn);
            found
        });
        Ok((asked, reading))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dumpcore::{KeepRules, Navigator};
    use std::time::{Duration, Instant};

    #[tokio::test]
    async fn what_nobody_waits_for_ends() {
        let site = Site::new(Navigator::new("/none"), None, KeepRules::new());
        let app = App::new(site, Guard::unix(Vec::new()));
        let (sender, ended) = tokio::sync::oneshot::channel();
        let asked = app.read(Work::Long, move |_, stop| {
            let began = Instant::now();
            while !stop.is_set() && began.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = sender.send(stop.is_set());
            Ok(())
        });
        // The one who asked leaves.
        let waited = tokio::time::timeout(Duration::from_millis(100), asked).await;
        assert!(waited.is_err(), "it was under way");
        assert_eq!(ended.await, Ok(true));
    }
}
