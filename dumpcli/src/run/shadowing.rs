//! Shadow copies: the links by which Samba finds dumps as previous versions, kept
//! up to date behind a run, and by the word of `dumpctl` for them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dumpcore::{Chain, Printable, ShadowCopies, ShadowLinks};
use serde_json::{Map, Value, json};

use crate::config::origin;
use crate::config::settings::Sources;
use crate::config::shadow::ShadowTable;
use crate::output::{json as output, logging};

/// What became of the links behind a run.
#[derive(Debug)]
pub struct ShadowAfter(Result<ShadowLinks, String>);

/// Which links are to be kept, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowPlace {
    /// The directory of the links.
    pub dir: PathBuf,
    /// The tree that they lead to.
    pub tree: OsString,
    /// The mount of the dump root that they lead through.
    pub through: Option<PathBuf>,
}

impl ShadowPlace {
    /// What `[shadow_copies]` says. `trees`: the names in the dumps of the trees of
    /// the set, of which one alone need not be named.
    ///
    /// # Errors
    /// A sentence about what is wrong in the table.
    pub fn of_table(
        sources: &Sources,
        table: &origin::Value<ShadowTable>,
        trees: &[OsString],
    ) -> Result<Self, String> {
        let keys = table.value.0.as_ref().map_err(Clone::clone)?;
        let tree = match (&keys.tree, trees) {
            (Some(tree), _) => OsString::from(tree),
            (None, [tree]) => tree.clone(),
            (None, trees) => {
                let (many, names) = (trees.len(), listed(trees));
                return Err(format!(
                    "[shadow_copies] needs a key `tree`, since there are {many} trees: {names}"
                ));
            }
        };
        Ok(Self {
            dir: sources.path(&keys.dir),
            tree,
            through: keys.through.as_ref().map(|path| sources.path(path)),
        })
    }

    /// The work on them.
    pub fn order(&self, root: &Path) -> ShadowCopies {
        ShadowCopies::new(root, &self.tree, &self.dir).through(self.through.clone())
    }
}

/// Names of trees, for people.
#[must_use]
pub fn listed(trees: &[OsString]) -> String {
    let name = |tree: &OsString| Printable::path(tree.as_ref()).to_string();
    trees.iter().map(name).collect::<Vec<_>>().join(", ")
}

impl ShadowAfter {
    /// Brings the links up to date that the configuration asks for; `None` when it
    /// asks for none.
    #[must_use]
    pub fn update(sources: &Sources, root: &Path, trees: &[OsString]) -> Option<Self> {
        let table = sources.shadow_copies()?;
        let place = ShadowPlace::of_table(sources, &table, trees);
        let updated = place.and_then(|place| {
            let updated = place.order(root).run();
            updated.map_err(|error| Chain(&error).to_string())
        });
        Some(Self(updated))
    }

    /// What is wrong, in one sentence.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let why = self.0.as_ref().err()?;
        Some(format!("cannot update the shadow copies: {why}"))
    }

    /// For machines.
    #[must_use]
    pub fn object(&self) -> Value {
        match &self.0 {
            Ok(links) => Value::Object(object(links)),
            Err(_) => json!({ "problem": self.problem() }),
        }
    }

    /// In the log.
    pub(crate) fn log(&self) {
        match &self.0 {
            Err(_) => {
                if let Some(problem) = self.problem() {
                    tracing::error!(DUMP_OPERATION = "shadow-copies", "{problem}");
                }
            }
            Ok(links) if links.made + links.removed > 0 => tracing::debug!(
                target: logging::REPORTED,
                DUMP_OPERATION = "shadow-copies",
                "{}", line(links)
            ),
            Ok(_) => {}
        }
    }
}

/// What became of links, in one line.
#[must_use]
pub fn line(links: &ShadowLinks) -> String {
    let (would, to) = if links.dry_run {
        ("dry run: ", "to be ")
    } else {
        ("", "")
    };
    let (made, removed, kept) = (links.made, links.removed, links.kept);
    let dir = Printable::path(&links.dir);
    let copies = if made == 1 { "copy" } else { "copies" };
    format!(
        "{would}{dir}: {made} shadow {copies} {to}made, {removed} {to}removed, {kept} unchanged"
    )
}

/// What became of links, for machines.
#[must_use]
pub fn object(links: &ShadowLinks) -> Map<String, Value> {
    let mut object = Map::new();
    output::put_path(&mut object, "dir", Some(&links.dir));
    output::put_path(&mut object, "through", Some(&links.through));
    for (key, number) in [
        ("made", links.made),
        ("removed", links.removed),
        ("kept", links.kept),
    ] {
        object.insert(key.into(), number.into());
    }
    object.insert("writable".into(), links.is_writable.into());
    object.insert("dry_run".into(), links.dry_run.into());
    object
}

/// That a client of Samba could change what dumps hold; `None` when none can.
#[must_use]
pub fn writable(links: &ShadowLinks) -> Option<String> {
    let through = Printable::path(&links.through);
    links.is_writable.then(|| {
        format!(
            "the shadow copies lead through {through}, which can be written through: a client \
             of Samba could change what dumps hold; name a read-only mount of the dump root \
             with --through"
        )
    })
}
