//! What workers hide of a disk or a network that is slow to answer: see
//! `benches/README.md`, and `cargo bench -p benches --bench latency -- --help`.

use std::path::Path;

use benches::latency::{Settings, markdown, measure};
use clap::Parser as _;

#[allow(clippy::print_stdout)]
fn main() -> std::io::Result<()> {
    let settings = Settings::parse();
    let measured = Path::new(env!("CARGO_BIN_EXE_measured"));
    measure(&settings, measured, &mut |series| {
        println!("{}", markdown(series));
    })
}
