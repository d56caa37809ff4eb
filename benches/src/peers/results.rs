//! What came of it, kept in a file that further runs add to.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// All runs of a file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// In the order in which they were made.
    pub runs: Vec<Run>,
}

/// Rounds of one kind of work, made in one go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Kind of work, as it is asked for.
    pub work: String,
    /// The same in words.
    pub title: String,
    /// Filesystem of the tree and of the copies.
    pub filesystem: String,
    /// Files of the tree.
    pub files: usize,
    /// Its directories.
    pub dirs: usize,
    /// Whether flushing counts.
    pub synced: bool,
    /// What it ran on.
    pub machine: Machine,
    /// When it began, in RFC 3339.
    pub began: String,
    /// Load of the machine before.
    pub load_before: f64,
    /// And after.
    pub load_after: f64,
    /// Who took part, ours first.
    pub peers: Vec<Peer>,
    /// What each needed in each round, by name.
    pub rounds: Vec<BTreeMap<String, Sample>>,
}

/// Who took part, or should have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// As it stands in tables.
    pub name: String,
    /// What it says that it is.
    pub version: Option<String>,
    /// How many times ours it should take at least.
    pub goal: Option<f64>,
    /// Why it did not take part.
    pub missing: Option<String>,
}

/// One run of one program.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds until it ended.
    pub seconds: f64,
    /// Seconds that it took then to flush what it had left to the kernel.
    pub flush: f64,
}

/// The least, the middle and the most of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

/// One program at one kind of work, over all runs.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) peer: Peer,
    /// With the flush where it counts; `None` where there is no round.
    pub(crate) seconds: Option<Spread>,
    /// Times ours, round by round.
    pub(crate) ratio: Option<Spread>,
    /// The same the other way about the flush.
    pub(crate) other_ratio: Option<f64>,
}

/// One kind of work on one filesystem, over all runs; ours first.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) filesystem: String,
    pub(crate) files: usize,
    pub(crate) dirs: usize,
    pub(crate) synced: bool,
    pub(crate) rounds: usize,
    pub(crate) rows: Vec<Row>,
}

impl Results {
    /// What a file holds; nothing where there is none.
    ///
    /// # Errors
    /// What reading reports, also that it is not such a file.
    pub fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes the file again; one that was there stays until it is replaced.
    ///
    /// # Errors
    /// What writing reports.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        fs::write(&new, serde_json::to_string_pretty(self)? + "\n")?;
        fs::rename(new, path)
    }

    /// One table for each work, filesystem and size of tree.
    pub(crate) fn tables(&self) -> Vec<Table> {
        let key = |run: &Run| {
            (
                run.filesystem.clone(),
                run.work.clone(),
                run.files,
                run.dirs,
            )
        };
        let mut keys = Vec::new();
        for run in &self.runs {
            if !keys.contains(&key(run)) {
                keys.push(key(run));
            }
        }
        let of = |wanted| self.runs.iter().filter(|run| key(run) == wanted).collect();
        let tables = keys.into_iter().map(|key| table(of(key)));
        tables.flatten().collect()
    }
}

fn table(runs: Vec<&Run>) -> Option<Table> {
    let last = *runs.last()?;
    let rounds: Vec<_> = runs.iter().flat_map(|run| &run.rounds).collect();
    let mut peers: Vec<&Peer> = Vec::new();
    for peer in runs.iter().rev().flat_map(|run| &run.peers) {
        match peers.iter_mut().find(|known| known.name == peer.name) {
            None => peers.push(peer),
            // What took part once is not missing.
            Some(known) if known.missing.is_some() => *known = peer,
            Some(_) => {}
        }
    }
    let ours = &last.peers.first()?.name;
    let seconds = |sample: &Sample, synced| match synced {
        true => sample.seconds + sample.flush,
        false => sample.seconds,
    };
    let rows = peers.into_iter().map(|peer| {
        let of = |synced| -> Vec<f64> {
            let samples = rounds.iter().filter_map(|round| round.get(&peer.name));
            samples.map(|sample| seconds(sample, synced)).collect()
        };
        let ratios = |synced| -> Vec<f64> {
            let pairs = rounds.iter().filter_map(|round| {
                let (its, our) = (round.get(&peer.name)?, round.get(ours)?);
                Some(seconds(its, synced) / seconds(our, synced))
            });
            pairs.collect()
        };
        Row {
            peer: peer.clone(),
            seconds: Spread::of(of(last.synced)),
            ratio: Spread::of(ratios(last.synced)),
            other_ratio: Spread::of(ratios(!last.synced)).map(|spread| spread.median),
        }
    });
    Some(Table {
        title: last.title.clone(),
        filesystem: last.filesystem.clone(),
        files: last.files,
        dirs: last.dirs,
        synced: last.synced,
        rounds: rounds.len(),
        rows: rows.collect(),
    })
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(*values.get(middle.checked_sub(1)?)?, *values.get(middle)?)
        };
        Some(Self {
            least: *values.first()?,
            median,
            most: *values.last()?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A run of ours (1 s), a peer and one that is missing.
    pub(crate) fn run(work: &str, seconds: &[f64]) -> Run {
        let peer = |name: &str, goal, missing: Option<&str>| Peer {
            name: name.into(),
            version: None,
            goal,
            missing: missing.map(str::to_owned),
        };
        let round = |seconds: &f64| {
            let sample = |seconds, flush| Sample { seconds, flush };
            [
                ("ours".to_owned(), sample(1.0, 0.0)),
                ("theirs".to_owned(), sample(*seconds, 1.0)),
            ]
            .into()
        };
        Run {
            work: work.into(),
            title: format!("{work} <in> words"),
            filesystem: "ext4, loop".into(),
            files: 120_000,
            dirs: 3_000,
            synced: false,
            machine: Machine {
                kernel: "6.18".into(),
                processor: "fast".into(),
                processors: 2,
                memory_mb: 100,
                disk: "ext2/ext3".into(),
            },
            began: "2026-01-01T00:00:00Z".into(),
            load_before: 0.0,
            load_after: 1.0,
            peers: vec![
                peer("ours", None, None),
                peer("theirs", Some(3.5), None),
                peer("borg create", None, Some("not installed")),
            ],
            rounds: seconds.iter().map(round).collect(),
        }
    }

    #[test]
    fn rounds_of_several_runs_are_put_together_and_works_kept_apart() {
        let results = Results {
            runs: vec![run("a", &[2.0, 9.0]), run("b", &[5.0]), run("a", &[3.0])],
        };
        let tables = results.tables();
        assert_eq!(tables.len(), 2);
        assert_eq!(tables[0].rounds, 3);
        let row = &tables[0].rows[1];
        let spread = row.ratio.expect("it ran");
        assert_eq!((spread.least, spread.median, spread.most), (2.0, 3.0, 9.0));
        assert_eq!(row.other_ratio, Some(4.0));
        let missing = &tables[0].rows[2];
        assert!(missing.ratio.is_none() && missing.peer.missing.is_some());
        assert_eq!(
            tables[1].rows[1].ratio.map(|spread| spread.median),
            Some(5.0)
        );
    }

    #[test]
    fn an_even_number_has_its_median_between_the_middle_two() {
        let median = |values: &[f64]| Spread::of(values.to_vec()).map(|spread| spread.median);
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
        assert_eq!(median(&[1.0]), Some(1.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_file_is_added_to() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("results.json");
        for _ in 0..2 {
            let mut results = Results::load(&path).expect("loaded");
            results.runs.push(run("a", &[2.0]));
            results.save(&path).expect("saved");
        }
        assert_eq!(Results::load(&path).expect("loaded").runs.len(), 2);
        fs::write(&path, "{").expect("written");
        Results::load(&path).expect_err("not such a file");
    }
}
