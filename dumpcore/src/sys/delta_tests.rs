use super::*;
use crate::sys::pages::Pages;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use proptest::prelude::*;

/// A file with these bytes at these blocks, and holes elsewhere.
fn file(dir: &assert_fs::TempDir, name: &str, blocks: &[Option<u8>], odd: u64) -> File {
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(true);
    let file = options.open(dir.path().join(name)).expect("opened");
    let size = (blocks.len() as u64 * BLOCK).saturating_sub(odd);
    file.set_len(size).expect("sized");
    for (number, byte) in blocks.iter().enumerate() {
        let at = number as u64 * BLOCK;
        let length = size.saturating_sub(at).min(BLOCK);
        if let Some(byte) = byte {
            let bytes = vec![*byte; length as usize];
            file.write_all_at(&bytes, at).expect("written");
        }
    }
    file
}

fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().expect("stat").len() as usize];
    file.read_exact_at(&mut bytes, 0).expect("read");
    bytes
}

/// What the bytes hash to, where hashes are taken.
fn hash_of(bytes: &[u8]) -> Option<String> {
    Hasher::new().map(|mut hasher| {
        hasher.begin();
        hasher.write_at(0, bytes);
        format!("{:?}", hasher.finish(bytes.len() as u64))
    })
}

/// Rewrites a copy of the old version, which stands for a clone, and tells how
/// many bytes there were.
fn rewritten(source: &File, old: &File, new: &File, how: CopyHow, step: usize) -> u64 {
    let size = source.metadata().expect("stat").len();
    let versions = Versions {
        source: source.as_fd(),
        old: old.as_fd(),
        new: new.as_fd(),
    };
    let (mut here, mut there) = (vec![0; step], vec![0; 8192]);
    let mut hasher = Hasher::new();
    if let Some(hasher) = &mut hasher {
        hasher.begin();
    }
    let mut seen = 0;
    let mut keep_going = |bytes| {
        seen += bytes;
        true
    };
    let buffers = (&mut here[..], &mut there[..]);
    let bytes = rewrite(
        versions,
        size,
        how,
        buffers,
        hasher.as_mut(),
        &mut keep_going,
    );
    let bytes = bytes.expect("rewritten");
    assert!(seen <= bytes, "{seen} of {bytes} bytes told");
    let hash = hasher.map(|mut hasher| format!("{:?}", hasher.finish(bytes)));
    assert_eq!(hash, hash_of(&contents(source)));
    bytes
}

fn how(sparse: bool) -> CopyHow {
    CopyHow {
        sparse,
        to_end: false,
        pages: Pages::Keep,
    }
}

fn blocks() -> impl Strategy<Value = Vec<Option<u8>>> {
    let block =
        prop_oneof![3 => Just(Some(1)), 2 => Just(Some(2)), 2 => Just(None), 1 => Just(Some(0))];
    proptest::collection::vec(block, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_new_version_is_the_source(
        old in blocks(), new in blocks(), odd in (0..BLOCK, 0..BLOCK),
        sparse: bool, step in prop_oneof![Just(4096_usize), Just(8192), Just(1000)],
    ) {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let source = file(&dir, "source", &new, odd.0);
        let before = file(&dir, "old", &old, odd.1);
        let clone = file(&dir, "new", &old, odd.1);
        let bytes = rewritten(&source, &before, &clone, how(sparse), step);
        prop_assert_eq!(bytes, source.metadata().expect("stat").len());
        prop_assert!(contents(&clone) == contents(&source));
        prop_assert!(contents(&before) == contents(&file(&dir, "again", &old, odd.1)));
    }
}

#[test]
fn blocks_that_differ_are_told_as_stretches() {
    let block = BLOCK as usize;
    let stretches = |here: &[u8], there: &[u8], at| {
        let parts = differing(here, there, at).into_iter();
        parts.map(|part| (part.start, part.end)).collect::<Vec<_>>()
    };
    let here = vec![1; 5 * block + 10];
    let mut there = here.clone();
    assert_eq!(stretches(&here, &there, 0), []);
    there[2 * block] = 2;
    there[4 * block - 1] = 2;
    assert_eq!(stretches(&here, &there, 0), [(2 * block, 4 * block)]);
    there[0] = 2;
    let two = [(0, block), (2 * block, 4 * block)];
    assert_eq!(stretches(&here, &there, 0), two);
    // What the old version does not have.
    there.truncate(4 * block + 5);
    let two = [(0, block), (2 * block, here.len())];
    assert_eq!(stretches(&here, &there, 0), two);
    // Blocks are those of the file, not of the buffer.
    let (here, mut there) = (vec![1; 2 * block], vec![1; 2 * block]);
    there[100] = 2;
    assert_eq!(stretches(&here, &there, 100), [(0, block - 100)]);
}

#[test]
fn what_is_a_hole_in_the_source_becomes_one() {
    let dir = assert_fs::TempDir::new().expect("a directory");
    let old = vec![Some(1); 64];
    let mut new = old.clone();
    new[8..56].fill(None);
    let source = file(&dir, "source", &new, 0);
    let before = file(&dir, "old", &old, 0);
    let clone = file(&dir, "new", &old, 0);
    let full = clone.metadata().expect("stat").blocks();
    rewritten(&source, &before, &clone, how(true), 8192);
    assert!(contents(&clone) == contents(&source));
    let less = full - clone.metadata().expect("stat").blocks();
    assert!(less >= 40 * BLOCK / 512, "{less} blocks less");
}

#[test]
fn a_source_that_has_shrunk_ends_where_it_ends() {
    let dir = assert_fs::TempDir::new().expect("a directory");
    let source = file(&dir, "source", &[Some(1), Some(1)], 7);
    let old = file(&dir, "old", &[Some(1); 6], 0);
    let new = file(&dir, "new", &[Some(1); 6], 0);
    let versions = Versions {
        source: source.as_fd(),
        old: old.as_fd(),
        new: new.as_fd(),
    };
    let (mut here, mut there) = (vec![0; 4096], vec![0; 4096]);
    let buffers = (&mut here[..], &mut there[..]);
    let bytes = rewrite(versions, 5 * BLOCK, how(false), buffers, None, &mut |_| {
        true
    });
    assert_eq!(bytes.expect("rewritten"), 2 * BLOCK - 7);
    assert!(contents(&new) == contents(&source));
}

#[test]
fn it_stops_when_it_is_told() {
    let dir = assert_fs::TempDir::new().expect("a directory");
    let source = file(&dir, "source", &[Some(1); 4], 0);
    let old = file(&dir, "old", &[Some(1); 4], 0);
    let versions = Versions {
        source: source.as_fd(),
        old: old.as_fd(),
        new: old.as_fd(),
    };
    let (mut here, mut there) = (vec![0; 4096], vec![0; 4096]);
    let buffers = (&mut here[..], &mut there[..]);
    let stopped = rewrite(versions, 4 * BLOCK, how(false), buffers, None, &mut |_| {
        false
    });
    assert!(matches!(stopped, Err(CopyError::Stopped)), "{stopped:?}");
}
