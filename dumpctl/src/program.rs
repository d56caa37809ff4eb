//! What the program is called, and what it can advise.

use dumpcli::{Advice, Program};

pub(crate) const PROGRAM: Program = Program {
    name: "dumpctl",
    version: env!("CARGO_PKG_VERSION"),
    // An import is the only thing that it makes.
    makes: "import",
    unlinked: "",
    advice: Advice::COMMON,
};
