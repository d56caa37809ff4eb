//! What the acts of one restoration share.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use super::place::{Origin, Place};
use super::request::Request;
use super::temporary::sweep;
use crate::model::restore::{RestoreError, RestorePlan};
use crate::run::{CheckOrder, RunOptions};

/// Is asked whether a plan is to be carried out.
pub(crate) type Confirm<'c> = dyn FnMut(&RestorePlan) -> bool + 'c;

/// One restoration.
pub(super) struct Restoration<'r> {
    pub(super) request: &'r Request,
    pub(super) place: &'r Place,
    pub(super) origin: &'r Origin,
    pub(super) options: &'r RunOptions,
    /// What is known of the contents of the dump.
    pub(super) against: Option<CheckOrder<'r>>,
}

impl Restoration<'_> {
    /// Is what was made left for the next restoration to take over?
    pub(super) fn leaves(&self, error: &RestoreError) -> bool {
        self.request.resumes && matches!(error, RestoreError::Interrupted { .. })
    }

    /// Is it to be done? Then how long the answer took. Where nobody is asked, nothing
    /// is replaced.
    pub(super) fn ask(
        &self,
        plan: &RestorePlan,
        confirm: Option<&mut Confirm<'_>>,
    ) -> Result<Option<Duration>, RestoreError> {
        let path = || plan.path.clone();
        let asked = Instant::now();
        let yes = match confirm {
            Some(confirm) => confirm(plan),
            None if plan.replaces => return Err(RestoreError::Exists { path: path() }),
            None => true,
        };
        if self.options.keep_going() {
            Ok(yes.then(|| asked.elapsed()))
        } else {
            Err(RestoreError::Interrupted { path: path() })
        }
    }

    /// Removes what earlier restorations of this place left behind.
    pub(super) fn sweep(&self, replaced: bool) {
        let (dir, name) = (self.place.dir().as_fd(), self.place.made());
        sweep(dir, name, replaced, &|| self.options.keep_going());
    }
}
