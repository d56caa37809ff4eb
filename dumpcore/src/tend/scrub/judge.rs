//! What becomes of what is damaged: it is healed, or told.

use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use super::attributes;
use super::bad_inode;
use super::book::{self, Damage};
use super::copies::{Copies, Copy, Verdict};
use super::heal::{Healed, Healer};
use super::locking::{Held, lock_when_free};
use super::worksite::Worksite;
use crate::catalog::{Catalog, Facts, ScrubNote, Taken, View};
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::Xattrs;
use crate::policy::content_hash::ContentHash;
use crate::sys::errno;
use crate::sys::xattr::Subject;
use crate::tend::scrubbed::{DamageKind, Damaged, Scrubbed};

/// Why what was found is not recorded.
const LOST: &str = "it was removed or made again while the dumps were read, so what was found is \
                    not recorded; run 'dumpctl catalog rebuild', then scrub again";

/// What the copies of something damaged say.
pub(super) fn verdict(
    copies: &mut Copies,
    site: &Worksite<'_>,
    view: &View,
    damage: &Damage,
) -> Result<Verdict, Error> {
    Ok(match (damage.row.facts.kind, damage.bad.kind) {
        (Kind::File, DamageKind::Metadata) => {
            let own = bad_inode::own(site, damage);
            let others = with_attributes(copies, site, view, damage)?;
            Verdict::Good(own.into_iter().chain(others).collect())
        }
        (Kind::File, _) => copies.of(site, view, damage)?,
        _ => Verdict::Good(Vec::new()),
    })
}

/// Copies of a file whose attributes are not those that were recorded, which have
/// these.
fn with_attributes(
    copies: &mut Copies,
    site: &Worksite<'_>,
    view: &View,
    damage: &Damage,
) -> Result<Vec<Copy>, Error> {
    if !damage.bad.attributes {
        return Ok(Vec::new());
    }
    // Its contents are not to be changed, also where no hash was recorded of them.
    let own = bad_inode::own_attributes(site, damage);
    let has =
        |copy: &Copy| can_give(copy, damage, own.as_ref()) && Some(copy.hash) == damage.bad.hash;
    Ok(match copies.of(site, view, damage)? {
        Verdict::Good(good) => good.into_iter().filter(has).collect(),
        Verdict::Catalog => Vec::new(),
    })
}

/// What was found, though there is no catalog any more to record it in.
pub(super) fn add_unrecorded(site: &Worksite<'_>, damages: &[Damage], scrubbed: &mut Scrubbed) {
    let told = damages.iter().map(|damage| told(damage, Vec::new()));
    scrubbed.damaged.extend(told);
    let path = Catalog::path_in(site.root);
    let lost = Fault::new(Op::Open, path, io::Error::other(LOST));
    scrubbed.faults.push(lost);
}

/// Heals what is damaged, if that is wanted and there is a good copy.
pub(super) fn healed_or_told(
    site: &Worksite<'_>,
    healer: Option<&mut Healer>,
    damage: &Damage,
    good: Vec<Copy>,
    scrubbed: &mut Scrubbed,
) -> Result<(), Error> {
    let mut good = good;
    let own = bad_inode::own_attributes(site, damage);
    good.sort_by_cached_key(|copy| (!can_give(copy, damage, own.as_ref()), copy.is_own));
    let healed = match healer {
        Some(healer) => heal(site, healer, damage, &good)?,
        None => Healed::NotYet,
    };
    let good = good.into_iter().filter(|copy| !copy.is_own);
    let told = told(damage, good.map(|copy| copy.path).collect());
    match healed {
        Healed::All => scrubbed.healed.push(told),
        Healed::Contents => {
            scrubbed.damaged.push(Damaged {
                kind: DamageKind::Metadata,
                cause: Some(attributes::OTHERS.to_owned()),
                good: Vec::new(),
                ..told.clone()
            });
            scrubbed.healed.push(told);
        }
        Healed::NotYet => scrubbed.damaged.push(told),
        Healed::Failed(fault) => {
            scrubbed.damaged.push(told);
            scrubbed.faults.push(fault);
        }
    }
    Ok(())
}

/// By the first copy with which it succeeds.
fn heal(
    site: &Worksite<'_>,
    healer: &mut Healer,
    damage: &Damage,
    good: &[Copy],
) -> Result<Healed, Error> {
    let mut failed = None;
    for copy in good {
        match healer.heal(site, damage, copy)? {
            Healed::Failed(fault) => failed = failed.or(Some(fault)),
            Healed::NotYet if !site.is_stopped() => {}
            healed => return Ok(healed),
        }
    }
    Ok(failed.map_or(Healed::NotYet, Healed::Failed))
}

/// Can what was recorded of attributes be given by this copy?
fn can_give(copy: &Copy, damage: &Damage, own: Option<&Xattrs>) -> bool {
    attributes::can_give(Subject::Open(copy.file.as_fd()), damage.row.xattrs, own)
}

fn told(damage: &Damage, good: Vec<PathBuf>) -> Damaged {
    Damaged {
        kind: damage.bad.kind,
        cause: damage.bad.cause.as_ref().map(ToString::to_string),
        needs_fsck: damage
            .bad
            .cause
            .as_ref()
            .is_some_and(errno::is_filesystem_damage),
        paths: damage
            .holders
            .iter()
            .filter_map(book::damaged_path)
            .collect(),
        good,
    }
}

/// Tells what is wrong about the attributes of a file, of whose contents only the
/// catalog had something wrong. Returns what is recorded of it.
pub(super) fn told_of_catalog(damage: &Damage, scrubbed: &mut Scrubbed) -> Wrong {
    scrubbed.catalog.push(damage.row.path.clone());
    let mut fault = 0;
    if damage.bad.attributes {
        fault = DamageKind::Metadata.number();
        scrubbed.damaged.push(Damaged {
            kind: DamageKind::Metadata,
            cause: Some(attributes::OTHERS.to_owned()),
            ..told(damage, Vec::new())
        });
    }
    (damage.row.facts, damage.bad.hash, fault)
}

/// A file that the catalog was wrong about, its hash, and what is wrong with it
/// besides.
type Wrong = (Facts, Option<ContentHash>, i64);

/// Records the hashes of files that the catalog was wrong about.
pub(super) fn put_right(site: &Worksite<'_>, wrong: &[Wrong]) -> Result<(), Error> {
    if wrong.is_empty() {
        return Ok(());
    }
    let notes = wrong.iter().map(|(facts, hash, fault)| {
        let taken = Taken {
            hash: *hash,
            xattrs: None,
        };
        ScrubNote::new(facts, taken, *fault)
    });
    let notes: Vec<_> = notes.collect();
    if let Some(Held::Lock(lock)) = lock_when_free(site)? {
        Catalog::existing(site.root)?.note_scrubbed(site.now(), &notes)?;
        drop(lock);
    }
    Ok(())
}
