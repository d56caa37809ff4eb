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
use dumpcli::origin::{Source, Value};
use dumpcli::settings::Sources;
use dumpcore::{Chain, Printable};

use crate::repository::{Address, secrets};

const REPOSITORY: &str = "RESTIC_REPOSITORY";
const PASSWORD_FILE: &str = "RESTIC_PASSWORD_FILE";
const PASSWORD_COMMAND: &str = "RESTIC_PASSWORD_COMMAND";

/// What the configuration and the environment say.
pub(crate) struct Place {
    pub(crate) repository: Option<Value<String>>,
    pub(crate) password: Option<Value<Password>>,
}

/// Where the password comes from.
pub(crate) enum Password {
    File(PathBuf),
    Command(OsString),
}

/// The variable, unless it is empty.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

impl Place {
    pub(crate) fn of(sources: &Sources) -> Self {
        // An address that is not UTF-8 fails, and no other one is taken.
        let repository = variable(REPOSITORY).map(|value| value.to_string_lossy().into_owned());
        let repository = sources.offsite_repository(repository.map(|value| (REPOSITORY, value)));
        let repository = repository.map(|found| resolved(found, sources));
        if let Some(repository) = &repository {
            secrets::hide_those_of(&repository.value);
        }
        let command = variable(PASSWORD_COMMAND).map(|value| (PASSWORD_COMMAND, value));
        let given = command.or_else(|| Some((PASSWORD_FILE, variable(PASSWORD_FILE)?)));
        let given = given.map(|(name, value)| (name, PathBuf::from(value)));
        let password = sources.offsite_password_file(given);
        let password = password.map(|Value { value, source }| Value {
            value: match source {
                Source::Env(PASSWORD_COMMAND) => Password::Command(value.into_os_string()),
                _ => Password::File(value),
            },
            source,
        });
        Self {
            repository,
            password,
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
            shown: secrets::shown(&repository.value),
            password: self.password()?,
            cache: if is_local { None } else { cache() },
        })
    }

    fn password(&self) -> Result<String, Failure> {
        let Some(password) = &self.password else {
            return Err(Failure::Usage(format!(
                "no password is named: write [offsite] password_file in the configuration, or set \
                 {PASSWORD_FILE} or {PASSWORD_COMMAND}"
            )));
        };
        match &password.value {
            Password::File(file) => read_password(file),
            Password::Command(_) if variable(PASSWORD_FILE).is_some() => Err(Failure::Usage(
                format!("{PASSWORD_FILE} and {PASSWORD_COMMAND} are both set: unset one of them"),
            )),
            Password::Command(command) => command_password(command),
        }
    }
}

/// A relative path of the configuration is meant from the directory of that file,
/// one of the environment from the current directory.
fn resolved(repository: Value<String>, sources: &Sources) -> Value<String> {
    let Value { value, source } = repository;
    let path = match (&source, value.split_once(':')) {
        (Source::File { .. }, _) if is_path(&value) => Some(value.as_str()),
        (Source::File { .. }, None) => Some(value.as_str()),
        (Source::File { .. }, Some(("local", path))) => Some(path),
        _ => None,
    };
    let path = path.and_then(|path| sources.path(path).into_os_string().into_string().ok());
    Value {
        value: path.unwrap_or(value),
        source,
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
/// Gives the names of all of them.
pub(crate) fn take_environment(sources: &Sources) -> Result<Vec<OsString>, Failure> {
    let Some(file) = sources.offsite_environment_file() else {
        return Ok(Vec::new());
    };
    let text = read_secret(&file.value, "environment file")?;
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match assignment(line) {
            Some(found) => all.push(found),
            None if is_comment(line) => {}
            None => {
                let shown = Printable::path(&file.value);
                let number = number + 1;
                let text = format!("{shown}:{number}: expected NAME=VALUE");
                return Err(Failure::Usage(text));
            }
        }
    }
    for (_, value) in all.iter().filter(|(name, _)| is_secret(name)) {
        secrets::hide(value);
    }
    let missing: Vec<_> = all
        .iter()
        .filter(|(name, _)| env::var_os(name).is_none())
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(all.iter().map(|(name, _)| name.into()).collect());
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

/// Is the value of this variable one that nobody should see?
fn is_secret(name: &str) -> bool {
    let is_reference = name.ends_with("_FILE") || name.ends_with("_COMMAND");
    let says_so = ["PASS", "SECRET", "KEY", "TOKEN"];
    !is_reference && says_so.iter().any(|word| name.contains(word))
}

/// The variables of the environment that are for this program alone, besides those
/// of `environment_file`.
pub(crate) fn own_variables() -> impl Iterator<Item = OsString> {
    let names = env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(b"RESTIC_"))
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
