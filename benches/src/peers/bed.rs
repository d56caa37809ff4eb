//! Where all of it happens: a tree, room beside it on the same filesystem,
//! and a filesystem that is made again for each copy.
//!
//! Nothing is removed while there is something to measure. ext4 passes over
//! inodes that were removed in the last minutes, one by one, so that a copy
//! after `rm -r` measures what was removed; see `docs/PERFORMANCE.md`.

use std::cell::{Cell, OnceCell, RefCell};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use fixtures::mounts::{Fs, Mount};
use fixtures::tree::{real_tree, remove_deep};
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::programs::{Programs, must_run};

/// What a file of the tree takes on a disk, on average and with air.
const KB_A_FILE: usize = 30;

#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) programs: Programs,
    /// The compiled limit, where there is a compiler.
    pub(crate) limit: Option<PathBuf>,
    /// On the disk of the tree; `None` where that is the machine's own.
    disk: Option<Mount>,
    fresh: RefCell<Option<Mount>>,
    /// The kind of filesystem that is made again.
    fresh_fs: Fs,
    files: usize,
    home: PathBuf,
    changing: OnceCell<Vec<PathBuf>>,
    changes: Cell<u64>,
    serial: Cell<u64>,
    /// Holds what is not on a disk of its own; last, so dropped after those.
    dir: TempDir,
}

impl Bed {
    /// Makes the tree in `parent`, on a filesystem of its own unless `fs` is
    /// `None`.
    pub(crate) fn make(
        parent: &Path,
        fs: Option<Fs>,
        measured: &Path,
        ours: Option<&Path>,
        (files, dirs): (usize, usize),
    ) -> io::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("peers-")
            .tempdir_in(parent)?;
        let programs = match ours {
            Some(ours) => Programs::installed(&ours.canonicalize()?),
            None => Programs::link(measured, &dir.path().join("bin"))?,
        };
        // Room for what all peers keep; the image is sparse.
        let disk = fs.map(|fs| mount(dir.path(), fs, files * KB_A_FILE * 12));
        let home = match &disk {
            Some(disk) => disk.path().to_path_buf(),
            None => dir.path().join("home"),
        };
        fs::create_dir_all(&home)?;
        real_tree(&home.join("tree"), files, dirs, 1);
        let bed = Self {
            limit: build_limit(dir.path()),
            programs,
            disk,
            fresh: RefCell::new(None),
            fresh_fs: fs.unwrap_or(Fs::Ext4),
            files,
            home,
            changing: OnceCell::new(),
            changes: Cell::new(0),
            serial: Cell::new(0),
            dir,
        };
        bed.sync();
        Ok(bed)
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.home.join("tree")
    }

    /// On the filesystem of the tree.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// For what no program keeps.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.dir.path().join("scratch")
    }

    /// The filesystem of the tree, in words.
    pub(crate) fn filesystem(&self) -> String {
        match &self.disk {
            Some(disk) => format!("{:?}, loop", disk.fs()).to_lowercase(),
            None => "here".to_owned(),
        }
    }

    /// A number that no copy has had.
    pub(crate) fn number(&self) -> u64 {
        self.serial.set(self.serial.get() + 1);
        self.serial.get()
    }

    /// An empty filesystem, the only one: the last is gone.
    pub(crate) fn fresh(&self) -> PathBuf {
        let mut fresh = self.fresh.borrow_mut();
        match fresh.as_mut() {
            Some(mount) => {
                mount.remake();
                pass_the_cache(mount);
            }
            None => {
                let made = mount(self.dir.path(), self.fresh_fs, self.files * KB_A_FILE * 3);
                made.allocate();
                *fresh = Some(made);
            }
        }
        let mount = fresh.as_ref().expect("made just now");
        mount.path().to_path_buf()
    }

    /// Flushes all that was written before.
    pub(crate) fn sync(&self) {
        self.flush(&self.home);
        if let Some(fresh) = self.fresh.borrow().as_ref() {
            self.flush(fresh.path());
        }
    }

    /// Flushes the filesystem that `at` is on: what a program that has ended
    /// left to the kernel.
    pub(crate) fn flush(&self, at: &Path) {
        must_run(Command::new("sync").arg("-f").arg(at));
    }

    pub(crate) fn drop_caches(&self) {
        fs::write("/proc/sys/vm/drop_caches", "3").expect("root drops caches");
    }

    /// Reads everything below `dir`: a program may have thrown it out of the
    /// cache, and the next should not pay for it.
    pub(crate) fn warm(&self, dir: &Path) {
        let files = WalkDir::new(dir).into_iter().map(|e| e.expect("walked"));
        for file in files.filter(|entry| entry.file_type().is_file()) {
            let mut file = fs::File::open(file.path()).expect("opened");
            io::copy(&mut file, &mut io::sink()).expect("read");
        }
    }

    /// Changes the contents of every hundredth file.
    pub(crate) fn change(&self) {
        let changing = self.changing.get_or_init(|| {
            let files = WalkDir::new(self.tree()).sort_by_file_name().into_iter();
            let files = files.map(|entry| entry.expect("walked"));
            let files = files.filter(|entry| entry.file_type().is_file());
            files
                .step_by(100)
                .map(walkdir::DirEntry::into_path)
                .collect()
        });
        self.changes.set(self.changes.get() + 1);
        for path in changing {
            let file = fs::File::options().write(true).open(path);
            let bytes = self.changes.get().to_le_bytes();
            file.and_then(|file| file.write_all_at(&bytes, 0))
                .expect("changed");
        }
        // A file so young would be waited for.
        thread::sleep(Duration::from_millis(50));
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for dir in [&self.home, &self.scratch()] {
            if self.disk.is_none() && dir.exists() {
                remove_deep(dir);
            }
        }
    }
}

/// A filesystem of `kb`, by which no background work is begun: no tables are
/// zeroed later, no blocks are given back.
fn mount(dir: &Path, fs: Fs, kb: usize) -> Mount {
    let (mkfs, options): (&[&str], &str) = match fs {
        Fs::Ext4 => (&["-E", "nodiscard,lazy_itable_init=1"], "noinit_itable"),
        Fs::Xfs | Fs::Btrfs => (&["-K"], ""),
        Fs::Tmpfs | Fs::Vfat | Fs::Ntfs => (&[], ""),
    };
    let mb = (kb >> 10) as u64 + 600;
    let mount = Mount::below(dir, fs, mb, mkfs, options);
    pass_the_cache(&mount);
    mount
}

/// Where the machine's own filesystem knows no direct I/O, the image is
/// cached twice: memory for it is all that it costs.
fn pass_the_cache(mount: &Mount) {
    if mount.fs() != Fs::Tmpfs {
        let _ = mount.direct_io();
    }
}

fn build_limit(dir: &Path) -> Option<PathBuf> {
    let source = dir.join("limit.c");
    fs::write(&source, include_str!("limit.c")).ok()?;
    let limit = dir.join("limit");
    let compiled = Command::new("cc")
        .args(["-O2", "-Wall", "-pthread", "-o"])
        .arg(&limit)
        .arg(source)
        .stdin(Stdio::null())
        .status();
    compiled.ok()?.success().then_some(limit)
}
