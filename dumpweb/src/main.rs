//! Shows dumps through time in a browser. See `dumpweb --help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    dumpweb::main()
}
