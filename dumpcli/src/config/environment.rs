//! What the environment of the process says: the places that it names, and
//! where configuration files are looked for.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The variable that names the main tree.
pub const MAINROOT: &str = "MAINROOT";
/// The variable that names the dump root.
pub const DUMPROOT: &str = "DUMPROOT";
/// The configuration file of all users.
pub(crate) const SYSTEM_CONFIG: &str = "/etc/dump/dump.toml";

/// The variables of the environment that count.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// `MAINROOT`.
    pub mainroot: Option<OsString>,
    /// `DUMPROOT`.
    pub dumproot: Option<OsString>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// The file of all users.
    pub system: Option<PathBuf>,
}

impl Env {
    /// That of this process; what is empty counts as unset.
    #[must_use]
    pub fn of_process() -> Self {
        let get = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let absolute = |name: &str| get(name).map(PathBuf::from).filter(|p| p.is_absolute());
        Self {
            mainroot: get(MAINROOT),
            dumproot: get(DUMPROOT),
            config_home: absolute("XDG_CONFIG_HOME"),
            home: absolute("HOME"),
            system: Some(PathBuf::from(SYSTEM_CONFIG)),
        }
    }

    /// Where a configuration file is looked for, in order.
    #[must_use]
    pub fn config_paths(&self) -> Vec<PathBuf> {
        let home = self.home.as_ref().map(|home| home.join(".config"));
        let own = self.config_home.clone().or(home);
        own.map(|dir| dir.join("dump/dump.toml"))
            .into_iter()
            .chain(self.system.clone())
            .collect()
    }
}

/// The first existing directory of a colon-separated list. When there is
/// none the first entry: so an error names what was meant. `None` for a list
/// without entries.
#[must_use]
pub fn first_directory(list: &OsStr) -> Option<PathBuf> {
    let entries = list.as_bytes().split(|byte| *byte == b':');
    let mut paths = entries
        .filter(|entry| !entry.is_empty())
        .map(|entry| PathBuf::from(OsStr::from_bytes(entry)));
    let first = paths.next()?;
    if first.is_dir() {
        return Some(first);
    }
    Some(paths.find(|path| path.is_dir()).unwrap_or(first))
}
