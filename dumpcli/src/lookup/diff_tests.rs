//! What is shown, and how.

use super::*;
use assert_fs::TempDir;
use std::fs;
use std::os::unix::fs::symlink;

/// Has the same time as all others.
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
    let mut late = vec![b'a'; LOOKED_AT - 1];
    late.extend_from_slice(b"\0\n");
    for bytes in [b"\0".as_slice(), b"a\0b\n", b"\xff\xfea\0", &late] {
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

fn bytes_shown(old: &[u8], new: &[u8], style: Style) -> Vec<u8> {
    let dir = TempDir::new().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    fs::write(&a, old).unwrap();
    fs::write(&b, new).unwrap();
    let (a, b) = (Version::at(&a).unwrap(), Version::at(&b).unwrap());
    let mut out = Vec::new();
    versions(a.as_ref(), b.as_ref(), style, &mut out).unwrap();
    // Without the names.
    let mut lines = out.splitn(3, |b| *b == b'\n');
    lines.nth(1);
    lines.next().unwrap_or_default().to_vec()
}

#[test]
fn text_of_any_encoding_is_shown_byte_by_byte() {
    let mut late = vec![b'a'; LOOKED_AT];
    late.extend_from_slice(b"\0\n");
    assert!(is_text(&late), "as git has it");
    let raw = bytes_shown(b"caf\xe9\nmenu\n", b"caf\xe8\nmenu", Style::default());
    let expected = b"@@ -1,2 +1,2 @@\n-caf\xe9\n-menu\n+caf\xe8\n+menu\n\
                     \\ No newline at end of file\n";
    assert_eq!(raw, expected);
    // A carriage return ends no line, or what follows would have no sign.
    let raw = bytes_shown(b"a\rb\r\n", b"a\rc\r\n", Style::default());
    assert_eq!(raw, b"@@ -1 +1 @@\n-a\rb\r\n+a\rc\r\n");
}

#[test]
fn a_terminal_gets_neither_control_bytes_nor_replacement_characters() {
    let style = Style {
        terminal: true,
        ..Style::default()
    };
    let old = b"\tcaf\xe9 \xc3\xa9\n";
    let new = b"\tcaf\xe8 \xc3\xa9\x1b[2J\xc2\x9b\r\n";
    let shown = bytes_shown(old, new, style);
    let expected = "@@ -1 +1 @@\n-\tcaf\\351 \u{e9}\n+\tcaf\\350 \u{e9}\\033[2J\\302\\233\\015\n";
    assert_eq!(String::from_utf8_lossy(&shown), expected);
    let color = Style {
        color: true,
        ..style
    };
    let shown = bytes_shown(b"\xe9\n", b"\\351\n", color);
    let expected =
        "\x1b[36m@@ -1 +1 @@\x1b[0m\n\x1b[31m-\x1b[7m\\351\x1b[27m\x1b[0m\n\x1b[32m+\\351\x1b[0m\n";
    assert_eq!(String::from_utf8_lossy(&shown), expected);
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
    // Times of directories are not news.
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
