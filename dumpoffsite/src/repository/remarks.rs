//! What the library says while it works, and would otherwise be lost: it passes
//! over what fails, and only logs that.

use std::mem;
use std::sync::{Mutex, Once, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::secrets::told;

static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LISTEN: Once = Once::new();

/// So it begins what it says about something that it leaves out.
const LEAVES_OUT: &str = "ignoring error: ";

/// Hears from now on what the library says.
pub(super) fn listen() {
    LISTEN.call_once(|| {
        // Nobody else in this program uses this log.
        if log::set_logger(&Ear).is_ok() {
            log::set_max_level(LevelFilter::Warn);
        }
    });
}

/// What was said since this was asked last, that something was left out or
/// failed.
pub(super) fn take() -> Vec<String> {
    mem::take(&mut *HEARD.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Ear;

impl Log for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn && metadata.target().starts_with("rustic")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = told(&record.args().to_string());
        match text.strip_prefix(LEAVES_OUT) {
            Some(what) => hear(what),
            None if text.starts_with("restore ") || record.level() == Level::Error => hear(&text),
            // It was read again, or tried again.
            None => tracing::warn!("{text}"),
        }
    }

    fn flush(&self) {}
}

fn hear(text: &str) {
    let mut heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    heard.push(text.strip_prefix("Error: ").unwrap_or(text).to_owned());
}
