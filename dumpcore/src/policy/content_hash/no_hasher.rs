//! Stands for the hasher where there is no catalog.

use super::ContentHash;

/// A hasher of which there is none.
#[derive(Debug)]
pub(crate) enum Hasher {}

impl Hasher {
    pub(crate) fn new() -> Option<Self> {
        None
    }

    pub(crate) fn begin(&mut self) {
        match *self {}
    }

    pub(crate) fn write_at(&mut self, _offset: u64, _bytes: &[u8]) {
        match *self {}
    }

    pub(crate) fn finish(&mut self, _length: u64) -> ContentHash {
        match *self {}
    }
}
