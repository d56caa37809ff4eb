//! Asking the rules whether an entry is left out.

use std::ffi::CStr;

use super::node::Node;
use super::worker::Worker;
use crate::fs::dir_handle::DirHandle;
use crate::model::event::Warning;
use crate::model::fault::Side;
use crate::model::path::RelPath;
use crate::policy::layout;

impl Worker<'_> {
    /// Remembers the directory whose entries the filter is asked about next.
    pub(super) fn set_filter_path(&mut self, node: &Node) {
        self.set_filter_place(&node.tree.name, &node.source);
    }

    /// The same of a directory of a tree with this name.
    pub(super) fn set_filter_place(&mut self, tree: &[u8], place: &DirHandle) {
        self.filter_path.clear();
        if self.run.rules.options.filter.needs_path() {
            let path = RelPath::from_bytes(tree).join(place.path().as_bytes());
            self.filter_path.extend_from_slice(path.as_bytes());
            self.filter_path.push(b'/');
        }
    }

    pub(super) fn is_excluded(&mut self, name: &CStr, is_dir: bool) -> bool {
        let filter = self.run.rules.options.filter;
        if filter.is_empty() {
            return false;
        }
        let length = self.filter_path.len();
        self.filter_path.extend_from_slice(name.to_bytes());
        let excluded = filter.excludes(&self.filter_path, is_dir);
        self.filter_path.truncate(length);
        excluded
    }

    /// Is it what a restoration is making, or left behind when it was killed?
    /// Such names in a dump that is read are kept.
    pub(super) fn is_restoring(&self, node: &Node, name: &CStr) -> bool {
        let rules = self.run.rules;
        let restoring = !rules.options.source_is_dump && layout::is_restoring(name.to_bytes());
        if restoring {
            let path = node.full_path(Side::Source, name);
            self.run.totals.warn(Warning::RestoringLeftOut { path });
        }
        restoring
    }
}
