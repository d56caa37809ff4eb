//! What a dump remembers for the next: where nothing has attributes.
//!
//! An entry is linked only when its reference has the same extended
//! attributes. Most entries have none, and listing none costs a system call
//! for each. A dump therefore has a note, in an attribute of its own
//! directory: when its entries were linked or stored, and in which of its
//! directories some of them have attributes.
//!
//! It promises that [`Bare::says_so`] only of an inode that had none when
//! the note was written, and that nothing has changed since: its time of
//! change is within the span of the run that wrote the note. Links that
//! were taken or removed later, attributes that somebody set, a copy of the
//! dump, a runner who sees other attributes, a filesystem with coarse times
//! or with those of a server: in all these cases the note says nothing, and
//! the attributes are listed as without it.
//!
//! The span is read from the dump's directory, so its times and those of its
//! inodes are of one clock, and what changes an inode in the last step of
//! that clock is outside. What it cannot see is an attribute that is set in
//! the dump during the run, or with the clock set back into it.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::model::metadata::{Capabilities, Time};
use crate::policy::layout;
use crate::sys::fstype::FsType;
use crate::sys::name::c_name;
use crate::sys::xattr::{self, Subject};
use crate::sys::{file, stat};

/// Two kilobytes, which every filesystem takes for a value: of a thousand
/// directories without attributes among a thousand with them, sixty are mistaken.
const WORDS: usize = 256;

/// A directory's word in the map, and its bit there. It is known by its inode
/// in the dump, so that it has its mark wherever somebody moves it; of two
/// trees in one dump none is taken for the other. The multiplier is that of
/// Fibonacci hashing (Knuth): inodes of directories are in even steps.
fn place(dir: u64) -> (usize, u64) {
    const BITS: u32 = (WORDS as u64 * 64).ilog2();
    let hash = dir.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS);
    let word = usize::try_from(hash / 64).unwrap_or(0);
    (word, 1 << (hash % 64))
}

/// In which directories something has attributes.
#[derive(Debug)]
pub(crate) struct Marks([AtomicU64; WORDS]);

impl Marks {
    pub(crate) fn new() -> Self {
        Self([const { AtomicU64::new(0) }; WORDS])
    }

    /// Something in the directory with this inode has attributes.
    pub(crate) fn mark(&self, dir: u64) {
        let (word, bit) = place(dir);
        self.0[word].fetch_or(bit, Ordering::Relaxed);
    }

    /// Has something in it attributes, as far as is known?
    pub(crate) fn has(&self, dir: u64) -> bool {
        let (word, bit) = place(dir);
        self.0[word].load(Ordering::Relaxed) & bit != 0
    }

    fn to_bytes(&self) -> Vec<u8> {
        let words = self.0.iter().map(|word| word.load(Ordering::Relaxed));
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        if bytes.iter().any(|byte| *byte != 0) {
            bytes
        } else {
            Vec::new()
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let marks = Self::new();
        if bytes.is_empty() {
            return Some(marks);
        }
        let (words, rest) = bytes.as_chunks::<8>();
        if words.len() != WORDS || !rest.is_empty() {
            return None;
        }
        for (mark, word) in marks.0.iter().zip(words) {
            mark.store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
        Some(marks)
    }
}

/// Which attributes a runner sees and keeps: a note serves those who see no
/// others.
fn kept(capabilities: &Capabilities) -> String {
    let (security, security_letter) =
        match (capabilities.security_xattrs, capabilities.file_capabilities) {
            (true, true) => (true, 's'),
            (true, false) => (true, 'o'),
            (false, true) => (true, 'c'),
            (false, false) => (false, ' '),
        };
    let kept = [
        (capabilities.user_xattrs, 'u'),
        (capabilities.trusted_xattrs, 't'),
        (security, security_letter),
        (capabilities.acls, 'a'),
    ];
    let letters = kept.iter().filter(|(kept, _)| *kept);
    letters.map(|(_, letter)| letter).collect()
}

/// The note of a dump that can be linked to.
#[derive(Debug)]
pub(crate) struct Bare {
    from: Time,
    until: Time,
    marks: Marks,
}

impl Bare {
    /// Reads the note that a dump has; `None` when it has none, or none
    /// that would serve this runner.
    pub(crate) fn read(dump: &OwnedFd, capabilities: &Capabilities) -> Option<Self> {
        if !is_fit(dump, capabilities) {
            return None;
        }
        let name = c_name(layout::BARE_XATTR.as_bytes());
        let dump = Subject::Named(dump.as_fd(), c".");
        let note = xattr::get(dump, &name).ok()??;
        Self::parse(&note, &kept(capabilities))
    }

    /// `bare 1 KEPT FROM UNTIL`, with times in nanoseconds since 1970, a
    /// newline, and the map unless it is empty.
    fn parse(note: &[u8], kept: &str) -> Option<Self> {
        let end = note.iter().position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(&note[..end]).ok()?;
        let words: Vec<&str> = head.split(' ').collect();
        let ["bare", "1", letters, from, until] = words[..] else {
            return None;
        };
        let time = |text: &str| text.parse().ok().map(Time::from_nanos);
        Some(Self {
            from: time(from)?,
            until: time(until)?,
            marks: Marks::from_bytes(&note[end + 1..])?,
        })
        .filter(|_| letters == kept)
    }

    fn format(&self, kept: &str) -> Vec<u8> {
        let (from, until) = (self.from.as_nanos(), self.until.as_nanos());
        let head = format!("bare 1 {kept} {from} {until}\n");
        [head.into_bytes(), self.marks.to_bytes()].concat()
    }

    /// Has an inode no attribute, that the dump has in the directory with this
    /// inode, and that was changed last at this time?
    pub(crate) fn says_so(&self, dir: u64, changed: Time) -> bool {
        self.from <= changed && changed < self.until && !self.marks.has(dir)
    }
}

impl Bare {
    /// May something in the directory with this inode have attributes?
    pub(crate) fn may_have(&self, dir: u64) -> bool {
        self.marks.has(dir)
    }
}

/// A note that is being taken, of a dump that is being made.
#[derive(Debug)]
pub(crate) struct Note {
    from: Time,
    pub(crate) marks: Marks,
}

impl Note {
    /// Removes the note of a run that was stopped after it had written it: it
    /// tells nothing of what a later run stores.
    pub(crate) fn clear(staging: &OwnedFd) -> io::Result<()> {
        let name = layout::BARE_XATTR.as_bytes();
        xattr::remove(Subject::Open(staging.as_fd()), name)
    }

    /// Begins one. `None` where it would be of no use.
    pub(crate) fn begin(staging: &OwnedFd, capabilities: &Capabilities) -> Option<Self> {
        let from = touch(staging).filter(|_| is_fit(staging, capabilities))?;
        let marks = Marks::new();
        Some(Self { from, marks })
    }

    /// Writes it, when all entries are in place. A dump without a note is as
    /// good; what fails here is not a fault.
    pub(crate) fn end(self, staging: &OwnedFd, capabilities: &Capabilities) {
        const TICK: Duration = Duration::from_millis(1);
        // Longer than a step of the slowest clock that kernels are built with.
        const TICKS: u32 = 25;
        let Some(last) = touch(staging) else { return };
        let later = (0..TICKS).find_map(|tick| {
            if tick > 1 {
                std::thread::sleep(TICK);
            }
            touch(staging).filter(|time| *time > last)
        });
        let Some(until) = later else { return };
        let bare = Bare {
            from: self.from,
            until,
            marks: self.marks,
        };
        let note = bare.format(&kept(capabilities));
        let subject = Subject::Open(staging.as_fd());
        let _ = xattr::set(subject, layout::BARE_XATTR.as_bytes(), &note);
    }
}

/// Changes a directory's inode, and tells when that was by its own clock. The
/// same mode once more is a change; the same attribute is none for ext4.
fn touch(staging: &OwnedFd) -> Option<Time> {
    let mode = stat::look_at(staging).ok()?.mode;
    file::set_mode(staging.as_fd(), mode).ok()?;
    stat::look_at(staging).ok().map(|meta| meta.ctime)
}

/// Are the times of change fine, and this machine's own?
fn is_fit(dump: &OwnedFd, capabilities: &Capabilities) -> bool {
    capabilities.time_step == 1 && FsType::of(dump).is_ok_and(FsType::is_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: i128) -> Time {
        Time::from_nanos(nanos)
    }

    #[test]
    fn a_note_says_nothing_outside_its_span_and_in_marked_directories() {
        let marks = Marks::new();
        marks.mark(8_193);
        let (from, until) = (at(10), at(20));
        let bare = Bare { from, until, marks };
        let cases = [
            (7, 9, false),
            (7, 10, true),
            (7, 19, true),
            (7, 20, false),
            (8_193, 15, false),
            (8_194, 15, true),
            (1, 15, true),
            (16_385, 15, true),
        ];
        for (dir, changed, says_so) in cases {
            assert_eq!(bare.says_so(dir, at(changed)), says_so, "{dir} {changed}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for marked in [0_u64, 1, 5_000] {
            let marks = Marks::new();
            let dirs = 0..marked;
            dirs.clone().for_each(|dir| marks.mark(dir));
            let (from, until) = (at(-5), at(1_764_000_000_123_456_789));
            let bare = Bare { from, until, marks };
            let note = bare.format("ua");
            assert!(note.len() < 2_200, "{}", note.len());
            let read = Bare::parse(&note, "ua").expect("a note");
            assert_eq!((read.from, read.until), (from, until));
            assert_eq!(read.marks.to_bytes(), bare.marks.to_bytes());
            assert!(dirs.clone().all(|dir| !read.says_so(dir, at(0))));
            assert!(Bare::parse(&note, "uta").is_none(), "another runner's");
        }
    }

    #[test]
    fn what_is_no_note_is_none() {
        for note in [
            &b""[..],
            b"\n",
            b"bare 1 ua 1 2",
            b"bare 2 ua 1 2\n",
            b"bare 1 ua 1\n",
            b"bare 1 ua 1 2 3\n",
            b"bare 1 ua x 2\n",
            b"bare 1 ua 1 2\n1234567",
            b"bare 1 ua 1 2\n12345678",
            b"\xff 1 ua 1 2\n",
        ] {
            assert!(Bare::parse(note, "ua").is_none(), "{note:?}");
        }
    }

    /// Inodes that are side by side, or each in a block group of its own.
    #[test]
    fn few_directories_share_a_bit() {
        for step in [1, 8, 8_192, 32_768, 65_536] {
            let marks = Marks::new();
            (0..1_000).for_each(|n| marks.mark(2 + n * step));
            let mistaken = (1_000..2_000).filter(|n| marks.has(2 + n * step)).count();
            assert!(mistaken < 120, "{mistaken} of 1000 are mistaken by {step}");
        }
    }
}
