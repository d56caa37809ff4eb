//! Plan 9 style dumps of a file tree on Linux.
#![warn(missing_docs)]

mod checkpoint;
mod engine;
mod error;
mod event;
mod fault;
mod filter;
mod layout;
mod link;
mod listing;
mod meta;
mod names;
mod naming;
mod navigate;
mod place;
mod probe;
mod publish;
mod raze;
mod relpath;
mod replicate;
mod report;
mod session;
mod snapshot;
mod stamp;
mod sys;
mod trial;
mod vault;
mod walk;

pub use checkpoint::Checkpoint;
pub use error::Error;
pub use event::{Did, Event, Kind, Locate, Observer, Phase, Silent, Warning, Why};
pub use fault::{Fault, Op, Side};
pub use filter::{Filter, FilterError, FilterRefusal, FilterRule, RuleOrigin};
pub use layout::{DumpName, EXCLUDE_FILE, Found, Sort};
pub use link::{Candidate, LinkPolicy, Verdict};
pub use listing::{Dumps, Listing};
pub use meta::{Abilities, Id, Meta, Time, Xattrs};
pub use navigate::{
    Ago, BadDate, Change, Date, Difference, Event as HistoryEvent, Every, FindError, History, Lies,
    Name, Navigator, Past, Place, Version, difference,
};
pub use relpath::{Printable, RelPath};
pub use replicate::{Replica, Replicated};
pub use report::{Count, Counts, Report};
pub use snapshot::{Root, Snapshot};
pub use stamp::{BadStamp, Stamp};
pub use vault::{Dump, DumpLock};
