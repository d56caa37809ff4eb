//! What stands for the extended attributes and ACLs of one inode in the catalog, and how
//! a file gets them back.

use super::columns::attributes_digest;
use crate::model::metadata::{CAPABILITY, Xattrs};

/// What the column `xattrs` holds of what is not a directory: in its lower half a
/// digest of attributes and ACLs, in its upper half one of `trusted.*`, which not
/// everyone sees; each is 0 without any. Security labels are in neither.
pub(crate) fn inode_digest(xattrs: &Xattrs) -> u64 {
    half(xattrs, is_trusted) << 32 | half(xattrs, is_rest)
}

/// Does a digest stand for these attributes, which an inode of a dump has? `trusted.*`
/// counts only where it was seen both times.
pub(crate) fn is_inode_digest_of(digest: u64, there: &Xattrs) -> bool {
    let (trusted, rest) = (digest >> 32, digest & HALF);
    let now = half(there, is_trusted);
    let same = trusted == now || trusted == 0 || now == 0;
    same && rest == half(there, is_rest)
}

/// What an inode is to be given, so that it has what a digest stands for: of its `own`,
/// where they can be read, and of those of a copy. Labels, and `trusted.*` of which
/// nothing is recorded, are its own and never a copy's. `None`: these two do not have
/// all of it.
pub(crate) fn composed(digest: u64, own: Option<&Xattrs>, copy: &Xattrs) -> Option<Xattrs> {
    let (trusted, rest) = (digest >> 32, digest & HALF);
    let sources = || own.into_iter().chain([copy]);
    let of_own =
        |keep: &dyn Fn(&[u8]) -> bool| own.map(|own| own.filtered(keep)).unwrap_or_default();
    let rest = sources().find(|one| half(one, is_rest) == rest)?;
    let trusted = match sources().find(|one| half(one, is_trusted) == trusted) {
        _ if trusted == 0 => of_own(&is_trusted),
        Some(one) => one.filtered(is_trusted),
        // This user does not see them.
        None if own.is_some() && sources().all(|one| half(one, is_trusted) == 0) => {
            Xattrs::default()
        }
        None => return None,
    };
    let rest = merged(&rest.filtered(is_rest), &of_own(&is_label));
    Some(merged(&rest, &trusted))
}

fn merged(one: &Xattrs, other: &Xattrs) -> Xattrs {
    let all = one.iter().chain(other.iter());
    Xattrs::new(
        all.map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect(),
    )
}

/// Has what was made in the place of an inode all that a digest stands for, and no less
/// of `trusted.*` than its `own` were?
pub(crate) fn is_whole(digest: u64, made: &Xattrs, own: Option<&Xattrs>) -> bool {
    let trusted = half(made, is_trusted);
    let is_same = own.is_some_and(|own| half(own, is_trusted) == trusted);
    is_inode_digest_of(digest, made) && (is_same || trusted == digest >> 32)
}

const HALF: u64 = 0xffff_ffff;

/// Security labels: kernels give them to what is made, and administrators to what is
/// there, as their policies change.
fn is_label(name: &[u8]) -> bool {
    name.starts_with(b"security.") && name != CAPABILITY
}

fn is_trusted(name: &[u8]) -> bool {
    name.starts_with(b"trusted.")
}

/// What is compared in any case.
fn is_rest(name: &[u8]) -> bool {
    !is_trusted(name) && !is_label(name)
}

fn half(xattrs: &Xattrs, keep: impl Fn(&[u8]) -> bool) -> u64 {
    match attributes_digest(&xattrs.filtered(keep)) {
        0 => 0,
        digest => (digest & HALF).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Xattrs {
        let list = names.iter().map(|name| {
            let (name, value) = name.split_once('=').unwrap_or((name, "1"));
            (name.as_bytes().to_vec(), value.as_bytes().to_vec())
        });
        Xattrs::new(list.collect())
    }

    #[test]
    fn an_inode_has_other_attributes_or_what_may_be_unseen() {
        let cases: [(&[&str], &[&str], bool); 14] = [
            (&[], &[], true),
            (&["user.a"], &["user.a"], true),
            (&["user.a"], &[], false),
            (&[], &["user.a"], false),
            (&["user.a"], &["user.b"], false),
            // What only root sees.
            (&["trusted.a", "user.a"], &["user.a"], true),
            (&["user.a"], &["trusted.a", "user.a"], true),
            (&["trusted.a"], &["trusted.b"], false),
            (&["trusted.a", "user.a"], &["user.b"], false),
            // What a kernel or an administrator gives.
            (&["user.a"], &["security.selinux", "user.a"], true),
            (&["security.selinux"], &[], true),
            (&["security.selinux"], &["security.selinux=2"], true),
            // What it does not.
            (&[], &["security.capability"], false),
            (&["security.capability"], &[], false),
        ];
        for (stored, there, same) in cases {
            let digest = inode_digest(&of(stored));
            let is = is_inode_digest_of(digest, &of(there));
            assert_eq!(is, same, "{stored:?} {there:?}");
        }
        assert_eq!(inode_digest(&of(&[])), 0);
    }

    fn named(names: &str) -> Xattrs {
        of(&names.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn what_is_given_back_is_what_was_recorded() {
        // What was stored, what it has, what a copy has, and what it is given.
        let cases = [
            ("user.a", "user.a=bad", "user.a", Some("user.a")),
            ("user.a", "user.a", "user.a=old", Some("user.a")),
            ("user.a", "user.a=bad", "user.a=old", None),
            // Its own `trusted.*`, whatever a copy has of them.
            (
                "trusted.t user.a",
                "trusted.t",
                "user.a",
                Some("trusted.t user.a"),
            ),
            (
                "trusted.t user.a",
                "trusted.t",
                "trusted.t=old user.a",
                Some("trusted.t user.a"),
            ),
            ("", "user.a", "trusted.b security.l", Some("")),
            (
                "user.a",
                "trusted.own",
                "trusted.b user.a",
                Some("trusted.own user.a"),
            ),
            // Those of the copy, where they were recorded.
            (
                "trusted.t",
                "trusted.t=bad",
                "trusted.t user.a",
                Some("trusted.t"),
            ),
            ("trusted.t", "trusted.t=bad", "", None),
            // Labels are its own.
            (
                "user.a",
                "security.l=own",
                "security.l user.a",
                Some("security.l=own user.a"),
            ),
            (
                "security.l user.a",
                "security.l=own",
                "security.l user.a",
                Some("security.l=own user.a"),
            ),
            // Somebody who does not see what only root does.
            ("trusted.t user.a", "user.a=bad", "user.a", Some("user.a")),
        ];
        for (stored, own, copy, expected) in cases {
            let told = format!("{stored:?} {own:?} {copy:?}");
            let (digest, own) = (inode_digest(&named(stored)), named(own));
            let given = composed(digest, Some(&own), &named(copy));
            assert_eq!(given, expected.map(named), "{told}");
            let is_whole = given.is_none_or(|given| is_whole(digest, &given, Some(&own)));
            assert!(is_whole, "{told}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_given_up() {
        let digest = inode_digest(&named("trusted.t user.a"));
        let own = named("trusted.t");
        assert!(!is_whole(digest, &named("user.a"), Some(&own)));
        assert_eq!(composed(digest, None, &named("user.a")), None);
        let all = named("trusted.t user.a");
        assert_eq!(composed(digest, None, &all), Some(all));
        let bare = inode_digest(&named("user.a"));
        let given = composed(bare, None, &named("trusted.b security.l user.a"));
        assert_eq!(given, Some(named("user.a")));
    }
}
