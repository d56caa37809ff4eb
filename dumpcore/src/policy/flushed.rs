//! Which entries of a leftover have surely reached the disk, by their ctime.
//!
//! A run that made a leftover knows of each of its flushes when it began, by the
//! clock of the dump's filesystem: what was last changed before that is on the
//! disk. A run that continues with the leftover knows that only of what it made
//! itself, which is what was born since it took over. So what is known is one
//! open and some closed spans of time.
//!
//! As text: the spans, separated by spaces; `T` is all before `T`, `S..T` what
//! is between the two. A time is in seconds and nanoseconds since 1970:
//! `1795636375.004000000`.

use std::fmt;

use crate::model::metadata::Time;

/// More spans are not kept: the earliest go.
const MOST: usize = 8;

/// Spans of time, all of them without their ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flushed {
    before: Option<Time>,
    spans: Vec<(Time, Time)>,
}

impl Flushed {
    /// Is what was last changed then on the disk? `born` tells when it was made,
    /// if that is known: a name that is linked or removed changes also a file
    /// that was made by an earlier run.
    pub(crate) fn covers(&self, ctime: Time, born: impl FnOnce() -> Option<Time>) -> bool {
        if self.before.is_some_and(|until| ctime < until) {
            return true;
        }
        let changed = |(from, until): &&(Time, Time)| *from < ctime && ctime < *until;
        let spans: Vec<_> = self.spans.iter().filter(changed).collect();
        !spans.is_empty() && born().is_some_and(|born| spans.iter().any(|(from, _)| *from < born))
    }

    /// Is nothing known?
    pub(crate) fn is_empty(&self) -> bool {
        self.before.is_none() && self.spans.is_empty()
    }

    /// The latest time of which anything is known.
    pub(crate) fn last(&self) -> Option<Time> {
        let ends = self.spans.iter().map(|(_, until)| *until);
        ends.chain(self.before).max()
    }

    /// Adds what was changed before `until`, and after `from` when only that is
    /// known.
    pub(crate) fn add(&mut self, from: Option<Time>, until: Time) {
        let Some(from) = from else {
            self.before = self.before.max(Some(until));
            return;
        };
        match self.spans.iter_mut().find(|(begun, _)| *begun == from) {
            Some((_, end)) => *end = (*end).max(until),
            None => self.spans.push((from, until)),
        }
        if self.spans.len() > MOST {
            self.spans.remove(0);
        }
    }

    /// What the text says; nothing, when it says anything else.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let spans = text.split_ascii_whitespace().map(|word| {
            Some(match word.split_once("..") {
                Some((from, until)) => (Some(time(from)?), time(until)?),
                None => (None, time(word)?),
            })
        });
        let Some(spans) = spans.collect::<Option<Vec<_>>>() else {
            return Self::default();
        };
        let mut flushed = Self::default();
        for (from, until) in spans {
            flushed.add(from, until);
        }
        flushed
    }
}

fn time(text: &str) -> Option<Time> {
    let (secs, nanos) = text.split_once('.')?;
    let nanos = (nanos.len() == 9).then(|| nanos.parse().ok())??;
    Some(Time::new(secs.parse().ok()?, nanos))
}

impl fmt::Display for Flushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |time: &Time| format!("{}.{:09}", time.secs, time.nanos);
        let before = self.before.iter().map(show);
        let spans = self.spans.iter();
        let spans = spans.map(|(from, until)| format!("{}..{}", show(from), show(until)));
        let all: Vec<String> = before.chain(spans).collect();
        f.write_str(&all.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time::new(secs, 5)
    }

    #[test]
    fn ends_do_not_count() {
        let mut flushed = Flushed::default();
        assert!(flushed.is_empty() && !flushed.covers(at(0), || None));
        flushed.add(None, at(10));
        flushed.add(Some(at(20)), at(25));
        flushed.add(Some(at(20)), at(30));
        for (secs, covered) in [
            (i64::MIN, true),
            (9, true),
            (10, false),
            (15, false),
            (20, false),
            (21, true),
            (29, true),
            (30, false),
            (i64::MAX, false),
        ] {
            assert_eq!(
                flushed.covers(at(secs), || Some(at(secs))),
                covered,
                "{secs}"
            );
        }
        // Made by an earlier run, and only linked or unlinked by this one.
        for born in [None, Some(at(15)), Some(at(20))] {
            assert!(!flushed.covers(at(25), || born), "{born:?}");
        }
        assert!(flushed.covers(at(25), || Some(at(21))));
        assert_eq!(flushed.last(), Some(at(30)));
        flushed.add(None, at(5));
        assert!(
            flushed.covers(at(9), || None),
            "what was known is still known"
        );
    }

    #[test]
    fn text_says_the_same() {
        let mut flushed = Flushed::default();
        flushed.add(Some(Time::new(-7, 0)), Time::new(3, 999_999_999));
        flushed.add(None, Time::new(-9, 1));
        let text = flushed.to_string();
        assert_eq!(text, "-9.000000001 -7.000000000..3.999999999");
        assert_eq!(Flushed::parse(text.as_bytes()), flushed);
        for wrong in [
            "",
            "1",
            "1.5",
            "x",
            "1.000000000..",
            "..1.000000000",
            "\u{e4}",
        ] {
            assert!(Flushed::parse(wrong.as_bytes()).is_empty(), "{wrong}");
        }
        assert!(Flushed::parse(b"1.000000000 nonsense").is_empty());
        assert!(Flushed::parse(b"\xff").is_empty());
    }

    #[test]
    fn of_many_spans_the_earliest_go() {
        let mut flushed = Flushed::default();
        for begun in 0..100 {
            flushed.add(Some(at(begun * 10)), at(begun * 10 + 5));
        }
        assert!(flushed.to_string().len() < 500);
        let covers = |secs| flushed.covers(at(secs), || Some(at(secs)));
        assert!(covers(991) && !covers(1));
    }
}
