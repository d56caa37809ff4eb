//! Looks whether a repository is whole.

use rustic_core::{CheckOptions, ReadSubsetOption};

use super::secrets::told;
use super::{Repository, RepositoryError, remarks};

/// Into how many parts restic divides the data at most.
const PARTS: u32 = 256;

/// How much of the data is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subset(ReadSubsetOption);

impl Subset {
    /// All of it.
    pub(crate) const ALL: Self = Self(ReadSubsetOption::All);

    /// As restic writes it: `1/7`, `5%`, `10GB`.
    ///
    /// # Errors
    /// What can be given instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let forms = "give a part (1/7), a percentage (5%) or a size (10GB)";
        let subset = match text.split_once('/') {
            Some((part, of)) => return Self::part(part, of),
            None if text.ends_with('%') || text.starts_with(|c: char| c.is_ascii_digit()) => text,
            None => return Err(forms.to_owned()),
        };
        match subset.parse().map_err(|_| forms.to_owned())? {
            ReadSubsetOption::Percentage(part) if !(part > 0.0 && part <= 100.0) => {
                Err("a percentage is above 0% and at most 100%".to_owned())
            }
            ReadSubsetOption::Size(0) => Err("a size is above 0".to_owned()),
            subset => Ok(Self(subset)),
        }
    }

    /// A part of several that are about as large.
    fn part(part: &str, of: &str) -> Result<Self, String> {
        let number = |text: &str| match text.bytes().all(|c| c.is_ascii_digit()) {
            true => text.parse().ok(),
            false => None,
        };
        match (number(part), number(of)) {
            (Some(part), Some(of)) if (1..=of).contains(&part) && of <= PARTS => {
                Ok(Self(ReadSubsetOption::IdSubSet((part, of))))
            }
            _ => Err(format!(
                "of the parts N/M, N is from 1 to M, and M at most {PARTS}: 1/7"
            )),
        }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// Is something damaged or missing? Otherwise it is merely not tidy.
    pub(crate) is_error: bool,
    pub(crate) message: String,
}

impl Repository {
    /// Checks all; `data`: reads so much of the data.
    ///
    /// # Errors
    /// The check itself could not be done.
    pub(crate) fn check(&self, data: Option<Subset>) -> Result<Vec<Finding>, RepositoryError> {
        let mut options = CheckOptions::default().read_data(data.is_some());
        if let Some(Subset(subset)) = data {
            options = options.read_data_subset(subset);
        }
        remarks::take();
        let results = self.opened()?.check(options);
        let results = results.map_err(|error| self.failed(error))?;
        if self.control.is_stopped() {
            return Err(RepositoryError::Stopped);
        }
        // It logs the same that it returns.
        remarks::take();
        let found = results.0.iter().map(|(level, error)| Finding {
            is_error: format!("{level:?}") == "Error",
            message: brief(&error.to_string()),
        });
        Ok(found.collect())
    }
}

/// What is wrong in one line, without the frame that the library puts around it.
fn brief(text: &str) -> String {
    let told = told(text);
    let framed = told.split(" Some additional details").next();
    let framed = framed.unwrap_or(&told);
    let framed = framed.split(" For more information,").next();
    let mut parts = framed
        .unwrap_or(&told)
        .split("`rustic_core` experienced an error");
    let mut brief = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        brief.push_str(part.split_once(" Message: ").map_or(part, |(_, said)| said));
    }
    brief
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let text = "checking trees : `rustic_core` experienced an error related to `x`.\n\n\
                    Message:\nno pack 1\n\n\nSome additional details ...\n\nBacktrace:\n";
        assert_eq!(brief(text), "checking trees : no pack 1");
        assert_eq!(brief("plain"), "plain");
    }

    #[test]
    fn a_subset_is_written_as_for_restic() {
        for text in ["1/7", "7/7", "1/256", "5%", "100%", "10GB", "2.5%"] {
            assert!(Subset::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "x",
            "all",
            "120%",
            "-1%",
            "0%",
            "NaN%",
            "1/x",
            "1/0",
            "0/0",
            "0/7",
            "8/7",
            "1/257",
            "+1/7",
            "daily/week",
            "0B",
            "0",
            "-1",
        ] {
            assert!(Subset::parse(text).is_err(), "{text}");
        }
    }
}
