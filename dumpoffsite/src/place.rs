//! Where the repository is, and what opens it. A password stands in a file or
//! comes from a command: never in an option, which others can see in the process
//! list, and never in the configuration, which all may read.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dumpcli::failure::Failure;
use dumpcli::origin::Value;
use dumpcli::settings::Sources;
use dumpcore::{Chain, Printable};

use crate::repository::{Address, without_password};

const REPOSITORY: &str = "RESTIC_REPOSITORY";
const PASSWORD_FILE: &str = "RESTIC_PASSWORD_FILE";
const PASSWORD_COMMAND: &str = "RESTIC_PASSWORD_COMMAND";

/// What the configuration and the environment say.
pub(crate) struct Place {
    pub(crate) repository: Option<Value<String>>,
    pub(crate) password_file: Option<Value<PathBuf>>,
}

/// A repository as people and logs are told it.
pub(crate) fn shown(repository: &str) -> String {
    without_password(repository)
}

/// The variable, unless it is empty.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

impl Place {
    pub(crate) fn of(sources: &Sources) -> Self {
        let repository = variable(REPOSITORY).and_then(|value| value.into_string().ok());
        let file = variable(PASSWORD_FILE).map(PathBuf::from);
        Self {
            repository: sources.offsite_repository(repository.map(|value| (REPOSITORY, value))),
            password_file: sources.offsite_password_file(file.map(|value| (PASSWORD_FILE, value))),
        }
    }

    /// Reads the password.
    pub(crate) fn address(&self) -> Result<Address, Failure> {
        let Some(repository) = &self.repository else {
            return Err(Failure::Usage(format!(
                "no repository is named: write [offsite] repository in the configuration, or set \
                 {REPOSITORY}"
            )));
        };
        let location = supported(&repository.value)?;
        let is_local = location.starts_with("local:");
        Ok(Address {
            location,
            shown: shown(&repository.value),
            password: self.password()?,
            cache: if is_local { None } else { cache() },
        })
    }

    fn password(&self) -> Result<String, Failure> {
        if let Some(file) = &self.password_file {
            return read_password(&file.value);
        }
        if let Some(command) = variable(PASSWORD_COMMAND) {
            return command_password(&command);
        }
        Err(Failure::Usage(format!(
            "no password is named: write [offsite] password_file in the configuration, or set \
             {PASSWORD_FILE} or {PASSWORD_COMMAND}"
        )))
    }
}

/// The kinds of places that dumps can be stored in.
fn supported(repository: &str) -> Result<String, Failure> {
    let local = |path: &str| match (path.strip_prefix("~/"), variable("HOME")) {
        (Some(rest), Some(home)) => format!("local:{}", Path::new(&home).join(rest).display()),
        _ => format!("local:{path}"),
    };
    if is_path(repository) {
        return Ok(local(repository));
    }
    match repository.split_once(':') {
        None => Ok(local(repository)),
        Some(("local", path)) => Ok(local(path)),
        Some(("rest" | "rclone", _)) => Ok(repository.to_owned()),
        Some((kind, _)) => Err(Failure::Usage(format!(
            "repositories of the kind '{kind}:' are not supported: give a directory, \
             rest:https://HOST/ or rclone:REMOTE:PATH (rclone knows SFTP, S3 and many others)"
        ))),
    }
}

/// Is it a path and nothing else, whatever stands in it?
fn is_path(repository: &str) -> bool {
    repository.starts_with(['/', '.', '~'])
}

/// A file that only its owner may read: what is in it opens all copies.
fn read_secret(path: &Path, what: &str) -> Result<String, Failure> {
    let shown = Printable::path(path);
    let failed = |error: std::io::Error| {
        Failure::Failed(format!("cannot read the {what} {shown}: {}", Chain(&error)))
    };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::Usage(format!(
            "the {what} {shown} can be read by others (mode {mode:o}): 'chmod 600' it"
        )));
    }
    fs::read_to_string(path).map_err(failed)
}

fn read_password(path: &Path) -> Result<String, Failure> {
    let text = read_secret(path, "password file")?;
    first_line(&text).ok_or_else(|| {
        let shown = Printable::path(path);
        Failure::Usage(format!(
            "the password file {shown} has no password in its first line"
        ))
    })
}

/// As restic takes it: the first line, without its end.
fn first_line(text: &str) -> Option<String> {
    let line = text.lines().next()?.trim_end_matches('\r');
    (!line.is_empty()).then(|| line.to_owned())
}

/// What a command prints.
fn command_password(command: &OsString) -> Result<String, Failure> {
    let failed = |why: String| Failure::Failed(format!("the {PASSWORD_COMMAND} {why}"));
    let ran = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let ran = ran.map_err(|error| failed(format!("cannot be run: {}", Chain(&error))))?;
    if !ran.status.success() {
        return Err(failed(format!("failed: {}", ran.status)));
    }
    let text = String::from_utf8(ran.stdout);
    let text = text.map_err(|_| failed("printed what is not UTF-8".to_owned()))?;
    first_line(&text).ok_or_else(|| failed("printed no password".to_owned()))
}

/// Where copies of indexes and snapshots are kept, so that they need not be
/// fetched each time.
fn cache() -> Option<PathBuf> {
    let absolute = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    let of_unit = absolute("CACHE_DIRECTORY");
    let own = || absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    of_unit
        .or_else(|| Some(own()?.join("dump")))
        .map(|dir| dir.join("offsite"))
}

/// Sets the variables of `environment_file` that the environment does not have,
/// for this program and those that it runs: it starts itself again with them.
pub(crate) fn take_environment(sources: &Sources) -> Result<(), Failure> {
    let Some(file) = sources.offsite_environment_file() else {
        return Ok(());
    };
    let text = read_secret(&file.value, "environment file")?;
    let mut missing = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match assignment(line) {
            Some((name, value)) if env::var_os(name).is_none() => missing.push((name, value)),
            Some(_) => {}
            None if is_comment(line) => {}
            None => {
                let shown = Printable::path(&file.value);
                let number = number + 1;
                let text = format!("{shown}:{number}: expected NAME=VALUE");
                return Err(Failure::Usage(text));
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let own = env::current_exe();
    let own = own.map_err(|error| Failure::Failed(format!("cannot find myself: {error}")))?;
    let mut again = Command::new(own);
    let mut given = env::args_os();
    if let Some(name) = given.next() {
        again.arg0(name);
    }
    let error = again.args(given).envs(missing).exec();
    Err(Failure::Failed(format!(
        "cannot start again with the environment file: {}",
        Chain(&error)
    )))
}

fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// `NAME=VALUE`, also with `export` before it and quotes around the value.
fn assignment(line: &str) -> Option<(&str, &str)> {
    if is_comment(line) {
        return None;
    }
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.chars().all(is_name) {
        return None;
    }
    let quoted = ['"', '\''].iter().find_map(|quote| {
        let inner = value.strip_prefix(*quote)?;
        inner.strip_suffix(*quote)
    });
    Some((name, quoted.unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_as_a_shell_does() {
        for (line, found) in [
            ("A=b", Some(("A", "b"))),
            ("export A_1=b c", Some(("A_1", "b c"))),
            ("A=\"b=c\"", Some(("A", "b=c"))),
            ("A='b'", Some(("A", "b"))),
            ("A=", Some(("A", ""))),
            ("# A=b", None),
            ("", None),
            ("1A=b", None),
            ("A B=c", None),
            ("nothing", None),
        ] {
            assert_eq!(assignment(line), found, "{line}");
        }
    }

    #[test]
    fn a_password_is_the_first_line() {
        for (text, password) in [
            ("secret\n", Some("secret")),
            ("secret\r\nmore\n", Some("secret")),
            (" s \n", Some(" s ")),
            ("\nsecret\n", None),
            ("", None),
        ] {
            assert_eq!(first_line(text).as_deref(), password, "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused() {
        for path in ["local:/srv/r", "/srv/r"] {
            assert_eq!(supported(path).ok().as_deref(), Some("local:/srv/r"));
        }
        assert_eq!(
            supported("/srv/a:b").ok().as_deref(),
            Some("local:/srv/a:b")
        );
        assert_eq!(
            supported("rest:http://h/").ok().as_deref(),
            Some("rest:http://h/")
        );
        let error = supported("gs:bucket:/").expect_err("not known").to_string();
        assert!(error.contains("'gs:'"), "{error}");
    }
}
