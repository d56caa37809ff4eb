//! Wildcard patterns, compiled once and matched often.
//!
//! Promises the meaning of rsync's wildcards (`*` and `?` stop at a slash, `**`
//! does not) in polynomial time: a dead end is left by moving only the last
//! `*`, then the last `**`, never by trying all combinations.

use super::class::ByteSet;

/// One step of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Byte(u8),
    /// `?`: one byte that is not a slash.
    AnyByte,
    Set(Box<ByteSet>),
    /// `*`: any run without a slash.
    Star,
    /// `**` or longer: any run.
    StarStar,
}

impl Token {
    fn accepts(&self, byte: u8) -> bool {
        match self {
            Token::Byte(own) => *own == byte,
            Token::AnyByte => byte != b'/',
            Token::Set(set) => set.contains(byte),
            Token::Star | Token::StarStar => false,
        }
    }
}

/// Splits a pattern that holds a wildcard into steps; nothing when it cannot
/// match any name: a bracket is not closed, or a backslash ends the pattern.
pub(super) fn tokens(mut pattern: &[u8]) -> Option<Vec<Token>> {
    let mut tokens = Vec::with_capacity(pattern.len());
    while let [byte, rest @ ..] = pattern {
        let (token, rest) = match byte {
            b'\\' => (Token::Byte(*rest.first()?), &rest[1..]),
            b'?' => (Token::AnyByte, rest),
            b'*' => {
                let stars = rest.iter().take_while(|&&byte| byte == b'*').count();
                let token = if stars == 0 {
                    Token::Star
                } else {
                    Token::StarStar
                };
                (token, &rest[stars..])
            }
            b'[' => {
                let (set, rest) = ByteSet::parse(rest)?;
                (Token::Set(Box::new(set)), rest)
            }
            byte => (Token::Byte(*byte), rest),
        };
        tokens.push(token);
        pattern = rest;
    }
    Some(tokens)
}

/// What a pattern is held against: a path, for some patterns with a slash
/// thought before it (so that `**/a` finds `a` at the top) or after it (so that
/// `a/***` finds the directory itself).
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) slash_before: bool,
    pub(super) path: &'a [u8],
    pub(super) slash_after: bool,
}

impl<'a> Subject<'a> {
    pub(super) fn plain(path: &'a [u8]) -> Subject<'a> {
        Subject {
            slash_before: false,
            path,
            slash_after: false,
        }
    }

    fn len(&self) -> usize {
        usize::from(self.slash_before) + self.path.len() + usize::from(self.slash_after)
    }

    fn at(&self, index: usize) -> u8 {
        index
            .checked_sub(usize::from(self.slash_before))
            .and_then(|index| self.path.get(index))
            .copied()
            .unwrap_or(b'/')
    }

    /// Where this byte comes next.
    fn find(&self, byte: u8, from: usize) -> Option<usize> {
        (from..self.len()).find(|&index| self.at(index) == byte)
    }
}

/// Does the whole subject match the whole pattern?
pub(super) fn matches(tokens: &[Token], subject: Subject<'_>) -> bool {
    matches_by(tokens, subject, || ())
}

/// The same; `step` hears of each look at a token.
///
/// Each wildcard first takes as little as it can. Only the last `*` need ever
/// be moved: it cannot cross a slash, so an earlier one that took more would
/// leave it a part of the same component. Likewise only the last `**`, since
/// what stands before it ended as early as possible.
fn matches_by(tokens: &[Token], subject: Subject<'_>, mut step: impl FnMut()) -> bool {
    let len = subject.len();
    let (mut token, mut at) = (0, 0);
    let mut star = None;
    let mut star_star = None;
    loop {
        step();
        match tokens.get(token) {
            Some(Token::Star) => {
                token += 1;
                star = Some((token, at));
                continue;
            }
            Some(Token::StarStar) => {
                token += 1;
                if token == tokens.len() {
                    return true;
                }
                star = None;
                star_star = Some((token, at));
                continue;
            }
            Some(one) if at < len && one.accepts(subject.at(at)) => {
                token += 1;
                at += 1;
                continue;
            }
            None if at == len => return true,
            _ => {}
        }
        match star {
            Some((next, from)) if from < len && subject.at(from) != b'/' => {
                (token, at) = (next, from + 1);
                star = Some((token, at));
                continue;
            }
            // It met the end, not a slash: what follows it fits nowhere
            // behind, so starting later cannot help either.
            Some((_, from)) if from == len => return false,
            _ => star = None,
        }
        match star_star {
            Some((next, from)) if from < len => {
                // Most patterns continue with a fixed byte, mostly a slash: the
                // places between are hopeless.
                let start = match tokens[next] {
                    Token::Byte(byte) => subject.find(byte, from + 1),
                    _ => Some(from + 1),
                };
                let Some(start) = start else {
                    return false;
                };
                (token, at) = (next, start);
                star_star = Some((token, at));
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Subject, matches, matches_by, tokens};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn glob(pattern: &str, path: &str) -> bool {
        tokens(pattern.as_bytes())
            .is_some_and(|tokens| matches(&tokens, Subject::plain(path.as_bytes())))
    }

    #[test]
    fn wildcards_against_whole_paths() {
        for (pattern, path, expected) in [
            ("*", "", true),
            ("*", "ab", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("***", "a/b", true),
            ("?", "/", false),
            ("a?c", "abc", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b/c", "aXb/Yb/c", false),
            ("a**b/c", "aXb/Yb/c", true),
            ("**a*b", "a/ab", true),
            ("**a*b", "a/a/b", false),
            ("**/a*b/**c", "x/ab/y/ab/cc", true),
            ("*/b*", "a/bc", true),
            ("**b*c/d", "b/bxc/bc/d", true),
            ("[!a]", "/", false),
            ("a[/]b", "a/b", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            (r"\a*", "ab", true),
            (r"*\", r"a\", false),
            ("*[", "a[", false),
            ("[[:foo:]]*", "f", false),
        ] {
            assert_eq!(glob(pattern, path), expected, "{pattern} against {path}");
        }
    }

    #[test]
    fn slashes_are_thought_at_the_ends() {
        let tokens = tokens(b"**/a/***").expect("a pattern that can match");
        let against = |slash_before, slash_after| {
            matches(
                &tokens,
                Subject {
                    slash_before,
                    path: b"a",
                    slash_after,
                },
            )
        };
        assert!(against(true, true));
        assert!(!against(true, false));
        assert!(!against(false, true));
    }

    /// Each of these would outlast the machine if wildcards were tried in all
    /// combinations.
    #[test]
    fn many_wildcards_do_not_explode() {
        let name = "a".repeat(255);
        let path = vec![name.as_str(); 16].join("/");
        for stars in ["*", "**"] {
            let pattern = format!("{}b", format!("{stars}a").repeat(60));
            assert!(!glob(&pattern, &name), "{stars} against a name");
            assert!(!glob(&pattern, &path), "{stars} against a path");
            assert!(glob(&pattern, &format!("{name}b")), "{stars} with its end");
        }
        let mixed = format!("{}b", "**a*a/*a".repeat(12));
        assert!(!glob(&mixed, &path));
        assert!(glob(&mixed, &format!("{path}b")));
    }

    proptest! {
        /// The last `**` and the last `*` each move on by a byte at most as
        /// often as there are bytes, and the pattern is gone through between.
        #[test]
        fn no_pattern_takes_more_than_its_steps(
            pattern in vec(select(vec!["*", "**", "a", "?", "[ab]", "/"]), 1..24),
            path in vec(select(vec!["a", "b", "ab", "/"]), 0..60),
        ) {
            let (pattern, path) = (pattern.concat(), path.concat());
            let Some(tokens) = tokens(pattern.as_bytes()) else {
                return Ok(());
            };
            let mut steps = 0;
            matches_by(&tokens, Subject::plain(path.as_bytes()), || steps += 1);
            let (tokens, bytes) = (tokens.len() + 1, path.len() + 1);
            let most = bytes * (bytes + tokens) * tokens;
            prop_assert!(steps <= most, "{steps} steps, at most {most}");
        }
    }
}
