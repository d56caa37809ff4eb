//! The progress line as text: what matters most, as far as the terminal has
//! room for it.

use std::time::Duration;

use dumpcore::Phase;
use indicatif::HumanCount;

use super::counters::{Expected, Sums};
use super::figures::{bytes, some as count};
use super::fit;

/// What stands between two parts.
const GAP: &str = "  ";
/// A path that gets less than this tells nothing, and gives way.
const SHORTEST: usize = 16;

/// All that a progress line may tell.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) phase: Phase,
    pub(super) sums: Sums,
    pub(super) expected: Option<Expected>,
    /// How much of that is done, from 0 to 1; never less than it was.
    pub(super) fraction: f64,
    /// Bytes a second.
    pub(super) byte_rate: f64,
    /// Entries a second.
    pub(super) entry_rate: f64,
    /// How long it is likely to last.
    pub(super) left: Option<Duration>,
    /// The path that a worker was at.
    pub(super) place: String,
}

/// One part of the line. Where not all of them fit, those with the lowest rank
/// stay.
#[derive(Clone, Debug)]
struct Part {
    rank: u8,
    text: String,
    /// Is it a path, which can be cut?
    path: bool,
}

impl Line {
    /// The line, cut to this many columns, or all of it.
    pub(super) fn fit(&self, columns: Option<usize>) -> String {
        let parts = self.parts();
        let Some(columns) = columns else {
            let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
            return texts.join(GAP);
        };
        let mut by_rank: Vec<usize> = (0..parts.len()).collect();
        by_rank.sort_by_key(|at| parts[*at].rank);
        let mut chosen = vec![false; parts.len()];
        let mut used = 0;
        for at in by_rank {
            let gap = if used == 0 { 0 } else { GAP.len() };
            let wide = gap + parts[at].narrowest();
            if used + wide <= columns {
                chosen[at] = true;
                used += wide;
            }
        }
        let mut room = columns - used;
        let mut texts = Vec::new();
        for (part, _) in parts.iter().zip(chosen).filter(|(_, chosen)| *chosen) {
            let narrowest = part.narrowest();
            let text = fit::path(&part.text, narrowest + room);
            room -= fit::columns(&text).saturating_sub(narrowest);
            texts.push(text);
        }
        if texts.is_empty() {
            return fit::cut(self.phase.as_str(), columns).into();
        }
        texts.join(GAP)
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::new(0, self.phase.as_str())];
        let sums = &self.sums;
        if self.phase == Phase::Removing {
            parts.extend(self.percent(self.expected));
            parts.push(entries(sums.removed, self.expected));
            parts.push(Part::new(2, format!("{} freed", bytes(sums.freed))));
            parts.extend(self.left(self.expected));
            return parts;
        }
        let storing = matches!(
            self.phase,
            Phase::Storing | Phase::Restoring | Phase::Recording | Phase::Scrubbing
        );
        let expected = self.expected.filter(|_| storing);
        parts.extend(self.percent(expected));
        if sums.entries() > 0 {
            parts.push(entries(sums.entries(), expected));
        }
        if sums.bytes > 0 {
            let what = match self.phase {
                Phase::Scrubbing => "read",
                _ => "copied",
            };
            parts.push(Part::new(6, format!("{} {what}", bytes(sums.bytes))));
        }
        if storing {
            parts.extend(self.rate());
            parts.extend(self.left(expected));
        }
        if sums.faults > 0 {
            parts.push(Part::new(2, count(sums.faults, "fault", "faults")));
        }
        if storing && !self.place.is_empty() {
            parts.push(Part {
                path: true,
                ..Part::new(4, self.place.clone())
            });
        }
        parts
    }

    /// How much is done. All of it is done only when the run says so.
    fn percent(&self, expected: Option<Expected>) -> Option<Part> {
        let percent = (self.fraction * 100.0).floor().clamp(0.0, 99.0);
        expected.map(|_| Part::new(1, format!("{percent}%")))
    }

    fn left(&self, expected: Option<Expected>) -> Option<Part> {
        let left = self.left.filter(|_| expected.is_some())?;
        Some(Part::new(3, format!("{} left", clock(left))))
    }

    /// Of what takes the time: bytes where some are written, else entries.
    fn rate(&self) -> Option<Part> {
        // Less than one a second is a rate that has faded out.
        if self.byte_rate >= 1.0 {
            let rate = bytes(self.byte_rate as u64);
            return Some(Part::new(5, format!("{rate}/s")));
        }
        let rate = HumanCount(self.entry_rate as u64);
        (self.entry_rate >= 1.0).then(|| Part::new(5, format!("{rate} entries/s")))
    }
}

fn entries(done: u64, expected: Option<Expected>) -> Part {
    match expected {
        Some(all) => {
            let (done, all) = (HumanCount(done), HumanCount(all.entries));
            Part::new(7, format!("{done} of {all} entries"))
        }
        None => Part::new(1, count(done, "entry", "entries")),
    }
}

impl Part {
    fn new(rank: u8, text: impl Into<String>) -> Self {
        Self {
            rank,
            text: text.into(),
            path: false,
        }
    }

    /// How many columns it takes at least.
    fn narrowest(&self) -> usize {
        let wide = fit::columns(&self.text);
        if self.path { wide.min(SHORTEST) } else { wide }
    }
}

/// `12 s`, `2:10`, `1:04:10`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{:02}", seconds % 60),
        (_, _) => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dumpcore::Printable;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    fn line() -> Line {
        Line {
            phase: Phase::Storing,
            sums: Sums {
                linked: 52_000,
                copied: 13,
                bytes: 1_288_490_189,
                ..Sums::default()
            },
            expected: Some(Expected {
                entries: 120_000,
                bytes: Some(3 << 30),
            }),
            fraction: 0.434,
            byte_rate: 36_910_000.0,
            entry_rate: 900.0,
            left: Some(Duration::from_secs(130)),
            place: "home/glenda/projects/dump/dumpcli/src/report.rs".into(),
        }
    }

    #[test]
    fn what_matters_most_stays() {
        for (columns, expected) in [
            (
                None,
                "dumping  43%  52,013 of 120,000 entries  1.20 GiB copied  35.2 MiB/s  \
                 2:10 left  home/glenda/projects/dump/dumpcli/src/report.rs",
            ),
            (
                Some(92),
                "dumping  43%  1.20 GiB copied  35.2 MiB/s  2:10 left  \
                 home/glenda/…/dumpcli/src/report.rs",
            ),
            (
                Some(72),
                "dumping  43%  1.20 GiB copied  35.2 MiB/s  2:10 left  home/…/report.rs",
            ),
            (
                Some(52),
                "dumping  43%  2:10 left  home/glenda/…/src/report.rs",
            ),
            (Some(24), "dumping  43%  2:10 left"),
            (Some(12), "dumping  43%"),
            (Some(4), "43%"),
            (Some(2), "d…"),
        ] {
            assert_eq!(line().fit(columns), expected, "{columns:?}");
        }
    }

    #[test]
    fn a_removal_whose_total_is_known_has_a_share_and_an_end() {
        let removal = Line {
            phase: Phase::Removing,
            sums: Sums {
                removed: 3_000,
                freed: 5 << 30,
                ..Sums::default()
            },
            expected: Some(Expected {
                entries: 12_000,
                bytes: None,
            }),
            fraction: 0.25,
            ..line()
        };
        assert_eq!(
            removal.fit(None),
            "removing  25%  3,000 of 12,000 entries  5.00 GiB freed  2:10 left"
        );
    }

    #[test]
    fn without_a_total_there_is_no_share_and_no_end() {
        let first = Line {
            expected: None,
            ..line()
        };
        assert_eq!(
            first.fit(Some(72)),
            "dumping  52,013 entries  1.20 GiB copied  35.2 MiB/s  home/…/report.rs"
        );
        let linking = Line {
            byte_rate: 0.3,
            place: String::new(),
            ..line()
        };
        assert_eq!(
            linking.fit(Some(92)),
            "dumping  43%  52,013 of 120,000 entries  1.20 GiB copied  900 entries/s  2:10 left"
        );
    }

    #[test]
    fn phases_tell_what_they_have() {
        let of = |phase| Line { phase, ..line() };
        let syncing = of(Phase::Syncing).fit(None);
        assert_eq!(syncing, "syncing  52,013 entries  1.20 GiB copied");
        let removing = Line {
            sums: Sums {
                removed: 1,
                freed: 1024,
                ..Sums::default()
            },
            expected: None,
            ..of(Phase::Removing)
        };
        assert_eq!(removing.fit(None), "removing  1 entry  1.00 KiB freed");
        let done = Line {
            fraction: 1.0,
            ..line()
        };
        assert!(done.fit(None).starts_with("dumping  99%"));
        let early = Line {
            sums: Sums::default(),
            expected: None,
            byte_rate: 0.0,
            entry_rate: 0.0,
            place: String::new(),
            ..of(Phase::Preparing)
        };
        assert_eq!(early.fit(None), "preparing");
    }

    #[test]
    fn times_are_read_at_a_glance() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1:00"),
            (130, "2:10"),
            (3850, "1:04:10"),
            (360_000, "100:00:00"),
        ] {
            assert_eq!(clock(Duration::from_secs(seconds)), expected);
        }
    }

    proptest! {
        /// Of any path, wide characters and control characters included.
        #[test]
        fn the_line_is_never_wider_than_the_terminal(
            place in prop_oneof![
                any::<Vec<u8>>(),
                "(\\PC|[日本語é\u{301}\u{200d}👩\u{1b}\t\n/]){0,300}".prop_map(String::into_bytes),
            ],
            columns in 1_usize..300,
            linked in any::<u32>(),
            bytes in any::<u64>(),
            faults in 0_u64..3,
            phase in prop_oneof![
                Just(Phase::Storing), Just(Phase::Restoring), Just(Phase::Syncing),
            ],
        ) {
            let line = Line {
                phase,
                place: Printable(&place).to_string(),
                sums: Sums { linked: linked.into(), bytes, faults, ..Sums::default() },
                ..line()
            };
            let shown = line.fit(Some(columns));
            prop_assert!(shown.width() <= columns, "{} of {columns}: {shown}", shown.width());
            prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
    }
}
