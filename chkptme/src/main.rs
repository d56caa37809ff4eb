//! Makes a checkpoint of the newest dump. See `chkptme --help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    chkptme::main()
}
