//! All programs in one, chosen by the name that it is called by.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let called = std::env::args_os().next().map(PathBuf::from);
    let name = called.as_deref().and_then(|path| path.file_name());
    match name.and_then(|name| name.to_str()) {
        Some("dumpme") => dumpme::main(),
        Some("chkptme") => chkptme::main(),
        Some("dumpslave") => dumpslave::main(),
        Some("yest") => yest::main(),
        Some("hist") => hist::main(),
        Some("dumpctl") => dumpctl::main(),
        _ => ExitCode::from(127),
    }
}
