//! Warnings about what was read: the trees, and the dumps they are compared with.

use std::fmt;
use std::path::Path;

use crate::model::cause::Cause;
use crate::model::chain::Chain;
use crate::model::path::Printable;
use crate::model::size::Size;

pub(super) fn kept_moving(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    write!(
        f,
        "entries kept arriving in {}, and perhaps in other directories, until the end of the run; \
         what was moved there last may be missing from this dump, and will be in the next one",
        Printable::path(path)
    )
}

pub(super) fn unknown_since(f: &mut fmt::Formatter<'_>, reference: &Path) -> fmt::Result {
    write!(
        f,
        "{} does not record when its trees were read (it was imported, copied by hand, or made by \
         another program), so changes that keep size and modification time are not detected in \
         this dump",
        Printable::path(reference)
    )
}

pub(super) fn compared_in_vain(f: &mut fmt::Formatter<'_>, bytes: u64, of: u64) -> fmt::Result {
    write!(
        f,
        "{} of {} were compared because the files had been touched, but they had not \
         changed; if another program hard-links them, --ignore-ctime avoids the comparison",
        Size(bytes),
        Size(of)
    )
}

pub(super) fn unstable(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    write!(
        f,
        "{} kept changing while it was read; this dump has a mix of old and new contents, and the \
         next dump copies it again",
        Printable::path(path)
    )
}

pub(super) fn vanished(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    let path = Printable::path(path);
    write!(f, "{path} vanished before it could be read")
}

pub(super) fn reference(f: &mut fmt::Formatter<'_>, path: &Path, cause: &Cause) -> fmt::Result {
    let (path, cause) = (Printable::path(path), Chain(&**cause));
    write!(
        f,
        "{path} in the last dump cannot be read ({cause}); it is copied again"
    )
}

pub(super) fn damaged(f: &mut fmt::Formatter<'_>, path: &Path, good: Option<&Path>) -> fmt::Result {
    let path = Printable::path(path);
    match good {
        Some(good) => {
            let good = Printable::path(good);
            write!(f, "{path} is damaged; a good version is {good}")
        }
        None => write!(
            f,
            "{path} is damaged, and neither another dump nor a main tree has a good version"
        ),
    }
}

pub(super) fn healed(f: &mut fmt::Formatter<'_>, path: &Path, good: &Path) -> fmt::Result {
    let (path, good) = (Printable::path(path), Printable::path(good));
    write!(
        f,
        "{path} is damaged; its copy has the contents of {good}, which is what was stored"
    )
}
