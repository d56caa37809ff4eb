//! Finds how a file was yesterday. See `yest --help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    yest::main()
}
