//! What a dump costs as its tree grows: see `benches/README.md`, and
//! `cargo bench -p benches --bench scale -- --help`.

use std::path::Path;

use benches::scale::{HEAD, Settings, measure};
use clap::Parser as _;

#[allow(clippy::print_stdout)]
fn main() -> std::io::Result<()> {
    let settings = Settings::parse();
    println!("{HEAD}");
    let measured = Path::new(env!("CARGO_BIN_EXE_measured"));
    measure(&settings, measured, &mut |row| println!("{row}"))
}
