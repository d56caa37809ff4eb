//! The options that the words share, and the settings that they result in.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::Args;
use dumpcli::advice::{About, explain};
use dumpcli::failure::Failure;
use dumpcli::options;
use dumpcli::origin::{Origin, Value};
use dumpcli::print_config::Listing;
use dumpcli::screen;
use dumpcli::session_settings::SessionSettings;
use dumpcli::settings::Sources;
use dumpcore::{Error, Rate};

use crate::place::{self, Password, Place};
use crate::program::PROGRAM;
use crate::repository::secrets;

/// The options that are taken before a word as well as behind it.
#[derive(Args, Debug)]
pub(crate) struct Common {
    #[command(flatten)]
    places: options::Places,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    telling: options::Telling,
}

/// How much a word asks of the machine.
#[derive(Args, Debug)]
#[command(next_help_heading = "Load on the machine")]
struct Load {
    /// Limit the rate at which data is sent to the repository, per second and in
    /// rsync's syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]. It holds on
    /// average: data is sent in packs of tens of MB
    #[arg(long, value_name = "RATE")]
    bwlimit: Option<Rate>,
    /// Use disks and processors only when they are idle (--no-idle overrides
    /// the configuration)
    #[arg(long, overrides_with = "no_idle")]
    idle: bool,
    #[arg(long, hide = true, overrides_with = "idle")]
    no_idle: bool,
}

/// What is in force.
pub(crate) struct Settings {
    pub(crate) main: Vec<PathBuf>,
    pub(crate) dump: Value<PathBuf>,
    pub(crate) session: SessionSettings,
    pub(crate) sources: Sources,
    /// The names of the variables of `environment_file`.
    pub(crate) variables: Vec<OsString>,
}

impl Settings {
    /// `None` when they were only to be printed.
    pub(crate) fn resolve(common: &Common) -> Result<Option<Self>, Failure> {
        let Common {
            places,
            load,
            telling,
        } = common;
        let sources = Sources::load(PROGRAM, &places.configuration)?;
        let variables = place::take_environment(&sources)?;
        let output = telling.output();
        let idle = options::either(load.idle, load.no_idle);
        let mut asked = options::Load::of(None::<NonZeroU16>, idle);
        asked.bwlimit = load.bwlimit;
        let settings = Self {
            main: places.main.clone(),
            dump: sources.dump(places.dump.clone()),
            session: sources.session(output, telling.progress, asked),
            sources,
            variables,
        };
        if !places.print_config {
            return Ok(Some(settings));
        }
        screen::print(&settings.listed())?;
        Ok(None)
    }

    fn listed(&self) -> String {
        let mut listing = Listing::new(PROGRAM, &self.sources);
        listing.paths("main", &self.sources.main(&self.main));
        listing.path("dump", &self.dump);
        let limit = &self.session.bwlimit;
        listing.value("bwlimit", limit.value.to_string(), &limit.source);
        listing.value("idle", self.session.idle.value, &self.session.idle.source);
        listing.session(&self.session);
        listing.table("offsite");
        let place = Place::of(&self.sources);
        let repository = place.repository.map(|repository| Value {
            value: secrets::shown(&repository.value),
            source: repository.source,
        });
        listing.maybe("repository", repository.as_ref(), "none");
        match place.password {
            Some(Value {
                value: Password::File(value),
                source,
            }) => listing.path("password_file", &Value { value, source }),
            Some(Value { source, .. }) => {
                listing.unset("password_file", &format!("none; {source}"));
            }
            None => listing.unset("password_file", "none"),
        }
        match self.sources.offsite_environment_file() {
            Some(file) => listing.path("environment_file", &file),
            None => listing.unset("environment_file", "none"),
        }
        listing.keep("offsite.keep", self.sources.offsite_keep().as_ref());
        listing.hooks(&self.session)
    }

    /// An error of the library, with what can be done about it.
    pub(crate) fn explained(&self, error: Error) -> Failure {
        let about = About {
            advice: PROGRAM.advice,
            read: &[],
            dump: &self.dump.value,
            origins: &[Origin::of("--dump", &self.dump)],
        };
        explain(Failure::from(error), about)
    }
}
