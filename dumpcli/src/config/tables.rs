//! The tables that the programs share a file by: which keys each has, and which
//! program uses it.
//!
//! A typo in a table of another program must not stop the hourly dump: there an
//! unknown key is reported, not refused.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::plain::meant;

/// A table beside the keys of the top level, or of a set.
pub(super) struct Table {
    name: &'static str,
    keys: &'static [&'static str],
    tables: &'static [Table],
    used: Used,
}

/// Who uses a table.
enum Used {
    By(&'static [&'static str]),
    ButNotBy(&'static [&'static str]),
}

impl Used {
    fn by(&self, program: &str) -> bool {
        match self {
            Used::By(programs) => programs.contains(&program),
            Used::ButNotBy(programs) => !programs.contains(&program),
        }
    }
}

/// `[keep]`, here and in other tables.
const fn keep(used: &'static [&'static str]) -> Table {
    Table {
        name: "keep",
        keys: &[
            "auto",
            "last",
            "hourly",
            "daily",
            "weekly",
            "monthly",
            "yearly",
            "checkpoints",
            "free",
            "at_least",
        ],
        tables: &[],
        used: Used::By(used),
    }
}

/// All of them.
pub(super) const TABLES: [Table; 5] = [
    Table {
        name: "hooks",
        keys: &["pre", "post"],
        tables: &[],
        // Whatever has a run.
        used: Used::ButNotBy(&["yest", "hist", "dumpweb"]),
    },
    keep(&["dumpme", "dumpctl"]),
    Table {
        name: "slave",
        keys: &["from", "dump", "exclude", "exclude_from", "wait"],
        tables: &[keep(&["dumpslave", "dumpctl"])],
        // A checkpoint looks there for what is damaged.
        used: Used::By(&["dumpslave", "dumpctl", "chkptme"]),
    },
    Table {
        name: "offsite",
        keys: &["repository", "password_file", "environment_file"],
        tables: &[keep(&["dumpoffsite"])],
        used: Used::By(&["dumpoffsite"]),
    },
    Table {
        name: "shadow_copies",
        keys: &["dir", "tree", "through"],
        tables: &[],
        used: Used::By(&["dumpme", "dumpctl"]),
    },
];

/// Takes out of a section, whose tables have this name before theirs, what a
/// program does not use, and calls `tell` for what is unknown in it: the byte
/// where it stands, what it is, and what may have been meant.
pub(super) fn take_unused(
    section: &mut DeTable<'_>,
    before: &str,
    known: &[Table],
    program: &str,
    tell: &mut dyn FnMut(usize, String, String),
) {
    for table in known {
        let path = format!("{before}{}", table.name);
        if table.used.by(program) {
            if let Some(DeValue::Table(inner)) = section.get_mut(table.name).map(Spanned::get_mut) {
                take_unused(inner, &format!("{path}."), table.tables, program, tell);
            }
        } else if let Some(value) = section.remove(table.name) {
            table.check(&path, &value, tell);
        }
    }
}

impl Table {
    fn check(
        &self,
        path: &str,
        value: &Spanned<DeValue<'_>>,
        tell: &mut dyn FnMut(usize, String, String),
    ) {
        let DeValue::Table(found) = value.get_ref() else {
            let text = format!("`{path}` should be a table");
            tell(value.span().start, text, String::new());
            return;
        };
        for (key, value) in found {
            let name = key.get_ref().as_ref();
            if let Some(inner) = self.tables.iter().find(|table| table.name == name) {
                inner.check(&format!("{path}.{name}"), value, tell);
            } else if !self.keys.contains(&name) {
                let tables = self.tables.iter().map(|table| table.name);
                let meant = meant(name, self.keys.iter().copied().chain(tables));
                let text = format!("unknown key `{name}` in [{path}]");
                tell(key.span().start, text, meant);
            }
        }
    }
}
