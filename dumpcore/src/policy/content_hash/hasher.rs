//! Takes the hash of contents piece by piece, as they are copied.

use super::ContentHash;

/// Bytes of a block.
const BLOCK: usize = 64 << 10;

/// What is put before data that follows a hole in the same block.
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Takes the hash of one file after another.
#[derive(Debug)]
pub(crate) struct Hasher {
    /// Takes the number and the hash of each block.
    blocks: blake3::Hasher,
    /// Takes the block in hand, from its first byte other than zero on.
    block: blake3::Hasher,
    /// The number of the block in hand, and how many of its bytes are known.
    number: u64,
    known: usize,
    /// Were all of these zero?
    zero: bool,
}

impl Hasher {
    /// `None` where hashes are not taken: without the feature `catalog`.
    #[expect(clippy::unnecessary_wraps, reason = "without the feature it is None")]
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            blocks: blake3::Hasher::new(),
            block: blake3::Hasher::new(),
            number: 0,
            known: 0,
            zero: true,
        })
    }

    /// Forgets what was written: another file begins.
    pub(crate) fn begin(&mut self) {
        self.blocks.reset();
        self.block.reset();
        (self.number, self.known, self.zero) = (0, 0, true);
    }

    /// The contents from `offset` on are these bytes. Offsets ascend; what is
    /// left out between two pieces is a hole.
    pub(crate) fn write_at(&mut self, offset: u64, mut bytes: &[u8]) {
        self.skip_to(offset);
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(BLOCK - self.known));
            if part.len() == BLOCK {
                // Whole blocks need not be fed in pieces.
                self.end_block((!is_zero(part)).then(|| blake3::hash(part)));
            } else {
                self.add(part);
            }
            bytes = rest;
        }
    }

    /// The hash of all that was written, when the file ends here; the bytes
    /// since the last piece are a hole.
    pub(crate) fn finish(&mut self, length: u64) -> ContentHash {
        self.skip_to(length);
        if !self.zero {
            let hash = self.block.finalize();
            self.end_block(Some(hash));
        }
        self.blocks.update(&length.to_le_bytes());
        let hash = self.blocks.finalize();
        self.begin();
        ContentHash(hash.into())
    }

    /// All up to `offset` is a hole.
    fn skip_to(&mut self, offset: u64) {
        let at = self.number * BLOCK as u64 + self.known as u64;
        debug_assert!(at <= offset, "offsets ascend: {at}, {offset}");
        let number = offset / BLOCK as u64;
        if number > self.number {
            if self.known > 0 {
                self.add(&ZEROS[self.known..]);
            }
            self.number = number;
        }
        let known = (offset % BLOCK as u64) as usize;
        self.add(&ZEROS[self.known..known]);
    }

    /// Adds bytes to the block in hand, and ends it when it is full.
    fn add(&mut self, bytes: &[u8]) {
        if self.zero && !is_zero(bytes) {
            self.block.update(&ZEROS[..self.known]);
            self.zero = false;
        }
        if !self.zero {
            self.block.update(bytes);
        }
        self.known += bytes.len();
        if self.known == BLOCK {
            let hash = (!self.zero).then(|| self.block.finalize());
            self.end_block(hash);
        }
    }

    /// The block in hand has this hash; `None` when it is all zero.
    fn end_block(&mut self, hash: Option<blake3::Hash>) {
        if let Some(hash) = hash {
            self.blocks.update(&self.number.to_le_bytes());
            self.blocks.update(hash.as_bytes());
        }
        if !self.zero {
            self.block.reset();
        }
        self.number += 1;
        (self.known, self.zero) = (0, true);
    }
}

/// Are all bytes zero? Looked at in strides that the compiler can vectorize.
fn is_zero(bytes: &[u8]) -> bool {
    let strides = bytes.chunks_exact(128);
    let rest = strides.remainder();
    let none = |stride: &[u8]| stride.iter().fold(0, |all, byte| all | byte) == 0;
    strides.into_iter().all(none) && none(rest)
}

#[cfg(test)]
#[path = "hasher_tests.rs"]
mod tests;
