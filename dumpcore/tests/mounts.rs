//! What is mounted below the tree: what is left out, what stands in its place,
//! and that nothing of it is touched.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use common::{ROOT, Stage};
use dumpcore::{Action, Chain, Event, Report, Snapshot, Warning};
use fixtures::mounts::{Fs, Mount};

/// What is mounted until it goes out of scope.
struct Mounted(PathBuf);

impl Mounted {
    fn new(at: &Path, arguments: &[&str]) -> Self {
        run(Command::new("mount").args(arguments).arg(at));
        Self(at.to_path_buf())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let status = command.status().expect("it runs");
    assert!(status.success(), "{command:?}: {status}");
}

/// A tree with a file, and a directory to mount on.
fn stage() -> (Stage, PathBuf) {
    let stage = Stage::new();
    fs::write(stage.source.join("file"), "text").expect("written");
    let at = stage.source.join("home/mount");
    fs::create_dir_all(&at).expect("made");
    (stage, at)
}

/// Runs; the report, and what the observer heard was left out.
fn left_out(snapshot: Snapshot) -> (Report, BTreeSet<String>) {
    let heard = Arc::new(Mutex::new(BTreeSet::new()));
    let paths = Arc::clone(&heard);
    let watch = move |event: Event<'_>| {
        if let Event::Entry {
            at,
            did: Action::OtherFilesystem,
            ..
        } = event
        {
            let path = at.path().as_path().display().to_string();
            paths.lock().expect("whole").insert(path);
        }
    };
    let report = snapshot.observer(Arc::new(watch)).run().expect("published");
    let heard = std::mem::take(&mut *heard.lock().expect("whole"));
    (report, heard)
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).expect("listed").next().is_none()
}

#[test]
#[ignore = "needs root and mounts"]
fn other_filesystems_are_left_out_counted_and_named() {
    let (stage, at) = stage();
    let file = stage.source.join("home/bound");
    fs::write(&file, "covered").expect("written");
    let _mount = Mounted::new(&at, &["-t", "tmpfs", "-o", "mode=711", "none"]);
    fs::write(at.join("precious"), "text").expect("written");
    let bound = at.join("precious").display().to_string();
    let _bound = Mounted::new(&file, &["--bind", &bound]);
    let inside = stage.source.join("home/inside");
    fs::create_dir(&inside).expect("made");
    let home = stage.source.join("home").display().to_string();
    let _inside = Mounted::new(&inside, &["--bind", &home]);
    let (report, heard) = left_out(stage.snapshot().one_file_system(true));
    assert!(report.is_complete(), "{:#?}", report.faults);
    // A bind mount of the same filesystem is not another one.
    let expected = ["home/bound", "home/mount"].map(|name| format!("{ROOT}/{name}"));
    assert_eq!(heard, BTreeSet::from(expected));
    assert_eq!(report.counts.other_filesystems, heard.len() as u64);
    let copy = report.dump.join(ROOT).join("home");
    assert!(is_empty(&copy.join("mount")));
    let mode = fs::metadata(copy.join("mount")).expect("there").mode();
    assert_eq!(mode & 0o777, 0o711);
    assert!(!copy.join("bound").exists());
    // With them, all is dumped, and nothing is reported.
    let (report, heard) = left_out(stage.snapshot());
    assert!(report.is_complete(), "{:#?}", report.faults);
    assert_eq!((report.counts.other_filesystems, heard.len()), (0, 0));
    let copy = report.dump.join(ROOT).join("home");
    assert!(copy.join("mount/precious").exists() && copy.join("bound").exists());
}

#[test]
#[ignore = "needs root and a loop mount"]
fn a_subvolume_is_another_filesystem() {
    let mount = Mount::new(Fs::Btrfs, 128);
    let stage = Stage::within(&mount.path().join("stage"));
    let volume = stage.source.join("volume");
    run(Command::new("btrfs")
        .args(["-q", "subvolume", "create"])
        .arg(&volume)
        .stdout(Stdio::null()));
    fs::write(volume.join("file"), "text").expect("written");
    let (report, heard) = left_out(stage.snapshot().one_file_system(true));
    assert_eq!(report.counts.other_filesystems, 1, "{heard:?}");
    assert!(is_empty(&report.dump.join(ROOT).join("volume")));
    let (report, _) = left_out(stage.snapshot());
    assert_eq!(report.counts.other_filesystems, 0);
    assert!(report.dump.join(ROOT).join("volume/file").exists());
}

#[test]
#[ignore = "needs root and mounts"]
fn what_the_kernel_makes_up_is_left_out_with_one_warning() {
    let (stage, at) = stage();
    let beside = stage.source.join("sys");
    fs::create_dir(&beside).expect("made");
    let _proc = Mounted::new(&at, &["-t", "proc", "proc"]);
    let _sys = Mounted::new(&beside, &["-t", "sysfs", "sysfs"]);
    let (report, heard) = left_out(stage.snapshot());
    assert!(report.is_complete(), "{:#?}", report.faults);
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(report.counts.other_filesystems, 2);
    let kernel: Vec<_> = report
        .warnings
        .iter()
        .filter(|warning| matches!(warning, Warning::KernelFilesystems { .. }))
        .collect();
    let [told] = kernel[..] else {
        panic!("{:#?}", report.warnings);
    };
    let proc = format!("{} (proc)", at.display());
    let sys = format!("{} (sysfs)", beside.display());
    let told = told.to_string();
    assert!(told.contains(&proc) && told.contains(&sys), "{told}");
    let copy = report.dump.join(ROOT);
    assert!(is_empty(&copy.join("home/mount")) && is_empty(&copy.join("sys")));
}

/// The name of a namespace is a file that cannot be read; a file of proc, bound
/// to another name, can.
#[test]
#[ignore = "needs root and mounts"]
fn what_the_kernel_lets_nobody_read_is_left_out() {
    let (stage, at) = stage();
    let [network, version] = ["network", "version"].map(|name| at.with_file_name(name));
    for file in [&network, &version] {
        fs::write(file, "covered").expect("written");
    }
    let _network = Mounted::new(&network, &["--bind", "/proc/self/ns/net"]);
    let _version = Mounted::new(&version, &["--bind", "/proc/version"]);
    let (report, heard) = left_out(stage.snapshot());
    assert!(report.is_complete(), "{:#?}", report.faults);
    assert_eq!(heard, BTreeSet::from([format!("{ROOT}/home/network")]));
    let told: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    let name = format!("{} (nsfs)", network.display());
    assert!(told.iter().any(|told| told.contains(&name)), "{told:?}");
    let copy = report.dump.join(ROOT).join("home");
    assert!(!copy.join("network").exists());
    let text = fs::read("/proc/version").expect("read");
    assert_eq!(fs::read(copy.join("version")).expect("read"), text);
}

/// One that its user closed to all others, root included.
#[test]
#[ignore = "needs root and bindfs"]
fn a_closed_mount_in_user_space_is_named_or_left_out() {
    let (stage, at) = stage();
    let [above, from] = ["home", "from"].map(|name| stage.source.join(name));
    fs::create_dir(&from).expect("made");
    for dir in [&above, &at, &from] {
        std::os::unix::fs::chown(dir, Some(65_534), Some(65_534)).expect("chown");
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("chmod");
    }
    // Only a user may mount so that root is shut out.
    let script = "exec setpriv --reuid 65534 --regid 65534 --clear-groups -- \
                  bindfs --no-allow-other \"$1\" \"$2\"";
    let node = stage.source.with_file_name("fuse");
    run(Command::new("cp").args(["-a", "/dev/fuse"]).arg(&node));
    fs::set_permissions(&node, fs::Permissions::from_mode(0o666)).expect("chmod");
    let _fuse = Mounted::new(
        Path::new("/dev/fuse"),
        &["--bind", &node.display().to_string()],
    );
    run(Command::new("sh")
        .args(["-c", script, "sh"])
        .args([&from, &at])
        .env("HOME", "/nonexistent"));
    let _mount = Mounted(at.clone());
    let denied = fs::read_dir(&at).expect_err("closed");
    assert_eq!(denied.kind(), std::io::ErrorKind::PermissionDenied);
    let (report, _) = left_out(stage.snapshot());
    let [fault] = &report.faults[..] else {
        panic!("{:#?}", report.faults);
    };
    assert_eq!(fault.path, at);
    let told = Chain(fault).to_string();
    assert!(told.contains("FUSE") && told.contains("exclude"), "{told}");
    assert!(is_empty(&report.dump.join(ROOT).join("home/mount")));
    let (report, heard) = left_out(stage.snapshot().one_file_system(true));
    assert!(report.is_complete(), "{:#?}", report.faults);
    assert_eq!(heard.len(), 1, "{heard:?}");
    let copy = report.dump.join(ROOT).join("home/mount");
    assert!(is_empty(&copy));
    assert_eq!(fs::metadata(&copy).expect("there").uid(), 65_534);
}
