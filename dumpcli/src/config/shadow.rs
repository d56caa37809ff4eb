//! `[shadow_copies]`: where Samba finds dumps as previous versions.
//!
//! It is read apart from the other keys: what is wrong in it is kept with it, and
//! never stops a dump.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeValue, Deserializer};

/// The table as it was read: what it says, or what is wrong with it, with its place
/// in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowTable(pub Result<ShadowKeys, String>);

/// Its keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShadowKeys {
    /// The directory of the links.
    pub dir: String,
    /// The tree that they lead to, where the set has several.
    pub tree: Option<String>,
    /// A read-only mount of the dump root, for the links to lead through.
    pub through: Option<String>,
}

impl ShadowTable {
    /// Reads a table. `refused`: makes a sentence, with its place, of what the
    /// parser says; `wrong`: of what we say.
    pub(super) fn read(
        value: Spanned<DeValue<'_>>,
        refused: impl Fn(&toml::de::Error) -> String,
        wrong: impl Fn(usize, &str) -> String,
    ) -> Self {
        let span = value.span();
        let start = span.start;
        let DeValue::Table(table) = value.into_inner() else {
            return Self(Err(wrong(start, "`shadow_copies` should be a table")));
        };
        let keys = ShadowKeys::deserialize(Deserializer::from(Spanned::new(span, table)));
        Self(match keys {
            Err(error) => Err(refused(&error)),
            Ok(keys) if keys.dir.is_empty() => Err(wrong(start, "`dir` names no directory")),
            Ok(keys) if keys.through.as_deref() == Some("") => {
                Err(wrong(start, "`through` names no directory"))
            }
            Ok(keys) => Ok(keys),
        })
    }
}
