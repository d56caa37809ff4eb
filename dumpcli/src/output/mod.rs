//! What is printed and logged, while a program runs and at its end.

pub(crate) mod counters;
pub mod figures;
pub mod fit;
pub mod help;
pub mod json;
pub(crate) mod log_report;
pub mod logging;
pub mod metrics;
pub mod progress;
pub(crate) mod progress_line;
pub mod report;
pub(crate) mod report_table;
pub mod screen;
pub(crate) mod stream;
pub(crate) mod terminal;
