//! Two charts as SVG in the page: what dumps added, and room over time. Each has
//! its numbers in a table as well.

use dumpcli::figures;
use dumpcore::chrono::{DateTime, Local};
use maud::{Markup, html};

use crate::address;
use crate::page::text;
use crate::view::state::{Bar, Point};
use dumpcore::RelPath;

/// The size of a chart in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 200.0;
/// Room for the labels.
const LEFT: f64 = 100.0;
const TOP: f64 = 10.0;
const BELOW: f64 = 24.0;

/// What dumps added, the oldest first.
#[must_use]
pub fn added(bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.bytes).max().unwrap_or(0).max(1);
    let width = (WIDTH - LEFT) / bars.len().max(1) as f64;
    let gap = (width * 0.2).min(4.0);
    html! {
        figure.chart {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="added-title" {
                title #added-title { "What each dump added, at most " (figures::bytes(most)) }
                (scale(most))
                @for (number, bar) in bars.iter().enumerate() {
                    @let tall = (height(bar.bytes, most)).max(if bar.bytes > 0 { 1.0 } else { 0.0 });
                    rect class=(if bar.has_checkpoint { "bar checkpoint" } else { "bar" })
                        x=(round(LEFT + width * number as f64 + gap / 2.0)) y=(round(TOP + room() - tall))
                        width=(round((width - gap).clamp(1.0, 48.0))) height=(round(tall)) {
                        title { (bar_label(bar)) }
                    }
                }
                (ends(bars.first().map(|bar| bar.dump.to_string()), bars.last().map(|bar| bar.dump.to_string())))
            }
            figcaption { "What each dump added. " span.quiet { "Checkpoints, which are whole copies, stand out." } }
            details {
                summary { "As a table" }
                div.scroll tabindex="0" role="group" aria-label="What each dump added" { table {
                    thead { tr { th scope="col" { "Up to" } th scope="col" { "Dumps" } th scope="col" { "Added" } } }
                    tbody { @for bar in bars.iter().rev() {
                        tr {
                            td { a href=(address::at(bar.dump, &RelPath::root())) { (bar.dump) } }
                            td { (bar.number) }
                            td { (text::size(bar.bytes)) }
                        }
                    } }
                } }
            }
        }
    }
}

fn bar_label(bar: &Bar) -> String {
    let bytes = figures::bytes(bar.bytes);
    match bar.number {
        1 => format!("{}: {bytes}", bar.dump),
        number => format!("{number} dumps up to {}: {bytes}", bar.dump),
    }
}

/// How much the dumps took over time, and where that ends.
#[must_use]
pub fn room_over_time(points: &[Point], total: Option<u64>) -> Markup {
    let Some(end) = points.last() else {
        return html! {};
    };
    let points = drawn(points);
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return html! {};
    };
    let largest = points.iter().map(|point| point.bytes).max().unwrap_or(0);
    // The size of the disk gives the scale where the dumps fill some of it.
    let disk = total.filter(|total| largest.saturating_mul(4) >= *total);
    let most = largest.max(disk.unwrap_or(0)).max(1);
    let span = (last.at - first.at).max(1) as f64;
    let place = |point: &Point| {
        let x = LEFT + (WIDTH - LEFT - 8.0) * ((point.at - first.at) as f64 / span);
        (x, TOP + room() - height(point.bytes, most))
    };
    let line = |points: &mut dyn Iterator<Item = &Point>| {
        let pairs = points
            .map(place)
            .map(|(x, y)| format!("{},{}", round(x), round(y)));
        pairs.collect::<Vec<_>>().join(" ")
    };
    let past = line(&mut points.iter().filter(|point| !point.is_ahead));
    let from = points.iter().rfind(|point| !point.is_ahead);
    let ahead = points.iter().filter(|point| point.is_ahead);
    let ahead = from.into_iter().chain(ahead);
    let is_ahead = last.is_ahead;
    let ahead = line(&mut ahead.into_iter());
    html! {
        figure.chart {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="room-title" {
                title #room-title { "How much the dumps take: " (figures::bytes(from.map_or(0, |point| point.bytes))) " now" }
                (scale(most))
                @if let Some(disk) = disk {
                    @let y = round(TOP + room() - height(disk, most));
                    line.disk x1=(LEFT) x2=(WIDTH) y1=(y) y2=(y) { title { "the disk" } }
                }
                polyline.line points=(past) {}
                @if is_ahead { polyline.ahead points=(ahead) {} }
                @let (x, y) = place(last);
                circle.end cx=(round(x)) cy=(round(y)) r="4" {}
                (ends(Some(day(first.at)), Some(day(last.at))))
            }
            figcaption {
                "Room that the dumps take over time"
                @if is_ahead { ", and where it ends: " (figures::bytes(end.bytes)) " about " (day(end.at)) }
                "."
            }
        }
    }
}

/// What is to come is drawn for as long a time as what was; beyond that the past
/// would not be seen.
fn drawn(points: &[Point]) -> Vec<Point> {
    let mut points = points.to_vec();
    let first = points.first().copied();
    let now = points.iter().rfind(|point| !point.is_ahead).copied();
    if let (Some(first), Some(now), Some(last)) = (first, now, points.last_mut())
        && last.is_ahead
    {
        let time = (now.at - first.at).max(1);
        if last.at - now.at > time {
            let part = time as f64 / (last.at - now.at) as f64;
            let more = last.bytes.saturating_sub(now.bytes) as f64 * part;
            last.at = now.at + time;
            last.bytes = now.bytes + more as u64;
        }
    }
    points
}

fn day(at: i64) -> String {
    let at = DateTime::from_timestamp(at, 0).map(|at| at.with_timezone(&Local));
    at.map_or_else(String::new, |at| at.format("%Y-%m-%d").to_string())
}

fn room() -> f64 {
    HEIGHT - TOP - BELOW
}

fn height(bytes: u64, most: u64) -> f64 {
    room() * (bytes as f64 / most as f64)
}

/// Two digits are finer than a pixel.
fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// Lines for nothing, half and all, with their sizes.
fn scale(most: u64) -> Markup {
    html! {
        @for part in [0, 1, 2] {
            @let bytes = most / 2 * part;
            @let y = round(TOP + room() - height(bytes, most));
            line.grid x1=(LEFT) x2=(WIDTH) y1=(y) y2=(y) {}
            text.label x=(LEFT - 6.0) y=(y + 4.0) text-anchor="end" { (figures::bytes(bytes)) }
        }
    }
}

/// What stands at both ends below a chart.
fn ends(first: Option<String>, last: Option<String>) -> Markup {
    html! {
        @if let Some(first) = first { text.label x=(LEFT) y=(HEIGHT - 6.0) { (first) } }
        @if let Some(last) = last { text.label x=(WIDTH) y=(HEIGHT - 6.0) text-anchor="end" { (last) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: i64, bytes: u64, is_ahead: bool) -> Point {
        Point {
            at,
            bytes,
            is_ahead,
        }
    }

    #[test]
    fn the_future_is_not_drawn_longer_than_the_past() {
        let points = [
            point(0, 10, false),
            point(100, 20, false),
            point(1100, 1020, true),
        ];
        let shown = drawn(&points);
        assert_eq!(shown[2], point(200, 120, true));
        let near = [
            point(0, 10, false),
            point(100, 20, false),
            point(150, 70, true),
        ];
        assert_eq!(drawn(&near), near);
        let page = room_over_time(&points, Some(2000)).into_string();
        assert!(
            page.contains("where it ends: 1,020 B") || page.contains("1020 B"),
            "{page}"
        );
        assert_eq!(room_over_time(&[], None).into_string(), "");
    }
}
