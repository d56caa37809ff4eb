//! Gathers the exclude rules of a run into a filter.
//!
//! The order is the weight: the first rule that matches wins. First those of
//! the command line and the configuration, then the files that lie with the
//! trees: `MAIN/.rsync/exclude` of each, then `DUMP/.rsync/exclude`.

use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use dumpcore::{EXCLUDE_FILE, Fault, Op};

use crate::exit::Failure;
use crate::options::Rule;
use crate::settings::Value;

/// A file of rules: its name for messages, and its bytes.
pub(crate) type Lines = (PathBuf, Vec<u8>);

/// Reads a file of rules that was named; `-` is standard input.
fn named(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    read.map_err(|error| Failure::Usage(unreadable(path, error)))
}

/// Reads the files of rules that lie with the trees and are there.
fn lying_about(mains: &[PathBuf], dump: &Path) -> Result<Vec<Lines>, Failure> {
    let mut found = Vec::new();
    for root in mains.iter().map(PathBuf::as_path).chain([dump]) {
        let path = root.join(EXCLUDE_FILE);
        match fs::read(&path) {
            Ok(bytes) => found.push((path, bytes)),
            // No such file, or no such root: that is for the run to say.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            Err(error) => return Err(Failure::Failed(unreadable(&path, error))),
        }
    }
    Ok(found)
}

fn unreadable(path: &Path, error: io::Error) -> String {
    let fault = Fault::new(Op::Read, path.to_owned(), error);
    format!("exclude rules: {fault}")
}

/// The rules of a run, in the order of their weight.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Pattern(Vec<u8>),
    Lines(PathBuf, Vec<u8>),
}

impl Rules {
    /// Those of the command line and the configuration.
    ///
    /// # Errors
    /// [`Failure::Usage`] when a file of them cannot be read.
    pub fn given(rules: &[Value<Rule>]) -> Result<Self, Failure> {
        let parts = rules.iter().map(|rule| match &rule.value {
            Rule::Pattern(text) => Ok(Part::Pattern(text.as_bytes().to_vec())),
            Rule::File(path) => named(path).map(|bytes| Part::Lines(path.clone(), bytes)),
        });
        Ok(Self {
            parts: parts.collect::<Result<_, _>>()?,
        })
    }

    /// Those that lie with the trees behind them.
    ///
    /// # Errors
    /// [`Failure::Failed`] when a file is there and cannot be read.
    pub fn with_files_of(mut self, mains: &[PathBuf], dump: &Path) -> Result<Self, Failure> {
        for (path, bytes) in lying_about(mains, dump)? {
            self.parts.push(Part::Lines(path, bytes));
        }
        Ok(self)
    }
}
