//! Tells the history of a file. See `hist --help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hist::main()
}
