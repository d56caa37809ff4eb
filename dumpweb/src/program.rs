//! What the program is called, and what it can advise.

use dumpcli::{Advice, Program};

pub(crate) const PROGRAM: Program = Program {
    name: "dumpweb",
    version: env!("CARGO_PKG_VERSION"),
    makes: "",
    unlinked: "",
    advice: Advice::COMMON,
};
