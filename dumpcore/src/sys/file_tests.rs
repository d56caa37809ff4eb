use super::*;
use crate::policy::content_hash::ContentHash;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

fn pair() -> (assert_fs::TempDir, File, File) {
    let dir = assert_fs::TempDir::new().expect("a directory");
    let open = |name: &str| {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true);
        options.open(dir.path().join(name)).expect("opened")
    };
    let (a, b) = (open("a"), open("b"));
    (dir, a, b)
}

fn copied(from: &File, to: &File, size: u64, sparse: bool) -> u64 {
    let how = CopyHow {
        sparse,
        to_end: false,
        pages: Pages::Keep,
    };
    copied_so(from, to, size, how)
}

fn copied_so(from: &File, to: &File, size: u64, how: CopyHow) -> u64 {
    let mut buffer = vec![0; 4096];
    let mut hasher = Hasher::new();
    let (hashing, all) = (hasher.as_mut(), &mut |_| true);
    let copied = copy(
        from.as_fd(),
        to.as_fd(),
        size,
        how,
        &mut buffer,
        hashing,
        all,
    );
    let copied = copied.expect("copied");
    let hash = hasher.map(|mut hasher| hasher.finish(copied));
    assert_eq!(hash, hash_of(to), "{how:?}");
    copied
}

/// The hash of a file's data, where hashes are taken.
fn hash_of(file: &File) -> Option<ContentHash> {
    Hasher::new().map(|mut hasher| {
        let size = file.metadata().expect("stat").len();
        let mut at = 0;
        while at < size {
            let data = next_data(file.as_fd(), at, size).expect("sought");
            let mut bytes = vec![0; (data.end - data.start) as usize];
            file.read_exact_at(&mut bytes, data.start).expect("read");
            hasher.write_at(data.start, &bytes);
            at = data.end;
        }
        hasher.finish(size)
    })
}

#[test]
fn a_size_that_is_a_hint_ends_nothing() {
    let text = vec![b'x'; 10_000];
    for hint in [0, 1, 4096, 10_000, 20_000] {
        let (_dir, a, b) = pair();
        a.write_all_at(&text, 0).expect("written");
        let how = CopyHow {
            sparse: false,
            to_end: true,
            pages: Pages::Keep,
        };
        assert_eq!(copied_so(&a, &b, hint, how), 10_000, "{hint}");
        assert!(same_at_end(&a, &b), "{hint}");
        b.write_all_at(b"y", 9_999).expect("written");
        assert!(!same_at_end(&a, &b), "{hint}");
        b.set_len(9_999).expect("cut");
        assert!(!same_at_end(&a, &b) && !same_at_end(&b, &a), "{hint}");
    }
}

fn same_at_end(a: &File, b: &File) -> bool {
    let (mut x, mut y) = (vec![0; 1000], vec![0; 1000]);
    let buffers = (x.as_mut_slice(), y.as_mut_slice());
    let (a, b) = (a.as_fd(), b.as_fd());
    same_to_end(a, b, Pages::Keep, buffers, &mut || true).expect("compared")
}

fn same(a: &File, b: &File, size: u64) -> bool {
    let (mut x, mut y) = (vec![0; 1000], vec![0; 1000]);
    let buffers = (x.as_mut_slice(), y.as_mut_slice());
    same_contents(
        a.as_fd(),
        b.as_fd(),
        size,
        Pages::Keep,
        buffers,
        &mut || true,
    )
    .expect("compared")
}

#[test]
fn holes_stay_holes_and_data_stays_data() {
    let (_dir, a, b) = pair();
    let size = (8 << 30) + 5;
    a.set_len(size).expect("sized");
    a.write_all_at(b"first", 1 << 20).expect("written");
    a.write_all_at(b"second", 5 << 30).expect("written");
    assert_eq!(copied(&a, &b, size, true), size);
    assert_eq!(b.metadata().expect("stat").len(), size);
    assert!(b.metadata().expect("stat").blocks() <= a.metadata().expect("stat").blocks());
    assert!(same(&a, &b, size));
    b.write_all_at(b"X", (5 << 30) + 5).expect("written");
    assert!(!same(&a, &b, size));
}

#[test]
fn data_equals_a_hole_only_when_it_is_zero() {
    let (_dir, a, b) = pair();
    let size = 1 << 20;
    a.set_len(size).expect("sized");
    b.write_all_at(&vec![0; 1 << 20], 0).expect("written");
    assert!(same(&a, &b, size) && same(&b, &a, size));
    b.write_all_at(b"X", size - 1).expect("written");
    assert!(!same(&a, &b, size) && !same(&b, &a, size));
}

#[test]
fn a_file_that_shrank_tells_so() {
    let (_dir, a, b) = pair();
    a.write_all_at(b"short", 0).expect("written");
    assert_eq!(copied(&a, &b, 100, false), 5);
    assert!(!same(&a, &b, 100));
}

#[test]
fn a_fifo_in_a_files_place_does_not_block() {
    let (dir, ..) = pair();
    let root = super::super::dir::open_root(dir.path(), super::super::dir::For::Passing);
    let root = root.expect("opened");
    super::super::link::make_special(root.as_fd(), c"pipe", crate::model::metadata::Kind::Fifo, 0)
        .expect("made");
    assert!(open_file(root.as_fd(), c"pipe").is_ok());
}

#[test]
fn a_file_that_is_not_cloned_is_empty() {
    let (dir, from, to) = pair();
    from.set_len(100_000).expect("sized");
    to.write_all_at(&[1; 5000], 0).expect("written");
    // Nothing can be cloned from a directory.
    let not_a_file = File::open(dir.path()).expect("opened");
    let cloned = reflink(not_a_file.as_fd(), to.as_fd());
    assert!(!cloned.expect("emptied"));
    assert_eq!(to.metadata().expect("stat").len(), 0);
    // A clone is whole, where the filesystem makes one.
    from.write_all_at(&[1; 50_000], 0).expect("written");
    let cloned = reflink(from.as_fd(), to.as_fd()).expect("cloned or emptied");
    let size = to.metadata().expect("stat").len();
    assert_eq!(size, if cloned { 100_000 } else { 0 });
    // One that could not be emptied is an error.
    let to = File::open(dir.path().join("b")).expect("opened");
    assert!(reflink(from.as_fd(), to.as_fd()).is_err());
}
