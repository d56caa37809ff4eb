//! Bringing in a dump that the catalog does not know: one that was made
//! without it, imported, or whose recording failed.
//!
//! Every directory is listed; an entry is looked at only where the dump before
//! has another inode, or none, under its name. That one is on disk as well, so
//! that equal numbers are one inode.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{OptionalExtension as _, params};

use super::apply::{THERE, moment_number, numbers};
use super::columns::attributes_digest;
use super::error::{CatalogError, CatalogOp};
use super::file::Catalog;
use super::opened::OpenedDump;
use super::rows::Rows;
use super::stage::Stage;
use super::values::{Children, DirId, Facts, Finding, Known, NewDump, NewTree, TreeId};
use super::walk::{Directory, Visit};
use super::walk_options::WalkOptions;
use crate::model::kind::Kind;
use crate::model::metadata::{Capabilities, Meta};
use crate::policy::layout::DumpId;
use crate::sys::dir::Listed;
use crate::sys::fstype::FsType;
use crate::sys::stat::{self, Fresh};
use crate::sys::xattr::{self, Subject};

/// The dump that another one is compared with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base {
    Nothing,
    /// The last of the series.
    Last,
    /// The one of this number.
    At(i64),
}

impl Base {
    pub(super) fn children(self, rows: &mut Rows, dir: DirId) -> Result<Children, CatalogError> {
        match self {
            Base::Nothing => Ok(Children::default()),
            Base::Last => Ok(rows.children(dir, usize::MAX)?.unwrap_or_default()),
            Base::At(seq) => rows.children_at(dir, seq),
        }
    }
}

/// A tree of a dump that is brought in.
struct Absorb<'a> {
    stage: &'a Stage,
    catalog: &'a Path,
    tree: TreeId,
    base: Base,
    /// Do listings tell an entry's inode?
    lists_inodes: bool,
    sums: Sums,
}

#[derive(Default)]
struct Sums {
    entries: AtomicU64,
    bytes: AtomicU64,
    dir_bytes: AtomicU64,
}

/// A directory that is to be brought in.
struct At {
    id: DirId,
    /// The directory above, unless it is the top.
    above: Option<DirId>,
    /// What the other dump has in its place, when that is a directory.
    known: Option<Known>,
}

impl Visit for Absorb<'_> {
    type At = At;
    type Worker = Rows;

    fn worker(&self) -> Result<Rows, CatalogError> {
        Rows::open(self.catalog)
    }

    fn visit(
        &self,
        rows: &mut Rows,
        directory: &Directory<'_>,
        at: At,
    ) -> Result<Vec<(CString, At)>, CatalogError> {
        self.itself(directory, &at)?;
        let is_known = at.above.is_none() || at.known.is_some();
        let children = match is_known {
            true => self.base.children(rows, at.id)?,
            false => Children::default(),
        };
        let (mut findings, mut below) = (Vec::new(), Vec::new());
        let mut sizes = 0;
        for entry in directory.chunk.iter() {
            let known = children.find(entry.name.to_bytes());
            let known = known.map(|found| *children.get(found).1);
            let (kind, size) = self.entry(directory, &entry, known, &mut findings)?;
            directory.tell(entry.name, kind, size);
            sizes += size;
            if kind == Kind::Dir {
                let id = self
                    .stage
                    .dir(self.tree, at.id, entry.name.to_bytes(), None)?;
                let at = At {
                    id,
                    above: Some(at.id),
                    known: known.filter(|known| known.facts.kind == Kind::Dir),
                };
                below.push((entry.name.to_owned(), at));
            }
        }
        let names = children.iter().map(|(name, _)| name);
        let gone = names.filter(|name| !has(directory, name));
        findings.extend(gone.map(|name| Finding::Gone {
            name: name.to_vec(),
        }));
        self.stage.add(at.id, findings)?;
        let entries = directory.chunk.len() as u64;
        self.sums.entries.fetch_add(entries, Ordering::Relaxed);
        self.sums.bytes.fetch_add(sizes, Ordering::Relaxed);
        Ok(below)
    }
}

pub(super) fn has(directory: &Directory<'_>, name: &[u8]) -> bool {
    CString::new(name).is_ok_and(|name| directory.chunk.find(&name).is_some())
}

impl Absorb<'_> {
    /// Notes what a directory itself is, if the other dump has it otherwise.
    fn itself(&self, directory: &Directory<'_>, at: &At) -> Result<(), CatalogError> {
        let meta = &directory.entered.meta;
        self.sums
            .dir_bytes
            .fetch_add(meta.blocks * 512, Ordering::Relaxed);
        let Some((above, (_, name))) = at.above.zip(directory.entered.place.above()) else {
            return Ok(());
        };
        let facts = Facts::of(meta).with_digest(digest_of(directory));
        if at
            .known
            .is_some_and(|known| known.facts.is_same_inode(&facts))
        {
            return Ok(());
        }
        let (name, stored) = (name.to_bytes().to_vec(), facts.into());
        self.stage.add(above, [Finding::Entry { name, stored }])
    }

    /// Deals with one name; its type, and its size if it is a file's.
    fn entry(
        &self,
        directory: &Directory<'_>,
        entry: &Listed<'_>,
        known: Option<Known>,
        findings: &mut Vec<Finding>,
    ) -> Result<(Kind, u64), CatalogError> {
        if entry.kind == Some(Kind::Dir) {
            return Ok((Kind::Dir, 0));
        }
        let known = known.map(|known| known.facts);
        let is_it = |known: &Facts| {
            self.lists_inodes && known.ino == Some(entry.ino) && Some(known.kind) == entry.kind
        };
        if let Some(known) = known.filter(is_it) {
            return Ok((known.kind, size_of(known.kind, known.size)));
        }
        let meta = look(directory, entry.name)?;
        if meta.kind != Kind::Dir {
            let facts = Facts::of(&meta);
            if !known.is_some_and(|known| known.is_same_inode(&facts)) {
                let (name, stored) = (entry.name.to_bytes().to_vec(), facts.into());
                findings.push(Finding::Entry { name, stored });
            }
        }
        Ok((meta.kind, size_of(meta.kind, meta.size)))
    }
}

/// What stands for the attributes of a directory. Those that cannot be read are
/// none.
fn digest_of(directory: &Directory<'_>) -> u64 {
    let all = Capabilities::everything();
    let subject = Subject::Open(directory.entered.handle.as_fd());
    let read = xattr::read(subject, |name| all.keeps_xattr(name));
    read.map_or(0, |xattrs| attributes_digest(&xattrs))
}

fn size_of(kind: Kind, size: u64) -> u64 {
    if kind == Kind::File { size } else { 0 }
}

/// Looks at a name in a directory of a dump.
pub(super) fn look(directory: &Directory<'_>, name: &CStr) -> Result<Meta, CatalogError> {
    let opened = directory.entered.place.open();
    let meta = opened.and_then(|handle| stat::look(handle.as_fd(), name, Fresh::WithBirth));
    meta.map_err(|cause| directory.failed(name, cause))
}

impl Catalog {
    /// Brings in a dump that it does not know. The dumps that it knows of the
    /// same trees are on disk.
    ///
    /// # Errors
    /// Also when the dump cannot be read to the end; then nothing is recorded of
    /// it.
    pub(crate) fn absorb(
        &mut self,
        dump: DumpId,
        options: &WalkOptions<'_>,
    ) -> Result<(), CatalogError> {
        let mut opened = self.open_dump(dump)?;
        let listing = self.root().listing();
        let mut new = NewDump {
            name: dump,
            moment: dump.name().map(|name| listing.moment(name)),
            ino: opened.on_disk.ino,
            token: opened.on_disk.token.take(),
            trees: Vec::new(),
            partial: dump
                .name()
                .is_some_and(|name| listing.lacks(name).is_some()),
            added_bytes: None,
            dir_bytes: 0,
        };
        let stage = self.stage()?;
        for tree in std::mem::take(&mut opened.trees) {
            self.absorb_tree(&stage, &mut new, (&opened, tree), options)?;
        }
        let pending = self.apply(stage, &new)?;
        self.confirm(pending, Some(opened.on_disk.ctime))
    }

    fn absorb_tree(
        &mut self,
        stage: &Stage,
        new: &mut NewDump,
        (opened, (name, top)): (&OpenedDump, (CString, OwnedFd)),
        options: &WalkOptions<'_>,
    ) -> Result<(), CatalogError> {
        let tree = self.tree(name.to_bytes())?;
        let base = self.base(tree.id, new)?;
        let absorb = Absorb {
            stage,
            catalog: self.path(),
            tree: tree.id,
            base,
            lists_inodes: FsType::of(&opened.handle).is_ok_and(FsType::lists_true_inodes),
            sums: Sums::default(),
        };
        let at = At {
            id: tree.top,
            above: None,
            known: None,
        };
        opened.walk((&name, top), at, &absorb, options)?;
        new.dir_bytes += absorb.sums.dir_bytes.into_inner();
        new.trees.push(NewTree {
            id: tree.id,
            entries: absorb.sums.entries.into_inner(),
            bytes: absorb.sums.bytes.into_inner(),
            fingerprint: None,
            turn: 0,
            base: match base {
                Base::Last => None,
                Base::Nothing => Some(-1),
                Base::At(seq) => Some(seq),
            },
        });
        Ok(())
    }

    /// Which dump of a tree a new one is compared with: the last one, or of one
    /// between others the nearest that is on disk.
    fn base(&self, tree: TreeId, new: &NewDump) -> Result<Base, CatalogError> {
        let nearest = || {
            let db = self.connection();
            let (seq, last) = numbers(db, tree, moment_number(new.moment), new.name)?;
            if seq > last {
                return Ok(if last < 0 { Base::Nothing } else { Base::Last });
            }
            let sql = "SELECT s.seq FROM series s JOIN dump d ON d.id=s.dump
                       WHERE s.tree=?1 AND d.state=?3 ORDER BY abs(s.seq*2+1-?2*2) LIMIT 1";
            let found = db.query_row(sql, params![tree.0, seq, THERE], |row| row.get(0));
            Ok(found.optional()?.map_or(Base::Nothing, Base::At))
        };
        nearest().map_err(|e| CatalogError::sqlite(self.path(), CatalogOp::Read, e))
    }
}
