//! Spans of time as a person types them: `3d`, `12h`, `1y6mo`.
//!
//! The units are `min`, `h`, `d`, `w`, `mo` and `y`. A lone `m` could be
//! minutes as well as months, and is refused; only in the rules of retention,
//! where restic has it so, it is months.

use super::date::Ago;

/// The text is not a span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a span of time: {why}")]
pub struct BadSpan {
    text: String,
    why: NoSpan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NoSpan {
    #[error("use numbers with min, h, d, w, mo or y behind them, such as 12h, 3d or 1y6mo")]
    Form,
    #[error("{0}min or {0}mo?")]
    LoneM(u32),
    #[error("its numbers are too large")]
    TooLarge,
}

/// What a lone `m` stands for.
#[derive(Clone, Copy)]
enum LoneM {
    Refused,
    Months,
}

impl Ago {
    /// Reads a span: numbers with units, which add up.
    ///
    /// ```
    /// use dumpcore::Ago;
    ///
    /// let ago = Ago::parse("1y6mo")?;
    /// assert_eq!((ago.years, ago.months), (1, 6));
    /// let refused = Ago::parse("6m").expect_err("minutes or months?").to_string();
    /// assert!(refused.ends_with("6min or 6mo?"));
    /// # Ok::<(), dumpcore::BadSpan>(())
    /// ```
    ///
    /// # Errors
    /// The text has no such form.
    pub fn parse(text: &str) -> Result<Self, BadSpan> {
        Self::parse_with(text, LoneM::Refused)
    }

    /// The same where `m` is months: in the rules of retention, as restic has
    /// it.
    ///
    /// # Errors
    /// The text has no such form.
    pub fn parse_for_keeping(text: &str) -> Result<Self, BadSpan> {
        Self::parse_with(text, LoneM::Months)
    }

    fn parse_with(text: &str, lone_m: LoneM) -> Result<Self, BadSpan> {
        let because = |why| BadSpan {
            text: text.to_owned(),
            why,
        };
        let mut ago = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (number, behind) = split(rest, |b| b.is_ascii_digit());
            let (unit, behind) = split(behind, |b| b.is_ascii_alphabetic());
            if number.is_empty() || unit.is_empty() {
                return Err(because(NoSpan::Form));
            }
            let number = number.parse().map_err(|_| because(NoSpan::TooLarge))?;
            ago = ago.plus(number, unit, lone_m).map_err(because)?;
            rest = behind;
        }
        if text.is_empty() {
            return Err(because(NoSpan::Form));
        }
        Ok(ago)
    }

    fn plus(mut self, number: u32, unit: &str, lone_m: LoneM) -> Result<Self, NoSpan> {
        let (part, times) = match (unit, lone_m) {
            ("min", _) => (&mut self.minutes, 1),
            ("h", _) => (&mut self.hours, 1),
            ("d", _) => (&mut self.days, 1),
            ("w", _) => (&mut self.days, 7),
            ("mo", _) | ("m", LoneM::Months) => (&mut self.months, 1),
            ("y", _) => (&mut self.years, 1),
            ("m" | "M", _) => return Err(NoSpan::LoneM(number)),
            _ => return Err(NoSpan::Form),
        };
        let more = number.checked_mul(times).ok_or(NoSpan::TooLarge)?;
        *part = part.checked_add(more).ok_or(NoSpan::TooLarge)?;
        Ok(self)
    }
}

/// Does a text begin as a span does: with a number that a unit follows?
#[must_use]
pub(crate) fn begins_as_span(text: &str) -> bool {
    let (number, behind) = split(text, |b| b.is_ascii_digit());
    let all = behind.bytes().all(|b| b.is_ascii_alphanumeric());
    !number.is_empty() && !behind.is_empty() && all
}

/// The longest beginning of such bytes, and the rest.
fn split(text: &str, is: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|b| !is(b)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(ago: Ago) -> [u32; 5] {
        [ago.years, ago.months, ago.days, ago.hours, ago.minutes]
    }

    #[test]
    fn numbers_with_units_add_up() {
        for (text, expected) in [
            ("3d", [0, 0, 3, 0, 0]),
            ("2w", [0, 0, 14, 0, 0]),
            ("1w3d", [0, 0, 10, 0, 0]),
            ("1y6mo", [1, 6, 0, 0, 0]),
            ("6mo1y", [1, 6, 0, 0, 0]),
            ("1y2mo3w4d5h6min", [1, 2, 25, 5, 6]),
            ("0h", [0; 5]),
            ("007d", [0, 0, 7, 0, 0]),
            ("90min", [0, 0, 0, 0, 90]),
        ] {
            assert_eq!(Ago::parse(text).map(parts), Ok(expected), "{text}");
            assert_eq!(
                Ago::parse_for_keeping(text).map(parts),
                Ok(expected),
                "{text}"
            );
        }
        let months = Ago::parse_for_keeping("1y6m").map(parts);
        assert_eq!(months, Ok([1, 6, 0, 0, 0]));
    }

    #[test]
    fn what_is_not_a_span_says_what_would_be() {
        for (text, why) in [
            ("6m", "6min or 6mo?"),
            ("1y6m", "6min or 6mo?"),
            ("6M", "6min or 6mo?"),
            ("99999999999d", "its numbers are too large"),
            ("4294967295w", "its numbers are too large"),
            ("4294967295d1d", "its numbers are too large"),
        ] {
            let said = Ago::parse(text).expect_err(text).to_string();
            assert_eq!(said, format!("'{text}' is not a span of time: {why}"));
        }
        for text in [
            "",
            "d",
            "3",
            "3d4",
            "d3",
            "3 d",
            "3D",
            "3days",
            "-3d",
            "3.5d",
            "3s",
            "\u{0663}d",
        ] {
            let said = Ago::parse(text).expect_err(text).to_string();
            assert!(
                said.contains(": use numbers with min, h, d, w, mo or y"),
                "{said}"
            );
        }
        let capital = Ago::parse_for_keeping("6M")
            .expect_err("refused")
            .to_string();
        assert!(capital.ends_with("6min or 6mo?"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9hdwmoyin]{0,12}") {
            if let Ok(ago) = Ago::parse(&text) {
                prop_assert!(begins_as_span(&text));
                prop_assert_eq!(Ago::parse_for_keeping(&text), Ok(ago));
            }
        }
    }
}
