//! Faults, attacks and bad luck, injected for real: each room of this file
//! is one kind, and `docs/RELIABILITY.md` tells what each test shows.

// The figures that the page tells are printed by the tests that it names.
#![allow(clippy::print_stdout)]

mod calls;
mod clocks;
mod concurrent;
mod corpus;
mod erase;
mod errors;
mod flush;
mod flush_each;
mod full;
mod fuzz;
mod heal;
mod hostile;
mod import;
mod in_vm;
mod kill;
mod machine;
mod no_proc;
mod power;
mod quota;
mod recycled;
mod removal;
mod restore;
mod sample_trees;
mod setup;
mod source;
mod watermark;
