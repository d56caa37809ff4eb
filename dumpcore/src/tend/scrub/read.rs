//! Looking at all inodes, with several workers.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::book::Book;
use super::look::{Looked, Looker};
use super::worksite::Worksite;
use crate::catalog::{HashState, ScrubList, ScrubRow};
use crate::model::error::Error;
use crate::model::event::{Action, Event};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::sys::lock::lock;

/// How many inodes are taken from the list at once.
const BATCH: usize = 256;

/// How much was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Read {
    pub(super) files: u64,
    /// The space that these take, in bytes.
    pub(super) bytes: u64,
    /// Files that may not be read.
    pub(super) others: u64,
}

/// What workers share.
struct Shared<'s> {
    site: &'s Worksite<'s>,
    list: Mutex<(ScrubList, VecDeque<ScrubRow>)>,
    book: &'s Mutex<Book>,
    read: Mutex<Read>,
    failed: Mutex<Option<Error>>,
}

/// Looks at all inodes of the list, with several workers.
pub(super) fn read_all(
    site: &Worksite<'_>,
    list: ScrubList,
    book: &Mutex<Book>,
) -> Result<Read, Error> {
    let shared = Shared {
        site,
        list: Mutex::new((list, VecDeque::new())),
        book,
        read: Mutex::default(),
        failed: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for _ in 1..site.jobs {
            scope.spawn(|| shared.work());
        }
        shared.work();
    });
    if let Some(error) = lock(&shared.failed).take() {
        return Err(error);
    }
    let read = *lock(&shared.read);
    Ok(read)
}

impl Shared<'_> {
    /// One worker, until there is nothing left to do.
    fn work(&self) {
        let mut looker = Looker::new(self.site.root);
        while lock(&self.failed).is_none() && self.site.may_begin() {
            match self.one(&mut looker) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    lock(&self.failed).get_or_insert(error);
                }
            }
        }
    }

    /// Looks at one inode; `false`: there is none left.
    fn one(&self, looker: &mut Looker<'_>) -> Result<bool, Error> {
        let Some(row) = self.next()? else {
            return Ok(false);
        };
        let is_file = row.facts.kind == Kind::File;
        if is_file {
            self.site.event(Event::Copying {
                at: &row.path,
                bytes: row.facts.bytes,
            });
        }
        let place = (row.dump, &row.path);
        let looked = looker.look(&row, place, &mut |bytes| self.site.was_read(bytes));
        let looked = looked.map_err(|e| self.site.gone(&row, e))?;
        self.site.event(Event::Entry {
            at: &row.path,
            kind: row.facts.kind,
            bytes: row.facts.bytes,
            did: Action::Scrubbed,
        });
        if is_file && !matches!(looked, Looked::Stopped) {
            let mut read = lock(&self.read);
            match looked {
                Looked::Closed(_) => read.others += 1,
                _ => {
                    read.files += 1;
                    read.bytes += row.facts.bytes;
                }
            }
        }
        let mut book = lock(self.book);
        match looked {
            Looked::Sound(hash) => {
                if let HashState::Broken = row.hash {
                    book.broken(row.path);
                }
                book.sound(row.facts, hash);
            }
            Looked::Bad(_) => book.suspect(row),
            Looked::Closed(cause) => {
                let path = row.path.below(&self.site.root.path().join(row.dump.path()));
                book.closed(Fault::new(Op::Read, path, cause));
            }
            Looked::Stopped => return Ok(false),
        }
        book.record_if_due(self.site)?;
        Ok(true)
    }

    fn next(&self) -> Result<Option<ScrubRow>, Error> {
        let mut list = lock(&self.list);
        let (list, batch) = &mut *list;
        if batch.is_empty() {
            batch.extend(list.next(BATCH)?);
        }
        Ok(batch.pop_front())
    }
}
