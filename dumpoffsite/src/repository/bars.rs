//! Shows how far the library has come.

use std::fmt;
use std::sync::Arc;

use dumpcli::screen::Screen;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustic_core::{Progress, ProgressBars, ProgressType, RusticProgress};

const BYTES: &str = "{prefix} {bytes} of {total_bytes} ({percent}%), {bytes_per_sec}, {eta} left";
const COUNT: &str = "{prefix} {pos} of {len}";
const WAIT: &str = "{prefix} {elapsed}";

/// Makes progress lines, where somebody looks.
pub(super) struct Bars(Option<Arc<Screen>>);

impl Bars {
    pub(super) fn new(screen: Option<Arc<Screen>>) -> Self {
        Self(screen)
    }
}

impl fmt::Debug for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bars").finish_non_exhaustive()
    }
}

impl ProgressBars for Bars {
    fn progress(&self, kind: ProgressType, prefix: &str) -> Progress {
        let Some(screen) = self.0.as_ref().filter(|_| !prefix.is_empty()) else {
            return Progress::hidden();
        };
        let template = match kind {
            ProgressType::Bytes => BYTES,
            ProgressType::Counter => COUNT,
            ProgressType::Spinner => WAIT,
        };
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(prefix.trim_end_matches(['.', ' ']).to_owned());
        screen.show(bar.clone());
        Progress::new(Bar(bar, Arc::clone(screen)))
    }
}

struct Bar(ProgressBar, Arc<Screen>);

impl fmt::Debug for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bar").finish_non_exhaustive()
    }
}

impl RusticProgress for Bar {
    fn is_hidden(&self) -> bool {
        false
    }

    fn set_length(&self, length: u64) {
        self.0.set_length(length);
    }

    fn set_title(&self, title: &str) {
        self.0.set_prefix(title.to_owned());
    }

    fn inc(&self, more: u64) {
        self.0.inc(more);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
        self.1.clear();
    }
}
