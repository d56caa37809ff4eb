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
use fixtures::tree::{Dice, real_tree, remove_deep};
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::programs::{Programs, must_run};

/// Bytes of the large file, for each file of the tree.
const BIG_A_FILE: u64 = 18 << 10;

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

    /// A directory with one large file, made when it is first asked for.
    pub(crate) fn big(&self) -> PathBuf {
        let (dir, block) = (self.home.join("big"), text(&self.changes));
        if !dir.exists() {
            fs::create_dir(&dir).expect("made");
            let file = fs::File::create(dir.join("file")).expect("made");
            for number in 0..self.big_size() / block.len() as u64 {
                let written = file.write_all_at(&block, number * block.len() as u64);
                written.expect("written");
            }
            file.sync_all().expect("flushed");
            another_second();
        }
        dir
    }

    /// How large it is: 16 MiB at least.
    fn big_size(&self) -> u64 {
        (self.files as u64 * BIG_A_FILE).max(16 << 20)
    }

    /// Writes one MiB into the large file.
    pub(crate) fn change_big(&self) {
        self.changes.set(self.changes.get() + 1);
        let file = fs::File::options()
            .write(true)
            .open(self.big().join("file"));
        let at = self.big_size() / 16 * (self.changes.get() % 16);
        let written = file.and_then(|file| file.write_all_at(&text(&self.changes), at));
        written.expect("changed");
        another_second();
    }

    /// Gives a directory with a twelfth of all files, or the next larger one, another
    /// place.
    pub(crate) fn shift(&self) {
        self.changes.set(self.changes.get() + 1);
        let tree = self.tree();
        let (shifted, moved) = (tree.join("shifted"), self.changes.get());
        if !shifted.exists() {
            fs::create_dir(&shifted).expect("made");
            fs::create_dir(tree.join("shifted/0")).expect("made");
            let all = fs::read_dir(&tree).expect("listed");
            let all = all.map(|entry| entry.expect("an entry").path());
            let mut dirs: Vec<PathBuf> = all.filter(|path| path.is_dir()).collect();
            dirs.retain(|path| *path != shifted);
            dirs.sort();
            let mut left = self.files / 12;
            for dir in dirs {
                let count = WalkDir::new(&dir).into_iter().count();
                let name = dir.file_name().expect("a name");
                fs::rename(&dir, shifted.join("0").join(name)).expect("moved");
                left = left.saturating_sub(count);
                if left == 0 {
                    break;
                }
            }
        }
        let inside = fs::read_dir(&shifted).expect("listed").next();
        let inside = inside.expect("one").expect("an entry").path();
        fs::rename(inside, shifted.join(moved.to_string())).expect("moved");
        another_second();
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

/// rsync takes two times within a second for one: it leaves out a file that changed in
/// that second, and a directory that it makes keeps the time of its making.
fn another_second() {
    thread::sleep(Duration::from_millis(1_100));
}

/// One MiB of bytes that no other change has.
fn text(changes: &Cell<u64>) -> Vec<u8> {
    Dice::new(changes.get() + 1).bytes(1 << 20)
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
