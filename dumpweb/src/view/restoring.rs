//! The commands that bring back what is looked at.

use std::path::Path;

use dumpcli::quoted;
use dumpcore::{DumpId, RelPath};

use crate::view::site::Site;

/// The commands that bring something back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoring {
    /// To where it was; `None` where its tree is not known.
    pub in_place: Option<String>,
    /// To another directory.
    pub aside: String,
}

impl Restoring {
    /// Of a path in a dump.
    #[must_use]
    pub fn of(site: &Site, dump: DumpId, within: &RelPath) -> Self {
        let root = quoted(site.path());
        let in_dump = within.below(&site.path().join(dump.path()));
        let now = site
            .navigator
            .main_path(within)
            .filter(|_| dump != DumpId::First);
        let at = |path: &Path| {
            let tree =
                main_of(site, within).map_or_else(String::new, |main| format!(" --main {main}"));
            format!(
                "dumpctl restore --dump {root}{tree} --at {dump} {}",
                quoted(path)
            )
        };
        Self {
            in_place: now.as_deref().map(|now| format!("{} --in-place", at(now))),
            aside: format!("dumpctl restore --dump {root} --to . {}", quoted(&in_dump)),
        }
    }
}

/// The main tree of a path, as a word of a command.
fn main_of(site: &Site, within: &RelPath) -> Option<String> {
    let main = site
        .navigator
        .main_path(&crate::view::site::tree_of(within))?;
    Some(quoted(&main))
}
