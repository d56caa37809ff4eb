//! What is applied comes back.

use super::View;
use super::test_root::{TestRoot, below, dir, entry, file, gone, name, source};
use super::values::{Finding, InodeId};
use crate::model::path::RelPath;
use crate::model::time::Time;

#[test]
fn what_a_dump_holds_is_known_by_the_next_run() {
    let root = TestRoot::new();
    let mut catalog = root.open();
    root.dump(&mut catalog, 0, |stage, tree| {
        let top = vec![entry("a", file(1)), entry("d", dir(1)), entry("z", file(3))];
        stage.add(tree.top, top).expect("noted");
        let below_d = vec![entry("b", file(2)), entry("hard", file(1))];
        let d = below(stage, tree, tree.top, "d", below_d);
        let source = Some(source(77));
        stage
            .add(d, [Finding::DirSource { source }])
            .expect("noted");
    });
    drop(catalog);
    let mut catalog = root.open();
    let tree = catalog.tree(b"T").expect("known");
    assert_eq!(tree.head.as_ref().map(|head| head.dump), Some(name(0)));
    let mut rows = catalog.rows().expect("opened");
    let top = rows.children(tree.top, 10).expect("read").expect("few");
    let names: Vec<_> = top.iter().map(|(name, _)| name.to_vec()).collect();
    assert_eq!(names, [b"a", b"d", b"z"]);
    let (_, a) = top.get(0);
    let stored = file(1);
    assert_eq!((a.facts, a.source), (stored.facts, stored.source));
    let versions = View::open(&root.root).expect("opened").expect("there");
    let versions = versions.versions(&RelPath::from("T/a")).expect("read");
    assert_eq!(versions[0].inode.hash, stored.hash);
    assert!(rows.children(tree.top, 2).expect("read").is_none(), "three");
    let d = rows.subdir(tree.top, b"d").expect("read").expect("known").0;
    let hard = rows.child(d, b"hard").expect("read").expect("there");
    assert_eq!(hard.inode, a.inode);
    assert_eq!(rows.child(d, b"none").expect("read"), None);
    assert_eq!(rows.names_after(d, b"b", 9).expect("read"), [b"hard"]);
    assert_eq!(rows.path(d).expect("read").as_bytes(), b"d");
    let found = rows.of_source(tree.id, source(2)).expect("read");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, found[0].1.as_slice()), (d, &b"b"[..]));
    assert_eq!(
        rows.dir_of_source(tree.id, source(77)).expect("read"),
        Some(d)
    );
    assert_eq!(rows.dir_of_source(tree.id, source(1)).expect("read"), None);
}

#[test]
fn what_is_gone_is_not_found_any_longer() {
    let root = TestRoot::new();
    let mut catalog = root.open();
    root.dump(&mut catalog, 0, |stage, tree| {
        stage
            .add(tree.top, [entry("d", dir(1)), entry("a", file(1))])
            .expect("noted");
        let d = below(stage, tree, tree.top, "d", vec![entry("e", dir(1))]);
        below(stage, tree, d, "e", vec![entry("b", file(2))]);
    });
    root.dump(&mut catalog, 1, |stage, tree| {
        let source = None;
        let inode = InodeId(2);
        let found = [gone("d"), Finding::Source { inode, source }];
        stage.add(tree.top, found).expect("noted");
    });
    let tree = catalog.tree(b"T").expect("known");
    let mut rows = catalog.rows().expect("opened");
    let top = rows.children(tree.top, 10).expect("read").expect("few");
    assert_eq!(top.len(), 1);
    let d = rows
        .subdir(tree.top, b"d")
        .expect("read")
        .expect("a path")
        .0;
    assert_eq!(rows.children(d, 9).expect("read").expect("few").len(), 0);
    let e = rows.subdir(d, b"e").expect("read").expect("a path").0;
    assert_eq!(rows.children(e, 9).expect("read").expect("few").len(), 0);
    assert!(rows.of_source(tree.id, source(2)).expect("read").is_empty());
    assert_eq!(rows.of_source(tree.id, source(1)).expect("read").len(), 0);
}

#[test]
fn what_was_not_published_is_taken_back() {
    let root = TestRoot::new();
    let mut catalog = root.open();
    root.dump(&mut catalog, 0, |stage, tree| {
        stage
            .add(tree.top, [entry("a", file(1)), entry("b", file(2))])
            .expect("noted");
    });
    let pending = root.begin(&mut catalog, 1, |stage, tree| {
        let found = [entry("a", file(3)), gone("b"), entry("c", file(4))];
        stage.add(tree.top, found).expect("noted");
    });
    drop(pending);
    root.remove(1);
    drop(catalog);
    let mut catalog = root.open();
    let tree = catalog.tree(b"T").expect("known");
    assert_eq!(tree.head.map(|head| head.dump), Some(name(0)));
    let mut rows = catalog.rows().expect("opened");
    let top = rows.children(tree.top, 10).expect("read").expect("few");
    let inos: Vec<_> = top
        .iter()
        .map(|(name, known)| (name.to_vec(), known.facts.ino))
        .collect();
    assert_eq!(inos, [(b"a".to_vec(), Some(1)), (b"b".to_vec(), Some(2))]);
}

#[test]
fn what_was_published_counts_although_nobody_said_so() {
    let root = TestRoot::new();
    let mut catalog = root.open();
    let pending = root.begin(&mut catalog, 0, |stage, tree| {
        stage.add(tree.top, [entry("a", file(1))]).expect("noted");
    });
    drop(pending);
    assert_eq!(catalog.tree(b"T").expect("known").head, None, "not yet");
    drop(catalog);
    let head = root.open().tree(b"T").expect("known").head.expect("found");
    assert_eq!(head.dump, name(0));
    assert!(head.sealed.is_some_and(|sealed| sealed > Time::new(1, 0)));
}

/// Also where there are too many names to keep them, and the other way round.
#[test]
fn all_names_of_a_source_file_are_found_in_wide_directories() {
    for number in [3, 30_000] {
        let root = TestRoot::new();
        let mut catalog = root.open();
        root.dump(&mut catalog, 0, |stage, tree| {
            let names = (1..=number).map(|i| entry(&format!("file {i}"), file(i)));
            below(stage, tree, tree.top, "wide", names.collect());
            let other = vec![entry("x", file(number + 1)), entry("y", file(number + 1))];
            below(stage, tree, tree.top, "other", other);
            let dirs = [entry("wide", dir(1)), entry("other", dir(1))];
            stage.add(tree.top, dirs).expect("noted");
        });
        let tree = catalog.tree(b"T").expect("known");
        let mut rows = catalog.rows().expect("opened");
        let names_of = |rows: &mut super::Rows, ino| {
            let found = rows.of_source(tree.id, source(ino)).expect("read");
            let names = found.into_iter().map(|(_, name, _)| name);
            names.collect::<Vec<_>>()
        };
        for _ in 0..2 {
            assert_eq!(
                names_of(&mut rows, number),
                [format!("file {number}").into_bytes()]
            );
            assert_eq!(names_of(&mut rows, number + 1), [b"x", b"y"]);
            assert_eq!(names_of(&mut rows, 1), [b"file 1"]);
            assert!(names_of(&mut rows, number + 2).is_empty());
        }
    }
}
