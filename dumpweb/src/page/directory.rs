//! A directory at a time.

use dumpcli::figures;
use dumpcore::{DumpId, Kind, RelPath};
use maud::{Markup, html};

use crate::address;
use crate::page::layout::{pages, way};
use crate::page::text;
use crate::view::directory::{Directory, Row, Since, Sorting};
use crate::view::restoring::Restoring;

/// A directory in a dump.
#[must_use]
pub fn directory(
    dump: DumpId,
    within: &RelPath,
    listed: &Directory,
    restoring: &Restoring,
) -> Markup {
    let here = address::at(dump, within);
    let to_page = |page: usize| {
        let page = page.to_string();
        address::with(
            &here,
            &[
                ("sort", listed.sort.as_str().as_bytes()),
                ("page", page.as_bytes()),
            ],
        )
    };
    html! {
        (way(dump, within))
        h1.unseen { (text::name(text::last(within))) }
        (summary(dump, within, listed))
        (pages(listed.page, listed.pages, to_page))
        @if listed.rows.is_empty() {
            p.quiet { "This directory is empty." }
        } @else {
            table.files.sorted {
                thead {
                    tr {
                        (head(&here, listed, Sorting::Name, "Name"))
                        (head(&here, listed, Sorting::Size, "Size"))
                        (head(&here, listed, Sorting::Time, "Modified"))
                        th.since scope="col" { "Since then" }
                    }
                }
                tbody { @for row in &listed.rows { (entry(dump, within, row)) } }
            }
        }
        (pages(listed.page, listed.pages, to_page))
        (actions(dump, within, restoring))
    }
}

fn summary(dump: DumpId, within: &RelPath, listed: &Directory) -> Markup {
    let below = within.as_bytes();
    html! {
        p.summary {
            (figures::number(listed.total as u64)) (if listed.total == 1 { " name" } else { " names" })
            @if let Some(newest) = listed.against {
                @if listed.gone > 0 {
                    ", " strong { (figures::number(listed.gone as u64)) " gone since" }
                }
                " · "
                a href=(address::newest(within)) data-move { "newest dump" }
                " · "
                a href=(address::with("/changes", &[
                    ("a", dump.to_string().as_bytes()),
                    ("b", newest.to_string().as_bytes()),
                    ("below", below),
                ])) { "changes since" }
            } @else if listed.not_compared.is_none() {
                " in the newest dump"
            }
            @if !within.is_root() {
                " · "
                a href=(address::with("/search", &[("deleted", b"1"), ("below", below)])) { "deleted here" }
            }
        }
        @if let Some(why) = &listed.not_compared {
            p.quiet role="status" {
                "What became of it since is not known, for the newest dump could not be read there: " (why)
            }
        }
    }
}

fn head(here: &str, listed: &Directory, sort: Sorting, label: &str) -> Markup {
    let is_current = listed.sort == sort;
    let order = match sort {
        Sorting::Name => "ascending",
        _ => "descending",
    };
    html! {
        th class=(sort.as_str()) scope="col" aria-sort=[is_current.then_some(order)] {
            @if listed.is_sortable && !is_current {
                a href=(address::with(here, &[("sort", sort.as_str().as_bytes())])) { (label) }
            } @else {
                (label)
            }
        }
    }
}

fn entry(dump: DumpId, within: &RelPath, row: &Row) -> Markup {
    let since = match row.since {
        Since::Same => "",
        Since::Changed => "changed",
        Since::Gone => "gone",
        Since::Unknown => "unknown",
    };
    let is_file = row.kind == Some(Kind::File);
    html! {
        tr class=(since) {
            th scope="row" class={ "name " (text::kind(row.kind)) } {
                a href=(address::at(dump, &within.join(&row.name))) { (text::name(&row.name)) }
                @if let Some(fault) = &row.fault { span.quiet { " (" (fault) ")" } }
            }
            td.size { @if is_file { (text::size(row.size)) } }
            td.time { @if row.kind.is_some() { (text::time(row.mtime)) } }
            td.since { @if !since.is_empty() { span .badge[row.since != Since::Unknown] { (since) } } }
        }
    }
}

fn actions(dump: DumpId, within: &RelPath, restoring: &Restoring) -> Markup {
    html! {
        section.actions aria-label="What to do with it" {
            @if !within.is_root() {
                a.button href=(address::link("zip", dump, within)) { "Download as ZIP" }
                (restore(restoring))
            }
        }
    }
}

/// How to bring it back.
#[must_use]
pub fn restore(restoring: &Restoring) -> Markup {
    html! {
        details.restore {
            summary { "How to restore this" }
            @if let Some(command) = &restoring.in_place {
                p { "To its place; asks before it replaces anything:" }
                pre tabindex="0" { code { (command) } }
            }
            p { "To the directory that you are in:" }
            pre tabindex="0" { code { (restoring.aside) } }
        }
    }
}
