//! What messages must not show: the passwords that the address of a repository
//! can have in it, and the values of variables that are secret.
//!
//! A message is written by others, which may cut an address up or encode it
//! again. So each secret that is known is looked for by itself, and whatever else
//! looks like an address loses all that stands before its host.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What stands in the place of a secret.
const HIDDEN: &str = "***";
/// Shorter ones would hide ordinary words, and protect nothing.
const SHORTEST: usize = 4;
/// What a remote of rclone is told and anyone may see.
const OPEN: [&str; 9] = [
    "host", "port", "user", "type", "provider", "region", "endpoint", "url", "env_auth",
];

static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn known() -> MutexGuard<'static, BTreeSet<String>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hides this from now on, in whatever is told.
pub(crate) fn hide(secret: &str) {
    if secret.len() >= SHORTEST {
        let mut known = known();
        known.insert(secret.to_owned());
        known.insert(encoded(secret));
        known.extend(decoded(secret).filter(|decoded| decoded.len() >= SHORTEST));
    }
}

/// Hides the secrets of an address from now on.
pub(crate) fn hide_those_of(repository: &str) {
    if let Some((_, user)) = user_of(repository) {
        hide(user);
        if let Some((_, password)) = user.split_once(':') {
            hide(password);
        }
    }
    for (name, value) in parameters(repository) {
        if !OPEN.contains(&name) {
            // However short it is.
            known().insert(format!("{name}={value}"));
            hide(value);
            hide(unquoted(value));
        }
    }
}

/// The address of a repository as people and logs are told it.
pub(crate) fn shown(repository: &str) -> String {
    let mut shown = repository.to_owned();
    if let Some((start, user)) = user_of(repository) {
        shown.replace_range(start..start + user.len(), HIDDEN);
    } else {
        for (name, value) in parameters(repository) {
            if !OPEN.contains(&name) && !value.is_empty() {
                let whole = format!("{name}={value}");
                shown = shown.replace(&whole, &format!("{name}={HIDDEN}"));
            }
        }
    }
    shown
}

/// A text of others in one line, without secrets.
pub(crate) fn told(text: &str) -> String {
    let mut told = text.to_owned();
    let known = known();
    let mut longest: Vec<&String> = known.iter().collect();
    // One may be in another.
    longest.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in longest {
        told = told.replace(secret.as_str(), HIDDEN);
    }
    let words = told.split_whitespace().map(|word| match user_of(word) {
        Some((start, user)) => {
            let mut word = word.to_owned();
            word.replace_range(start..start + user.len(), HIDDEN);
            word
        }
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Where what an address has before the last `@` begins, and what it is. A password
/// can hold all other characters, also a `/` that should have been encoded.
fn user_of(address: &str) -> Option<(usize, &str)> {
    let start = address.find("://")? + 3;
    let (user, _) = address.get(start..)?.rsplit_once('@')?;
    Some((start, user))
}

/// What a remote of rclone is told behind its name: `nas,pass=x,host=y:path`.
fn parameters(repository: &str) -> Vec<(&str, &str)> {
    let Some(remote) = repository.strip_prefix("rclone:") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    // The first may be of a kind, without a name: `:sftp,…`.
    let name = remote.find([',', ':']).filter(|at| *at > 0);
    let name = name.or_else(|| Some(remote.get(1..)?.find([',', ':'])? + 1));
    let mut rest = name.and_then(|at| remote.get(at..)).unwrap_or_default();
    while let Some(parameter) = rest.strip_prefix(',') {
        let end = end_of(parameter);
        let (one, behind) = parameter.split_at(end);
        found.extend(one.split_once('='));
        rest = behind;
    }
    found
}

/// Where a parameter ends: at a comma or colon that is not quoted. Within quotes,
/// two of them mean one.
fn end_of(parameter: &str) -> usize {
    let mut quote = None;
    for (at, letter) in parameter.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, ',' | ':') => return at,
            (None, _) => {}
        }
    }
    parameter.len()
}

fn unquoted(value: &str) -> &str {
    let inner = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

/// As an address is written that is parsed and printed again.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => encoded.push(char::from(byte)),
            // What is left as it is where a user and a password stand.
            b'%' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b'+'
            | b',' | b'\'' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// What percent signs encode; nothing when that is not text.
fn decoded(text: &str) -> impl Iterator<Item = String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|code| str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match code.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_an_address_is_shown() {
        for (text, expected) in [
            ("/srv/restic", "/srv/restic"),
            ("rest:https://h/r", "rest:https://h/r"),
            ("rest:https://u:p@h:8000/r", "rest:https://***@h:8000/r"),
            ("rest:http://u:p%2F@h", "rest:http://***@h"),
            ("rest:http://u:a)b'c\"d\\e f/g@h/r", "rest:http://***@h/r"),
            ("rest:http://u:a@b@h/r", "rest:http://***@h/r"),
            ("rclone:nas:/srv", "rclone:nas:/srv"),
            (
                "rclone:nas,pass=secret,user=u:/srv",
                "rclone:nas,pass=***,user=u:/srv",
            ),
            (
                "rclone::sftp,host=h,pass=\"a,b:c\":/srv",
                "rclone::sftp,host=h,pass=***:/srv",
            ),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn no_password_is_told() {
        for (text, expected) in [
            (
                "at `http://u:p@h/` and\n http://v:q@i",
                "at `http://***@h/` and http://***@i",
            ),
            ("(http://u:p)x'y@h/)", "(http://***@h/)"),
        ] {
            assert_eq!(told(text), expected);
        }
        hide_those_of("rest:http://u:pass wo/rd\"\\@h/r");
        hide_those_of("rclone::sftp,pass='quoted, secret':/srv");
        hide_those_of("rest:http://u:enco%29ded@h/r");
        for text in [
            "http://u:pass wo/rd\"\\@h/r",
            "the password pass wo/rd\"\\ is wrong",
            "http://u:pass%20wo%2Frd%22%5C@h/r",
            "rclone serve restic :sftp,pass='quoted, secret':/srv",
            "the password is quoted, secret",
            "the password is enco)ded",
        ] {
            let told = told(text);
            let parts = ["wo/rd", "wo%2Frd", "quoted", "enco"];
            assert!(!parts.iter().any(|part| told.contains(part)), "{told}");
        }
    }
}
