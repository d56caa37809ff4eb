//! The exit codes of all programs, and what leads to which.

use std::process::ExitCode;

use dumpcore::{Error, Report};

use crate::failure::Failure;

macro_rules! help {
    ($usage:literal, $partly:literal) => {
        concat!(
            "\
Exit codes:
  0         done, everything was dumped
  1         failed: nothing was published, `current` is unchanged
  2         wrong usage: ",
            $usage,
            "
  23        partly done: published, but ",
            $partly,
            "
  75        another run is using this dump root, or the `pre` hook exited with
            75 (\"not now\")
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143): nothing was
            published; the next run continues from there"
        )
    };
}

/// The table of exit codes, as it stands at the end of every `--help`.
pub const HELP: &str = help!(
    "options, configuration or exclude rules",
    "some entries could not be read, a
            policy cannot be used or would remove too many dumps at once,
            the disk failed while dumps were removed, or the `post` hook
            failed; each is named"
);
/// The same of a program that has no exclude rules.
pub const HELP_WITHOUT_RULES: &str = help!(
    "options or configuration",
    "some entries could not be read, the
            checkpoint before is damaged (--linked), or the `post` hook failed;
            each is named"
);

/// A signal that asks a run to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: somebody pressed Ctrl-C.
    Interrupt,
    /// SIGTERM, or SIGHUP.
    Terminate,
}

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, everything dumped.
    Done,
    /// Failed; nothing was published.
    Failed,
    /// Wrong options, configuration or rules.
    Usage,
    /// It looked, and something needs attention.
    Attention,
    /// Published, with faults.
    Partial,
    /// Another run holds the dump root.
    Busy,
    /// The `pre` hook said that it is not the time for it.
    NotNow,
    /// Stopped by a signal; nothing was published.
    Stopped(Signal),
}

impl Exit {
    /// The code that the system is given.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Attention => 3,
            Exit::Partial => 23,
            Exit::Busy | Exit::NotNow => 75,
            // As a shell counts them.
            Exit::Stopped(Signal::Interrupt) => 130,
            Exit::Stopped(Signal::Terminate) => 143,
        }
    }

    /// One word, for machines: `DUMP_STATUS`, and `status` in JSON.
    #[must_use]
    pub fn status(self) -> &'static str {
        match self {
            Exit::Done => "complete",
            Exit::Failed => "failed",
            Exit::Usage => "usage",
            Exit::Attention => "attention",
            Exit::Partial => "partial",
            Exit::Busy => "busy",
            Exit::NotNow => "not_now",
            Exit::Stopped(_) => "stopped",
        }
    }

    /// Of a run that published, or in a dry run would have.
    #[must_use]
    pub fn of_report(report: &Report) -> Self {
        if report.is_complete() {
            Exit::Done
        } else {
            Exit::Partial
        }
    }

    /// Of a run that a signal stopped, this one if it is known.
    #[must_use]
    pub fn stopped(signal: Option<Signal>) -> Self {
        Exit::Stopped(signal.unwrap_or(Signal::Interrupt))
    }

    /// Of a program that did not do its work. `signal` is the one that asked it
    /// to stop.
    #[must_use]
    pub fn of_failure(failure: &Failure, signal: Option<Signal>) -> Self {
        match failure {
            Failure::Usage(_) => Exit::Usage,
            Failure::Failed(_) => Exit::Failed,
            Failure::NotNow(_) => Exit::NotNow,
            Failure::Stopped | Failure::StoppedAt(_) => Exit::stopped(signal),
            Failure::Core { error, .. } => Exit::of_error(error, signal),
        }
    }

    /// Of a run that did not. `signal` is the one that asked it to stop.
    #[must_use]
    pub fn of_error(error: &Error, signal: Option<Signal>) -> Self {
        match error {
            Error::Busy { .. } => Exit::Busy,
            Error::Interrupted => Exit::stopped(signal),
            // What a person typed, and no disk needs to be asked about.
            Error::NoRoots
            | Error::SameTree { .. }
            | Error::SameName { .. }
            | Error::BadRootName { .. } => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::PathBuf;

    #[test]
    fn codes_are_those_of_the_table() {
        let table = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::Partial, 23),
            (Exit::Busy, 75),
            (Exit::NotNow, 75),
            (Exit::Stopped(Signal::Interrupt), 130),
            (Exit::Stopped(Signal::Terminate), 143),
        ];
        for (exit, code) in table {
            assert_eq!(exit.code(), code, "{exit:?}");
            assert!(HELP.contains(&code.to_string()), "{code} is in the help");
        }
        // No run that dumps ends so.
        assert_eq!(Exit::Attention.code(), 3);
    }

    #[test]
    fn errors_lead_to_their_codes() {
        let dump = PathBuf::from("/dump");
        let busy = Error::Busy { dump: dump.clone() };
        assert_eq!(Exit::of_error(&busy, None), Exit::Busy);
        let none = Error::NoCurrent { dump: dump.clone() };
        assert_eq!(Exit::of_error(&none, None), Exit::Failed);
        let cause = io::Error::from_raw_os_error(2);
        let main = Error::MainUnusable { path: dump, cause };
        assert_eq!(Exit::of_error(&main, None), Exit::Failed);
        assert_eq!(Exit::of_error(&Error::NoRoots, None), Exit::Usage);
        for signal in [Signal::Interrupt, Signal::Terminate] {
            let exit = Exit::of_error(&Error::Interrupted, Some(signal));
            assert_eq!(exit, Exit::Stopped(signal));
            assert_eq!(Exit::of_failure(&Failure::Stopped, Some(signal)), exit);
        }
    }
}
