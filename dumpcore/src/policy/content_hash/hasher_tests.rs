use super::*;
use proptest::prelude::*;

/// The definition, word for word, of contents that are in memory.
fn plain(contents: &[u8]) -> ContentHash {
    let mut all = Vec::new();
    for (number, block) in contents.chunks(65_536).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            all.extend((number as u64).to_le_bytes());
            all.extend(blake3::hash(block).as_bytes());
        }
    }
    all.extend((contents.len() as u64).to_le_bytes());
    ContentHash(blake3::hash(&all).into())
}

fn hasher() -> Hasher {
    Hasher::new().expect("the feature is on")
}

fn hash(contents: &[u8]) -> ContentHash {
    let mut hasher = hasher();
    hasher.write_at(0, contents);
    hasher.finish(contents.len() as u64)
}

fn hex(hash: ContentHash) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that differ from block to block, and are never zero.
fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 7 % 251) as u8 + 1).collect()
}

/// The hashes are those of another implementation of BLAKE3, after the
/// definition: catalogs hold them for years.
#[test]
fn the_hash_stays_what_it_is() {
    for (contents, expected) in [
        (
            vec![],
            "71e0a99173564931c0b8acc52d2685a8e39c64dc52e3d02390fdac2a12b155cb",
        ),
        (
            b"hello".to_vec(),
            "d8da771f895ccab4431a0175baf06abbf66e05765ccd6173b8936844d3f6547c",
        ),
        (
            vec![0; 100_000],
            "0252bba9cf824574d8b89305c269a7237f2f6abcbc7c7fd1a42c01e032969832",
        ),
        (
            text(BLOCK),
            "d538a09cb423bb6a9d80c3844445cab36a45fc5f69db724af0737a304b491fbc",
        ),
        (
            text(200_000),
            "6e7c9210148d5458e97c91f3520c4fd384a7f0baa8e021ad8b31d772820a7101",
        ),
        (
            [vec![0; BLOCK], text(10)].concat(),
            "f451d52e14303efe57c355d179c7664f9ec39179c9fd56c5a09f9c386d32ee2b",
        ),
    ] {
        assert_eq!(hex(hash(&contents)), expected, "{} bytes", contents.len());
        assert_eq!(hash(&contents), plain(&contents));
    }
}

#[test]
fn lengths_around_the_blocks_are_as_the_definition_says() {
    for blocks in 0..3 {
        for more in [0, 1, 127, 128, 129, BLOCK - 1] {
            let contents = text(blocks * BLOCK + more);
            assert_eq!(hash(&contents), plain(&contents), "{}", contents.len());
        }
    }
}

#[test]
fn zeros_count_by_their_place_and_by_the_length() {
    let (zero, x) = (vec![0; BLOCK], text(BLOCK));
    let all = [
        vec![],
        vec![0],
        zero.clone(),
        zero.repeat(2),
        x.clone(),
        [&*x, &[0]].concat(),
        [&*x, &*zero].concat(),
        [&*zero, &*x].concat(),
        [&[0], &*x].concat(),
    ];
    for (number, one) in all.iter().enumerate() {
        for other in &all[..number] {
            let lengths = (one.len(), other.len());
            assert_ne!(hash(one), hash(other), "{lengths:?}");
        }
    }
}

#[test]
fn a_hasher_begins_again_whatever_was_left_in_it() {
    let mut hasher = hasher();
    let contents = text(BLOCK + 9);
    hasher.write_at(0, &contents);
    assert_eq!(hasher.finish(contents.len() as u64), plain(&contents));
    hasher.write_at(3 * BLOCK as u64 + 5, b"given up");
    hasher.begin();
    hasher.write_at(0, b"next");
    assert_eq!(hasher.finish(4), plain(b"next"));
}

#[test]
fn a_huge_hole_costs_nothing() {
    let mut hasher = hasher();
    let far = (1 << 60) + 70_000;
    hasher.write_at(far, b"end");
    let end = hasher.finish(far + 3);
    hasher.write_at(far, b"end");
    assert_ne!(hasher.finish(far + 4), end);
}

/// Contents of a few blocks, in which stretches are zero.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let stretch = (any::<bool>(), 1..90_000_usize, any::<u8>());
    prop::collection::vec(stretch, 0..6).prop_map(|stretches| {
        let of = |(zero, length, salt): (bool, usize, u8)| match zero {
            true => vec![0; length],
            false => (0..length).map(|at| (at / 3) as u8 ^ salt).collect(),
        };
        stretches.into_iter().flat_map(of).collect()
    })
}

/// Cuts the contents into pieces, of which those that are all zero may be
/// holes.
fn pieces(contents: &[u8], cuts: &[(usize, bool)]) -> Vec<(u64, Vec<u8>)> {
    let mut ends: Vec<_> = cuts
        .iter()
        .map(|(at, hole)| (at % (contents.len() + 1), *hole))
        .collect();
    ends.push((contents.len(), true));
    ends.sort_unstable();
    let mut at = 0;
    let mut pieces = Vec::new();
    for (end, hole) in ends {
        let piece = &contents[at..end];
        if !(hole && is_zero(piece)) {
            pieces.push((at as u64, piece.to_vec()));
        }
        at = end;
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn pieces_and_holes_do_not_matter(
        contents in contents(),
        cuts in prop::collection::vec((any::<usize>(), any::<bool>()), 0..24),
    ) {
        let mut hasher = hasher();
        for (at, piece) in pieces(&contents, &cuts) {
            hasher.write_at(at, &piece);
        }
        let hash = hasher.finish(contents.len() as u64);
        prop_assert_eq!(hash, plain(&contents));
    }

    #[test]
    fn another_byte_gives_another_hash(
        contents in contents(),
        at in any::<usize>(),
        flip in 1..=u8::MAX,
    ) {
        prop_assume!(!contents.is_empty());
        let mut other = contents.clone();
        other[at % contents.len()] ^= flip;
        prop_assert_ne!(hash(&other), hash(&contents));
    }
}
