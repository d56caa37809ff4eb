//! Links in the dump root that name a dump which is not there.
//!
//! No program removes a dump that such a link keeps. Where there is one, the dump was
//! removed or renamed by hand.

use std::path::PathBuf;

use crate::model::fault::Fault;
use crate::policy::attention::Attention;
use crate::policy::layout::{self, DumpId, LinkTarget, PinName};
use crate::root::DumpRoot;
use crate::sys::errno;

/// A pin, or `current_chk`, without its dump.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostDump {
    /// The path of the link.
    pub link: PathBuf,
    /// The dump that it names.
    pub dump: DumpId,
}

impl From<LostDump> for Attention {
    fn from(LostDump { link, dump }: LostDump) -> Self {
        Self::LostDump { link, dump }
    }
}

impl DumpRoot {
    /// The pins whose dumps are not there, and `current_chk` when its is not, by
    /// name. Of `current` every run tells.
    ///
    /// # Errors
    /// A [`Fault`] when the dump root cannot be listed.
    pub fn links_to_lost_dumps(&self) -> Result<Vec<LostDump>, Fault> {
        let mut lost = Vec::new();
        self.each_link(|name, text| {
            let dump = match name == layout::CURRENT_CHECKPOINT {
                true => LinkTarget::parse(text).and_then(|target| target.name.map(DumpId::from)),
                false => layout::pinned(text).filter(|_| PinName::new(name).is_ok()),
            };
            let is_lost = |dump: &DumpId| {
                let opened = self.open_dump(&dump.rel_path());
                opened.is_err_and(|e| errno::has_changed(&e))
            };
            if let Some(dump) = dump.filter(is_lost) {
                let link = self.path().join(name);
                lost.push(LostDump { link, dump });
            }
        })?;
        Ok(lost)
    }
}
