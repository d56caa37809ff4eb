//! Where a run makes its dump: opened, and tried for what can be preserved there.

use std::ffi::{CStr, OsStr};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;

use super::Run;
use super::lacks::tell_what_is_lacking;
use super::trees::Source;
use crate::engine::Totals;
use crate::fs::capabilities::{self, Trial};
use crate::fs::folding::{self, Folding};
use crate::model::error::Error;
use crate::model::event::Warning;
use crate::model::fault::OpError;
use crate::model::metadata::Capabilities;
use crate::policy::layout::DumpName;
use crate::root::staging::{Leftover, Staging};
use crate::sys::errno;
use crate::sys::fstype::FsType;

impl Run {
    /// Opens the directory for the dump, and finds out what can be preserved
    /// there.
    pub(super) fn staging(
        &self,
        name: DumpName,
        leftover: Option<Leftover>,
        sources: &[Source],
        totals: &Totals<'_>,
    ) -> Result<(Staging<'_>, Capabilities), Error> {
        let mut staging = Staging::open(&self.dump, name, leftover)?;
        if staging.resumed {
            totals.warn(Warning::Resuming {
                path: staging.path(),
                trusted: staging.watermark.is_trusted(),
            });
        }
        let error = match self.try_out(&mut staging, totals)? {
            Ok(Trial::Passed(capabilities, lacks)) => {
                staging.folding = folding::try_out(staging.handle().as_fd());
                match self.tell_of_folding(staging.folding, sources, totals) {
                    Ok(()) => {
                        tell_what_is_lacking(&lacks, self.dump.path(), &self.fs(), totals);
                        return Ok((staging, capabilities));
                    }
                    Err(error) => error,
                }
            }
            Ok(Trial::NoHardLinks) => Error::NoHardLinks {
                dump: self.dump.path().to_path_buf(),
                fs: self.fs(),
            },
            Ok(Trial::NoReplacing) => Error::NoReplacing {
                dump: self.dump.path().to_path_buf(),
                fs: self.fs(),
            },
            Err(op_error) => self.dump.refuses(op_error.at(staging.path()), None),
        };
        staging.abandon();
        if self.init {
            self.dump.leave_no_state();
        }
        Err(error)
    }

    /// Tries what can be preserved. A leftover that has taken the last inode
    /// leaves none for the trial, and may hold what the tree no longer has: it is
    /// removed, and this run starts from the beginning.
    fn try_out(
        &self,
        staging: &mut Staging<'_>,
        totals: &Totals<'_>,
    ) -> Result<Result<Trial, OpError>, Error> {
        let outcome = capabilities::run(staging.handle().as_fd());
        let full = |op_error: &OpError| errno::is_full(&op_error.cause);
        let no_inode = || self.dump.free().is_some_and(|free| free.inodes == Some(0));
        if !(staging.resumed && outcome.as_ref().is_err_and(full) && no_inode()) {
            return Ok(outcome);
        }
        let path = staging.path();
        totals.warn(Warning::LeftoverRemoved { path });
        self.remove_all(staging.handle(), &staging.path(), &[], totals)?;
        staging.resumed = false;
        Ok(capabilities::run(staging.handle().as_fd()))
    }

    /// Refuses trees whose names the dump's filesystem takes for one, before
    /// anything is made. A dry run writes nothing, and knows only of case.
    ///
    /// # Errors
    /// [`Error::FoldedTrees`].
    pub(super) fn refuse_folded_trees(&self, sources: &[Source]) -> Result<(), Error> {
        let names: Vec<&CStr> = sources.iter().map(|source| &*source.name).collect();
        if !folding::may_be_one(&names) {
            return Ok(());
        }
        let pair = match self.options.dry_run {
            true => folding::guess(self.dump.handle().as_fd()).first_pair(&names),
            false => folding::first_pair(self.dump.state_dir()?.as_fd(), &names),
        };
        self.refuse_pair(pair, sources)
    }

    fn refuse_pair(&self, pair: Option<(usize, usize)>, sources: &[Source]) -> Result<(), Error> {
        let Some((first, second)) = pair else {
            return Ok(());
        };
        let pair = [&sources[first], &sources[second]];
        let name = |tree: &Source| OsStr::from_bytes(tree.name.to_bytes()).into();
        Err(Error::FoldedTrees {
            dump: self.dump.path().to_path_buf(),
            names: Box::new(pair.map(name)),
            trees: Box::new(pair.map(|tree| tree.path.clone())),
        })
    }

    /// Tells that different names are one.
    ///
    /// # Errors
    /// [`Error::FoldedTrees`] when those of two trees are: folding can be a
    /// directory's own, and where the dump is made decides.
    pub(super) fn tell_of_folding(
        &self,
        folding: Folding,
        sources: &[Source],
        totals: &Totals<'_>,
    ) -> Result<(), Error> {
        if !folding.folds() {
            return Ok(());
        }
        let names: Vec<&CStr> = sources.iter().map(|source| &*source.name).collect();
        self.refuse_pair(folding.first_pair(&names), sources)?;
        totals.warn(Warning::NamesFolded {
            path: self.dump.path().to_path_buf(),
            case: folding.case,
            accents: folding.accents,
        });
        Ok(())
    }

    /// The type of the dump's filesystem, for people.
    pub(super) fn fs(&self) -> String {
        FsType::of(self.dump.handle()).map_or_else(|_| String::new(), |found| found.to_string())
    }
}
