//! `--help` in as many columns as there are, in one layout for all programs.
//!
//! clap wraps the descriptions of options and nothing else as it should be.
//! What stands behind the options has a form: headings that end in a colon,
//! under which each line has an item and what it means, and paragraphs. It is
//! read here, for the screen and for the manual pages, and set again in the
//! width of the terminal: at words, and an item such as an example of a command
//! stays whole.

use std::env;

use clap::Command;

use crate::output::fit;

/// Longer lines are hard to read.
const WIDEST: usize = 100;
/// With fewer columns than this, descriptions stand below their options. With
/// more, clap can set any option of any program beside its description.
const BESIDE: usize = 80;
/// What a meaning needs at least to stand beside its item.
const MEANING: usize = 30;
/// How far clap indents what stands below an option.
const BELOW: usize = 10;

/// A part of what stands behind the options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A heading, and items with their meanings.
    List(String, Vec<(String, String)>),
    /// A paragraph.
    Text(String),
}

/// The parts of what stands behind the options.
#[must_use]
pub fn parts(after: &str) -> Vec<Part> {
    let blocks = after.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks.map(part).collect()
}

fn part(block: &str) -> Part {
    let mut lines = block.trim_end().lines();
    let first = lines.next().unwrap_or_default();
    let Some(heading) = first.strip_suffix(':') else {
        let words: Vec<&str> = block.split_whitespace().collect();
        return Part::Text(words.join(" "));
    };
    let mut items: Vec<(String, String)> = Vec::new();
    for line in lines {
        let item = line.strip_prefix("  ").filter(|l| !l.starts_with(' '));
        match (item, items.last_mut()) {
            (Some(item), _) => {
                let (item, meaning) = item.split_once("  ").unwrap_or((item, ""));
                items.push((item.to_owned(), meaning.trim().to_owned()));
            }
            (None, Some((_, meaning))) => {
                meaning.push(' ');
                meaning.push_str(line.trim());
            }
            (None, None) => items.push((String::new(), line.trim().to_owned())),
        }
    }
    Part::List(heading.to_owned(), items)
}

/// The definition of a command line whose help fits the terminal.
pub(crate) fn fitted(command: Command) -> Command {
    fitted_to(command, width())
}

/// The same for a terminal of this width, in columns.
#[must_use]
pub fn fitted_to(command: Command, width: usize) -> Command {
    let mut command = command.term_width(width).next_line_help(width < BESIDE);
    // clap has another layout for what has a long description.
    if let Some(about) = command.get_long_about().map(ToString::to_string) {
        let about: Vec<String> = about
            .split("\n\n")
            .map(|text| fit::wrapped(text, width).join("\n"))
            .collect();
        command = command.long_about(None::<&str>).help_template(format!(
            "{}\n\n{{usage-heading}} {{usage}}\n\n{{all-args}}{{after-help}}",
            about.join("\n\n")
        ));
    }
    if let Some(after) = command.get_after_help() {
        let text = after.to_string();
        command = command.after_help(set(&parts(&text), width));
    }
    command.mut_subcommands(|word| fitted_to(word, width))
}

/// The width of the terminal. The reader of a pipe is likely to show it on the
/// terminal that stderr is.
fn width() -> usize {
    let terminal = fit::stdout_columns().or_else(fit::stderr_columns);
    let told = || env::var("COLUMNS").ok()?.parse().ok();
    let width = terminal.or_else(told).filter(|width| *width > 0);
    width.map_or(WIDEST, |width: usize| width.min(WIDEST))
}

fn set(parts: &[Part], width: usize) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => fit::wrapped(text, width).join("\n"),
            Part::List(heading, items) => format!("{heading}:\n{}", list(items, width)),
        })
        .collect();
    parts.join("\n\n")
}

/// Items with their meanings in a column beside them, or below them where that
/// would be too narrow.
fn list(items: &[(String, String)], width: usize) -> String {
    let widest = items.iter().map(|(item, _)| fit::columns(item)).max();
    let column = widest.unwrap_or_default() + 4;
    let beside = width >= column + MEANING;
    let mut lines = Vec::new();
    for (item, meaning) in items {
        let column = if beside { column } else { BELOW };
        let mut meaning = fit::wrapped(meaning, width.saturating_sub(column)).into_iter();
        let first = if beside { meaning.next() } else { None };
        let room = column.saturating_sub(fit::columns(item) + 2);
        let line = format!("  {item}{:room$}{}", "", first.unwrap_or_default());
        lines.push(line.trim_end().to_owned());
        lines.extend(meaning.map(|line| format!("{:column$}{line}", "")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: &str = "Examples:
  a -b     the first
  c        goes
           on

More, in
two lines.";

    #[test]
    fn the_parts_behind_the_options_are_told_apart() {
        let item = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let list = vec![item("a -b", "the first"), item("c", "goes on")];
        assert_eq!(
            parts(AFTER),
            [
                Part::List("Examples".to_owned(), list),
                Part::Text("More, in two lines.".to_owned()),
            ]
        );
    }

    #[test]
    fn what_is_behind_the_options_is_set_in_the_width_there_is() {
        let after = "Examples:
  cmd --long-option 'a value'    a meaning of some words
  cmd                            another, which has some more
                                 words than the first

Exit codes:
  0    done
  130  stopped by a signal: nothing
       was published

Some words that
were wrapped for eighty columns, and that are set in another width.";
        let narrow = "Examples:
  cmd --long-option 'a value'
          a meaning of some words
  cmd
          another, which has some more words
          than the first

Exit codes:
  0    done
  130  stopped by a signal: nothing was
       published

Some words that were wrapped for eighty
columns, and that are set in another width.";
        let wide = "Examples:
  cmd --long-option 'a value'  a meaning of some words
  cmd                          another, which has some more words than the first

Exit codes:
  0    done
  130  stopped by a signal: nothing was published

Some words that were wrapped for eighty columns, and that are set in another
width.";
        assert_eq!(set(&parts(after), 44), narrow);
        assert_eq!(set(&parts(after), 80), wide);
        // An example of a command is never broken.
        let tiny = set(&parts(after), 20);
        assert!(tiny.contains("\n  cmd --long-option 'a value'\n"), "{tiny}");
    }
}
