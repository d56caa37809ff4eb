//! `[keep]`: which dumps stay.
//!
//! It is read apart from the other keys: what is wrong in it is kept with it, and
//! decided by each program. It never stops a dump.

use std::fmt;

use dumpcore::{KeepAmount, KeepPeriod, KeepPolicy};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer as TomlDeserializer};

/// The table as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepTable {
    /// Does it say that a run prunes by itself? Where it does not say, one does by
    /// `[slave.keep]` and not by `[keep]`.
    pub auto: Option<bool>,
    /// What it says, or what is wrong with it, with its place in the file.
    pub policy: Result<KeepPolicy, String>,
    /// Its keys and values as they were written.
    pub written: toml::Table,
}

/// What was found wrong, and the byte where it stands.
pub(super) type Wrong = (usize, String);

/// The keys of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    auto: Option<bool>,
    last: Option<Spanned<Text>>,
    hourly: Option<Spanned<Text>>,
    daily: Option<Spanned<Text>>,
    weekly: Option<Spanned<Text>>,
    monthly: Option<Spanned<Text>>,
    yearly: Option<Spanned<Text>>,
    checkpoints: Option<Spanned<Text>>,
    free: Option<Spanned<String>>,
    at_least: Option<Spanned<String>>,
}

impl KeepTable {
    /// Reads a table. `refused`: makes a sentence, with its place, of what the
    /// parser says; `wrong`: of what we say.
    pub(super) fn read(
        value: Spanned<DeValue<'_>>,
        refused: impl Fn(&toml::de::Error) -> String,
        wrong: impl Fn(usize, &str) -> String,
    ) -> Self {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            return Self {
                auto: None,
                policy: Err(wrong(span.start, "`keep` should be a table")),
                written: toml::Table::new(),
            };
        };
        let mut auto = is_auto(&table);
        let copy = TomlDeserializer::from(Spanned::new(span.clone(), table.clone()));
        let written = toml::Table::deserialize(copy).unwrap_or_default();
        let start = span.start;
        let policy = match Keys::deserialize(TomlDeserializer::from(Spanned::new(span, table))) {
            Err(error) => Err(refused(&error)),
            Ok(keys) => {
                auto = keys.auto;
                let policy = keys.policy(start);
                policy.map_err(|(at, message)| wrong(at, &message))
            }
        };
        Self {
            auto,
            policy,
            written,
        }
    }
}

/// What it says for `auto`, whatever else is wrong.
fn is_auto(table: &DeTable<'_>) -> Option<bool> {
    match table.get("auto").map(Spanned::get_ref) {
        Some(DeValue::Boolean(auto)) => Some(*auto),
        _ => None,
    }
}

impl Keys {
    fn policy(&self, at: usize) -> Result<KeepPolicy, Wrong> {
        let mut policy = KeepPolicy::new();
        let periods = [
            &self.last,
            &self.hourly,
            &self.daily,
            &self.weekly,
            &self.monthly,
            &self.yearly,
        ];
        for (period, amount) in KeepPeriod::ALL.into_iter().zip(periods) {
            if let Some(amount) = amount {
                let read = amount.get_ref().0.parse::<KeepAmount>();
                policy = policy.keep(period, read.map_err(|bad| wrong(amount, &bad))?);
            }
        }
        if let Some(number) = &self.checkpoints {
            let read = policy.checkpoints_text(&number.get_ref().0);
            policy = read.map_err(|bad| wrong(number, &bad))?;
        }
        if let Some(goal) = &self.free {
            let read = goal.get_ref().parse();
            policy = policy.free(read.map_err(|bad| wrong(goal, &bad))?);
        }
        if let Some(span) = &self.at_least {
            let read = policy.at_least_text(span.get_ref());
            policy = read.map_err(|bad| wrong(span, &bad))?;
        }
        match policy.check() {
            Ok(()) => Ok(policy),
            Err(empty) => Err((at, empty.to_string())),
        }
    }
}

fn wrong<T>(value: &Spanned<T>, bad: &impl fmt::Display) -> Wrong {
    (value.span().start, bad.to_string())
}

/// A string, or a whole number.
#[derive(Clone, Debug)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 1, a span of time such as \"2w\", or \"all\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
