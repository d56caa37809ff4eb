//! Which entries may have been touched since they were dumped, by their time
//! of change.
//!
//! Programs set size and time of modification as they please; the time of
//! change is the kernel's. What a dump holds was read after its reading began,
//! so an entry whose time of change is older than that is as it was read. The
//! mark that a dump has says for each tree when that was, by which clock, and
//! of which directory on which filesystem. Where it says nothing of what is
//! read now, everything may have been touched.
//!
//! In a published dump the time of change proves nothing: it moves when other
//! dumps link to an inode. The time of birth is: an inode of the dump that is
//! newer than all those of the dump before it was stored since, and may hold
//! other contents under the same size and time.

use crate::model::metadata::Time;

/// What the clock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// The time that the kernel stamps inodes with.
    pub(crate) now: Time,
    /// How far the clock is ahead of the time since the machine was booted, in
    /// nanoseconds: it changes only when the clock is set, since both run at one
    /// rate, also when a server corrects that.
    pub(crate) ahead: i128,
    /// Names the boot; empty where the kernel does not tell.
    pub(crate) boot: String,
}

/// What a tree is: the directory at its top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopId {
    /// Names its filesystem, however it is mounted; empty where that has no
    /// lasting name.
    pub(crate) filesystem: String,
    pub(crate) ino: u64,
}

/// Says of one tree when reading of it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadMark {
    /// The tree's name in the dump.
    pub(crate) tree: Vec<u8>,
    pub(crate) began: Time,
    /// As in [`Clock`], when it began.
    pub(crate) ahead: i128,
    pub(crate) boot: String,
    pub(crate) top: TopId,
}

/// Which entries may have been touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Unknown: size and time of modification decide.
    Unknown,
    /// Those that were changed at this time or later.
    Since(Time),
    /// Of a published dump: those that were stored at this time or later.
    StoredSince(Time),
    /// All.
    All,
}

/// How sure it is that an entry was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sure {
    /// It was not, or that is unknown.
    No,
    /// It may have been, within the last step of the clock.
    Perhaps,
    /// It was.
    Yes,
}

/// Times that are stored in whole seconds, or pairs of them, show no
/// nanoseconds.
const WHOLE_SECONDS: i128 = 2_000_000_000;
/// Some filesystems store steps of 100 ns or of 10 ms.
const COARSE: i128 = 20_000_000;
/// Clocks that are set by a server step back by as much at times; then what
/// was changed shortly before counts as touched, too.
const SMALL_STEP: i128 = 60_000_000_000;
const SHORTLY: i128 = 600_000_000_000;
/// Two readings of a clock are so far apart at most, unless it was set.
const READING: i128 = 1_000_000;

impl Touched {
    /// What a mark says of a tree, by the clock of now.
    pub(crate) fn by(mark: &ReadMark, clock: &Clock, top: &TopId) -> Self {
        let of = &mark.top;
        let named = !of.filesystem.is_empty() && !top.filesystem.is_empty();
        let other = of.ino != top.ino || named && of.filesystem != top.filesystem;
        if other || clock.now < mark.began {
            return Touched::All;
        }
        let back = mark.ahead - clock.ahead;
        if mark.boot != clock.boot || back < READING {
            return Touched::Since(mark.began);
        }
        if back > SMALL_STEP {
            return Touched::All;
        }
        Touched::Since(Time::from_nanos(mark.began.as_nanos() - SHORTLY))
    }

    /// The same of a published dump, by the marks of the dump it is compared
    /// with and its own, and by when the newest inode of the former was born:
    /// each as far as it is known.
    pub(crate) fn stored(
        (reference, own): (Option<&ReadMark>, Option<&ReadMark>),
        newest_birth: Option<Time>,
    ) -> Self {
        // One is a copy of the other.
        if reference.is_some() && reference == own {
            return Touched::Unknown;
        }
        let by_marks = reference.zip(own).map(|(reference, own)| {
            let clock = Clock {
                now: own.began,
                ahead: own.ahead,
                boot: own.boot.clone(),
            };
            Self::by(reference, &clock, &own.top)
        });
        // What the reference stored itself is then compared as well.
        let of_mark = reference.map(|reference| reference.began);
        let since = match by_marks {
            Some(Touched::All) => return Touched::StoredSince(Time::new(i64::MIN, 0)),
            Some(Touched::Since(earlier)) if Some(earlier) != of_mark => Some(earlier),
            _ => newest_birth.or(of_mark),
        };
        // What has a later time than the reading of this dump was stored for
        // it, or when the clock was wrong.
        let own = own.map(|own| own.began);
        let earliest = |since: Time| own.map_or(since, |own| own.min(since));
        since.map_or(Touched::Unknown, |since| {
            Touched::StoredSince(earliest(since))
        })
    }

    /// May an entry have been touched that was changed last, or in a published
    /// dump stored, at this time?
    pub(crate) fn is(self, changed: Time) -> Sure {
        let since = match self {
            Touched::Unknown => return Sure::No,
            Touched::All => return Sure::Yes,
            Touched::Since(since) | Touched::StoredSince(since) => since,
        };
        let step = match changed.nanos {
            0 => WHOLE_SECONDS,
            nanos if nanos % 100 == 0 => COARSE,
            _ => 0,
        };
        if changed > since {
            Sure::Yes
        } else if changed.as_nanos() + step >= since.as_nanos() {
            Sure::Perhaps
        } else {
            Sure::No
        }
    }

    /// The same of an entry of a published dump, by when its inode was born.
    /// Where its filesystem does not tell, all are touched or none.
    pub(crate) fn is_stored(self, born: Option<Time>) -> Sure {
        born.map_or_else(|| self.is(Time::new(i64::MIN, 1)), |born| self.is(born))
    }

    /// The same below a directory that may be another than it was.
    pub(crate) fn below_another(self) -> Self {
        match self {
            Touched::Unknown => Touched::Unknown,
            // An inode of a dump is as old as it is, wherever its name is.
            Touched::StoredSince(since) => Touched::StoredSince(since),
            Touched::Since(_) | Touched::All => Touched::All,
        }
    }
}

impl ReadMark {
    /// Marks as they are written: a line `read 1`, and one for each tree, of
    /// its name, the time and how far the clock was ahead (nanoseconds), the
    /// boot, the filesystem (`-` for none) and the inode of its top. Of a name
    /// all but plain characters is written as `%` and two hexadecimal digits.
    pub(crate) fn format(marks: &[Self]) -> Vec<u8> {
        let mut text = HEAD.to_owned();
        for mark in marks {
            let filesystem = match &*mark.top.filesystem {
                "" => "-",
                named => named,
            };
            let (began, ino) = (mark.began.as_nanos(), mark.top.ino);
            let (tree, ahead, boot) = (escaped(&mark.tree), mark.ahead, &mark.boot);
            text.push_str(&format!(
                "{tree} {began} {ahead} {boot} {filesystem} {ino}\n"
            ));
        }
        text.into_bytes()
    }

    /// Reads marks; lines that are not marks are skipped.
    pub(crate) fn parse(text: &[u8]) -> Vec<Self> {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let lines = text.strip_prefix(HEAD).unwrap_or_default().lines();
        lines.filter_map(Self::parse_line).collect()
    }

    fn parse_line(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [tree, began, ahead, boot, filesystem, ino] = words[..] else {
            return None;
        };
        Some(Self {
            tree: unescaped(tree)?,
            began: Time::from_nanos(began.parse().ok()?),
            ahead: ahead.parse().ok()?,
            boot: boot.to_owned(),
            top: TopId {
                filesystem: if filesystem == "-" { "" } else { filesystem }.to_owned(),
                ino: ino.parse().ok()?,
            },
        })
    }
}

const HEAD: &str = "read 1\n";

/// A name in characters that are not separators.
pub(crate) fn escaped(name: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'%';
    let one = |byte: &u8| match plain(*byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02x}"),
    };
    name.iter().map(one).collect()
}

pub(crate) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            name.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        name.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    fn at(nanos: i128) -> Time {
        Time::from_nanos(nanos)
    }

    fn mark() -> ReadMark {
        ReadMark {
            tree: b"home".to_vec(),
            began: at(1_000 * SECOND + 7),
            ahead: 500 * SECOND,
            boot: "b".to_owned(),
            top: top(),
        }
    }

    fn top() -> TopId {
        TopId {
            filesystem: "uuid:1".to_owned(),
            ino: 2,
        }
    }

    fn clock(secs: i128, ahead: i128, boot: &str) -> Clock {
        Clock {
            now: at(secs * SECOND),
            ahead,
            boot: boot.to_owned(),
        }
    }

    #[test]
    fn a_clock_that_went_back_says_nothing() {
        let mark = mark();
        let since = Touched::Since(mark.began);
        let ahead = mark.ahead;
        let earlier = Touched::Since(at(400 * SECOND + 7));
        for (clock, touched) in [
            (clock(5_000, ahead, "b"), since),
            (clock(5_000, ahead + 9 * SECOND, "b"), since),
            (clock(5_000, ahead - 10_000, "b"), since),
            (clock(5_000, ahead - SECOND, "b"), earlier),
            (clock(5_000, ahead - 3_600 * SECOND, "b"), Touched::All),
            // After another boot only the time itself tells.
            (clock(5_000, 0, "c"), since),
            (clock(999, 0, "c"), Touched::All),
        ] {
            assert_eq!(Touched::by(&mark, &clock, &top()), touched, "{clock:?}");
        }
    }

    #[test]
    fn of_another_directory_it_says_nothing() {
        let mark = mark();
        let now = clock(5_000, mark.ahead, "b");
        let of = |filesystem: &str, ino| TopId {
            filesystem: filesystem.to_owned(),
            ino,
        };
        let since = Touched::Since(mark.began);
        for (top, touched) in [
            (of("uuid:1", 2), since),
            (of("", 2), since),
            (of("uuid:2", 2), Touched::All),
            (of("uuid:1", 3), Touched::All),
        ] {
            assert_eq!(Touched::by(&mark, &now, &top), touched, "{top:?}");
        }
    }

    #[test]
    fn what_a_dump_stored_since_is_told_by_births() {
        let reference = mark();
        let later = |secs: i128, ahead: i128| ReadMark {
            began: at(secs * SECOND),
            ahead: ahead * SECOND,
            ..mark()
        };
        let (own, born) = (later(2_000, 500), Some(at(1_500 * SECOND)));
        let since = |nanos| Touched::StoredSince(at(nanos));
        let all = Touched::StoredSince(Time::new(i64::MIN, 0));
        let began = reference.began.as_nanos();
        let shortly = began - SHORTLY;
        for (reference, own, born, touched) in [
            (Some(&reference), Some(&own), born, since(1_500 * SECOND)),
            (Some(&reference), Some(&own), None, since(began)),
            (Some(&reference), None, born, since(1_500 * SECOND)),
            (None, Some(&own), born, since(1_500 * SECOND)),
            (None, Some(&own), None, Touched::Unknown),
            (None, None, None, Touched::Unknown),
            // The one is a checkpoint of the other.
            (Some(&own), Some(&own), born, Touched::Unknown),
            // Stored before this dump, by a clock that was ahead.
            (
                None,
                Some(&own),
                Some(at(9_000 * SECOND)),
                since(2_000 * SECOND),
            ),
            // The clock went back: a little, far, and to before the reference.
            (
                Some(&reference),
                Some(&later(2_000, 470)),
                born,
                since(shortly),
            ),
            (Some(&reference), Some(&later(2_000, 100)), born, all),
            (Some(&reference), Some(&later(900, 500)), born, all),
        ] {
            let found = Touched::stored((reference, own), born);
            assert_eq!(found, touched, "{reference:?} {own:?} {born:?}");
        }
        assert_eq!(all.is_stored(None), Sure::Yes);
        assert_eq!(since(began).is_stored(None), Sure::No);
        assert_eq!(since(began).is_stored(Some(at(began + 1))), Sure::Yes);
        assert_eq!(since(began).is_stored(Some(at(began - SECOND))), Sure::No);
    }

    #[test]
    fn what_was_changed_in_the_last_step_of_the_clock_may_be_touched() {
        let since = 1_000 * SECOND + 7;
        for (changed, sure) in [
            (since + 1, Sure::Yes),
            (since, Sure::Perhaps),
            (since - 1, Sure::No),
            (1_000 * SECOND, Sure::Perhaps),
            (999 * SECOND, Sure::Perhaps),
            (998 * SECOND, Sure::No),
            (1_000 * SECOND - 10_000_000, Sure::Perhaps),
            (1_000 * SECOND - 30_000_000, Sure::No),
            (i128::from(i64::MAX), Sure::Yes),
        ] {
            assert_eq!(Touched::Since(at(since)).is(at(changed)), sure, "{changed}");
        }
        assert_eq!(Touched::Unknown.is(at(since + 1)), Sure::No);
        assert_eq!(Touched::All.is(at(0)), Sure::Yes);
    }

    #[test]
    fn what_is_written_is_read() {
        let odd = ReadMark {
            tree: b"a b%\n\xff".to_vec(),
            began: at(-5),
            ahead: -7,
            top: TopId {
                filesystem: String::new(),
                ino: u64::MAX,
            },
            ..mark()
        };
        let marks = vec![mark(), odd];
        let text = ReadMark::format(&marks);
        assert!(text.starts_with(b"read 1\nhome 1000000000007 "));
        assert_eq!(ReadMark::parse(&text), marks);
    }

    #[test]
    fn what_is_no_mark_is_none() {
        for text in [
            &b""[..],
            b"read 1\n",
            b"read 2\nhome 1 2 b f 3\n",
            b"read 1\nhome 1 2 b f\n",
            b"read 1\nhome 1 2 b f 3 4\n",
            b"read 1\nhome x 2 b f 3\n",
            b"read 1\nho%4 1 2 b f 3\n",
            b"read 1\nho%zz 1 2 b f 3\n",
            b"\xff",
        ] {
            assert_eq!(ReadMark::parse(text), Vec::new(), "{text:?}");
        }
    }
}
