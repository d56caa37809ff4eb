//! Which program this is, and what it alone can advise.

use dumpcore::{Error, Sort};

/// What a program calls itself in logs and messages, and its act.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// `dumpme`
    pub name: &'static str,
    /// `0.1.0`
    pub version: &'static str,
    /// What it makes, as in "starting dump of /home": `dump`.
    pub makes: &'static str,
    /// What its report says of a dump that is linked to nothing.
    pub unlinked: &'static str,
    /// What can be done about errors, in its own words.
    pub advice: Advice,
}

/// A program's own table of advice.
#[derive(Clone, Copy, Debug)]
pub struct Advice {
    /// What is added to the sentence of an error, such as the option that
    /// helps; `None` where the program has nothing of its own to say. Asked
    /// about [`Error::DumpUnusable`] only where the dump root is missing.
    pub of: fn(&Error, Root) -> Option<&'static str>,
    /// The sort of leftover that it resumes.
    pub resumes: Sort,
}

impl Advice {
    /// Of a program that has nothing of its own to say.
    pub const COMMON: Self = Self {
        of: |_, _| None,
        resumes: Sort::Dump,
    };
}

/// Which dump root an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// One that the program reads.
    Read,
    /// One that it writes.
    Written,
}
