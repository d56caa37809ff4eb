//! Benchmarks of `dump`.
//!
//! - `cargo bench -p benches --bench library`: the library, by criterion.
//! - `cargo bench -p benches --bench peers`: whole programs against their
//!   peers on a realistic tree, in turn, with ratios from the same round.
//!   See the head of `benches/peers/main.rs` for its settings.
//!
//! Speed claims live here and nowhere else: no test measures time.
