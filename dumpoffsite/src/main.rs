//! Stores dumps in a restic repository. See `dumpoffsite --help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    dumpoffsite::main()
}
