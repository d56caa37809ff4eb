//! The filter against the real rsync: random rules over random trees, and the
//! same entries must be left out.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use assert_fs::TempDir;
use dumpcore::{Filter, FilterError, FilterRefusal};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{FileFailurePersistence, TestCaseResult, TestError, TestRunner};

const TREES: usize = 24;
const THREADS: u32 = 6;
/// At least; `PROPTEST_CASES` asks for more.
const CASES_PER_THREAD: u32 = 600;

/// Names that rules are likely to hit, and some that look like rules.
const NAMES: [&[u8]; 29] = [
    b"a",
    b"b",
    b"ab",
    b"ba",
    b"aa",
    b"A",
    b"B1",
    b"a.o",
    b"b.o",
    b".a",
    b"x",
    b"1",
    b"\x80",
    b"\xff\xfe",
    b"a\xc3\xa9",
    b" a",
    b"a ",
    b"[a]",
    b"a*b",
    b"\\a",
    b"a\\",
    b"!",
    b"#a",
    b";a",
    b"-",
    b"a\rb",
    b"]",
    b"a-b",
    b". a",
];

/// Rules that are odd in themselves.
const ODD: [&[u8]; 48] = [
    b"!",
    b"!",
    b"",
    b"#a",
    b";a",
    b" #a",
    b" ",
    b"-",
    b"+",
    b"- ",
    b"+ ",
    b"-a",
    b"+a",
    b"-  a",
    b"+\ta",
    b"!a",
    b"! ",
    b"/",
    b"//",
    b"///",
    b"a//",
    b"//a",
    b"*",
    b"**",
    b"***",
    b"****",
    b"/*",
    b"/**",
    b"/***",
    b"**/",
    b"***/",
    b"*/",
    b"/*/",
    b"*/*",
    b"/*/*",
    b"**/*",
    b"*/**",
    b"?",
    b"[",
    b"]",
    b"\\",
    b"[]",
    b". a",
    b": a",
    b"-/ a",
    b"merge a",
    b"include a",
    b"hide a",
];

/// Pieces of which patterns are made at random.
const PIECES: [&[u8]; 52] = [
    b"a",
    b"b",
    b"A",
    b".",
    b"1",
    b"o",
    b"x",
    b"\xc3",
    b"\x80",
    b"\xff",
    b"/",
    b"/",
    b"/",
    b"*",
    b"*",
    b"**",
    b"***",
    b"?",
    b"?",
    b"/**",
    b"/***",
    b"**/",
    b"*/",
    b"/*",
    b"//",
    b"\\",
    b"\\*",
    b"\\a",
    b"\\[",
    b"\\/",
    b"[",
    b"]",
    b"[ab]",
    b"[!a]",
    b"[^a]",
    b"[a-b]",
    b"[b-a]",
    b"[]a]",
    b"[!]a]",
    b"[a/]",
    b"[\\]a]",
    b"[a-\\b]",
    b"[[:alpha:]]",
    b"[![:upper:]]",
    b"[[:punct:]a-]",
    b"[[:foo:]]",
    b"[[:alpha]",
    b"[\x80-\xff]",
    b" ",
    b"\r",
    b"!",
    b"[**]",
];

/// What becomes of one byte of a path when a pattern is made from it.
#[derive(Debug, Clone, Copy)]
enum Twist {
    Keep,
    Question,
    Star,
    TwoStars,
    Class,
    Inverted,
    Escape,
    Swap,
    Drop,
}

/// A pattern, or how to make one from a path of the tree.
#[derive(Debug, Clone)]
enum Pattern {
    Odd(&'static [u8]),
    Soup(Vec<&'static [u8]>),
    FromPath {
        path: Index,
        components: usize,
        twists: Vec<Twist>,
        before: &'static str,
        behind: &'static str,
    },
}

#[derive(Debug, Clone)]
struct Case {
    tree: Index,
    /// Starts with a rule that keeps the root, lest too many cases end there.
    keep_root: bool,
    rules: Vec<(&'static str, Pattern)>,
    line_end: &'static str,
    as_arguments: bool,
}

fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        12 => Just(Twist::Keep),
        1 => select(vec![
            Twist::Question, Twist::Star, Twist::TwoStars, Twist::Class,
            Twist::Inverted, Twist::Escape, Twist::Swap, Twist::Drop,
        ]),
        1 => Just(Twist::Star),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let before = vec![
        "", "", "", "", "/", "/", "**/", "*/", "**", "*", "./", "//", "\\",
    ];
    let behind = vec![
        "", "", "", "", "", "/", "/", "/*", "/**", "/***", "*", "**", "***", "/***/", "//", " ",
        "\\", "\r", "[",
    ];
    let from_path = (
        any::<Index>(),
        1..5_usize,
        prop::collection::vec(twist(), 8),
        select(before),
        select(behind),
    );
    prop_oneof![
        1 => select(ODD.to_vec()).prop_map(Pattern::Odd),
        3 => prop::collection::vec(select(PIECES.to_vec()), 1..7).prop_map(Pattern::Soup),
        6 => from_path.prop_map(|(path, components, twists, before, behind)| {
            Pattern::FromPath { path, components, twists, before, behind }
        }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let sign = select(vec!["", "", "", "- ", "- ", "+ ", "+ ", "+ ", "-  ", "+"]);
    (
        any::<Index>(),
        prop::bool::weighted(0.8),
        prop::collection::vec((sign, pattern()), 1..12),
        select(vec!["\n", "\n", "\n", "\r\n", "\r", "\n\n"]),
        any::<bool>(),
    )
        .prop_map(|(tree, keep_root, rules, line_end, as_arguments)| Case {
            tree,
            keep_root,
            rules,
            line_end,
            as_arguments,
        })
}

impl Pattern {
    fn render(&self, paths: &[Vec<u8>]) -> Vec<u8> {
        match self {
            Pattern::Odd(text) => text.to_vec(),
            Pattern::Soup(pieces) => pieces.concat(),
            Pattern::FromPath {
                path,
                components,
                twists,
                before,
                behind,
            } => {
                let path = path.get(paths);
                let all: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
                let skipped = if before.starts_with('/') {
                    0
                } else {
                    all.len().saturating_sub(*components)
                };
                let mut text = before.as_bytes().to_vec();
                let bytes = all[skipped..].join(&b'/');
                for (byte, twist) in bytes.iter().zip(twists.iter().cycle()) {
                    twist.apply(*byte, &mut text);
                }
                text.extend_from_slice(behind.as_bytes());
                text
            }
        }
    }
}

impl Twist {
    fn apply(self, byte: u8, text: &mut Vec<u8>) {
        match self {
            Twist::Keep => text.push(byte),
            Twist::Question => text.push(b'?'),
            Twist::Star => text.push(b'*'),
            Twist::TwoStars => text.extend_from_slice(b"**"),
            Twist::Class => text.extend_from_slice(&[b'[', byte, b'x', b']']),
            Twist::Inverted => text.extend_from_slice(&[b'[', b'!', byte, b']']),
            Twist::Escape => text.extend_from_slice(&[b'\\', byte]),
            Twist::Swap => text.push(byte ^ 1),
            Twist::Drop => {}
        }
    }
}

/// A tree on disk and what is in it, parents first.
struct Tree {
    root: PathBuf,
    entries: Vec<(Vec<u8>, bool)>,
    paths: Vec<Vec<u8>>,
}

impl Tree {
    /// Each step puts an entry of some name into one of the directories so far.
    fn new(parent: &Path, root: &[u8], steps: &[(Index, &[u8], u8)]) -> Tree {
        let mut entries = vec![(root.to_vec(), true)];
        fs::create_dir_all(parent.join(OsStr::from_bytes(root))).expect("a root");
        for (dir, name, kind) in steps {
            let dirs: Vec<_> = entries.iter().filter(|entry| entry.1).collect();
            let path = [&dir.get(&dirs).0[..], *name].join(&b'/');
            if entries.iter().any(|entry| entry.0 == path) {
                continue;
            }
            let on_disk = parent.join(OsStr::from_bytes(&path));
            match kind {
                0..4 => fs::create_dir(&on_disk).expect("a directory"),
                4 => symlink("..", &on_disk).expect("a symlink"),
                _ => fs::write(&on_disk, "").expect("a file"),
            }
            entries.push((path, *kind < 4));
        }
        Tree {
            root: parent.join(OsStr::from_bytes(root)),
            paths: entries.iter().map(|entry| entry.0.clone()).collect(),
            entries,
        }
    }

    /// The paths that a walk with this filter meets and keeps.
    fn kept(&self, filter: &Filter) -> BTreeSet<Vec<u8>> {
        let mut kept = BTreeSet::new();
        for (path, is_dir) in &self.entries {
            let slash = path.iter().rposition(|&byte| byte == b'/');
            let entered = slash.is_none_or(|slash| kept.contains(&path[..slash]));
            if entered && !filter.excludes(path, *is_dir) {
                kept.insert(path.clone());
            }
        }
        kept
    }
}

/// What rsync would transfer from a tree, or its exit code.
fn transferred(tree: &Tree, empty: &Path, options: &[Vec<u8>]) -> Result<BTreeSet<Vec<u8>>, i32> {
    let output = Command::new("rsync")
        .env("LC_ALL", "C")
        .args(["-an", "--out-format=%n"])
        .args(options.iter().map(|option| OsStr::from_bytes(option)))
        .args([&tree.root, empty])
        .output()
        .expect("rsync runs");
    match output.status.code() {
        Some(0) => {}
        code => return Err(code.expect("rsync exits by itself")),
    }
    let lines = output.stdout.split(|&byte| byte == b'\n');
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(|line| decoded(line.strip_suffix(b"/").unwrap_or(line)))
        .collect())
}

/// rsync writes what is not printable as `\#NNN`, in octal.
fn decoded(mut name: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((&first, rest)) = name.split_first() {
        if let [b'\\', b'#', digits @ ..] = name {
            let octal = |value: u8, digit: &u8| value * 8 + (digit - b'0');
            bytes.push(digits[..3].iter().fold(0, octal));
            name = &digits[3..];
        } else {
            bytes.push(first);
            name = rest;
        }
    }
    bytes
}

/// How many cases ended how.
#[derive(Debug, Default)]
struct Tally {
    compared: AtomicUsize,
    /// … and left out something, but not everything.
    telling: AtomicUsize,
    /// Both refused the rules.
    both_refused: AtomicUsize,
    /// Only the filter did, as documented.
    refused: AtomicUsize,
}

struct Bench {
    trees: Vec<Tree>,
    empty: PathBuf,
    tally: Tally,
}

impl Bench {
    fn new(dir: &Path) -> Bench {
        let mut runner = TestRunner::default();
        let step = (any::<Index>(), select(NAMES.to_vec()), 0..10_u8);
        let shape = (
            select(vec![b"NEWAGE".as_slice(), b"a", b"ab", b"a.o"]),
            prop::collection::vec(step, 60..100),
        );
        let trees = (0..TREES).map(|number| {
            let shape = shape.new_tree(&mut runner).expect("a shape");
            let (root, steps) = shape.current();
            Tree::new(&dir.join(number.to_string()), root, &steps)
        });
        let trees = trees.collect();
        let empty = dir.join("empty");
        fs::create_dir(&empty).expect("an empty directory");
        Bench {
            trees,
            empty,
            tally: Tally::default(),
        }
    }

    fn check(&self, case: &Case, file: &Path) -> TestCaseResult {
        let tree = case.tree.get(&self.trees);
        let rules = rules_of(case, &tree.paths);
        let (filter, options) = if case.as_arguments {
            let option = |rule: &Vec<u8>| [b"--exclude=", rule.as_slice()].concat();
            (from_arguments(&rules), rules.iter().map(option).collect())
        } else {
            let contents = rules.join(case.line_end.as_bytes());
            fs::write(file, &contents).expect("rules are written");
            let option = [b"--exclude-from=", file.as_os_str().as_bytes()].concat();
            (from_lines(&contents), vec![option])
        };
        let shown = || {
            let rules: Vec<_> = rules
                .iter()
                .map(|rule| rule.escape_ascii().to_string())
                .collect();
            format!("{rules:?}, arguments: {}", case.as_arguments)
        };
        let found = transferred(tree, &self.empty, &options);
        match filter {
            Ok(filter) => {
                let kept = tree.kept(&filter);
                let found = found.map_err(|code| {
                    TestCaseError::fail(format!("rsync exits {code} on {}", shown()))
                })?;
                let differing: Vec<_> = kept
                    .symmetric_difference(&found)
                    .map(|path| path.escape_ascii().to_string())
                    .collect();
                prop_assert!(differing.is_empty(), "{differing:?} differ by {}", shown());
                self.tally.compared.fetch_add(1, Relaxed);
                let telling = !kept.is_empty() && kept.len() < tree.entries.len();
                self.tally.telling.fetch_add(telling.into(), Relaxed);
            }
            Err(error) if error.refusal() == FilterRefusal::Empty => {
                prop_assert_eq!(found, Err(1), "{}", shown());
                self.tally.both_refused.fetch_add(1, Relaxed);
            }
            Err(error) => {
                // A name of the tree, as the first line, can look like UTF-16.
                let begins_wide = !case.as_arguments && rules.concat().starts_with(b"\xff\xfe");
                let documented = match error.refusal() {
                    FilterRefusal::MergeFile | FilterRefusal::Modifier => true,
                    FilterRefusal::Encoding => begins_wide,
                    _ => false,
                };
                prop_assert!(documented, "{}", error);
                self.tally.refused.fetch_add(1, Relaxed);
            }
        }
        Ok(())
    }
}

/// What a case says of the tree that has these paths.
fn rules_of(case: &Case, paths: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let keep_root = [b"+ /", paths[0].as_slice()].concat();
    let rules = case.rules.iter();
    let rules = rules.map(|(sign, pattern)| [sign.as_bytes(), &pattern.render(paths)].concat());
    let keep_root = case.keep_root.then_some(keep_root);
    keep_root.into_iter().chain(rules).collect()
}

fn from_arguments(rules: &[Vec<u8>]) -> Result<Filter, FilterError> {
    let mut filter = Filter::new();
    rules.iter().try_for_each(|rule| filter.add_rule(rule))?;
    Ok(filter)
}

fn from_lines(contents: &[u8]) -> Result<Filter, FilterError> {
    let mut filter = Filter::new();
    filter.add_lines(Path::new("exclude"), contents)?;
    Ok(filter)
}

#[test]
#[ignore = "needs rsync"]
fn leaves_out_what_rsync_leaves_out() {
    let dir = TempDir::new().expect("a directory");
    let bench = &Bench::new(dir.path());
    let run = |thread: u32| {
        let default = ProptestConfig::default();
        let mut runner = TestRunner::new(ProptestConfig {
            cases: default.cases.max(CASES_PER_THREAD),
            source_file: Some(file!()),
            failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
                "proptest-regressions",
            ))),
            ..default
        });
        let file = dir.path().join(format!("exclude{thread}"));
        let outcome = runner.run(&case(), |case| bench.check(&case, &file));
        match outcome {
            Ok(()) => None,
            Err(TestError::Fail(reason, _)) => Some(reason.to_string()),
            Err(other) => Some(other.to_string()),
        }
    };
    let failures: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|id| scope.spawn(move || run(id)))
            .collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        ended.flatten().collect()
    });
    assert_eq!(failures, Vec::<String>::new());
    let tally = &bench.tally;
    let (compared, telling) = (tally.compared.load(Relaxed), tally.telling.load(Relaxed));
    assert!(compared >= 3000, "too few cases compared: {tally:?}");
    assert!(telling >= 1000, "too few cases tell anything: {tally:?}");
    assert!(
        tally.both_refused.load(Relaxed) > 0,
        "no bad rule: {tally:?}"
    );
    assert!(
        tally.refused.load(Relaxed) > 0,
        "no refused rule: {tally:?}"
    );
}
