//! Looking at old versions: what `yest` and `hist` share.

mod all_roots;
pub mod diff;
mod excluded;
pub mod notices;
mod one_root;
pub mod paging;

pub use all_roots::Lookups;
pub use excluded::excluded;
pub use one_root::{AgoOptions, Hints, Lookup, no_moment};
