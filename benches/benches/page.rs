//! How long `dumpweb` takes to the first byte of each view: see `benches/README.md`,
//! and `cargo bench -p benches --bench page -- --help`.

use std::path::Path;

use benches::machine::{Machine, load};
use benches::page::{HEAD, Settings, measure};
use clap::Parser as _;

#[allow(clippy::print_stdout)]
fn main() -> std::io::Result<()> {
    let settings = Settings::parse();
    let dir = settings.dir.clone().unwrap_or_else(std::env::temp_dir);
    println!("{}, load {:.1}\n\n{HEAD}", Machine::here(&dir), load());
    let measured = Path::new(env!("CARGO_BIN_EXE_measured"));
    measure(&settings, measured, &mut |row| println!("{row}"))?;
    println!("\nload {:.1} at the end", load());
    Ok(())
}
