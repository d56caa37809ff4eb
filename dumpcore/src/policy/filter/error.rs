//! Why a rule is refused, and where it stood.
//!
//! Promises that a refusal names everything a person needs to mend it: file and
//! line where it has them, the rule as written, and the reason.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::error::Error;
use crate::model::path::Printable;

/// Where a rule was read. Displayed as `FILE line 3`, `line 3` or `single rule`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RuleOrigin {
    /// Nowhere: it was handed over by itself, to
    /// [`Filter::add_rule`](crate::Filter::add_rule).
    Single,
    /// A line, counted from 1, of a text that is not from a file.
    Text {
        /// The line's number, counted from 1.
        line: usize,
    },
    /// A line, counted from 1, of a file of rules.
    File {
        /// The file's name as it was given to
        /// [`Filter::add_lines`](crate::Filter::add_lines).
        name: Arc<Path>,
        /// The line's number, counted from 1.
        line: usize,
    },
}

impl fmt::Display for RuleOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuleOrigin::Single => f.write_str("single rule"),
            RuleOrigin::Text { line } => write!(f, "line {line}"),
            RuleOrigin::File { name, line } => {
                write!(f, "{} line {line}", Printable::path(name))
            }
        }
    }
}

/// Why a rule is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FilterRefusal {
    /// Nothing follows `+ ` or `- `. rsync refuses this too.
    #[error("no pattern follows the sign")]
    Empty,
    /// The pattern has 4096 bytes or more. rsync complains and continues without
    /// the rule.
    #[error("the pattern is longer than 4095 bytes")]
    TooLong,
    /// The rule holds a NUL byte, which no name can hold. rsync would silently
    /// drop the rest of the line; most likely the file separates its rules by
    /// NUL instead of line ends.
    #[error("a rule cannot hold a NUL byte")]
    Nul,
    /// The file begins with the byte order mark of UTF-16 or UTF-32: names are
    /// bytes, and none of its rules would match any. (A file whose first rule is
    /// a name with these bytes needs an empty line before it.)
    #[error("the file is UTF-16 or UTF-32; save it as UTF-8")]
    Encoding,
    /// In rsync's full filter language (`--filter`) this names a file of further
    /// rules, and such files are not read. (In a list of excludes rsync takes it
    /// for a pattern, which is hardly ever meant.)
    #[error("files of further rules are not supported; if this is a name, put \"- \" before it")]
    MergeFile,
    /// In rsync's full filter language (`--filter`) this carries modifiers, and
    /// these are not known here. (In a list of excludes rsync takes it for a
    /// pattern, which is hardly ever meant.)
    #[error("modifiers are not supported; if this is a name, put \"- \" before it")]
    Modifier,
}

/// A rule that is not accepted: where it stood, its text, and the reason.
///
/// Reads like `DIR/exclude line 3: bad rule "- ": no pattern follows the sign`;
/// a rule that was handed over by itself has no place, and it is for the caller
/// to say where that rule is from.
/// Bytes of the rule that are not printable text are written as `\NNN` in octal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}bad rule \"{}\": {refusal}", Place(.origin), Shown(.rule))]
pub struct FilterError {
    origin: RuleOrigin,
    rule: Vec<u8>,
    refusal: FilterRefusal,
}

impl FilterError {
    pub(super) fn new(origin: RuleOrigin, rule: &[u8], refusal: FilterRefusal) -> FilterError {
        FilterError {
            origin,
            rule: rule.to_vec(),
            refusal,
        }
    }

    /// Where the rule stood.
    #[must_use]
    pub fn origin(&self) -> &RuleOrigin {
        &self.origin
    }

    /// The file the rule stood in; nothing for a single rule or a text.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match &self.origin {
            RuleOrigin::Single | RuleOrigin::Text { .. } => None,
            RuleOrigin::File { name, .. } => Some(name.to_path_buf()),
        }
    }

    /// The rule as it was written, without its line end.
    #[must_use]
    pub fn rule(&self) -> &[u8] {
        &self.rule
    }

    /// The reason.
    #[must_use]
    pub fn refusal(&self) -> FilterRefusal {
        self.refusal
    }
}

impl From<FilterError> for Error {
    fn from(error: FilterError) -> Self {
        Error::Other(Box::new(error))
    }
}

/// The beginning of a message: the place, if there is one.
struct Place<'a>(&'a RuleOrigin);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            RuleOrigin::Single => Ok(()),
            line => write!(f, "{line}: "),
        }
    }
}

/// Bytes for a person to read: what could drive a terminal, or is not text, in
/// octal. Unlike in [`Printable`], backslashes stay single: rules are full of
/// them, and a person will look for the rule as it stands in the file.
pub(super) struct Shown<'a>(pub(super) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octal = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| {
            bytes.iter().try_for_each(|byte| write!(f, "\\{byte:03o}"))
        };
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() {
                    octal(f, c.encode_utf8(&mut [0; 4]).as_bytes())?;
                } else {
                    f.write_char(c)?;
                }
            }
            octal(f, chunk.invalid())?;
        }
        Ok(())
    }
}
