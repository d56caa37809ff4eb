//! Two versions of a text, side by side or in one column.

use dumpcore::{DumpId, RelPath};
use maud::{Markup, html};

use crate::address;
use crate::page::file::visible;
use crate::page::layout::way;
use crate::page::text;
use crate::view::text_diff::{Compared, DiffRow, Line};

/// Two versions of a file, the older one first.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The dump of the older one.
    pub old: DumpId,
    /// The dump of the newer one.
    pub new: DumpId,
    /// The path in both.
    pub within: &'a RelPath,
    /// In one column?
    pub is_unified: bool,
}

/// How they differ.
#[must_use]
pub fn text_diff(pair: Pair<'_>, found: &Compared) -> Markup {
    let Pair {
        old,
        new,
        within,
        is_unified,
    } = pair;
    let other = |is_unified: bool| {
        let mut asked: Vec<(&str, &[u8])> = Vec::new();
        let old = old.to_string();
        asked.push(("with", old.as_bytes()));
        if is_unified {
            asked.push(("unified", b"1"));
        }
        address::with(&address::at(new, within), &asked)
    };
    html! {
        (way(new, within))
        h1.file { (text::name(text::last(within))) }
        p.summary {
            a href=(address::at(old, within)) { (old) } " → " a href=(address::at(new, within)) { (new) }
            " · "
            a href=(other(!is_unified)) { (if is_unified { "side by side" } else { "in one column" }) }
        }
        @match (&found.text, found.is_same) {
            (_, Some(true)) => { p.quiet { "Both versions have the same content." } }
            (None, Some(false)) => { p.quiet { "They differ, and are not both text." } }
            (None, None) => { p.quiet { "They are not text, and were not compared as a whole: download them to compare." } }
            (Some(found), _) if found.hunks.is_empty() && !found.is_cut => {
                p.quiet { "The lines are the same; line ends, or bytes that are not UTF-8, differ." }
            }
            (Some(found), _) => {
                p.quiet { span.added { "+" (found.added) } " " span.removed { "−" (found.removed) } " lines" }
                @if found.is_cut { p.quiet { "Not all of it is shown." } }
                @for hunk in &found.hunks {
                    @if is_unified { (unified(hunk)) } @else { (side_by_side(hunk)) }
                }
            }
        }
    }
}

fn number(line: Option<&Line>) -> Markup {
    html! { td.number { @if let Some((number, _)) = line { (number) } } }
}

fn content(line: Option<&Line>, class: &str) -> Markup {
    html! {
        @match line {
            Some((_, content)) => { td class={ "line " (class) } { (visible(content)) } }
            None => { td.line.none {} }
        }
    }
}

fn side_by_side(hunk: &[DiffRow]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Difference" {
            table.diff.two {
                @for row in hunk {
                    @let (old, new) = (row.old.as_ref(), row.new.as_ref());
                    @let (gone, came) = if row.is_same { ("", "") } else { ("removed", "added") };
                    tr { (number(old)) (content(old, gone)) (number(new)) (content(new, came)) }
                }
            }
        }
    }
}

fn unified(hunk: &[DiffRow]) -> Markup {
    let rows = hunk.chunk_by(|one, other| one.is_same == other.is_same);
    html! {
        div.scroll tabindex="0" role="group" aria-label="Difference" {
            table.diff {
                @for rows in rows {
                    @if rows[0].is_same {
                        @for row in rows {
                            tr { (number(row.old.as_ref())) (number(row.new.as_ref())) (content(row.old.as_ref(), "")) }
                        }
                    } @else {
                        @for line in rows.iter().filter_map(|row| row.old.as_ref()) {
                            tr { (number(Some(line))) (number(None)) (content(Some(line), "removed")) }
                        }
                        @for line in rows.iter().filter_map(|row| row.new.as_ref()) {
                            tr { (number(None)) (number(Some(line))) (content(Some(line), "added")) }
                        }
                    }
                }
            }
        }
    }
}
