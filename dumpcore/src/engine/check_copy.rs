//! A file of a published dump is copied: is it what was stored at first?
//!
//! It has to have the size, the time of modification, the mode, the owner and the
//! attributes that the catalog has of it: nobody changes a published file. The hash of
//! what was read is that of the copy, and has to be the one that the catalog has of the
//! file. If it is not, the file is read once more from the disk. What is damaged then is
//! copied as it is, so that nothing is lost; it is a fault, and the copy is recorded with
//! the hash of what was stored at first, so that a scrub knows it as damaged as well.
//! Where that is asked for, a good copy from elsewhere is stored instead. What is restored
//! is compared as well: there what is damaged takes the place of nothing.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use super::check_attributes::{Recorded, note_attributes, note_kept_attributes};
use super::checked::{Checked, CopyDamage, Doubt, GoodCopy, Opinion};
use super::entry::Item;
use super::worker::Worker;
use crate::catalog::{Facts, RecordedFile};
use crate::fs::disk_hash::{DiskHasher, DiskRead};
use crate::fs::store::{self, DataFrom, StoreError, Stored};
use crate::model::event::{CopyReason, Warning};
use crate::model::fault::{Op, OpError, Side};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::path::Printable;
use crate::policy::content_hash::ContentHash;
use crate::sys::stat::Fresh;
use crate::sys::{errno, file, stat};

const DIFFERS: &str = "its contents are not what was stored, and are copied as they are; \
                       find a good copy with 'dumpctl scrub --heal'";

const CHANGED: &str = "its size or modification time is not what was stored, and it is copied as \
                       it is; find a good copy with 'dumpctl scrub --heal'";

/// A copy, and whether it was said that it is not what was stored.
struct Compared {
    stored: Stored,
    is_named: bool,
}

impl Compared {
    fn sound(stored: Stored) -> Self {
        Self {
            stored,
            is_named: false,
        }
    }

    fn named(stored: Stored) -> Self {
        Self {
            stored,
            is_named: true,
        }
    }
}

impl Worker<'_> {
    /// Copies a file, and compares it with what was recorded of it.
    pub(super) fn copy_file(
        &mut self,
        item: Item<'_>,
        why: CopyReason,
    ) -> Result<Stored, StoreError> {
        let stored = self.store_file(item, self.data_of(item, why));
        let Some(checked) = self.run.rules.checked else {
            return stored;
        };
        match stored {
            Ok(stored) => {
                let file = checked.file(&stored.meta);
                let recorded = file.map(|file| Recorded::of(item, file));
                let stored = self.checked(checked, item, stored, recorded.as_ref())?;
                note_attributes(checked, &stored, recorded.as_ref());
                Ok(stored)
            }
            Err(StoreError::Op(op_error)) if is_unreadable(&op_error) => {
                let healed = self.unreadable_source(checked, item, op_error)?;
                let file = checked.file(item.meta);
                let recorded = file.map(|file| Recorded::of(item, file));
                if let Some(recorded) = &recorded {
                    self.name_other_metadata(item, item.meta, recorded);
                }
                note_attributes(checked, &healed, recorded.as_ref());
                Ok(healed)
            }
            Err(error) => Err(error),
        }
    }

    fn checked(
        &mut self,
        checked: &Checked<'_>,
        item: Item<'_>,
        stored: Stored,
        recorded: Option<&Recorded>,
    ) -> Result<Stored, StoreError> {
        let file = recorded.map(|recorded| recorded.file);
        if let Some(was) = file.filter(|file| !file.is_it(&stored.meta)) {
            return self.changed(checked, item, stored, was);
        }
        let hash = file.and_then(|file| file.hash);
        let compared = self.compared(checked, item, stored, hash)?;
        if let Some(recorded) = recorded.filter(|_| !compared.is_named) {
            self.name_other_metadata(item, &compared.stored.meta, recorded);
        }
        Ok(compared.stored)
    }

    /// Holds what was copied against the hash that was recorded of the file.
    fn compared(
        &mut self,
        checked: &Checked<'_>,
        item: Item<'_>,
        stored: Stored,
        recorded: Option<ContentHash>,
    ) -> Result<Compared, StoreError> {
        let Some(hash) = stored.hash else {
            // Blocks that are shared were not read. What is restored is, so that damage
            // takes the place of nothing.
            let restores = self.run.rules.options.purpose.restores();
            return match recorded.filter(|_| restores) {
                Some(recorded) => self.shared(checked, item, stored, recorded),
                None => Ok(Compared::sound(stored)),
            };
        };
        let Some(recorded) = recorded else {
            checked.made(&stored.made, &hash);
            return Ok(Compared::sound(stored));
        };
        if hash == recorded {
            return Ok(self.sound(checked, stored, hash));
        }
        let on_disk = self.hash_on_disk(item)?;
        if on_disk == Some(recorded) {
            // It was not the disk that was wrong.
            let again = self.replace(item, DataFrom::Source)?;
            return match again.hash {
                Some(hash) if hash == recorded => Ok(self.sound(checked, again, hash)),
                _ => self.damaged(checked, item, again, (recorded, hash)),
            };
        }
        self.damaged(checked, item, stored, (recorded, on_disk.unwrap_or(hash)))
    }

    /// A file whose blocks are shared with the dump is read for this alone.
    fn shared(
        &mut self,
        checked: &Checked<'_>,
        item: Item<'_>,
        stored: Stored,
        recorded: ContentHash,
    ) -> Result<Compared, StoreError> {
        match self.hash_on_disk(item)? {
            Some(hash) if hash == recorded => Ok(self.sound(checked, stored, hash)),
            Some(hash) => self.damaged(checked, item, stored, (recorded, hash)),
            None => Ok(Compared::sound(stored)),
        }
    }

    /// A file holds what was recorded of it.
    fn sound(&mut self, checked: &Checked<'_>, stored: Stored, hash: ContentHash) -> Compared {
        self.counter.checked(stored.bytes);
        checked.made(&stored.made, &hash);
        Compared::sound(stored)
    }

    /// A file is not what was recorded of it, and was copied as it is.
    fn damaged(
        &mut self,
        checked: &Checked<'_>,
        item: Item<'_>,
        stored: Stored,
        (recorded, read): (ContentHash, ContentHash),
    ) -> Result<Compared, StoreError> {
        let doubt = Doubt {
            meta: &stored.meta,
            recorded,
            read: Some(read),
        };
        let good = match checked.opinion(&doubt) {
            Opinion::CatalogIsWrong => {
                checked.made(&stored.made, &read);
                return Ok(Compared::sound(stored));
            }
            Opinion::Good(good) => Some(good),
            Opinion::None => None,
        };
        if self.run.rules.options.purpose.restores() {
            let stored = self.damaged_in_dump(item, stored, good)?;
            return Ok(Compared::named(stored));
        }
        let source = Facts::of(&stored.meta);
        if let Some(good) = good.as_ref().filter(|_| checked.heals)
            && let Some(healed) = self.healed(checked, item, good, recorded)?
        {
            checked.damaged(CopyDamage {
                source,
                made: None,
                recorded,
            });
            return Ok(Compared::sound(healed));
        }
        let stored = match checked.heals && good.is_some() {
            // The good copy was not stored: what is damaged takes its place again.
            true => self.replace(item, DataFrom::Source)?,
            false => stored,
        };
        self.tell_damaged(checked, item, good);
        self.lost(
            item.node,
            item.name,
            OpError::source(Op::Verify, io::Error::other(DIFFERS)),
        );
        checked.damaged(CopyDamage {
            source,
            made: Some(Facts::of(&stored.made)),
            recorded,
        });
        Ok(Compared::named(stored))
    }

    /// A file has another size or modification time than was recorded, and was copied
    /// as it is. A good copy is only named: what is copied has the size and the time
    /// that the source has, or a later run would take the two for different files.
    fn changed(
        &mut self,
        checked: &Checked<'_>,
        item: Item<'_>,
        stored: Stored,
        was: RecordedFile,
    ) -> Result<Stored, StoreError> {
        let (was, recorded) = (was.facts, was.hash);
        let is_whole = recorded.is_some() && stored.hash == recorded;
        let meta = Meta {
            size: was.size,
            mtime: was.mtime,
            ..stored.meta
        };
        let opinion = recorded.filter(|_| !is_whole).map(|recorded| {
            checked.opinion(&Doubt {
                meta: &meta,
                recorded,
                read: stored.hash,
            })
        });
        let good = match opinion {
            Some(Opinion::Good(good)) => Some(good),
            _ => None,
        };
        if self.run.rules.options.purpose.restores() {
            return self.damaged_in_dump(item, stored, good);
        }
        self.tell_damaged(checked, item, good);
        let differs = OpError::source(Op::Verify, io::Error::other(CHANGED));
        self.lost(item.node, item.name, differs);
        if let Some(recorded) = recorded {
            checked.damaged(CopyDamage {
                source: was,
                made: (!is_whole).then(|| Facts::of(&stored.made)),
                recorded,
            });
        }
        if let Some(hash) = stored.hash.filter(|_| is_whole) {
            checked.made(&stored.made, &hash);
        }
        Ok(stored)
    }

    /// A file that is restored is damaged in its dump: it takes the place of nothing,
    /// and where there is nothing it is better than nothing.
    fn damaged_in_dump(
        &mut self,
        item: Item<'_>,
        stored: Stored,
        good: Option<GoodCopy>,
    ) -> Result<Stored, StoreError> {
        let look = |dir: &Arc<OwnedFd>| stat::look(dir.as_fd(), item.name, Fresh::AsStat);
        let exists = self.reference_of(item).is_some_and(|dir| look(dir).is_ok());
        let good = match good {
            Some(good) => format!(
                "a good copy is {}, which 'dumpctl scrub --heal' takes",
                Printable::path(&good.path)
            ),
            None => "no good copy was found".to_owned(),
        };
        let stays = if exists { ", and replaces nothing" } else { "" };
        let text = format!("it is not what was stored{stays}; {good}");
        let differs = OpError::source(Op::Verify, io::Error::other(text));
        if !exists {
            self.lost(item.node, item.name, differs);
            return Ok(stored);
        }
        if let Some(target) = &item.hands.target {
            store::discard_trial(Self::name_at(target, item.name))?;
        }
        Err(differs.into())
    }

    /// Stores a good copy in the place of what is damaged. `None`: it does not hold
    /// any longer what it held when it was found.
    fn healed(
        &mut self,
        checked: &Checked<'_>,
        item: Item<'_>,
        good: &GoodCopy,
        recorded: ContentHash,
    ) -> Result<Option<Stored>, StoreError> {
        let stored = match self.replace(item, DataFrom::GoodCopy(&good.file)) {
            Err(StoreError::Op(op_error)) if is_unreadable(&op_error) => return Ok(None),
            stored => stored?,
        };
        if stored.hash != Some(recorded) {
            return Ok(None);
        }
        checked.made(&stored.made, &recorded);
        self.counter.healed(stored.bytes);
        let path = item.node.full_path(Side::Source, item.name);
        checked.told(item.meta.ino);
        checked.healed(path.clone(), recorded);
        self.run.totals.warn(Warning::Healed {
            path,
            good: good.path.clone(),
        });
        Ok(Some(stored))
    }

    /// A file that cannot be read: where its hash is recorded, another copy can
    /// be told to be good.
    fn unreadable_source(
        &mut self,
        checked: &Checked<'_>,
        item: Item<'_>,
        op_error: OpError,
    ) -> Result<Stored, StoreError> {
        let Some(recorded) = checked.recorded(item.meta) else {
            return Err(op_error.into());
        };
        // Healed or not: all dumps have this inode.
        checked.damaged(CopyDamage {
            source: Facts::of(item.meta),
            made: None,
            recorded,
        });
        let doubt = Doubt {
            meta: item.meta,
            recorded,
            read: None,
        };
        let Opinion::Good(good) = checked.opinion(&doubt) else {
            return Err(op_error.into());
        };
        if checked.heals
            && let Some(healed) = self.healed(checked, item, &good, recorded)?
        {
            return Ok(healed);
        }
        self.tell_damaged(checked, item, Some(good));
        Err(op_error.into())
    }

    fn tell_damaged(&self, checked: &Checked<'_>, item: Item<'_>, good: Option<GoodCopy>) {
        let path = item.node.full_path(Side::Source, item.name);
        checked.told(item.meta.ino);
        self.run.totals.warn(Warning::Damaged {
            path,
            good: good.map(|good| good.path),
        });
    }

    /// Stores a file in the place of what was just stored of it.
    fn replace(&mut self, item: Item<'_>, data: DataFrom<'_>) -> Result<Stored, StoreError> {
        if let Some(target) = &item.hands.target {
            store::discard_trial(Self::name_at(target, item.name))?;
        }
        self.store_file(item, data)
    }

    /// The hash of what the disk has of a file of the source; `None`: it cannot be
    /// read any longer, or has another size.
    fn hash_on_disk(&mut self, item: Item<'_>) -> Result<Option<ContentHash>, StoreError> {
        let Ok(source) = file::open_file(item.hands.source.as_fd(), item.name) else {
            return Ok(None);
        };
        self.hash_of(&source, item.meta)
    }

    fn hash_of(&mut self, file: &OwnedFd, meta: &Meta) -> Result<Option<ContentHash>, StoreError> {
        let totals = self.run.totals;
        let mut keep_going = |_| totals.keep_going();
        match DiskHasher::new().hash(file, meta.size, &mut keep_going) {
            Ok(DiskRead::Whole(hash)) => Ok(Some(hash)),
            Ok(DiskRead::Stopped) => Err(StoreError::Stopped),
            Ok(DiskRead::Short) | Err(_) => Ok(None),
        }
    }

    /// Does a file that an earlier run has copied of a dump hold what was stored at
    /// first? `true` where that is not known.
    pub(super) fn is_kept_sound(
        &mut self,
        item: Item<'_>,
        kept: &Meta,
    ) -> Result<bool, StoreError> {
        let known = self.run.rules.checked.zip(item.hands.target.as_ref());
        let Some((checked, target)) = known.filter(|_| item.meta.kind == Kind::File) else {
            return Ok(true);
        };
        let Some(file) = checked.file(item.meta) else {
            return Ok(true);
        };
        // What was copied of one that changed is copied again, and told again.
        if !file.is_it(item.meta) || !Recorded::of(item, file).is_met_by(item.meta) {
            return Ok(false);
        }
        let Ok(copy) = file::open_file(target.as_fd(), item.name) else {
            return Ok(file.hash.is_none());
        };
        let made = stat::look_born(&copy).ok();
        if let Some(recorded) = file.hash {
            if self.hash_of(&copy, kept)? != Some(recorded) {
                return Ok(false);
            }
            self.counter.checked(kept.size);
            if let Some(made) = &made {
                checked.made(made, &recorded);
            }
        }
        if let Some(made) = &made {
            note_kept_attributes(checked, &copy, made);
        }
        Ok(true)
    }
}

/// Does a disk refuse to give what a file holds?
fn is_unreadable(op_error: &OpError) -> bool {
    op_error.side == Side::Source && op_error.op == Op::Read && errno::is_io(&op_error.cause)
}
