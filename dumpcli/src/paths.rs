//! Paths for people, as they gave them, and for machines: absolute.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use dumpcore::Printable;

/// A path for those who work in another directory: monitoring,
/// hooks, the journal. No symlink in it is resolved.
#[must_use]
pub fn absolute(path: &Path) -> PathBuf {
    // Fails for an empty path, and when the current directory has gone.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A path as a word of a command that a person copies to a shell.
#[must_use]
pub fn quoted(path: &Path) -> String {
    if path.as_os_str().as_bytes().starts_with(b"-") {
        // It would be taken for an option.
        return quoted(&Path::new(".").join(path));
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(byte);
    let bytes = path.as_os_str().as_bytes();
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return path.display().to_string();
    }
    match path
        .to_str()
        .filter(|text| !text.chars().any(|c| c.is_control() || is_unseen(c)))
    {
        Some(text) => format!("'{}'", text.replace('\'', "'\\''")),
        // As bash, zsh and ksh read it, and POSIX since 2024.
        None => {
            let text = Printable::path(path).to_string().replace('\'', "\\'");
            let mut word = String::from("$'");
            for c in text.chars() {
                if is_unseen(c) {
                    let bytes = c.to_string().into_bytes();
                    word.extend(bytes.iter().map(|byte| format!("\\{byte:03o}")));
                } else {
                    word.push(c);
                }
            }
            word.push('\'');
            word
        }
    }
}

/// Is it a character that is not seen, or turns the direction of writing around? A
/// command with one would not be what it seems to be.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// The trees, or the dump root, that a run reads. Displayed as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct What {
    shown: String,
    absolute: String,
}

impl What {
    /// Of these.
    #[must_use]
    pub fn new(paths: &[PathBuf]) -> Self {
        let listed = |shown: fn(&Path) -> String| {
            let all: Vec<String> = paths.iter().map(|path| shown(path)).collect();
            all.join(", ")
        };
        Self {
            shown: listed(|path| Printable::path(path).to_string()),
            absolute: listed(|path| Printable::path(&absolute(path)).to_string()),
        }
    }

    /// All of them, absolute.
    #[must_use]
    pub fn absolute(&self) -> &str {
        &self.absolute
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::process::Command;

    #[test]
    fn a_shell_reads_a_quoted_path_as_it_is() {
        for (path, shown) in [
            (&b"/dump/2026"[..], "/dump/2026"),
            (b"", "''"),
            (b"/my dump", "'/my dump'"),
            (b"./-dump", "./-dump"),
            (b"/it's", "'/it'\\''s'"),
            (b"/$HOME/`x`\\", "'/$HOME/`x`\\'"),
            ("/d\u{e9}".as_bytes(), "'/d\u{e9}'"),
            (
                "/a\u{202e}'b c\u{feff}".as_bytes(),
                "$'/a\\342\\200\\256\\'b c\\357\\273\\277'",
            ),
            (b"/a\nb'\\\xff", "$'/a\\012b\\'\\\\\\377'"),
        ] {
            let path = Path::new(OsStr::from_bytes(path));
            assert_eq!(quoted(path), shown, "{path:?}");
            let line = format!("printf %s {}", quoted(path));
            let shell = Command::new("bash").args(["-c", &line]).output();
            let said = shell.expect("bash runs").stdout;
            assert_eq!(said, path.as_os_str().as_bytes(), "{line}");
        }
        assert_eq!(quoted(Path::new("-dump")), "./-dump");
    }

    #[test]
    fn people_see_what_they_gave() {
        let here = std::env::current_dir().expect("a directory");
        let what = What::new(&["/a/../b".into(), "c".into()]);
        assert_eq!(what.to_string(), "/a/../b, c");
        let whole = format!("/a/../b, {}", here.join("c").display());
        assert_eq!(what.absolute(), whole);
        assert_eq!(absolute(Path::new("")), Path::new(""));
    }
}
