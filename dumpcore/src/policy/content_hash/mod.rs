//! The hash of a file's contents, by which later runs and a scrub know them.
//!
//! It is kept for years, so it is defined here and nowhere else: a file is cut
//! into blocks of 64 KiB, the last of which may be shorter. Of each block that
//! has a byte other than zero, its number and the BLAKE3 hash of its bytes are
//! written one after the other; the length of the file follows. The BLAKE3
//! hash of all that is the hash of the contents. Numbers are 64 bits, little
//! endian; blocks count from 0.
//!
//! So holes need not be read, and two files with the same bytes have the same
//! hash wherever their holes are.
//!
//! Without the feature `catalog` nothing keeps a hash, and none is taken.

#[cfg(feature = "catalog")]
mod hasher;
#[cfg(feature = "catalog")]
pub(crate) use hasher::Hasher;

#[cfg(not(feature = "catalog"))]
mod no_hasher;
#[cfg(not(feature = "catalog"))]
pub(crate) use no_hasher::Hasher;

/// The hash of a file's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentHash(pub(crate) [u8; 32]);
