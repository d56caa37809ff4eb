//! Names, sizes and times as a page shows them.
//!
//! A name may hold anything: what is not printable text is shown as `\NNN`, and
//! characters that turn the direction of writing around as their code, so that a
//! name shows what it is. Each stands isolated from the text around it (`bdi`).

use dumpcli::figures;
use dumpcore::chrono::{DateTime, Local};
use dumpcore::{DumpId, Kind, Printable, RelPath, Time};
use maud::{Markup, html};

use crate::view::calendar::{day_of, is_checkpoint, time_of};
use crate::view::timeline::month;

/// A name or path as text without characters that mislead.
#[must_use]
pub fn plain(bytes: &[u8]) -> String {
    let mut text = String::new();
    for c in Printable(bytes).to_string().chars() {
        match c {
            '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => {
                text.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => text.push(c),
        }
    }
    text
}

/// A name or path, isolated from the text around it.
#[must_use]
pub fn name(bytes: &[u8]) -> Markup {
    html! { bdi { (plain(bytes)) } }
}

/// The last name of a path.
#[must_use]
pub fn last(within: &RelPath) -> &[u8] {
    let bytes = within.as_bytes();
    bytes.rsplit(|b| *b == b'/').next().unwrap_or(bytes)
}

/// A size as a person reads it, exact where a pointer rests on it.
#[must_use]
pub fn size(bytes: u64) -> Markup {
    html! { span title={ (figures::number(bytes)) " bytes" } { (figures::bytes(bytes)) } }
}

/// How much larger or smaller something became.
#[must_use]
pub fn growth(before: u64, after: u64) -> String {
    match after.checked_sub(before) {
        Some(0) => "same size".to_owned(),
        Some(more) => format!("+{}", figures::bytes(more)),
        None => format!("−{}", figures::bytes(before - after)),
    }
}

/// When something was modified, to the minute.
#[must_use]
pub fn time(time: Time) -> Markup {
    let at = DateTime::from_timestamp(time.secs, 0).map(|at| at.with_timezone(&Local));
    html! {
        @match at {
            Some(at) => {
                time datetime=(at.to_rfc3339()) title=(at.format("%Y-%m-%d %H:%M:%S %:z")) {
                    (at.format("%Y-%m-%d %H:%M"))
                }
            }
            None => { "@" (time.secs) }
        }
    }
}

/// When a dump was made: `Sun 22 Nov 2026, 23:31`.
#[must_use]
pub fn moment(dump: DumpId, at: Option<DateTime<Local>>) -> String {
    match (dump, at) {
        (DumpId::First, _) | (_, None) => "first copy".to_owned(),
        (_, Some(at)) => at.format("%a %-d %b %Y, %H:%M").to_string(),
    }
}

/// The date that a dump is named after: `22 Nov 2026, 23:31`.
#[must_use]
pub fn date(dump: DumpId) -> String {
    let Some((year, number, day)) = day_of(dump) else {
        return "first copy".to_owned();
    };
    let kind = if is_checkpoint(dump) {
        ", checkpoint"
    } else {
        ""
    };
    format!("{day} {} {year}, {}{kind}", month(number), time_of(dump))
}

/// What an entry is, in one word, and the class of its symbol.
#[must_use]
pub fn kind(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Dir) => "folder",
        Some(Kind::File) => "file",
        Some(Kind::Symlink) => "link",
        Some(_) => "special",
        None => "closed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_misleads() {
        for (bytes, shown) in [
            (&b"plain"[..], "<bdi>plain</bdi>"),
            (
                b"<script>alert('x')</script>&\"",
                "<bdi>&lt;script&gt;alert('x')&lt;/script&gt;&amp;&quot;</bdi>",
            ),
            (b"a\nb\xff", "<bdi>a\\012b\\377</bdi>"),
            (
                "photo\u{202e}gpj.exe".as_bytes(),
                "<bdi>photo\\u{202e}gpj.exe</bdi>",
            ),
            (
                "\u{2066}x\u{200b}".as_bytes(),
                "<bdi>\\u{2066}x\\u{200b}</bdi>",
            ),
        ] {
            assert_eq!(name(bytes).into_string(), shown);
        }
    }

    #[test]
    fn a_dump_has_the_date_of_its_name() {
        for (name, shown) in [
            (&b"2026/1122/2331"[..], "22 Nov 2026, 23:31"),
            (b"2026/0105/0800_chk", "5 Jan 2026, 08:00, checkpoint"),
            (b"first", "first copy"),
        ] {
            let dump = DumpId::parse(name).expect("a name");
            assert_eq!(date(dump), shown);
        }
    }

    #[test]
    fn growth_has_a_sign() {
        assert_eq!(growth(1024, 3072), "+2.00 KiB");
        assert_eq!(growth(3072, 1024), "−2.00 KiB");
        assert_eq!(growth(1, 1), "same size");
    }
}
