//! Tests on a machine of their own, whose kernel has what this one's may lack
//! (quota), and is old where this one is new.
//!
//! The test runs itself once more as the only one there, and passes when it
//! passes there.

use fixtures::uml;

/// Says to a test that it runs on such a machine.
const WITHIN: &str = "DUMP_TRIALS_APART";

/// Does something on a machine of its own; `name` is the test's, as the test
/// program lists it.
#[track_caller]
pub(crate) fn on_own_machine(name: &str, act: impl FnOnce()) {
    if std::env::var_os(WITHIN).is_some() {
        return act();
    }
    let test = std::env::current_exe().expect("known");
    let (status, console) = uml::run(&format!(
        "modprobe -a quota_v2 loop && \
         {WITHIN}=yes '{}' --exact '{name}' --include-ignored --nocapture",
        test.display()
    ));
    println!("{console}");
    let passed = console.contains("test result: ok. 1 passed");
    assert!(passed && status == 0, "not passed there: {status}");
}
