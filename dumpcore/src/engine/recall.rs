//! What a worker asks of the catalog.
//!
//! A name whose source is as the catalog says it was when the reference was
//! made is linked without a look at the reference; a new name may be that of a
//! file or a directory which the reference has at another path.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use super::catalogued::CataloguedTree;
use super::entry::Item;
use super::judged::Reference;
use super::known_dir::{KnownDir, KnownPath, Own, Referred, Refers, Says, WIDE};
use super::node::{Node, Number};
use super::root::Root;
use super::worker::Worker;
use crate::catalog::{CatalogError, Children, DirId, Facts, Finding, Known, Rows, UNSETTLED};
use crate::fs::dir_handle::{DirHandle, Entered};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::policy::touched::Sure;
use crate::sys::dir::For;
use crate::sys::name::c_name;

/// A directory of the reference that was moved: its place there.
pub(super) struct MovedDir {
    pub(super) from: DirId,
    pub(super) entered: Entered,
}

impl Worker<'_> {
    /// Asks the catalog; `None` without one, and from its first error on.
    pub(super) fn recall<T>(
        &mut self,
        ask: impl FnOnce(&mut Rows) -> Result<T, CatalogError>,
    ) -> Option<T> {
        let catalogued = self.run.rules.catalogued?;
        if catalogued.has_failed() {
            return None;
        }
        let answer = || {
            if self.rows.is_none() {
                self.rows = Some(catalogued.rows()?);
            }
            match &mut self.rows {
                Some(rows) => ask(rows).map(Some),
                None => Ok(None),
            }
        };
        match answer() {
            Ok(answer) => answer,
            Err(error) => {
                catalogued.fail(error);
                None
            }
        }
    }

    /// The top of a tree, as the catalog knows it.
    pub(super) fn known_top(
        &mut self,
        root: &Root,
        number: Number,
        reference: Option<&Entered>,
    ) -> Option<KnownDir> {
        let catalogued = self.run.rules.catalogued?;
        let known = catalogued.tree(root.name.to_bytes())?;
        let source = &root.entered;
        let reference = reference.map(|entered| &entered.meta);
        let filesystem = catalogued.filesystem(&*source.handle, &source.meta);
        self.note_number(number, known.top);
        self.known_dir(known, known.top, filesystem, reference)
    }

    /// Remembers a directory for when it is looked at again.
    fn note_number(&self, number: Number, dir: DirId) {
        let catalogued = self.run.rules.catalogued;
        if let Some(catalogued) = catalogued.filter(|_| number != Number::NONE) {
            catalogued.note(number.0 as usize, dir);
        }
    }

    fn known_dir(
        &mut self,
        tree: &CataloguedTree,
        dir: DirId,
        filesystem: Option<i64>,
        reference: Option<&Meta>,
    ) -> Option<KnownDir> {
        let own = match self.recall(|rows| rows.children(dir, WIDE))? {
            Some(children) => Own::Rows {
                met: (0..children.len())
                    .map(|_| AtomicBool::new(false))
                    .collect(),
                children,
            },
            None => Own::Wide {
                met: AtomicU64::new(0),
            },
        };
        Some(KnownDir {
            dir,
            own,
            refers: Refers::Own,
            is_old_path: true,
            believed: reference.is_some_and(|meta| tree.believes(dir, meta)),
            filesystem,
            again: false,
            found: Mutex::default(),
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        })
    }

    /// What the catalog has of a directory's path, also of one that was gone
    /// for a while.
    pub(super) fn known_path(&mut self, above: &Node, name: &CStr) -> Option<KnownPath> {
        let parent = above.known.as_ref()?.dir;
        self.recall(|rows| rows.subdir(parent, name.to_bytes()))?
            .map(|(dir, source)| KnownPath { dir, source })
    }

    /// The directory that this one was in the reference, when that is at
    /// another path there.
    pub(super) fn moved_directory(
        &mut self,
        above: &Node,
        own: Option<KnownPath>,
        source: &Entered,
    ) -> Option<MovedDir> {
        let known = above.known.as_ref().filter(|known| !known.again)?;
        if !self.run.rules.options.follow_moves || source.meta.dev != above.meta.dev {
            return None;
        }
        let catalogued = self.run.rules.catalogued?;
        let tree = catalogued.tree(&above.tree.name)?;
        tree.sealed?;
        let id = known.source_id(above.meta.dev, &source.meta)?;
        let in_place = !known.is_moved();
        let stayed = own.filter(|own| own.source == Some(id)).map(|own| own.dir);
        let from = match stayed {
            Some(own) => own,
            None => self.recall(|rows| rows.dir_of_source(tree.id, id))??,
        };
        // By its name it is found only where the directory above has its own path.
        if in_place && own.is_some_and(|own| own.dir == from) {
            return None;
        }
        let entered = self.enter_in_reference(above, from)?;
        Some(MovedDir { from, entered })
    }

    /// Enters a directory of the reference by its place in the catalog.
    fn enter_in_reference(&mut self, node: &Node, dir: DirId) -> Option<Entered> {
        let top = top_of_reference(node)?;
        let path = self.recall(|rows| rows.path(dir))?;
        let names = path.as_bytes().split(|byte| *byte == b'/');
        let mut names = names.filter(|name| !name.is_empty()).peekable();
        let mut at = top;
        while let Some(name) = names.next() {
            let name = c_name(name);
            let entered = at.enter(&name, For::Passing).ok()?;
            if names.peek().is_none() {
                return Some(entered);
            }
            at = entered.place;
        }
        None
    }

    /// A directory below a known one. `reference` is what stands for it in the
    /// reference.
    pub(super) fn known_below(
        &mut self,
        above: &Node,
        name: &CStr,
        own: Option<KnownPath>,
        number: Number,
        source: &Entered,
        referred: Referred<'_>,
    ) -> Option<KnownDir> {
        let known = above.known.as_ref()?;
        let catalogued = self.run.rules.catalogued?;
        let tree = catalogued.tree(&above.tree.name)?;
        let Referred { reference, moved } = referred;
        let own_dir = own.map(|own| own.dir);
        let stage = catalogued.stage();
        let dir = stage.dir(tree.id, known.dir, name.to_bytes(), own_dir);
        let dir = dir.map_err(|error| catalogued.fail(error)).ok()?;
        self.note_number(number, dir);
        let filesystem = match known.filesystem {
            same if source.meta.dev == above.meta.dev => same,
            _ => catalogued.filesystem(&*source.handle, &source.meta),
        };
        // A moved directory's names are those of its former place. What is below
        // one and is not found in the catalog has its reference there too.
        let in_place = moved.is_none() && !known.is_moved();
        let own_reference = reference.filter(|_| in_place);
        let mut made = self.known_dir(tree, dir, filesystem, own_reference)?;
        if !in_place && reference.is_some() {
            let names = match moved {
                Some(from) => self.recall(|rows| rows.children(from, WIDE))?,
                None => None,
            };
            let believes = |from, meta| tree.believes(from, meta);
            made.believed =
                names.is_some() && moved.zip(reference).is_some_and(|(f, m)| believes(f, m));
            made.refers = names.map_or(Refers::Other, Refers::Moved);
        }
        made.is_old_path = own.is_some();
        let id = made.source_id(source.meta.dev, &source.meta);
        if own.and_then(|own| own.source) != id {
            made.hold(Finding::DirSource { source: id });
        }
        Some(made)
    }

    /// A directory that is dealt with once more.
    pub(super) fn known_again(
        &mut self,
        tree: &[u8],
        number: Number,
        source: &Entered,
    ) -> Option<KnownDir> {
        let catalogued = self.run.rules.catalogued?;
        let dir = catalogued.noted(number.0 as usize)?;
        let filesystem = catalogued.filesystem(&*source.handle, &source.meta);
        let known = self.known_dir(catalogued.tree(tree)?, dir, filesystem, None)?;
        Some(KnownDir {
            again: true,
            ..known
        })
    }

    /// What the catalog has under a name of the reference's directory.
    fn row(&mut self, node: &Node, name: &CStr) -> Option<Known> {
        let known = node.known.as_ref()?;
        let find = |children: &Children| {
            let at = children.find(name.to_bytes())?;
            Some(*children.get(at).1)
        };
        match (&known.refers, &known.own) {
            (Refers::Other, _) => None,
            (Refers::Moved(children), _) => find(children),
            (Refers::Own, Own::Rows { children, .. }) => find(children),
            (Refers::Own, Own::Wide { .. }) => {
                let dir = known.dir;
                self.recall(|rows| rows.child(dir, name.to_bytes()))?
            }
        }
    }

    /// What the catalog says of an entry; with the inode that the reference has
    /// under its name, when it can be linked by that alone.
    pub(super) fn by_catalog(
        &mut self,
        node: &Node,
        name: &CStr,
        meta: &Meta,
    ) -> (Says, Option<Meta>) {
        let nothing = (Says::Nothing, None);
        let Some(known) = node.known.as_ref().filter(|_| !node.swapped) else {
            return nothing;
        };
        let Some(id) = known.source_id(node.meta.dev, meta) else {
            return nothing;
        };
        let Some(row) = self.row(node, name) else {
            return nothing;
        };
        let Some((_, ctime)) = row.source.filter(|(source, _)| *source == id) else {
            return nothing;
        };
        let heeded = self.run.rules.options.policy.heeds_ctime();
        if ctime != meta.ctime {
            let sure = match ctime == UNSETTLED {
                true => Sure::Perhaps,
                false => Sure::Yes,
            };
            let changed = if heeded {
                Says::Changed(sure)
            } else {
                Says::Nothing
            };
            return (changed, None);
        }
        let stands = stands_for(&row.facts, meta, node);
        // How many names the reference has of an inode is asked of the disk.
        let alone = meta.nlink == 1 && self.run.rules.links_by_catalog();
        let linked = stands.filter(|_| known.believed && alone);
        let says = stands.map_or(Says::Nothing, |reference| Says::Same(reference.ino));
        (says, linked)
    }

    /// Where the reference has the inode that this entry was before it was
    /// moved or renamed.
    pub(super) fn moved_file(&mut self, item: Item<'_>) -> Vec<(DirId, Vec<u8>, Known)> {
        let rules = self.run.rules;
        let asked = item.node.known.as_ref().and_then(|known| {
            let tree = rules.catalogued?.tree(&item.node.tree.name)?;
            let may = rules.options.follow_moves && !known.again && tree.sealed.is_some();
            let id = known.source_id(item.node.meta.dev, item.meta)?;
            may.then_some((tree.id, id))
        });
        let Some((tree, id)) = asked else {
            return Vec::new();
        };
        let found = self
            .recall(|rows| rows.of_source(tree, id))
            .unwrap_or_default();
        let same = |known: &Known| {
            let facts = &known.facts;
            facts.kind == item.meta.kind
                && (facts.size, facts.mtime) == (item.meta.size, item.meta.mtime)
        };
        found
            .into_iter()
            .filter(|(_, _, known)| same(known))
            .collect()
    }

    /// Would a moved file stand where another of its size and time was in some
    /// dump? A replica that goes by size, time and birth could not tell the two
    /// apart: there only what was stored since may be another.
    pub(super) fn was_alike(&mut self, item: Item<'_>, found: &Reference) -> bool {
        let Some(known) = item.node.known.as_ref().filter(|known| known.is_old_path) else {
            return false;
        };
        if item.meta.kind != Kind::File || !(known.is_moved() || found.moved_from.is_some()) {
            return false;
        }
        let (dir, name) = (known.dir, item.name.to_bytes());
        let meta = &found.meta;
        let alike = self.recall(|rows| rows.had_alike(dir, name, meta));
        alike.unwrap_or(true)
    }

    /// Opens the directory of the reference that has a moved file.
    pub(super) fn open_moved_from(&mut self, node: &Node, dir: DirId) -> Option<Arc<OwnedFd>> {
        if let Some((known, place)) = &self.moved_from
            && *known == dir
        {
            return place.open().ok();
        }
        let place = match self.is_top(node, dir) {
            true => top_of_reference(node)?,
            false => self.enter_in_reference(node, dir)?.place,
        };
        let handle = place.open().ok();
        self.moved_from = Some((dir, place));
        handle
    }

    fn is_top(&self, node: &Node, dir: DirId) -> bool {
        let tree = self
            .run
            .rules
            .catalogued
            .and_then(|c| c.tree(&node.tree.name));
        tree.is_some_and(|tree| tree.top == dir)
    }
}

/// The inode of the reference by its row, when it is all that the source is.
fn stands_for(row: &Facts, source: &Meta, node: &Node) -> Option<Meta> {
    let reference = node.reference.as_ref()?;
    let size = source.kind != Kind::File || row.size == source.size;
    let facts = (row.kind, row.mode, row.uid, row.gid, row.rdev);
    let same = facts
        == (
            source.kind,
            source.mode,
            source.uid,
            source.gid,
            source.rdev,
        );
    if !same || !size || row.mtime != source.mtime {
        return None;
    }
    Some(Meta {
        ino: row.ino?,
        dev: reference.id().dev,
        born: row.born,
        size: row.size,
        blocks: row.bytes / 512,
        ..*source
    })
}

/// The tree's top in the dump that is linked to.
fn top_of_reference(node: &Node) -> Option<Arc<DirHandle>> {
    node.tree.reference_top.clone()
}
