//! Faults of what is linked to: where files are read before that, each is reported
//! once.
//!
//! An inode has several names, and a name may be judged several times: another name of
//! its inode may be stored first, and it may be replaced meanwhile. What is damaged is
//! damaged once, and the number of faults is that of damaged inodes, also when a run is
//! resumed.

use std::ffi::CStr;
use std::io;

use super::entry::Item;
use super::node::Node;
use super::worker::Worker;
use crate::model::cause::Cause;
use crate::model::event::Warning;
use crate::model::fault::{Fault, Op, Side};
use crate::model::metadata::Meta;

impl Worker<'_> {
    /// An entry of the reference is damaged. The dump that is made has what it should.
    fn reference_fault(&self, node: &Node, name: &CStr, op: Op, cause: impl Into<Cause>) {
        let path = node.full_path(Side::Reference, name);
        let totals = self.run.totals;
        if totals.keep_going() && self.run.reported.is_first_of(&path) {
            totals.reference_fault(Fault::new(op, path, cause));
        }
    }

    /// The same of an inode that was looked at.
    pub(super) fn damaged_reference(
        &self,
        item: Item<'_>,
        looked: &Meta,
        op: Op,
        cause: impl Into<Cause>,
    ) {
        if self.run.reported.is_first(looked.id()) {
            self.reference_fault(item.node, item.name, op, cause);
        }
    }

    /// An entry of the reference cannot be read: warns of it, or where references are
    /// checked before they are linked to, reports it as a fault. The caller copies the
    /// entry.
    pub(super) fn unreadable_reference(&self, node: &Node, name: &CStr, cause: &io::Error) {
        if self.run.rules.link_checks.is_some() {
            return self.reference_fault(node, name, Op::Read, Cause::copy_of(cause));
        }
        self.run.totals.warn(Warning::ReferenceUnreadable {
            path: node.full_path(Side::Reference, name),
            cause: Cause::copy_of(cause),
        });
    }

    /// The same of an inode that was looked at. Where references are checked it is
    /// damaged: its other names would say the same.
    pub(super) fn unreadable_file(&mut self, item: Item<'_>, looked: &Meta, cause: &io::Error) {
        if self.run.rules.link_checks.is_none() {
            return self.unreadable_reference(item.node, item.name, cause);
        }
        self.is_damaged = true;
        self.damaged_reference(item, looked, Op::Read, Cause::copy_of(cause));
    }
}
