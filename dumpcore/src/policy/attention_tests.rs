//! What each sentence says, and how spans are told.

use super::*;

#[test]
fn spans_are_told_in_words() {
    for (span, text) in [
        (TimeDelta::minutes(-5), "0 minutes"),
        (TimeDelta::minutes(1), "1 minute"),
        (TimeDelta::minutes(119), "119 minutes"),
        (TimeDelta::hours(2), "2 hours"),
        (TimeDelta::hours(47), "47 hours"),
        (TimeDelta::days(3), "3 days"),
        (TimeDelta::days(14), "2 weeks"),
        (TimeDelta::days(215), "7 months"),
        (TimeDelta::days(800), "2 years"),
    ] {
        assert_eq!(Words(span).to_string(), text);
    }
}

#[test]
fn what_runs_out_first_ends_the_room() {
    let of = |free, one| {
        let more = MoreDumps::of(free, one);
        (more.number, more.ends)
    };
    assert_eq!(of((1000, Some(500)), (10, 10)), (50, RoomEnd::Inodes));
    assert_eq!(of((1000, Some(5000)), (10, 10)), (100, RoomEnd::Bytes));
    assert_eq!(of((1000, None), (10, 10)), (100, RoomEnd::Bytes));
    assert_eq!(of((0, Some(0)), (0, 0)), (0, RoomEnd::Bytes));
    assert_eq!(of((7, None), (0, 0)), (7, RoomEnd::Bytes));
}

#[test]
fn each_says_what_is_the_matter() {
    let dump: DumpId = "2026/1122/2331".parse().expect("a dump");
    let more = MoreDumps::of((41, Some(1000)), (1, 1));
    for (attention, text) in [
        (
            Attention::Damaged {
                damaged: 1,
                names: 0,
            },
            "1 damaged file",
        ),
        (
            Attention::Damaged {
                damaged: 2,
                names: 3,
            },
            "2 damaged files, 3 names not as they were stored",
        ),
        (
            Attention::OldDump {
                tree: "home".into(),
                dump,
                age: TimeDelta::days(3),
            },
            "no dump of home for 3 days",
        ),
        (
            Attention::OldCheckpoint {
                dump,
                age: TimeDelta::days(215),
            },
            "checkpoint 7 months old",
        ),
        (
            Attention::LittleRoom { more },
            "room for about 41 more dumps (bytes run out first)",
        ),
        (
            Attention::NoPolicy {
                tree: "photos".into(),
                dumps: 1204,
            },
            "photos: 1,204 dumps, no policy",
        ),
        (
            Attention::Partial {
                tree: "home".into(),
                dump,
                lacks: Lacking::Entries(1),
                dumps: 5,
            },
            "2026/1122/2331, the newest dump of home, lacks 1 entry; the last 5 are not \
             complete",
        ),
    ] {
        assert_eq!(attention.to_string(), text);
    }
}

#[test]
fn what_was_not_removed_is_named_with_what_holds_it() {
    for (attention, text) in [
        (
            Attention::NotRemoved {
                path: "/dump/.dump/removing/x".into(),
                fixed: Some("/dump/.dump/removing/x/f".into()),
                mounted: None,
                age: Some(TimeDelta::days(3)),
            },
            "part of a removed dump still takes space, since /dump/.dump/removing/x/f is \
             immutable or append-only",
        ),
        (
            Attention::NotRemoved {
                path: "/dump/.dump/removing/x".into(),
                fixed: None,
                mounted: None,
                age: Some(TimeDelta::days(3)),
            },
            "/dump/.dump/removing/x, part of a removed dump, still takes space after 3 days",
        ),
        (
            Attention::NotRemoved {
                path: "/dump/2026/1122/2331".into(),
                fixed: None,
                mounted: Some("/mnt/dump/2026/1122/2331/home/x".into()),
                age: None,
            },
            "/dump/2026/1122/2331 is to be removed and stays, since something is mounted on \
             /mnt/dump/2026/1122/2331/home/x",
        ),
    ] {
        assert_eq!(attention.to_string(), text);
    }
}
