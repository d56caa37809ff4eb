//! Names of dumps and rates as serde writes and reads them: as their text.

use serde::ser::{Serialize, Serializer};
use serde::{Deserialize, Deserializer, de};

use crate::model::json::{as_text, from_text};
use crate::policy::layout::{DumpId, DumpName};
use crate::policy::rate_limit::Rate;

as_text! {
    DumpName => DumpName::to_string,
    DumpId => DumpId::to_string,
    Rate => Rate::to_string,
}
from_text!(DumpName, DumpId, Rate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_read_as_they_are_written() {
        let text = "\"2026/1101/0500_chk\"";
        let name: DumpName = serde_json::from_str(text).expect("read");
        assert_eq!(serde_json::to_string(&name).expect("written"), text);
        for text in ["\"first\"", "\"2026/1101/0500_incomplete\"", text] {
            let id: DumpId = serde_json::from_str(text).expect("read");
            assert_eq!(serde_json::to_string(&id).expect("written"), text);
        }
        let rate: Rate = serde_json::from_str("\"20M\"").expect("read");
        assert_eq!(rate.bytes_per_second(), 20 << 20);
        assert!(serde_json::from_str::<DumpName>("\"first\"").is_err());
    }
}
