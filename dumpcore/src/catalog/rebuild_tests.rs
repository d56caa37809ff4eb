//! A rebuild takes over what it can of the old catalog, and needs nothing of it.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fs;

use super::Catalog;
use super::catch_up_tests::{OPTIONS, compare, tree_of, two_dumps};

#[test]
fn a_rebuild_keeps_what_only_the_old_catalog_knew() {
    let root = two_dumps();
    let mut catalog = root.open();
    catalog
        .catch_up(&root.root.listing(), &OPTIONS)
        .expect("caught up");
    let fs_id = 1;
    let known = HashMap::from([("uuid:1".to_owned(), fs_id)]);
    catalog.add_filesystems(&known).expect("numbered");
    let know = "UPDATE inode SET hash=CAST(ino AS BLOB), src_fs=?1, src_ino=ino+7, src_born=born,
                  src_ctime=mtime, src_dir=NULL WHERE kind<>1";
    catalog.connection().execute(know, [fs_id]).expect("told");
    let sql = "UPDATE tree SET fingerprint=x'0102', turn=5";
    catalog.connection().execute(sql, []).expect("told");
    let sql = "UPDATE dir SET src_fs=?1, src_ino=9, src_born=1 WHERE name=CAST('e' AS BLOB)";
    catalog.connection().execute(sql, [fs_id]).expect("told");
    drop(catalog);
    // One is another file by now.
    for minute in [0, 1] {
        let path = tree_of(&root, minute).join("b");
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "another").expect("written");
    }
    let rebuilt = Catalog::rebuild(&root.root, &OPTIONS).expect("made");
    assert!(rebuilt.kept_old && rebuilt.left_out.is_empty());
    let reading = Catalog::read(&root.root).expect("read").expect("there");
    let db = reading.connection();
    let number = |sql: &str| {
        db.query_row(sql, [], |row| row.get::<_, i64>(0))
            .expect("read")
    };
    let kept = "SELECT count(*) FROM inode WHERE hash=CAST(ino AS BLOB) AND src_ino=ino+7
                AND src_fs=1 AND src_ctime=mtime AND src_dir IS NOT NULL";
    // a, d/a, d/e/a, link, new; not the two files that b is now.
    assert_eq!(number(kept), 5);
    assert_eq!(
        number("SELECT count(*) FROM inode WHERE hash IS NULL AND kind<>1"),
        2
    );
    assert_eq!(
        number("SELECT count(*) FROM tree WHERE fingerprint=x'0102' AND turn=5"),
        1
    );
    assert_eq!(
        number("SELECT count(*) FROM dir WHERE src_ino=9 AND name=CAST('e' AS BLOB)"),
        1
    );
    assert_eq!(
        number("SELECT count(*) FROM dir WHERE src_ino IS NOT NULL"),
        1
    );
}

/// A damaged old catalog does not keep a new one from being made.
#[test]
fn a_rebuild_does_without_an_old_catalog_that_is_damaged() {
    let root = two_dumps();
    fs::create_dir_all(root.dir.path().join(".dump")).expect("made");
    for spoilt in [vec![7; 30_000], Vec::new()] {
        fs::write(root.catalog_file(), spoilt).expect("written");
        let rebuilt = Catalog::rebuild(&root.root, &OPTIONS).expect("made");
        assert_eq!(rebuilt.dumps, 2);
        compare(&root, &BTreeSet::from([0, 1]));
    }
    // Whole at its head, and spoilt behind it.
    let mut file = fs::read(root.catalog_file()).expect("read");
    let at = file.len() - 9 * 8192;
    file[at..].fill(0xa5);
    fs::write(root.catalog_file(), file).expect("written");
    let rebuilt = Catalog::rebuild(&root.root, &OPTIONS).expect("made");
    assert_eq!(rebuilt.dumps, 2);
    compare(&root, &BTreeSet::from([0, 1]));
}
