//! What the runner can preserve on a filesystem, found out by trying.
//!
//! Asking the filesystem for its type would have to be right about every
//! type, mount option, container and capability; a file of our own on which
//! each act is tried once is right by itself, and costs some twenty calls a
//! run.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::model::fault::{Op, OpError};
use crate::model::metadata::{ACL_ACCESS, Capabilities, Time};
use crate::policy::layout;
use crate::sys::fstype::may_be_in_user_space;
use crate::sys::name::c_name;
use crate::sys::xattr::Subject;
use crate::sys::{disk, errno, file, link, stat, xattr};

/// The outcome of a trial.
#[derive(Debug)]
pub(crate) enum Trial {
    /// What can be preserved; and, for people, what the filesystem itself
    /// cannot store, whoever the runner is.
    Passed(Capabilities, Vec<String>),
    /// There are no hard links here.
    NoHardLinks,
    /// No name can replace another here, as the links to dumps must.
    NoReplacing,
}

/// Tries in a directory that only this run uses.
pub(crate) fn run(dir: BorrowedFd<'_>) -> Result<Trial, OpError> {
    let [first, second] = layout::TRIALS.map(|name| c_name(name.as_bytes()));
    let clear = || {
        for name in [&first, &second] {
            match link::remove(dir, name) {
                Err(e) if !errno::is_missing(&e) => return Err(OpError::target(Op::Remove, e)),
                _ => {}
            }
        }
        Ok(())
    };
    clear()?;
    let outcome = try_out(dir, &first, &second);
    clear()?;
    outcome
}

fn try_out(dir: BorrowedFd<'_>, first: &CStr, second: &CStr) -> Result<Trial, OpError> {
    let file = file::create_file(dir, first).map_err(|e| OpError::target(Op::Create, e))?;
    match link::hard_link(dir, first, dir, second) {
        Ok(()) => {}
        Err(e) if errno::is_unsupported(&e) || errno::is_link_refused(&e) => {
            return Ok(Trial::NoHardLinks);
        }
        Err(e) => return Err(OpError::target(Op::Link, e)),
    }
    let subject = Subject::Open(file.as_fd());
    let mut lacking = Vec::new();
    let mut can_set = |what: &str, name: &[u8], value: &[u8]| {
        let done = able(Op::SetXattr, xattr::set(subject, name, value))?;
        if done.as_ref().is_err_and(errno::is_unsupported) {
            lacking.push(what.to_owned());
        }
        Ok(done.is_ok())
    };
    let times = times(&file).map_err(|e| OpError::target(Op::SetTimes, e))?;
    let made = stat::look_at(&file).map_err(|e| OpError::target(Op::Stat, e))?;
    let (uid, gid, groups) = disk::whoami();
    let mut capabilities = Capabilities {
        acls: can_set("ACLs", ACL_ACCESS, &small_acl(uid))?,
        user_xattrs: can_set("attributes user.*", b"user.dump.trial", b"x")?,
        trusted_xattrs: can_set("attributes trusted.*", b"trusted.dump.trial", b"x")?,
        security_xattrs: can_set("attributes security.*", b"security.dump.trial", b"x")?,
        symlinks: true,
        time_step: times.step,
        time_min: times.min,
        time_max: times.max,
        // Last: the file is not the runner's own any more.
        chown: able(Op::SetOwner, file::set_owner(&file, uid ^ 1, gid ^ 1))?.is_ok(),
        uid,
        gid,
        groups,
    };
    if made.uid != uid && !capabilities.chown {
        lacking.push(format!("owners: user {uid} is user {} there", made.uid));
        // A server takes the runner for somebody else, whose groups are not
        // known.
        (capabilities.uid, capabilities.gid) = (made.uid, made.gid);
        capabilities.groups = Vec::new();
    }
    // FUSE hides a file that is open out of the way first, as no link is.
    drop(file);
    let symlinks = try_symlinks(dir, first, second)?;
    capabilities.symlinks = symlinks.own_times;
    if !symlinks.own_times {
        lacking.push("owners and times of symlinks".to_owned());
    }
    Ok(match symlinks.replace {
        true => Trial::Passed(capabilities, lacking),
        false => Trial::NoReplacing,
    })
}

/// A disk that is full or failing tells nothing about what it can do.
fn able(op: Op, done: io::Result<()>) -> Result<io::Result<()>, OpError> {
    match done {
        Err(e) if errno::is_disk_refusal(&e) => Err(OpError::target(op, e)),
        done => Ok(done),
    }
}

struct Symlinks {
    own_times: bool,
    replace: bool,
}

/// Makes the second name a symlink that leads nowhere, so that where its times
/// cannot be set its target's would be, and renames it over the first.
fn try_symlinks(dir: BorrowedFd<'_>, first: &CStr, second: &CStr) -> Result<Symlinks, OpError> {
    link::remove(dir, second).map_err(|e| OpError::target(Op::Remove, e))?;
    link::symlink(second, dir, second).map_err(|e| OpError::target(Op::Create, e))?;
    let then = Time::new(1_000_000_001, 0);
    let set = able(Op::SetTimes, link::set_times(dir, second, then, then))?;
    let renamed = able(Op::Rename, link::rename_over(dir, second, dir, first))?;
    Ok(Symlinks {
        own_times: set.is_ok(),
        replace: renamed.is_ok(),
    })
}

/// What can be told without writing: for dry runs.
pub(crate) fn guess(on: impl AsFd) -> Capabilities {
    let (uid, gid, groups) = disk::whoami();
    let root = uid == 0;
    Capabilities {
        chown: root,
        uid,
        gid,
        groups,
        trusted_xattrs: root,
        security_xattrs: root,
        // Of filesystems in user space some set what they point to instead.
        symlinks: !may_be_in_user_space(on),
        ..Capabilities::everything()
    }
}

struct Times {
    step: u32,
    min: i64,
    max: i64,
}

fn times(file: &std::os::fd::OwnedFd) -> io::Result<Times> {
    let stored = |time: Time| -> io::Result<Time> {
        file::set_times(file, time, time)?;
        Ok(stat::look_at(file)?.mtime)
    };
    let odd = stored(Time::new(1_000_000_001, 123_456_789))?;
    // The longest step that explains what became of an odd time.
    let steps = [1, 100, 1_000, 1_000_000, 10_000_000, 1_000_000_000];
    let wanted = Time::new(1_000_000_001, 123_456_789).as_nanos();
    let step = steps
        .into_iter()
        .find(|step| odd.as_nanos() == wanted - wanted % i128::from(*step))
        .unwrap_or(2_000_000_000);
    // A filesystem that neither stores nor clamps a time wraps it: then
    // nothing can be said, and the full range is as good as any.
    let far = 1 << 60;
    let max = Some(stored(Time::new(far, 0))?.secs).filter(|s| (1..far).contains(s));
    let min = Some(stored(Time::new(-far, 0))?.secs).filter(|s| (1 - far..=0).contains(s));
    Ok(Times {
        step,
        min: min.unwrap_or(i64::MIN),
        max: max.unwrap_or(i64::MAX),
    })
}

/// An ACL that permission bits alone cannot express: one named user. Two
/// bytes tag, two bytes permissions, four bytes who, little-endian.
fn small_acl(uid: u32) -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, NOBODY),
        (0x02, 4, uid),
        (0x04, 0, NOBODY),
        (0x10, 4, NOBODY),
        (0x20, 0, NOBODY),
    ];
    let mut acl = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, who) in entries {
        acl.extend(tag.to_le_bytes());
        acl.extend(permissions.to_le_bytes());
        acl.extend(who.to_le_bytes());
    }
    acl
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::dir::{For, open_root};

    #[test]
    fn leaves_nothing_behind_and_finds_links() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        let root = open_root(dir.path(), For::Passing).expect("opened");
        for name in layout::TRIALS {
            std::fs::write(dir.path().join(name), "left behind").expect("written");
        }
        let Trial::Passed(capabilities, lacking) = run(root.as_fd()).expect("tried") else {
            panic!("no hard links");
        };
        // For want of rights, not of the filesystem's.
        assert_eq!(lacking, Vec::<String>::new());
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
        let by_root = disk::whoami().0 == 0;
        assert_eq!(capabilities.chown, by_root);
        assert!(capabilities.time_step <= 1_000_000_000);
        assert!(capabilities.time_min <= 0 && capabilities.time_max > 1 << 31);
    }
}
