use std::io;

use dumpcore::{Fault, FreeSpace, Op};

use super::*;

const OWN: Advice = Advice {
    of: |error, root| match (error, root) {
        (Error::NoCurrent { .. }, Root::Written) => Some("; begin with --own"),
        (Error::DumpUnusable { .. }, Root::Read) => Some("; wait with --own"),
        _ => None,
    },
    resumes: Sort::Checkpoint,
};

fn about<'a>(advice: Advice, dump: &'a Path, origins: &'a [Origin]) -> About<'a> {
    About {
        advice,
        read: &[],
        dump,
        origins,
    }
}

fn unusable(errno: i32) -> Error {
    Error::DumpUnusable {
        path: "/dump".into(),
        cause: io::Error::from_raw_os_error(errno),
    }
}

#[test]
fn a_program_has_the_first_word() {
    let read = [PathBuf::from("/dump")];
    let current = |dump: &str| Error::NoCurrent { dump: dump.into() };
    let fault = Fault::new(Op::Open, "/a", io::Error::from_raw_os_error(24));
    for (error, own, any) in [
        (current("/slave"), "--own", "'dumpme --init'"),
        (current("/dump"), "'dumpme --init'", "'dumpme --init'"),
        (unusable(2), "wait with --own", "'dumpme --init'"),
        (Error::Shortage { fault }, "--jobs", "--jobs"),
        (Error::NoRoots, "", ""),
    ] {
        assert!(!error.to_string().contains("--"), "{error}");
        for (advice, word) in [(OWN, own), (Advice::COMMON, any)] {
            let mut about = about(advice, Path::new("/no/such/dump"), &[]);
            about.read = &read;
            let hint = about.hint(&error);
            assert!(hint.contains(word), "{error}: {hint}");
            assert_eq!(hint.is_empty(), word.is_empty(), "{hint}");
        }
    }
}

#[test]
fn what_cannot_be_opened_says_who_named_it_and_what_to_do() {
    let dump = PathBuf::from("/dump");
    let tree = PathBuf::from("/home");
    let file = Source::File {
        path: "/etc/dump/dump.toml".into(),
        line: 2,
        set: None,
    };
    let origin = |option, path: &PathBuf, source| Origin {
        path: path.clone(),
        option,
        source,
    };
    let said = |error: Error, advice, origins: &[Origin]| {
        explain(error.into(), about(advice, &dump, origins)).to_string()
    };
    let looked_for = Env::of_process().config_paths();
    let by_default = format!("the default; set it with --main{}", nowhere(&looked_for));
    for (origin, words) in [
        (origin("--main", &tree, Source::Flag), "from --main"),
        (
            origin("--main", &tree, Source::Env("MAINROOT")),
            "from MAINROOT in the environment",
        ),
        (origin("--main", &tree, file), "from /etc/dump/dump.toml:2"),
        (origin("--main", &tree, Source::Default), &*by_default),
    ] {
        let error = Error::MainUnusable {
            path: tree.clone(),
            cause: io::Error::from_raw_os_error(2),
        };
        assert_eq!(
            said(error, OWN, &[origin]),
            format!("cannot open tree /home ({words}): No such file or directory")
        );
    }
    let origins = [origin("--dump", &dump, Source::Flag)];
    assert_eq!(
        said(unusable(2), Advice::COMMON, &origins),
        "cannot open dump root /dump (from --dump): No such file or directory; \
         mount its disk, or create it and run 'dumpme --init'"
    );
    assert_eq!(
        said(unusable(13), OWN, &[]),
        "cannot open dump root /dump: Permission denied"
    );
}

#[test]
fn a_full_disk_names_what_the_other_program_left() {
    let dir = assert_fs::TempDir::new().expect("a directory for the test");
    let root = dir.path();
    let checkpoint = root.join("2026/1101/0500_chk_incomplete");
    let dump = root.join("2026/1122/2331_incomplete");
    for path in [&checkpoint, &dump, &root.join("2026/1122/2231")] {
        std::fs::create_dir_all(path).expect("made");
    }
    let full = |free| Error::DumpDisk {
        fault: Fault::new(Op::Write, root.join("f"), io::Error::from_raw_os_error(28)),
        free,
        needed: None,
    };
    let none = Error::NoSpace {
        dump: root.to_path_buf(),
        needed: 2,
        free: 1,
    };
    let full_disk = full(Some(FreeSpace {
        bytes: 0,
        inodes: Some(0),
        quota_is_used_up: false,
    }));
    for (advice, error, left, who) in [
        (Advice::COMMON, &full_disk, &checkpoint, "chkptme continues"),
        (OWN, &full_disk, &dump, "dumpme continues"),
        (OWN, &none, &dump, "dumpme continues"),
    ] {
        let hint = about(advice, root, &[]).hint(error);
        let named = left.display().to_string();
        assert!(hint.contains(&named) && hint.contains(who), "{hint}");
        assert_eq!(
            hint.matches("left by an interrupted run").count(),
            1,
            "{hint}"
        );
    }
    assert_eq!(about(OWN, root, &[]).hint(&full(None)), "");
}

#[test]
fn a_lost_link_is_made_again_by_a_command_that_can_be_typed() {
    let dir = assert_fs::TempDir::new().expect("a directory for the test");
    let root = dir.path();
    let lost = Error::NoCurrent {
        dump: root.to_path_buf(),
    };
    let bad = Error::BadCurrent {
        link: root.join("current"),
        target: Some("2026/1122/2331".into()),
        reason: dumpcore::BadLink::Missing,
    };
    let in_the_way = Error::BadCurrent {
        link: root.join("current"),
        target: None,
        reason: dumpcore::BadLink::NotASymlink,
    };
    let hint = |error| about(Advice::COMMON, root, &[]).hint(error);
    assert_eq!(hint(&lost), "; make the first dump with 'dumpme --init'");
    assert_eq!(hint(&bad), "");
    for dump in ["2026/1122/2331", "2026/1123/0001_incomplete"] {
        std::fs::create_dir_all(root.join(dump)).expect("made");
    }
    let command = format!(": ln -sfn 2026/1122/2331 {}/current", root.display());
    for error in [&lost, &bad] {
        assert!(hint(error).ends_with(&command), "{}", hint(error));
    }
    assert_eq!(hint(&in_the_way), "", "a link would be made in it");
}

#[test]
fn what_belongs_to_another_user_says_so() {
    let refused = |path: &Path, errno| Error::StateUnusable {
        path: path.to_path_buf(),
        cause: io::Error::from_raw_os_error(errno),
    };
    let dir = assert_fs::TempDir::new().expect("a directory for the test");
    let hint = |path: &Path, errno| {
        about(Advice::COMMON, Path::new("/dump"), &[]).hint(&refused(path, errno))
    };
    assert_eq!(hint(dir.path(), 13), "", "its own");
    assert_eq!(hint(&dir.path().join("none"), 13), "");
    let foreign = "; it belongs to root: use a dump root of your own, with --dump";
    let expected = if rustix::process::geteuid().is_root() {
        ""
    } else {
        foreign
    };
    assert_eq!(hint(Path::new("/"), 13), expected);
    assert_eq!(hint(Path::new("/"), 40), "", "not a matter of permission");
}

#[test]
fn a_root_without_current_and_without_dumps_has_no_dumps() {
    let dir = assert_fs::TempDir::new().expect("a directory for the test");
    let root = dir.path();
    assert!(matches!(no_dumps(root), Some(Error::NoCurrent { dump }) if dump == root));
    assert!(no_dumps(&root.join("none")).is_none());
    std::fs::create_dir_all(root.join("2026/1122/2331")).expect("made");
    assert!(no_dumps(root).is_none(), "it has a dump");
    std::fs::remove_dir_all(root.join("2026")).expect("removed");
    std::os::unix::fs::symlink("first", root.join("current")).expect("made");
    assert!(no_dumps(root).is_none(), "it has the link");
}

#[test]
fn where_no_configuration_file_is_found_is_said() {
    let missing = |name: &str| PathBuf::from("/no/such").join(name);
    assert_eq!(
        nowhere(&[missing("own.toml"), missing("all.toml")]),
        ", or in a configuration file; none was found as /no/such/own.toml or /no/such/all.toml"
    );
    assert_eq!(nowhere(&[missing("own.toml"), PathBuf::from("/")]), "");
}
