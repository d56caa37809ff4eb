//! A small tree with everything in it, before and after a day's work.

use fixtures::tree::{Node, Tree};

/// A file of `len` bytes that are like no other's.
fn text(seed: u8, len: usize) -> Node {
    let bytes = (0..len).map(|at| (at as u8).wrapping_mul(31) ^ seed);
    Node::file(bytes.collect::<Vec<u8>>())
}

/// What does not change between the two.
fn common() -> Tree {
    let mut tree = Tree::new()
        .with("same", text(1, 5000).mtime(1_600_000_001, 5))
        .with("dir/same", text(2, 100).mode(0o600).mtime(1_600_000_002, 7))
        .with("dir/link", Node::symlink("../same").mtime(1_600_000_003, 0))
        .with("dir/twin a", text(3, 200).mtime(1_600_000_004, 0))
        .with("dir/twin b", Node::hard_link("dir/twin a"))
        .with(
            "pipe",
            Node::new(fixtures::tree::Kind::Fifo).mtime(1_600_000_005, 1),
        );
    if fixtures::is_root() {
        let owned = text(4, 10).owner(1234, 5678).mode(0o4755);
        tree.add("owned", owned.mtime(1_600_000_006, 0));
    }
    tree
}

/// A day before.
pub(crate) fn before() -> Tree {
    common()
        .with("changes", text(5, 3000).mtime(1_600_000_010, 0))
        .with("gone/file", text(6, 10).mtime(1_600_000_011, 0))
        .with("becomes a dir", text(7, 10).mtime(1_600_000_012, 0))
        .with("mode", text(8, 70_000).mode(0o644).mtime(1_600_000_013, 0))
        .dated()
}

/// A day after: something changed, went, came, became something else.
pub(crate) fn after() -> Tree {
    common()
        .with("changes", text(9, 4000).mtime(1_600_000_020, 0))
        .with("becomes a dir/file", text(10, 10).mtime(1_600_000_021, 0))
        .with("mode", text(8, 70_000).mode(0o755).mtime(1_600_000_013, 0))
        .with("new/deep/file", text(11, 9000).mtime(1_600_000_022, 1))
        .with(
            "new/deep/hole",
            Node::sparse(1 << 16, vec![(4096, vec![1; 99])]).mtime(1_600_000_023, 0),
        )
        .with("new/twin c", Node::hard_link("dir/twin a"))
        .dated()
}

/// A wider tree: `n` files, each different, in directories of twenty; those
/// whose number is a multiple of `step` differ from one `round` to the next.
pub(crate) fn wide(n: usize, step: usize, round: u8) -> Tree {
    let mut tree = Tree::new();
    for at in 0..n {
        let turn = if at % step == 0 { round } else { 0 };
        let node = text(turn ^ at as u8, 500 + at * 13);
        let sec = 1_600_000_000 + i64::from(turn) * 1_000_000 + at as i64;
        tree.add(format!("d{:03}/f{at:05}", at / 20), node.mtime(sec, 3));
    }
    tree.dated()
}
