//! What vanished while it was read, by name: an observer hears of it as of an
//! entry, and a reader of the report alone would know only a number.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::model::event::{Action, Event, Observer, Warning};
use crate::model::report::Report;
use crate::sys::lock::lock;

/// Passes everything on, and keeps the paths of what vanished.
pub(super) struct Vanished<'a> {
    observer: &'a dyn Observer,
    paths: Mutex<Vec<PathBuf>>,
}

impl<'a> Vanished<'a> {
    pub(super) fn new(observer: &'a dyn Observer) -> Self {
        Self {
            observer,
            paths: Mutex::default(),
        }
    }

    /// As warnings, behind others, as many as a report holds.
    pub(super) fn behind(self, mut warnings: Vec<Warning>) -> Vec<Warning> {
        let paths = self.paths.into_inner();
        let paths = paths.unwrap_or_else(PoisonError::into_inner);
        let room = Report::MAX_LISTED.saturating_sub(warnings.len());
        let vanished = paths.into_iter().map(|path| Warning::Vanished { path });
        warnings.extend(vanished.take(room));
        warnings
    }
}

impl Observer for Vanished<'_> {
    fn event(&self, event: Event<'_>) {
        if let Event::Entry {
            at,
            did: Action::Vanished,
            ..
        } = event
        {
            let mut paths = lock(&self.paths);
            if paths.len() < Report::MAX_LISTED {
                paths.push(at.source());
            }
        }
        self.observer.event(event);
    }
}
