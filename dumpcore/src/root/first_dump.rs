//! Where a first dump may be made: not on the empty mount point of a disk that is
//! not there, and not among the dumps of another dump root.

use std::path::{Path, PathBuf};

use crate::model::error::Error;
use crate::policy::layout;
use crate::root::DumpRoot;
use crate::sys::dir;
use crate::sys::mounts;
use crate::sys::planned::{self, Planned};

impl DumpRoot {
    /// May this directory become a dump root?
    ///
    /// Checked by its real path. That of a bind mount does not show what it is
    /// bound to.
    pub(crate) fn may_begin(&self) -> Result<(), Error> {
        let Some(real) = dir::real_path(self.path()) else {
            return Ok(());
        };
        if let Some(planned) = unmounted(&real, planned::mount_points(), &mounts::all()) {
            return Err(Error::NotMounted {
                dump: self.path().to_path_buf(),
                point: planned.point,
                by: planned.by,
            });
        }
        for root in real.ancestors().skip(1) {
            let below = real.strip_prefix(root).unwrap_or(&real);
            if Self::has_links(root) && is_among_dumps(root, below) {
                return Err(Error::AmongDumps {
                    path: self.path().to_path_buf(),
                    root: root.to_path_buf(),
                });
            }
        }
        Ok(())
    }
}

/// Is a path in the runner's own directory of a dump root, or beside its
/// dumps of a day or a year?
fn is_among_dumps(root: &Path, below: &Path) -> bool {
    if below.starts_with(layout::STATE_DIR) {
        return true;
    }
    let Some(day) = layout::day_around(below) else {
        return false;
    };
    let dumps = DumpRoot::open(root).map(|root| root.list());
    matches!(dumps, Ok(Ok(dumps)) if dumps.iter().any(|name| name.path().starts_with(&day)))
}

/// The mount point at or above a path that has nothing mounted on it, unless
/// something is mounted between the two.
fn unmounted(real: &Path, planned: Vec<Planned>, mounted: &[PathBuf]) -> Option<Planned> {
    let nearest = mounted.iter().filter(|point| real.starts_with(point));
    let nearest = nearest.map(|point| point.iter().count()).max();
    planned.into_iter().find(|planned| {
        let Some(point) = dir::real_path(&planned.point) else {
            return false;
        };
        let names = point.iter().count();
        names > 1 && real.starts_with(&point) && nearest.is_some_and(|nearest| nearest < names)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_counts_with_what_is_below_it_until_the_next_mount() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let top = std::fs::canonicalize(dir.path()).expect("there");
        std::fs::create_dir_all(top.join("disk/sub/dump")).expect("made");
        std::os::unix::fs::symlink(top.join("disk"), top.join("link")).expect("linked");
        let planned = |name: &str| {
            vec![Planned {
                point: top.join(name),
                by: "/etc/fstab".into(),
            }]
        };
        let is_refused = |below: &str, named: &str, mounted: &[&str]| {
            let mounted: Vec<PathBuf> = mounted.iter().map(|name| top.join(name)).collect();
            unmounted(&top.join(below), planned(named), &mounted).is_some()
        };
        assert!(is_refused("disk", "disk", &["/"]));
        assert!(is_refused("disk", "disk/", &["/"]));
        assert!(is_refused("disk/sub/dump", "disk", &["/"]));
        assert!(is_refused("disk", "link", &["/"]), "by its real path");
        assert!(!is_refused("disk", "disk", &["/", "disk"]));
        assert!(!is_refused("disk/sub/dump", "disk", &["/", "disk"]));
        assert!(!is_refused("disk/sub/dump", "disk", &["/", "disk/sub"]));
        assert!(!is_refused("disk", "disk/sub", &["/"]));
        assert!(!is_refused("disk", "other", &["/"]));
        // What cannot be found out does not refuse it.
        assert!(!is_refused("disk", "disk", &[]));
        let root = vec![Planned {
            point: "/".into(),
            by: "/etc/fstab".into(),
        }];
        assert!(unmounted(&top, root, &["/".into()]).is_none());
    }
}
