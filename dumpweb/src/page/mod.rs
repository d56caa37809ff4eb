//! The page as HTML. Pure: what a view found out goes in, text comes out.

pub mod assets;
pub mod changes;
pub mod chart;
pub mod directory;
pub mod file;
pub mod layout;
pub mod message;
pub mod search;
pub mod state;
pub mod text;
pub mod text_diff;
pub mod timeline;
