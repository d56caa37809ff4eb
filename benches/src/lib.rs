//! Benchmarks of `dump`; see `benches/`.
