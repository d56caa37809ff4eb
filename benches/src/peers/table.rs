//! The results as tables in Markdown.

use std::fmt::Write as _;

use super::results::{Results, Row, Spread, Table};

/// All that was measured, and under which conditions.
#[must_use]
pub fn markdown(results: &Results) -> String {
    let mut text = String::new();
    let mut machines = Vec::new();
    for run in &results.runs {
        if !machines.contains(&&run.machine) {
            machines.push(&run.machine);
            let _ = writeln!(text, "{}\n", run.machine);
        }
    }
    for table in results.tables() {
        let _ = writeln!(text, "{}", one(&table));
    }
    text
}

fn one(table: &Table) -> String {
    let (counted, other) = match table.synced {
        true => ("with sync", "without sync"),
        false => ("without sync", "with sync"),
    };
    let mut text = format!(
        "**{}** ({}, {} files in {} directories, {} rounds)\n\n\
         | | seconds {counted}: min, median, max | times ours: min, **median**, max | {other} | goal |\n\
         | --- | --- | --- | --- | --- |\n",
        table.title, table.filesystem, table.files, table.dirs, table.rounds
    );
    for row in &table.rows {
        let _ = writeln!(text, "| {} |", cells(row).join(" | "));
    }
    text
}

fn cells(row: &Row) -> [String; 5] {
    let name = row.peer.name.clone();
    if let (Some(why), None) = (&row.peer.missing, row.seconds) {
        return [
            name,
            format!("missing: {why}"),
            String::new(),
            String::new(),
            String::new(),
        ];
    }
    let spread = |spread: Option<Spread>, middle: &str| {
        spread.map_or_else(
            String::new,
            |Spread {
                 least,
                 median,
                 most,
             }| { format!("{least:.2}, {middle}{median:.2}{middle}, {most:.2}") },
        )
    };
    let goal = row.peer.goal.zip(row.ratio).map(|(goal, ratio)| {
        let met = if ratio.median >= goal {
            "met"
        } else {
            "not met"
        };
        format!("at least {goal:.2}: {met}")
    });
    [
        name,
        spread(row.seconds, ""),
        spread(row.ratio, "**"),
        row.other_ratio
            .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        goal.unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::run;
    use super::*;

    #[test]
    fn says_what_was_measured_what_is_missing_and_what_is_reached() {
        let mut results = Results {
            runs: vec![run("a", &[2.0, 3.0, 9.0])],
        };
        let text = markdown(&results);
        let row =
            "| theirs | 2.00, 3.00, 9.00 | 2.00, **3.00**, 9.00 | 4.00 | at least 3.50: not met |";
        for wanted in [
            row,
            "Linux 6.18, 2 × fast",
            "| borg create | missing: not installed |",
            "(ext4, loop, 120000 files in 3000 directories, 3 rounds)",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
        results.runs.push(run("a", &[4.0, 5.0]));
        let text = markdown(&results);
        assert!(
            text.contains("**4.00**, 9.00 | 5.00 | at least 3.50: met |"),
            "{text}"
        );
    }
}
