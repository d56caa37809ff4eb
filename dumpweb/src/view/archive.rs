//! A directory of a dump as a ZIP archive, written as it is read: no temporary
//! file. An archive ends with a list of all its entries, which is in memory until
//! then: some hundred bytes for each.
//!
//! What cannot be read is named in a file at the end of the archive, so that it is
//! not missing in silence. Of a name that other systems would not take as one, the
//! bytes that make it so are `%XX`.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::rc::Rc;

use dumpcore::chrono::{DateTime, Datelike as _, Local, Timelike as _};
use dumpcore::{Chain, EntryAt, EntryDir, Fault, Kind, Meta, Printable, Time};
use zip::result::{ZipError, ZipResult};
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
    let mut archive = Archive::new(out, 128 << 10);
    archive.tree(top, &encoded(name))?;
    archive.end()
}

/// What went wrong with what the archive is written to.
type Broken = Rc<Cell<Option<ErrorKind>>>;

/// Keeps the first error to itself, and takes everything after it for written: an
/// archive that is dropped after an error complains on stderr that it has no end.
struct Taken<W> {
    out: W,
    broken: Broken,
}

impl<W: Write> Taken<W> {
    fn noted<T>(&self, written: io::Result<T>, instead: T) -> io::Result<T> {
        match written {
            Err(cause) if cause.kind() != ErrorKind::Interrupted => {
                self.broken.set(Some(cause.kind()));
                Ok(instead)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for Taken<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken.get().is_some() {
            return Ok(bytes.len());
        }
        let written = self.out.write(bytes);
        self.noted(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.broken.get().is_some() {
            return Ok(());
        }
        let flushed = self.out.flush();
        self.noted(flushed, ())
    }
}

struct Archive<W: Write> {
    zip: ZipWriter<StreamWriter<Taken<W>>>,
    broken: Broken,
    faults: Vec<String>,
    /// Faults that are not named.
    more: usize,
    buffer: Vec<u8>,
}

/// A directory that is being gone through: the names that are left, the last first.
struct Level {
    dir: EntryDir,
    path: String,
    names: Vec<Vec<u8>>,
}

impl<W: Write> Archive<W> {
    fn new(out: W, buffer: usize) -> Self {
        let broken = Broken::default();
        let out = Taken {
            out,
            broken: Rc::clone(&broken),
        };
        Self {
            zip: ZipWriter::new_stream(out),
            broken,
            faults: Vec::new(),
            more: 0,
            buffer: vec![0; buffer],
        }
    }

    /// Is all that was written so far taken?
    fn is_taken(&self) -> io::Result<()> {
        self.broken.get().map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn tree(&mut self, top: &EntryAt, name: &str) -> io::Result<()> {
        let mut levels = Vec::new();
        levels.extend(self.dir(top, name.to_owned())?);
        while let Some(level) = levels.last_mut() {
            self.is_taken()?;
            let Some(name) = level.names.pop() else {
                levels.pop();
                continue;
            };
            let path = format!("{}/{}", level.path, encoded(&name));
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
                other => self.note(format!("{}: a {other}", Printable::path(entry.path()))),
            }
        }
        Ok(())
    }

    fn dir(&mut self, entry: &EntryAt, path: String) -> io::Result<Option<Level>> {
        let added = self.zip.add_directory(&path, options(entry.meta()));
        if !self.is_added(added, entry)? {
            return Ok(None);
        }
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

    /// Was it added? What the format has no room for is noted.
    fn is_added(&mut self, added: ZipResult<()>, entry: &EntryAt) -> io::Result<bool> {
        match added {
            Ok(()) => Ok(true),
            Err(ZipError::Io(cause)) => Err(cause),
            Err(other) => {
                self.note(format!("{}: {other}", Printable::path(entry.path())));
                Ok(false)
            }
        }
    }

    fn file(&mut self, entry: &EntryAt, path: &str) -> io::Result<()> {
        let mut file = match entry.open() {
            Ok(file) => file,
            Err(fault) => {
                self.fault(&fault);
                return Ok(());
            }
        };
        let size = entry.meta().size;
        let large = size >= u64::from(u32::MAX) / 2;
        let options = options(entry.meta()).large_file(large);
        let added = self.zip.start_file(path, options);
        match self.is_added(added, entry)? {
            true => self.contents(&mut file, size, entry.path()),
            false => Ok(()),
        }
    }

    /// Copies a file. One that is shorter than it was, or cannot be read to its end,
    /// would look whole in the archive: that is noted.
    fn contents(&mut self, file: &mut impl Read, size: u64, path: &Path) -> io::Result<()> {
        let mut copied = 0;
        let cause = loop {
            match file.read(&mut self.buffer) {
                Ok(0) => break None,
                Ok(got) => {
                    self.zip.write_all(&self.buffer[..got])?;
                    self.is_taken()?;
                    copied += got as u64;
                }
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => break Some(cause),
            }
        };
        if copied != size || cause.is_some() {
            let why = cause.map_or_else(|| "it ends there".to_owned(), |cause| cause.to_string());
            let path = Printable::path(path);
            self.note(format!(
                "{path}: only the first {copied} of {size} bytes are in the archive: {why}"
            ));
        }
        Ok(())
    }

    fn symlink(&mut self, entry: &EntryAt, path: &str) -> io::Result<()> {
        let target = match entry.target() {
            Ok(target) => target,
            Err(fault) => {
                self.fault(&fault);
                return Ok(());
            }
        };
        let Some(target) = target.to_str() else {
            let (link, target) = (Printable::path(entry.path()), Printable::path(&target));
            self.note(format!("{link}: a symlink to {target}, which is not UTF-8"));
            return Ok(());
        };
        let added = self.zip.add_symlink(path, target, options(entry.meta()));
        self.is_added(added, entry).map(drop)
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
        self.zip.finish()?.flush()?;
        self.broken.get().map_or(Ok(()), |kind| Err(kind.into()))
    }
}

/// A name as archives have it: text without a backslash, which Windows takes for a
/// slash, and without control bytes. Other bytes, and `%` itself, are `%XX`: so no two
/// names become one.
fn encoded(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' | '%' | '\0'..='\x1f' | '\x7f' => escape(&mut text, c as u8),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            escape(&mut text, *byte);
        }
    }
    text
}

fn escape(text: &mut String, byte: u8) {
    text.push_str(&format!("%{byte:02X}"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::io::Cursor;

    /// Gives some bytes, then a fault.
    struct Broken(Cursor<Vec<u8>>, bool);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 if self.1 => Err(io::Error::other("a bad sector")),
                got => Ok(got),
            }
        }
    }

    #[test]
    fn a_file_that_breaks_off_does_not_look_whole() {
        for (bytes, size, fails, expected) in [
            (5, 5, false, None),
            (0, 0, false, None),
            (
                5,
                9,
                false,
                Some("only the first 5 of 9 bytes are in the archive: it ends there"),
            ),
            (
                5,
                9,
                true,
                Some("only the first 5 of 9 bytes are in the archive: a bad sector"),
            ),
            (
                0,
                9,
                true,
                Some("only the first 0 of 9 bytes are in the archive: a bad sector"),
            ),
        ] {
            let mut archive = Archive::new(Vec::new(), 2);
            archive
                .zip
                .start_file("x", SimpleFileOptions::default())
                .expect("started");
            let mut file = Broken(Cursor::new(vec![7; bytes]), fails);
            let copied = archive.contents(&mut file, size, Path::new("/dump/x"));
            copied.expect("written");
            let expected: Vec<String> = expected
                .into_iter()
                .map(|text| format!("/dump/x: {text}"))
                .collect();
            assert_eq!(archive.faults, expected);
        }
    }

    /// Takes some bytes, then nothing more; and counts how often that was said.
    struct Leaving(usize, usize);

    impl Write for &mut Leaving {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.checked_sub(bytes.len()) {
                Some(left) => self.0 = left,
                None => {
                    self.1 += 1;
                    return Err(ErrorKind::BrokenPipe.into());
                }
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Else the archive would say on stderr that its end cannot be written.
    #[test]
    fn one_who_leaves_is_told_of_once() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let tree = dir.path().join("2026/1122/2331/tree");
        std::fs::create_dir_all(&tree).expect("made");
        std::fs::write(tree.join("file"), vec![7; 10_000]).expect("written");
        let root = dumpcore::DumpRoot::open(dir.path()).expect("opened");
        let dump = dumpcore::DumpId::parse(b"2026/1122/2331").expect("a name");
        let top = root.entry(dump, &dumpcore::RelPath::from("tree"));
        let top = top.expect("looked").expect("it exists");
        for room in [0, 40, 100] {
            let mut out = Leaving(room, 0);
            let written = write(&top, b"tree", &mut out);
            assert!(written.is_err(), "{room}");
            assert_eq!(out.1, 1, "{room}");
        }
    }

    #[test]
    fn no_two_names_become_one() {
        for (name, expected) in [
            (&b"plain \xc3\xa9.txt"[..], "plain \u{e9}.txt"),
            (b"back\\slash", "back%5Cslash"),
            (b"100%", "100%25"),
            (b"new\nline\x7f", "new%0Aline%7F"),
            (b"a\xff\xfeb\xc3", "a%FF%FEb%C3"),
            (b"\\377", "%5C377"),
            (b"\xff", "%FF"),
            (b"%FF", "%25FF"),
        ] {
            assert_eq!(encoded(name), expected);
        }
        let all: HashSet<String> = (0..=u16::MAX).map(|n| encoded(&n.to_be_bytes())).collect();
        assert_eq!(all.len(), 1 << 16);
    }
}
