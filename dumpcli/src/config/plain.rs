//! The messages of the TOML parser in plain words: what was expected and what
//! was found, as a person who writes TOML names it, not as serde does.

/// A message of the parser in one line, reworded where the form is known.
pub(super) fn message(parser: &str) -> String {
    let lines: Vec<&str> = parser.lines().map(str::trim).collect();
    let text = lines.join("; ");
    mismatch(&text)
        .or_else(|| unknown(&text))
        .unwrap_or_else(|| text.clone())
}

/// `invalid type: sequence, expected a string`
fn mismatch(text: &str) -> Option<String> {
    let rest = text
        .strip_prefix("invalid type: ")
        .or_else(|| text.strip_prefix("invalid value: "))?;
    // What was found may hold the mark itself.
    let (found, expected) = rest.rsplit_once(", expected ")?;
    Some(format!(
        "expected {}, found {}",
        wanted(expected),
        given(found)
    ))
}

fn wanted(expected: &str) -> &str {
    match expected {
        "a nonzero u16" => "a number from 1 to 65535",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

fn given(found: &str) -> String {
    let kinds = [
        ("string ", "", ""),
        ("integer `", "`", "the number "),
        ("floating point `", "`", "the number "),
        ("boolean `", "`", ""),
    ];
    for (start, end, article) in kinds {
        let value = found
            .strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(end));
        if let Some(value) = value {
            return format!("{article}{value}");
        }
    }
    match found {
        "sequence" => "a list".to_owned(),
        "map" => "a table or a date".to_owned(),
        other => other.to_owned(),
    }
}

/// `` unknown field `mian`, expected one of `main`, `dump` ``
fn unknown(text: &str) -> Option<String> {
    let kinds = [("unknown field ", "key"), ("unknown variant ", "value")];
    kinds.iter().find_map(|(start, kind)| {
        let rest = text.strip_prefix(start)?;
        let (name, known) = rest
            .split_once(", expected one of ")
            .or_else(|| rest.split_once(", expected "))?;
        let keys = known.split([',', ' ']).map(|word| word.trim_matches('`'));
        let meant = meant(name.trim_matches('`'), keys);
        let list = match meant.is_empty() {
            true => format!("; the {kind}s are {known}"),
            false => format!("{meant} The {kind}s are {known}"),
        };
        Some(format!("unknown {kind} {name}{list}"))
    })
}

/// The one of these words that was most likely meant, as a question; empty when
/// none is similar.
pub(super) fn meant<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> String {
    let alike = known.map(|known| (strsim::jaro(word, known), known));
    let best = alike.max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        // As much as clap asks of options.
        Some((alike, known)) if alike > 0.7 => format!("; did you mean `{known}`?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_parser_says_is_said_in_plain_words() {
        for (parser, plain) in [
            (
                "invalid type: string \"4\", expected a nonzero u16",
                "expected a number from 1 to 65535, found \"4\"",
            ),
            (
                "invalid value: integer `0`, expected a nonzero u16",
                "expected a number from 1 to 65535, found the number 0",
            ),
            (
                "invalid type: string \"yes\", expected a boolean",
                "expected true or false, found \"yes\"",
            ),
            (
                "invalid type: boolean `true`, expected a string",
                "expected a string, found true",
            ),
            (
                "invalid type: sequence, expected a string",
                "expected a string, found a list",
            ),
            (
                "invalid type: integer `3`, expected struct Slave",
                "expected a table, found the number 3",
            ),
            (
                "invalid type: string \", expected a b\", expected a boolean",
                "expected true or false, found \", expected a b\"",
            ),
            (
                "unknown field `mian`, expected one of `main`, `dump`",
                "unknown key `mian`; did you mean `main`? The keys are `main`, `dump`",
            ),
            (
                "unknown variant `paper`, expected one of `auto`, `journal`",
                "unknown value `paper`; the values are `auto`, `journal`",
            ),
            (
                "invalid basic string\nexpected `\"`",
                "invalid basic string; expected `\"`",
            ),
        ] {
            assert_eq!(message(parser), plain);
        }
    }
}
