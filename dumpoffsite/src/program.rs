//! What the program is called, and what it can advise.

use dumpcli::{Advice, Program};

pub(crate) const PROGRAM: Program = Program {
    name: "dumpoffsite",
    version: env!("CARGO_PKG_VERSION"),
    makes: "off-site copy",
    unlinked: "",
    advice: Advice::COMMON,
};
