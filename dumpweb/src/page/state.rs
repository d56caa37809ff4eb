//! The state of the dump root.

use std::path::Path;

use dumpcli::figures;
use dumpcore::chrono::{DateTime, Utc};
use dumpcore::{RelPath, TreeStatus};
use maud::{Markup, html};

use crate::address;
use crate::page::{chart, text};
use crate::view::state::RootState;

/// The state of the dump root.
#[must_use]
pub fn state(root: &Path, state: &RootState) -> Markup {
    let now = state.status.now;
    html! {
        h1 { "Status" }
        p.summary { (text::name(root.as_os_str().as_encoded_bytes())) " · " (figures::number(state.dumps as u64)) " dumps" }
        (attention(state))
        section aria-labelledby="trees" {
            h2 #trees { "Trees" }
            div.scroll tabindex="0" role="group" aria-labelledby="trees" { table.trees {
                thead { tr {
                    th scope="col" { "Tree" } th scope="col" { "Newest dump" } th scope="col" { "Age" }
                    th scope="col" { "Dumps" }
                } }
                tbody { @for tree in &state.status.trees { (row(tree, now)) } }
            } }
        }
        (room(state))
        @if let Some(why) = &state.no_catalog {
            p.quiet { "Sizes are not known: " (why) "." }
        }
        @if !state.added.is_empty() {
            section aria-labelledby="charts" {
                h2 #charts { "Room" }
                (chart::added(&state.added))
                (chart::room_over_time(&state.room, state.status.room.total_bytes))
            }
        }
    }
}

fn attention(state: &RootState) -> Markup {
    html! {
        @if state.attention.is_empty() {
            p .good[state.no_catalog.is_none() && state.unread == 0] {
                "Nothing needs attention" @if state.no_catalog.is_some() { ", as far as is known" } "."
            }
        } @else {
            section.attention aria-labelledby="attention" {
                h2 #attention { "Needs attention" }
                ul { @for one in &state.attention { li { (one) } } }
            }
        }
        @if state.no_catalog.is_some() {
            p.quiet {
                "Without the catalog it is not known whether scrubs found damage, nor for how many more \
                 dumps there is room."
            }
        }
        @if state.unread > 0 {
            p.quiet {
                (figures::number(state.unread)) " dumps cannot be listed: what is said of trees leaves them out."
            }
        }
    }
}

fn row(tree: &TreeStatus, now: DateTime<Utc>) -> Markup {
    let name = tree.name.as_encoded_bytes();
    let within = RelPath::from_bytes(name);
    html! {
        tr {
            th scope="row" { a href=(address::newest(&within)) { (text::name(name)) } }
            td { @if let Some(newest) = tree.newest { a href=(address::at(newest, &within)) { (newest) } } }
            td { @if let Some(moment) = tree.moment { (figures::age(now - moment)) } }
            td { (figures::number(tree.dumps)) }
        }
    }
}

fn room(state: &RootState) -> Markup {
    let status = &state.status;
    let room = &status.room;
    let fact = |label: &str, value: Option<String>| {
        html! { @if let Some(value) = value { div { dt { (label) } dd { (value) } } } }
    };
    let free = room.free_bytes.zip(room.total_bytes);
    let percent = |bytes: u64, total: u64| u128::from(bytes) * 100 / u128::from(total.max(1));
    html! {
        dl.facts {
            (fact("Free", free.map(|(free, total)| {
                format!("{} of {} ({}%)", figures::bytes(free), figures::bytes(total), percent(free, total))
            })))
            (fact("A dump takes", room.dump_bytes.map(figures::bytes)))
            (fact("Room for", room.more.map(|more| format!("about {} more dumps", figures::number(more.number)))))
            (fact("Settles at", room.settled_dumps.map(|dumps| format!("about {} dumps", figures::number(dumps)))))
            (fact("Newest checkpoint", status.checkpoint.map(|one| one.dump.to_string())))
            (fact("Last scrub", status.scrub.and_then(|scrub| scrub.last).map(|last| {
                format!("{} ago", figures::age(status.now - last))
            })))
        }
    }
}
