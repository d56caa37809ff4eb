//! `--json`: one object on stdout, for machines.
//!
//! Keys in snake_case, sizes in bytes, times in RFC 3339 with the offset from
//! UTC. Paths are absolute, whatever a person gave. A path that is not UTF-8 stands there with replacement characters,
//! and once more, whole, as hexadecimal digits under its key with `_bytes`.

use std::error::Error;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use chrono::{DateTime, Local, SecondsFormat};
use dumpcore::{Count, Fault, Report, Storage, Warning};
use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::failure::{Failure, HookFault};
use crate::paths::absolute;
use crate::program::Program;

/// The status of a run that found its work done.
pub const PRESENT: &str = "present";
/// The status of a run whose work is not due yet.
pub const NOT_YET: &str = "not_yet";

/// The object of a run that published, or in a dry run would have. `hook`: the
/// one that failed after the run.
#[must_use]
pub fn of_report(program: Program, report: &Report, hook: Option<&HookFault>, exit: Exit) -> Value {
    let mut object = head(program, exit);
    put_absolute(&mut object, "dump", Some(&report.dump));
    put_absolute(&mut object, "source", report.source.as_deref());
    put_absolute(&mut object, "reference", report.reference.as_deref());
    let counts = &report.counts;
    let rest = json!({
        "start": time(&report.start),
        "end": time(&report.end),
        "seconds": report.seconds(),
        "dry_run": report.dry_run,
        "resumed": report.resumed,
        "jobs": report.jobs.number,
        "jobs_chosen_for": report.jobs.chosen_for.map(Storage::as_str),
        "files": count(counts.files),
        "directories": counts.directories,
        "symlinks": counts.symlinks,
        "specials": counts.specials,
        "hard_links": counts.hard_links,
        "linked": count(counts.linked),
        "copied": {
            "number": counts.copied().number,
            "bytes": counts.copied().bytes,
            "new": count(counts.copied_new),
            "changed": count(counts.copied_changed),
            "attributes": count(counts.copied_attributes),
            "refused": count(counts.copied_refused),
        },
        "kept": count(counts.kept),
        "compared": {
            "number": counts.compared.number,
            "bytes": counts.compared.bytes,
            "equal": count(counts.compared_same),
        },
        "verified": report.verified.map(count),
        "excluded": counts.excluded,
        "other_filesystems": counts.other_filesystems,
        "vanished": counts.vanished,
        "removed": counts.removed,
        "free_bytes": report.free_bytes,
        "faults_total": counts.faults + u64::from(hook.is_some()),
        "missing": report.missing,
        "partial": report.missing > 0,
        "faults": report.faults.iter().map(fault).chain(hook.map(hook_fault)).collect::<Vec<_>>(),
        "links_refused": report.warnings.iter().filter_map(refused).collect::<Vec<_>>(),
        "not_kept": report.warnings.iter().filter_map(not_kept).collect::<Vec<_>>(),
        "damaged": report.warnings.iter().filter_map(damaged).collect::<Vec<_>>(),
        "warnings_total": report.warnings_total,
        "warnings": report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    if let Value::Object(rest) = rest {
        object.extend(rest);
    }
    Value::Object(object)
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

fn count(count: Count) -> Value {
    json!({ "number": count.number, "bytes": count.bytes })
}

/// What could not be read, stored or removed.
#[must_use]
pub fn fault(fault: &Fault) -> Value {
    let mut object = Map::new();
    put_absolute(&mut object, "path", Some(&fault.path));
    object.insert("operation".into(), fault.op.as_str().into());
    object.insert("error".into(), answer(&fault.cause).into());
    Value::Object(object)
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

/// Why unchanged entries were copied instead of linked, and how many.
fn refused(warning: &Warning) -> Option<Value> {
    let Warning::LinksRefused {
        why,
        number,
        bytes,
        first,
    } = warning
    else {
        return None;
    };
    let mut object = Map::new();
    object.insert("reason".into(), why.as_str().into());
    object.insert("number".into(), (*number).into());
    object.insert("bytes".into(), (*bytes).into());
    put_absolute(&mut object, "first", Some(first));
    Some(Value::Object(object))
}

/// What entries of the dump lack, and how many.
fn not_kept(warning: &Warning) -> Option<Value> {
    let Warning::NotKept {
        what,
        number,
        first,
    } = warning
    else {
        return None;
    };
    let mut object = Map::new();
    object.insert("what".into(), what.as_str().into());
    object.insert("number".into(), (*number).into());
    put_absolute(&mut object, "first", Some(first));
    Some(Value::Object(object))
}

/// A damaged file, and where a good version of it is.
fn damaged(warning: &Warning) -> Option<Value> {
    let Warning::Damaged { path, good } = warning else {
        return None;
    };
    let mut object = Map::new();
    put_absolute(&mut object, "path", Some(path));
    put_absolute(&mut object, "good", good.as_deref());
    Some(Value::Object(object))
}

fn time(moment: &DateTime<Local>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, false)
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
    fn a_fault_has_path_operation_and_error() {
        let cause = io::Error::from_raw_os_error(13);
        let shown = fault(&Fault::new(Op::Open, PathBuf::from("/a"), cause));
        let expected = json!({
            "path": "/a",
            "operation": "open",
            "error": "Permission denied (os error 13)",
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_path_holds_in_any_directory() {
        let here = std::env::current_dir().expect("a directory");
        let cause = || io::Error::from_raw_os_error(13);
        let shown = fault(&Fault::new(Op::Open, PathBuf::from("tree/a"), cause()));
        assert_eq!(shown["path"], here.join("tree/a").to_str().expect("text"));
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
    fn a_failure_says_why() {
        let dump = PathBuf::from("/dump");
        let failure = Failure::from(RunError::Busy { dump });
        let object = of_failure(PROGRAM, &failure, Exit::of_failure(&failure, None));
        assert_eq!(object["status"], "busy");
        assert_eq!(object["exit"], 75);
        assert_eq!(object["error"], failure.to_string());
    }
}
