//! Paths for people, as they gave them, and for machines: absolute.

use std::fmt;
use std::path::{Path, PathBuf};

use dumpcore::Printable;

/// A path as those are told it who work in another directory: monitoring,
/// hooks, the journal. No symlink in it is resolved.
#[must_use]
pub fn absolute(path: &Path) -> PathBuf {
    // Fails for an empty path, and when the current directory has gone.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The trees, or the dump root, that a run reads. Displayed as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct What {
    shown: String,
    absolute: String,
}

impl What {
    /// Of these.
    #[must_use]
    pub fn new(paths: &[PathBuf]) -> Self {
        let listed = |shown: fn(&Path) -> String| {
            let all: Vec<String> = paths.iter().map(|path| shown(path)).collect();
            all.join(", ")
        };
        Self {
            shown: listed(|path| Printable::path(path).to_string()),
            absolute: listed(|path| Printable::path(&absolute(path)).to_string()),
        }
    }

    /// All of them, absolute.
    #[must_use]
    pub fn absolute(&self) -> &str {
        &self.absolute
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_what_they_gave() {
        let here = std::env::current_dir().expect("a directory");
        let what = What::new(&["/a/../b".into(), "c".into()]);
        assert_eq!(what.to_string(), "/a/../b, c");
        let whole = format!("/a/../b, {}", here.join("c").display());
        assert_eq!(what.absolute(), whole);
        assert_eq!(absolute(Path::new("")), Path::new(""));
    }
}
