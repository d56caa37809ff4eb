//! From the text of a rule to what it asks for.
//!
//! Promises that no rule is dropped or bent in silence: what is neither a rule
//! here nor surely a pattern is refused.

use super::error::FilterRefusal;

/// The longest pattern that rsync keeps, in bytes.
const LONGEST: usize = 4095;

/// What the text of one rule asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement<'a> {
    /// Forget all rules so far.
    Clear,
    Pattern {
        include: bool,
        /// Only directories are meant.
        dirs: bool,
        /// Without sign and final slash.
        pattern: &'a [u8],
    },
}

/// The mark that some editors put at the start of a file in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The same at the start of UTF-16 and UTF-32, in either order of bytes.
const WIDE_MARKS: [&[u8]; 3] = [b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"];

/// The rules of a file without a byte order mark, which is part of no name.
/// Of a file whose characters are wider than bytes, its mark.
pub(super) fn unmarked(contents: &[u8]) -> Result<&[u8], &[u8]> {
    let wide = WIDE_MARKS
        .into_iter()
        .find(|mark| contents.starts_with(mark));
    match wide {
        Some(mark) => Err(mark),
        None => Ok(contents.strip_prefix(BYTE_ORDER_MARK).unwrap_or(contents)),
    }
}

/// The lines of a file that hold rules, numbered from 1: neither empty nor
/// comments. A line ends at LF, CR, or CR LF; blanks at its ends count.
pub(super) fn lines(contents: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut rest = Some(contents);
    let all = std::iter::from_fn(move || {
        let text = rest?;
        let end = text.iter().position(|byte| b"\r\n".contains(byte));
        let line = &text[..end.unwrap_or(text.len())];
        rest = end.map(|end| match &text[end..] {
            [b'\r', b'\n', rest @ ..] => rest,
            after => &after[1..],
        });
        Some(line)
    });
    all.enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !matches!(line, [] | [b';' | b'#', ..]))
}

/// Reads one rule, which is not empty.
pub(super) fn statement(rule: &[u8]) -> Result<Statement<'_>, FilterRefusal> {
    if rule.contains(&0) {
        return Err(FilterRefusal::Nul);
    }
    let (include, pattern) = match rule {
        b"!" => return Ok(Statement::Clear),
        [b'+', b' ', pattern @ ..] => (true, pattern),
        [b'-', b' ', pattern @ ..] => (false, pattern),
        pattern => match filter_rule(pattern) {
            Some(refusal) => return Err(refusal),
            None => (false, pattern),
        },
    };
    match pattern {
        [] => Err(FilterRefusal::Empty),
        _ if pattern.len() > LONGEST => Err(FilterRefusal::TooLong),
        [pattern @ .., b'/'] if !pattern.is_empty() => Ok(Statement::Pattern {
            include,
            dirs: true,
            pattern,
        }),
        _ => Ok(Statement::Pattern {
            include,
            dirs: false,
            pattern,
        }),
    }
}

/// Is this a rule of the full filter language that cannot be honoured here?
///
/// In a list of excludes rsync takes these for patterns. Anyone who writes
/// `: .rsync-filter` there almost surely means the rule, so it is better
/// refused than taken for a name; a `- ` before it says that a name is meant.
/// Single letters and the words that only stand for `+` or `-` (`H x`, `hide x`)
/// may well be names and stay patterns.
fn filter_rule(rule: &[u8]) -> Option<FilterRefusal> {
    let merge = b"+-/Cenwprsx".as_slice();
    let (head, rest, modifiers, refusal) = match rule {
        b":C" => return Some(FilterRefusal::MergeFile),
        b"-C" => return Some(FilterRefusal::Modifier),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            (*sign, rest, b"/!Cprsx".as_slice(), FilterRefusal::Modifier)
        }
        [dot @ (b'.' | b':'), rest @ ..] => (*dot, rest, merge, FilterRefusal::MergeFile),
        _ => {
            let rest = rule
                .strip_prefix(b"dir-merge")
                .or_else(|| rule.strip_prefix(b"merge"))
                .filter(|rest| matches!(rest, [b' ' | b',', ..]))?;
            (b'.', rest, merge, FilterRefusal::MergeFile)
        }
    };
    let rest = rest.strip_prefix(b",").unwrap_or(rest);
    let space = rest.iter().position(|&byte| byte == b' ')?;
    let known = rest[..space].iter().all(|byte| modifiers.contains(byte));
    let enough = space > 0 || b".:".contains(&head);
    (known && enough && space + 1 < rest.len()).then_some(refusal)
}

#[cfg(test)]
mod tests {
    use super::{FilterRefusal, Statement, lines, statement, unmarked};

    #[test]
    fn a_byte_order_mark_is_part_of_no_rule() {
        type Unmarked = Result<&'static [u8], &'static [u8]>;
        let cases: [(&[u8], Unmarked); 8] = [
            (b"\xef\xbb\xbf*.tmp\r\n", Ok(b"*.tmp\r\n")),
            (b"\xef\xbb\xbf", Ok(b"")),
            (b"\xef\xbb", Ok(b"\xef\xbb")),
            (b"a\n\xef\xbb\xbfb", Ok(b"a\n\xef\xbb\xbfb")),
            (b"\xff\xfe*\0", Err(b"\xff\xfe")),
            (b"\xfe\xff\0*", Err(b"\xfe\xff")),
            (b"\0\0\xfe\xff\0\0\0*", Err(b"\0\0\xfe\xff")),
            (b"\xff", Ok(b"\xff")),
        ];
        for (contents, expected) in cases {
            assert_eq!(unmarked(contents), expected);
        }
    }

    #[test]
    fn lines_end_as_rsync_ends_them() {
        let contents = b"a\n\n#b\n;c\r\n #d\re \r\n\r\nf\0\ng";
        let found: Vec<_> = lines(contents).collect();
        let expected: [(usize, &[u8]); 5] =
            [(1, b"a"), (5, b" #d"), (6, b"e "), (8, b"f\0"), (9, b"g")];
        assert_eq!(found, expected);
        assert_eq!(lines(b"").count() + lines(b"\n").count(), 0);
    }

    #[test]
    fn signs_and_final_slashes() {
        for (rule, include, dirs, pattern) in [
            ("a", false, false, "a"),
            ("- a", false, false, "a"),
            ("+ a", true, false, "a"),
            ("+ a/", true, true, "a"),
            ("a//", false, true, "a/"),
            ("/", false, false, "/"),
            ("//", false, true, "/"),
            ("-  a ", false, false, " a "),
            ("+a", false, false, "+a"),
            ("-\ta", false, false, "-\ta"),
            (" - a", false, false, " - a"),
            ("!a", false, false, "!a"),
            ("! ", false, false, "! "),
            ("- !", false, false, "!"),
            ("#a", false, false, "#a"),
            ("- + a", false, false, "+ a"),
        ] {
            let pattern = pattern.as_bytes();
            let expected = Statement::Pattern {
                include,
                dirs,
                pattern,
            };
            assert_eq!(statement(rule.as_bytes()), Ok(expected), "{rule}");
        }
        assert_eq!(statement(b"!"), Ok(Statement::Clear));
    }

    #[test]
    fn rules_that_only_the_full_language_has_are_refused() {
        for rule in [
            ". a",
            ": .rsync-filter",
            ":C",
            ":n- .filter",
            ":,n a",
            ".e a",
            "merge a",
            "merge,e a",
            "dir-merge .rsync-filter",
            "dir-merge,n- a",
        ] {
            let found = statement(rule.as_bytes());
            assert_eq!(found, Err(FilterRefusal::MergeFile), "{rule}");
        }
        for rule in ["-/ a", "-! a", "+/ a", "-s a", "-,p a", "+xr a", "-C"] {
            let found = statement(rule.as_bytes());
            assert_eq!(found, Err(FilterRefusal::Modifier), "{rule}");
        }
    }

    #[test]
    fn names_that_look_a_little_like_rules_are_patterns() {
        for rule in [
            ".",
            ":",
            ". ",
            ".git",
            ".e",
            ".C",
            "..",
            "./a",
            ".a b",
            "-a b",
            "-",
            "+",
            "-s",
            "-/",
            "merge",
            "merged a",
            "merge.c",
            "dir-merge",
            "H a",
            "P a",
            "hide a",
            "include a",
            "clear",
            "-, a",
            "+ . a",
        ] {
            let found = statement(rule.as_bytes());
            assert!(matches!(found, Ok(Statement::Pattern { .. })), "{rule}");
        }
    }

    #[test]
    fn other_refusals() {
        let longest = vec![b'a'; 4095];
        let signed = [b"+ ".as_slice(), &longest].concat();
        assert!(statement(&signed).is_ok());
        let longer = vec![b'a'; 4096];
        assert_eq!(statement(&longer), Err(FilterRefusal::TooLong));
        assert_eq!(statement(b"+ "), Err(FilterRefusal::Empty));
        assert_eq!(statement(b"- "), Err(FilterRefusal::Empty));
        assert_eq!(statement(b"a\0b"), Err(FilterRefusal::Nul));
    }
}
