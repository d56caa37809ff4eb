//! `dumpoffsite check`: looks whether the repository is whole.

use clap::Args;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::figures;
use serde_json::{Map, Value};

use crate::common::Settings;
use crate::desk::{self, Done};
use crate::repository::{Finding, Subset};

const HELP: &str = "\
Examples:
  dumpoffsite check                          everything is there that should be
  dumpoffsite check --read-data-subset 1/7   and a seventh of the data is good
  dumpoffsite check --read-data              and all of the data is good

Exit codes:
  0         the repository is whole
  1         failed: it could not be checked
  2         wrong usage: options or configuration
  3         something is damaged or missing, and named
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143)";

/// Check that the repository has everything that its snapshots need.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Also read all data, and compare it with its checksums
    #[arg(long)]
    read_data: bool,
    /// Also read a part of the data: the first of seven parts (1/7), or 5% or 10GB
    /// chosen at random
    #[arg(long, value_name = "N", conflicts_with = "read_data", value_parser = subset)]
    read_data_subset: Option<Subset>,
}

fn subset(text: &str) -> Result<Subset, String> {
    Subset::parse(text)
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Done {
    desk::at("check", settings, |desk| {
        let (repository, address) = desk.open(settings)?;
        let data = match options.read_data {
            true => Some(Subset::ALL),
            false => options.read_data_subset,
        };
        let findings = repository.check(data);
        let findings = findings.map_err(|error| desk.failure(settings, error))?;
        for finding in &findings {
            match finding.is_error {
                true => tracing::error!("{}", finding.message),
                false => tracing::warn!("{}", finding.message),
            }
        }
        let errors = findings.iter().filter(|finding| finding.is_error).count();
        let exit = match errors {
            0 => Exit::Done,
            _ => Exit::Attention,
        };
        let mut object = desk.head(exit);
        object.insert("repository".into(), address.shown.as_str().into());
        let all = findings
            .iter()
            .map(|found| Value::Object(self::object(found)));
        object.insert("findings".into(), all.collect());
        let shown = &address.shown;
        let text = match errors {
            0 => format!("{shown} is whole\n"),
            1 => format!("{shown} is damaged: 1 error\n"),
            more => format!(
                "{shown} is damaged: {} errors\n",
                figures::number(more as u64)
            ),
        };
        desk.tell(object, &text)?;
        Ok::<_, Failure>(exit)
    })
}

fn object(finding: &Finding) -> Map<String, Value> {
    let severity = match finding.is_error {
        true => "error",
        false => "warning",
    };
    let mut object = Map::new();
    object.insert("severity".into(), severity.into());
    object.insert("message".into(), finding.message.as_str().into());
    object
}
