use super::*;
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
