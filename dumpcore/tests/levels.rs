//! Holds every file of the library to its level: the folders are the levels.
//!
//! A file imports only from folders further down the list below; within a
//! folder no two files import each other, not by a detour either, and what the
//! whole folder shares stands in its `mod.rs`. Only `sys` names a system call
//! or an errno, only `policy/layout` spells names on disk, and nobody prints or
//! reads the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The levels from the bottom up: what stands later imports what stands before.
/// The last are the operations, each a file of its own.
const LEVELS: [&str; 13] = [
    "model",
    "policy",
    "sys",
    "fs",
    "root",
    "history",
    "engine",
    "run",
    "tend",
    "snapshot",
    "checkpoint",
    "replica",
    "restore",
];

/// Levels that know values alone: they do no I/O.
const PURE: [&str; 2] = ["model", "policy"];

/// Source text with comments, literals and tests taken out, and the literals.
struct Code {
    text: String,
    literals: Vec<String>,
}

/// Reads Rust as far as needed: comments, strings of all kinds, characters.
fn read(source: &str) -> Code {
    let bytes = source.as_bytes();
    let (mut text, mut literals, mut at) = (String::new(), Vec::new(), 0);
    while at < bytes.len() {
        let rest = &source[at..];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else if let Some(hashes) = raw_string(rest, text.chars().last()) {
            let end = format!("\"{}", "#".repeat(hashes));
            let from = at + hashes + 2;
            let length = source[from..].find(&end).expect("an end of the string");
            literals.push(source[from..from + length].to_owned());
            at = from + length + end.len();
        } else if rest.starts_with('"') {
            let mut end = at + 1;
            while bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            literals.push(source[at + 1..end].to_owned());
            text.push_str("\"\"");
            at = end + 1;
        } else if let Some(length) = character(rest) {
            at += length;
        } else {
            let next = rest.chars().next().expect("not empty");
            text.push(next);
            at += next.len_utf8();
        }
    }
    Code { text, literals }
}

/// How many hashes open a raw string here; a name that ends in `r` opens none.
fn raw_string(rest: &str, before: Option<char>) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let in_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        && !matches!(before, Some('b' | 'c'));
    (after[hashes..].starts_with('"') && !in_name).then_some(hashes)
}

/// The length of a character literal; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    if let Some(escaped) = inner.strip_prefix('\\') {
        return escaped[1..].find('\'').map(|end| end + 4);
    }
    let first = inner.chars().next()?;
    inner[first.len_utf8()..]
        .starts_with('\'')
        .then(|| first.len_utf8() + 2)
}

/// A file of the library: its path below `src` and what it says.
struct Source {
    path: PathBuf,
    code: Code,
}

impl Source {
    fn room(&self) -> String {
        let first = self.path.components().next().expect("a name");
        let first = Path::new(first.as_os_str());
        first.with_extension("").display().to_string()
    }

    /// Its module, as a path from the crate: `policy::filter::glob`; that of a
    /// `mod.rs` is its folder's.
    fn module(&self) -> String {
        let path = self.path.with_extension("");
        let names = path.iter().map(|name| name.to_string_lossy());
        let names: Vec<_> = names.filter(|name| name != "mod").collect();
        names.join("::")
    }

    fn is_mod(&self) -> bool {
        self.path.file_stem().is_some_and(|stem| stem == "mod")
    }

    fn in_folder(&self) -> bool {
        self.path.components().count() > 1
    }

    /// What is named after `crate::`, `super::` or `self::`.
    fn named_after(&self, start: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (at, _) in self.code.text.match_indices(start) {
            let before = self.code.text[..at].chars().last();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &self.code.text[at + start.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(first_names(group)),
                None => found.extend(first_name(rest)),
            }
        }
        found
    }

    /// True when this identifier is used, not as a part of another.
    fn uses(&self, name: &str) -> bool {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        self.code.text.match_indices(name).any(|(at, _)| {
            let before = self.code.text[..at].chars().last();
            let after = self.code.text[at + name.len()..].chars().next();
            !before.is_some_and(part) && !after.is_some_and(part)
        })
    }
}

fn first_name(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0).then(|| text[..end].to_owned())
}

/// The first names of `a::b, c::{d, e}}`.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut start) = (1, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            let item = format!("{} ", group[start..at].trim());
            names.extend(first_name(&item));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// All files of the library but `lib.rs`, without their tests, which come
/// last in a file or in a file of their own.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("listed") {
            let path = entry.expect("listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let own = path.strip_prefix(&root).expect("below").to_path_buf();
            let stem = own.file_stem().expect("a name").to_string_lossy();
            if own == Path::new("lib.rs") || stem.ends_with("tests") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("read");
            let (text, tests) = match text.split_once("#[cfg(test)]") {
                Some((text, tests)) => (text, tests),
                None => (&*text, ""),
            };
            assert!(
                tests.is_empty() || tests.contains("mod "),
                "{}: tests come last, as a module",
                own.display()
            );
            let after = tests.find("\n}\n").map_or("", |end| &tests[end + 3..]);
            assert_eq!(after, "", "{}: code behind the tests", own.display());
            sources.push(Source {
                path: own,
                code: read(text),
            });
        }
    }
    assert!(sources.len() > 20, "the library was found");
    sources
}

/// The place of a level in the list.
fn rank(room: &str) -> Option<usize> {
    LEVELS.iter().position(|name| *name == room)
}

#[test]
fn every_file_is_in_a_listed_room() {
    for source in sources() {
        let room = source.room();
        assert!(
            rank(&room).is_some(),
            "{} is in no listed room",
            source.path.display()
        );
    }
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let own = rank(&source.room()).expect("listed");
        let mut named = source.named_after("crate::");
        if !source.in_folder() {
            named.extend(source.named_after("super::"));
        }
        for name in named.into_iter().filter(|name| *name != source.room()) {
            match rank(&name) {
                Some(rank) if rank < own => {}
                Some(_) => wrong.push(format!("{} imports {name}", source.path.display())),
                // By its re-export in `lib.rs` it comes from nobody knows where.
                None => wrong.push(format!("{} names crate::{name}", source.path.display())),
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// What a file imports of the other files: by their path from the crate, or as
/// neighbours. What a folder shares stands in its `mod.rs`, and is of no file.
fn imports(source: &Source, modules: &[String]) -> BTreeSet<String> {
    let own = source.module();
    let folder = own.rsplit_once("::").map_or("", |(folder, _)| folder);
    let neighbours = source.named_after("super::");
    let is_named = |module: &String| {
        let (above, last) = module.rsplit_once("::").unwrap_or(("", module));
        let from_crate = match above {
            "" => source.named_after("crate::"),
            above => source.named_after(&format!("crate::{above}::")),
        };
        *module != own
            && (from_crate.contains(last) || (above == folder && neighbours.contains(last)))
    };
    modules.iter().filter(|m| is_named(m)).cloned().collect()
}

#[test]
fn there_are_no_circles() {
    let all = sources();
    let files: Vec<&Source> = all.iter().filter(|source| !source.is_mod()).collect();
    let modules: Vec<String> = files.iter().map(|source| source.module()).collect();
    let of = |source: &&Source| (source.module(), imports(source, &modules));
    let mut left: BTreeMap<String, BTreeSet<String>> = files.iter().map(of).collect();
    let edges: usize = left.values().map(BTreeSet::len).sum();
    assert!(edges > 100, "imports are found: {edges}");
    // Takes away what imports nothing that is left; circles stay.
    loop {
        let before = left.len();
        let names: BTreeSet<String> = left.keys().cloned().collect();
        left.retain(|_, to| to.iter().any(|to| names.contains(to)));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "in circles: {left:#?}");
}

#[test]
fn only_sys_speaks_to_the_kernel() {
    let kernel = [
        "rustix",
        "libc",
        "Errno",
        "errno_t",
        "raw_os_error",
        "from_raw_os_error",
        "unsafe",
    ];
    for source in sources() {
        let (room, path) = (source.room(), source.path.display());
        for name in kernel.into_iter().filter(|_| room != "sys") {
            assert!(!source.uses(name), "{path} names {name}");
        }
        if source.code.text.contains("unsafe {") {
            assert_eq!(source.path, Path::new("sys/raw.rs"), "unsafe code");
        }
        if PURE.contains(&&*room) {
            // Rules of a filter come from a file that a person names.
            let acts = ["fs::", "net::", "process::", "thread::"];
            let acts = acts.iter().any(|act| source.code.text.contains(act));
            let filter = source.path.starts_with("policy/filter");
            assert!(filter || !acts, "{path} does I/O");
        }
    }
}

#[test]
fn nobody_prints_or_reads_the_environment() {
    let forbidden = [
        "println", "eprintln", "print", "eprint", "dbg", "exit", "abort",
    ];
    for source in sources() {
        let path = source.path.display();
        for name in forbidden {
            let used = source.code.text.contains(&format!("{name}!"))
                || source.code.text.contains(&format!("process::{name}("));
            assert!(!used, "{path} has {name}");
        }
        for name in ["env::", "env!"] {
            assert!(
                !source.code.text.contains(name),
                "{path} reads the environment"
            );
        }
    }
}

#[test]
fn only_layout_spells_names_on_disk() {
    let all = sources();
    let (layout, others): (Vec<_>, Vec<_>) = all
        .iter()
        .partition(|source| source.path.starts_with("policy/layout"));
    assert!(!layout.is_empty(), "the room of the names was found");
    for source in others {
        for literal in &source.code.literals {
            let name = ["current", "current_chk", "first", ".rsync"].contains(&literal.as_str());
            let part = ["_incomplete", "_chk", ".rsync/"];
            // On what runs try things with, there may be others.
            let mark = literal.contains("user.dump.") && literal != "user.dump.trial";
            let part = mark || part.iter().any(|part| literal.contains(part));
            assert!(
                !name && !part,
                "{} spells {literal:?}",
                source.path.display()
            );
        }
    }
}

/// The reader of this file reads what it must: else all would pass.
#[test]
fn the_reader_reads() {
    let text = "use crate::{a::B, c::{D, E}, f};\n\
                // crate::g\n/* crate::h */ let s = \"crate::i // \\\" \" ;\n\
                let c = '\"'; let l: &'static str = r#\"raw \" crate::j\"#;\n\
                fn x() -> super::k::L { crate::m::n() } my_crate::o;";
    let source = Source {
        path: PathBuf::from("p/q.rs"),
        code: read(text),
    };
    let named: Vec<String> = source.named_after("crate::").into_iter().collect();
    assert_eq!(named, ["a", "c", "f", "m"]);
    assert_eq!(
        source
            .named_after("super::")
            .into_iter()
            .collect::<Vec<_>>(),
        ["k"]
    );
    assert_eq!(
        source.code.literals,
        ["crate::i // \\\" ", "raw \" crate::j"]
    );
    assert_eq!(
        (source.room(), source.module()),
        ("p".into(), "p::q".into())
    );
    assert!(source.uses("static") && !source.uses("stat"));
}
