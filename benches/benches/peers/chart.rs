//! A chart of the ratios, as SVG.

use std::fmt::Write as _;

use crate::rounds::{Row, Table};

const WIDTH: f64 = 760.0;
const NAME: f64 = 270.0;
const BAR: f64 = 20.0;

/// One bar for each program: how many times ours it takes.
pub(crate) fn draw(tables: &[Table]) -> String {
    let mut body = String::new();
    let mut y = 10.0;
    for table in tables {
        let rows: Vec<&Row> = table.rows.iter().filter(|r| r.missing.is_none()).collect();
        if rows.is_empty() {
            continue;
        }
        y += 20.0;
        text(&mut body, 10.0, y, "bold", &table.title);
        y += 8.0;
        let most = rows.iter().map(|r| table.ratio(r)).fold(1.0, f64::max);
        for (i, row) in rows.iter().enumerate() {
            let ratio = table.ratio(row);
            let width = (WIDTH - NAME - 80.0) * ratio / most;
            let color = if i == 0 { "#2a6f97" } else { "#a9b4c2" };
            text(&mut body, 20.0, y + 14.0, "normal", &row.name);
            let _ = writeln!(
                body,
                r#"<rect x="{NAME}" y="{y:.0}" width="{width:.1}" height="{:.0}" fill="{color}"/>"#,
                BAR - 4.0
            );
            text(
                &mut body,
                NAME + width + 6.0,
                y + 13.0,
                "normal",
                &format!("{ratio:.2}"),
            );
            y += BAR;
        }
    }
    let height = y + 40.0;
    text(
        &mut body,
        10.0,
        height - 12.0,
        "normal",
        "times ours, medians of rounds in turn: shorter is faster",
    );
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn text(body: &mut String, x: f64, y: f64, weight: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        body,
        r#"<text x="{x:.0}" y="{y:.0}" font-weight="{weight}">{words}</text>"#
    );
}
