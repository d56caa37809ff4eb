//! Commands of the configuration that run before and after the work.
//!
//! A string is given to `sh -c`, a list is a program and its arguments. What
//! they print goes to stderr, since stdout may carry JSON. How the run went
//! is in their environment: `DUMP_PROGRAM`, `DUMP_HOOK` (`pre` or `post`),
//! `DUMP_ROOT` (the dump root), `DUMP_DRY_RUN` (`1` when it is one); and for
//! `post` also `DUMP_STATUS`, `DUMP_EXIT`, `DUMP_PATH`, `DUMP_SOURCE`,
//! `DUMP_REFERENCE`, `DUMP_LINKED`, `DUMP_COPIED`, `DUMP_BYTES`, `DUMP_FAULTS`,
//! `DUMP_SECONDS` and `DUMP_ERROR`, as far as there is such a thing. All paths
//! are absolute.

use std::ffi::OsString;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use dumpcore::Report;
use rustix::process::{Pid, Signal, kill_process};

use crate::config::keys::OneOrMany;
use crate::config::origin::Value;
use crate::failure::{Failure, HookFault};
use crate::paths::absolute;
use crate::run::signals::Stop;

/// How often it is looked whether a command has ended, or is to be stopped.
const LOOK: Duration = Duration::from_millis(20);

/// Variables for a command.
pub type Variables = Vec<(&'static str, OsString)>;

/// Variables for a command, and the names of those that it must not have.
pub type Environment<'a> = (Variables, &'a [OsString]);

/// By this code a `pre` command says "not now": `EX_TEMPFAIL` of `sysexits.h`.
const NOT_NOW: i32 = 75;

/// How a command ended that did not succeed.
#[derive(Debug, thiserror::Error)]
enum HookError {
    /// With exit code 75.
    #[error("said \"not now\" (exit status {NOT_NOW})")]
    NotNow,
    /// It could not be started, or ended in any other way.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl From<HookError> for io::Error {
    fn from(error: HookError) -> Self {
        match error {
            HookError::NotNow => io::Error::other(format!("exit status: {NOT_NOW}")),
            HookError::Failed(error) => error,
        }
    }
}

/// Runs a command to its end. When `stop` is set meanwhile, the command is
/// asked to end as well.
///
/// # Errors
/// When it cannot be started, or ends in any other way than with success.
fn run(
    command: &OneOrMany,
    (variables, without): Environment<'_>,
    stop: Option<&Stop>,
) -> Result<(), HookError> {
    let mut command = prepared(command);
    for name in without {
        command.env_remove(name);
    }
    command
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::from(io::stderr()));
    let mut child = command.spawn()?;
    let status = wait(&mut child, stop)?;
    match status.code() {
        Some(0) => Ok(()),
        Some(NOT_NOW) => Err(HookError::NotNow),
        _ => Err(io::Error::other(format!("{status}")).into()),
    }
}

/// Runs the command `pre`, where there is one.
///
/// # Errors
/// It failed, or said "not now"; [`Failure::Stopped`] when `stop` is set by then.
pub fn before(
    hook: Option<&Value<OneOrMany>>,
    environment: Environment<'_>,
    stop: &Stop,
) -> Result<(), Failure> {
    if let Some(hook) = hook.filter(|hook| !hook.value.is_empty()) {
        let ran = run(&hook.value, environment, Some(stop));
        if !stop.is_set()
            && let Err(error) = ran
        {
            let shown = shown(&hook.value);
            return Err(match error {
                HookError::NotNow => Failure::NotNow(format!("the pre hook '{shown}' {error}")),
                HookError::Failed(_) => {
                    Failure::Failed(format!("the pre hook '{shown}' failed: {error}"))
                }
            });
        }
    }
    match stop.is_set() {
        true => Err(Failure::Stopped),
        false => Ok(()),
    }
}

/// Runs the command `post`, where there is one, also after a run that was stopped:
/// it still has its say. Its own failure is logged.
#[must_use]
pub fn after(hook: Option<&Value<OneOrMany>>, environment: Environment<'_>) -> Option<HookFault> {
    let hook = hook.filter(|hook| !hook.value.is_empty())?;
    let error = run(&hook.value, environment, None).err()?;
    let fault = HookFault {
        command: shown(&hook.value),
        cause: error.into(),
    };
    tracing::error!(
        DUMP_OPERATION = HookFault::OPERATION,
        DUMP_ERROR = %fault.cause,
        "{fault}"
    );
    Some(fault)
}

/// What `post` learns of a dump that was published.
#[must_use]
pub fn of_report(report: &Report) -> Variables {
    let mut variables: Variables = vec![("DUMP_PATH", absolute(&report.dump).into())];
    for (name, path) in [
        ("DUMP_SOURCE", &report.source),
        ("DUMP_REFERENCE", &report.reference),
    ] {
        variables.extend(path.as_ref().map(|path| (name, absolute(path).into())));
    }
    let counts = &report.counts;
    for (name, number) in [
        ("DUMP_LINKED", counts.linked.number),
        ("DUMP_COPIED", counts.copied().number),
        ("DUMP_BYTES", counts.copied().bytes),
        ("DUMP_FAULTS", counts.faults),
    ] {
        variables.push((name, number.to_string().into()));
    }
    let seconds = format!("{:.3}", report.seconds());
    variables.push(("DUMP_SECONDS", seconds.into()));
    variables
}

/// A command as messages show it.
fn shown(command: &OneOrMany) -> String {
    command.as_slice().join(" ")
}

fn prepared(command: &OneOrMany) -> Command {
    match command {
        OneOrMany::One(line) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(line);
            shell
        }
        OneOrMany::Many(words) => {
            let mut program = Command::new(words.first().map_or("", String::as_str));
            program.args(words.iter().skip(1));
            program
        }
    }
}

fn wait(child: &mut Child, stop: Option<&Stop>) -> io::Result<ExitStatus> {
    let mut asked = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if !asked && stop.is_some_and(Stop::is_set) {
            asked = true;
            let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            if let Some(id) = id {
                // Fails only when it has just ended by itself.
                let _ = kill_process(id, Signal::TERM);
            }
        }
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Instant;

    #[test]
    fn a_command_sees_its_variables() {
        let dir = assert_fs::TempDir::new().expect("a directory for the test");
        let out = dir.path().join("out");
        let variables = vec![
            ("DUMP_STATUS", "complete".into()),
            ("OUT", out.clone().into()),
        ];
        let line = OneOrMany::One("echo \"$DUMP_STATUS\" > \"$OUT\"".into());
        run(&line, (variables, &[]), None).expect("succeeds");
        assert_eq!(fs::read_to_string(out).expect("written"), "complete\n");
    }

    #[test]
    fn a_command_lacks_what_is_not_for_it() {
        let line = OneOrMany::One("test -n \"$HOME$CARGO_PKG_NAME\"".into());
        let set = vec![("CARGO_PKG_NAME", "set".into())];
        run(&line, (set, &[]), None).expect("has both");
        let without = ["HOME", "CARGO_PKG_NAME"].map(OsString::from);
        assert!(run(&line, (Vec::new(), &without), None).is_err());
    }

    #[test]
    fn failure_is_told() {
        let line = OneOrMany::One("exit 3".into());
        let error = run(&line, (Vec::new(), &[]), None).expect_err("fails");
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        let line = OneOrMany::One("exit 75".into());
        let error = run(&line, (Vec::new(), &[]), None).expect_err("not now");
        assert!(matches!(error, HookError::NotNow), "{error}");
        let words = OneOrMany::Many(vec!["/nowhere/at all".into()]);
        assert!(run(&words, (Vec::new(), &[]), None).is_err());
        assert_eq!(shown(&words), "/nowhere/at all");
    }

    #[test]
    fn a_list_is_not_for_the_shell() {
        let words = ["test", "$HOME", "=", "$HOME"].map(String::from);
        run(&OneOrMany::Many(words.to_vec()), (Vec::new(), &[]), None).expect("succeeds");
    }

    #[test]
    fn a_stop_ends_the_command_too() {
        let stop = Stop::default();
        stop.set_for_test();
        let words = ["sleep", "60"].map(String::from);
        let begun = Instant::now();
        let error = run(
            &OneOrMany::Many(words.to_vec()),
            (Vec::new(), &[]),
            Some(&stop),
        );
        assert!(error.is_err());
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
