//! What about a dump root needs somebody's attention: rules over what was found
//! out about it, without I/O.
//!
//! They are for what no run can tell: a timer that never fires, a checkpoint
//! that nobody makes, a disk that fills up.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;

use super::layout::DumpId;
use crate::model::lacking::Lacking;
use crate::model::path::Printable;

/// What ends the room for more dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomEnd {
    /// Bytes run out first.
    Bytes,
    /// Inodes run out first.
    Inodes,
}

impl RoomEnd {
    /// One word in snake_case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Inodes => "inodes",
        }
    }
}

/// How many more dumps there is room for, if they are like the last ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoreDumps {
    /// How many.
    pub number: u64,
    /// What runs out first.
    pub ends: RoomEnd,
}

impl MoreDumps {
    /// What is free, and what one dump takes: bytes and inodes. `None`: inodes
    /// are made as they are needed.
    #[must_use]
    pub fn of(free: (u64, Option<u64>), one: (u64, u64)) -> Self {
        let bytes = free.0 / one.0.max(1);
        let inodes = free.1.map_or(u64::MAX, |inodes| inodes / one.1.max(1));
        match inodes < bytes {
            true => Self {
                number: inodes,
                ends: RoomEnd::Inodes,
            },
            false => Self {
                number: bytes,
                ends: RoomEnd::Bytes,
            },
        }
    }
}

/// From when on something needs attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttentionLimits {
    /// The newest dump of a tree may be this old.
    pub dump_age: TimeDelta,
    /// The newest checkpoint may be this old.
    pub checkpoint_age: TimeDelta,
    /// The newest dump on a second disk may be this old.
    pub replica_age: TimeDelta,
    /// What a run left behind may be this old.
    pub leftover_age: TimeDelta,
    /// There is to be room for this many dumps.
    pub more_dumps: u64,
    /// A tree without a policy may have this many dumps.
    pub dumps_without_policy: u64,
}

impl Default for AttentionLimits {
    /// For hourly dumps and daily replicas: 26 hours, 190 days, 50 hours, a
    /// day, 48 dumps, 1,000 dumps.
    fn default() -> Self {
        Self {
            dump_age: TimeDelta::hours(26),
            checkpoint_age: TimeDelta::days(190),
            replica_age: TimeDelta::hours(50),
            leftover_age: TimeDelta::days(1),
            more_dumps: 48,
            dumps_without_policy: 1_000,
        }
    }
}

/// Something that needs attention. Its text says what, not what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attention {
    /// `current` names no dump, or is missing while there are dumps: no further
    /// dump can be made.
    BadCurrent {
        /// What is wrong with it.
        why: String,
        /// The newest dump.
        newest: Option<DumpId>,
    },
    /// A scrub found damage that was not healed.
    Damaged {
        /// How many files and other entries, each counted once.
        damaged: u64,
        /// How many names that are not as they were stored.
        names: u64,
    },
    /// A tree has no dump.
    NoDump {
        /// Its name in dumps.
        tree: OsString,
    },
    /// The newest dump of a tree is old.
    OldDump {
        /// Its name in dumps.
        tree: OsString,
        /// The newest dump.
        dump: DumpId,
        /// How old it is.
        age: TimeDelta,
    },
    /// The newest dumps of a tree lack entries.
    Partial {
        /// Its name in dumps.
        tree: OsString,
        /// The newest dump.
        dump: DumpId,
        /// What that one lacks.
        lacks: Lacking,
        /// How many dumps in a row lack some.
        dumps: u64,
    },
    /// A dump is dated in the future.
    Future {
        /// Which one.
        dump: DumpId,
    },
    /// The newest checkpoint is old.
    OldCheckpoint {
        /// Which one.
        dump: DumpId,
        /// How old it is.
        age: TimeDelta,
    },
    /// The newest dump on the second disk is old.
    OldReplica {
        /// The dump root there.
        root: PathBuf,
        /// How old it is; `None`: there is none.
        age: Option<TimeDelta>,
    },
    /// An erasure was cut off, or left something, and no other has finished it.
    Erasing {
        /// How many paths it is of.
        paths: u64,
    },
    /// A dump root cannot be looked at.
    NoRoot {
        /// Its path.
        root: PathBuf,
        /// Why.
        why: String,
    },
    /// The second disk cannot be looked at.
    NoReplica {
        /// The dump root there.
        root: PathBuf,
    },
    /// There is room for few more dumps.
    LittleRoom {
        /// For how many.
        more: MoreDumps,
    },
    /// A run left this behind, and none has taken it over.
    Leftover {
        /// Which one.
        dump: DumpId,
        /// How long ago.
        age: TimeDelta,
    },
    /// What is left of a removed dump, or a dump that no policy keeps, cannot be removed,
    /// or nothing has done so.
    NotRemoved {
        /// Where it is.
        path: PathBuf,
        /// What in it is immutable or append-only; `None`: that is not why.
        fixed: Option<PathBuf>,
        /// What is mounted at it or below; `None`: that is not why.
        mounted: Option<PathBuf>,
        /// How long ago something of it was removed.
        age: Option<TimeDelta>,
    },
    /// No policy says which dumps of a tree stay.
    NoPolicy {
        /// Its name in dumps.
        tree: OsString,
        /// How many it has.
        dumps: u64,
    },
    /// A policy cannot be used: nothing is removed by it.
    BadPolicy {
        /// What is wrong with it.
        why: String,
    },
    /// A pin, or `current_chk`, names a dump that is not there.
    LostDump {
        /// The path of the link.
        link: PathBuf,
        /// The dump.
        dump: DumpId,
    },
    /// A link in the dump root looks like a pin and keeps no dump.
    NotAPin {
        /// The path of the link.
        link: PathBuf,
    },
}

impl Attention {
    /// One word in snake_case.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::BadCurrent { .. } => "bad_current",
            Self::Damaged { .. } => "damaged",
            Self::Erasing { .. } => "erasing",
            Self::NoDump { .. } => "no_dump",
            Self::OldDump { .. } => "old_dump",
            Self::Partial { .. } => "partial",
            Self::Future { .. } => "future",
            Self::OldCheckpoint { .. } => "old_checkpoint",
            Self::OldReplica { .. } => "old_replica",
            Self::NoRoot { .. } => "no_root",
            Self::NoReplica { .. } => "no_replica",
            Self::LittleRoom { .. } => "little_room",
            Self::Leftover { .. } => "leftover",
            Self::NotRemoved { .. } => "not_removed",
            Self::NoPolicy { .. } => "no_policy",
            Self::BadPolicy { .. } => "bad_policy",
            Self::LostDump { .. } => "lost_dump",
            Self::NotAPin { .. } => "not_a_pin",
        }
    }

    /// What keeps it from being removed: what is immutable or append-only, and what is
    /// mounted.
    fn held_by(&self) -> (Option<&Path>, Option<&Path>) {
        match self {
            Self::NotRemoved { fixed, mounted, .. } => (fixed.as_deref(), mounted.as_deref()),
            _ => (None, None),
        }
    }
}

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = |tree: &OsString| Printable(tree.as_bytes()).to_string();
        match self {
            Self::NoDump { tree: name } => write!(f, "no dump of {}", tree(name)),
            Self::OldDump {
                tree: name, age, ..
            } => write!(f, "no dump of {} for {}", tree(name), Words(*age)),
            Self::Partial {
                tree: name,
                dump,
                lacks,
                dumps,
            } => {
                let name = tree(name);
                write!(f, "{dump}, the newest dump of {name}, lacks {lacks}")?;
                match dumps {
                    0 | 1 => Ok(()),
                    dumps => write!(f, "; the last {dumps} are not complete"),
                }
            }
            Self::Future { dump } => write!(f, "{dump} is dated in the future"),
            Self::OldCheckpoint { age, .. } => write!(f, "checkpoint {} old", Words(*age)),
            Self::OldReplica { root, age } => {
                let root = Printable::path(root);
                match age {
                    Some(age) => write!(f, "no dump in {root} for {}", Words(*age)),
                    None => write!(f, "no dump in {root}"),
                }
            }
            Self::Erasing { paths } => {
                let paths = some(*paths, "path", "paths");
                write!(f, "an erasure of {paths} is not finished")
            }
            Self::NoRoot { root, why } => {
                write!(f, "no dump root at {}: {why}", Printable::path(root))
            }
            Self::NoReplica { root } => {
                write!(f, "{} cannot be looked at", Printable::path(root))
            }
            Self::LittleRoom { more } => f.write_str(&room(*more)),
            Self::Leftover { dump, age } => {
                let age = Words(*age);
                write!(f, "{dump} was left by a run that stopped {age} ago")
            }
            Self::NotRemoved { path, age, .. } => not_removed(f, path, self.held_by(), *age),
            Self::NoPolicy { tree: name, dumps } => {
                let dumps = some(*dumps, "dump", "dumps");
                write!(f, "{}: {dumps}, no policy", tree(name))
            }
            Self::Damaged { damaged, names } => f.write_str(&damage(*damaged, *names)),
            Self::BadCurrent { why, .. } | Self::BadPolicy { why } => f.write_str(why),
            Self::LostDump { link, dump } => f.write_str(&lost(link, *dump)),
            Self::NotAPin { link } => {
                let link = Printable::path(link);
                write!(f, "{link} looks like a pin and keeps no dump")
            }
        }
    }
}

fn lost(link: &Path, dump: DumpId) -> String {
    let link = Printable::path(link);
    format!("{link} names {dump}, which does not exist")
}

fn room(more: MoreDumps) -> String {
    let dumps = some(more.number, "more dump", "more dumps");
    let ends = more.ends.as_str();
    format!("room for about {dumps} ({ends} run out first)")
}

fn not_removed(
    f: &mut fmt::Formatter<'_>,
    path: &Path,
    (fixed, mounted): (Option<&Path>, Option<&Path>),
    age: Option<TimeDelta>,
) -> fmt::Result {
    match (fixed, mounted) {
        (None, Some(point)) => write!(
            f,
            "{} is to be removed and stays, since something is mounted on {}",
            Printable::path(path),
            Printable::path(point)
        ),
        (Some(fixed), _) => write!(
            f,
            "part of a removed dump still takes space, since {} is immutable or append-only",
            Printable::path(fixed)
        ),
        (None, None) => write!(
            f,
            "{}, part of a removed dump, still takes space after {}",
            Printable::path(path),
            Words(age.unwrap_or_default())
        ),
    }
}

/// What a scrub found.
fn damage(damaged: u64, names: u64) -> String {
    let files = (damaged > 0).then(|| some(damaged, "damaged file", "damaged files"));
    let names = (names > 0).then(|| {
        let names = some(names, "name", "names");
        format!("{names} not as they were stored")
    });
    let parts: Vec<String> = files.into_iter().chain(names).collect();
    parts.join(", ")
}

fn some(number: u64, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{} {many}", grouped(number)),
    }
}

/// With a comma for each thousand.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A span of time in the largest unit of which there are at least two.
struct Words(TimeDelta);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.num_minutes().max(0).unsigned_abs();
        let (hours, days) = (minutes / 60, minutes / (60 * 24));
        let (number, unit) = match () {
            () if hours < 2 => (minutes, "minute"),
            () if days < 2 => (hours, "hour"),
            () if days < 14 => (days, "day"),
            () if days < 60 => (days / 7, "week"),
            () if days < 730 => (days * 12 / 365, "month"),
            () => (days / 365, "year"),
        };
        match number {
            1 => write!(f, "1 {unit}"),
            number => write!(f, "{number} {unit}s"),
        }
    }
}

#[cfg(test)]
#[path = "attention_tests.rs"]
mod tests;
