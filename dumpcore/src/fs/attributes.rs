//! Giving what was just made its attributes, in an order that never opens it to
//! anybody who is to be kept out.
//!
//! It is private when it is made. The owner comes first, since changing it takes
//! setuid bits and capabilities away, and since whether it could be set decides
//! about those; then attributes `user.*`, which need the owner's write
//! permission; then the ACL, which opens it as far as it may be, all at once:
//! permission bits alone would give the group what is the ACL's mask; then the
//! permission bits, with setuid and setgid; then a default ACL and a
//! capability; and the times last of all, since every other act moves them.

use std::io;

use crate::fs::given::Given;
use crate::fs::store::EntryWriter;
use crate::model::access::Owned;
use crate::model::chain::about;
use crate::model::fault::{Op, OpError};
use crate::model::metadata::{
    ACL_ACCESS, ACL_DEFAULT, CAPABILITY, Capabilities, Kind, Meta, SETGID, SETUID, Time, Xattrs,
};
use crate::sys::stat::{self, Fresh};
use crate::sys::xattr::{self, Subject};
use crate::sys::{disk, errno, file, link};

/// What could not be given to an entry; the entry itself is there.
struct Losses<'a> {
    subject: Subject<'a>,
    all: Vec<OpError>,
}

impl Losses<'_> {
    /// Notes that an act failed, unless the disk itself refuses; `true` when it
    /// did not.
    fn note(&mut self, op: Op, done: io::Result<()>) -> Result<bool, OpError> {
        match done {
            Ok(()) => Ok(true),
            Err(e) if is_loss(op, &e, self.subject) => {
                self.all.push(OpError::target(op, e));
                Ok(false)
            }
            Err(e) => Err(OpError::target(op, e)),
        }
    }

    fn given(self, kept: Xattrs) -> Given {
        let set = |loss: &OpError| ![Op::SetXattr, Op::SetMode].contains(&loss.op);
        let all = self.all.iter().all(set);
        Given {
            xattrs: all.then(|| as_made(self.subject, kept)).flatten(),
            losses: self.all,
        }
    }

    fn left_off(&mut self, op: Op, why: &str) {
        self.all.push(OpError::target(op, io::Error::other(why)));
    }

    /// The same of an attribute, by its name.
    fn set(&mut self, name: &[u8], value: &[u8]) -> Result<bool, OpError> {
        let set = self.note(Op::SetXattr, xattr::set(self.subject, name, value))?;
        if !set && let Some(mut loss) = self.all.pop() {
            loss.cause = named(name, value, loss.cause);
            self.all.push(loss);
        }
        Ok(set)
    }
}

/// The attributes that an entry was given as it has them: of an ACL a kernel makes
/// permission bits where it can, and changes its mask with these.
fn as_made(subject: Subject<'_>, kept: Xattrs) -> Option<Xattrs> {
    if kept.get(ACL_ACCESS).is_none() {
        return Some(kept);
    }
    let there = xattr::get(subject, c"system.posix_acl_access").ok()?;
    Some(match there {
        Some(acl) => kept.with(ACL_ACCESS, acl),
        None => kept.filtered(|name| name != ACL_ACCESS),
    })
}

impl EntryWriter<'_> {
    /// Sets all attributes of a new entry, in the order that the head of
    /// this file tells; what could not be set comes back, unless the disk
    /// itself refuses.
    pub(crate) fn attributes(
        &self,
        subject: Subject<'_>,
        meta: &Meta,
        xattrs: &Xattrs,
    ) -> Result<Given, OpError> {
        let stored = self.capabilities.storable(meta);
        let mut losses = Losses {
            subject,
            all: Vec::new(),
        };
        let settable = meta.kind != Kind::Symlink || self.capabilities.symlinks;
        let owned = if settable {
            self.own(meta, xattrs, &mut losses)?
        } else {
            self.capabilities.owned(meta)
        };
        let (mut mode, kept) = self.capabilities.storable_access(meta, xattrs, owned);
        let refines = |name: &[u8]| [ACL_ACCESS, ACL_DEFAULT, CAPABILITY].contains(&name);
        for (name, value) in kept.iter().filter(|(name, _)| !refines(name)) {
            losses.set(name, value)?;
        }
        if let Some(acl) = kept.get(ACL_ACCESS)
            && !losses.set(ACL_ACCESS, acl)?
        {
            let without = Capabilities {
                acls: false,
                ..self.capabilities.clone()
            };
            (mode, _) = without.storable_access(meta, xattrs, owned);
        }
        if meta.kind != Kind::Symlink {
            self.permit(meta.kind, mode, &mut losses)?;
        }
        for name in [ACL_DEFAULT, CAPABILITY] {
            if let Some(value) = kept.get(name) {
                losses.set(name, value)?;
            }
        }
        if settable {
            let set = set_times(subject, stored.atime, stored.mtime);
            losses.note(Op::SetTimes, set)?;
        }
        Ok(losses.given(kept))
    }

    /// Gives an entry to its owner and group, or to one of the two; whether it
    /// is theirs now.
    fn own(&self, meta: &Meta, xattrs: &Xattrs, losses: &mut Losses<'_>) -> Result<Owned, OpError> {
        let subject = losses.subject;
        let wanted = self.capabilities.storable(meta);
        let grants = meta.kind != Kind::Dir && meta.mode & (SETUID | SETGID) != 0
            || self.capabilities.file_capabilities && xattrs.get(CAPABILITY).is_some();
        let refusal = match set_owner(subject, wanted.uid, wanted.gid) {
            Ok(()) if !grants => return Ok(self.capabilities.owned(meta)),
            Ok(()) => None,
            Err(e) if is_loss(Op::SetOwner, &e, subject) => {
                let now = look(subject)?;
                let _ = set_owner(subject, wanted.uid, now.gid);
                let now = look(subject)?;
                let _ = set_owner(subject, now.uid, wanted.gid);
                Some(e)
            }
            Err(e) => return Err(OpError::target(Op::SetOwner, e)),
        };
        let now = look(subject)?;
        let owned = Owned {
            uid: now.uid == meta.uid,
            gid: now.gid == meta.gid,
        };
        if (now.uid, now.gid) == (wanted.uid, wanted.gid) {
            return Ok(owned);
        }
        let refusal =
            refusal.unwrap_or_else(|| io::Error::other("the filesystem does not keep it"));
        losses.all.push(OpError::target(Op::SetOwner, refusal));
        let without = "stored without setuid and setgid, because its owner could not be set";
        let bits = [(owned.uid, SETUID), (owned.gid, SETGID)];
        if meta.kind != Kind::Dir && bits.iter().any(|(kept, bit)| !kept && meta.mode & bit != 0) {
            losses.left_off(Op::SetMode, without);
        }
        if !owned.uid && xattrs.get(CAPABILITY).is_some() {
            let without = "stored without security.capability, because its owner could not be set";
            losses.left_off(Op::SetXattr, without);
        }
        Ok(owned)
    }

    /// Sets permission bits, as far as the filesystem keeps any.
    fn permit(&self, kind: Kind, mode: u16, losses: &mut Losses<'_>) -> Result<(), OpError> {
        let kept = self.capabilities.kept_modes(kind);
        if kept == 0 {
            return Ok(());
        }
        let set = set_mode(losses.subject, mode);
        let refused = |e: &io::Error| is_loss(Op::SetMode, e, losses.subject);
        if set.as_ref().is_err_and(refused) && (look(losses.subject)?.mode ^ mode) & kept == 0 {
            return Ok(());
        }
        losses.note(Op::SetMode, set).map(drop)
    }
}

fn look(subject: Subject<'_>) -> Result<Meta, OpError> {
    let looked = match subject {
        Subject::Open(fd) => stat::look_at(fd),
        Subject::Named(dir, name) => stat::look(dir, name, Fresh::AsStat),
    };
    looked.map_err(|e| OpError::target(Op::Stat, e))
}

/// Why an attribute could not be set, with its name. Of one that is too large
/// some filesystems say that there is no space, on a disk that is not full.
fn named(name: &[u8], value: &[u8], cause: io::Error) -> io::Error {
    let name = String::from_utf8_lossy(name);
    if errno::is_too_large(&cause) {
        let size = value.len();
        let text = format!("{name} of {size} bytes is too large for the filesystem");
        return io::Error::new(cause.kind(), text);
    }
    about(name, cause)
}

/// Is a failure to set an attribute a loss of that attribute only? Not when
/// the disk is full or failing; but an attribute too large for its filesystem
/// may be answered as if the disk were full, so the free space is asked.
fn is_loss(op: Op, error: &io::Error, subject: Subject<'_>) -> bool {
    if op == Op::SetXattr && errno::is_no_room(error) {
        let (Subject::Named(on, _) | Subject::Open(on)) = subject;
        return disk::free(on).is_ok_and(|free| free.bytes > 1 << 20);
    }
    !errno::is_disk_refusal(error) && !errno::is_shortage(error)
}

fn set_owner(subject: Subject<'_>, uid: u32, gid: u32) -> io::Result<()> {
    match subject {
        Subject::Open(fd) => file::set_owner(fd, uid, gid),
        Subject::Named(dir, name) => link::set_owner(dir, name, uid, gid),
    }
}

fn set_mode(subject: Subject<'_>, mode: u16) -> io::Result<()> {
    match subject {
        Subject::Open(fd) => file::set_mode(fd, mode),
        Subject::Named(dir, name) => link::set_mode(dir, name, mode),
    }
}

fn set_times(subject: Subject<'_>, atime: Time, mtime: Time) -> io::Result<()> {
    match subject {
        Subject::Open(fd) => file::set_times(fd, atime, mtime),
        Subject::Named(dir, name) => link::set_times(dir, name, atime, mtime),
    }
}
