//! Whether a stream of this process ends in the journal.

use std::env;

use rustix::fd::AsFd;

/// Is this the stream that systemd connected to the journal? It says which
/// by device and inode number, so that a redirected one is told apart.
pub(crate) fn is_journal(stream: impl AsFd) -> bool {
    let named = env::var("JOURNAL_STREAM").ok();
    let Some((dev, ino)) = named.as_deref().and_then(|text| text.split_once(':')) else {
        return false;
    };
    rustix::fs::fstat(stream)
        .is_ok_and(|stat| dev.parse() == Ok(stat.st_dev) && ino.parse() == Ok(stat.st_ino))
}
