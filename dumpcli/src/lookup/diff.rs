//! Differences between two versions, as a person reads them: unified diffs
//! of text, one line for what is none, and directories name by name.
//!
//! Text is what git and diff take for text: no NUL byte near its beginning,
//! whatever its encoding. Its bytes are written as they are, so that a patch
//! applies; a terminal gets control bytes and bytes that are not UTF-8 escaped,
//! so that neither drives it, and both sides of a change can be told apart.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Local, SecondsFormat};
use dumpcore::{Difference, DirEntry, Fault, Kind, Printable, Time, Version, difference};
use similar::TextDiff;

use crate::lookup::paging::Color;
use crate::output::screen;

/// How differences are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With colours.
    pub color: bool,
    /// Also of files that are not text.
    pub binary: bool,
    /// For a terminal: what it would not show, or obey, is escaped.
    pub terminal: bool,
}

impl Style {
    /// For stdout, or the pager that stdout would go through.
    #[must_use]
    pub fn of_stdout(color: Color, binary: bool) -> Self {
        Self {
            color: color.wanted(),
            binary,
            terminal: screen::stdout_is_terminal(),
        }
    }
}

/// A file beyond this is not loaded for a diff that nobody would read.
const MOST: usize = 64 << 20;
/// A better diff than the one found in this time is not waited for.
const LONG_ENOUGH: Duration = Duration::from_secs(5);
/// How much of a file is looked at for a NUL byte, as git does.
const LOOKED_AT: usize = 8000;

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
/// another time whenever it has another name in it, which is shown anyway.
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
    if !old.has_time_of(new) && was.kind != Kind::Dir {
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
        // It belongs to where a file is, and is another in each tree.
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

/// Without NUL near its beginning, whatever its encoding.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.iter().take(LOOKED_AT).any(|byte| *byte == 0)
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
            write_styled(&diff, style, out)?;
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

/// Lines end at LF alone: what ends them elsewhere is not what patch(1) knows.
fn unified(old_name: &str, new_name: &str, old: &[u8], new: &[u8]) -> io::Result<Vec<u8>> {
    let lines = |text| -> Vec<&[u8]> { <[u8]>::split_inclusive(text, |b| *b == b'\n').collect() };
    let (old, new) = (lines(old), lines(new));
    let diff = TextDiff::configure()
        .timeout(LONG_ENOUGH)
        .newline_terminated(true)
        .diff_slices(&old, &new);
    let mut text = Vec::new();
    for (number, hunk) in diff.unified_diff().iter_hunks().enumerate() {
        if number == 0 {
            write!(text, "--- {old_name}\n+++ {new_name}\n")?;
        }
        // Not by `Display`, which would replace what is not UTF-8.
        hunk.to_writer(&mut text)?;
    }
    Ok(text)
}

/// Colours as people know them from other tools: names bold, places cyan,
/// what went red and what came green.
fn write_styled(diff: &[u8], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if !style.color && !style.terminal {
        return out.write_all(diff);
    }
    for (number, line) in diff.split_inclusive(|b| *b == b'\n').enumerate() {
        let color = match (number, line.first()) {
            _ if !style.color => None,
            (0 | 1, _) => Some("1"),
            (_, Some(b'@')) => Some("36"),
            (_, Some(b'-')) => Some("31"),
            (_, Some(b'+')) => Some("32"),
            _ => None,
        };
        let (line, end) = match line.strip_suffix(b"\n") {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        if let Some(color) = color {
            write!(out, "\x1b[{color}m")?;
        }
        if style.terminal {
            escaped(line, style.color, out)?;
        } else {
            out.write_all(line)?;
        }
        let reset = if color.is_some() { "\x1b[0m" } else { "" };
        write!(out, "{reset}{end}")?;
    }
    Ok(())
}

/// A line for a terminal: control bytes but TAB, and bytes that are not UTF-8,
/// as `\NNN` in octal; in reverse video where there are colours, so that they
/// differ from the same characters in the text.
fn escaped(line: &[u8], color: bool, out: &mut dyn Write) -> io::Result<()> {
    let (on, off) = if color {
        ("\x1b[7m", "\x1b[27m")
    } else {
        ("", "")
    };
    let octal = |bytes: &[u8], out: &mut dyn Write| {
        let mut each = bytes.iter();
        each.try_for_each(|byte| write!(out, "{on}\\{byte:03o}{off}"))
    };
    for chunk in line.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            if c.is_control() && c != '\t' {
                octal(bytes, out)?;
            } else {
                out.write_all(bytes)?;
            }
        }
        octal(chunk.invalid(), out)?;
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
    let parent = match one.path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    };
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
#[path = "diff_tests.rs"]
mod tests;
