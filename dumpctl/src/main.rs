//! Looks after the dumps of a dump root. See `dumpctl --help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    dumpctl::main()
}
