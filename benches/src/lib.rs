//! Benchmarks of `dump`. `README.md` beside this tells how each is run.
//!
//! - `library`: the library, by criterion.
//! - `peers`: whole programs against their peers on a realistic tree.
//! - `scale`: memory, instructions and system calls as trees grow; no clock.
//! - `scrub`: what a scrub reads and takes, beside `cat` over the same files.
//! - `years`: how long `dumpctl` takes to answer from the catalog of years.
//! - `page`: how long `dumpweb` takes to the first byte of each view.
//! - `latency`: what workers hide of a disk or a network that is slow to
//!   answer.
//!
//! Speed claims live here and nowhere else: no test measures time. What the
//! benches do is in this library, so that tests can try it on small trees.

#![forbid(unsafe_code)]

pub mod latency;
pub mod machine;
pub mod page;
pub mod peers;
pub mod programs;
pub mod scale;
pub mod scrub;
pub mod years;
