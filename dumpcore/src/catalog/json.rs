//! The catalog's state, what differs and what was rebuilt, as dump(7) documents
//! it for `dumpctl catalog`.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::error::CatalogError;
use super::report::{CatalogDifference, CatalogRebuilt, CatalogStatus, CatalogTree, Differs};
use crate::model::chain::Chain;
use crate::model::json::{as_text, path};
use crate::policy::layout::DumpId;

as_text! {
    Differs => |differs| differs.as_str(),
}

impl Serialize for CatalogTree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        path(&mut map, "name", Some(&self.name))?;
        map.serialize_entry("dumps", &self.dumps)?;
        map.serialize_entry("head", &self.head)?;
        map.serialize_entry("entries", &self.entries)?;
        map.serialize_entry("apparent_bytes", &self.bytes)?;
        map.end()
    }
}

impl Serialize for CatalogStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        path(&mut map, "path", Some(&self.path))?;
        map.serialize_entry("size_bytes", &self.size_bytes)?;
        map.serialize_entry("dumps", &self.dumps)?;
        map.serialize_entry("names", &self.names)?;
        map.serialize_entry("past_names", &self.past_names)?;
        map.serialize_entry("inodes", &self.inodes)?;
        map.serialize_entry("hashes", &self.hashes)?;
        map.serialize_entry("sources", &self.sources)?;
        map.serialize_entry("trees", &self.trees)?;
        map.serialize_entry("whole", &self.is_whole())?;
        map.serialize_entry("not_recorded", &self.not_recorded)?;
        map.serialize_entry("not_on_disk", &self.not_on_disk)?;
        map.end()
    }
}

impl Serialize for CatalogDifference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.dump)?;
        path(&mut map, "path", self.path.as_deref())?;
        map.serialize_entry("difference", &self.how)?;
        map.end()
    }
}

/// A dump that could not be read, and why.
struct LeftOut<'a>(&'a (DumpId, CatalogError));

impl Serialize for LeftOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (dump, error) = self.0;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("name", dump)?;
        map.serialize_entry("error", &Chain(error).to_string())?;
        map.end()
    }
}

impl Serialize for CatalogRebuilt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let left_out: Vec<_> = self.left_out.iter().map(LeftOut).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("dry_run", &self.dry_run)?;
        map.serialize_entry("dumps", &self.dumps)?;
        map.serialize_entry("left_out", &left_out)?;
        map.serialize_entry("hashes_kept", &self.kept_old)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_shapes_are_those_of_the_page() {
        let dump: DumpId = "2026/1122/2331".parse().expect("a dump");
        let tree = CatalogTree {
            name: "home".into(),
            dumps: 3,
            head: Some(dump),
            entries: 7,
            bytes: 4096,
        };
        let status = CatalogStatus {
            path: "/dump/.dump/catalog.db".into(),
            dumps: 3,
            trees: vec![tree],
            not_recorded: vec![DumpId::First],
            ..CatalogStatus::default()
        };
        let expected = json!({
            "path": "/dump/.dump/catalog.db", "size_bytes": 0, "dumps": 3, "names": 0,
            "past_names": 0, "inodes": 0, "hashes": 0, "sources": 0, "whole": false,
            "trees": [{"name": "home", "dumps": 3, "head": "2026/1122/2331", "entries": 7,
                "apparent_bytes": 4096}],
            "not_recorded": ["first"], "not_on_disk": [],
        });
        assert_eq!(serde_json::to_value(&status).expect("written"), expected);
        let difference = CatalogDifference {
            dump,
            path: Some("home/letter".into()),
            how: Differs::Otherwise,
        };
        let expected = json!({
            "name": "2026/1122/2331", "path": "home/letter", "difference": "changed",
        });
        assert_eq!(
            serde_json::to_value(&difference).expect("written"),
            expected
        );
        let rebuilt = serde_json::to_value(CatalogRebuilt::default()).expect("written");
        let expected = json!({"dry_run": false, "dumps": 0, "left_out": [], "hashes_kept": false});
        assert_eq!(rebuilt, expected);
    }
}
