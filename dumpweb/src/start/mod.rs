//! The life of the program: its options, whom it becomes, where it listens, what
//! it says, when it ends.

pub(crate) mod desktop;
pub(crate) mod listen;
pub(crate) mod options;
pub(crate) mod running;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod user;
