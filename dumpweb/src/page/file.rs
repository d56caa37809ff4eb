//! A file, or any other entry that is not a directory.

use std::path::Path;

use dumpcore::{DumpId, EntryAt, Kind, Meta, RelPath};
use maud::{Markup, html};

use crate::address;
use crate::page::directory::restore;
use crate::page::layout::way;
use crate::page::text;
use crate::view::contents::{Contents, Media, Shown};
use crate::view::restoring::Restoring;
use crate::view::timeline::TimeLine;
use crate::view::version::VersionChange;

/// What is known of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The dump.
    pub dump: DumpId,
    /// The path in it.
    pub within: &'a RelPath,
    /// The entry.
    pub entry: &'a EntryAt,
    /// What it holds; `None` of what is not a regular file.
    pub contents: Option<&'a Contents>,
    /// Where a symlink points.
    pub target: Option<&'a Path>,
}

/// A file in a dump.
#[must_use]
pub fn file(shown: Entry<'_>, line: &TimeLine, restoring: &Restoring) -> Markup {
    let Entry {
        dump,
        within,
        entry,
        contents,
        target,
    } = shown;
    let meta = entry.meta();
    html! {
        (way(dump, within))
        h1.file { (text::name(text::last(within))) }
        (facts(shown, meta, target))
        section.actions aria-label="What to do with it" {
            @if meta.kind == Kind::File {
                a.button href=(address::with(&address::link("raw", dump, within), &[("download", b"1")])) { "Download" }
            }
            (restore(restoring))
        }
        (compare(dump, within, line))
        @if let Some(contents) = contents { (preview(dump, within, meta, contents)) }
    }
}

fn facts(shown: Entry<'_>, meta: &Meta, target: Option<&Path>) -> Markup {
    let hash = shown.contents.and_then(|contents| contents.hash.as_deref());
    html! {
        dl.facts {
            div { dt { "Type" } dd {
                @match shown.contents {
                    Some(contents) => { (contents.media.words) }
                    None => { (meta.kind) }
                }
            } }
            @if let Some(target) = target {
                div { dt { "Points to" } dd { (text::name(target.as_os_str().as_encoded_bytes())) } }
            }
            @if meta.kind == Kind::File { div { dt { "Size" } dd { (text::size(meta.size)) } } }
            div { dt { "Modified" } dd { (text::time(meta.mtime)) } }
            div { dt { "Mode" } dd { (format!("{:04o}", meta.mode)) } }
            div { dt { "Owner" } dd { (meta.uid) ":" (meta.gid) } }
            @if let Some(hash) = hash {
                div.wide { dt { "SHA-256" } dd { code.hash { (hash) } } }
            } @else if meta.kind == Kind::File {
                div { dt { "SHA-256" } dd {
                    a href=(address::with(&address::at(shown.dump, shown.within), &[("hash", b"1")])) { "compute" }
                } }
            }
        }
    }
}

/// A choice of the version to compare with.
fn compare(dump: DumpId, within: &RelPath, line: &TimeLine) -> Markup {
    let steps = line.versions.iter().flat_map(|(_, steps)| steps);
    let others: Vec<DumpId> = steps
        .filter(|step| !step.is_shown && step.row.change != VersionChange::Deleted)
        .map(|step| step.row.dump)
        .collect();
    html! {
        @if !others.is_empty() {
            form.compare action=(address::at(dump, within)) {
                label { "Compare with " select name="with" {
                    @for other in &others { option value=(other) { (text::date(*other)) } }
                } }
                label.check { input type="checkbox" name="unified" value="1"; " in one column" }
                button { "Compare" }
            }
        }
    }
}

fn preview(dump: DumpId, within: &RelPath, meta: &Meta, contents: &Contents) -> Markup {
    let raw = address::link("raw", dump, within);
    let name = text::plain(text::last(within));
    let Media { shown, .. } = contents.media;
    html! {
        section.preview aria-label="Content" {
            @if let Some(content) = &contents.text {
                @if contents.is_cut { p.quiet { "Only the beginning is shown." } }
                @if content.is_empty() {
                    p.quiet { "This file is empty." }
                } @else {
                    pre.text tabindex="0" { code { (visible(content)) } }
                }
            } @else if contents.media.is_shown(meta.size) {
                @match shown {
                    Some(Shown::Picture) => { img src=(raw) alt=(name) loading="lazy"; }
                    Some(Shown::Pdf) => {
                        iframe.pdf src=(raw) title=(name) {}
                        p.quiet { a href=(raw) { "Open it alone" } }
                    }
                    Some(Shown::Media) => { video controls preload="none" src=(raw) aria-label=(name) {} }
                    None => {}
                }
            } @else {
                p.quiet { "It cannot be shown here." }
            }
        }
    }
}

/// A text without characters that a browser would obey: those that turn the
/// direction of writing, and control bytes but TAB and the end of a line.
#[must_use]
pub fn visible(content: &str) -> String {
    let mut shown = String::with_capacity(content.len());
    for c in content.chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            '\r' => {}
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c if c.is_control() => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
    }
    shown
}

/// A path that this dump does not have.
#[must_use]
pub fn missing(dump: DumpId, within: &RelPath, line: &TimeLine) -> Markup {
    let near = line.differing;
    html! {
        (way(dump, within))
        h1.file { (text::name(text::last(within))) }
        section.message {
            p { "This dump does not have it." }
            @if line.total == 0 {
                p.quiet { "No dump has it, as far as you may look." }
            }
            @if let Some(older) = near.older {
                p { a.button href=(address::at(older, within)) data-move { "The last version before, in " (older) } }
            }
            @if let Some(newer) = near.newer {
                p { a.button href=(address::at(newer, within)) data-move { "The next version after, in " (newer) } }
            }
        }
    }
}
