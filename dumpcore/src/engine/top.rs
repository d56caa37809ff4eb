//! The top of a tree: found in the reference and made in the target; after that
//! it is a directory like any other.

use std::ffi::{CString, OsStr};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use super::held::Held;
use super::node::{Node, Number, Sides, Tree};
use super::root::Root;
use super::seen::SeenTree;
use super::stands::Stands;
use super::target_dir::TargetDir;
use super::worker::Worker;
use crate::fs::dir_handle::{DirHandle, Entered};
use crate::fs::inspect::{self, Attributes};
use crate::fs::source_fs::SourceFs;
use crate::model::event::Warning;
use crate::model::fault::OpError;
use crate::sys::dir::For;
use crate::sys::xattr::Subject;

impl Worker<'_> {
    /// Opens the sides of a tree's top, and lists it.
    pub(super) fn open_root(&mut self, root: Root) {
        let reference = self.top_of_reference(&root);
        let seen = &self.run.seen;
        let number = seen.note(Number::NONE, &[], &root.entered.meta);
        let known = self.known_top(&root, number, reference.as_ref());
        let renamed = reference
            .as_ref()
            .is_none_or(|reference| self.are_names_other(&reference.meta, &root.entered.meta));
        let reference = reference.map(|reference| reference.place);
        let made = self.top_of_target(&root);
        let read = self.attributes_of_top(&root);
        let tree = Arc::new(Tree {
            name: root.name.to_bytes().to_vec(),
            source: root.main,
            reference: root.reference_path,
            bare: root.bare,
            mounts: root.mounts,
            target: root.target_path,
            published: root.published_path,
            dev: root.entered.meta.dev,
            stands: root.stands,
            reference_top: reference.clone(),
        });
        let (made, unmade) = match made {
            Ok(made) => (made, None),
            Err(op_error) => (TargetDir::unmade(root.target_holds), Some(op_error)),
        };
        let (read, unread) = match read {
            Ok(read) => (read, None),
            Err(op_error) => (Attributes::default(), Some(op_error)),
        };
        let sides = Sides {
            fs: SourceFs::of(&root.entered.handle, &root.entered.meta),
            touched: root.touched,
            swapped: false,
            renamed,
            source: root.entered.place,
            reference,
            target: made.place,
            fresh: made.fresh,
            intact: made.intact,
            number,
            known,
            again: false,
        };
        let node = Node::new(None, tree, sides, (root.entered.meta, read.xattrs.clone()));
        if let Some(dump) = root.target {
            self.remember_top(&node, root.name, dump);
        }
        if let Some(op_error) = unmade {
            // Without its root there is no dump.
            self.halt(&node, c"", op_error);
            return;
        }
        if let Some(op_error) = unread {
            self.fault(&node, c"", op_error);
        }
        self.tell_unread(&node, c"", node.reference.as_ref(), &read);
        self.list(&node);
    }

    /// Notes a tree whose directories are checked once more at the end.
    fn remember_top(&self, node: &Node, name: CString, dump: Arc<DirHandle>) {
        self.run.seen.note_tree(SeenTree {
            number: node.number,
            name,
            tree: Arc::clone(&node.tree),
            source: Arc::clone(&node.source),
            reference: node.reference.clone(),
            touched: node.touched,
            dump,
        });
    }

    /// The same tree in the dump that is linked to; a warning where that does
    /// not have it.
    fn top_of_reference(&self, root: &Root) -> Option<Entered> {
        let dump = root.reference.as_ref()?;
        let entered = dump.enter(&root.name, For::Passing);
        if entered.is_err() && !self.run.rules.verifies() {
            let name = OsStr::from_bytes(root.name.to_bytes());
            self.run.totals.warn(Warning::NewTree {
                path: root.main.clone(),
                reference: root.reference_path.join(name),
            });
        }
        entered.ok()
    }

    /// Where the tree is made.
    fn top_of_target(&self, root: &Root) -> Result<TargetDir, OpError> {
        match root.stands {
            Stands::Made => {
                self.make_target(root.target.as_ref(), root.target_holds, &root.name, None)
            }
            Stands::Itself | Stands::Room => Ok(TargetDir {
                place: root.target.clone(),
                fresh: root.target_holds == Held::Nothing,
                intact: None,
            }),
        }
    }

    fn attributes_of_top(&self, root: &Root) -> Result<Attributes, OpError> {
        if root.stands == Stands::Room {
            // It may only lead to the entry in it that is needed.
            return Ok(Attributes::default());
        }
        let subject = Subject::Open(root.entered.handle.as_fd());
        inspect::attributes(subject, self.run.rules.capabilities)
    }
}
