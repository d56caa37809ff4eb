//! What is committed is what would be written, and is good roff.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_committed_files_are_up_to_date() {
    for page in manual::pages() {
        let path = manual::folder().join(&page.path);
        let committed = fs::read(&path).unwrap_or_default();
        assert!(
            committed == page.text,
            "{} is not up to date: run `cargo run -p manual` and commit",
            page.path.display()
        );
    }
}

#[test]
fn nothing_else_is_committed_beside_them() {
    let known: Vec<_> = manual::pages().into_iter().map(|page| page.path).collect();
    for folder in ["man", "completions"] {
        let there = fs::read_dir(manual::folder().join(folder)).expect("the folder is there");
        for entry in there {
            let name = entry.expect("listed").file_name();
            let path = Path::new(folder).join(name);
            assert!(known.contains(&path), "{} is nobody's", path.display());
        }
    }
}

/// The page that this one stands for: `.so man7/PAGE` and nothing else.
fn other(page: &manual::Page) -> Option<PathBuf> {
    let text = std::str::from_utf8(&page.text).expect("UTF-8");
    let name = text.strip_prefix(".so man7/")?;
    let name = name.strip_suffix('\n').expect("one line");
    Some(Path::new("man").join(name))
}

#[test]
fn the_overview_is_also_found_by_the_name_of_the_package() {
    let pages = manual::pages();
    let alias = pages
        .iter()
        .find(|page| page.path == Path::new("man/dump-backup.7"));
    let shown = other(alias.expect("it has a page")).expect("of another page");
    assert_eq!(shown, Path::new("man/dump.7"));
    let overview = pages.iter().find(|page| page.path == shown);
    let text = String::from_utf8_lossy(&overview.expect("it is there").text);
    assert!(text.contains("\ndump, dump\\-backup \\- "), "both names");
}

#[test]
#[ignore = "needs mandoc"]
fn mandoc_finds_nothing_wrong_with_the_pages() {
    for page in manual::pages() {
        if !page.path.starts_with("man") {
            continue;
        }
        // What a page says for another is found from the folder above its own.
        let shown = other(&page).unwrap_or(page.path);
        let run = Command::new("mandoc")
            .args(["-Tlint", "-Wwarning"])
            .arg(manual::folder().join(shown))
            .output()
            .expect("mandoc runs");
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.is_empty(), "{said}");
    }
}

#[test]
#[ignore = "needs bash, zsh and fish"]
fn shells_accept_the_completions() {
    for page in manual::pages() {
        let name = page.path.display().to_string();
        let shell = match page.path.extension().and_then(|e| e.to_str()) {
            _ if !page.path.starts_with("completions") => continue,
            Some("bash") => "bash",
            Some("fish") => "fish",
            _ => "zsh",
        };
        let run = Command::new(shell)
            .arg("-n")
            .arg(manual::folder().join(&page.path))
            .output()
            .expect("the shell runs");
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{name}: {said}");
    }
}
