//! Rounds of one kind of work, and what came of them.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::peers::{Bed, Peer, Work};

/// The seconds of one program, one a round.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) seconds: Vec<f64>,
    /// Why it was not run.
    pub(crate) missing: Option<String>,
}

/// All programs at one kind of work; ours is the first.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
}

pub(crate) fn run(bed: &Bed, work: &Work, rounds: usize) -> Table {
    let mut rows: Vec<Row> = work
        .peers
        .iter()
        .map(|peer| Row {
            name: peer.name.to_owned(),
            seconds: Vec::new(),
            missing: peer.missing.clone(),
        })
        .collect();
    // The first round warms up, and is not counted.
    for round in 0..=rounds {
        for (peer, row) in work.peers.iter().zip(&mut rows) {
            if peer.missing.is_some() {
                continue;
            }
            let seconds = time(bed, work, peer, round);
            if round > 0 {
                row.seconds.push(seconds);
            }
        }
    }
    Table {
        title: work.title.to_owned(),
        rows,
    }
}

/// One run of one program: what it needs before and after is not counted.
fn time(bed: &Bed, work: &Work, peer: &Peer, round: usize) -> f64 {
    (work.before)(bed, round);
    (peer.before)(bed);
    if work.cold {
        bed.drop_caches();
    }
    let began = Instant::now();
    for command in (peer.commands)(bed) {
        shell(&command);
    }
    if work.sync {
        bed.sync();
    }
    let seconds = began.elapsed().as_secs_f64();
    (peer.after)(bed);
    seconds
}

pub(crate) fn shell(command: &str) {
    let status = Command::new("sh")
        .args(["-c", command])
        .stdout(Stdio::null())
        .status();
    let status = status.expect("a shell");
    assert!(status.success(), "{command}: {status}");
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

impl Table {
    /// How many times ours this row takes: the median of the ratios of each
    /// round.
    pub(crate) fn ratio(&self, row: &Row) -> f64 {
        let ours = &self.rows[0].seconds;
        let ratios: Vec<f64> = row.seconds.iter().zip(ours).map(|(r, o)| r / o).collect();
        median(&ratios)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        writeln!(
            f,
            "  {:<44} {:>9} {:>9} {:>9} {:>8}",
            "", "min s", "median s", "max s", "ratio"
        )?;
        for row in &self.rows {
            if let Some(why) = &row.missing {
                writeln!(f, "  {:<44} missing: {why}", row.name)?;
                continue;
            }
            let least = row.seconds.iter().copied().fold(f64::INFINITY, f64::min);
            let most = row.seconds.iter().copied().fold(0.0, f64::max);
            writeln!(
                f,
                "  {:<44} {least:>9.2} {:>9.2} {most:>9.2} {:>7.2}x",
                row.name,
                median(&row.seconds),
                self.ratio(row),
            )?;
        }
        Ok(())
    }
}
