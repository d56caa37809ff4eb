//! `dumpoffsite init`: makes a repository.

use clap::Args;
use dumpcli::exit::Exit;

use crate::common::Settings;
use crate::desk::{self, Done};
use crate::place::Place;
use crate::repository::Repository;

const HELP: &str = "\
Make a password first, and keep a copy of it somewhere else:
  (umask 077; head -c 24 /dev/urandom | base64 >/etc/dump/offsite.password)

Exit codes:
  0         done
  1         failed; also when there is a repository already
  2         wrong usage: options or configuration";

/// Make the repository.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options, settings: &Settings) -> Done {
    desk::at("init", settings, |desk| {
        let address = Place::of(&settings.sources).address()?;
        let made = Repository::init(&address, desk.control());
        let id = made.map_err(|error| desk.failure(settings, error))?;
        let shown = &address.shown;
        let mut object = desk.head(Exit::Done);
        object.insert("repository".into(), shown.as_str().into());
        object.insert("id".into(), id.as_str().into());
        let short = id.get(..10).unwrap_or(&id);
        let text = format!(
            "made the repository {short} at {shown}\n\
             without this password the copies are lost; keep it somewhere else\n"
        );
        desk.tell(object, &text)?;
        Ok(Exit::Done)
    })
}
