//! A directory of a dump as a ZIP archive, written as it is read: no temporary
//! file, and no more memory than the list of its names.
//!
//! What cannot be read is named in a file at the end of the archive, so that it is
//! not missing in silence.

use std::io::{self, Read as _, Write};

use dumpcore::chrono::{DateTime, Datelike as _, Local, Timelike as _};
use dumpcore::{Chain, EntryAt, EntryDir, Fault, Kind, Meta, Op, Printable, Time};
use zip::write::{FileOptions, SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

/// The file that names what could not be read.
pub const MISSING: &str = "NOT-IN-THIS-ARCHIVE.txt";

/// Quick: what matters in a home is the network, and most large files are
/// compressed already.
const LEVEL: i64 = 1;

/// The number of faults that are named at most.
const NAMED: usize = 10_000;

/// Writes a directory, and all that is below it, under this name.
///
/// # Errors
/// What reads the archive has gone away.
pub fn write(top: &EntryAt, name: &[u8], out: impl Write) -> io::Result<()> {
    let mut archive = Archive {
        zip: ZipWriter::new_stream(out),
        faults: Vec::new(),
        more: 0,
        buffer: vec![0; 128 << 10],
    };
    archive.tree(top, name)?;
    archive.end()
}

struct Archive<W: Write> {
    zip: ZipWriter<StreamWriter<W>>,
    faults: Vec<String>,
    /// Faults that are not named.
    more: usize,
    buffer: Vec<u8>,
}

/// A directory that is being gone through: the names that are left, the last first.
struct Level {
    dir: EntryDir,
    path: Vec<u8>,
    names: Vec<Vec<u8>>,
}

impl<W: Write> Archive<W> {
    fn tree(&mut self, top: &EntryAt, name: &[u8]) -> io::Result<()> {
        let mut levels = Vec::new();
        levels.extend(self.dir(top, name.to_vec())?);
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.names.pop() else {
                levels.pop();
                continue;
            };
            let path = [&level.path[..], b"/", &name].concat();
            let entry = match level.dir.entry(&name) {
                Ok(Some(entry)) => entry,
                Ok(None) => continue,
                Err(fault) => {
                    self.fault(&fault);
                    continue;
                }
            };
            match entry.meta().kind {
                Kind::Dir => levels.extend(self.dir(&entry, path)?),
                Kind::File => self.file(&entry, &path)?,
                Kind::Symlink => self.symlink(&entry, &path)?,
                other => self.note(format!("{}: a {other}", Printable(&path))),
            }
        }
        Ok(())
    }

    fn dir(&mut self, entry: &EntryAt, path: Vec<u8>) -> io::Result<Option<Level>> {
        self.zip.add_directory(text(&path), options(entry.meta()))?;
        let dir = match entry.list() {
            Ok(dir) => dir,
            Err(fault) => {
                self.fault(&fault);
                return Ok(None);
            }
        };
        let names = dir.names().into_iter().rev();
        let names = names.map(|entry| entry.name).collect();
        Ok(Some(Level { dir, path, names }))
    }

    fn file(&mut self, entry: &EntryAt, path: &[u8]) -> io::Result<()> {
        let mut file = match entry.open() {
            Ok(file) => file,
            Err(fault) => {
                self.fault(&fault);
                return Ok(());
            }
        };
        let large = entry.meta().size >= u64::from(u32::MAX) / 2;
        let options = options(entry.meta()).large_file(large);
        self.zip.start_file(text(path), options)?;
        loop {
            match file.read(&mut self.buffer) {
                Ok(0) => return Ok(()),
                Ok(got) => self.zip.write_all(&self.buffer[..got])?,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => {
                    self.fault(&Fault::new(Op::Read, entry.path(), cause));
                    return Ok(());
                }
            }
        }
    }

    fn symlink(&mut self, entry: &EntryAt, path: &[u8]) -> io::Result<()> {
        match entry.target() {
            Ok(target) => {
                let target = text(target.as_os_str().as_encoded_bytes());
                self.zip
                    .add_symlink(text(path), target, options(entry.meta()))?;
            }
            Err(fault) => self.fault(&fault),
        }
        Ok(())
    }

    fn fault(&mut self, fault: &Fault) {
        self.note(Chain(fault).to_string());
    }

    fn note(&mut self, text: String) {
        match self.faults.len() {
            NAMED => self.more += 1,
            _ => self.faults.push(text),
        }
    }

    fn end(mut self) -> io::Result<()> {
        if !self.faults.is_empty() {
            let options =
                SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            self.zip.start_file(MISSING, options)?;
            for fault in &self.faults {
                writeln!(self.zip, "{fault}")?;
            }
            if self.more > 0 {
                writeln!(self.zip, "and {} more", self.more)?;
            }
        }
        self.zip.finish()?.flush()
    }
}

/// A path as archives have it: text. What is not UTF-8 is written as `\377`.
fn text(path: &[u8]) -> String {
    match str::from_utf8(path) {
        Ok(text) => text.to_owned(),
        Err(_) => Printable(path).to_string(),
    }
}

fn options(meta: &Meta) -> FileOptions<'static, 'static, ()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .unix_permissions(u32::from(meta.mode & 0o777));
    match time(meta.mtime) {
        Some(time) => options.last_modified_time(time),
        None => options,
    }
}

/// Archives have years from 1980 to 2107, in local time.
fn time(time: Time) -> Option<zip::DateTime> {
    let at = DateTime::from_timestamp(time.secs, 0)?.with_timezone(&Local);
    let part = |number: u32| u8::try_from(number).ok();
    zip::DateTime::from_date_and_time(
        u16::try_from(at.year()).ok()?,
        part(at.month())?,
        part(at.day())?,
        part(at.hour())?,
        part(at.minute())?,
        part(at.second())?,
    )
    .ok()
}
