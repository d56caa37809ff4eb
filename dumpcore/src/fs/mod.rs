//! Single acts on one entry or one tree: open, inspect, store, remove, and
//! try what a filesystem can do.

pub(crate) mod attributes;
pub(crate) mod beneath;
mod candidate;
pub(crate) mod capabilities;
mod contents;
pub(crate) mod dir_handle;
pub(crate) mod disk_hash;
pub(crate) mod dump_walk;
pub(crate) mod fixed;
pub(crate) mod folding;
pub(crate) mod given;
pub(crate) mod inspect;
pub(crate) mod kept;
pub(crate) mod link_counts;
pub(crate) mod marks;
pub(crate) mod mount;
pub(crate) mod mount_notes;
pub(crate) mod name_count;
pub(crate) mod read_marks;
pub(crate) mod refusal;
pub(crate) mod remove_tree;
pub(crate) mod size_marks;
pub(crate) mod source_fs;
pub(crate) mod store;
pub(crate) mod xattr_map;
