//! Differences between two versions, as a person reads them: unified diffs
//! of text, one line for what is none, and directories name by name.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Local, SecondsFormat};
use dumpcore::{Difference, DirEntry, Fault, Kind, Printable, Time, Version, difference};
use similar::TextDiff;

/// How differences are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With colours.
    pub color: bool,
    /// Also of files that are no text.
    pub binary: bool,
}

/// A file beyond this is not loaded for a diff that nobody would read.
const MOST: usize = 64 << 20;
/// A better diff than the one found in this time is not waited for.
const LONG_ENOUGH: Duration = Duration::from_secs(5);

/// Why a diff could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// A version could not be read.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The diff could not be written.
    #[error(transparent)]
    Out(#[from] io::Error),
}

/// Writes how two versions of a path differ; one that is missing counts as
/// empty, and is named `/dev/null`. Directories are gone through. Of versions
/// with the same content one line says in which metadata they differ, if they
/// do.
///
/// # Errors
/// What could not be read or written.
pub fn versions(
    old: Option<&Version>,
    new: Option<&Version>,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), DiffError> {
    match (old, new) {
        (Some(old), Some(new)) if old.meta.kind != new.meta.kind => writeln!(
            out,
            "{} is a {}, {} is a {}",
            Printable::path(&old.path),
            old.meta.kind,
            Printable::path(&new.path),
            new.meta.kind
        )?,
        (Some(old), Some(new)) if old.meta.kind == Kind::Dir => {
            metadata(old, new, out)?;
            directories(old, new, style, out)?;
        }
        (Some(old), Some(new)) if difference(old, new)? != Difference::Content => {
            metadata(old, new, out)?;
        }
        (Some(one), None) | (None, Some(one)) if one.meta.kind == Kind::Dir => only_in(one, out)?,
        (None, None) => {}
        (old, new) => contents(old, new, style, out)?,
    }
    Ok(())
}

/// One line, if mode, owner, time or attributes differ. A directory has
/// another time whenever it has another name in it, which is told anyway.
fn metadata(old: &Version, new: &Version, out: &mut dyn Write) -> Result<(), DiffError> {
    let (was, is) = (&old.meta, &new.meta);
    if was.id() == is.id() {
        return Ok(());
    }
    let mut changes = Vec::new();
    if was.mode != is.mode {
        changes.push(format!("mode {:o}, now {:o}", was.mode, is.mode));
    }
    if (was.uid, was.gid) != (is.uid, is.gid) {
        let (uid, gid) = (was.uid, was.gid);
        changes.push(format!("owner {uid}:{gid}, now {}:{}", is.uid, is.gid));
    }
    if was.mtime != is.mtime && was.kind != Kind::Dir {
        changes.push(format!(
            "modified {}, now {}",
            moment(was.mtime),
            moment(is.mtime)
        ));
    }
    changes.extend(attributes(old, new)?);
    if changes.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "Metadata of {} and {} differ: {}",
        Printable::path(&old.path),
        Printable::path(&new.path),
        changes.join("; ")
    )?;
    Ok(())
}

/// The names of the extended attributes that are not the same in both.
fn attributes(old: &Version, new: &Version) -> Result<Option<String>, Fault> {
    let (was, is) = (old.xattrs()?, new.xattrs()?);
    let mut differ: Vec<&[u8]> = was
        .iter()
        .filter(|one| !is.iter().any(|other| other == *one))
        .chain(is.iter().filter(|one| !was.iter().any(|old| old == *one)))
        .map(|(name, _)| name)
        // It belongs to where a file lies, and is another in each tree.
        .filter(|name| *name != b"security.selinux")
        .collect();
    differ.sort_unstable();
    differ.dedup();
    let names: Vec<String> = differ.iter().map(|n| Printable(n).to_string()).collect();
    Ok((!names.is_empty()).then(|| format!("attributes {}", names.join(", "))))
}

/// Local time in RFC 3339, as exact as it is; seconds since 1970 for what no
/// calendar has.
fn moment(time: Time) -> String {
    let at = DateTime::from_timestamp(time.secs, time.nanos);
    at.map_or_else(
        || format!("@{}", time.secs),
        |at| {
            let local = at.with_timezone(&Local);
            local.to_rfc3339_opts(SecondsFormat::AutoSi, false)
        },
    )
}

/// The content as one text, to be compared line by line.
enum Content {
    Text(Vec<u8>),
    Binary,
    TooLarge,
    /// FIFOs, sockets and devices have none.
    None,
}

fn content(version: Option<&Version>, style: Style) -> Result<Content, Fault> {
    let Some(version) = version else {
        return Ok(Content::Text(Vec::new()));
    };
    Ok(match version.meta.kind {
        Kind::File => match version.bytes(MOST)? {
            None => Content::TooLarge,
            Some(bytes) if style.binary || is_text(&bytes) => Content::Text(bytes),
            Some(_) => Content::Binary,
        },
        Kind::Symlink => {
            let target = version.target()?;
            Content::Text(format!("symlink to {}\n", Printable::path(&target)).into_bytes())
        }
        _ => Content::None,
    })
}

/// Valid UTF-8 without NUL.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

fn contents(
    old: Option<&Version>,
    new: Option<&Version>,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), DiffError> {
    let name = |version: Option<&Version>| {
        let path = version.map_or(Path::new("/dev/null"), |v| &v.path);
        Printable::path(path).to_string()
    };
    let (old_name, new_name) = (name(old), name(new));
    match (content(old, style)?, content(new, style)?) {
        (Content::Text(old), Content::Text(new)) => {
            let diff = unified(&old_name, &new_name, &old, &new)?;
            if style.color {
                colored(&diff, out)?;
            } else {
                out.write_all(&diff)?;
            }
        }
        (Content::TooLarge, _) | (_, Content::TooLarge) => {
            writeln!(out, "Large files {old_name} and {new_name} differ")?;
        }
        (Content::Binary, _) | (_, Content::Binary) => {
            writeln!(out, "Binary files {old_name} and {new_name} differ")?;
        }
        (Content::None, _) | (_, Content::None) => {
            writeln!(out, "Special files {old_name} and {new_name} differ")?;
        }
    }
    Ok(())
}

fn unified(old_name: &str, new_name: &str, old: &[u8], new: &[u8]) -> io::Result<Vec<u8>> {
    let diff = TextDiff::configure()
        .timeout(LONG_ENOUGH)
        .diff_lines(old, new);
    let mut text = Vec::new();
    diff.unified_diff()
        .header(old_name, new_name)
        .to_writer(&mut text)?;
    Ok(text)
}

/// Colours as people know them from other tools: names bold, places cyan,
/// what went red and what came green.
fn colored(diff: &[u8], out: &mut dyn Write) -> io::Result<()> {
    for (number, line) in diff.split_inclusive(|b| *b == b'\n').enumerate() {
        let color = match (number, line.first()) {
            (0 | 1, _) => "1",
            (_, Some(b'@')) => "36",
            (_, Some(b'-')) => "31",
            (_, Some(b'+')) => "32",
            _ => {
                out.write_all(line)?;
                continue;
            }
        };
        let (line, end) = match line.strip_suffix(b"\n") {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        write!(out, "\x1b[{color}m")?;
        out.write_all(line)?;
        write!(out, "\x1b[0m{end}")?;
    }
    Ok(())
}

/// Goes through two listings in step.
fn directories(
    old: &Version,
    new: &Version,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), DiffError> {
    let (old_names, new_names) = (old.names()?, new.names()?);
    let mut all: Vec<&[u8]> = old_names
        .iter()
        .chain(&new_names)
        .map(|entry| entry.name.as_slice())
        .collect();
    all.sort_unstable();
    all.dedup();
    for name in all {
        let (was, is) = (old.child(name)?, new.child(name)?);
        match (&was, &is) {
            (Some(one), None) | (None, Some(one)) => only_in(one, out)?,
            _ => versions(was.as_ref(), is.as_ref(), style, out)?,
        }
    }
    Ok(())
}

fn only_in(one: &Version, out: &mut dyn Write) -> io::Result<()> {
    let parent = one.path.parent().unwrap_or(Path::new("/"));
    let name = one.path.file_name().unwrap_or_default();
    writeln!(
        out,
        "Only in {}: {}",
        Printable::path(parent),
        Printable::path(Path::new(name))
    )
}

/// A directory's listing, a name a line, a slash behind directories.
///
/// # Errors
/// What could not be written.
pub fn listing(names: &[DirEntry], out: &mut dyn Write) -> io::Result<()> {
    for entry in names {
        let mark = if entry.is_dir { "/" } else { "" };
        writeln!(out, "\t{}{mark}", Printable(&entry.name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use assert_fs::TempDir;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Bears the same time as all others.
    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        let then = std::time::UNIX_EPOCH + Duration::from_secs(1_577_836_800);
        let times = fs::FileTimes::new().set_modified(then);
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_times(times).unwrap();
    }

    fn shown(old: &Path, new: &Path, style: Style) -> String {
        let (old, new) = (Version::at(old).unwrap(), Version::at(new).unwrap());
        let mut out = Vec::new();
        versions(old.as_ref(), new.as_ref(), style, &mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn shows_text_as_a_unified_diff() {
        let dir = TempDir::new().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&a, "1\n2\n3\n").unwrap();
        fs::write(&b, "1\nzwei\n3\nvier").unwrap();
        let expected = format!(
            "--- {}\n+++ {}\n@@ -1,3 +1,4 @@\n 1\n-2\n+zwei\n 3\n+vier\n\\ No newline at end of file\n",
            a.display(),
            b.display()
        );
        assert_eq!(shown(&a, &b, Style::default()), expected);
        assert_eq!(shown(&a, &a, Style::default()), "");
        let color = Style {
            color: true,
            ..Style::default()
        };
        let colors = shown(&a, &b, color);
        assert!(colors.contains("\x1b[31m-2\x1b[0m\n"), "{colors}");
        assert!(colors.contains("\x1b[32m+zwei\x1b[0m\n"), "{colors}");
        let gone = shown(&a, &dir.path().join("none"), Style::default());
        assert!(gone.contains("+++ /dev/null\n"), "{gone}");
        assert!(gone.contains("-1\n-2\n-3\n"), "{gone}");
    }

    #[test]
    fn binary_is_shown_only_when_asked_for() {
        let dir = TempDir::new().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        for bytes in [b"\xff\n".as_slice(), b"a\0b\n"] {
            fs::write(&a, "x\n").unwrap();
            fs::write(&b, bytes).unwrap();
            let plain = shown(&a, &b, Style::default());
            assert!(plain.starts_with("Binary files "), "{plain}");
            let binary = Style {
                binary: true,
                ..Style::default()
            };
            assert!(shown(&a, &b, binary).contains("\n-x\n+"));
        }
    }

    #[test]
    fn goes_through_directories() {
        let dir = TempDir::new().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        for top in [&a, &b] {
            fs::create_dir_all(top.join("sub")).unwrap();
            write(&top.join("same"), "same");
            fs::write(top.join("sub/file"), top.as_os_str().as_encoded_bytes()).unwrap();
        }
        fs::write(a.join("gone"), "").unwrap();
        fs::create_dir(b.join("came")).unwrap();
        symlink("x", a.join("link")).unwrap();
        symlink("y", b.join("link")).unwrap();
        fs::write(a.join("kind"), "").unwrap();
        symlink("y", b.join("kind")).unwrap();
        let text = shown(&a, &b, Style::default());
        let (top_a, top_b) = (a.display(), b.display());
        for line in [
            format!("Only in {top_a}: gone"),
            format!("Only in {top_b}: came"),
            format!("{top_a}/kind is a file, {top_b}/kind is a symlink"),
            "-symlink to x".to_owned(),
            "+symlink to y".to_owned(),
            format!("--- {top_a}/sub/file"),
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        assert!(!text.contains("same"), "{text}");
    }
    #[test]
    fn metadata_alone_are_told_in_one_line() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        for top in [&a, &b] {
            fs::create_dir(top).unwrap();
            write(&top.join("file"), "same");
        }
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for path in [&a, &b] {
            mode(path, 0o755);
            mode(&path.join("file"), 0o644);
        }
        // Times of directories are no news.
        assert_eq!(shown(&a, &b, Style::default()), "");
        mode(&b, 0o700);
        mode(&b.join("file"), 0o4755);
        let (top_a, top_b) = (a.display(), b.display());
        let expected = format!(
            "Metadata of {top_a} and {top_b} differ: mode 755, now 700\n\
             Metadata of {top_a}/file and {top_b}/file differ: mode 644, now 4755\n"
        );
        assert_eq!(shown(&a, &b, Style::default()), expected);
        mode(&b, 0o755);
        mode(&b.join("file"), 0o644);
        let file = fs::File::options().write(true).open(b.join("file"));
        let later = std::time::UNIX_EPOCH + Duration::new(1_577_836_801, 500_000_000);
        let times = fs::FileTimes::new().set_modified(later);
        file.unwrap().set_times(times).unwrap();
        let text = shown(&a, &b, Style::default());
        assert!(text.contains("file differ: modified ") && text.contains(":01.500"));
        assert_eq!(text.lines().count(), 1, "{text}");
        // Other contents are what is shown then.
        fs::write(b.join("file"), "more\n").unwrap();
        assert!(!shown(&a, &b, Style::default()).contains("Metadata"));
    }
}
