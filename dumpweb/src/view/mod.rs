//! What a view shows, found out by the library. Values only: nothing here knows
//! HTML or HTTP. Everything is read, nothing is written.

pub mod archive;
pub mod calendar;
pub mod changes;
pub mod contents;
pub mod directory;
pub mod entry;
pub mod error;
pub mod history;
pub mod restoring;
pub mod search;
pub mod site;
mod stamps;
pub mod state;
pub mod stop;
pub mod text_diff;
pub mod timeline;
pub mod version;
