//! `dumpctl shadow-copies`: dumps as previous versions for Samba.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::origin::Source;
use dumpcli::policies;
use dumpcli::settings::Sources;
use dumpcli::shadowing::{self, ShadowPlace};
use dumpcli::{absolute, json, screen};
use dumpcore::{DumpRoot, Printable};
use serde_json::Value;

use crate::common::Settings;
use crate::desk;
use crate::program::PROGRAM;

const HELP: &str = "\
Examples:
  dumpctl shadow-copies                         as [shadow_copies] says
  dumpctl shadow-copies --to /srv/shadow/home --through /srv/dump-ro

Each dump that holds the tree gets a symlink in the directory, named as Samba's
vfs_shadow_copy2 reads them: @GMT-2026.11.22-22.31.00 (UTC). Links whose dumps are
gone are removed; what else is in the directory stays. dumpme keeps the links up to
date when [shadow_copies] is configured. docs/SAMBA.md has a working smb.conf.

Exit codes:
  0  the links are up to date
  1  failed
  2  wrong usage";

/// Keep a directory of links for Samba, by which Windows shows dumps as previous
/// versions.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Directory of the links, outside of the dump root; made when it is missing
    /// [default: dir of [shadow_copies]]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: Option<PathBuf>,
    /// Name in the dumps of the tree that they lead to [default: the only one]
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    tree: Option<OsString>,
    /// Let the links lead through this path to the dump root: a read-only mount of
    /// it, so that no client of Samba can write into a dump
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    through: Option<PathBuf>,
    /// Change nothing; show what would be made and removed
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match updated(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail("shadow-copies", &failure, settings.session.json),
    }
}

fn updated(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    let place = options.place(settings)?;
    let root = &settings.dump.value;
    let links = place.order(root).dry_run(options.dry_run).run();
    let links = links.map_err(|error| settings.explained(error))?;
    if settings.session.json {
        let mut object = desk::head("shadow-copies", Exit::Done);
        json::put_path(&mut object, "dump_root", Some(&absolute(root)));
        json::put_path(&mut object, "tree", Some(place.tree.as_ref()));
        object.extend(shadowing::object(&links));
        screen::print(&format!("{}\n", Value::Object(object)))?;
    } else if !settings.session.quiet {
        screen::print(&format!("{}\n", shadowing::line(&links)))?;
    }
    if let Some(warning) = shadowing::writable(&links) {
        screen::complain(PROGRAM.name, &format!("warning: {warning}"));
    }
    Ok(Exit::Done)
}

impl Options {
    /// What options say, and the configuration where they say nothing.
    fn place(&self, settings: &Settings) -> Result<ShadowPlace, Failure> {
        let sources = Sources::load(PROGRAM, &settings.places.configuration)?;
        let table = sources.shadow_copies();
        let trees = self.trees(settings, &sources)?;
        let place = match (&self.to, &table) {
            (Some(dir), _) => Ok(ShadowPlace {
                dir: absolute(dir),
                tree: only(&trees)?,
                through: None,
            }),
            (None, Some(table)) => ShadowPlace::of_table(&sources, table, &trees),
            (None, None) => {
                let text = "name the directory of the links with --to, or in the configuration \
                            as dir of [shadow_copies]";
                return Err(Failure::Usage(text.to_owned()));
            }
        };
        let place = place.map_err(Failure::Failed)?;
        Ok(ShadowPlace {
            tree: self.tree.clone().unwrap_or(place.tree),
            through: self.through.clone().or(place.through),
            ..place
        })
    }

    /// The trees that may be meant: the one that was named, else those of the set,
    /// else those of the newest dump.
    fn trees(&self, settings: &Settings, sources: &Sources) -> Result<Vec<OsString>, Failure> {
        if let Some(tree) = &self.tree {
            return Ok(vec![tree.clone()]);
        }
        let main = &settings.places.main;
        if sources.main(main).source != Source::Default {
            return Ok(policies::names(sources, main));
        }
        let root = DumpRoot::open(&settings.dump.value);
        let root = root.map_err(|error| settings.explained(error))?;
        let newest = root.current().map_err(|error| settings.explained(error))?;
        let Some(newest) = newest else {
            return Ok(Vec::new());
        };
        let failed = |error: std::io::Error| {
            Failure::Failed(format!("cannot list {}: {error}", Printable::path(&newest)))
        };
        let mut trees = Vec::new();
        for entry in newest.read_dir().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                trees.push(entry.file_name());
            }
        }
        trees.sort();
        Ok(trees)
    }
}

fn only(trees: &[OsString]) -> Result<OsString, Failure> {
    match trees {
        [tree] => Ok(tree.clone()),
        [] => Err(Failure::Usage("name the tree with --tree".to_owned())),
        trees => {
            let names = shadowing::listed(trees);
            let text = format!("name one of the trees with --tree: {names}");
            Err(Failure::Usage(text))
        }
    }
}
