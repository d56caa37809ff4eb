//! Whose eyes it has: as root it becomes a user first, so that nobody reads through
//! it what that user may not.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use dumpcli::failure::Failure;
use nix::unistd::{User, geteuid, getgrouplist, setgid, setgroups, setuid};

/// Continues as the user that was asked for: the program starts again as that one,
/// with that one's environment. Returns when there is nothing to do.
///
/// # Errors
/// Root without a user, a user that does not exist or cannot be become.
pub(crate) fn become_user(name: Option<&str>) -> Result<(), Failure> {
    let is_root = geteuid().is_root();
    let Some(name) = name else {
        return match is_root {
            true => Err(Failure::Usage(
                "as root it would show everything to anyone who connects: name a user with \
                 --user"
                    .to_owned(),
            )),
            false => Ok(()),
        };
    };
    let failed = |cause: nix::Error| Failure::Failed(format!("cannot become user {name}: {cause}"));
    let user = User::from_name(name).map_err(failed)?;
    let user = user.ok_or_else(|| Failure::Usage(format!("there is no user {name}")))?;
    if user.uid.is_root() {
        return Err(Failure::Usage(
            "--user should be a user other than root".to_owned(),
        ));
    }
    if user.uid == geteuid() {
        return Ok(());
    }
    if !is_root {
        return Err(Failure::Usage(
            "only root can become another user".to_owned(),
        ));
    }
    let c_name = CString::new(name).map_err(|_| failed(nix::Error::EINVAL))?;
    let groups = getgrouplist(&c_name, user.gid).map_err(failed)?;
    setgroups(&groups).map_err(failed)?;
    setgid(user.gid).map_err(failed)?;
    setuid(user.uid).map_err(failed)?;
    // For good: what is not allowed must fail.
    if setuid(0.into()).is_ok() {
        return Err(Failure::Failed(format!(
            "cannot become user {name} for good"
        )));
    }
    match again(&user) {
        Ok(never) => match never {},
        Err(cause) => Err(Failure::Failed(format!(
            "cannot start as user {name}: {cause}"
        ))),
    }
}

/// Starts the program again: root's home, configuration and runtime directory are
/// not the user's.
fn again(user: &User) -> std::io::Result<Infallible> {
    let mut words = std::env::args_os();
    let own = words.next().unwrap_or_default();
    let mut command = Command::new("/proc/self/exe");
    command.arg0(own).args(words);
    for name in [
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "XDG_RUNTIME_DIR",
        "DBUS_SESSION_BUS_ADDRESS",
    ] {
        command.env_remove(name);
    }
    command
        .env("HOME", &user.dir)
        .env("USER", &user.name)
        .env("LOGNAME", &user.name);
    let runtime = format!("/run/user/{}", user.uid);
    if Path::new(&runtime).is_dir() {
        command.env("XDG_RUNTIME_DIR", runtime);
    }
    Err(command.exec())
}
