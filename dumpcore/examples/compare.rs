//! Compares two trees by the rules by which dumps link: each entry that would
//! be copied is a line, with all reasons.
//!
//! ```text
//! cargo run -p dumpcore --example compare -- OLD NEW
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use dumpcore::{Candidate, Capabilities, Kind, LinkPolicy, Printable};

/// Compares two trees.
#[derive(Debug)]
pub struct Comparison {
    policy: LinkPolicy,
    capabilities: Capabilities,
    /// How many entries differ.
    pub different: u64,
}

impl Comparison {
    /// By these rules.
    #[must_use]
    pub fn new(policy: LinkPolicy) -> Self {
        Self {
            policy,
            capabilities: Capabilities::everything(),
            different: 0,
        }
    }

    /// Writes what differs between two entries, and below them.
    pub fn entry(
        &mut self,
        old: &Path,
        new: &Path,
        out: &mut dyn Write,
    ) -> Result<(), Box<dyn Error>> {
        let (was, is) = (Candidate::read(old)?, Candidate::read(new)?);
        let same = || Ok(fs::read(old)? == fs::read(new)?);
        let found = self
            .policy
            .differences(&self.capabilities, &was, &is, same)?;
        if !found.is_empty() {
            let reasons: Vec<String> = found.iter().map(ToString::to_string).collect();
            self.tell(new, &reasons.join(", "), out)?;
        }
        if was.meta.kind == Kind::Dir && is.meta.kind == Kind::Dir {
            self.below(old, new, out)?;
        }
        Ok(())
    }

    fn below(&mut self, old: &Path, new: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
        let (had, has) = (names(old)?, names(new)?);
        for name in had.union(&has) {
            let (old, new) = (old.join(name), new.join(name));
            match (had.contains(name), has.contains(name)) {
                (true, false) => self.tell(&old, "it is gone", out)?,
                (false, true) => self.tell(&new, "it is new", out)?,
                _ => self.entry(&old, &new, out)?,
            }
        }
        Ok(())
    }

    fn tell(&mut self, path: &Path, why: &str, out: &mut dyn Write) -> io::Result<()> {
        self.different += 1;
        writeln!(out, "{}: {why}", Printable::path(path))
    }
}

fn names(path: &Path) -> io::Result<BTreeSet<OsString>> {
    fs::read_dir(path)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}

#[allow(dead_code, reason = "the test of the examples calls what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let [old, new] = args.as_slice() else {
        return Err("give two trees".into());
    };
    let mut comparison = Comparison::new(LinkPolicy::new().contents(true));
    comparison.entry(old.as_ref(), new.as_ref(), &mut io::stdout())?;
    match comparison.different {
        0 => Ok(()),
        different => Err(format!("{different} entries differ").into()),
    }
}
