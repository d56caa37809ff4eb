//! What kind of trouble something is.

use std::error::Error;
use std::io;

use crate::sys::errno;

/// Is it the disk that fails (an I/O error, a damaged filesystem, one that is gone or has
/// become read-only), rather than an act that it refuses?
#[must_use]
pub fn is_disk_failure(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(fails) {
            return true;
        }
        next = error.source();
    }
    false
}

fn fails(error: &io::Error) -> bool {
    errno::is_io(error)
        || errno::is_filesystem_damage(error)
        || errno::is_mount_gone(error)
        || errno::is_read_only(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::{Fault, Op};

    #[test]
    fn a_disk_fails_or_refuses() {
        for (errno, expected) in [
            (rustix::io::Errno::IO, true),
            (rustix::io::Errno::UCLEAN, true),
            (rustix::io::Errno::ROFS, true),
            (rustix::io::Errno::STALE, true),
            (rustix::io::Errno::PERM, false),
            (rustix::io::Errno::NOENT, false),
            (rustix::io::Errno::BUSY, false),
        ] {
            let fault = Fault::new(Op::Remove, "/dump", io::Error::from(errno));
            assert_eq!(is_disk_failure(&fault), expected, "{errno:?}");
            let error = crate::Error::Fault(fault);
            assert_eq!(is_disk_failure(&error), expected, "{errno:?}");
        }
        assert!(!is_disk_failure(&io::Error::other("anything else")));
    }
}
