//! The ratios as a chart in SVG.

use std::fmt::Write as _;

use super::results::{Results, Row, Spread, Table};

const WIDTH: f64 = 760.0;
const NAMES: f64 = 250.0;
const NUMBERS: f64 = 90.0;
const BAR: f64 = 20.0;

/// For each kind of work a bar for each program, as long as the time that it
/// took in times of ours, with a line from the least to the most.
#[must_use]
pub fn svg(results: &Results) -> String {
    let mut body = String::new();
    let mut y = 10.0;
    for table in results.tables() {
        block(&mut body, &mut y, &table);
    }
    let height = y + 40.0;
    let note = "times ours, medians of rounds in turn: the longer, the slower";
    text(&mut body, 10.0, height - 12.0, "normal", note);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn block(body: &mut String, y: &mut f64, table: &Table) {
    let rows: Vec<(&Row, Spread)> = table
        .rows
        .iter()
        .filter_map(|row| Some((row, row.ratio?)))
        .collect();
    if rows.is_empty() {
        return;
    }
    let longest = rows.iter().map(|(_, ratio)| ratio.most).fold(1.0, f64::max);
    let scale = (WIDTH - NAMES - NUMBERS) / longest;
    *y += 20.0;
    let title = format!("{} ({})", table.title, table.filesystem);
    text(body, 10.0, *y, "bold", &title);
    *y += 8.0;
    for (i, (row, ratio)) in rows.into_iter().enumerate() {
        let color = if i == 0 { "#2a6f97" } else { "#a9b4c2" };
        text(body, 20.0, *y + 13.0, "normal", &row.peer.name);
        let (width, height) = (ratio.median * scale, BAR - 4.0);
        let _ = writeln!(
            body,
            r#"<rect x="{NAMES}" y="{y:.0}" width="{width:.1}" height="{height}" fill="{color}"/>"#
        );
        let (from, to) = (NAMES + ratio.least * scale, NAMES + ratio.most * scale);
        let middle = *y + height / 2.0;
        let _ = writeln!(
            body,
            r##"<line x1="{from:.1}" y1="{middle:.1}" x2="{to:.1}" y2="{middle:.1}" stroke="#333"/>"##
        );
        let number = format!("{:.2}", ratio.median);
        text(body, to + 6.0, *y + 13.0, "normal", &number);
        *y += BAR;
    }
}

fn text(body: &mut String, x: f64, y: f64, weight: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        body,
        r#"<text x="{x:.1}" y="{y:.1}" font-weight="{weight}">{words}</text>"#
    );
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::run;
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_median_and_a_missing_peer_has_none() {
        let results = Results {
            runs: vec![run("a", &[2.0, 4.0, 8.0])],
        };
        let drawn = svg(&results);
        // 420 wide for the most, 8 times ours.
        assert!(drawn.contains(r#"width="52.5""#) && drawn.contains(r#"width="210.0""#));
        assert!(drawn.contains(r#"x1="355.0""#) && drawn.contains(r#"x2="670.0""#));
        assert!(drawn.contains("a &lt;in> words (ext4, loop)"), "{drawn}");
        assert!(!drawn.contains("borg"), "{drawn}");
    }
}
