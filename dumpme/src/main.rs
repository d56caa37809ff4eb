//! Takes a dump of a file tree. See `dumpme --help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    dumpme::main()
}
