//! How the top of a tree is represented in the target.

/// How the top of a tree is made in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It is made in the target, under the tree's name.
    Made,
    /// The target is the top itself, made by the caller.
    Itself,
    /// The target is used in the place of the top, and keeps its own
    /// attributes.
    Room,
}
