//! What differs between two dumps.

use dumpcli::figures;
use dumpcore::{ChangeKind, DumpId, Kind, PathChange, RelPath};
use maud::{Markup, html};

use crate::address;
use crate::page::layout::pages;
use crate::page::text;
use crate::view::changes::DumpChanges;

/// The choice of two dumps, and what differs. `recent`: dumps to choose from.
#[must_use]
pub fn changes(
    chosen: (Option<DumpId>, Option<DumpId>),
    below: &RelPath,
    recent: &[DumpId],
    found: Option<&DumpChanges>,
) -> Markup {
    html! {
        h1 { "Changes between two dumps" }
        form.compare action="/changes" {
            (choice("a", "From", chosen.0, recent))
            (choice("b", "to", chosen.1, recent))
            @if let Ok(below) = str::from_utf8(below.as_bytes()) {
                @if !below.is_empty() {
                    label.check { input type="checkbox" name="below" value=(below) checked;
                        " only in " (text::name(below.as_bytes())) }
                }
            }
            button { "Compare" }
        }
        @if let Some(found) = found { (table(found)) }
    }
}

fn choice(name: &str, label: &str, chosen: Option<DumpId>, recent: &[DumpId]) -> Markup {
    let other = chosen.filter(|chosen| !recent.contains(chosen));
    html! {
        label { (label) " " select name=(name) {
            @for dump in other.iter().chain(recent) {
                option value=(dump) selected[chosen == Some(*dump)] { (text::date(*dump)) }
            }
        } }
    }
}

fn table(found: &DumpChanges) -> Markup {
    let to_page = |page: usize| {
        address::with(
            "/changes",
            &[
                ("a", found.old.to_string().as_bytes()),
                ("b", found.new.to_string().as_bytes()),
                ("below", found.below.as_bytes()),
                ("page", page.to_string().as_bytes()),
            ],
        )
    };
    html! {
        p.summary role="status" {
            (figures::number(found.total as u64)) (if found.total == 1 { " change" } else { " changes" })
            " from " (found.old) " to " (found.new)
            @if found.unread > 0 { "; " (found.unread) " could not be read" }
        }
        (pages(found.page, found.pages, to_page))
        @if !found.changes.is_empty() {
            table.files.changes {
                thead { tr {
                    th.since scope="col" { "What" }
                    th.name scope="col" { "Path" }
                    th.size scope="col" { "Space" }
                } }
                tbody { @for change in &found.changes { (row(found, change)) } }
            }
        }
        (pages(found.page, found.pages, to_page))
    }
}

fn row(found: &DumpChanges, change: &PathChange) -> Markup {
    let (word, class) = match change.change {
        ChangeKind::Create => ("added", "added"),
        ChangeKind::Delete => ("deleted", "deleted"),
        ChangeKind::Rename => ("renamed", "renamed"),
        ChangeKind::Wstat => ("attributes", "attributes"),
        _ => ("changed", "changed"),
    };
    let dump = match change.change {
        ChangeKind::Delete => found.old,
        _ => found.new,
    };
    let page = address::at(dump, &change.path);
    let link = match (change.change, change.kind) {
        (ChangeKind::Write, Kind::File) => {
            address::with(&page, &[("with", found.old.to_string().as_bytes())])
        }
        _ => page,
    };
    let words: Vec<&str> = change.what.iter().map(|aspect| aspect.as_str()).collect();
    html! {
        tr {
            td.since { span class={ "badge " (class) } title=(words.join(", ")) { (word) } }
            th scope="row" class={ "name " (text::kind(Some(change.kind))) } {
                a href=(link) { (text::name(change.path.as_bytes())) }
                @if let Some(from) = &change.from { span.quiet { " from " (text::name(from.as_bytes())) } }
            }
            td.size {
                @match (change.bytes_before, change.bytes_after) {
                    // It is room that is compared, which a file that grew may not need more of.
                    (Some(before), Some(after)) if before == after => {}
                    (Some(before), Some(after)) => { (text::growth(before, after)) }
                    (None, Some(bytes)) => { "+" (figures::bytes(bytes)) }
                    (Some(bytes), None) => { "−" (figures::bytes(bytes)) }
                    (None, None) => {}
                }
            }
        }
    }
}
