use super::*;
use crate::fs::capabilities;
use crate::sys::dir::{self, For};
use std::io;

#[test]
fn what_is_half_made_is_removed_or_ends_the_run() {
    let on = assert_fs::TempDir::new().expect("a directory");
    let root = dir::open_root(on.path(), For::Passing).expect("opened");
    std::fs::write(on.path().join("half"), "half").expect("written");
    // A directory cannot be removed as a file is.
    std::fs::create_dir(on.path().join("stays")).expect("made");
    let missed = |name: &CStr| {
        let dir = root.as_fd();
        let cause = io::Error::other("unreadable");
        undo(
            NameAt { dir, name },
            OpError::source(Op::Read, cause).into(),
        )
    };
    for name in [c"half", c"missing"] {
        assert!(matches!(missed(name), StoreError::Op(first) if first.op == Op::Read));
    }
    assert!(!on.path().join("half").exists());
    assert!(matches!(missed(c"stays"), StoreError::HalfMade(stays) if stays.op == Op::Remove));
}

/// Stores the file `from` of a directory under another name there.
fn store(on: &assert_fs::TempDir, hashing: bool, during: &mut dyn FnMut()) -> Stored {
    let root = dir::open_root(on.path(), For::Passing).expect("opened");
    let capabilities = capabilities::guess(&root);
    let at = |name| NameAt {
        dir: root.as_fd(),
        name,
    };
    let looked = inspect::look(root.as_fd(), c"from").expect("looked");
    let mut writer = EntryWriter::new(&capabilities, Pages::Keep).hashing(hashing);
    let _ = std::fs::remove_file(on.path().join("to"));
    let stored = writer.file(
        at(c"from"),
        at(c"to"),
        &looked,
        true,
        DataFrom::Source,
        &mut |_| {
            during();
            true
        },
    );
    stored.expect("stored")
}

fn hash(contents: &[u8]) -> Option<ContentHash> {
    Hasher::new().map(|mut hasher| {
        hasher.write_at(0, contents);
        hasher.finish(contents.len() as u64)
    })
}

#[test]
fn the_hash_is_of_what_is_in_the_copy() {
    let on = assert_fs::TempDir::new().expect("a directory");
    let from = on.path().join("from");
    let long = [vec![0; 300_000], b"data".repeat(100_000), vec![0; 99_000]].concat();
    for contents in [&b""[..], b"short", &long] {
        std::fs::write(&from, contents).expect("written");
        let stored = store(&on, true, &mut || {});
        assert_eq!(stored.hash, hash(contents), "{} bytes", contents.len());
        assert!(std::fs::read(on.path().join("to")).expect("read") == contents);
        assert_eq!(store(&on, false, &mut || {}).hash, None);
    }
    // The same with holes.
    let file = std::fs::File::create(&from).expect("made");
    file.set_len(long.len() as u64).expect("sized");
    std::os::unix::fs::FileExt::write_all_at(&file, &long[300_000..700_000], 300_000)
        .expect("written");
    assert_eq!(store(&on, true, &mut || {}).hash, hash(&long));
}

#[test]
fn a_file_that_does_not_hold_still_has_no_hash() {
    let on = assert_fs::TempDir::new().expect("a directory");
    let from = on.path().join("from");
    std::fs::write(&from, "a").expect("written");
    // It is read several times, and grows each time; but for the last.
    for (changes, unstable) in [(u32::MAX, true), (1, false)] {
        let mut left = changes;
        let stored = store(&on, true, &mut || {
            if left > 0 {
                left -= 1;
                let mut contents = std::fs::read(&from).expect("read");
                contents.push(b'a');
                std::fs::write(&from, contents).expect("written");
            }
        });
        assert_eq!(stored.unstable, unstable);
        let copy = std::fs::read(on.path().join("to")).expect("read");
        assert_eq!(stored.hash, hash(&copy).filter(|_| !unstable));
    }
}
