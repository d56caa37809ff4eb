//! Holds every file of the library to its level.
//!
//! A room is a file `src/room.rs` or a folder `src/room/`. It imports only
//! from rooms of lower levels, or from rooms listed before it in its own.
//! Within a folder no two files import each other, not by a detour either;
//! what the whole folder shares stands in its `mod.rs`.
//! Only `sys` names a system call or an errno, only `layout` spells names on
//! disk, and nobody prints or reads the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms in the order of the levels, and of what may import what.
const LEVELS: [(&str, &[&str]); 6] = [
    (
        "values",
        &[
            "relpath", "stamp", "medium", "fault", "error", "event", "report",
        ],
    ),
    (
        "rules",
        &["layout", "meta", "link", "naming", "pace", "jobs", "filter"],
    ),
    ("kernel", &["sys"]),
    (
        "single acts",
        &[
            "probe", "walk", "names", "place", "raze", "listing", "vault", "rulefile", "trial",
            "publish",
        ],
    ),
    ("memory", &["catalog"]),
    (
        "operations",
        &[
            "engine",
            "session",
            "snapshot",
            "checkpoint",
            "replicate",
            "navigate",
        ],
    ),
];

/// Rooms that know values alone: they do no I/O.
const PURE: [&str; 2] = ["values", "rules"];

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

    /// Its name within the folder of its room; `mod` for that of the room.
    fn file(&self) -> String {
        self.path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
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

/// Level and place of a room.
fn rank(room: &str) -> Option<usize> {
    LEVELS
        .iter()
        .flat_map(|(_, rooms)| *rooms)
        .position(|name| *name == room)
}

fn level(room: &str) -> &'static str {
    let found = LEVELS.iter().find(|(_, rooms)| rooms.contains(&room));
    found.map_or("none", |(name, _)| name)
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

#[test]
fn no_circles_within_a_folder() {
    let mut imports: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let all = sources();
    for source in all.iter().filter(|source| source.in_folder()) {
        let (room, file) = (source.room(), source.file());
        let has = |name: &String| all.iter().any(|s| s.room() == room && s.file() == *name);
        if file == "mod" {
            continue;
        }
        let of_crate = format!("crate::{room}::");
        let named = source.named_after("super::").into_iter();
        let named = named.chain(source.named_after(&of_crate));
        let to = named.filter(|name| has(name) && *name != file).collect();
        imports.insert((room, file), to);
    }
    // Takes away what imports nothing that is left; circles stay.
    loop {
        let before = imports.len();
        let left: BTreeSet<(String, String)> = imports.keys().cloned().collect();
        imports.retain(|(room, _), to| {
            to.iter()
                .any(|to| left.contains(&(room.clone(), to.clone())))
        });
        if imports.len() == before {
            break;
        }
    }
    assert!(imports.is_empty(), "in circles: {imports:#?}");
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
        if PURE.contains(&level(&room)) {
            // Rules of a filter come from a file that a person names.
            let acts = ["fs::", "net::", "process::", "thread::"];
            let acts = acts.iter().any(|act| source.code.text.contains(act));
            assert!(room == "filter" || !acts, "{path} does I/O");
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
    for source in sources().iter().filter(|source| source.room() != "layout") {
        for literal in &source.code.literals {
            let name = ["current", "current_chk", "first", ".rsync"].contains(&literal.as_str());
            let part = ["_incomplete", "_chk", ".rsync/", "user.dump.session"];
            let part = part.iter().any(|part| literal.contains(part));
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
    assert_eq!((source.room(), source.file()), ("p".into(), "q".into()));
    assert!(source.uses("static") && !source.uses("stat"));
}
