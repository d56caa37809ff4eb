//! All dumps in their order, with the names that keep them.

use std::collections::HashMap;

use dumpcore::{DumpId, DumpRoot, Sort};

use crate::view::error::ViewError;

/// All dumps of a dump root.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// The oldest first; a first copy is older than all others.
    dumps: Vec<DumpId>,
    places: HashMap<DumpId, usize>,
    pins: HashMap<DumpId, Vec<Vec<u8>>>,
}

/// A day of the calendar: year, month, day.
pub type Day = (i32, u32, u32);

impl Calendar {
    /// Reads them.
    ///
    /// # Errors
    /// The dump root cannot be listed.
    pub fn read(root: &DumpRoot) -> Result<Self, ViewError> {
        let mut dumps = Vec::new();
        if root
            .entry(DumpId::First, &dumpcore::RelPath::root())?
            .is_some()
        {
            dumps.push(DumpId::First);
        }
        for dated in root.listing().oldest_first(..) {
            dumps.push(DumpId::Dump(dated?.name));
        }
        let mut pins: HashMap<DumpId, Vec<Vec<u8>>> = HashMap::new();
        for pin in root.pins()? {
            let name = pin.name.as_os_str().as_encoded_bytes().to_vec();
            pins.entry(pin.dump).or_default().push(name);
        }
        Ok(Self::new(dumps, pins))
    }

    fn new(dumps: Vec<DumpId>, pins: HashMap<DumpId, Vec<Vec<u8>>>) -> Self {
        let places = dumps.iter().enumerate();
        Self {
            places: places.map(|(place, dump)| (*dump, place)).collect(),
            dumps,
            pins,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dumps.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dumps.is_empty()
    }

    /// The newest one.
    #[must_use]
    pub fn newest(&self) -> Option<DumpId> {
        self.dumps.last().copied()
    }

    /// All of them, the oldest first.
    #[must_use]
    pub fn oldest_first(&self) -> &[DumpId] {
        &self.dumps
    }

    /// All of them, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = DumpId> {
        self.dumps.iter().rev().copied()
    }

    /// The place of a dump among all.
    #[must_use]
    pub fn place(&self, dump: DumpId) -> Option<usize> {
        self.places.get(&dump).copied()
    }

    /// The names of the pins that keep a dump.
    #[must_use]
    pub fn pins(&self, dump: DumpId) -> &[Vec<u8>] {
        self.pins.get(&dump).map_or(&[], Vec::as_slice)
    }
}

/// Does a dump share nothing with older ones?
#[must_use]
pub fn is_checkpoint(dump: DumpId) -> bool {
    matches!(dump, DumpId::Dump(name) if name.sort == Sort::Checkpoint)
}

/// The day that a dump is named after; `None` of a first copy.
#[must_use]
pub fn day_of(dump: DumpId) -> Option<Day> {
    let stamp = dump.name()?.stamp;
    Some((stamp.year(), stamp.month(), stamp.day()))
}

/// The time of day that a dump is named after: `23:31`.
#[must_use]
pub fn time_of(dump: DumpId) -> String {
    dump.name().map_or_else(
        || "first".to_owned(),
        |name| format!("{:02}:{:02}", name.stamp.hour(), name.stamp.minute()),
    )
}
