//! Names over all dumps.

use dumpcore::{DumpId, FoundPath, Kind};
use maud::{Markup, html};

use crate::address;
use crate::page::text;
use crate::view::search::{SHOWN, SearchResult, Wanted};

/// What was found.
#[must_use]
pub fn search(wanted: &Wanted, result: &SearchResult) -> Markup {
    let is_asked = !wanted.words.is_empty() || wanted.deleted;
    html! {
        h1 { "Search all dumps" }
        form.wide-search action="/search" {
            input type="search" name="q" value=(wanted.words) aria-label="Name"
                placeholder="a part of a name, or *.tex" autofocus[!is_asked];
            @if let Ok(below) = str::from_utf8(wanted.below.as_bytes()) {
                @if !below.is_empty() {
                    label.check { input type="checkbox" name="below" value=(below) checked;
                        " only in " (text::name(below.as_bytes())) }
                }
            }
            label.check { input type="checkbox" name="deleted" value="1" checked[wanted.deleted]; " only what is deleted" }
            button { "Search" }
        }
        @if let Some(why) = &result.no_catalog {
            p.quiet { (why) ". The dumps themselves are looked through, the newest first." }
        }
        @if is_asked {
            p.summary role="status" {
                @match (result.found.len(), result.is_cut) {
                    (0, _) => { "Nothing found." }
                    (1, _) => { "1 path" }
                    (number, false) => { (number) " paths" }
                    (_, true) => { "The first " (SHOWN) " paths; there are more" }
                }
                @if result.is_late { " The search took too long and was ended: search below a directory." }
                @if result.unread > 0 { " " (result.unread) " directories could not be read." }
            }
        }
        @if !result.found.is_empty() { (table(&result.found)) }
    }
}

fn table(found: &[FoundPath]) -> Markup {
    html! {
        table.files.found {
            thead { tr {
                th.name scope="col" { "Path" }
                th.size scope="col" { "Space" }
                th.time scope="col" { "Last in" }
                th.since scope="col" { "State" }
            } }
            tbody { @for path in found { (row(path)) } }
        }
    }
}

fn row(path: &FoundPath) -> Markup {
    let since = |first: DumpId| format!("since {first}");
    html! {
        tr.gone[path.deleted] {
            th scope="row" class={ "name " (text::kind(Some(path.kind))) } {
                a href=(address::at(path.last, &path.path)) { (text::name(path.path.as_bytes())) }
            }
            td.size { @if path.kind == Kind::File { @if let Some(bytes) = path.bytes { (text::size(bytes)) } } }
            td.time title=[path.first.map(since)] { (path.last) }
            td.since {
                @if path.deleted { span.badge { "deleted" } }
                @if let Some(versions) = path.versions.filter(|number| *number > 1) { " " (versions) " versions" }
            }
        }
    }
}
