//! What becomes of what is damaged: it is healed, or told.

use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use super::attributes;
use super::book::{self, Damage};
use super::copies::{Copies, Copy, Verdict};
use super::heal::{self, Healed, Healer};
use super::locking::{Held, lock_when_free};
use super::worksite::Worksite;
use crate::catalog::{Catalog, Facts, ScrubNote, Taken, View};
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
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
            let own = heal::own(site, damage);
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
    let xattrs = damage.row.xattrs;
    let has = |copy: &Copy| attributes::are_recorded(Subject::Open(copy.file.as_fd()), xattrs);
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
    // Where attributes are wrong, it is found out with which copy they become right.
    let tries = if damage.bad.attributes { good.len() } else { 1 };
    let mut healed = Healed::NotYet;
    if let Some(healer) = healer {
        for copy in good.iter().take(tries) {
            healed = healer.heal(site, damage, copy)?;
            if !matches!(healed, Healed::NotYet) {
                break;
            }
        }
    }
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

/// Records the hashes of files that the catalog was wrong about.
pub(super) fn put_right(
    site: &Worksite<'_>,
    wrong: &[(Facts, Option<ContentHash>)],
) -> Result<(), Error> {
    if wrong.is_empty() {
        return Ok(());
    }
    let notes = wrong.iter().map(|(facts, hash)| {
        let taken = Taken {
            hash: *hash,
            xattrs: None,
        };
        ScrubNote::new(facts, taken, 0)
    });
    let notes: Vec<_> = notes.collect();
    if let Some(Held::Lock(lock)) = lock_when_free(site)? {
        Catalog::existing(site.root)?.note_scrubbed(site.now(), &notes)?;
        drop(lock);
    }
    Ok(())
}
