//! How many workers a run has when nobody says.
//!
//! The figures and how they were found are in `docs/PERFORMANCE.md`.

use crate::model::storage::{Jobs, Storage};

/// Workers for trees on these media, of which the dump root is one.
///
/// What is slowest to answer decides: a server's answers, of which many can
/// be under way; then heads, which each further worker sends elsewhere while
/// contents are copied. Where neither is known, the processors do.
///
/// `contended` says that names are made in the dump root under locks that all
/// share, as on btrfs: there more workers than processors hold each other up.
pub(crate) fn default_jobs(
    media: impl IntoIterator<Item = Storage>,
    processors: usize,
    contended: bool,
) -> Jobs {
    let slowest = media.into_iter().max().unwrap_or(Storage::Unknown);
    let twice = processors.saturating_mul(2);
    let number = match slowest {
        Storage::Network => twice.clamp(16, 32),
        Storage::Rotating => 4,
        Storage::Flash | Storage::Unknown if contended => processors.clamp(2, 32),
        Storage::Flash | Storage::Unknown => twice.clamp(4, 32),
    };
    Jobs {
        number,
        chosen_for: Some(slowest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Storage::{Flash, Network, Rotating, Unknown};

    #[test]
    fn the_slowest_medium_decides() {
        for (media, processors, number, slowest) in [
            (&[][..], 2, 4, Unknown),
            (&[Unknown, Unknown], 1, 4, Unknown),
            (&[Flash, Unknown], 2, 4, Flash),
            (&[Flash, Flash], 8, 16, Flash),
            (&[Flash, Flash], 64, 32, Flash),
            (&[Flash, Rotating], 2, 4, Rotating),
            (&[Rotating, Unknown], 64, 4, Rotating),
            (&[Network, Flash], 2, 16, Network),
            (&[Network, Rotating], 12, 24, Network),
            (&[Flash, Network], 64, 32, Network),
        ] {
            let jobs = default_jobs(media.iter().copied(), processors, false);
            let expected = Jobs {
                number,
                chosen_for: Some(slowest),
            };
            assert_eq!(jobs, expected, "{media:?} with {processors}");
        }
    }

    #[test]
    fn where_workers_hold_each_other_up_there_are_fewer() {
        for (medium, processors, number) in [
            (Flash, 1, 2),
            (Unknown, 2, 2),
            (Flash, 8, 8),
            (Flash, 64, 32),
            (Rotating, 8, 4),
            (Network, 2, 16),
        ] {
            let jobs = default_jobs([medium], processors, true);
            assert_eq!(jobs.number, number, "{medium:?} with {processors}");
        }
    }
}
