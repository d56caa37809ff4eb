//! What the page consists of besides HTML; all of it is in the program.

/// The only stylesheet.
pub const STYLE: &str = include_str!("style.css");

/// The only script. Without it everything works, too.
pub const SCRIPT: &str = include_str!("page.js");

/// The icon.
pub const ICON: &str = include_str!("icon.svg");
