//! `--json`: one object on stdout, for machines.
//!
//! Keys in snake_case, sizes in bytes, times in RFC 3339 with the offset from
//! UTC. Paths are absolute, whatever a person gave. A path that is not UTF-8
//! stands there with replacement characters, and once more, whole, as
//! hexadecimal digits under its key with `_bytes`. What the library has a shape
//! for, it writes.

use std::error::Error;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use dumpcore::{Fault, Report, Warning};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::failure::{Failure, HookFault};
use crate::paths::absolute;
use crate::program::Program;

/// The status of a run that found its work done.
pub const PRESENT: &str = "present";
/// The status of a run whose work is not due yet.
pub const NOT_YET: &str = "not_yet";

/// The object of a run that published, or in a dry run would have: what the
/// library writes of its report, with absolute paths. `hook`: the one that
/// failed after the run.
#[must_use]
pub fn of_report(program: Program, report: &Report, hook: Option<&HookFault>, exit: Exit) -> Value {
    let mut object = head(program, exit);
    let mut whole = report.clone();
    make_absolute(&mut whole.dump);
    let others = [&mut whole.source, &mut whole.reference];
    others.into_iter().flatten().for_each(make_absolute);
    whole.faults.iter_mut().for_each(fault_absolute);
    whole.warnings.iter_mut().for_each(warning_absolute);
    object.extend(self::object(&whole));
    // Sentences for people have paths as people gave them.
    let sentences: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    object.insert("warnings".into(), sentences.into());
    if let Some(hook) = hook {
        let faults = report.counts.faults + 1;
        object.insert("faults_total".into(), faults.into());
        if let Some(Value::Array(faults)) = object.get_mut("faults") {
            faults.push(hook_fault(hook));
        }
    }
    Value::Object(object)
}

/// What the library writes of a value that has keys.
pub fn object(value: &impl Serialize) -> Map<String, Value> {
    match self::value(value) {
        Value::Object(object) => object,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

/// What the library writes of a value; all its keys are text, so that nothing
/// of it cannot be written.
pub fn value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn make_absolute(path: &mut PathBuf) {
    *path = absolute(path);
}

/// Makes a fault's path hold in any directory.
pub fn fault_absolute(fault: &mut Fault) {
    make_absolute(&mut fault.path);
}

/// The same of the paths of a warning that stand in an object of their own.
fn warning_absolute(warning: &mut Warning) {
    match warning {
        Warning::LinksRefused { first, .. } | Warning::NotKept { first, .. } => {
            make_absolute(first);
        }
        Warning::Damaged { path, good } => {
            make_absolute(path);
            good.iter_mut().for_each(make_absolute);
        }
        Warning::Healed { path, good } => {
            make_absolute(path);
            make_absolute(good);
        }
        _ => {}
    }
}

/// The object of a run that found its work done.
#[must_use]
pub fn of_present(program: Program, dump: &Path, exit: Exit) -> Value {
    let mut object = head(program, exit);
    object.insert("status".into(), PRESENT.into());
    put_absolute(&mut object, "dump", Some(dump));
    Value::Object(object)
}

/// The object of a run whose work is not due yet.
#[must_use]
pub fn of_not_yet(program: Program, exit: Exit) -> Value {
    let mut object = head(program, exit);
    object.insert("status".into(), NOT_YET.into());
    Value::Object(object)
}

/// The object of a run that did not.
#[must_use]
pub fn of_failure(program: Program, failure: &Failure, exit: Exit) -> Value {
    let mut object = head(program, exit);
    object.insert("error".into(), failure.to_string().into());
    Value::Object(object)
}

/// What every object begins with.
#[must_use]
pub fn head(program: Program, exit: Exit) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("program".into(), program.name.into());
    object.insert("version".into(), program.version.into());
    object.insert("status".into(), exit.status().into());
    object.insert("exit".into(), exit.code().into());
    object
}

/// The version of the shape of all objects that a command prints.
const SCHEMA: u8 = 1;

/// What the objects of a program of several commands begin with.
#[must_use]
pub fn head_of(program: Program, command: &str, exit: Exit) -> Map<String, Value> {
    let mut object = head(program, exit);
    object.insert("schema".into(), SCHEMA.into());
    object.insert("command".into(), command.into());
    object
}

/// A hook that failed stands among the faults, its command as the path.
fn hook_fault(hook: &HookFault) -> Value {
    json!({
        "path": hook.command,
        "operation": HookFault::OPERATION,
        "error": answer(&hook.cause),
    })
}

/// The system's answer with all that led to it, numbers included.
pub(crate) fn answer(cause: &(dyn Error + 'static)) -> String {
    match cause.source() {
        Some(below) => format!("{cause}: {}", answer(below)),
        None => cause.to_string(),
    }
}

fn put_absolute(object: &mut Map<String, Value>, key: &str, path: Option<&Path>) {
    put_path(object, key, path.map(absolute).as_deref());
}

/// Adds a path as it is, or `null` for none; one that is not UTF-8 as
/// described above.
pub fn put_path(object: &mut Map<String, Value>, key: &str, path: Option<&Path>) {
    let value = path.map(|path| path.to_string_lossy().into_owned());
    object.insert(key.to_owned(), value.into());
    if let Some(path) = path.filter(|path| path.to_str().is_none()) {
        let bytes = path.as_os_str().as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        object.insert(format!("{key}_bytes"), hex.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Advice;
    use dumpcore::{Error as RunError, Op};
    use std::ffi::OsStr;
    use std::io;
    use std::path::PathBuf;

    const PROGRAM: Program = Program {
        name: "probe",
        version: "1",
        makes: "dump",
        unlinked: "linked to nothing",
        advice: Advice::COMMON,
    };

    #[test]
    fn a_path_that_is_no_text_comes_twice() {
        let mut object = Map::new();
        put_path(&mut object, "dump", Some(Path::new("/a\u{e9}")));
        put_path(&mut object, "reference", None);
        let odd = Path::new(OsStr::from_bytes(b"/\xff"));
        put_path(&mut object, "path", Some(odd));
        let expected = json!({
            "dump": "/a\u{e9}",
            "reference": null,
            "path": "/\u{fffd}",
            "path_bytes": "2fff",
        });
        assert_eq!(Value::Object(object), expected);
    }

    #[test]
    fn a_path_holds_in_any_directory() {
        let here = std::env::current_dir().expect("a directory");
        let cause = || io::Error::from_raw_os_error(13);
        let mut fault = Fault::new(Op::Open, PathBuf::from("tree/a"), cause());
        fault_absolute(&mut fault);
        assert_eq!(fault.path, here.join("tree/a"));
        let hook = HookFault {
            command: "mount a b".to_owned(),
            cause: cause(),
        };
        let expected = json!({
            "path": "mount a b",
            "operation": "hook",
            "error": "Permission denied (os error 13)",
        });
        assert_eq!(hook_fault(&hook), expected);
        let object = of_present(PROGRAM, Path::new("to/2026"), Exit::Done);
        assert_eq!(object["dump"], here.join("to/2026").to_str().expect("text"));
    }

    /// Programs that embed the library write the same.
    #[test]
    fn a_report_is_what_the_library_writes_of_it() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let (tree, root) = (dir.path().join("tree"), dir.path().join("dump"));
        for dir in [&tree, &root] {
            std::fs::create_dir(dir).expect("made");
        }
        std::fs::write(tree.join("letter"), "a draft").expect("written");
        let snapshot = dumpcore::Snapshot::new(&root).main(&tree).init(true);
        let mut report = snapshot.run().expect("published");
        let cause = || io::Error::from_raw_os_error(13);
        let odd = root.join(OsStr::from_bytes(b"\xff"));
        report.faults = vec![Fault::new(Op::Open, &odd, cause())];
        report.warnings = vec![
            Warning::Damaged {
                path: odd.clone(),
                good: None,
            },
            Warning::LinksRefused {
                why: dumpcore::CopyReason::Immutable,
                number: 1,
                bytes: 2,
                first: odd.clone(),
            },
            Warning::NotKept {
                what: dumpcore::Loss::Acl,
                number: 3,
                first: odd,
            },
        ];
        let Value::Object(mut object) = of_report(PROGRAM, &report, None, Exit::Done) else {
            panic!("an object");
        };
        for key in head(PROGRAM, Exit::Done).keys() {
            object.remove(key);
        }
        let written = serde_json::to_value(&report).expect("written");
        assert_eq!(written, Value::Object(object));
    }

    #[test]
    fn a_report_has_absolute_paths_and_the_hook_that_failed() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let (tree, root) = (dir.path().join("tree"), dir.path().join("dump"));
        for dir in [&tree, &root] {
            std::fs::create_dir(dir).expect("made");
        }
        let snapshot = dumpcore::Snapshot::new(&root).main(&tree).init(true);
        let mut report = snapshot.run().expect("published");
        report.dump = "dump/2026".into();
        report.reference = Some("dump/2025".into());
        let cause = || io::Error::from_raw_os_error(13);
        report.faults = vec![Fault::new(Op::Open, "tree/a", cause())];
        report.counts.faults = 1;
        let damaged = Warning::Damaged {
            path: "tree/b".into(),
            good: Some("dump/b".into()),
        };
        let sentence = damaged.to_string();
        report.warnings = vec![damaged];
        let hook = HookFault {
            command: "true".to_owned(),
            cause: cause(),
        };
        let object = of_report(PROGRAM, &report, Some(&hook), Exit::Partial);
        let here = std::env::current_dir().expect("a directory");
        let path = |path: &str| Value::from(here.join(path).to_str().expect("text"));
        assert_eq!(object["dump"], path("dump/2026"));
        assert_eq!(object["reference"], path("dump/2025"));
        assert_eq!(object["damaged"][0]["path"], path("tree/b"));
        assert_eq!(object["damaged"][0]["good"], path("dump/b"));
        assert_eq!(object["warnings"], json!([sentence]));
        assert_eq!(object["faults_total"], 2);
        assert_eq!(object["faults"][0]["path"], path("tree/a"));
        assert_eq!(object["faults"][1]["operation"], "hook");
    }

    #[test]
    fn a_failure_says_why() {
        let dump = PathBuf::from("/dump");
        let failure = Failure::from(RunError::Busy { dump });
        let object = of_failure(PROGRAM, &failure, Exit::of_failure(&failure, None));
        assert_eq!(object["status"], "busy");
        assert_eq!(object["exit"], 75);
        assert_eq!(object["error"], failure.to_string());
    }
}
