//! Differences between two versions, as a person reads them: unified diffs
//! of text, one line for what is none, and directories name by name.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use dumpcore::{Difference, Fault, Kind, Name, Printable, Version, difference};
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
/// empty, and is named `/dev/null`. Directories are gone through. Nothing is
/// written of versions with the same content.
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
        (Some(old), Some(new)) if old.meta.kind == Kind::Dir => directories(old, new, style, out)?,
        (Some(old), Some(new)) if difference(old, new)? != Difference::Content => {}
        (Some(one), None) | (None, Some(one)) if one.meta.kind == Kind::Dir => only_in(one, out)?,
        (None, None) => {}
        (old, new) => contents(old, new, style, out)?,
    }
    Ok(())
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
pub fn listing(names: &[Name], out: &mut dyn Write) -> io::Result<()> {
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
            fs::write(top.join("same"), "same").unwrap();
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
}
