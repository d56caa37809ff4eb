//! Names over all dumps.
//!
//! With the catalog that is one question. Without it the dumps are walked below a
//! directory, the newest first, for as long as somebody would wait.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use dumpcore::{Chain, FoundPath, NameTest, RelPath};

use crate::view::error::ViewError;
use crate::view::site::Site;
use crate::view::stop::Stop;

/// The number of paths that are shown at most.
pub const SHOWN: usize = 500;

/// A walk ends after this time.
const LONG_ENOUGH: Duration = Duration::from_secs(15);

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A part of a name, or a pattern with `*` and `?`.
    pub words: String,
    /// Only at or below this path.
    pub below: RelPath,
    /// Only what the newest dump lacks.
    pub deleted: bool,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct SearchResult {
    /// By path, or as they were met.
    pub found: Vec<FoundPath>,
    /// Are there more?
    pub is_cut: bool,
    /// Did the walk end before all dumps were looked through?
    pub is_late: bool,
    /// Why the catalog was not asked.
    pub no_catalog: Option<String>,
    /// Directories that could not be looked through.
    pub unread: u64,
}

/// Ends a walk when it is dropped, or its time is over.
struct Watch(Stop);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.set();
    }
}

impl SearchResult {
    /// Looks for names, until it is told to stop.
    ///
    /// # Errors
    /// The dump root cannot be read.
    pub fn find(site: &Site, wanted: &Wanted, stop: &Stop) -> Result<Self, ViewError> {
        if wanted.words.is_empty() && !wanted.deleted {
            return Ok(Self::default());
        }
        let catalog = site.catalog()?;
        let mut result = Self::default();
        if let Err(error) = &catalog {
            result.no_catalog = Some(Chain(error).to_string());
        }
        let words = Words::new(&wanted.words);
        let test = NameTest::of_name(move |name| words.are_in(name));
        let mut find = site.navigator.find().test(test);
        // One more tells whether there are more.
        find = find
            .deleted(wanted.deleted)
            .most(SHOWN + 1)
            .stop(stop.flag());
        if !wanted.below.is_root() {
            find = find.below(wanted.below.clone());
        }
        let began = Instant::now();
        let _watch = catalog.is_err().then(|| watch(stop.clone()));
        let report = find.run(catalog.as_ref().ok(), &mut |path| {
            if result.found.len() == SHOWN {
                result.is_cut = true;
                return ControlFlow::Break(());
            }
            result.found.push(path);
            ControlFlow::Continue(())
        });
        let report = report?;
        result.is_late = catalog.is_err() && began.elapsed() >= LONG_ENOUGH;
        result.unread = report.closed + report.faults.len() as u64;
        Ok(result)
    }
}

/// Sets the flag when the time is over. Without a thread the walk takes as long as
/// it takes.
fn watch(stop: Stop) -> Watch {
    let shared = stop.clone();
    let wait = move || {
        let end = Instant::now() + LONG_ENOUGH;
        while Instant::now() < end && !shared.is_set() {
            std::thread::sleep(Duration::from_millis(50));
        }
        shared.set();
    };
    let _ = std::thread::Builder::new()
        .name("search".into())
        .spawn(wait);
    Watch(stop)
}

/// A part of a name, whatever the case of its letters; with `*` or `?` the whole
/// name.
struct Words {
    text: String,
    /// The same, where it is a pattern.
    pattern: Option<Vec<char>>,
}

impl Words {
    fn new(text: &str) -> Self {
        let text = text.to_lowercase();
        let is_pattern = text.contains(['*', '?']);
        Self {
            pattern: is_pattern.then(|| text.chars().collect()),
            text,
        }
    }

    fn are_in(&self, name: &[u8]) -> bool {
        let words = self.text.as_bytes();
        // Nearly all names: nothing has to be made of them for that.
        if self.pattern.is_none() && words.is_ascii() && name.is_ascii() {
            let is_there = |part: &[u8]| part.eq_ignore_ascii_case(words);
            return words.is_empty() || name.windows(words.len()).any(is_there);
        }
        let name = String::from_utf8_lossy(name).to_lowercase();
        match &self.pattern {
            Some(pattern) => matches(pattern, &name.chars().collect::<Vec<char>>()),
            None => name.contains(&self.text),
        }
    }
}

/// Does a pattern match a name as a whole? Takes at most the product of their
/// lengths.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while place < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(one) if *one == '?' || *one == name[place] => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some((before, taken)) => {
                    star = Some((before, taken + 1));
                    at = before + 1;
                    place = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|one| *one == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn letters_are_found_in_any_case(name in "[aAbBkKéÉK.]{0,6}", text in "[aAbBkKéÉ.]{0,3}") {
            let plain = name.to_lowercase().contains(&text.to_lowercase());
            prop_assert_eq!(Words::new(&text).are_in(name.as_bytes()), plain);
        }
    }

    #[test]
    fn a_pattern_is_of_the_whole_name() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (pattern, name, expected) in [
            ("*.tex", "letter.tex", true),
            ("*.tex", "letter.text", false),
            ("l?tter*", "letter", true),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("??", "a", false),
            ("", "", true),
        ] {
            let found = matches(&chars(pattern), &chars(name));
            assert_eq!(found, expected, "{pattern} {name}");
        }
    }
}
