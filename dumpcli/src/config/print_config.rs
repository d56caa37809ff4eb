//! `--print-config`: what is in force and where each value comes from.
//!
//! The text is TOML that would bring the same about as a configuration file;
//! the sources stand behind the values as comments.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::config::keep::KeepTable;
use crate::config::keys::OneOrMany;
use crate::config::keys::Rule;
use crate::config::origin::{Source, Value};
use crate::config::session_settings::SessionSettings;
use crate::config::settings::Sources;
use crate::program::Program;

/// A listing in the making.
#[derive(Debug)]
pub struct Listing(String);

impl Listing {
    /// Starts with the file in force.
    #[must_use]
    pub fn new(program: Program, sources: &Sources) -> Self {
        let files: Vec<String> = sources
            .files()
            .iter()
            .map(|f| f.display().to_string())
            .collect();
        let file = match files.as_slice() {
            [] => "none".to_owned(),
            files => files.join(", "),
        };
        let mut text = format!(
            "# settings of {} {}; configuration file: {file}",
            program.name, program.version
        );
        if let Some(set) = sources.set() {
            text.push_str(&format!("; set: {set}"));
        }
        if !sources.sets().is_empty() {
            text.push_str(&format!("; all sets: {}", sources.sets().join(", ")));
        }
        text.push('\n');
        for warning in sources.warnings() {
            let _ = writeln!(text, "# warning: {warning}");
        }
        Self(text)
    }

    /// One key.
    pub fn value(&mut self, key: &str, value: impl Into<toml::Value>, source: &Source) {
        let line = format!("{key} = {}", value.into());
        let _ = writeln!(self.0, "{line:<40} # {source}");
    }

    /// A key that nobody set, and what then holds.
    pub fn unset(&mut self, key: &str, meaning: &str) {
        let _ = writeln!(self.0, "{:<40} # default: {meaning}", format!("# {key} ="));
    }

    /// A key that may be unset.
    pub fn maybe<T: Clone + Into<toml::Value>>(
        &mut self,
        key: &str,
        value: Option<&Value<T>>,
        meaning: &str,
    ) {
        match value {
            Some(value) => self.value(key, value.value.clone(), &value.source),
            None => self.unset(key, meaning),
        }
    }

    /// A path.
    pub fn path(&mut self, key: &str, path: &Value<PathBuf>) {
        self.value(key, text(&path.value), &path.source);
    }

    /// Paths: one alone is written as such.
    pub fn paths(&mut self, key: &str, paths: &Value<Vec<PathBuf>>) {
        let mut texts: Vec<String> = paths.value.iter().map(|path| text(path)).collect();
        match (texts.len(), texts.pop()) {
            (1, Some(one)) => self.value(key, one, &paths.source),
            (_, last) => {
                texts.extend(last);
                self.value(key, texts, &paths.source);
            }
        }
    }

    /// Exclude rules, one a line, each with its source.
    pub fn excludes(&mut self, rules: &[Value<Rule>]) {
        let pattern = |rule: &Rule| match rule {
            Rule::Pattern(pattern) => Some(pattern.to_string_lossy().into_owned()),
            Rule::File(_) => None,
        };
        let file = |rule: &Rule| match rule {
            Rule::Pattern(_) => None,
            Rule::File(file) => Some(text(file)),
        };
        self.rules("exclude", rules, pattern);
        self.rules("exclude_from", rules, file);
    }

    fn rules(&mut self, key: &str, rules: &[Value<Rule>], of: impl Fn(&Rule) -> Option<String>) {
        let mut lines = String::new();
        for rule in rules {
            if let Some(text) = of(&rule.value) {
                let item = format!("  {},", toml::Value::from(text));
                let _ = writeln!(lines, "{item:<40} # {}", rule.source);
            }
        }
        if lines.is_empty() {
            self.value(key, Vec::<String>::new(), &Source::Default);
        } else {
            let _ = writeln!(self.0, "{key} = [\n{lines}]");
        }
    }

    /// What follows stands in this table.
    pub fn table(&mut self, name: &str) {
        let _ = writeln!(self.0, "\n[{name}]");
    }

    /// Which dumps stay, as it was written; nothing where that was not.
    pub fn keep(&mut self, table: &str, keep: Option<&Value<KeepTable>>) {
        let Some(keep) = keep else {
            return;
        };
        self.table(table);
        for (key, value) in &keep.value.written {
            self.value(key, value.clone(), &keep.source);
        }
    }

    /// What every session has; it ends with the table of hooks.
    #[must_use]
    pub fn finish(mut self, settings: &SessionSettings) -> String {
        self.session(settings);
        self.hooks(settings)
    }

    /// How many workers there are to be.
    pub fn jobs(&mut self, settings: &SessionSettings) {
        let jobs = settings.jobs.as_ref().map(|jobs| Value {
            value: i64::from(jobs.value.get()),
            source: jobs.source.clone(),
        });
        self.maybe(
            "jobs",
            jobs.as_ref(),
            "chosen from the disks and processors",
        );
    }

    /// What a run asks of the machine.
    pub fn load(&mut self, settings: &SessionSettings) {
        self.jobs(settings);
        let limit = &settings.bwlimit;
        self.value("bwlimit", limit.value.to_string(), &limit.source);
        self.value("idle", settings.idle.value, &settings.idle.source);
    }

    /// What every session has on the top level.
    pub fn session(&mut self, settings: &SessionSettings) {
        self.value("log", settings.log.value.as_str(), &settings.log.source);
        self.maybe(
            "progress",
            settings.progress.as_ref(),
            "when stderr is a terminal",
        );
    }

    /// What was listed.
    #[must_use]
    pub fn end(self) -> String {
        self.0
    }

    /// The table of hooks, which is the end.
    #[must_use]
    pub fn hooks(mut self, settings: &SessionSettings) -> String {
        self.table("hooks");
        for (key, hook) in [("pre", &settings.pre), ("post", &settings.post)] {
            match hook {
                Some(hook) => self.value(key, command(&hook.value), &hook.source),
                None => self.unset(key, "none"),
            }
        }
        self.0
    }
}

fn command(command: &OneOrMany) -> toml::Value {
    match command {
        OneOrMany::One(line) => line.as_str().into(),
        OneOrMany::Many(words) => words.clone().into(),
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
