//! Bracket expressions: `[abc]`, `[!a-z]`, `[[:upper:]]`.
//!
//! Promises a set of bytes that is settled when the rule is read, so that a
//! match is one table look-up. Characters are bytes and the named classes are
//! those of the C locale: a name is not text, and a filter must not change its
//! mind with the caller's language.

/// The bytes that one bracket expression accepts; never a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    /// Reads the expression that follows an opening bracket. Returns the set
    /// and what stands behind the closing bracket, or nothing when the
    /// expression is not closed or names an unknown class: such a pattern
    /// matches no name at all.
    pub(super) fn parse(after_bracket: &[u8]) -> Option<(ByteSet, &[u8])> {
        let (inverted, mut rest) = match after_bracket {
            [b'!' | b'^', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let mut set = ByteSet([0; 4]);
        // The lower end that a hyphen would continue; ranges and named classes
        // leave none. The first character counts even when it is `]`.
        let mut low = None;
        loop {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            low = match (byte, low, rest) {
                (b'\\', ..) => Some(set.with(shift(&mut rest)?)),
                (b'-', Some(low), [high, ..]) if *high != b']' => {
                    let high = match shift(&mut rest)? {
                        b'\\' => shift(&mut rest)?,
                        high => high,
                    };
                    set.insert_all(low..=high);
                    None
                }
                (b'[', _, [b':', name @ ..]) => {
                    let end = name.iter().position(|&byte| byte == b']')?;
                    match name[..end].strip_suffix(b":") {
                        Some(class) => {
                            let member = named_class(class)?;
                            set.insert_all((0..=u8::MAX).filter(member));
                            rest = &name[end + 1..];
                            None
                        }
                        None => Some(set.with(b'[')),
                    }
                }
                _ => Some(set.with(byte)),
            };
            if let [b']', behind @ ..] = rest {
                if inverted {
                    set.0 = set.0.map(|word| !word);
                }
                set.remove(b'/');
                return Some((set, behind));
            }
        }
    }

    fn insert_all(&mut self, bytes: impl Iterator<Item = u8>) {
        for byte in bytes {
            self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
    }

    /// Inserts a byte, which a hyphen may then continue.
    fn with(&mut self, byte: u8) -> u8 {
        self.insert_all(std::iter::once(byte));
        byte
    }

    fn remove(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] &= !(1 << (byte & 63));
    }
}

fn shift(rest: &mut &[u8]) -> Option<u8> {
    let (&byte, after) = rest.split_first()?;
    *rest = after;
    Some(byte)
}

/// The test behind a name such as `upper`.
fn named_class(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        // C counts the vertical tab as space, Rust's `is_ascii_whitespace` does not.
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::ByteSet;

    /// The printable members of an expression and what is left behind it.
    fn members(expression: &str) -> Option<(String, &str)> {
        let (set, behind) = ByteSet::parse(expression.as_bytes())?;
        let members = (b' '..=b'~').filter(|&byte| set.contains(byte));
        let behind = &expression[expression.len() - behind.len()..];
        Some((members.map(char::from).collect(), behind))
    }

    #[test]
    fn expressions_hold_what_they_say() {
        for (expression, expected, behind) in [
            ("abc]d", "abc", "d"),
            ("]a]", "]a", ""),
            ("a-d]", "abcd", ""),
            ("d-a]", "d", ""),
            ("a-]", "-a", ""),
            ("-a]", "-a", ""),
            ("a-c-e]", "-abce", ""),
            ("+-/]", "+,-.", ""),
            (r"\]]", "]", ""),
            (r"a-\c]", "abc", ""),
            (r"\a-c]", "abc", ""),
            ("[:digit:]x]", "0123456789x", ""),
            ("[:digit:]-x]", "-0123456789x", ""),
            ("[:x]", ":[x", ""),
            ("[:]", ":[", ""),
            ("a-[:]", ":a", ""),
            ("[:digit]:]", ":[dgit", ":]"),
            ("^!-~]", " ", ""),
            (r"!]!-\~]~", " ", "~"),
        ] {
            let expected = expected.to_owned();
            assert_eq!(
                members(expression),
                Some((expected, behind)),
                "[{expression}"
            );
        }
    }

    #[test]
    fn expressions_that_match_nothing_are_told_apart() {
        for expression in [
            "",
            "]",
            "!",
            "!]",
            "abc",
            r"a\",
            r"a-\",
            "a-",
            "[:digit:]",
            "[:digit",
            "[:hex:]]",
            "[::]]",
        ] {
            assert_eq!(members(expression), None, "[{expression}");
        }
    }
}
