//! Replicates a dump to a second dump root. See `dumpslave --help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    dumpslave::main()
}
