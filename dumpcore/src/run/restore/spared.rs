//! What exclude rules leave out of dumps: that a version does not have it says
//! nothing, so that a restoration which deletes spares it, as rsync does.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::policy::filter::Filter;

/// The rules, and where in the dumps the place is.
pub(super) struct Spared<'a> {
    pub(super) filter: &'a Filter,
    /// The place, as its entries' paths begin.
    pub(super) top: &'a Path,
    /// Its path in a dump: the name of the tree, then what is below that.
    pub(super) within: &'a Path,
}

impl Spared<'_> {
    /// Do the rules leave an entry of the place out, or a directory that it is in?
    pub(super) fn has(&self, path: &Path, is_dir: bool) -> bool {
        if self.filter.is_empty() {
            return false;
        }
        let Ok(below) = path.strip_prefix(self.top) else {
            return false;
        };
        let path = self.within.join(below);
        let bytes = path.as_os_str().as_bytes();
        // The place itself was asked for.
        let asked = self.within.as_os_str().len();
        let ends = bytes.iter().enumerate().skip(asked + 1);
        let mut above = ends.filter(|(_, byte)| **byte == b'/');
        above.any(|(end, _)| self.filter.excludes(&bytes[..end], true))
            || bytes.len() > asked && self.filter.excludes(bytes, is_dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_and_what_is_in_it_is_spared() {
        let filter = "cache/\n*.o\n/home/alice/big".parse().expect("rules");
        let (top, within) = (Path::new("/mnt/x"), Path::new("home/alice"));
        let spared = Spared {
            filter: &filter,
            top,
            within,
        };
        for (path, is_dir, is_spared) in [
            ("/mnt/x/cache", true, true),
            ("/mnt/x/cache", false, false),
            ("/mnt/x/cache/deep/file", false, true),
            ("/mnt/x/src/main.o", false, true),
            ("/mnt/x/src/main.c", false, false),
            ("/mnt/x/big", false, true),
            ("/mnt/x/src/big", false, false),
            ("/mnt/x", true, false),
            ("/elsewhere/main.o", false, false),
        ] {
            assert_eq!(spared.has(Path::new(path), is_dir), is_spared, "{path}");
        }
        // Who asks for what is left out gets it exactly.
        let within = Path::new("home/alice/cache");
        let asked = Spared { within, ..spared };
        assert!(!asked.has(Path::new("/mnt/x/file"), false));
        assert!(asked.has(Path::new("/mnt/x/main.o"), false));
    }
}
