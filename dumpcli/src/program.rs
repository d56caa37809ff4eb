//! Which program this is.

/// What a program calls itself in logs and messages, and its act.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// `dumpme`
    pub name: &'static str,
    /// `0.1.0`
    pub version: &'static str,
    /// What it does to a tree, as in "Start dumping": `dumping`.
    pub doing: &'static str,
    /// What its report says of a dump that is linked to nothing.
    pub unlinked: &'static str,
}
