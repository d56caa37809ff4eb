//! Entries as the link policy sees them, read from disk: for programs that ask
//! the policy alone.

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use crate::model::fault::{Fault, Op};
use crate::model::metadata::{Capabilities, Kind, Meta, Time};
use crate::policy::candidate::Candidate;
use crate::sys::stat::{self, Fresh};
use crate::sys::xattr::{self, Subject};
use crate::sys::{link, path};

impl Candidate {
    /// Reads all that the policy looks at of the entry at a path; a symlink is
    /// read itself, while the directories on the way may be symlinks. Every
    /// extended attribute is read that a dump can preserve. Access times stay,
    /// but for that of a symlink.
    ///
    /// # Errors
    /// A [`Fault`] when there is no such entry, or something of it cannot be
    /// read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Fault> {
        let path = path.as_ref();
        let failed = |op| move |cause: io::Error| Fault::new(op, path, cause);
        let (above, name) = path::above(path).map_err(failed(Op::Open))?;
        let meta = stat::look(above.as_fd(), &name, Fresh::AsStat).map_err(failed(Op::Stat))?;
        let all = Capabilities::everything();
        let subject = Subject::Named(above.as_fd(), &name);
        let xattrs = xattr::read(subject, |name| all.keeps_xattr(name));
        let read = Self::new(meta).with_xattrs(xattrs.map_err(failed(Op::ReadXattr))?);
        if meta.kind != Kind::Symlink {
            return Ok(read);
        }
        let target = link::read_symlink(above.as_fd(), &name).map_err(failed(Op::ReadLink))?;
        Ok(read.with_target(target.into_bytes()))
    }
}

impl From<&fs::Metadata> for Meta {
    /// Of what was looked at: of a symlink itself only by
    /// [`std::fs::symlink_metadata`].
    fn from(found: &fs::Metadata) -> Self {
        let nanos = |nanos| u32::try_from(nanos).unwrap_or(0);
        let kind = kind_of(found.file_type());
        Meta {
            kind,
            mode: u16::try_from(found.mode() & 0o7777).unwrap_or(0),
            uid: found.uid(),
            gid: found.gid(),
            size: found.size(),
            blocks: found.blocks(),
            mtime: Time::new(found.mtime(), nanos(found.mtime_nsec())),
            atime: Time::new(found.atime(), nanos(found.atime_nsec())),
            ctime: Time::new(found.ctime(), nanos(found.ctime_nsec())),
            born: None,
            ino: found.ino(),
            dev: found.dev(),
            nlink: u32::try_from(found.nlink()).unwrap_or(u32::MAX),
            rdev: match kind {
                Kind::Char | Kind::Block => found.rdev(),
                _ => 0,
            },
        }
    }
}

/// Linux has no other types.
fn kind_of(found: fs::FileType) -> Kind {
    match found {
        _ if found.is_dir() => Kind::Dir,
        _ if found.is_symlink() => Kind::Symlink,
        _ if found.is_fifo() => Kind::Fifo,
        _ if found.is_socket() => Kind::Socket,
        _ if found.is_char_device() => Kind::Char,
        _ if found.is_block_device() => Kind::Block,
        _ => Kind::File,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_standard_librarys_metadata_is_ours() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "contents").expect("written");
        symlink("file", at("link")).expect("linked");
        let devices = ["/dev/null", "/dev", "."].map(Into::into);
        for path in [at("file"), at("link")].into_iter().chain(devices) {
            let found = fs::symlink_metadata(&path).expect("looked at");
            let read = Candidate::read(&path).expect("read");
            assert_eq!(Meta::from(&found), read.meta, "{}", path.display());
        }
        let link = Candidate::read(at("link")).expect("read");
        assert_eq!(link.target.as_deref(), Some(b"file".as_slice()));
        let fault = Candidate::read(at("none")).expect_err("nothing is there");
        assert_eq!((fault.op, fault.path), (Op::Stat, at("none")));
    }
}
