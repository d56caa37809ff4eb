//! Why a run, or a query, does without the catalog.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::error::Error;
use crate::model::path::Printable;
use crate::sys::errno;

type Cause = Box<dyn StdError + Send + Sync>;

/// Why the catalog is not used. Nothing of the dumps is lost by that.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.say())]
pub struct CatalogError {
    path: PathBuf,
    op: CatalogOp,
    damaged: bool,
    set_aside: bool,
    #[source]
    cause: Option<Cause>,
}

/// What was done with the catalog when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CatalogOp {
    Open,
    Read,
    Write,
    /// It was not made for this dump root.
    Recognise,
    /// It has tables of a later version: this one.
    Understand(i64),
    /// A directory of a dump, to be recorded.
    List,
    /// Somebody asked to stop.
    Stopped,
    /// The library was built without it, or it cannot be there.
    Unavailable,
    /// It lacks this number of dumps, which is more than a run brings in.
    CatchUp(usize),
}

impl CatalogError {
    pub(super) fn new(path: &Path, op: CatalogOp, cause: Option<Cause>) -> Self {
        Self {
            path: path.to_path_buf(),
            op,
            damaged: false,
            set_aside: false,
            cause,
        }
    }

    /// The system's answer.
    pub(super) fn io(path: &Path, op: CatalogOp, cause: io::Error) -> Self {
        Self::new(path, op, Some(Box::new(cause)))
    }

    /// What was stored cannot be looked at, so that it cannot be recorded.
    pub(crate) fn unseen(path: &Path, cause: io::Error) -> Self {
        Self::io(path, CatalogOp::List, cause)
    }

    /// What is in it cannot be right.
    pub(super) fn damaged(path: &Path, op: CatalogOp, cause: Option<Cause>) -> Self {
        Self {
            damaged: true,
            ..Self::new(path, op, cause)
        }
    }

    /// The same, with the file moved out of the way.
    pub(super) fn with_file_set_aside(self) -> Self {
        Self {
            set_aside: true,
            ..self
        }
    }

    /// The file of the catalog.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Is the file of no use: damaged, or made for another dump root?
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Was the file renamed, so that the next run begins a new one?
    #[must_use]
    pub fn was_set_aside(&self) -> bool {
        self.set_aside
    }

    /// Did somebody ask to stop?
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.op == CatalogOp::Stopped
    }

    /// May this user not read it?
    pub(crate) fn is_closed(&self) -> bool {
        let cause = self.cause.as_ref().and_then(|cause| cause.downcast_ref());
        cause.is_some_and(errno::is_not_permitted)
    }

    /// Is it a dump that could not be looked at, not the catalog?
    pub(crate) fn is_of_a_dump(&self) -> bool {
        self.op == CatalogOp::List
    }

    fn say(&self) -> String {
        let path = Printable::path(&self.path);
        let what = match self.op {
            _ if self.damaged && self.op == CatalogOp::Recognise => {
                format!("the catalog {path} was made for another dump root")
            }
            _ if self.damaged => format!("the catalog {path} is damaged"),
            CatalogOp::Open | CatalogOp::Recognise => format!("cannot open the catalog {path}"),
            CatalogOp::Read => format!("cannot read the catalog {path}"),
            CatalogOp::Write => format!("cannot write to the catalog {path}"),
            CatalogOp::List => format!("cannot look at {path} to record it in the catalog"),
            CatalogOp::Stopped => format!("recording in the catalog {path} was interrupted"),
            CatalogOp::Unavailable => format!("there is no catalog {path}"),
            CatalogOp::Understand(version) => {
                return format!(
                    "the catalog {path} is of a newer version (its tables have number {version}); \
                     use that version, or run `dumpctl catalog rebuild`"
                );
            }
            CatalogOp::CatchUp(dumps) => {
                return format!(
                    "the catalog {path} lacks {dumps} dumps; run `dumpctl catalog rebuild`"
                );
            }
        };
        match self.set_aside {
            true => format!(
                "{what} and was renamed to catalog.bad; run `dumpctl catalog rebuild` for a new one"
            ),
            false => what,
        }
    }
}

impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        Error::Other(Box::new(error))
    }
}

#[cfg(feature = "catalog")]
mod sqlite {
    use rusqlite::{Error, ErrorCode, ffi};

    use super::{CatalogError, CatalogOp, Path};

    impl CatalogError {
        /// SQLite's answer.
        pub(in crate::catalog) fn sqlite(path: &Path, op: CatalogOp, cause: Error) -> Self {
            let damaged = is_damage(&cause);
            Self {
                damaged,
                ..Self::new(path, op, Some(Box::new(cause)))
            }
        }
    }

    impl CatalogError {
        /// Was a writer cut off, and this one may only read? Who may write undoes
        /// what was half done by opening the file.
        pub(in crate::catalog) fn is_cut_off(&self) -> bool {
            let cause = self
                .cause
                .as_ref()
                .and_then(|it| it.downcast_ref::<Error>());
            let code = cause.and_then(Error::sqlite_error);
            code.is_some_and(|code| {
                matches!(
                    code.extended_code,
                    ffi::SQLITE_READONLY_ROLLBACK | ffi::SQLITE_READONLY_RECOVERY
                )
            })
        }
    }

    /// Does the answer mean that the file is of no use? Not when it is locked,
    /// or the disk is full or fails.
    fn is_damage(error: &Error) -> bool {
        match error {
            Error::SqliteFailure(failure, _) => matches!(
                failure.code,
                ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::TypeMismatch
                    | ErrorCode::Unknown
            ),
            // A statement does not fit the tables, or a value its column.
            Error::SqlInputError { .. }
            | Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::QueryReturnedNoRows => true,
            _ => false,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn error(code: i32) -> Error {
            Error::SqliteFailure(ffi::Error::new(code), None)
        }

        #[test]
        fn a_full_or_locked_file_is_not_damaged() {
            use rusqlite::ffi;
            for (code, damaged) in [
                (ffi::SQLITE_CORRUPT, true),
                (ffi::SQLITE_NOTADB, true),
                (ffi::SQLITE_ERROR, true),
                (ffi::SQLITE_CONSTRAINT, true),
                (ffi::SQLITE_BUSY, false),
                (ffi::SQLITE_LOCKED, false),
                (ffi::SQLITE_FULL, false),
                (ffi::SQLITE_IOERR, false),
                (ffi::SQLITE_READONLY, false),
                (ffi::SQLITE_CANTOPEN, false),
                (ffi::SQLITE_NOMEM, false),
            ] {
                let path = Path::new("/dump/.dump/catalog.db");
                let error = CatalogError::sqlite(path, CatalogOp::Read, error(code));
                assert_eq!(error.is_damaged(), damaged, "{code}");
                assert!(std::error::Error::source(&error).is_some());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_to_be_done() {
        let path = Path::new("/dump/.dump/catalog.db");
        let set_aside = CatalogError::damaged(path, CatalogOp::Open, None).with_file_set_aside();
        assert_eq!(
            set_aside.to_string(),
            "the catalog /dump/.dump/catalog.db is damaged and was renamed to catalog.bad; \
             run `dumpctl catalog rebuild` for a new one"
        );
        let newer = CatalogError::new(path, CatalogOp::Understand(7), None);
        assert!(newer.to_string().contains("number 7"), "{newer}");
        assert!(!newer.is_damaged());
        let lacks = CatalogError::new(path, CatalogOp::CatchUp(51), None);
        assert!(lacks.to_string().contains("lacks 51 dumps"), "{lacks}");
    }
}
