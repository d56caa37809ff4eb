//! The options that the words of `dumpctl` share, and the settings that they result in.

use std::ffi::OsStr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use clap::Args;
use dumpcli::advice::{About, explain, no_dumps};
use dumpcli::failure::Failure;
use dumpcli::keys::LogTarget;
use dumpcli::options;
use dumpcli::origin::Origin;
use dumpcli::origin::Value;
use dumpcli::print_config::Listing;
use dumpcli::screen;
use dumpcli::session_settings::SessionSettings;
use dumpcli::settings::Sources;
use dumpcli::{absolute, quoted};
use dumpcore::{Chain, DumpId, DumpRoot, Error, NotADump};

use crate::program::PROGRAM;

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
    /// Number of workers [default: chosen by disk and processors]
    #[arg(short, long, value_name = "N", value_parser = options::jobs)]
    #[arg(allow_negative_numbers = true)]
    jobs: Option<NonZeroU16>,
    /// Use disks and processors only when they are idle (--no-idle overrides
    /// the configuration)
    #[arg(long, overrides_with = "no_idle")]
    idle: bool,
    #[arg(long, hide = true, overrides_with = "idle")]
    no_idle: bool,
}

/// What makes the catalog of the dump root that is meant without options.
const REBUILD: &str = "dumpctl catalog rebuild";

/// The command that makes the catalog of a dump root again, as it is to be typed: with
/// `--dump` where it would otherwise be about another one.
pub(crate) fn typed_rebuild(root: &Path) -> String {
    let usual = Sources::load(PROGRAM, &options::Configuration::default());
    let root = absolute(root);
    match usual.is_ok_and(|usual| absolute(&usual.dump(None).value) == root) {
        true => REBUILD.to_owned(),
        false => format!("{REBUILD} --dump {}", quoted(&root)),
    }
}

/// A sentence of the library about the catalog of a dump root, with that command.
pub(crate) fn with_rebuild(sentence: &str, root: &Path) -> String {
    sentence.replace(REBUILD, &typed_rebuild(root))
}

/// An error of the library, which knows no option, with that command where it advises
/// another one.
pub(crate) fn with_command(failure: Failure, root: &Path) -> Failure {
    match failure {
        Failure::Core {
            error,
            origin,
            hint,
        } => {
            let (told, command) = (Chain(&error).to_string(), typed_rebuild(root));
            let hint = match told.contains(REBUILD) && command != REBUILD {
                true => format!("{hint}; of this dump root it is '{command}'").into(),
                false => hint,
            };
            Failure::Core {
                error,
                origin,
                hint,
            }
        }
        other => other,
    }
}

/// What is in force.
pub(crate) struct Settings {
    /// What was given of them on the command line.
    pub(crate) places: options::Places,
    pub(crate) verbose: bool,
    /// Where it is said that what is seen besides is logged.
    pub(crate) log: Option<LogTarget>,
    pub(crate) dump: Value<PathBuf>,
    pub(crate) session: SessionSettings,
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
        let output = telling.output();
        let idle = options::either(load.idle, load.no_idle);
        let asked = options::Load::of(load.jobs, idle);
        let settings = Self {
            places: places.clone(),
            verbose: output.verbose > 0,
            log: output.log,
            dump: sources.dump(places.dump.clone()),
            session: sources.session(output, telling.progress, asked),
        };
        if !places.print_config {
            return Ok(Some(settings));
        }
        let mut listing = Listing::new(PROGRAM, &sources);
        listing.paths("main", &sources.main(&places.main));
        listing.path("dump", &settings.dump);
        listing.jobs(&settings.session);
        listing.session(&settings.session);
        listing.keep("keep", sources.keep().as_ref());
        screen::print(&listing.end())?;
        Ok(None)
    }

    /// The dump that was named. What is not one is told: a day, say, is wrong
    /// usage.
    pub(crate) fn find(&self, root: &DumpRoot, what: &OsStr) -> Result<DumpId, Failure> {
        root.find(what).map_err(|error| self.unfound(&error))
    }

    fn unfound(&self, error: &NotADump) -> Failure {
        if let NotADump::Missing { .. } | NotADump::Unknown { .. } = error
            && let Some(error) = no_dumps(&self.dump.value)
        {
            return self.explained(error);
        }
        let text = Chain(error).to_string();
        match error {
            NotADump::Elsewhere { .. } => {
                Failure::Failed(format!("{text}; name its dump root with --dump"))
            }
            NotADump::Several { .. } | NotADump::Inside { .. } => Failure::Usage(text),
            _ => Failure::Failed(text),
        }
    }

    /// An error of the library, with what can be done about it.
    pub(crate) fn explained(&self, error: Error) -> Failure {
        let about = About {
            advice: PROGRAM.advice,
            read: &[],
            dump: &self.dump.value,
            origins: &[Origin::of("--dump", &self.dump)],
        };
        with_command(explain(Failure::from(error), about), &self.dump.value)
    }
}
