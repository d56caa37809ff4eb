//! Looks whether a repository is whole.

use rustic_core::{CheckOptions, ReadSubsetOption};

use super::{Repository, RepositoryError, remarks};

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
        let subset = text.parse().map_err(|_| forms.to_owned())?;
        match subset {
            ReadSubsetOption::Percentage(part) if !(0.0..=100.0).contains(&part) => {
                Err(forms.to_owned())
            }
            subset => Ok(Self(subset)),
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
            message: error.to_string(),
        });
        Ok(found.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_is_written_as_for_restic() {
        for text in ["1/7", "5%", "10GB", "2.5%"] {
            assert!(Subset::parse(text).is_ok(), "{text}");
        }
        for text in ["", "x", "120%", "-1%", "1/x"] {
            assert!(Subset::parse(text).is_err(), "{text}");
        }
    }
}
