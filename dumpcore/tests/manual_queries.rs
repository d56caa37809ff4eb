//! The questions to the catalog that dump(7) shows give what it says, on the
//! catalog of dumps that were taken.
#![cfg(feature = "catalog")]

mod common;

use std::fs;
use std::path::Path;

use common::{Stage, tick};
use dumpcore::CatalogTools;
use rusqlite::{Connection, OpenFlags, Row};

/// The blocks of the page's chapter, as a reader copies them.
fn blocks() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manual/src/dump.7");
    let page = fs::read_to_string(page).expect("the page is there");
    let chapter = page.split(".SH THE CATALOG").nth(1).expect("the chapter");
    let chapter = chapter.split(".SH ").next().expect("its text");
    let blocks = chapter.split(".nf\n.RS\n").skip(1).map(|rest| {
        let block = rest.split("\n.RE\n.fi").next().expect("it ends");
        block.replace(r"\(aq", "'").replace(r"\-", "-")
    });
    blocks.collect()
}

/// The one block that has all of these words.
fn block(words: &[&str]) -> String {
    let fits = |block: &String| words.iter().all(|word| block.contains(word));
    let found: Vec<_> = blocks().into_iter().filter(fits).collect();
    assert_eq!(found.len(), 1, "{words:?}: {found:#?}");
    found[0].clone()
}

/// The catalog, opened as the page says.
fn catalog(stage: &Stage) -> Connection {
    let path = stage.dump.join(".dump/catalog.db");
    let opened = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let connection = opened.expect("there is a catalog");
    let views = block(&["CREATE TEMP VIEW"]);
    connection.execute_batch(&views).expect("the views");
    connection
}

fn ask<T>(db: &Connection, sql: &str, read: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    let mut statement = db.prepare(sql).expect("a good statement");
    let rows = statement.query_map([], |row| read(row)).expect("asked");
    rows.collect::<Result<_, _>>().expect("answered")
}

fn text(row: &Row<'_>, index: usize) -> String {
    row.get(index).expect("a text")
}

fn number(row: &Row<'_>, index: usize) -> i64 {
    row.get(index).expect("a number")
}

/// Three dumps: a letter is changed, a note goes, a list comes.
fn three_dumps() -> (Stage, [String; 3]) {
    let stage = Stage::new();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(stage.source.join(name), bytes).expect("written");
    };
    let dump = || {
        tick();
        let report = stage.run(stage.snapshot().catalog(true));
        tick();
        let name = report.dump.strip_prefix(&stage.dump).expect("in the root");
        name.to_str().expect("a name").to_owned()
    };
    for dir in ["attic", "letters"] {
        fs::create_dir(stage.source.join(dir)).expect("made");
    }
    write("letters/anna.tex", b"a draft");
    write("attic/note", b"gone soon");
    write("attic/big", &[b'x'; 100_000]);
    let first = dump();
    write("letters/anna.tex", b"the final version");
    write("list", &[b'y'; 5_000]);
    fs::remove_file(stage.source.join("attic/note")).expect("removed");
    let second = dump();
    let third = dump();
    (stage, [first, second, third])
}

#[test]
fn the_questions_of_the_page_are_answered() {
    let (stage, dumps) = three_dumps();
    assert_answered(&stage, &dumps);
    let rebuilt = CatalogTools::new(&stage.dump).rebuild().expect("made");
    assert_eq!(rebuilt.dumps, 3);
    assert_answered(&stage, &dumps);
}

fn assert_answered(stage: &Stage, [first, second, third]: &[String; 3]) {
    let db = catalog(stage);

    let sql = block(&["SELECT since", "name ="]);
    let sql = sql.replace("NEWAGE/", "tree/");
    let versions = ask(&db, &sql, |row| {
        Ok((text(row, 0), text(row, 1), number(row, 2)))
    });
    let expected = [
        (first.clone(), first.clone(), 7),
        (second.clone(), third.clone(), 17),
    ];
    assert_eq!(versions, expected);

    let sql = block(&["start of month"]);
    let largest = ask(&db, &sql, |row| Ok((number(row, 0), text(row, 1))));
    let names: Vec<_> = largest.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(names[..2], ["tree/attic/big", "tree/list"]);
    assert_eq!(names.len(), 5, "both letters are stored: {largest:?}");
    assert!(largest[0].0 >= 100_000);

    let sql = block(&["e.first = s.seq"]).replace("2026/1122/2331", second);
    let added = ask(&db, &sql, |row| Ok(text(row, 0)));
    assert_eq!(added, ["tree/list", "tree/letters/anna.tex"]);

    let sql = block(&["NOT EXISTS"]);
    let gone = ask(&db, &sql, |row| Ok((text(row, 0), text(row, 1))));
    assert_eq!(gone, [("tree/attic/note".to_owned(), first.clone())]);

    let sql = block(&["added_bytes"]);
    let sizes = ask(&db, &sql, |row| Ok((text(row, 0), number(row, 1))));
    let names: Vec<_> = sizes.iter().map(|(name, _)| name).collect();
    assert_eq!(names, [first, second, third]);
    assert!(sizes[0].1 > 100_000 && sizes[1].1 > 5_000, "{sizes:?}");
}

#[test]
fn the_page_tells_of_every_table() {
    let (stage, _) = three_dumps();
    let db = catalog(&stage);
    let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
               AND name NOT LIKE 'sqlite_%'";
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manual/src/dump.7");
    let page = fs::read_to_string(page).expect("the page is there");
    let chapter = page.split(".SH THE CATALOG").nth(1).expect("the chapter");
    let chapter = chapter.split(".SH ").next().expect("its text");
    let tables = ask(&db, sql, |row| Ok(text(row, 0)));
    assert!(tables.len() > 5, "{tables:?}");
    for table in tables {
        let told = |line: &str| {
            let words = line.strip_prefix(".B ").or(line.strip_prefix(".BR "));
            words.is_some_and(|words| words.split([' ', ',']).any(|word| word == table))
        };
        assert!(chapter.lines().any(told), "{table} is not on the page");
    }
    let version: i64 = db
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .expect("told");
    assert!(chapter.contains(&format!("is the version of the tables, now {version}.")));
}
