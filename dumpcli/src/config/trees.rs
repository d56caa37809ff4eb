//! The main trees in force, as the library takes them.

use std::ffi::OsString;
use std::path::PathBuf;

use dumpcore::Tree;

use crate::config::origin::Value;

/// Main trees under their own last names, or one under the name that was given.
pub fn trees(main: &[PathBuf], name: Option<&Value<OsString>>) -> impl Iterator<Item = Tree> {
    main.iter().map(move |path| match name {
        Some(name) => Tree::new(path).named(&name.value),
        None => Tree::new(path),
    })
}
