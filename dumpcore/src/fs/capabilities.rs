//! What the runner can preserve on a filesystem, found out by trying.
//!
//! A decision by filesystem type would have to be right about every type, mount
//! option, container and capability. Trying each operation once on a file of our
//! own is always right, and costs about twenty calls per run.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::model::fault::{Op, OpError};
use crate::model::loss::{Loss, Losses};
use crate::model::metadata::{
    ACL_ACCESS, ACL_DEFAULT, ALL_MODES, CAPABILITY, Capabilities, Meta, Time,
};
use crate::model::unsupported::Unsupported;
use crate::policy::layout;
use crate::sys::dir::{self, For};
use crate::sys::fstype::may_be_in_user_space;
use crate::sys::name::c_name;
use crate::sys::xattr::Subject;
use crate::sys::{disk, errno, file, link, stat, xattr};

/// The outcome of a trial.
#[derive(Debug)]
pub(crate) enum Trial {
    /// What can be preserved, and what cannot.
    Passed(Capabilities, Lacks),
    /// There are no hard links here.
    NoHardLinks,
    /// No name can replace another here, as the links to dumps must.
    NoReplacing,
}

/// What a filesystem does not keep, for any user.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacks {
    /// Other things than permissions.
    pub(crate) things: Vec<Unsupported>,
    /// Which of it is then said of all entries.
    pub(crate) told: Losses,
    pub(crate) permissions: Option<Permissions>,
}

/// What a filesystem makes of permission bits that it does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permissions {
    /// The bits that are not kept, of files or of directories.
    pub(crate) lost: u16,
    /// What a file shows whose owner alone may read and write it.
    pub(crate) shown: u16,
    /// Is it NTFS by way of FUSE, which keeps them with a mount option?
    pub(crate) by_ntfs_3g: bool,
}

/// Tries in a directory that only this run uses.
pub(crate) fn run(dir: BorrowedFd<'_>) -> Result<Trial, OpError> {
    let [first, second] = layout::TRIALS.map(|name| c_name(name.as_bytes()));
    let clear = || {
        for name in [&first, &second] {
            let removed = match link::remove(dir, name) {
                Err(e) if errno::is_directory(&e) => dir::remove_empty(dir, name),
                other => other,
            };
            match removed {
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
    if !takes_link(dir, first, second)? {
        return Ok(Trial::NoHardLinks);
    }
    let subject = Subject::Open(file.as_fd());
    let mut lacks = Lacks::default();
    let times = times(&file).map_err(|e| OpError::target(Op::SetTimes, e))?;
    if !times.kept {
        lacks.things.push(Unsupported::Times);
    } else if times.step >= 1_000_000_000 {
        lacks.things.push(Unsupported::FineTimes);
    }
    let made = stat::look_at(&file).map_err(|e| OpError::target(Op::Stat, e))?;
    // Before an ACL opens it to somebody.
    let (file_modes, shown) = try_modes(file.as_fd())?;
    let (uid, gid, groups) = disk::whoami();
    let mut capabilities = Capabilities {
        file_modes,
        acls: keeps(
            subject,
            Unsupported::Acls,
            ACL_ACCESS,
            &small_acl(uid),
            &mut lacks,
        )?,
        time_step: times.step,
        time_min: times.min,
        time_max: times.max,
        uid,
        gid,
        groups,
        ..Capabilities::everything()
    };
    try_attributes(subject, &mut capabilities, &mut lacks)?;
    let by_ntfs_3g = may_be_in_user_space(&file) && is_ntfs(subject);
    // Last: the file is not the runner's own any more.
    try_owners(file.as_fd(), &made, &mut capabilities, &mut lacks)?;
    // FUSE hides a file that is open out of the way first, as no link is.
    drop(file);
    let symlinks = try_symlinks(dir, first, second)?;
    if !symlinks.replace {
        return Ok(Trial::NoReplacing);
    }
    capabilities.symlinks = symlinks.own_times;
    if !symlinks.own_times {
        lacks.things.push(Unsupported::Symlinks);
    }
    try_directory(dir, second, &mut capabilities)?;
    let lost = ALL_MODES & !(capabilities.file_modes & capabilities.dir_modes);
    lacks.permissions = (lost != 0).then_some(Permissions {
        lost,
        shown,
        by_ntfs_3g,
    });
    Ok(Trial::Passed(capabilities, lacks))
}

fn takes_link(dir: BorrowedFd<'_>, first: &CStr, second: &CStr) -> Result<bool, OpError> {
    match link::hard_link(dir, first, dir, second) {
        Ok(()) => Ok(true),
        Err(e) if errno::is_unsupported(&e) || errno::is_link_refused(&e) => Ok(false),
        Err(e) => Err(OpError::target(Op::Link, e)),
    }
}

/// Each namespace by itself: they ask for different privileges.
fn try_attributes(
    subject: Subject<'_>,
    capabilities: &mut Capabilities,
    lacks: &mut Lacks,
) -> Result<(), OpError> {
    let mut keeps =
        |what, name: &str, value: &[u8]| keeps(subject, what, name.as_bytes(), value, lacks);
    capabilities.user_xattrs = keeps(Unsupported::UserAttributes, "user.dump.trial", b"x")?;
    capabilities.trusted_xattrs =
        keeps(Unsupported::TrustedAttributes, "trusted.dump.trial", b"x")?;
    capabilities.security_xattrs =
        keeps(Unsupported::SecurityAttributes, "security.dump.trial", b"x")?;
    // That a filesystem has no such is said by the whole namespace.
    let set = xattr::set(subject, CAPABILITY, &small_capability());
    if able(Op::SetXattr, set)?.is_ok() {
        // The kernel may have put a user namespace into the value.
        let kept = xattr::get(subject, &c_name(CAPABILITY));
        capabilities.file_capabilities = able(Op::ReadXattr, kept)?.is_ok_and(|v| v.is_some());
        if !capabilities.file_capabilities {
            lacks.things.push(Unsupported::FileCapabilities);
            lacks.told.add(Loss::FileCapability);
        }
    } else {
        capabilities.file_capabilities = false;
    }
    Ok(())
}

/// Is an attribute stored, and still there when it is read back? `what` it is
/// is recorded where the filesystem does not support it, for any user.
fn keeps(
    subject: Subject<'_>,
    what: Unsupported,
    name: &[u8],
    value: &[u8],
    lacks: &mut Lacks,
) -> Result<bool, OpError> {
    let forgotten = match able(Op::SetXattr, xattr::set(subject, name, value))? {
        Ok(()) => {
            let kept = xattr::get(subject, &c_name(name));
            let kept = able(Op::ReadXattr, kept)?;
            !kept.is_ok_and(|kept| kept.as_deref() == Some(value))
        }
        Err(e) if errno::is_unsupported(&e) => true,
        // For lack of rights.
        Err(_) => return Ok(false),
    };
    if forgotten {
        lacks.things.push(what);
        if let Some(loss) = Loss::of_attribute(name) {
            lacks.told.add(loss);
        }
    }
    Ok(!forgotten)
}

/// Which permission bits are kept of what a handle holds, and what it shows
/// when only its owner may use it. Some filesystems take every mode, and show
/// the same one for all.
fn try_modes(on: BorrowedFd<'_>) -> Result<(u16, u16), OpError> {
    // Each bit once set and once not, and what keeps only "may be written".
    const MODES: [u16; 4] = [0o6525, 0o1252, 0o0444, 0o0700];
    let (mut kept, mut shown) = (ALL_MODES, 0);
    for mode in MODES {
        let _ = able(Op::SetMode, file::set_mode(on, mode))?;
        let meta = stat::look_at(on).map_err(|e| OpError::target(Op::Stat, e))?;
        shown = meta.mode;
        kept &= !(shown ^ mode);
    }
    Ok((kept, shown))
}

/// Whether owner and group can be given away, and stay so: some filesystems
/// take every owner, and show the same one for all.
fn try_owners(
    on: BorrowedFd<'_>,
    made: &Meta,
    capabilities: &mut Capabilities,
    lacks: &mut Lacks,
) -> Result<(), OpError> {
    let give = |uid, gid| -> Result<Option<Meta>, OpError> {
        let given = able(Op::SetOwner, file::set_owner(on, uid, gid))?;
        let look = || stat::look_at(on).map_err(|e| OpError::target(Op::Stat, e));
        given.is_ok().then(look).transpose()
    };
    let (uid, gid) = (capabilities.uid, capabilities.gid);
    let (other_uid, other_gid) = (uid ^ 1, gid ^ 1);
    let given = give(other_uid, other_gid)?;
    capabilities.chown = given.as_ref().is_some_and(|now| now.uid == other_uid);
    capabilities.chgrp = given.as_ref().is_some_and(|now| now.gid == other_gid);
    if given.is_some() {
        if !capabilities.chown {
            let shown = made.uid;
            lacks.things.push(Unsupported::Owners { shown });
        }
        if !capabilities.chgrp {
            let shown = made.gid;
            lacks.things.push(Unsupported::Groups { shown });
        }
        let both = capabilities.chown && capabilities.chgrp;
        lacks.told.add_if(!both, Loss::Owner);
    } else if made.uid != uid {
        lacks.told.add(Loss::Owner);
        let (own, shown) = (uid, made.uid);
        lacks.things.push(Unsupported::OwnOwner { own, shown });
    } else {
        let own = |group: &&u32| **group != made.gid;
        let another = capabilities.groups.iter().find(own).copied();
        if let Some(group) = another
            && give(uid, group)?.is_none_or(|now| now.gid != group)
        {
            capabilities.groups = Vec::new();
        }
    }
    // What the filesystem, or a server, makes of a file that is not given away.
    if !capabilities.chown && made.uid != uid {
        capabilities.uid = made.uid;
    }
    let other_group = given.is_some() || made.uid != uid;
    if !capabilities.chgrp && other_group {
        // The groups of whom a server takes the runner for are not known.
        (capabilities.gid, capabilities.groups) = (made.gid, Vec::new());
    }
    Ok(())
}

/// What is kept of directories.
fn try_directory(
    dir: BorrowedFd<'_>,
    name: &CStr,
    capabilities: &mut Capabilities,
) -> Result<(), OpError> {
    dir::make_private(dir, name).map_err(|e| OpError::target(Op::Create, e))?;
    let made = dir::open_dir(dir, name, For::Filling);
    let made = made.map_err(|e| OpError::target(Op::Open, e))?;
    (capabilities.dir_modes, _) = try_modes(made.as_fd())?;
    if capabilities.acls {
        let subject = Subject::Open(made.as_fd());
        let acl = small_acl(capabilities.uid);
        let mut untold = Lacks::default();
        capabilities.default_acls =
            keeps(subject, Unsupported::Acls, ACL_DEFAULT, &acl, &mut untold)?;
    } else {
        capabilities.default_acls = false;
    }
    Ok(())
}

/// Drivers of NTFS show its attributes.
fn is_ntfs(subject: Subject<'_>) -> bool {
    xattr::get(subject, c"system.ntfs_attrib").is_ok_and(|found| found.is_some())
}

/// A disk that is full or failing tells nothing about what it can do.
fn able<T>(op: Op, done: io::Result<T>) -> Result<io::Result<T>, OpError> {
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

/// What is known without writing: for dry runs.
pub(crate) fn guess(on: impl AsFd) -> Capabilities {
    let (uid, gid, groups) = disk::whoami();
    let root = uid == 0;
    Capabilities {
        chown: root,
        chgrp: root,
        uid,
        gid,
        groups,
        trusted_xattrs: root,
        security_xattrs: root,
        file_capabilities: root,
        // Of filesystems in user space some set what they point to instead.
        symlinks: !may_be_in_user_space(on),
        ..Capabilities::everything()
    }
}

struct Times {
    /// Are they kept at all?
    kept: bool,
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
    let off = (odd.as_nanos() - wanted).unsigned_abs();
    Ok(Times {
        kept: off <= 2_000_000_000,
        step,
        min: min.unwrap_or(i64::MIN),
        max: max.unwrap_or(i64::MAX),
    })
}

/// One capability, to bind to any port of the network, as version 2 of the
/// kernel's format has it: version, then what is permitted and inheritable, low
/// half before the high one, little-endian.
fn small_capability() -> Vec<u8> {
    const VERSION_2: u32 = 0x0200_0000;
    const NET_BIND_SERVICE: u32 = 1 << 10;
    let words = [VERSION_2, NET_BIND_SERVICE, 0, 0, 0];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
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
        let Trial::Passed(capabilities, lacks) = run(root.as_fd()).expect("tried") else {
            panic!("no hard links");
        };
        // For lack of rights, not of the filesystem's.
        assert_eq!(lacks, Lacks::default());
        assert_eq!(capabilities.file_modes, ALL_MODES);
        assert_eq!(capabilities.dir_modes, ALL_MODES);
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
        let by_root = disk::whoami().0 == 0;
        assert_eq!(capabilities.chown, by_root);
        assert_eq!(capabilities.chgrp, by_root);
        assert!(capabilities.default_acls);
        assert!(capabilities.time_step <= 1_000_000_000);
        assert!(capabilities.time_min <= 0 && capabilities.time_max > 1 << 31);
    }
}
