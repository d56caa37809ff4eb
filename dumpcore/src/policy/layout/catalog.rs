//! The names of what is remembered between runs.

/// In the runner's own directory: the id of the dump root, where its catalog is on
/// the machine that writes, in a directory of that name.
pub(crate) const ROOT_ID: &str = "id";
/// In the runner's own directory: what is remembered between runs, an SQLite file.
pub(crate) const CATALOG: &str = "catalog.db";
/// In the runner's own directory: what SQLite needs to undo a transaction that was cut off.
pub(crate) const CATALOG_JOURNAL: &str = "catalog.db-journal";
/// In the runner's own directory: what a run has found and not brought into the
/// catalog yet. The next run removes it.
pub(crate) const CATALOG_NEW: &str = "catalog.new";
/// In the runner's own directory: what SQLite may keep beside that.
pub(crate) const CATALOG_NEW_JOURNAL: &str = "catalog.new-journal";
/// In the runner's own directory: the hashes of what a run copied of a dump, until
/// its copy is published. The next run removes it.
pub(crate) const CATALOG_COPIED: &str = "catalog.copied";
/// In the runner's own directory: what SQLite may keep beside that.
pub(crate) const CATALOG_COPIED_JOURNAL: &str = "catalog.copied-journal";
/// In the runner's own directory: a catalog that is being made from the dumps.
pub(crate) const CATALOG_REBUILD: &str = "catalog.rebuild";
/// In the runner's own directory: what SQLite keeps beside that.
pub(crate) const CATALOG_REBUILD_JOURNAL: &str = "catalog.rebuild-journal";
/// In the runner's own directory: a catalog that was damaged or of another dump root.
pub(crate) const CATALOG_BAD: &str = "catalog.bad";
