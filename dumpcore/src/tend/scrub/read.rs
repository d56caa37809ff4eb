//! Looking at all inodes, with several workers.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::book::Book;
use super::disk_order::{DiskOrder, SWEEP};
use super::look::{Looked, Looker};
use super::worksite::Worksite;
use crate::catalog::{HashState, ScrubList, ScrubRow};
use crate::model::error::Error;
use crate::model::event::{Action, Event};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::sys::lock::lock;

/// How many inodes are taken from the list at once, where they are read as it has them.
const BATCH: usize = 256;
/// How often it is looked whether there is something to do.
const LOOK: Duration = Duration::from_millis(500);

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
    rows: Mutex<Rows>,
    /// There are more rows, or there will be none.
    more: Condvar,
    /// There is something to do for who feeds the workers.
    wanted: Condvar,
    /// With how many rows left there are to be more. None, where heads would move back and
    /// forth between files that are read and those of which it is asked where they are.
    low: usize,
    book: &'s Mutex<Book>,
    read: Mutex<Read>,
    failed: Mutex<Option<Error>>,
}

/// The inodes that are next.
struct Rows {
    next: VecDeque<ScrubRow>,
    /// Will there be no more?
    ended: bool,
    /// Is something to be recorded?
    due: bool,
    /// Workers that have not ended.
    workers: usize,
}

/// Looks at all inodes of the list, with several workers.
///
/// They read files, and this thread has the list and records what they found: what
/// SQLite takes is taken in one thread, since an allocator keeps for each thread
/// what that had at its most.
pub(super) fn read_all(
    site: &Worksite<'_>,
    mut list: ScrubList,
    book: &Mutex<Book>,
    in_disk_order: bool,
) -> Result<Read, Error> {
    let mut order = in_disk_order.then(|| DiskOrder::new(site.root));
    let shared = Shared {
        site,
        rows: Mutex::new(Rows {
            next: VecDeque::new(),
            ended: false,
            due: false,
            workers: site.jobs,
        }),
        more: Condvar::new(),
        wanted: Condvar::new(),
        low: if in_disk_order { 0 } else { BATCH / 2 },
        book,
        read: Mutex::default(),
        failed: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for _ in 0..site.jobs {
            scope.spawn(|| shared.work());
        }
        if let Err(error) = shared.feed(&mut list, order.as_mut()) {
            shared.fail(error);
        }
        shared.end();
    });
    if let Some(error) = lock(&shared.failed).take() {
        return Err(error);
    }
    let read = *lock(&shared.read);
    Ok(read)
}

impl Shared<'_> {
    /// Gives workers what is next, and records what they found, until they have
    /// ended.
    fn feed(
        &self,
        list: &mut ScrubList,
        mut order: Option<&mut DiskOrder<'_>>,
    ) -> Result<(), Error> {
        let most = if order.is_some() { SWEEP } else { BATCH };
        loop {
            lock(self.book).record_if_due(self.site)?;
            let mut rows = lock(&self.rows);
            if rows.workers == 0 {
                return Ok(());
            }
            if std::mem::take(&mut rows.due) {
                continue;
            }
            if !rows.ended && rows.next.len() <= self.low {
                drop(rows);
                let mut batch = list.next(most)?;
                if let Some(order) = &mut order {
                    order.sort(&mut batch, &|| self.site.may_begin());
                }
                rows = lock(&self.rows);
                rows.ended |= batch.is_empty();
                rows.next.extend(batch);
                self.more.notify_all();
                continue;
            }
            self.more.notify_all();
            // What is due is looked for now and then, however long a file takes.
            drop(self.wanted.wait_timeout(rows, LOOK));
        }
    }

    /// One worker, until there is nothing left to do.
    fn work(&self) {
        let _ending = Ending(self);
        let mut looker = Looker::new(self.site.root);
        loop {
            match self.one(&mut looker) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.fail(error),
            }
        }
    }

    fn fail(&self, error: Error) {
        lock(&self.failed).get_or_insert(error);
        self.end();
    }

    /// Nothing more is begun.
    fn end(&self) {
        let mut rows = lock(&self.rows);
        rows.ended = true;
        rows.next.clear();
        self.more.notify_all();
        self.wanted.notify_all();
    }

    fn next(&self) -> Option<ScrubRow> {
        // What was found is recorded before there is more of it than is kept.
        let is_full = || lock(self.book).has_many();
        loop {
            let full = is_full();
            let mut rows = lock(&self.rows);
            if !self.site.may_begin() {
                return None;
            }
            if full && !rows.ended {
                rows.due = true;
                self.wanted.notify_one();
            } else if let Some(row) = rows.next.pop_front() {
                if rows.next.len() <= self.low && !rows.ended {
                    self.wanted.notify_one();
                }
                return Some(row);
            } else if rows.ended {
                return None;
            }
            drop(self.more.wait_timeout(rows, LOOK));
        }
    }

    /// Looks at one inode; `false`: there is none left.
    fn one(&self, looker: &mut Looker<'_>) -> Result<bool, Error> {
        let Some(row) = self.next() else {
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
            Looked::Sound(taken) => {
                if let HashState::Broken = row.hash {
                    book.broken(row.path);
                }
                book.sound(row.facts, taken);
            }
            Looked::Bad(_) => book.suspect(row),
            Looked::Closed(cause) => {
                let path = row.path.below(&self.site.root.path().join(row.dump.path()));
                book.closed(Fault::new(Op::Read, path, cause));
            }
            Looked::Stopped => return Ok(false),
        }
        if book.is_due() {
            drop(book);
            lock(&self.rows).due = true;
            self.wanted.notify_one();
        }
        Ok(true)
    }
}

/// A worker that ends, however it does.
struct Ending<'e>(&'e Shared<'e>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        lock(&self.0.rows).workers -= 1;
        self.0.wanted.notify_all();
    }
}
