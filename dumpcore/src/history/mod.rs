//! Finding old versions: where a path is, how it was at a moment, and its
//! whole history. Reads only, takes no lock, and touches no path but the
//! named one.
//!
//! Dumps come and go while it looks: a dump that is removed meanwhile counts
//! as one that never was.

mod between;
mod catalog;
mod change;
mod changed;
mod compare;
mod compare_options;
mod details;
mod dumps;
mod entry;
mod find;
mod find_error;
mod half_dump;
#[cfg(feature = "serde")]
mod json;
mod locate;
mod navigator;
mod read;
mod rename;
mod spans;
mod timeline;
mod usage;
mod version;
mod walk_both;
mod when;

pub use between::{Comparison, Differences, State};
pub use catalog::{CatalogView, NoCatalog};
pub use change::{Change, Changes, Event};
pub use changed::{Aspect, ChangeKind, PathChange};
pub use compare::{Difference, difference};
pub use compare_options::CompareOptions;
pub use details::{AttributeChanges, Changed, NameChanges, XattrAction};
pub use dumps::DumpInfo;
pub use entry::{EntryAt, EntryDir};
pub use find::{Find, FindReport, FoundPath};
pub use find_error::FindError;
pub use locate::{LocatedIn, Location};
pub use navigator::Navigator;
pub use read::DirEntry;
pub use spans::Keep;
pub use timeline::History;
pub use usage::{Generation, RecordedVersion, Usage};
pub use version::Version;
pub use when::NotAWhen;

#[cfg(test)]
mod option_tests;
#[cfg(test)]
mod test_dumps;
#[cfg(test)]
mod tests;
