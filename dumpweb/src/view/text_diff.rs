//! How two versions of a text differ, as rows of two columns.

use std::time::Duration;

use dumpcore::{EntryAt, Kind};
use similar::{DiffOp, DiffTag, TextDiff};

use crate::view::contents::Contents;
use crate::view::error::ViewError;
use crate::view::stop::Stop;

/// Lines around a difference.
const CONTEXT: usize = 3;

/// A better comparison than the one found in this time is not waited for.
const LONG_ENOUGH: Duration = Duration::from_secs(2);

/// The number of rows that are shown at most.
const ROWS: usize = 5_000;

/// Two versions of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextDifference {
    /// Parts of the text that differ, with some lines around them.
    pub hunks: Vec<Vec<DiffRow>>,
    /// Was something left out, since there is too much of it?
    pub is_cut: bool,
    /// Lines that only the newer version has.
    pub added: usize,
    /// Lines that only the older version has.
    pub removed: usize,
}

/// Two versions of an entry, compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Line by line; `None` of what is not text in both.
    pub text: Option<TextDifference>,
    /// Do they hold the same bytes? `None` where they were not read as a whole.
    pub is_same: Option<bool>,
}

/// A line with its number, from 1.
pub type Line = (usize, String);

/// A line of both versions, or of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffRow {
    /// As the older version has it.
    pub old: Option<Line>,
    /// As the newer version has it.
    pub new: Option<Line>,
    /// Are they the same?
    pub is_same: bool,
}

impl Compared {
    /// Compares two versions.
    ///
    /// # Errors
    /// This user may not read them.
    pub fn read(old: &EntryAt, new: &EntryAt, stop: &Stop) -> Result<Self, ViewError> {
        let (before, after) = (old.meta(), new.meta());
        let is_same = match (before.kind, after.kind) {
            _ if before.id() == after.id() => Some(true),
            (Kind::File, Kind::File) => return Self::files(old, new, stop),
            (Kind::Symlink, Kind::Symlink) => Some(old.target()? == new.target()?),
            (one, other) => (one != other).then_some(false),
        };
        Ok(Self {
            text: None,
            is_same,
        })
    }

    fn files(old: &EntryAt, new: &EntryAt, stop: &Stop) -> Result<Self, ViewError> {
        let same_size = old.meta().size == new.meta().size;
        let read = |entry| Contents::read(entry, false, stop);
        let (old, new) = (read(old)?, read(new)?);
        let is_same = match (old.hash, new.hash) {
            _ if !same_size => Some(false),
            (Some(old), Some(new)) => Some(old == new),
            _ => None,
        };
        let is_cut = old.is_cut || new.is_cut;
        let text = old.text.zip(new.text).map(|(old, new)| TextDifference {
            is_cut,
            ..TextDifference::between(&old, &new)
        });
        Ok(Self { text, is_same })
    }
}

impl TextDifference {
    /// Compares two texts line by line.
    #[must_use]
    pub fn between(old: &str, new: &str) -> Self {
        let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
        let diff = TextDiff::configure()
            .timeout(LONG_ENOUGH)
            .diff_slices(&old, &new);
        let mut found = Self::default();
        let mut rows = 0;
        for group in diff.grouped_ops(CONTEXT) {
            let mut hunk = Vec::new();
            for op in &group {
                hunk.extend(rows_of(op, &old, &new));
                if op.tag() != DiffTag::Equal {
                    found.removed += op.old_range().len();
                    found.added += op.new_range().len();
                }
            }
            rows += hunk.len();
            if rows > ROWS {
                found.is_cut = true;
                hunk.truncate(ROWS.saturating_sub(rows - hunk.len()));
            }
            if !hunk.is_empty() {
                found.hunks.push(hunk);
            }
        }
        found
    }
}

/// The rows of a part: lines that replace others stand beside them.
fn rows_of(op: &DiffOp, old: &[&str], new: &[&str]) -> Vec<DiffRow> {
    let line = |lines: &[&str], at: Option<usize>| -> Option<Line> {
        let at = at?;
        Some((at + 1, (*lines.get(at)?).to_owned()))
    };
    let (olds, news) = (op.old_range(), op.new_range());
    let is_same = op.tag() == DiffTag::Equal;
    let rows = (0..olds.len().max(news.len())).map(|number| DiffRow {
        old: line(old, olds.clone().nth(number)),
        new: line(new, news.clone().nth(number)),
        is_same,
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_beside_those_that_they_replace() {
        let old = "one\ntwo\nthree\nfour\n";
        let new = "one\n2\n2b\nthree\nfour\nfive\n";
        let found = TextDifference::between(old, new);
        assert_eq!((found.added, found.removed, found.hunks.len()), (3, 1, 1));
        let rows: Vec<_> = found.hunks[0]
            .iter()
            .map(|row| {
                let text =
                    |line: &Option<Line>| line.as_ref().map(|(n, text)| format!("{n}{text}"));
                (text(&row.old), text(&row.new), row.is_same)
            })
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            rows,
            [
                (some("1one"), some("1one"), true),
                (some("2two"), some("22"), false),
                (None, some("32b"), false),
                (some("3three"), some("4three"), true),
                (some("4four"), some("5four"), true),
                (None, some("6five"), false),
            ]
        );
        assert_eq!(TextDifference::between(old, old), TextDifference::default());
    }

    #[test]
    fn too_many_rows_are_cut() {
        let new: String = (0..2 * ROWS).map(|line| format!("{line}\n")).collect();
        let found = TextDifference::between("", &new);
        assert!(found.is_cut && found.added == 2 * ROWS);
        assert_eq!(found.hunks.iter().map(Vec::len).sum::<usize>(), ROWS);
    }
}
