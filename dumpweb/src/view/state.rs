//! The state of the dump root: what needs attention, its trees, and what charts
//! show: what each dump added, and room over time.

use dumpcore::chrono::{Local, TimeDelta};
use dumpcore::{
    AttentionLimits, Chain, DumpId, DumpInfo, DumpRoot, RelPath, RootStatus, WatchedTree,
};

use crate::view::error::ViewError;
use crate::view::site::Site;

/// The number of bars that a chart has at most.
const BARS: usize = 60;

/// The state of the dump root.
#[derive(Clone, Debug)]
pub struct RootState {
    /// As `dumpctl status` finds it out.
    pub status: RootStatus,
    /// What needs attention.
    pub attention: Vec<String>,
    /// What each dump added; of several neighbours together where there are many.
    pub added: Vec<Bar>,
    /// How much the dumps took over time, and will take.
    pub room: Vec<Point>,
    /// How many dumps there are.
    pub dumps: usize,
    /// How many of them cannot be listed: of those no tree is known.
    pub unread: u64,
    /// Why sizes are not known.
    pub no_catalog: Option<String>,
}

/// What dumps added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The last of them.
    pub dump: DumpId,
    /// How many there are.
    pub number: usize,
    /// What they added, in bytes.
    pub bytes: u64,
    /// Is a checkpoint among them?
    pub has_checkpoint: bool,
}

/// How much the dumps take at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Seconds since 1970.
    pub at: i64,
    /// Bytes.
    pub bytes: u64,
    /// Is it to come?
    pub is_ahead: bool,
}

impl RootState {
    /// Finds it out.
    ///
    /// # Errors
    /// The dump root, or the catalog, cannot be read.
    pub fn find(site: &Site) -> Result<Self, ViewError> {
        let root = site.root()?;
        let catalog = root.catalog();
        let now = Local::now();
        let dumps = root.dumps(catalog.as_ref().ok())?;
        let status = root.status_from(&dumps, catalog.as_ref().ok(), &site.rules, &now)?;
        let watched: Vec<WatchedTree> = site
            .navigator
            .trees()
            .filter_map(|tree| tree.name_in_dump())
            .map(|name| {
                let has_policy = !site.rules.policies(&name).is_empty();
                WatchedTree::new(name, has_policy)
            })
            .collect();
        let attention = status.attention(&watched, &AttentionLimits::default());
        let added = match &catalog {
            Ok(_) => bars(&dumps),
            Err(_) => Vec::new(),
        };
        let room = match &catalog {
            Ok(_) => points(&dumps, &status),
            Err(_) => Vec::new(),
        };
        Ok(Self {
            attention: attention.iter().map(ToString::to_string).collect(),
            dumps: dumps.len(),
            unread: unread(&root, &dumps),
            added,
            room,
            status,
            no_catalog: catalog.err().map(|error| Chain(&error).to_string()),
        })
    }
}

/// How many dumps cannot be listed.
fn unread(root: &DumpRoot, dumps: &[DumpInfo]) -> u64 {
    let is_listed = |dump: DumpId| {
        let top = root.entry(dump, &RelPath::root());
        top.is_ok_and(|top| top.is_none_or(|top| top.list().is_ok()))
    };
    let empty = dumps.iter().filter(|dump| dump.trees.is_empty());
    empty.filter(|info| !is_listed(info.dump)).count() as u64
}

/// What dumps added, neighbours together so that there are not too many.
fn bars(dumps: &[DumpInfo]) -> Vec<Bar> {
    let together = dumps.len().div_ceil(BARS).max(1);
    // The newest bar is a whole one.
    let parts = dumps.rchunks(together);
    let bars = parts.filter_map(|part| {
        Some(Bar {
            dump: part.last()?.dump,
            number: part.len(),
            bytes: part.iter().filter_map(|dump| dump.added_bytes).sum(),
            has_checkpoint: part.iter().any(DumpInfo::is_checkpoint),
        })
    });
    let mut bars: Vec<Bar> = bars.collect();
    bars.reverse();
    bars
}

/// How much the dumps that are there took when each was made, and where that ends:
/// when the number of dumps settles, or the disk is full.
fn points(dumps: &[DumpInfo], status: &RootStatus) -> Vec<Point> {
    let mut bytes = 0;
    let mut points = Vec::new();
    for dump in dumps {
        bytes += dump.added_bytes.unwrap_or(0);
        if let Some(moment) = dump.moment {
            let at = moment.timestamp();
            points.push(Point {
                at,
                bytes,
                is_ahead: false,
            });
        }
    }
    let every = points.len().div_ceil(4 * BARS).max(1);
    let last = points.last().copied();
    let mut points: Vec<Point> = points.into_iter().step_by(every).collect();
    if last != points.last().copied() {
        points.extend(last);
    }
    points.extend(last.and_then(|last| ahead(dumps, status, last)));
    points
}

/// Where it ends.
fn ahead(dumps: &[DumpInfo], status: &RootStatus, last: Point) -> Option<Point> {
    let room = &status.room;
    let one = room.dump_bytes?;
    let now = dumps.len() as u64;
    let more = match room.settled_dumps {
        Some(settled) => settled.saturating_sub(now),
        None => room.more?.number,
    };
    let recent: Vec<i64> = dumps
        .iter()
        .rev()
        .take(30)
        .filter_map(|dump| Some(dump.moment?.timestamp()))
        .collect();
    let gaps = i64::try_from(recent.len())
        .ok()?
        .checked_sub(1)
        .filter(|gaps| *gaps > 0)?;
    let apart = (recent.first()? - recent.last()?) / gaps;
    let most = TimeDelta::days(3650).num_seconds();
    let time = i64::try_from(more)
        .ok()?
        .saturating_mul(apart)
        .clamp(0, most);
    Some(Point {
        at: last.at.saturating_add(time),
        bytes: last.bytes.saturating_add(one.saturating_mul(more)),
        is_ahead: true,
    })
}
