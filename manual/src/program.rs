//! The page of a program, from the definition of its command line.

use clap::{ArgAction, Command};
use clap_mangen::Man;
use dumpcli::help::{Part, parts};

use crate::roff::{bold, escaped, head, running};

/// The page.
pub(crate) fn page(command: &Command) -> String {
    let name = command.get_name().to_owned();
    let about = command.get_about().map(ToString::to_string);
    let mut text = head(&name, 1, &summary(&about.unwrap_or_default()));
    let words: Vec<&Command> = command.get_subcommands().collect();
    text.push_str(".SH SYNOPSIS\n");
    if words.is_empty() {
        text.push_str(&synopsis(&bold(&name), command));
    }
    // The options of the program may stand before the word.
    for (number, word) in words.iter().enumerate() {
        text.push_str(if number > 0 { ".br\n" } else { "" });
        let called = format!(
            "{} [\\fIOPTIONS\\fR] {}",
            bold(&name),
            bold(word.get_name())
        );
        text.push_str(&synopsis(&called, word));
    }
    text.push_str(".SH DESCRIPTION\n");
    text.push_str(&description(command));
    text.push_str(&options(command));
    if words.is_empty() {
        text.push_str(&behind(command));
    }
    for told in &words {
        text.push_str(&word(&name, told));
    }
    text.push_str(&environment(command));
    text.push_str(&see_also(&name));
    text
}

/// One section for a word of a program, whose parts are those of the word.
fn word(program: &str, command: &Command) -> String {
    let name = format!("{program} {}", command.get_name());
    let options = options(command).replacen(".SH OPTIONS\n", ".SS Options\n", 1);
    let behind = behind(command).replace(".SH ", ".SS ");
    let heading = escaped(&name.to_uppercase());
    let description = description(command);
    format!(".SH {heading}\n{description}{options}{behind}")
}

/// What stands behind the options, texts before lists.
fn behind(command: &Command) -> String {
    let after = command.get_after_help().map(ToString::to_string);
    let (lists, texts): (Vec<_>, Vec<_>) = parts(&after.unwrap_or_default())
        .into_iter()
        .partition(|part| matches!(part, Part::List(..)));
    let mut text = String::new();
    for (index, part) in texts.iter().chain(&lists).enumerate() {
        section(part, index == 0, &mut text);
    }
    text
}

/// Every option with its value: clap_mangen leaves the values out.
fn synopsis(name: &str, command: &Command) -> String {
    let mut text = format!("{name}\n");
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let (places, options): (Vec<_>, Vec<_>) = shown.partition(|arg| arg.is_positional());
    for arg in options.into_iter().chain(places) {
        let value = arg
            .get_value_names()
            .filter(|_| arg.get_action().takes_values());
        let value = value.map(|names| format!("\\fI{}\\fR", escaped(&names.join(" "))));
        let name = match (arg.get_short(), arg.get_long()) {
            (Some(short), _) => Some(bold(&format!("-{short}"))),
            (None, long) => long.map(|long| bold(&format!("--{long}"))),
        };
        let words: Vec<String> = name.into_iter().chain(value).collect();
        let many = matches!(arg.get_action(), ArgAction::Append | ArgAction::Count)
            || arg.get_num_args().is_some_and(|n| n.max_values() > 1);
        let dots = if many { "\\&..." } else { "" };
        text.push_str(&match (arg.is_required_set(), words.join("\\ ")) {
            (true, words) => format!("{words}{dots}\n"),
            (false, words) => format!("[{words}]{dots}\n"),
        });
    }
    text
}

fn description(command: &Command) -> String {
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let paragraphs: Vec<String> = about
        .split("\n\n")
        .map(|paragraph| {
            let words: Vec<&str> = paragraph.split_whitespace().collect();
            let text = running(&words.join(" "));
            let end = if text.ends_with('.') { "" } else { "." };
            format!("{text}{end}\n")
        })
        .collect();
    paragraphs.join(".PP\n")
}

/// The options, each heading of `--help` a part of one section.
fn options(command: &Command) -> String {
    let mut rendered = Vec::new();
    let written = Man::new(command.clone()).render_options_section(&mut rendered);
    // Writing to memory cannot fail.
    debug_assert!(written.is_ok());
    // The page has both.
    let summary = " (see a summary with \\*(Aq\\-h\\*(Aq)";
    let rendered = String::from_utf8_lossy(&rendered).replace(summary, "");
    let headings: Vec<&str> = command
        .get_arguments()
        .filter_map(|arg| arg.get_help_heading())
        .collect();
    let mut text = String::new();
    let mut lines = rendered.lines().peekable();
    while let Some(line) = lines.next() {
        let title = line
            .strip_prefix(".SH ")
            .map(|title| title.trim_matches('"'));
        let heading = headings
            .iter()
            .find(|heading| title.is_some_and(|title| heading.to_uppercase() == title));
        match (heading, line) {
            (Some(heading), _) => text.push_str(&format!(".SS {}\n", escaped(heading))),
            // Stands at the head of the page.
            (None, ".ie \\n(.g .ds Aq \\(aq" | ".el .ds Aq '") => {}
            // Room where there is some already.
            (None, ".br") if lines.peek().is_some_and(|next| next.is_empty()) => {}
            (None, ".br") if text.ends_with(".sp\n") => {}
            (None, "") => {}
            (None, line) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// The line of the index: one sentence without its end, in lower case.
fn summary(about: &str) -> String {
    let line = about.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.trim_end_matches('.');
    let mut letters = line.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// Texts share one section, which the first part opens.
fn section(part: &Part, first: bool, text: &mut String) {
    match part {
        Part::Text(words) => {
            text.push_str(if first { ".SH NOTES\n" } else { ".PP\n" });
            text.push_str(&running(words));
            text.push('\n');
        }
        Part::List(heading, items) => {
            let heading = match heading.as_str() {
                "Exit codes" => "EXIT STATUS".to_owned(),
                other => other.to_uppercase(),
            };
            text.push_str(&format!(".SH {}\n", escaped(&heading)));
            for (item, meaning) in items {
                text.push_str(&format!(".TP\n{}\n{}\n", bold(item), running(meaning)));
            }
        }
    }
}

/// What counts for a repository.
const OFFSITE: [(&str, &str); 4] = [
    (
        "RESTIC_REPOSITORY",
        "The repository. Like the two below, it counts less than an option or a set, and more \
         than the rest of the configuration.",
    ),
    (
        "RESTIC_PASSWORD_FILE",
        "The file whose first line is the password of the repository.",
    ),
    (
        "RESTIC_PASSWORD_COMMAND",
        "A command of the shell that prints the password. Only one of the two may be set.",
    ),
    (
        "CACHE_DIRECTORY, XDG_CACHE_HOME",
        "Where copies of indexes and snapshots are kept; without them `~/.cache`.",
    ),
];

fn environment(command: &Command) -> String {
    let has = |name: &str| command.get_arguments().any(|arg| arg.get_id() == name);
    let mut text = String::from(".SH ENVIRONMENT\n");
    let mut item = |name: &str, meaning: &str| {
        text.push_str(&format!(".TP\n{}\n{}\n", bold(name), running(meaning)));
    };
    if has("main") {
        item(
            "MAINROOT",
            "The tree, where no option names one: the first existing directory \
             of a colon-separated list.",
        );
    }
    let root = if has("from") {
        "The dump root to replicate from, likewise: the first existing directory of a \
         colon-separated list. The dump root to replicate to is never taken from it."
    } else if has("main") {
        "The dump root, likewise."
    } else {
        "The dump root: the first existing directory of a colon-separated list."
    };
    item("DUMPROOT", root);
    item(
        "XDG_CONFIG_HOME",
        "Where the configuration of a user lies; without it `~/.config`.",
    );
    if command.get_name() == "dumpoffsite" {
        for (name, meaning) in OFFSITE {
            item(name, meaning);
        }
    }
    if has("color") {
        item(
            "NO_COLOR",
            "When set and not empty: no colours, unless `--color` says so.",
        );
        item(
            "PAGER",
            "What long output on a terminal goes through; without it `less -FRX`. Set it to `cat` for none.",
        );
    }
    text.push_str(".SH FILES\n");
    let mut item = |name: &str, meaning: &str| {
        text.push_str(&format!(".TP\n{}\n{}\n", bold(name), running(meaning)));
    };
    item(
        "~/.config/dump/dump.toml, /etc/dump/dump.toml",
        "The configuration, see `dump.toml`(5): the first that exists counts.",
    );
    if has("exclude") {
        let files = if has("from") {
            "DUMP/.rsync/exclude"
        } else {
            "MAIN/.rsync/exclude, DUMP/.rsync/exclude"
        };
        item(files, "Rules of what is left out, one a line.");
    }
    text
}

fn see_also(name: &str) -> String {
    let others = [
        "chkptme",
        "dumpctl",
        "dumpme",
        "dumpoffsite",
        "dumpslave",
        "dumpweb",
        "hist",
        "yest",
    ];
    let mut pages: Vec<String> = others
        .iter()
        .filter(|other| **other != name)
        .map(|other| format!(".BR {other} (1)"))
        .collect();
    pages.push(".BR dump.toml (5)".to_owned());
    pages.push(".BR dump (7)".to_owned());
    format!(".SH SEE ALSO\n{}\n", pages.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_no_sentence() {
        assert_eq!(summary("Take a dump,\n  of it."), "take a dump, of it");
    }
}
