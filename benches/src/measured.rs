//! The measured programs in one, chosen by the name that it is called by.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    fixtures::called_as(&[
        ("dumpme", dumpme::main),
        ("chkptme", chkptme::main),
        ("dumpctl", dumpctl::main),
        ("dumpweb", dumpweb::main),
    ])
}
