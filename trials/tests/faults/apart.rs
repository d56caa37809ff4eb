//! Tests in a kernel of their own: User Mode Linux, a kernel that runs as a
//! plain process and sees the machine's files. It has what the machine's own
//! may lack (quota), and is old where that one is new.
//!
//! The test runs itself once more as the only program there, and passes when
//! it passes there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Says to a test that it runs in such a kernel.
const WITHIN: &str = "DUMP_TRIALS_APART";

/// What the kernel starts: it must not return.
const INIT: &str = r#"#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
modules=/usr/lib/uml/modules/$(uname -r)/kernel
for module in fs/quota/quota_tree fs/quota/quota_v2 drivers/block/loop; do
  insmod "$modules/$module.ko"
done
export PATH TMPDIR=/dev/shm DUMP_TRIALS_APART=yes
"$TEST" --exact "$NAME" --include-ignored --nocapture >"$REPORT" 2>&1
poweroff -f
"#;

/// Does something in a kernel of its own; `name` is the test's, as the test
/// program lists it.
#[track_caller]
pub(crate) fn in_own_kernel(name: &str, act: impl FnOnce()) {
    if std::env::var_os(WITHIN).is_some() {
        return act();
    }
    // Not below /dev, which is another one there.
    let dir = tempfile::tempdir().expect("a directory");
    let (init, report) = (dir.path().join("init"), dir.path().join("report"));
    let test = std::env::current_exe().expect("known");
    let set = |name: &str, value: &Path| format!("{name}='{}'\n", value.display());
    let head = set("TEST", &test) + &set("REPORT", &report) + &set("NAME", name.as_ref());
    let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n";
    let text = INIT.replacen('\n', &format!("\n{path}{head}"), 1);
    fs::write(&init, text).expect("written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&init, executable).expect("made executable");
    let mut kernel = Command::new("timeout");
    kernel.args(["-s", "KILL", "600", "linux.uml", "mem=512M", "quiet"]);
    kernel.args(["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw"]);
    kernel.arg(format!("init={}", init.display()));
    kernel.args(["con=null", "con0=fd:0,fd:1", "con1=null"]);
    let output = kernel.stdin(Stdio::null()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let report = fs::read_to_string(&report).unwrap_or_default();
    println!("{report}");
    let passed = report.contains("test result: ok. 1 passed");
    assert!(passed, "not passed there: {report}\n{said}");
}
