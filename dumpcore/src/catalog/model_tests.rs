//! Sequences of dumps against a naive copy of them: what the catalog says of
//! each dump that is there is what was recorded of it, whatever came between.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{kind_number, nanos};
use super::test_root::{Recorded, TestRoot, dir, file, name, recorded, seq_of};
use super::values::{DirId, Finding, NewTree, StoredInode, TreeState};
use super::{Catalog, Rows, Stage};
use proptest::prelude::*;

type Path = Vec<&'static str>;

/// What is under a path: a file by its inode, or a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(u64),
    Dir(i64),
}

type Content = BTreeMap<Path, Node>;

#[derive(Clone, Copy, Debug)]
enum Fate {
    Confirmed,
    Published,
    NotPublished,
    Reverted,
}

#[derive(Clone, Debug)]
enum Op {
    Dump {
        minute: u32,
        trees: Vec<(&'static str, Content)>,
        /// Which dump of the series the findings differ from.
        base: Option<usize>,
        fate: Fate,
    },
    Remove(Vec<usize>),
}

fn content() -> impl Strategy<Value = Content> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let path = prop::collection::vec(name, 1..4);
    let node = prop_oneof![
        3 => (1..9_u64).prop_map(Node::File),
        1 => (0..3_i64).prop_map(Node::Dir),
    ];
    prop::collection::vec((path, node), 0..12).prop_map(|paths| {
        let mut content = Content::new();
        for (path, node) in paths {
            for end in 1..path.len() {
                let above = content.entry(path[..end].to_vec()).or_insert(Node::Dir(0));
                if matches!(above, Node::File(_)) {
                    *above = Node::Dir(1);
                }
            }
            if matches!(node, Node::File(_)) {
                content.retain(|below, _| !below.starts_with(&path));
            }
            content.insert(path, node);
        }
        content
    })
}

fn op() -> impl Strategy<Value = Op> {
    let trees = prop_oneof![
        content().prop_map(|a| vec![("A", a)]),
        content().prop_map(|b| vec![("B", b)]),
        (content(), content()).prop_map(|(a, b)| vec![("A", a), ("B", b)]),
    ];
    let fate = prop_oneof![
        4 => Just(Fate::Confirmed),
        1 => Just(Fate::Published),
        1 => Just(Fate::NotPublished),
        1 => Just(Fate::Reverted),
    ];
    let dump = (0..60_u32, trees, prop::option::of(0..4_usize), fate);
    prop_oneof![
        4 => dump.prop_map(|(minute, trees, base, fate)| Op::Dump { minute, trees, base, fate }),
        1 => prop::collection::vec(0..8_usize, 1..3).prop_map(Op::Remove),
    ]
}

#[derive(Default)]
struct Model {
    /// By minute, which is their order.
    dumps: BTreeMap<u32, BTreeMap<&'static str, Content>>,
}

impl Model {
    fn of_tree(&self, tree: &str) -> Vec<(u32, &Content)> {
        let of = |(minute, trees): (&u32, _)| {
            let trees: &BTreeMap<&str, Content> = trees;
            Some((
                *minute,
                self.dumps[minute]
                    .get(tree)
                    .filter(|_| trees.contains_key(tree))?,
            ))
        };
        self.dumps.iter().filter_map(of).collect()
    }
}

fn stored(node: Node) -> StoredInode {
    match node {
        Node::File(ino) => file(ino),
        Node::Dir(turn) => dir(turn),
    }
}

/// Tells what of a tree differs from another dump.
fn tell(stage: &Stage, tree: &TreeState, old: &Content, new: &Content) {
    let mut dirs: Vec<(Path, DirId)> = vec![(Vec::new(), tree.top)];
    while let Some((path, id)) = dirs.pop() {
        let within = |content: &Content| -> BTreeMap<&'static str, Node> {
            let below = content
                .iter()
                .filter(|(below, _)| below.len() == path.len() + 1);
            let below = below.filter(|(below, _)| below.starts_with(&path));
            below
                .map(|(below, node)| (below[path.len()], *node))
                .collect()
        };
        let is_dir = path.is_empty() || matches!(old.get(&path), Some(Node::Dir(_)));
        let before = if is_dir { within(old) } else { BTreeMap::new() };
        let now = within(new);
        let mut findings = Vec::new();
        for (name, node) in &now {
            if before.get(name) != Some(node) {
                let (name, stored) = (name.as_bytes().to_vec(), stored(*node));
                findings.push(Finding::Entry { name, stored });
            }
            if matches!(node, Node::Dir(_)) {
                let below = stage.dir(tree.id, id, name.as_bytes(), None);
                dirs.push(([&path[..], &[*name]].concat(), below.expect("a directory")));
            }
        }
        for gone in before.keys().filter(|name| !now.contains_key(*name)) {
            let name = gone.as_bytes().to_vec();
            findings.push(Finding::Gone { name });
        }
        stage.add(id, findings).expect("noted");
    }
}

fn carry_out(root: &TestRoot, catalog: &mut Catalog, model: &mut Model, op: Op) {
    match op {
        Op::Remove(which) => {
            let minutes: Vec<u32> = model.dumps.keys().copied().collect();
            let gone: BTreeSet<u32> = which
                .iter()
                .filter_map(|i| minutes.get(*i).copied())
                .collect();
            for minute in &gone {
                root.remove(*minute);
                model.dumps.remove(minute);
            }
            let gone: Vec<_> = gone.into_iter().map(name).collect();
            catalog.removed(&gone).expect("recorded");
        }
        Op::Dump { minute, .. } if model.dumps.contains_key(&minute) => {}
        Op::Dump {
            minute,
            trees,
            base,
            fate,
        } => {
            root.make(minute);
            let stage = catalog.stage().expect("begun");
            let mut new = root.new_dump(minute, &[]);
            for (tree, content) in &trees {
                let told = tell_tree(catalog, model, &stage, (minute, base), (tree, content));
                new.trees.push(told);
            }
            let pending = catalog.apply(stage, &new).expect("applied");
            let is_there = match fate {
                Fate::Confirmed => {
                    catalog.confirm(pending, None).expect("confirmed");
                    true
                }
                Fate::Published => true,
                Fate::NotPublished => false,
                Fate::Reverted => {
                    catalog.removed(&[name(minute)]).expect("reverted");
                    false
                }
            };
            match is_there {
                true => drop(model.dumps.insert(minute, trees.into_iter().collect())),
                false => root.remove(minute),
            }
        }
    }
}

/// Tells of one tree of a new dump, against the dump that it is to differ from.
fn tell_tree(
    catalog: &mut Catalog,
    model: &Model,
    stage: &Stage,
    (minute, base): (u32, Option<usize>),
    (tree, content): (&'static str, &Content),
) -> NewTree {
    let empty = Content::new();
    let state = catalog.tree(tree.as_bytes()).expect("known");
    let known = model.of_tree(tree);
    let last = known.last();
    let is_last = last.is_none_or(|(last, _)| *last < minute);
    let base = base.and_then(|base| known.get(base)).filter(|_| !is_last);
    let old = base.or(last).map_or(&empty, |(_, content)| content);
    tell(stage, &state, old, content);
    NewTree {
        id: state.id,
        entries: content.len() as u64,
        bytes: 0,
        fingerprint: None,
        turn: 0,
        base: base.map(|(minute, _)| seq(catalog, tree, *minute)),
    }
}

fn seq(catalog: &Catalog, tree: &str, minute: u32) -> i64 {
    let connection = super::schema::connect(catalog.path(), false).expect("opened");
    seq_of(&connection, tree, minute)
}

fn expected(content: &Content) -> BTreeMap<String, Recorded> {
    let one = |(path, node): (&Path, &Node)| {
        let stored = stored(*node);
        let recorded = Recorded {
            kind: kind_number(stored.facts.kind),
            ino: stored.facts.ino,
            mode: stored.facts.mode.into(),
            mtime: nanos(stored.facts.mtime),
        };
        (path.join("/"), recorded)
    };
    content.iter().map(one).collect()
}

/// What a worker sees of the head.
fn head(rows: &mut Rows, dir: DirId, path: &str, found: &mut BTreeSet<(String, Option<u64>)>) {
    let children = rows.children(dir, 99).expect("read").expect("few");
    for (name, known) in children.iter() {
        let path = format!("{path}{}", String::from_utf8_lossy(name));
        found.insert((path.clone(), known.facts.ino));
        if known.facts.ino.is_none() {
            let (below, _) = rows.subdir(dir, name).expect("read").expect("known");
            head(rows, below, &format!("{path}/"), found);
        }
    }
}

fn check(root: &TestRoot, catalog: &mut Catalog, model: &Model) {
    for tree in ["A", "B"] {
        let of_tree = model.of_tree(tree);
        let state = catalog.tree(tree.as_bytes()).expect("known");
        let mut seen = BTreeSet::new();
        head(
            &mut catalog.rows().expect("opened"),
            state.top,
            "",
            &mut seen,
        );
        let last = of_tree.last();
        assert_eq!(
            state.head.map(|head| head.dump),
            last.map(|(minute, _)| name(*minute))
        );
        let wanted = last
            .map(|(_, content)| expected(content))
            .unwrap_or_default();
        let wanted: BTreeSet<_> = wanted
            .into_iter()
            .map(|(path, one)| (path, one.ino))
            .collect();
        assert_eq!(seen, wanted, "head of {tree}");
        let reading = Catalog::read(&root.root).expect("read").expect("there");
        let db = reading.connection();
        for (minute, content) in of_tree {
            let seq = seq_of(db, tree, minute);
            assert_eq!(
                recorded(db, tree, seq),
                expected(content),
                "{tree} of {minute}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 8,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_dump_is_recorded_as_it_was(ops in prop::collection::vec(op(), 1..14)) {
        let root = TestRoot::new();
        let mut model = Model::default();
        let mut catalog = root.open();
        for op in ops {
            carry_out(&root, &mut catalog, &mut model, op);
            // Also settles what was left pending.
            drop(catalog);
            catalog = root.open();
            check(&root, &mut catalog, &model);
        }
    }
}
