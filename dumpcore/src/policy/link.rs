//! LinkPolicy: (reference, source) → link, or copy and why.
//!
//! An entry is linked when all that dumps preserve is the same, so that the
//! link shows what a copy would show. The rules are pure: the caller brings the
//! metadata and, when contents are to be compared, the answer to that.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::candidate::Candidate;
use crate::model::event::CopyReason;
use crate::model::metadata::{ACL_ACCESS, Capabilities, Kind, Meta, Time, Xattrs};

/// What is to be done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Link it to the reference.
    Link,
    /// Copy it.
    Copy(CopyReason),
}

/// Decides whether an entry may be a hard link to its reference.
///
/// Compared are type, size, modification time to the nanosecond, permission
/// bits, owner and group, extended attributes with ACLs, a symlink's target,
/// a device's number; contents too when asked for. Access time never.
///
/// ```
/// use dumpcore::{Candidate, Capabilities, CopyReason, LinkPolicy, Verdict};
///
/// # let dir = assert_fs::TempDir::new()?;
/// # let path = dir.path().join("letter");
/// # std::fs::write(&path, "a draft")?;
/// let old = Candidate::read(&path)?;
/// let mut new = old.clone();
/// let (policy, all) = (LinkPolicy::new(), Capabilities::everything());
/// let unread = || Ok(true);
/// assert_eq!(policy.decide(&all, &old, &new, unread)?, Verdict::Link);
/// new.meta.mtime.secs += 1;
/// new.meta.mode ^= 0o020;
/// assert_eq!(policy.decide(&all, &old, &new, unread)?, Verdict::Copy(CopyReason::Mtime));
/// let all_of_them = policy.differences(&all, &old, &new, unread)?;
/// assert_eq!(all_of_them, [CopyReason::Mtime, CopyReason::Mode]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct LinkPolicy {
    contents: bool,
    ctime: bool,
    mtime: bool,
    mtime_tolerance: Duration,
    mode: bool,
    owner: bool,
    xattrs: bool,
    also: Option<Arc<Also>>,
}

/// A program's own rule.
type Also = dyn Fn(&Meta, &Meta) -> Option<CopyReason> + Send + Sync;

impl fmt::Debug for LinkPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkPolicy")
            .field("contents", &self.contents)
            .field("ctime", &self.ctime)
            .field("mtime", &self.mtime)
            .field("mtime_tolerance", &self.mtime_tolerance)
            .field("mode", &self.mode)
            .field("owner", &self.owner)
            .field("xattrs", &self.xattrs)
            .field("also", &self.also.is_some())
            .finish()
    }
}

impl PartialEq for LinkPolicy {
    /// Two rules of a program are the same when one is a clone of the other.
    fn eq(&self, other: &Self) -> bool {
        let switches = |of: &Self| {
            let times = (of.ctime, of.mtime, of.mtime_tolerance);
            (of.contents, times, of.mode, of.owner, of.xattrs)
        };
        switches(self) == switches(other)
            && match (&self.also, &other.also) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (a, b) => a.is_none() && b.is_none(),
            }
    }
}

impl Eq for LinkPolicy {}

/// What the metadata of a file may hide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// Its size is not to be believed.
    pub(crate) size: bool,
    /// It may have been touched, its size and time set back.
    pub(crate) touched: bool,
}

/// What is not in the metadata, and costs further calls to find out.
pub(crate) trait Evidence<E> {
    /// What is not to be believed of the source. Costs nothing.
    fn doubt(&self) -> Doubt {
        Doubt::default()
    }
    /// Do two symlinks point to the same?
    fn same_target(&mut self) -> Result<bool, E>;
    /// The extended attributes: the reference's, the source's. `None` when
    /// the reference's cannot be known: then they count as different.
    fn xattrs(&mut self) -> Result<Option<(Xattrs, Xattrs)>, E>;
    /// Do two files hold the same?
    fn same_contents(&mut self) -> Result<bool, E>;
}

impl Default for LinkPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl LinkPolicy {
    /// Everything but contents is compared, times to the nanosecond.
    #[must_use]
    pub fn new() -> Self {
        Self {
            contents: false,
            ctime: true,
            mtime: true,
            mtime_tolerance: Duration::ZERO,
            mode: true,
            owner: true,
            xattrs: true,
            also: None,
        }
    }

    /// Compare the contents of files as well. Costs reading both.
    #[must_use]
    pub fn contents(mut self, yes: bool) -> Self {
        self.contents = yes;
        self
    }

    /// Compare the contents of files whose time of change says that they may
    /// have been touched since the reference was read. On by default. Only a
    /// run knows that: alone, [`LinkPolicy::decide`] has no evidence of it.
    #[must_use]
    pub fn ctime(mut self, yes: bool) -> Self {
        self.ctime = yes;
        self
    }

    /// Does it ask whether files may have been touched?
    pub(crate) fn heeds_ctime(&self) -> bool {
        self.ctime && !self.contents
    }

    /// Compare modification times? On by default. Off, a file whose time
    /// differs is judged by its contents, which costs reading both; what is
    /// linked has the time of its reference.
    #[must_use]
    pub fn mtime(mut self, yes: bool) -> Self {
        self.mtime = yes;
        self
    }

    /// Modification times that are at most this far apart count as the same.
    #[must_use]
    pub fn mtime_tolerance(mut self, tolerance: Duration) -> Self {
        self.mtime_tolerance = tolerance;
        self
    }

    /// Compare permission bits, with setuid, setgid and sticky? On by default.
    /// Off, what is linked has the permissions of its reference.
    #[must_use]
    pub fn mode(mut self, yes: bool) -> Self {
        self.mode = yes;
        self
    }

    /// Compare owner and group? On by default.
    #[must_use]
    pub fn owner(mut self, yes: bool) -> Self {
        self.owner = yes;
        self
    }

    /// Compare extended attributes and ACLs? On by default.
    #[must_use]
    pub fn xattrs(mut self, yes: bool) -> Self {
        self.xattrs = yes;
        self
    }

    /// Asks this as well about entries of which there is a reference and which
    /// would be linked: metadata of the reference, metadata of the source. It
    /// can only ask for a copy, never for a link; [`CopyReason::Asked`] is the
    /// reason that stands for any. Called from several threads, once for each
    /// such entry, so it should be quick. Further rules come behind the first.
    ///
    /// ```
    /// use dumpcore::{CopyReason, LinkPolicy};
    ///
    /// // What more than a thousand names share is not shared any further.
    /// let policy = LinkPolicy::new().also(|reference, _| {
    ///     (reference.nlink > 1000).then_some(CopyReason::Asked)
    /// });
    /// # assert_eq!(policy, policy.clone());
    /// ```
    #[must_use]
    pub fn also<F>(mut self, rule: F) -> Self
    where
        F: Fn(&Meta, &Meta) -> Option<CopyReason> + Send + Sync + 'static,
    {
        let first = self.also.take();
        self.also = Some(Arc::new(move |reference: &Meta, source: &Meta| {
            let asked = first.as_ref().and_then(|first| first(reference, source));
            asked.or_else(|| rule(reference, source))
        }));
        self
    }

    /// Is nothing asked for beyond what an unchanged time of change proves?
    pub(crate) fn is_plain(&self) -> bool {
        !self.contents && self.also.is_none()
    }

    pub(crate) fn compares_contents(&self) -> bool {
        self.contents
    }

    pub(crate) fn compares_xattrs(&self) -> bool {
        self.xattrs
    }

    /// Decides about one entry. `same_contents` is asked last, only for
    /// files and only when contents are to be compared.
    ///
    /// # Errors
    /// Those of `same_contents`.
    pub fn decide(
        &self,
        capabilities: &Capabilities,
        reference: &Candidate,
        source: &Candidate,
        same_contents: impl FnOnce() -> io::Result<bool>,
    ) -> io::Result<Verdict> {
        struct Known<'a, F>(&'a Candidate, &'a Candidate, Option<F>);
        impl<F: FnOnce() -> io::Result<bool>> Evidence<io::Error> for Known<'_, F> {
            fn same_target(&mut self) -> io::Result<bool> {
                Ok(self.0.target == self.1.target)
            }
            fn xattrs(&mut self) -> io::Result<Option<(Xattrs, Xattrs)>> {
                Ok(Some((self.0.xattrs.clone(), self.1.xattrs.clone())))
            }
            fn same_contents(&mut self) -> io::Result<bool> {
                self.2.take().map_or(Ok(false), |same| same())
            }
        }
        let mut known = Known(reference, source, Some(same_contents));
        self.weigh(capabilities, &reference.meta, &source.meta, &mut known)
    }

    /// The same, with evidence that is sought only as far as it is needed.
    pub(crate) fn weigh<E>(
        &self,
        capabilities: &Capabilities,
        reference: &Meta,
        source: &Meta,
        evidence: &mut impl Evidence<E>,
    ) -> Result<Verdict, E> {
        let doubt = evidence.doubt();
        if let Some(why) = self.data_differs(capabilities, reference, source, doubt) {
            return Ok(Verdict::Copy(why));
        }
        if source.kind == Kind::Symlink && !evidence.same_target()? {
            return Ok(Verdict::Copy(CopyReason::Target));
        }
        let doubted =
            self.contents || doubt.size || self.time_in_doubt(capabilities, reference, source);
        if doubted && source.kind == Kind::File && !evidence.same_contents()? {
            return Ok(Verdict::Copy(CopyReason::Contents));
        }
        if self.owner_differs(capabilities, reference, source) {
            return Ok(Verdict::Copy(CopyReason::Owner));
        }
        let (of_reference, of_source) = if self.xattrs {
            match evidence.xattrs()? {
                Some(both) => both,
                None => return Ok(Verdict::Copy(CopyReason::Xattrs)),
            }
        } else {
            Default::default()
        };
        let (reference, source) = ((reference, &of_reference), (source, &of_source));
        if let Some(why) = self.access_differs(capabilities, reference, source) {
            return Ok(Verdict::Copy(why));
        }
        let touched = doubt.touched && self.ctime && !doubted;
        if touched && source.0.kind == Kind::File && !evidence.same_contents()? {
            return Ok(Verdict::Copy(CopyReason::Contents));
        }
        let asked = self.asked(reference.0, source.0);
        Ok(asked.map_or(Verdict::Link, Verdict::Copy))
    }

    /// Does the program's own rule ask for a copy?
    pub(super) fn asked(&self, reference: &Meta, source: &Meta) -> Option<CopyReason> {
        self.also.as_ref()?(reference, source)
    }

    /// Do type, size, time or device differ, which indicate other data?
    fn data_differs(
        &self,
        capabilities: &Capabilities,
        reference: &Meta,
        source: &Meta,
        doubt: Doubt,
    ) -> Option<CopyReason> {
        if reference.kind != source.kind {
            return Some(CopyReason::Kind);
        }
        let differs = size_or_device(reference, source);
        if let Some(why) = differs.filter(|why| !(doubt.size && *why == CopyReason::Size)) {
            return Some(why);
        }
        let differs = self.time_differs(capabilities, reference, source);
        differs.then_some(CopyReason::Mtime)
    }

    /// Do the modification times differ, where they count?
    pub(super) fn time_differs(
        &self,
        capabilities: &Capabilities,
        reference: &Meta,
        source: &Meta,
    ) -> bool {
        let counts = self.mtime && (source.kind != Kind::Symlink || capabilities.symlinks);
        counts && !self.same_time(capabilities, reference.mtime, source.mtime)
    }

    /// Do they differ where they do not count, so that contents must?
    pub(super) fn time_in_doubt(
        &self,
        capabilities: &Capabilities,
        reference: &Meta,
        source: &Meta,
    ) -> bool {
        !self.mtime && !self.same_time(capabilities, reference.mtime, source.mtime)
    }

    /// Do owner or group differ?
    ///
    /// The reference may have either what the source has (somebody could
    /// preserve it) or what this runner would store.
    pub(super) fn owner_differs(
        &self,
        capabilities: &Capabilities,
        reference: &Meta,
        source: &Meta,
    ) -> bool {
        if !self.owner || source.kind == Kind::Symlink && !capabilities.symlinks {
            return false;
        }
        let (uid, gid) = (source.uid, source.gid);
        let uids = [uid, capabilities.storable_uid(uid)];
        let gids = [gid, capabilities.storable_gid(gid)];
        !(uids.contains(&reference.uid) && gids.contains(&reference.gid))
    }

    /// Do permission bits or attributes differ? As for the owner; what the
    /// source has is right only for who owns it there.
    pub(super) fn access_differs(
        &self,
        capabilities: &Capabilities,
        (reference, of_reference): (&Meta, &Xattrs),
        (source, of_source): (&Meta, &Xattrs),
    ) -> Option<CopyReason> {
        let keeps = |name: &[u8]| capabilities.keeps_xattr(name);
        // A symlink has no permission bits of its own.
        let kept = match source.kind {
            Kind::Symlink => 0,
            _ if !self.mode => 0,
            kind => capabilities.kept_modes(kind),
        };
        let is = of_reference.filtered(keeps);
        let differs = |(mode, xattrs): &(u16, Xattrs)| {
            let mode = ((reference.mode ^ mode) & kept != 0).then_some(CopyReason::Mode);
            mode.or_else(|| (is != *xattrs).then_some(CopyReason::Xattrs))
        };
        let same_owner = (reference.uid, reference.gid) == (source.uid, source.gid);
        let shut_out = !capabilities.acls && of_source.get(ACL_ACCESS).is_some();
        if (same_owner || !self.owner) && !shut_out {
            let as_it_is = (source.mode, of_source.filtered(keeps));
            differs(&as_it_is)?;
        }
        let owned = capabilities.owned(source);
        differs(&capabilities.storable_access(source, of_source, owned))
    }

    fn same_time(&self, capabilities: &Capabilities, reference: Time, source: Time) -> bool {
        if reference == source || reference == capabilities.storable_time(source) {
            return true;
        }
        let apart = (reference.as_nanos() - source.as_nanos()).unsigned_abs();
        apart <= self.mtime_tolerance.as_nanos()
    }
}

/// Do the sizes of files differ, or the numbers of devices?
pub(super) fn size_or_device(reference: &Meta, source: &Meta) -> Option<CopyReason> {
    match source.kind {
        Kind::File if reference.size != source.size => Some(CopyReason::Size),
        Kind::Char | Kind::Block if reference.rdev != source.rdev => Some(CopyReason::Device),
        _ => None,
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
