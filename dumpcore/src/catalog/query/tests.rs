//! Each question against a plain search through all that the dumps hold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rusqlite::{Connection, params};

use super::series::Series;
use super::*;
use crate::catalog::query_values::Wanted;
use crate::catalog::schema;
use crate::model::kind::Kind;
use crate::policy::name_test::NameTest;

/// All paths that a dump can have, but for directories.
const PATHS: [&str; 7] = ["s/a", "s/b", "s/d/a", "s/d/e/a", "t/a", "t/d/a", "t/d/b"];
const TREES: [&str; 2] = ["s", "t"];

/// A dump: is it still on disk, which trees has it, and which inode has each
/// path?
#[derive(Clone, Debug)]
struct Dump {
    there: bool,
    checkpoint: bool,
    trees: [bool; 2],
    inodes: [Option<u8>; 7],
}

impl Dump {
    /// What it holds: the inode of each path, directories among them.
    fn names(&self) -> BTreeMap<String, i64> {
        let mut names = BTreeMap::new();
        for (path, inode) in PATHS.iter().zip(self.inodes) {
            let (Some(inode), Some(tree)) = (inode, tree_at(path)) else {
                continue;
            };
            if self.trees[tree] {
                names.insert((*path).to_owned(), i64::from(inode) + 1);
                let above = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
                // Of a directory one row serves until its metadata change.
                names.extend(above.map(|dir| (dir.to_owned(), dir_inode(dir))));
            }
        }
        names
    }
}

fn tree_at(path: &str) -> Option<usize> {
    TREES
        .iter()
        .position(|tree| path.split('/').next() == Some(tree))
}

fn number(at: usize) -> i64 {
    at.try_into().expect("few")
}

fn dir_inode(dir: &str) -> i64 {
    100 + i64::try_from(dir.len()).expect("short")
}

fn space(inode: i64) -> u64 {
    if inode >= 100 { 0 } else { 512 << inode }
}

const DIRS: u64 = 7;

fn dumps() -> impl Strategy<Value = Vec<Dump>> {
    let dump = (
        prop::bool::weighted(0.7),
        prop::bool::weighted(0.2),
        prop::array::uniform2(prop::bool::weighted(0.8)),
        prop::array::uniform7(prop::option::weighted(0.8, 0..4_u8)),
    );
    let dump = dump.prop_map(|(there, checkpoint, trees, inodes)| Dump {
        there,
        checkpoint,
        trees,
        inodes,
    });
    prop::collection::vec(dump, 1..8)
}

fn id(at: usize, dump: &Dump) -> DumpId {
    let chk = if dump.checkpoint { "_chk" } else { "" };
    format!("2026/0101/00{at:02}{chk}").parse().expect("a name")
}

/// A catalog of these dumps, made without any of its own code.
fn catalog(dumps: &[Dump]) -> Connection {
    let db = Connection::open_in_memory().expect("opened");
    db.execute_batch(schema::TABLES).expect("made");
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        db.execute(sql, values).expect(sql);
    };
    for (at, dump) in dumps.iter().enumerate() {
        let state = if dump.there { 1 } else { 2 };
        let sql = "INSERT INTO dump(id, name, moment, ino, state, added_bytes, dir_bytes)
                   VALUES(?1, ?2, ?1, 0, ?3, 3, ?4)";
        let at_row = i64::try_from(at).expect("few");
        run(
            sql,
            &[
                &at_row,
                &id(at, dump).to_string(),
                &state,
                &DIRS.cast_signed(),
            ],
        );
    }
    let all: BTreeSet<i64> = dumps
        .iter()
        .flat_map(|dump| dump.names().into_values())
        .collect();
    for inode in all {
        let sql = "INSERT INTO inode(id, kind, mode, uid, gid, size, bytes, mtime)
                   VALUES(?1, ?2, 0, 0, 0, 0, ?3, 0)";
        let kind = i64::from(inode >= 100);
        run(sql, &[&inode, &kind, &space(inode).cast_signed()]);
    }
    let mut dirs: BTreeMap<String, i64> = BTreeMap::new();
    for (tree, name) in TREES.iter().enumerate() {
        let series: Vec<usize> = (0..dumps.len())
            .filter(|at| dumps[*at].trees[tree])
            .collect();
        add_tree(&db, number(tree) + 1, name, &series);
        dirs.insert((*name).to_owned(), number(tree) + 1);
        let held: Vec<_> = series.iter().map(|at| dumps[*at].names()).collect();
        let paths: BTreeSet<&String> = held.iter().flat_map(|names| names.keys()).collect();
        for path in paths.into_iter().filter(|path| tree_at(path) == Some(tree)) {
            // A directory comes before what is in it.
            let (above, name) = path.rsplit_once('/').expect("below a tree");
            let dir = dirs[above];
            let below = format!("{path}/");
            if PATHS.iter().any(|other| other.starts_with(&below)) {
                let id = number(dirs.len()) + 10;
                let sql = "INSERT INTO dir(id, parent, name, tree) VALUES(?1, ?2, ?3, ?4)";
                let values = params![id, dir, name.as_bytes(), number(tree) + 1];
                db.execute(sql, values).expect("inserted");
                dirs.insert(path.clone(), id);
            }
            insert_runs(&db, dir, name.as_bytes(), &held, path);
        }
    }
    db
}

fn add_tree(db: &Connection, id: i64, name: &str, series: &[usize]) {
    for sql in [
        "INSERT INTO dir(id, parent, name, tree) VALUES(?1, 0, ?2, ?1)",
        "INSERT INTO tree(id, name, dir) VALUES(?1, ?2, ?1)",
    ] {
        db.execute(sql, params![id, name.as_bytes()])
            .expect("inserted");
    }
    for (seq, at) in series.iter().enumerate() {
        let sql = "INSERT INTO series(tree, seq, dump, entries) VALUES(?1, ?2, ?3, 1)";
        let values = params![id, number(seq), number(*at)];
        db.execute(sql, values).expect("inserted");
    }
}

fn insert_runs(db: &Connection, dir: i64, name: &[u8], held: &[BTreeMap<String, i64>], path: &str) {
    let inodes: Vec<Option<i64>> = held.iter().map(|names| names.get(path).copied()).collect();
    let mut first = 0;
    while first < inodes.len() {
        let last = (first..inodes.len())
            .take_while(|at| inodes[*at] == inodes[first])
            .last();
        let last = last.expect("itself");
        match inodes[first] {
            None => {}
            Some(inode) if last + 1 == inodes.len() => {
                let sql = "INSERT INTO live VALUES(?1, ?2, ?3, ?4)";
                db.execute(sql, params![dir, name, inode, number(first)])
                    .expect("inserted");
            }
            Some(inode) => {
                let sql = "INSERT INTO past VALUES(?1, ?2, ?3, ?4, ?5)";
                db.execute(sql, params![dir, name, number(first), number(last), inode])
                    .expect("inserted");
            }
        }
        first = last + 1;
    }
}

/// The dumps on disk with their places.
fn there(dumps: &[Dump]) -> Vec<(usize, &Dump)> {
    dumps
        .iter()
        .enumerate()
        .filter(|(_, dump)| dump.there)
        .collect()
}

/// The directories of a dump, and its other inodes that none before it has.
fn plain_added(dumps: &[Dump], at: usize) -> u64 {
    let others = |dump: &Dump| -> BTreeSet<i64> {
        let inodes = dump.names().into_values();
        inodes.filter(|inode| *inode < 100).collect()
    };
    let older: BTreeSet<i64> = there(&dumps[..at])
        .into_iter()
        .flat_map(|(_, dump)| others(dump))
        .collect();
    let trees = dumps[at].trees.iter().filter(|has| **has).count();
    let names = dumps[at].names();
    let directories = names.values().filter(|inode| **inode >= 100).count();
    let added = others(&dumps[at]).difference(&older).count();
    (trees + directories + added) as u64
}

/// The space that only these dumps hold at or below a path, and by the names
/// below it.
fn plain_usage(dumps: &[Dump], set: &[usize], below: &str) -> (u64, BTreeMap<String, u64>) {
    let others = there(dumps).into_iter().filter(|(at, _)| !set.contains(at));
    let kept: BTreeSet<i64> = others
        .flat_map(|(_, dump)| dump.names().into_values())
        .collect();
    let (mut whole, mut parts) = (BTreeSet::new(), BTreeMap::<String, BTreeSet<i64>>::new());
    for at in set {
        for (path, inode) in dumps[*at].names() {
            let inside =
                path == below || below.is_empty() || path.starts_with(&format!("{below}/"));
            if inside && inode < 100 && !kept.contains(&inode) {
                whole.insert(inode);
                let names = below.split('/').filter(|name| !name.is_empty()).count() + 1;
                let part: Vec<&str> = path.split('/').take(names).collect();
                parts.entry(part.join("/")).or_default().insert(inode);
            }
        }
    }
    let sum = |inodes: &BTreeSet<i64>| inodes.iter().map(|inode| space(*inode)).sum();
    (
        sum(&whole),
        parts
            .iter()
            .map(|(path, inodes)| (path.clone(), sum(inodes)))
            .collect(),
    )
}

proptest! {
    #[test]
    fn sizes_and_space_are_what_a_plain_count_finds(dumps in dumps(), set in any::<u8>()) {
        let db = catalog(&dumps);
        let series = Series::read(&db).expect("read");
        let sizes = sizes::sizes(&db, &series).expect("asked");
        let plain: Vec<_> = there(&dumps).into_iter().map(|(at, dump)| {
            let trees = TREES.iter().zip(dump.trees).filter(|(_, has)| *has);
            DumpSizes {
                dump: id(at, dump),
                trees: trees.map(|(name, _)| name.as_bytes().to_vec()).collect(),
                entries: dump.trees.iter().map(|has| 2 * u64::from(*has)).sum(),
                added: 3 + DIRS,
                unique: plain_usage(&dumps, &[at], "").0 + DIRS,
                added_inodes: plain_added(&dumps, at),
            }
        }).collect();
        prop_assert_eq!(sizes, plain);

        let chosen: Vec<usize> = there(&dumps).into_iter().map(|(at, _)| at)
            .filter(|at| set & (1 << at) != 0).collect();
        let ids: Vec<DumpId> = chosen.iter().map(|at| id(*at, &dumps[*at])).collect();
        let dirs = DIRS * u64::try_from(ids.len()).expect("few");
        let freed = sizes::freed(&db, &series, &ids).expect("asked");
        prop_assert_eq!(freed, plain_usage(&dumps, &chosen, "").0 + dirs);

        let all: Vec<usize> = there(&dumps).into_iter().map(|(at, _)| at).collect();
        for (ids, set) in [(Some(ids), chosen), (None, all)] {
            for below in ["", "s", "s/d", "s/a", "t/d/b"] {
                let of = UsageOf {
                    dumps: ids.clone(),
                    below: (!below.is_empty()).then(|| RelPath::from(below)),
                    linked: Vec::new(),
                };
                let (whole, parts) = plain_usage(&dumps, &set, below);
                let dirs = if below.is_empty() { DIRS * set.len() as u64 } else { 0 };
                let found = usage::usage(&db, &series, &of).expect("asked");
                let found = found.unwrap_or_default();
                prop_assert_eq!(found.bytes, whole + dirs, "{}", below);
                let paths: BTreeMap<String, u64> = found.paths.iter()
                    .map(|(path, bytes)| (path.to_string(), *bytes)).collect();
                prop_assert_eq!(paths, parts);
                let copies: u64 = found.generations.iter().map(|one| one.bytes).sum();
                prop_assert_eq!(copies, whole);
            }
        }
    }

    #[test]
    fn users_are_what_a_plain_count_finds(dumps in dumps(), set in any::<u8>()) {
        let db = catalog(&dumps);
        let series = Series::read(&db).expect("read");
        let alive = there(&dumps);
        let going: Vec<usize> = alive.iter().map(|(at, _)| *at)
            .filter(|at| set & (1 << at) != 0).collect();
        let files = |dump: &Dump| -> BTreeSet<i64> {
            dump.names().into_values().filter(|inode| *inode < 100).collect()
        };
        let plain = alive.iter().map(|(at, dump)| {
            let own = files(dump);
            let others = alive.iter().filter(|(other, dump)| {
                other != at && !going.contains(other) && !files(dump).is_disjoint(&own)
            });
            Some(others.count() as u64)
        });
        let plain: Vec<Option<u64>> = plain.chain([None]).collect();
        let ids = |at: &usize| id(*at, &dumps[*at]);
        let mut asked: Vec<DumpId> = alive.iter().map(|(at, _)| ids(at)).collect();
        asked.push(DumpId::First);
        let going: Vec<DumpId> = going.iter().map(ids).collect();
        let users = users::users(&db, &series, &asked, &going).expect("asked");
        prop_assert_eq!(&users, &plain);
        // More than one number can tell apart.
        let many: Vec<DumpId> = (0..20).flat_map(|_| asked.clone()).collect();
        let plain: Vec<Option<u64>> = (0..20).flat_map(|_| plain.clone()).collect();
        prop_assert_eq!(users::users(&db, &series, &many, &going).expect("asked"), plain);
    }

    #[test]
    fn what_is_found_is_what_a_plain_search_finds(
        dumps in dumps(), deleted in any::<bool>(), since in prop::option::of(0..8_i64),
        below in prop::sample::select(vec!["", "s", "s/d", "t/a"]),
    ) {
        let db = catalog(&dumps);
        let series = Series::read(&db).expect("read");
        let tests = [NameTest::of_name(|name| name == b"a"), NameTest::of_path(|path| path == b"s/d/e")];
        let below_path = RelPath::from(below);
        let mut wanted = Wanted {
            tests: &tests,
            below: (!below.is_empty()).then_some(&below_path),
            since,
            deleted,
            larger: None,
            most: None,
        };
        let found = find::find(&db, &series, &wanted).expect("asked");
        for most in 0..3 {
            wanted.most = Some(most);
            let first = find::find(&db, &series, &wanted).expect("asked");
            prop_assert_eq!(&first[..], &found[..most.min(found.len())]);
        }
        let found: Vec<_> = found.into_iter()
            .map(|row| (row.path.to_string(), row.first, row.last, row.deleted, row.versions,
                row.inode.facts.kind == Kind::Dir))
            .collect();
        let mut plain = BTreeMap::new();
        let alive = there(&dumps);
        for (at, dump) in &alive {
            for (path, inode) in dump.names() {
                let inside = RelPath::from(&*path).is_at_or_below(&below_path);
                if inside && (path.ends_with("/a") || path == "s/d/e") {
                    let entry = plain.entry(path).or_insert((*at, *at, BTreeSet::new()));
                    entry.1 = *at;
                    entry.2.insert(inode);
                }
            }
        }
        let plain: Vec<_> = plain.into_iter().filter_map(|(path, (first, last, inodes))| {
            let tree = tree_at(&path).expect("a tree");
            let newest = alive.iter().rfind(|(_, dump)| dump.trees[tree]).expect("one").0;
            let is_since = since.is_none_or(|since| i64::try_from(last).expect("few") >= since);
            (is_since && (newest != last || !deleted)).then(|| {
                let ids = (id(first, &dumps[first]), id(last, &dumps[last]));
                let is_dir = path == "s/d/e";
                (path, ids.0, ids.1, newest != last, inodes.len() as u64, is_dir)
            })
        }).collect();
        prop_assert_eq!(found, plain);
    }

    #[test]
    fn changes_and_versions_are_what_plain_listings_show(dumps in dumps()) {
        let db = catalog(&dumps);
        let series = Series::read(&db).expect("read");
        let alive = there(&dumps);
        for (at, old) in &alive {
            for (other, new) in &alive {
                let pairs = diff::diff(&db, &series, id(*at, old), id(*other, new)).expect("asked");
                let pairs: Vec<_> = pairs.expect("both known").into_iter()
                    .map(|pair| (pair.path.to_string(), pair.old.map(|inode| inode.id.0),
                        pair.new.map(|inode| inode.id.0)))
                    .collect();
                let (before, after) = (old.names(), new.names());
                let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                let in_both = |path: &str| {
                    let tree = tree_at(path).expect("a tree");
                    old.trees[tree] && new.trees[tree]
                };
                let plain: Vec<_> = paths.into_iter().filter(|path| in_both(path))
                    .map(|path| (path.clone(), before.get(path).copied(), after.get(path).copied()))
                    .filter(|(_, one, other)| one != other)
                    .collect();
                prop_assert_eq!(pairs, plain);
            }
        }
        for path in PATHS {
            let versions = versions::versions(&db, &series, &RelPath::from(path)).expect("asked");
            let held = |wanted: DumpId| {
                let dump = alive.iter().find(|(at, dump)| id(*at, dump) == wanted);
                dump.and_then(|(_, dump)| dump.names().get(path).copied())
            };
            let mut told = 0;
            for version in &versions {
                prop_assert_eq!(held(version.first), Some(version.inode.id.0));
                prop_assert_eq!(held(version.last), Some(version.inode.id.0));
                told += alive.iter().map(|(at, dump)| id(*at, dump))
                    .filter(|id| (version.first..=version.last).contains(id))
                    .filter(|id| dumps_tree(&dumps, *id, path))
                    .count();
            }
            let all = alive.iter().filter(|(_, dump)| dump.names().contains_key(path)).count();
            prop_assert_eq!(told, all, "{}", path);
        }
    }
}

/// Has a dump the tree of a path?
fn dumps_tree(dumps: &[Dump], wanted: DumpId, path: &str) -> bool {
    let found = dumps
        .iter()
        .enumerate()
        .find(|(at, dump)| id(*at, dump) == wanted);
    found.is_some_and(|(_, dump)| dump.trees[tree_at(path).expect("a tree")])
}

#[test]
fn what_no_dump_ever_had_has_no_usage() {
    let db = catalog(&[]);
    let series = Series::read(&db).expect("read");
    for below in ["u", "s/x/y"] {
        let of = UsageOf {
            dumps: None,
            below: Some(RelPath::from(below)),
            linked: Vec::new(),
        };
        assert_eq!(
            usage::usage(&db, &series, &of).expect("asked"),
            None,
            "{below}"
        );
    }
}
