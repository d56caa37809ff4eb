//! Patterns of names: shell globs, and regular expressions.
//!
//! A glob becomes a regular expression, since names are bytes: `?` is one
//! character, or one byte of what is not UTF-8, and case is folded as for text.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use dumpcore::NameTest;
use regex::bytes::{Regex, RegexBuilder};

/// How patterns are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// Whatever the case of letters.
    pub(crate) ignore_case: bool,
    /// Regular expressions, which need not match the whole.
    pub(crate) regex: bool,
}

/// The test that a pattern stands for: of the last name of a path or, when it
/// holds a slash, of the whole path, which begins with the name of the tree.
/// `trees`: the path and the name of each tree, by which a glob may begin as
/// well.
pub(crate) fn test(
    pattern: &OsStr,
    style: Style,
    trees: &[(PathBuf, OsString)],
) -> Result<NameTest, String> {
    let Some(text) = pattern.to_str() else {
        return Err("a pattern has to be UTF-8: match other bytes with ? or *".to_owned());
    };
    let of_path = text.contains('/');
    let regex = if style.regex {
        build(text, style)?
    } else {
        let text = match text.strip_prefix('/') {
            Some(_) => in_dump(text, trees)?,
            None => text.to_owned(),
        };
        build(&format!(r"\A(?:{})\z", expression(&text)), style)?
    };
    let is_match = move |name: &[u8]| regex.is_match(name);
    Ok(match of_path {
        true => NameTest::of_path(is_match),
        false => NameTest::of_name(is_match),
    })
}

fn build(expression: &str, style: Style) -> Result<Regex, String> {
    let built = RegexBuilder::new(expression)
        .case_insensitive(style.ignore_case)
        .build();
    built.map_err(|error| {
        // Its last line says what is wrong; those before it draw an arrow.
        let text = error.to_string();
        let line = text.lines().last().unwrap_or_default();
        let line = line.trim_start_matches("error: ");
        format!("not a regular expression: {line}")
    })
}

/// A glob that begins with the path of a tree, as dumps have it.
fn in_dump(glob: &str, trees: &[(PathBuf, OsString)]) -> Result<String, String> {
    let mut found: Option<(usize, String)> = None;
    for (path, name) in trees {
        let (Some(path), Some(name)) = (path.to_str(), name.to_str()) else {
            continue;
        };
        let rest = glob.strip_prefix(path.trim_end_matches('/'));
        // Of trees in one another the innermost counts.
        if let Some(rest) = rest.filter(|rest| rest.starts_with('/'))
            && found
                .as_ref()
                .is_none_or(|(length, _)| *length < path.len())
        {
            found = Some((path.len(), format!("{}{rest}", escaped(name))));
        }
    }
    let found = found.map(|(_, glob)| glob);
    found.ok_or_else(|| {
        "a pattern that begins with / has to begin with the path of a tree: see --main".to_owned()
    })
}

/// A name as a glob that matches it alone.
fn escaped(name: &str) -> String {
    let special = |c| matches!(c, '*' | '?' | '[' | '\\');
    let each = name
        .chars()
        .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]));
    each.collect()
}

/// The regular expression of a glob: `*` and `?` do not match a slash, `**`
/// does.
fn expression(glob: &str) -> String {
    let mut expression = String::new();
    let mut rest = glob;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        rest = behind;
        match c {
            '*' if behind.starts_with("*/") => {
                rest = &behind[2..];
                expression.push_str("(?:(?s-u:.*)/)?");
            }
            '*' if behind.starts_with('*') => {
                rest = behind.trim_start_matches('*');
                expression.push_str("(?s-u:.*)");
            }
            '*' => expression.push_str("(?-u:[^/]*)"),
            '?' => expression.push_str(r"(?:[^/]|(?-u:[\x80-\xff]))"),
            '[' => match class(behind) {
                Some((class, behind)) => {
                    expression.push_str(&class);
                    rest = behind;
                }
                None => expression.push_str(r"\["),
            },
            '\\' => {
                let next = behind.chars().next().unwrap_or('\\');
                expression.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
                rest = behind.get(next.len_utf8()..).unwrap_or_default();
            }
            c => expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    expression
}

/// The class that begins behind a bracket, and what follows it; `None` when it
/// does not end.
fn class(text: &str) -> Option<(String, &str)> {
    let (negated, mut rest) = match text.strip_prefix(['!', '^']) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut class = String::new();
    loop {
        let c = rest.chars().next()?;
        let behind = &rest[c.len_utf8()..];
        match c {
            ']' if !class.is_empty() => {
                rest = behind;
                break;
            }
            '[' if behind.starts_with(':') && behind.contains(":]") => {
                let end = behind.find(":]")? + 2;
                class.push('[');
                class.push_str(&behind[..end]);
                rest = &behind[end..];
                continue;
            }
            '-' => class.push('-'),
            '\\' => {
                let next = behind.chars().next()?;
                class.push_str(&in_class(next));
                rest = &behind[next.len_utf8()..];
                continue;
            }
            c => class.push_str(&in_class(c)),
        }
        rest = behind;
    }
    // A slash is in no class: it parts names.
    let class = match negated {
        true => format!("[^/{class}]"),
        false => format!("[{class}]"),
    };
    Some((class, rest))
}

/// A character as it stands for itself in a class.
fn in_class(c: char) -> String {
    match c {
        '[' | ']' | '\\' | '^' | '&' | '~' | '-' => format!("\\{c}"),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does a glob match?
    fn matches(glob: &str, name: &[u8]) -> bool {
        let expression = format!(r"\A(?:{})\z", expression(glob));
        build(&expression, Style::default())
            .expect(glob)
            .is_match(name)
    }

    #[test]
    fn globs_are_those_of_a_shell() {
        for (glob, name, expected) in [
            ("*.tex", &b"a.tex"[..], true),
            ("*.tex", b".tex", true),
            ("*.tex", b"a.text", false),
            ("*.tex", b"a.TEX", false),
            ("*", b"a\nb", true),
            ("*", b"\xff\xfe", true),
            ("a?c", b"abc", true),
            ("a?c", b"a\xc3\xa9c", true),
            ("a?c", b"a\xffc", true),
            ("a?c", b"ac", false),
            ("a?c", b"a/c", false),
            ("[a-c]", b"b", true),
            ("[!a-c]", b"b", false),
            ("[^a-c]", b"d", true),
            ("[]x]", b"]", true),
            ("[!]x]", b"]", false),
            ("[a-]", b"-", true),
            ("[[:digit:]]x", b"7x", true),
            ("[[:digit:]]x", b"ax", false),
            ("[\\]]", b"]", true),
            ("[&~]", b"&", true),
            ("[", b"[", true),
            ("a[b", b"a[b", true),
            ("a\\*", b"a*", true),
            ("a\\*", b"ab", false),
            ("\\", b"\\", true),
            ("a+b(c)", b"a+b(c)", true),
            ("a.c", b"abc", false),
            // Of whole paths.
            ("home/*.tex", b"home/a.tex", true),
            ("home/*.tex", b"home/b/a.tex", false),
            ("home/**/a", b"home/a", true),
            ("home/**/a", b"home/b/c/a", true),
            ("home/**", b"home/b/c", true),
            ("*/[!x]", b"home//", false),
        ] {
            let shown = String::from_utf8_lossy(name);
            assert_eq!(matches(glob, name), expected, "{glob} on {shown}");
        }
    }

    #[test]
    fn a_glob_may_begin_with_the_path_of_a_tree() {
        let trees = [
            (PathBuf::from("/home"), OsString::from("home")),
            (PathBuf::from("/home/a*b/x"), OsString::from("x*")),
        ];
        let found = |glob| in_dump(glob, &trees);
        assert_eq!(found("/home/*.tex").as_deref(), Ok("home/*.tex"));
        assert_eq!(found("/home/a*b/x/y").as_deref(), Ok("x\\*/y"));
        assert!(found("/homes/a").expect_err("no tree").contains("--main"));
    }

    #[test]
    fn what_is_no_expression_says_why() {
        let style = Style {
            regex: true,
            ..Style::default()
        };
        let said = test(OsStr::new("a("), style, &[]).expect_err("unclosed");
        assert_eq!(said, "not a regular expression: unclosed group");
    }
}
