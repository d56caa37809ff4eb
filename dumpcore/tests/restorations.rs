//! What a restoration leaves in a tree while it continues, or when it is killed,
//! is in no dump, and what only looks like it is.

mod common;

use std::fs;

use common::Stage;
use dumpcore::Warning;

#[test]
fn what_is_half_restored_is_left_out_and_told() {
    let stage = Stage::new();
    for name in [
        "docs",
        "docs/.letters.dump-restoring-4711",
        ".f.dump-restoring-1.old",
    ] {
        fs::create_dir(stage.source.join(name)).expect("made");
        fs::write(stage.source.join(name).join("f"), name).expect("written");
    }
    fs::write(stage.source.join(".x.dump-restoring-2"), "half").expect("written");
    for name in [".f.dump-7", ".f.dump-restoring-", "f.dump-restoring-1"] {
        fs::write(stage.source.join(name), "a user's").expect("written");
    }
    // Also where a leftover has it already.
    for _ in 0..2 {
        let report = stage.snapshot().run().unwrap_or_else(|e| panic!("{e}"));
        let told = |warning: &Warning| match warning {
            Warning::RestoringLeftOut { path } => Some(path.clone()),
            other => panic!("{other}"),
        };
        let mut told: Vec<_> = report.warnings.iter().filter_map(told).collect();
        told.sort();
        let expected = [
            ".f.dump-restoring-1.old",
            ".x.dump-restoring-2",
            "docs/.letters.dump-restoring-4711",
        ];
        assert_eq!(told, expected.map(|name| stage.source.join(name)));
        assert_eq!(report.counts.excluded, 3);
        let names = |dir: &str| {
            let listed = fs::read_dir(stage.newest().join(dir)).expect("listed");
            let mut names: Vec<_> = listed.map(|e| e.expect("listed").file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(
            names(""),
            [
                ".f.dump-7",
                ".f.dump-restoring-",
                "docs",
                "f.dump-restoring-1"
            ]
        );
        assert_eq!(names("docs"), ["f"]);
    }
}
