//! What a filesystem could keep of entries, as far as that is known without
//! writing: for comparing with what is in a dump.

use std::os::fd::{AsFd as _, OwnedFd};

use crate::fs::capabilities;
use crate::model::metadata::{ACL_ACCESS, Capabilities, Meta, time_step};
use crate::sys::name::c_name;
use crate::sys::xattr::{self, Subject};

/// What is private to the runner in a dump root, and looks it, unless the
/// filesystem makes up permissions and owners.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Private {
    pub(crate) dir: Option<Meta>,
    pub(crate) file: Option<Meta>,
}

/// What could be kept where this directory is. `seen` are some of the entries
/// there: the times that the kernel gave them show how fine times are kept.
pub(crate) fn kept(dir: &OwnedFd, seen: &[Meta], private: Private) -> Capabilities {
    let mut guess = capabilities::guess(dir);
    let is_open = |meta: Option<Meta>| meta.is_some_and(|meta| meta.mode & 0o077 != 0);
    if is_open(private.dir) {
        guess.dir_modes = 0;
    }
    if is_open(private.file) {
        guess.file_modes = 0;
    }
    if let Some(own) = private.dir.filter(|own| own.uid != 0) {
        // A plain user's dumps, or a disk whose files are all one user's.
        (guess.chown, guess.chgrp) = (false, false);
        (guess.uid, guess.gid) = (own.uid, own.gid);
        guess.groups = Vec::new();
    }
    let knows = |name: &[u8]| xattr::is_known(Subject::Named(dir.as_fd(), c"."), &c_name(name));
    Capabilities {
        acls: guess.acls && knows(ACL_ACCESS),
        user_xattrs: guess.user_xattrs && knows(b"user.dump.trial"),
        trusted_xattrs: guess.trusted_xattrs && knows(b"trusted.dump.trial"),
        time_step: time_step(seen.iter().flat_map(|meta| [meta.ctime, meta.atime])),
        ..guess
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kind::Kind;
    use crate::model::metadata::Time;
    use crate::sys::dir::{For, open_root};
    use crate::sys::stat;

    fn meta(mode: u16, uid: u32) -> Meta {
        Meta {
            kind: Kind::Dir,
            mode,
            uid,
            gid: uid,
            size: 0,
            blocks: 0,
            mtime: Time::default(),
            atime: Time::default(),
            ctime: Time::default(),
            born: None,
            ino: 0,
            dev: 0,
            nlink: 1,
            rdev: 0,
        }
    }

    #[test]
    fn this_filesystem_keeps_fine_times_and_attributes() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        let root = open_root(dir.path(), For::Reading).expect("opened");
        let seen = [stat::look_at(&root).expect("looked")];
        let plain = kept(&root, &seen, Private::default());
        assert!(plain.user_xattrs && plain.acls);
        assert!(plain.time_step <= 1_000, "{}", plain.time_step);
        let private = |dir, file| Private {
            dir: Some(dir),
            file: Some(file),
        };
        let kept = |private| kept(&root, &seen, private);
        let by_root = kept(private(meta(0o700, 0), meta(0o600, 0)));
        assert_eq!(by_root, plain);
        let forgets = kept(private(meta(0o777, 1000), meta(0o777, 1000)));
        assert_eq!((forgets.dir_modes, forgets.file_modes), (0, 0));
        assert!(!forgets.chown && forgets.storable_uid(5) == 1000);
    }
}
