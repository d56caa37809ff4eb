//! Where this machine keeps what is remembered of dump roots on a network or in
//! user space: the state directory of systemd, or of the user.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

/// Of root, where systemd gives no other.
const OF_ROOT: &str = "/var/lib/dump";

/// The directory, which need not exist; `None` when the environment of a user
/// does not tell.
#[must_use]
pub fn local_state() -> Option<PathBuf> {
    let is_root = rustix::process::geteuid().is_root();
    directory(|name| env::var_os(name), is_root)
}

fn directory(get: impl Fn(&str) -> Option<OsString>, is_root: bool) -> Option<PathBuf> {
    let absolute = |name: &str| get(name).map(PathBuf::from).filter(|p| p.is_absolute());
    // A unit may have several: the first one counts.
    let of_unit = get("STATE_DIRECTORY").and_then(|all| {
        let first = all.as_bytes().split(|b| *b == b':').next()?;
        Some(PathBuf::from(OsString::from_vec(first.to_vec()))).filter(|p| p.is_absolute())
    });
    let of_user = || absolute("XDG_STATE_HOME").map(|home| home.join("dump"));
    let of_root = || is_root.then(|| PathBuf::from(OF_ROOT));
    let at_home = || absolute("HOME").map(|home| home.join(".local/state/dump"));
    of_unit.or_else(of_user).or_else(of_root).or_else(at_home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_one_counts() {
        for (set, root, expected) in [
            (
                &[
                    ("STATE_DIRECTORY", "/var/lib/x:/var/lib/y"),
                    ("XDG_STATE_HOME", "/h"),
                ][..],
                true,
                Some("/var/lib/x"),
            ),
            (
                &[("STATE_DIRECTORY", "odd"), ("XDG_STATE_HOME", "/h")],
                true,
                Some("/h/dump"),
            ),
            (
                &[("XDG_STATE_HOME", "relative")],
                true,
                Some("/var/lib/dump"),
            ),
            (&[("HOME", "/root")], true, Some("/var/lib/dump")),
            (
                &[("HOME", "/home/glenda")],
                false,
                Some("/home/glenda/.local/state/dump"),
            ),
            (&[("HOME", "")], false, None),
            (&[], false, None),
        ] {
            let get = |name: &str| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(directory(get, root), expected.map(PathBuf::from), "{set:?}");
        }
    }
}
