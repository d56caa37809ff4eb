//! What a scrub reads and takes: see `benches/README.md`, and
//! `cargo bench -p benches --bench scrub -- --help`.

use std::path::Path;

use benches::scrub::{HEAD, Settings, measure};
use clap::Parser as _;

#[allow(clippy::print_stdout)]
fn main() -> std::io::Result<()> {
    let settings = Settings::parse();
    println!("{HEAD}");
    let measured = Path::new(env!("CARGO_BIN_EXE_measured"));
    measure(&settings, measured, &mut |round| println!("{round}"))
}
