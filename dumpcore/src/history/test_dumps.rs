//! Dumps on disk for the tests of this room, and what is known of them.

use std::ffi::CString;
use std::fs::{self, File, FileTimes, Permissions};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use assert_fs::TempDir;
use proptest::prelude::*;

use super::*;
use crate::model::metadata::Time;
use crate::model::minute::Stamp;
use crate::model::path::RelPath;
use crate::policy::layout::DumpName;
use crate::sys::dir::{For, open_root};
use crate::sys::link;

/// A state of the path, with all that a history tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    File { content: u8, mode: u32, mtime: u64 },
    Dir { names: u8, mode: u32, mtime: u64 },
    Symlink { target: u8 },
}

impl State {
    /// What a naive comparison of two states finds.
    pub(super) fn change_from(&self, old: &State) -> Option<&'static str> {
        let content = |state: &State| match state {
            State::File { content, .. } => ('f', *content),
            State::Dir { names, .. } => ('d', *names),
            State::Symlink { target } => ('l', *target),
            State::Absent => ('-', 0),
        };
        match (old, self) {
            (old, new) if old == new => None,
            (State::Absent, _) => Some("create"),
            (_, State::Absent) => Some("delete"),
            (old, new) if content(old) == content(new) => Some("wstat"),
            _ => Some("write"),
        }
    }

    pub(super) fn make(&self, path: &Path) {
        let (mode, mtime) = match self {
            State::Absent => return,
            State::Symlink { target } => {
                symlink(format!("t{target}"), path).unwrap();
                return set_link_time(path);
            }
            State::File {
                content,
                mode,
                mtime,
            } => {
                // The same size whatever the content.
                fs::write(path, format!("content {}\n", content % 10)).unwrap();
                (mode, mtime)
            }
            State::Dir { names, mode, mtime } => {
                fs::create_dir(path).unwrap();
                for bit in (0..8).filter(|bit| names & (1 << bit) != 0) {
                    File::create(path.join(format!("n{bit}"))).unwrap();
                }
                (mode, mtime)
            }
        };
        let modified = SystemTime::UNIX_EPOCH + Duration::new(*mtime, 123_456_789);
        let file = File::open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(modified))
            .unwrap();
        fs::set_permissions(path, Permissions::from_mode(*mode)).unwrap();
    }
}

/// One dump: its state, its minutes after the one before, and whether the
/// path is stored again although it is the same, as a checkpoint does.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) state: State,
    pub(super) minutes: i64,
    pub(super) anew: bool,
}

/// A fresh symlink would have the time of its making.
pub(super) fn set_link_time(path: &Path) {
    let above = open_root(path.parent().unwrap(), For::Passing).unwrap();
    let name = CString::new(path.file_name().unwrap().as_bytes()).unwrap();
    let time = Time::new(1, 0);
    link::set_times(above.as_fd(), &name, time, time).unwrap();
}

pub(super) fn state() -> impl Strategy<Value = State> {
    let mode = prop::sample::select(vec![0o600, 0o644, 0o755]);
    prop_oneof![
        2 => Just(State::Absent),
        5 => (0..3u8, mode, 1..3u64)
            .prop_map(|(content, mode, mtime)| State::File { content, mode, mtime }),
        2 => (0..3u8, prop::sample::select(vec![0o700, 0o755])).prop_map(|(names, mode)| {
            // As a filesystem does: other names, another time.
            State::Dir { names, mode, mtime: 10 + u64::from(names) }
        }),
        1 => (0..2u8).prop_map(|target| State::Symlink { target }),
    ]
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let minutes = prop::sample::select(vec![7, 30, 60, 600, 1500, 40_000, 300_000]);
    let edit = (state(), minutes, 0..3u8, any::<bool>());
    prop::collection::vec(edit, 1..14).prop_map(|edits| {
        let mut steps: Vec<Step> = Vec::new();
        for (state, minutes, repeat, anew) in edits {
            for _ in 0..=repeat {
                let state = state.clone();
                steps.push(Step {
                    state,
                    minutes,
                    anew,
                });
            }
        }
        steps
    })
}

/// Dumps on disk, and what is known of them.
pub(super) struct Ground {
    pub(super) dir: TempDir,
    pub(super) dumps: Vec<(DumpName, State)>,
}

impl Ground {
    pub(super) const WITHIN: &str = "NEWAGE/a/path";

    pub(super) fn build(steps: &[Step]) -> Self {
        let dir = TempDir::new().unwrap();
        let mut minute = at("2019-12-30T22:11").civil();
        let mut dumps: Vec<(DumpName, State)> = Vec::new();
        for step in steps {
            minute += chrono::TimeDelta::minutes(step.minutes);
            let name = DumpName::dump(Stamp::from_civil(minute));
            let path = dir.path().join(name.path()).join(Self::WITHIN);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let last = dumps.last();
            let is_dir = matches!(step.state, State::Dir { .. });
            match last {
                Some((old, state))
                    if *state == step.state && *state != State::Absent && !is_dir && !step.anew =>
                {
                    let old = dir.path().join(old.path()).join(Self::WITHIN);
                    fs::hard_link(old, &path).unwrap();
                }
                _ => step.state.make(&path),
            }
            dumps.push((name, step.state.clone()));
        }
        Self { dir, dumps }
    }

    pub(super) fn navigator(&self) -> Navigator {
        Navigator::new(self.dir.path()).main("/nowhere/NEWAGE")
    }

    pub(super) fn place() -> Location {
        Location {
            within: RelPath::from_bytes(Self::WITHIN.as_bytes()),
            located_in: LocatedIn::Main("/nowhere/NEWAGE/a/path".into()),
            typed_through: None,
        }
    }

    pub(super) fn path(&self, name: DumpName) -> PathBuf {
        self.dir.path().join(name.path()).join(Self::WITHIN)
    }
}

pub(super) fn at(text: &str) -> Stamp {
    text.parse().expect(text)
}
