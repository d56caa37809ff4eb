//! Whole programs against their peers: see `benches/README.md`, and
//! `cargo bench -p benches --bench peers -- --help`.

use std::path::Path;
use std::process::ExitCode;

use benches::peers::{Settings, markdown, measure};
use clap::Parser as _;

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let settings = Settings::parse();
    let measured = Path::new(env!("CARGO_BIN_EXE_measured"));
    match measure(&settings, measured, &mut |step| eprintln!("{step}")) {
        Ok(results) => {
            println!("{}", markdown(&results));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::from(2)
        }
    }
}
