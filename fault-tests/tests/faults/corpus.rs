//! The corpus: inputs that were worth trying once, and are tried again each
//! time, one file for each target in `fault-tests/corpus`, one input a line, with
//! Rust's escapes. Then come inputs made from these by a few edits.
//!
//! What fails is made as small as it can be and added to the file, to be
//! committed with what mends it. The lines were found by hand and by libFuzzer
//! (`docs/RELIABILITY.md` tells how); none is there for its beauty.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestError, TestRunner};

/// The inputs of one target.
pub(crate) struct Corpus {
    path: PathBuf,
    inputs: Vec<Vec<u8>>,
}

/// A change to an input.
#[derive(Clone, Debug)]
enum Edit {
    Put(Index, u8),
    Insert(Index, u8),
    Cut(Index, u8),
    Repeat(Index, u8),
    /// From there on another input.
    Join(Index, Index),
    /// Another input there.
    Nest(Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Put(at, byte)),
        // Bytes that mean something come from the inputs themselves.
        (at(), 32..127_u8).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        (at(), 1..9_u8).prop_map(|(at, count)| Edit::Cut(at, count)),
        (at(), 1..9_u8).prop_map(|(at, count)| Edit::Repeat(at, count)),
        (at(), at()).prop_map(|(at, other)| Edit::Join(at, other)),
        (at(), at()).prop_map(|(at, other)| Edit::Nest(at, other)),
    ]
}

impl Corpus {
    /// Reads the corpus of a target.
    pub(crate) fn of(target: &str) -> Self {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus");
        let path = dir.join(target);
        let text = fs::read_to_string(&path).expect("the corpus can be read");
        let inputs: Vec<_> = text.lines().map(unescape).collect();
        assert!(inputs.len() > 20, "{}: too few", path.display());
        Corpus { path, inputs }
    }

    /// Tries every input, and as many others made from them.
    pub(crate) fn try_all(&self, others: u32, check: impl Fn(&[u8])) {
        for input in &self.inputs {
            // Told when it fails, as the last of its kind.
            println!("{}", input.escape_ascii());
            check(input);
        }
        let mut runner = TestRunner::new(Config {
            cases: others,
            failure_persistence: None,
            ..Config::default()
        });
        let made = (any::<Index>(), vec(edit(), 1..6));
        let ran = runner.run(&made, |(start, edits)| {
            check(&self.edited(&start, &edits));
            Ok(())
        });
        match ran {
            Ok(()) => {}
            Err(TestError::Abort(reason)) => panic!("{reason}"),
            Err(TestError::Fail(reason, (start, edits))) => {
                let line = self.keep(&self.edited(&start, &edits));
                panic!("{reason}: {line}: it is in the corpus now, to be committed");
            }
        }
    }

    fn edited(&self, start: &Index, edits: &[Edit]) -> Vec<u8> {
        let mut input = start.get(&self.inputs).clone();
        for edit in edits {
            apply(&mut input, edit, &self.inputs);
        }
        input
    }

    /// Adds an input to the file; the line that it is there.
    fn keep(&self, input: &[u8]) -> String {
        let line = input.escape_ascii().to_string();
        let file = fs::File::options().append(true).open(&self.path);
        let added = file.and_then(|mut file| writeln!(file, "{line}"));
        added.expect("the corpus can be written");
        line
    }
}

fn apply(input: &mut Vec<u8>, edit: &Edit, all: &[Vec<u8>]) {
    let place = |at: &Index| at.index(input.len() + 1);
    let stretch = |at: &Index, count: &u8| {
        let start = place(at);
        start..input.len().min(start + usize::from(*count))
    };
    match edit {
        Edit::Put(at, byte) => {
            let start = place(at);
            input.truncate(input.len().max(start));
            match input.get_mut(start) {
                Some(there) => *there = *byte,
                None => input.push(*byte),
            }
        }
        Edit::Insert(at, byte) => input.insert(place(at), *byte),
        Edit::Cut(at, count) => drop(input.drain(stretch(at, count))),
        Edit::Repeat(at, count) => {
            let stretch = stretch(at, count);
            let again = input[stretch.clone()].repeat(8);
            input.splice(stretch, again);
        }
        Edit::Join(at, other) => {
            input.truncate(place(at));
            let other = other.get(all);
            input.extend(&other[other.len() / 2..]);
        }
        Edit::Nest(at, other) => {
            let start = place(at);
            input.splice(start..start, other.get(all).iter().copied());
        }
    }
    input.truncate(4096);
}

/// The bytes of an escaped line.
fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b'r') => bytes.push(b'\r'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'x') => {
                let mut hex = String::new();
                for _ in 0..2 {
                    let _ = write!(hex, "{}", char::from(rest.next().unwrap_or(b'?')));
                }
                let byte = u8::from_str_radix(&hex, 16);
                bytes.push(byte.unwrap_or_else(|_| panic!("\\x{hex} in {line}")));
            }
            Some(plain @ (b'\\' | b'\'' | b'"')) => bytes.push(plain),
            other => panic!("an unknown escape {other:?} in {line}"),
        }
    }
    bytes
}

#[test]
fn lines_are_read_as_they_are_written() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(unescape(&all.escape_ascii().to_string()), all);
    for target in ["filter", "dates", "config", "current"] {
        let corpus = Corpus::of(target);
        let text = fs::read_to_string(&corpus.path).expect("read");
        let lines = corpus.inputs.iter().map(|input| input.escape_ascii());
        assert!(
            text.lines().eq(lines.map(|line| line.to_string())),
            "{target}"
        );
    }
}
