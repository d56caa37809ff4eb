//! The time line: earlier and later, the versions that differ, the calendar.

use dumpcli::figures;
use dumpcore::{DumpId, Kind};
use maud::{Markup, html};

use crate::address;
use crate::page::text;
use crate::view::calendar::{Day, time_of};
use crate::view::timeline::{Near, Step, TimeLine, VersionStep, month, word};
use crate::view::version::VersionChange;

/// The time line of a path. `moment`: when the dump in view was made.
#[must_use]
pub fn timeline(line: &TimeLine, dump: DumpId, moment: &str) -> Markup {
    html! {
        h2 #moment { (moment) }
        (steps_to(line, line.near, "dump", false))
        (steps_to(line, line.differing, "version", true))
        form.when action="/go" {
            input type="hidden" name="path" value=(address::encoded_path(line.within.as_bytes()));
            label { span { "On day" } " " input type="date" name="when" required; }
            button { "Go" }
        }
        (versions(line))
        (calendar(line, dump))
    }
}

/// Links to what is before and after.
fn steps_to(line: &TimeLine, near: Near, what: &str, is_main: bool) -> Markup {
    let link = |dump: Option<DumpId>, rel: &str, label: &str, keys: &str| {
        html! {
            @match dump {
                Some(dump) => {
                    a.step href=(address::at(dump, &line.within)) rel=[is_main.then_some(rel)] data-move
                        aria-keyshortcuts=[is_main.then_some(keys)] { (label) }
                }
                None => { span.step.none aria-disabled="true" { (label) } }
            }
        }
    };
    html! {
        div.steps {
            (link(near.older, "prev", &format!("‹ Earlier {what}"), "ArrowLeft"))
            (link(near.newer, "next", &format!("Later {what} ›"), "ArrowRight"))
        }
    }
}

fn versions(line: &TimeLine) -> Markup {
    html! {
        section aria-labelledby="versions" {
            h3 #versions { "Versions that differ" }
            @if line.left_out {
                p.quiet { "This directory has too many names to compare all of its versions here: see 'hist'." }
            } @else if line.total == 0 {
                p.quiet { "None." }
            } @else {
                p.quiet { (figures::number(line.total as u64)) " in all" }
                ol.days reversed {
                    @for (day, steps) in &line.versions {
                        li {
                            span.day { (day_label(*day)) }
                            ol { @for step in steps { li { (version(line, step)) } } }
                        }
                    }
                }
            }
            @if line.unread > 0 {
                p.quiet { (line.unread) " could not be read." }
            }
        }
    }
}

fn version(line: &TimeLine, step: &VersionStep) -> Markup {
    let row = &step.row;
    let what = match (row.change, row.kind, row.size_before) {
        (VersionChange::Changed, Kind::File, Some(before)) => text::growth(before, row.size),
        (VersionChange::Created, Kind::File, _) => format!("created, {}", figures::bytes(row.size)),
        (change, kind, _) => word(change, kind).to_owned(),
    };
    let class = match row.change {
        VersionChange::Created => "created",
        VersionChange::Changed => "changed",
        VersionChange::Attributes => "attributes",
        VersionChange::Deleted => "deleted",
    };
    html! {
        a class={ "version " (class) } href=(address::at(row.dump, &line.within)) data-move
            aria-current=[step.is_shown.then_some("true")] {
            span.time { (time_of(row.dump)) }
            " "
            span.what { (what) }
        }
    }
}

fn day_label(day: Option<Day>) -> String {
    match day {
        Some((year, number, day)) => format!("{day} {} {year}", month(number)),
        None => "first copy".to_owned(),
    }
}

/// Years, months of one year, days of one month, dumps of one day.
fn calendar(line: &TimeLine, dump: DumpId) -> Markup {
    html! {
        section aria-labelledby="calendar" {
            h3 #calendar { "All dumps" }
            (level(line, "Years", &line.years))
            @if dump.name().is_some() {
                (level(line, "Months", &line.months))
                (level(line, "Days", &line.days))
                (level(line, "Dumps", &line.dumps))
            }
        }
    }
}

fn level(line: &TimeLine, label: &str, steps: &[Step]) -> Markup {
    html! {
        @if !steps.is_empty() {
            ul.level aria-label=(label) {
                @for step in steps {
                    li {
                        a href=(address::at(step.dump, &line.within)) data-move
                            aria-current=[step.is_shown.then_some("true")]
                            title={ (figures::number(step.number as u64)) (if step.number == 1 { " dump" } else { " dumps" }) } {
                            (step.label)
                            @if step.has_checkpoint {
                                span.mark.checkpoint title="checkpoint" { "◆" span.unseen { " checkpoint" } }
                            }
                            @if !step.pins.is_empty() {
                                span.mark.pin title={ "pinned: " (text::plain(&step.pins.join(&b", "[..]))) } {
                                    "●" span.unseen { " pinned" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
