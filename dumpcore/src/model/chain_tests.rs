//! No error repeats its cause, and the chain has each cause once: held for
//! every variant of every public error.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use super::about;
use crate::*;

/// The texts that stand for causes below: no sentence of ours has them.
const ANSWER: &str = "Transport endpoint is not connected";
const NESTED: &str = "user.odd";

fn answer() -> io::Error {
    io::Error::from_raw_os_error(107)
}

fn fault() -> Fault {
    let cause = about(NESTED, answer());
    Fault::new(Op::SetXattr, "/dump/f", cause)
}

fn path() -> PathBuf {
    "/newage".into()
}

fn stamp() -> Stamp {
    Stamp::new(2026, 11, 22, 23, 31).expect("a minute")
}

fn dump() -> DumpId {
    DumpId::Dump(DumpName::dump(stamp()))
}

type Errors = Vec<Box<dyn StdError>>;

/// Values of all variants of an error. The match without a wildcard does not
/// compile when a variant is missing.
macro_rules! all {
    ($of:ident: $($variant:ident $fields:tt,)*) => {{
        let _listed = |error: &$of| match error { $($of::$variant { .. } => ()),* };
        let errors: Errors = vec![$(Box::new(all!(@ $of, $variant, $fields))),*];
        errors
    }};
    (@ $of:ident, $variant:ident, {}) => { $of::$variant };
    (@ $of:ident, $variant:ident, { $($fields:tt)* }) => { $of::$variant { $($fields)* } };
    (@ $of:ident, $variant:ident, ($($fields:tt)*)) => { $of::$variant($($fields)*) };
}

fn of_runs() -> Errors {
    all!(Error:
        NoRoots {},
        SameTree { first: path(), second: path() },
        SameName { name: "a".into(), first: path(), second: path() },
        FoldedTrees {
            dump: path(),
            names: Box::new([path(), path()]),
            trees: Box::new([path(), path()])
        },
        BadRootName { path: path(), name: "..".into() },
        MainUnusable { path: path(), cause: answer() },
        MainEmpty { path: path(), reference: path() },
        MainExcluded { path: path() },
        DumpUnusable { path: path(), cause: answer() },
        Unlockable { path: path(), cause: answer(), unsupported: true },
        NoCurrent { dump: path() },
        BadCurrent { link: path(), target: None, reason: BadLink::NotASymlink },
        AlreadyInitialised { dump: path(), target: path() },
        Busy { dump: path() },
        Stuck { dump: path(), lock: path(), hours: 12 },
        LockLost { lock: path() },
        StateUnusable { path: path(), cause: answer() },
        SameRoot { from: path(), dump: path() },
        InsideDump { path: path(), dump: path(), root: path() },
        NotMounted { dump: path(), point: path(), by: path() },
        AmongDumps { path: path(), root: path() },
        NoMarks { dump: path(), cause: answer() },
        NoHardLinks { dump: path(), fs: "vfat".into() },
        NoReplacing { dump: path(), fs: "fuse".into() },
        NameTaken { path: path() },
        NoSuchDump { dump: path(), wanted: Wanted::BeforeToday },
        NotDumped { main: path(), dump: path() },
        DumpDisk { fault: fault(), free: None, needed: Some(1) },
        Shortage { fault: fault() },
        NoSpace { dump: path(), needed: 2, free: 1 },
        SourceGone { fault: fault() },
        Fault(fault()),
        Other(Box::new(NotADump::Unreadable(fault()))),
        HalfDump { path: path(), entries: 1, published: 2 },
        VerifyFailed { path: path() },
        Interrupted {},
    )
}

fn of_restorations() -> Errors {
    all!(RestoreError:
        InDump { path: path() },
        IsDumpRoot { path: path() },
        LeadsElsewhere { path: path(), link: path() },
        BadBackup { path: path(), why: "it is elsewhere" },
        NoTree { path: path() },
        Exists { path: path() },
        Mounted { path: path() },
        Immutable { path: path() },
        HoldsDumps { path: path(), of: path() },
        Moved { path: path() },
        VersionGone { version: path() },
        Lacking { path: path(), version: path(), entries: 2, first: fault() },
        Interrupted { path: path() },
        Fault(fault()),
    )
}

fn of_lookups() -> Errors {
    let within = || RelPath::from_bytes(b"NEWAGE/a");
    let mut errors = all!(FindError:
        InNeither { path: path(), main: vec![path()], dump: path() },
        NoDump { path: path(), dump: path() },
        NoneThen { dump: path(), at: stamp().first_moment(), oldest: None },
        Never {
            within: within(),
            dump: path(),
            dumps: 3
        },
        NotThere { within: within(), dump: path(), older: None },
        Fault(fault()),
    );
    errors.extend(all!(NotADump:
        Several { name: "2026".into(), what: Period::Year, dumps: 2 },
        Inside { path: path(), dump: dump() },
        Missing { root: path(), path: path(), nearest: vec![dump()] },
        Unknown { root: path(), path: path(), nearest: Vec::new() },
        Elsewhere { root: path(), path: path(), of: path() },
        Unreadable(fault()),
    ));
    errors
}

/// Errors without variants, and those that have no cause.
fn others() -> Errors {
    vec![
        Box::new(fault()),
        Box::new("soon".parse::<Stamp>().expect_err("refused")),
        Box::new("soon".parse::<Rate>().expect_err("refused")),
        Box::new(Filter::new().add_rule(b"- ").expect_err("refused")),
    ]
}

#[test]
fn no_error_repeats_its_cause() {
    let mut with_cause = BTreeSet::new();
    for error in [of_runs(), of_restorations(), of_lookups(), others()]
        .into_iter()
        .flatten()
    {
        let chain = Chain(&*error).to_string();
        let mut upper: &dyn StdError = &*error;
        while let Some(cause) = upper.source() {
            let (text, below) = (upper.to_string(), Chain(cause).to_string());
            assert!(
                !text.contains(ANSWER),
                "{error:?} repeats its cause: {text}"
            );
            assert!(
                !text.contains(&below),
                "{error:?} repeats its cause: {text}"
            );
            upper = cause;
            with_cause.insert(format!("{error:?}"));
        }
        let debug = format!("{error:?}");
        for text in [ANSWER, NESTED] {
            let times =
                usize::from(debug.contains(text) || text == ANSWER && debug.contains("107"));
            assert_eq!(chain.matches(text).count(), times, "{chain}");
        }
        assert!(!chain.contains("os error"), "{chain}");
        assert!(!chain.ends_with('.'), "{chain}");
    }
    assert!(with_cause.len() >= 10, "{with_cause:?}");
}

#[test]
fn each_cause_is_printed_once_and_a_path_as_it_is() {
    let answer = io::Error::from_raw_os_error(95);
    let cause = about("user.a", answer);
    assert_eq!(cause.to_string(), "user.a");
    let fault = Fault::new(Op::SetXattr, "/dump/f (os error 1)", cause);
    assert_eq!(
        Chain(&fault).to_string(),
        "cannot set the extended attributes of /dump/f (os error 1): user.a: \
         Operation not supported"
    );
}
