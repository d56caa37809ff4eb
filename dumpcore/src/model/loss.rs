//! What is missing of an entry in a dump that has the entry itself.
//!
//! Some of it cannot be kept there at all, or not by this user. That is found
//! out by trying, does not make the entry count as changed in later dumps, and is
//! reported once per run with the number of entries that lack it.

use std::fmt;

use crate::model::fault::{Op, OpError};
use crate::model::metadata::{ACL_ACCESS, ACL_DEFAULT, ACL_MIRRORS, CAPABILITY};

/// Something that a dump lacks of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// Its owner or group.
    Owner,
    /// Some of its permission bits.
    Permissions,
    /// Its ACL, or its default ACL.
    Acl,
    /// `security.capability`: what a program may do that others may not.
    FileCapability,
    /// Attributes `user.*`.
    UserAttributes,
    /// Attributes `trusted.*`.
    TrustedAttributes,
    /// Attributes `security.*`, other than capabilities.
    SecurityAttributes,
    /// Attributes of other namespaces.
    OtherAttributes,
    /// Attributes that the dump's filesystem refuses for this entry, as those
    /// that are too large for it.
    RefusedAttributes,
    /// Attributes that could not be read.
    UnreadAttributes,
    /// Its times.
    Times,
}

impl Loss {
    /// All of them, in their order.
    const ALL: [Loss; 11] = [
        Loss::Owner,
        Loss::Permissions,
        Loss::Acl,
        Loss::FileCapability,
        Loss::UserAttributes,
        Loss::TrustedAttributes,
        Loss::SecurityAttributes,
        Loss::OtherAttributes,
        Loss::RefusedAttributes,
        Loss::UnreadAttributes,
        Loss::Times,
    ];

    /// One word in snake_case, for machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Loss::Owner => "owner",
            Loss::Permissions => "permissions",
            Loss::Acl => "acl",
            Loss::FileCapability => "file_capability",
            Loss::UserAttributes => "user_attributes",
            Loss::TrustedAttributes => "trusted_attributes",
            Loss::SecurityAttributes => "security_attributes",
            Loss::OtherAttributes => "other_attributes",
            Loss::RefusedAttributes => "refused_attributes",
            Loss::UnreadAttributes => "unread_attributes",
            Loss::Times => "times",
        }
    }

    /// What is lost with this attribute; `None` where it only mirrors others.
    pub(crate) fn of_attribute(name: &[u8]) -> Option<Self> {
        if [ACL_ACCESS, ACL_DEFAULT].contains(&name) {
            return Some(Loss::Acl);
        }
        if name == CAPABILITY {
            return Some(Loss::FileCapability);
        }
        match name.split(|byte| *byte == b'.').next() {
            Some(b"user") => Some(Loss::UserAttributes),
            Some(b"trusted") if name.starts_with(ACL_MIRRORS) => None,
            Some(b"trusted") => Some(Loss::TrustedAttributes),
            Some(b"security") => Some(Loss::SecurityAttributes),
            _ => Some(Loss::OtherAttributes),
        }
    }

    /// What is lost when this fails for an entry.
    pub(crate) fn of(op: Op) -> Self {
        match op {
            Op::SetOwner => Loss::Owner,
            Op::SetMode => Loss::Permissions,
            Op::SetTimes => Loss::Times,
            Op::ReadXattr => Loss::UnreadAttributes,
            _ => Loss::RefusedAttributes,
        }
    }
}

impl fmt::Display for Loss {
    /// As it reads after "without".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Loss::Owner => "its owner or group",
            Loss::Permissions => "some of its permission bits",
            Loss::Acl => "its ACL",
            Loss::FileCapability => "its capability (security.capability)",
            Loss::UserAttributes => "its attributes user.*",
            Loss::TrustedAttributes => "its attributes trusted.*",
            Loss::SecurityAttributes => "its attributes security.*",
            Loss::OtherAttributes => "attributes that are not of user, trusted or security",
            Loss::RefusedAttributes => "attributes that the filesystem refuses",
            Loss::UnreadAttributes => "attributes that cannot be read",
            Loss::Times => "its times",
        })
    }
}

/// Some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses(u16);

impl Losses {
    pub(crate) fn add(&mut self, loss: Loss) {
        self.0 |= 1 << loss as u16;
    }

    pub(crate) fn add_if(&mut self, lost: bool, loss: Loss) {
        if lost {
            self.add(loss);
        }
    }

    pub(crate) fn add_all(&mut self, others: Losses) {
        self.0 |= others.0;
    }

    /// What is lost when these acts fail for an entry.
    pub(crate) fn of_all(failed: &[OpError]) -> Self {
        let mut losses = Self::default();
        failed.iter().for_each(|e| losses.add(Loss::of(e.op)));
        losses
    }

    pub(crate) fn without(self, others: Losses) -> Self {
        Self(self.0 & !others.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn has(self, loss: Loss) -> bool {
        self.0 & 1 << loss as u16 != 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Loss> {
        Loss::ALL.into_iter().filter(move |loss| self.has(*loss))
    }
}

/// What is known of the entry in hand while it is judged.
#[derive(Debug, Default)]
pub(crate) struct Lacking {
    /// What is refused of it, or cannot be read.
    pub(crate) refused: Vec<OpError>,
    /// What this runner cannot keep of any entry.
    pub(crate) left_out: Losses,
    /// Has what it is compared with no attribute that it has not?
    pub(crate) is_less: bool,
}

impl Lacking {
    /// Is all of the entry kept, as far as is known?
    pub(crate) fn is_nothing(&self) -> bool {
        self.refused.is_empty() && self.left_out.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_place_of_its_own() {
        for (place, loss) in Loss::ALL.into_iter().enumerate() {
            assert_eq!(loss as usize, place, "{loss:?}");
            let mut losses = Losses::default();
            losses.add(loss);
            assert_eq!(losses.iter().collect::<Vec<_>>(), [loss]);
        }
    }
}
