//! Which part of a path a pattern looks at, and how.
//!
//! Promises that the cheapest test is chosen when the rule is read: most rules
//! name a file or a suffix, and are then one comparison with the last name.
//! How a pattern's shape decides its scope is rsync's, oddities included: it is
//! read off the raw bytes, so an escaped `\**` or a `/` within brackets counts.

use super::glob::{self, Subject, Token};

/// A pattern, ready to be held against paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Matcher {
    /// Matches nothing: an unclosed bracket, say.
    Never,
    /// Looks at the last name only.
    Name(NameTest),
    /// The whole path is this.
    Whole(Box<[u8]>),
    /// The path ends in these components.
    Tail(Box<[u8]>),
    /// The wildcards match some part of the path.
    Glob { tokens: Box<[Token]>, scope: Scope },
}

/// A test of a single name, which holds no slash and is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NameTest {
    Any,
    Is(Box<[u8]>),
    StartsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
    Glob(Box<[Token]>),
}

/// The part of a path that wildcards must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of it; for a directory with a slash thought behind it, if asked.
    Whole { slash_after_dir: bool },
    /// All of it with a slash thought before it, and behind as above.
    Rooted { slash_after_dir: bool },
    /// This many components at its end.
    Tail(usize),
}

impl Matcher {
    /// Of a pattern without its sign and without the final slash that asks for
    /// directories.
    pub(super) fn new(pattern: &[u8]) -> Matcher {
        let slashes = count_slashes(pattern);
        if !pattern.iter().any(|byte| b"*[?".contains(byte)) {
            return match pattern {
                [b'/', path @ ..] => Matcher::Whole(path.into()),
                _ if slashes > 0 => Matcher::Tail(pattern.into()),
                _ => Matcher::Name(NameTest::Is(pattern.into())),
            };
        }
        let two_stars = pattern.windows(2).any(|pair| pair == b"**");
        let slash_after_dir = pattern.ends_with(b"***");
        let anchored = pattern.strip_prefix(b"/");
        let Some(mut tokens) = glob::tokens(anchored.unwrap_or(pattern)) else {
            return Matcher::Never;
        };
        let scope = if anchored.is_some() {
            Scope::Whole { slash_after_dir }
        } else if two_stars {
            // Such a pattern may start after any slash, or at the top, which
            // is what a leading `**/` says.
            if !pattern.starts_with(b"**") {
                tokens.splice(0..0, [Token::StarStar, Token::Byte(b'/')]);
            }
            Scope::Rooted { slash_after_dir }
        } else if slashes > 0 {
            Scope::Tail(slashes + 1)
        } else {
            return Matcher::Name(NameTest::new(tokens));
        };
        match (scope, tokens.as_slice()) {
            (Scope::Rooted { .. }, [Token::StarStar, Token::Byte(b'/'), name @ ..])
                if !name.contains(&Token::StarStar) && !name.contains(&Token::Byte(b'/')) =>
            {
                Matcher::Name(NameTest::new(name.to_vec()))
            }
            _ => Matcher::Glob {
                tokens: tokens.into(),
                scope,
            },
        }
    }

    /// Does it look further than the last name?
    pub(super) fn needs_path(&self) -> bool {
        !matches!(self, Matcher::Never | Matcher::Name(_))
    }

    /// `name` is the last component of `path`.
    pub(super) fn matches(&self, path: &[u8], name: &[u8], is_dir: bool) -> bool {
        match self {
            Matcher::Never => false,
            Matcher::Name(test) => test.matches(name),
            Matcher::Whole(own) => path == &own[..],
            Matcher::Tail(own) => path
                .strip_suffix(&own[..])
                .is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/")),
            Matcher::Glob { tokens, scope } => scope
                .subject(path, is_dir)
                .is_some_and(|subject| glob::matches(tokens, subject)),
        }
    }
}

impl NameTest {
    fn new(tokens: Vec<Token>) -> NameTest {
        let all = tokens.as_slice();
        let end = all.strip_prefix(&[Token::Star]).map(literal);
        let start = all.strip_suffix(&[Token::Star]).map(literal);
        match (literal(all), end, start) {
            (Some(name), ..) => NameTest::Is(name),
            (_, Some(Some(end)), _) if end.is_empty() => NameTest::Any,
            (_, Some(Some(end)), _) => NameTest::EndsWith(end),
            (_, _, Some(Some(start))) => NameTest::StartsWith(start),
            _ => NameTest::Glob(tokens.into()),
        }
    }

    fn matches(&self, name: &[u8]) -> bool {
        match self {
            NameTest::Any => true,
            NameTest::Is(own) => name == &own[..],
            NameTest::StartsWith(start) => name.starts_with(start),
            NameTest::EndsWith(end) => name.ends_with(end),
            NameTest::Glob(tokens) => glob::matches(tokens, Subject::plain(name)),
        }
    }
}

impl Scope {
    /// What the wildcards are held against; nothing when the path has too few
    /// components.
    fn subject(self, path: &[u8], is_dir: bool) -> Option<Subject<'_>> {
        let (slash_before, slash_after_dir) = match self {
            Scope::Whole { slash_after_dir } => (false, slash_after_dir),
            Scope::Rooted { slash_after_dir } => (true, slash_after_dir),
            Scope::Tail(components) => return tail(path, components).map(Subject::plain),
        };
        Some(Subject {
            slash_before,
            path,
            slash_after: slash_after_dir && is_dir,
        })
    }
}

/// The bytes of a pattern without wildcards.
fn literal(tokens: &[Token]) -> Option<Box<[u8]>> {
    tokens
        .iter()
        .map(|token| match token {
            Token::Byte(byte) => Some(*byte),
            _ => None,
        })
        .collect()
}

/// The last components of a path, if it has that many.
fn tail(path: &[u8], components: usize) -> Option<&[u8]> {
    let before = (0..path.len())
        .rev()
        .filter(|&at| path[at] == b'/')
        .nth(components - 1);
    match before {
        Some(slash) => Some(&path[slash + 1..]),
        None => (count_slashes(path) + 1 == components).then_some(path),
    }
}

fn count_slashes(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'/').count()
}

#[cfg(test)]
mod tests {
    use super::{Matcher, NameTest, tail};

    #[test]
    fn common_rules_become_plain_comparisons() {
        let bytes = |text: &str| Box::from(text.as_bytes());
        for (pattern, expected) in [
            ("a", Matcher::Name(NameTest::Is(bytes("a")))),
            (r"a\b", Matcher::Name(NameTest::Is(bytes(r"a\b")))),
            (r"a\*", Matcher::Name(NameTest::Is(bytes("a*")))),
            ("*", Matcher::Name(NameTest::Any)),
            ("*.o", Matcher::Name(NameTest::EndsWith(bytes(".o")))),
            ("core*", Matcher::Name(NameTest::StartsWith(bytes("core")))),
            ("**/*.o", Matcher::Name(NameTest::EndsWith(bytes(".o")))),
            ("**/a", Matcher::Name(NameTest::Is(bytes("a")))),
            ("/a/b", Matcher::Whole(bytes("a/b"))),
            ("a/b", Matcher::Tail(bytes("a/b"))),
            ("a[", Matcher::Never),
        ] {
            assert_eq!(Matcher::new(pattern.as_bytes()), expected, "{pattern}");
        }
    }

    #[test]
    fn tails_count_components() {
        for (path, components, expected) in [
            ("a", 1, Some("a")),
            ("a", 2, None),
            ("a/b", 1, Some("b")),
            ("a/b", 2, Some("a/b")),
            ("a/b", 3, None),
            ("a/b/c", 2, Some("b/c")),
        ] {
            let found = tail(path.as_bytes(), components);
            assert_eq!(found, expected.map(str::as_bytes), "{components} of {path}");
        }
    }
}
