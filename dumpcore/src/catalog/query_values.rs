//! What the queries answer.

use super::values::{Facts, Hash, InodeId, UNSETTLED, recorded_nanos};
use crate::model::kind::Kind;
use crate::model::path::RelPath;
use crate::model::time::Time;
use crate::policy::layout::DumpId;
use crate::policy::name_test::NameTest;

/// An inode that some dump has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) id: InodeId,
    pub(crate) facts: Facts,
    /// Of its contents, where it was taken.
    pub(crate) hash: Option<Hash>,
}

/// A dump of the catalog that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DumpSizes {
    pub(crate) dump: DumpId,
    /// The names of its trees.
    pub(crate) trees: Vec<Vec<u8>>,
    /// Each name counted, those of the trees too.
    pub(crate) entries: u64,
    /// Space taken by what no older dump had when it was made, in bytes.
    pub(crate) added: u64,
    /// Space that removing it alone would free, in bytes.
    pub(crate) unique: u64,
    /// Its directories, and the other inodes that no older dump had when it was
    /// made.
    pub(crate) added_inodes: u64,
}

/// Consecutive dumps on disk in which a path was one inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathVersion {
    pub(crate) first: DumpId,
    pub(crate) last: DumpId,
    pub(crate) inode: Recorded,
}

/// A path that is not the same in two dumps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The tree's name, then the path in it.
    pub(crate) path: RelPath,
    pub(crate) old: Option<Recorded>,
    pub(crate) new: Option<Recorded>,
}

/// What is looked for in one dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sought {
    /// The inode of this number.
    Inode(u64),
    /// What is like an entry by its type, its size in bytes (but of a directory),
    /// and its modification time to the second.
    Alike { kind: Kind, size: u64, mtime: Time },
}

/// Which paths are asked for.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// One of these holds.
    pub(crate) tests: &'a [NameTest],
    /// At or below this path.
    pub(crate) below: Option<&'a RelPath>,
    /// A dump of this moment or later has it: nanoseconds since 1970.
    pub(crate) since: Option<i64>,
    /// Its tree's newest dump lacks it.
    pub(crate) deleted: bool,
    /// Its last version takes more space than this, in bytes.
    pub(crate) larger: Option<u64>,
    /// At most this number of paths, the first ones.
    pub(crate) most: Option<usize>,
}

/// A path that some dump on disk has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundRow {
    /// The tree's name, then the path in it.
    pub(crate) path: RelPath,
    pub(crate) first: DumpId,
    pub(crate) last: DumpId,
    /// Does its tree's newest dump lack it?
    pub(crate) deleted: bool,
    pub(crate) versions: u64,
    /// The last version.
    pub(crate) inode: Recorded,
}

/// A full copy of a tree, and the dumps that link to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GenerationRow {
    pub(crate) tree: Vec<u8>,
    /// The dump with which it began, which may be gone.
    pub(crate) name: DumpId,
    /// Nanoseconds since 1970.
    pub(crate) moment: i64,
    /// Is it a chain of linked checkpoints?
    pub(crate) is_linked: bool,
    /// How many dumps on disk belong to it.
    pub(crate) dumps: u64,
    /// Space taken by what was stored in it and is still there, in bytes.
    pub(crate) bytes: u64,
}

/// Which space is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UsageOf {
    /// What only these dumps hold; `None`: what all hold.
    pub(crate) dumps: Option<Vec<DumpId>>,
    /// Only what is at or below this path: a tree's name, then the path in
    /// it.
    pub(crate) below: Option<RelPath>,
    /// The linked checkpoints, which are a full copy of their own.
    pub(crate) linked: Vec<DumpId>,
}

/// Where space goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UsageRow {
    /// Each inode counted once, in bytes; of whole dumps with their directories.
    pub(crate) bytes: u64,
    /// The same of each tree, or each name of a directory. An inode counts for
    /// each that has a name of it.
    pub(crate) paths: Vec<(RelPath, u64)>,
    pub(crate) generations: Vec<GenerationRow>,
}

/// The hash of an inode's contents, as its row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HashState {
    /// None was taken.
    Missing,
    /// There is one that does not fit its own checksum.
    Broken,
    Recorded(Hash),
}

/// Which inodes a scrub looks at, and in which order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScrubChoice<'a> {
    /// Those of these dumps; `None`: of all.
    pub(crate) dumps: Option<&'a [DumpId]>,
    /// Those that were not looked at since: nanoseconds since 1970.
    pub(crate) before: i64,
    /// What waited longest comes first, instead of what is read fastest.
    pub(crate) oldest_first: bool,
}

/// An inode that a scrub looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScrubRow {
    pub(crate) inode: InodeId,
    pub(crate) facts: Facts,
    pub(crate) hash: HashState,
    /// What stands for its attributes. `None`: not known.
    pub(crate) xattrs: Option<u64>,
    /// A dump that has it.
    pub(crate) dump: DumpId,
    /// Its path there, which begins with the name of the tree.
    pub(crate) path: RelPath,
}

/// The inode of a source that an inode is a copy of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredFrom {
    /// The name of the space of inode numbers that it is in.
    pub(crate) space: String,
    pub(crate) ino: u64,
    pub(crate) born: Time,
    /// Its time of change when it was last found to be the same.
    pub(crate) ctime: Time,
}

impl StoredFrom {
    /// Does its time of change prove that nothing came after it? Not when it was
    /// young as it was read.
    pub(crate) fn proves(&self) -> bool {
        self.ctime != UNSETTLED
    }
}

/// A file of a head, and what its source was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceRow {
    pub(crate) inode: InodeId,
    pub(crate) facts: Facts,
    /// Of what was stored; `None`: none was taken, or it does not fit its own
    /// checksum.
    pub(crate) hash: Option<Hash>,
    pub(crate) source: Option<StoredFrom>,
    /// Its path in the dumps, which begins with the name of the tree.
    pub(crate) path: RelPath,
}

/// How much there is to be compared with the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceTotal {
    pub(crate) files: u64,
    /// The space that these take, in bytes.
    pub(crate) bytes: u64,
}

/// How much a scrub looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScrubTotal {
    pub(crate) inodes: u64,
    /// Those of them whose contents are read.
    pub(crate) files: u64,
    /// The space that these take, in bytes.
    pub(crate) bytes: u64,
}

/// The number of what is wrong with a file whose contents are not those that were
/// stored.
pub(crate) const CONTENTS_DIFFER: i64 = 2;
/// The same of metadata.
pub(crate) const METADATA_DIFFERS: i64 = 4;

/// What a scrub has taken of an inode, since nothing was recorded of it that counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The hash of its contents.
    pub(crate) hash: Option<Hash>,
    /// What stands for its attributes.
    pub(crate) xattrs: Option<u64>,
}

/// What a scrub found out about an inode, and by what the inode is known. A scrub
/// keeps many of these: they are small, and what few of them have is in a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScrubNote {
    pub(crate) ino: Option<u64>,
    /// In nanoseconds since 1970; 0 where the filesystem does not tell.
    pub(crate) born: i64,
    pub(crate) size: u64,
    /// In nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// What was taken of it, where none that counts was recorded.
    pub(crate) taken: Option<Box<Taken>>,
    /// The number of what is wrong with it; 0: nothing.
    pub(crate) fault: i64,
}

impl ScrubNote {
    pub(crate) fn new(facts: &Facts, taken: Taken, fault: i64) -> Self {
        let nanos = |time| i64::try_from(recorded_nanos(time)).unwrap_or(i64::MAX);
        Self {
            ino: facts.ino,
            born: facts.born.map_or(0, nanos),
            size: facts.size,
            mtime: nanos(facts.mtime),
            taken: (taken != Taken::default()).then(|| Box::new(taken)),
            fault,
        }
    }
}

/// A path under which dumps have an inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) path: RelPath,
    /// These, the oldest first.
    pub(crate) dumps: Vec<DumpId>,
}

/// When dumps were scrubbed last, and what is wrong with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScrubStatus {
    /// When a scrub ended last, in nanoseconds since 1970.
    pub(crate) last: Option<i64>,
    /// When all had been looked at last, in nanoseconds since 1970.
    pub(crate) whole: Option<i64>,
    /// When the round began that has not ended, in nanoseconds since 1970.
    pub(crate) round: Option<i64>,
    /// Inodes in dumps on disk that are damaged.
    pub(crate) damaged: u64,
    /// Names in dumps on disk that are not as they were recorded.
    pub(crate) names: u64,
}

/// What is wrong with a name in a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NameFault {
    /// It is not there, or stands for another inode.
    Missing,
    /// It is not recorded.
    Extra,
    /// A directory that is not as it was recorded: mode, owner or time.
    Metadata,
    /// A directory with other extended attributes or ACLs than were recorded.
    Attributes,
    /// A directory that cannot be read, and why.
    Unread(String),
}

/// A name of a dump that is not as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameDiffers {
    /// Its path in the dump, which begins with the name of the tree.
    pub(crate) path: RelPath,
    pub(crate) fault: NameFault,
}
