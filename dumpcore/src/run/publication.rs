//! One publication: the acts of a run in their order, whatever it makes.
//!
//! A dry run has only the acts that write nothing.

use std::os::fd::AsFd as _;
use std::path::PathBuf;

use chrono::{DateTime, Local, Utc};

use super::evidence::{self, Evidence};
use super::merge::Merge;
use super::remember::{FoundOut, Remembering};
use super::set_aside::Attempts;
use super::trees::{self, Source};
use super::vanished::Vanished;
use super::{Check, Made, Order, Run, budget, flush, published};
use crate::engine::{Budget, Checked, MergeOptions, MountsMet, Totals};
use crate::fs::folding::Folding;
use crate::fs::{capabilities, folding, marks};
use crate::model::error::Error;
use crate::model::event::{Event, Phase, Warning};
use crate::model::lacking::Lacking;
use crate::model::metadata::Capabilities;
use crate::model::minute::Stamp;
use crate::model::report::Report;
use crate::policy::layout::DumpName;
use crate::root::listing::Dated;
use crate::root::staging::{Leftover, Staging, Tells};
use crate::sys::{clock, errno};

/// What a dump was made from.
#[derive(Default)]
struct Began {
    /// Did it take over what an earlier run had stored?
    resumed: bool,
    /// The expired dump that it was made from.
    recycled: Option<DumpName>,
}

/// A dump on its way: what its acts share.
struct Publication<'p> {
    run: &'p Run,
    order: &'p Order<'p>,
    totals: &'p Totals<'p>,
    budget: Budget,
    name: DumpName,
    /// When it was begun, or what it is a copy of.
    moment: DateTime<Utc>,
    evidence: Evidence,
    /// Was an observer told how much there is likely to be?
    total_is_told: bool,
    /// What was named when it was set aside.
    set_aside: Vec<PathBuf>,
}

impl Run {
    /// Makes what is ordered of these trees, has it checked, and publishes it, unless
    /// something in its target is in the way.
    pub(super) fn attempt(
        &self,
        order: &Order<'_>,
        mut sources: Vec<Source>,
        attempts: &mut Attempts,
        check: &mut Check<'_>,
    ) -> Result<Report, Error> {
        // Before anything is read.
        let (clock, start) = (clock::look(), Local::now());
        let vanished = Vanished::new(&*self.options.observer);
        let totals = Totals::new(&vanished, Some(&self.options.stop));
        let set_aside = attempts.tell(&totals);
        let reference = self.choose_references(order, &mut sources, start.to_utc())?;
        self.may_begin(order, &sources)?;
        let trees = sources.iter().map(|source| source.handle.as_fd());
        let (budget, jobs) = budget::budget(self.options.jobs, trees, self.dump.handle(), &totals);
        let mut note = |_: &Error| attempts.obstacle = totals.take_obstacle();
        let named = self.name(order, &sources, Stamp::of(&start), &totals);
        let named = named.inspect_err(&mut note)?;
        let dump = self.dump.path().join(named.name.path());
        let reference = reference.map(|reference| reference.path.below(self.dump.path()));
        totals.event(Event::Started {
            dump: &dump,
            reference: reference.as_deref(),
        });
        let mut publication = Publication {
            run: self,
            order,
            totals: &totals,
            budget,
            name: named.name,
            moment: order.moment.unwrap_or_else(|| start.to_utc()),
            evidence: Evidence::of(order, &sources, clock),
            total_is_told: false,
            set_aside,
        };
        let began = publication.carry_out(sources, named.leftover, check);
        let began = began.inspect_err(note)?;
        let sum = totals.sum();
        Ok(Report {
            dump,
            reference,
            source: None,
            start,
            end: Local::now(),
            dry_run: self.options.dry_run,
            resumed: began.resumed,
            recycled_from: began
                .recycled
                .map(|dump| self.dump.path().join(dump.path())),
            jobs,
            warnings_total: sum.warnings_total + sum.counts.vanished,
            missing: order.lacks.map_or(0, Lacking::at_least) + sum.counts.lacking(),
            counts: sum.counts,
            verified: None,
            faults: sum.faults,
            warnings: vanished.behind(sum.warnings),
            free_bytes: self.dump.free().map(|free| free.bytes),
        })
    }

    /// What is known to be wrong before anything is made.
    fn may_begin(&self, order: &Order<'_>, sources: &[Source]) -> Result<(), Error> {
        for source in sources {
            self.guard(source, order)?;
        }
        if let Some(pin) = &order.pin {
            self.dump.pin_is_free(pin)?;
        }
        Ok(())
    }
}

impl Publication<'_> {
    /// Does what was begun.
    fn carry_out(
        &mut self,
        sources: Vec<Source>,
        leftover: Option<Leftover>,
        check: &mut Check<'_>,
    ) -> Result<Began, Error> {
        let (run, totals) = (self.run, self.totals);
        run.refuse_folded_trees(&sources)?;
        self.tell_of_trees(&sources);
        let estimate =
            run.check_space_before(self.order, &sources, leftover.as_ref(), self.budget, totals)?;
        if let Some(expected) = estimate.or_else(|| run.expected(self.order, &sources)) {
            totals.event(expected.event());
            self.total_is_told = true;
        }
        totals.event(Event::Phase(Phase::Storing));
        let began = if run.options.dry_run {
            self.rehearse(sources)?;
            Began::default()
        } else {
            self.store(sources, leftover, check)?
        };
        evidence::tell_of_vain_comparisons(self.order, totals);
        Ok(began)
    }

    /// What a person should know of the trees before they are read.
    fn tell_of_trees(&self, sources: &[Source]) {
        let Self { run, order, .. } = self;
        // What is copied of a dump, or brought in from elsewhere, is what it is.
        if !order.merge.source_is_dump && order.at.is_none() {
            for reference in trees::missing(&run.dump, sources) {
                self.totals.warn(Warning::MissingTree { reference });
            }
        }
        if run.init && !order.merge.source_is_dump {
            run.tell_of_closed_parents(sources, self.totals);
        }
    }

    /// Finds out what would be stored.
    fn rehearse(&self, mut sources: Vec<Source>) -> Result<(), Error> {
        let Self { run, totals, .. } = self;
        let folding = folding::guess(run.dump.handle().as_fd());
        run.tell_of_folding(folding, &sources, totals)?;
        self.evidence.weigh(&mut sources, None);
        let expected = run.recall_mounts(self.order, &mut sources, |s, dump| {
            self.evidence.since(s, dump)
        });
        let met = MountsMet::default();
        let capabilities = capabilities::guess(run.dump.handle());
        let recalled = run.recalled(self.order, &sources);
        let merge = Merge {
            met: Some(&met),
            mounted: &self.order.mounted,
            folding,
            catalogued: recalled.as_ref().filter(|_| folding == Folding::default()),
            tells_total: !self.total_is_told,
            ..Merge::new(self.order.merge, self.budget, totals, &capabilities)
        };
        run.merge(&merge, sources)?;
        run.note_mounts(self.order, met, expected, None, totals)
    }

    /// Stores the trees, has what was stored checked, and makes it visible.
    fn store(
        &self,
        sources: Vec<Source>,
        mut leftover: Option<Leftover>,
        check: &mut Check<'_>,
    ) -> Result<Began, Error> {
        let Self { run, totals, .. } = self;
        if let Some(leftover) = &mut leftover {
            leftover.newest =
                run.trim_leftover(leftover.name, self.order, &sources, self.budget, totals)?;
        }
        let (staging, capabilities) = run.staging(self.name, leftover, &sources, totals)?;
        let mut staging = self.marked_as_linked(staging)?;
        // Not for a dump root that is refused.
        let catalog = run.open_catalog(self.order, totals);
        let remembering = catalog
            .filter(|_| staging.folding == Folding::default())
            .and_then(|c| run.remembering(c, &sources, &capabilities, totals));
        let told = (self.budget, *totals);
        let what = (&mut staging, &*sources);
        run.recycle(self.order, what, remembering.as_ref(), told)?;
        let others = run.spares_of_others(self.order, &sources);
        let began = Began {
            resumed: staging.resumed,
            recycled: staging.recycled,
        };
        let checking = run.checking(self.order, totals);
        let checked = checking.as_ref().map(|checking| &checking.merge);
        let found_out = self.fill(&staging, &capabilities, sources, (remembering, checked))?;
        flush::finish(&staging, totals)?;
        check(&Made {
            staging: &staging,
            capabilities: &capabilities,
            totals,
            checked,
            budget: self.budget,
        })?;
        self.make_visible(staging, found_out)?;
        if let Some(checking) = checking {
            run.record_copied(self.order.sort, checking, totals);
        }
        let tell = |warning| match &warning {
            // Once is enough.
            Warning::NotRemoved { fault } if self.set_aside.contains(&fault.path) => {}
            _ => totals.warn(warning),
        };
        run.finish_removing(self.budget, &others, &tell);
        Ok(began)
    }

    /// Says of a linked checkpoint that it is one before anything in it is linked:
    /// no other run may take over what is left behind of it.
    fn marked_as_linked<'s>(&self, staging: Staging<'s>) -> Result<Staging<'s>, Error> {
        if self.order.linked.is_none() {
            return Ok(staging);
        }
        match marks::put_linked(staging.handle()) {
            Ok(()) => Ok(staging),
            Err(e) if errno::is_disk_refusal(&e) => {
                staging.marked(Err(e))?;
                Ok(staging)
            }
            Err(cause) => {
                staging.abandon();
                Err(Error::NoMarks {
                    dump: self.run.dump.path().to_path_buf(),
                    cause,
                })
            }
        }
    }

    /// Brings the trees to where the dump is made, with its notes.
    fn fill(
        &self,
        staging: &Staging<'_>,
        capabilities: &Capabilities,
        mut sources: Vec<Source>,
        (remembering, checked): (Option<Remembering>, Option<&Checked<'_>>),
    ) -> Result<Option<FoundOut>, Error> {
        let (run, evidence) = (self.run, &self.evidence);
        evidence.begin(staging)?;
        evidence.weigh(&mut sources, staging.resumed.then(|| staging.handle()));
        let expected =
            run.recall_mounts(self.order, &mut sources, |s, dump| evidence.since(s, dump));
        if capabilities.user_xattrs {
            run.tell_of_missing_marks(evidence, &sources, self.totals);
        }
        let met = MountsMet::default();
        // Without a catalog nothing would keep a hash.
        let options = MergeOptions {
            hash: self.order.merge.hash && remembering.is_some() || checked.is_some(),
            ..self.order.merge
        };
        let merge = Merge {
            staging: Some(staging),
            met: Some(&met),
            mounted: &self.order.mounted,
            tells_total: !self.total_is_told,
            link_checks: self.order.linked,
            catalogued: remembering.as_ref().map(|it| &it.merge),
            checked,
            ..Merge::new(options, self.budget, self.totals, capabilities)
        };
        let merged = flush::meanwhile(staging, self.totals, || run.merge(&merge, sources));
        merged.inspect_err(|_| flush::keep(staging, self.totals))?;
        evidence.end(staging, self.totals)?;
        run.note_mounts(self.order, met, expected, Some(staging), self.totals)?;
        Ok(remembering.and_then(|remembering| remembering.finish(self.totals)))
    }

    /// Gives a dump its name, and points the links to it.
    fn make_visible(&self, staging: Staging<'_>, found_out: Option<FoundOut>) -> Result<(), Error> {
        let Self { run, totals, .. } = self;
        // Told before the last look: what comes after it is too late.
        totals.event(Event::Phase(Phase::Publishing));
        totals.verdict()?;
        let counts = totals.counts();
        let names = published::names(&staging, &counts, totals);
        staging.remember_size(names, counts.files.bytes)?;
        let tells = Tells {
            moment: self.moment,
            lacks: Lacking::and(self.order.lacks, counts.lacking()),
        };
        staging.mark_token()?;
        staging.mark_origin(self.order.origin.as_deref())?;
        let dump = (self.name, self.moment);
        let announced = found_out.and_then(|found| found.announce(dump, &staging, &counts, totals));
        // That may have taken a while.
        totals.verdict()?;
        if let Some(lock) = &run.lock {
            run.dump.still_holds(lock)?;
        }
        staging.publish(&tells, &self.links(), self.order.pin.as_ref())?;
        if let Some(announced) = announced {
            announced.confirm(totals);
        }
        Ok(())
    }

    /// Which links it gets: of an import that is older than what `current`
    /// names, none.
    fn links(&self) -> Vec<&'static str> {
        let made = Dated {
            moment: self.moment,
            name: self.name,
        };
        if self.order.at.is_some() && self.run.is_older(made) {
            return Vec::new();
        }
        self.run.links(self.order)
    }
}
