//! What became of dumps that were to be removed, as dump(7) documents it for
//! `dumpctl remove`.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::removal::{Left, Removal, Removed};
use crate::model::json::path;

impl Serialize for Removed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.dump)?;
        path(&mut map, "path", Some(&self.path))?;
        map.serialize_entry("entries", &self.names)?;
        map.serialize_entry("freed_bytes", &self.freed_bytes)?;
        map.serialize_entry("used_by", &self.used_by)?;
        map.serialize_entry("linked", &self.is_linked)?;
        map.serialize_entry("whole", &self.whole)?;
        map.serialize_entry("recyclable", &self.recyclable)?;
        map.end()
    }
}

impl Serialize for Left {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.dump)?;
        path(&mut map, "path", Some(&self.path))?;
        map.serialize_entry("reason", self.reason.as_str())?;
        map.serialize_entry("error", &self.reason.to_string())?;
        map.end()
    }
}

impl Serialize for Removal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("dry_run", &self.dry_run)?;
        map.serialize_entry("removed", &self.removed)?;
        map.serialize_entry("left", &self.left)?;
        map.serialize_entry("remaining", &self.remaining)?;
        map.serialize_entry("freed_bytes", &self.freed_bytes)?;
        map.serialize_entry("finished_entries", &self.finished_names)?;
        map.serialize_entry("faults_total", &self.faults_total)?;
        map.serialize_entry("faults", &self.faults)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::layout::DumpId;
    use crate::tend::removal::Reason;

    #[test]
    fn a_removal_names_what_went_and_why_the_rest_stayed() {
        let left = Left {
            dump: DumpId::First,
            path: "/dump/first".into(),
            reason: Reason::FirstCopy,
        };
        let removed = Removed {
            dump: "2026/1122/2331".parse().expect("a dump"),
            path: "/dump/2026/1122/2331".into(),
            names: 7,
            freed_bytes: 4096,
            used_by: Some(212),
            is_linked: false,
            whole: true,
            recyclable: false,
        };
        let removal = Removal {
            removed: vec![removed],
            left: vec![left],
            remaining: Vec::new(),
            faults: Vec::new(),
            faults_total: 0,
            freed_bytes: 4096,
            finished_names: 0,
            dry_run: false,
            stopped: false,
        };
        let written = serde_json::to_value(&removal).expect("written");
        assert_eq!(written["removed"][0]["name"], "2026/1122/2331");
        assert_eq!(written["removed"][0]["entries"], 7);
        assert_eq!(written["removed"][0]["used_by"], 212);
        assert_eq!(written["removed"][0]["linked"], false);
        assert_eq!(written["left"][0]["reason"], "first_copy");
        assert_eq!(written["faults"], serde_json::json!([]));
    }
}
