//! Text that fits a terminal.
//!
//! Widths are in columns, not in characters: a Chinese character takes two, an
//! accent of its own none. What is measured here has no control characters:
//! paths come through [`Printable`](dumpcore::Printable).

use std::borrow::Cow;

use console::Term;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for the part that is left out.
const GAP: &str = "…";

/// How many columns stdout has; `None` when it is not a terminal.
#[must_use]
pub fn stdout_columns() -> Option<usize> {
    let (_, columns) = Term::stdout().size_checked()?;
    Some(columns.into())
}

/// How many columns stderr has; `None` when it is not a terminal.
pub(crate) fn stderr_columns() -> Option<usize> {
    let (_, columns) = Term::stderr().size_checked()?;
    Some(columns.into())
}

/// How many columns a text takes. Terminals do not agree on sequences that make
/// one sign of several characters: the wider reading counts.
#[must_use]
pub fn columns(text: &str) -> usize {
    let each: usize = text.chars().map(|c| c.width().unwrap_or(0)).sum();
    each.max(text.width())
}

/// The text, or as much of its beginning as fits, with `…` behind it.
#[must_use]
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if columns(text) <= most {
        return text.into();
    }
    if most == 0 {
        return "".into();
    }
    format!("{}{GAP}", head(text, most - 1)).into()
}

/// The words of a text in lines of at most this many columns; a longer word has
/// a line for itself.
#[must_use]
pub fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The path, or its two ends with `…` between them, cut at slashes where there
/// are some. Its last name is whole as long as there is room for it.
#[must_use]
pub fn path(text: &str, most: usize) -> Cow<'_, str> {
    if columns(text) <= most {
        return text.into();
    }
    let name = last_name(text).filter(|name| columns(name) < most);
    // Both ends may be wider together than each for itself.
    for room in (2..most).rev() {
        let first = match name {
            Some(name) => head(text, (room / 2).min(room.saturating_sub(columns(name)))),
            None => head(text, room / 2),
        };
        let first = first.rfind('/').map_or(first, |slash| &first[..=slash]);
        let last = tail(text, room - columns(first));
        let last = last.find('/').map_or(last, |slash| &last[slash..]);
        let whole = format!("{first}{GAP}{last}");
        if columns(&whole) <= most {
            return whole.into();
        }
    }
    cut(text, most)
}

/// The last name of a path, with the slash before it, and the one behind a
/// directory's.
fn last_name(text: &str) -> Option<&str> {
    let slash = text.strip_suffix('/').unwrap_or(text).rfind('/')?;
    Some(&text[slash..])
}

/// The longest beginning that fits.
fn head(text: &str, most: usize) -> &str {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let fitting = ends.take_while(|end| columns(&text[..*end]) <= most);
    &text[..fitting.last().unwrap_or(0)]
}

/// The longest end that fits.
fn tail(text: &str, most: usize) -> &str {
    let starts = text.char_indices().rev().map(|(at, _)| at);
    let fitting = starts.take_while(|at| columns(&text[*at..]) <= most);
    &text[fitting.last().unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_keeps_both_ends() {
        let long = "home/glenda/projects/dump/dumpcli/src/report.rs";
        for (text, most, expected) in [
            ("home/a", 6, "home/a"),
            ("home/ab", 6, "ho…/ab"),
            (long, 47, long),
            (long, 30, "home/glenda/…/src/report.rs"),
            (long, 20, "home/…/src/report.rs"),
            (long, 14, "hom…/report.rs"),
            (long, 10, "home…rt.rs"),
            ("/home/glenda/a-long-name.tex", 20, "/…/a-long-name.tex"),
            ("/home/glenda/directory/", 20, "/home/…/directory/"),
            ("/home/glenda/directory/", 13, "/…/directory/"),
            (long, 1, "…"),
            (long, 0, ""),
            ("日本語/日本語/日本語", 12, "日本…/日本語"),
        ] {
            let fitted = path(text, most);
            assert!(columns(&fitted) <= most, "{fitted}");
            assert_eq!(fitted, expected, "{text} in {most}");
        }
    }

    #[test]
    fn what_is_cut_says_so() {
        for (text, most, expected) in [
            ("dumping", 7, "dumping"),
            ("dumping", 6, "dumpi…"),
            ("日本", 3, "日…"),
            ("日本", 2, "…"),
            ("a", 0, ""),
        ] {
            assert_eq!(cut(text, most), expected, "{text} in {most}");
        }
    }

    #[test]
    fn words_are_not_broken() {
        let lines = |most| wrapped("copy the  newest\ndump", most);
        assert_eq!(lines(80), ["copy the newest dump"]);
        assert_eq!(lines(15), ["copy the newest", "dump"]);
        assert_eq!(lines(4), ["copy", "the", "newest", "dump"]);
        assert!(wrapped(" ", 4).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked_for(text in "\\PC{0,80}", most in 0_usize..90) {
            prop_assert!(columns(&cut(&text, most)) <= most);
            prop_assert!(columns(&path(&text, most)) <= most);
        }
    }
}
