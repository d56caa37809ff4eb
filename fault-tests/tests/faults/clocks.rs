//! Clocks: the hours that a year repeats and leaves out, clocks that step,
//! dumps from the future, years of other lengths.

use std::fs;
use std::process::Command;

use chrono::DateTime;
use dumpcore::{DumpName, DumpRoot, Stamp};

use crate::sample_trees;
use crate::setup::{Stage, assert_done, end_well, end_with};

/// The program as if it were this moment (`@seconds`) in this zone.
pub(crate) fn at(command: &Command, seconds: i64, zone: &str) -> Command {
    let mut faked = Command::new("faketime");
    faked.arg(format!("@{seconds}")).arg(command.get_program());
    faked.args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            faked.env(name, value);
        }
    }
    faked.env("TZ", zone);
    if let Some(dir) = command.get_current_dir() {
        faked.current_dir(dir);
    }
    faked
}

/// What a clock on the wall shows there and then.
fn civil(seconds: i64, zone: &str) -> Stamp {
    let zone: chrono_tz::Tz = zone.parse().expect("a zone");
    let moment = DateTime::from_timestamp(seconds, 0).expect("a moment");
    Stamp::from_civil(moment.with_timezone(&zone).naive_local())
}

fn names(stage: &Stage) -> Vec<DumpName> {
    let dump = DumpRoot::open(&stage.dump).expect("opened");
    dump.list().expect("listed")
}

/// The dump that `current` names.
fn current(stage: &Stage) -> DumpName {
    let target = fs::read_link(stage.dump.join("current")).expect("a link");
    let text = target.to_str().expect("plain");
    DumpName::parse(text.as_bytes()).expect("a dump")
}

/// Zones, and the middle of a day on which their clocks go forward or back.
const SHIFTS: [(&str, i64); 6] = [
    ("Europe/Berlin", 1_774_746_000),
    ("Europe/Berlin", 1_792_890_000),
    ("America/New_York", 1_772_953_200),
    ("America/New_York", 1_793_512_800),
    // Half an hour only.
    ("Australia/Lord_Howe", 1_775_314_800),
    ("Australia/Lord_Howe", 1_791_041_400),
];

#[test]
#[ignore = "needs faketime"]
fn names_rise_through_the_days_on_which_clocks_shift() {
    for (zone, shift) in SHIFTS {
        let stage = Stage::new();
        stage.write(&sample_trees::before());
        let mut last = None;
        for step in -8..=8 {
            let moment = shift + step * 20 * 60;
            end_well(&mut at(&stage.dumpme(), moment, zone));
            let name = current(&stage);
            if last.is_none() {
                assert_eq!(
                    name,
                    DumpName::dump(civil(moment, zone)),
                    "is the clock faked?"
                );
            }
            assert!(
                last.is_none_or(|last| last < name),
                "{zone} {step}: {last:?}, {name:?}"
            );
            last = Some(name);
        }
        assert_eq!(names(&stage).len(), 17, "{zone}");
        assert_done(&stage.dump, &stage.source);
    }
}

#[test]
#[ignore = "needs faketime"]
fn a_clock_that_steps_loses_no_dump() {
    let stage = Stage::new();
    stage.write(&sample_trees::before());
    let now = 1_790_000_000;
    // A step back by minutes, by three years, and forth again by ten.
    let steps = [0, -600, -600, -95_000_000, -94_999_940, 315_000_000, 0, 60];
    for (nth, step) in steps.into_iter().enumerate() {
        let before = names(&stage);
        end_well(&mut at(&stage.dumpme(), now + step, "UTC"));
        let after = names(&stage);
        assert_eq!(after.len(), nth + 1);
        assert!(before.iter().all(|name| after.contains(name)));
        let newest = stage.dump.join("current").join(crate::setup::ROOT);
        crate::setup::assert_one_of(&newest, &[&stage.source]);
    }
}

/// Round the world to the west, an hour each leg: names jump back and forth, and
/// dumps stay in the order in which they were made, and none is a false alarm.
#[test]
#[ignore = "needs faketime"]
fn a_flight_round_the_world_keeps_the_order_of_dumps() {
    const ZONES: [&str; 8] = [
        "Asia/Tokyo",
        "Asia/Kathmandu",
        "Europe/Berlin",
        "America/New_York",
        "America/Los_Angeles",
        "Pacific/Pago_Pago",
        "Pacific/Kiritimati",
        "Asia/Tokyo",
    ];
    let stage = Stage::new();
    stage.write(&sample_trees::before());
    let start = 1_790_000_000;
    let mut made = Vec::new();
    for (leg, zone) in (0..).zip(ZONES) {
        let moment = start + leg * 3600;
        end_well(&mut at(&stage.dumpme(), moment, zone));
        made.push(current(&stage));
        assert_eq!(names(&stage), made, "{zone}");
        let mut asked = stage.program("dumpme");
        asked
            .args(["--check-age", "30min", "--dump"])
            .arg(&stage.dump);
        end_well(&mut at(&asked, moment + 60, "UTC"));
    }
    let mut rising = made.clone();
    rising.sort();
    assert_ne!(rising, made, "are the zones faked?");
}

#[test]
fn years_of_other_lengths_are_dumps_or_refused() {
    let stage = Stage::new();
    stage.write(&sample_trees::before());
    for (nth, year) in ["0000", "0999", "1000", "9999"].into_iter().enumerate() {
        let stamp = format!("{year}-02-03T04:05");
        end_well(stage.dumpme().args(["--at", &stamp]));
        assert_eq!(names(&stage).len(), nth + 1, "{year}");
        assert!(stage.dump.join(year).join("0203/0405").is_dir());
        assert_done(&stage.dump, &stage.source);
    }
    // Later than the last year of four digits there is still a next dump.
    stage.dump_now();
    assert_eq!(names(&stage).len(), 5);
    for year in ["10000", "-0001", "999", "99999999999"] {
        let stamp = format!("--at={year}-02-03T04:05");
        let code = stage
            .dumpme()
            .arg(&stamp)
            .output()
            .expect("runs")
            .status
            .code();
        match code {
            Some(0) => assert!(names(&stage).len() > 5, "{year}"),
            _ => assert_eq!(code, Some(2), "{year}"),
        }
    }
    end_with(stage.dumpme().args(["--at", "9999-02-03T04:05"]), 1);
}
