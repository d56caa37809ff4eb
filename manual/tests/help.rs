//! `--help` of all programs: one layout, and no line wider than the terminal.

use clap::Command;
use dumpcli::help::{Part, fitted_to, parts};

/// What `--help` of each program and each of its words prints at this width,
/// with the examples of commands, which are never broken.
fn helps(width: usize) -> Vec<(String, Vec<String>, String)> {
    let mut all = Vec::new();
    for command in manual::commands() {
        let words = command.get_subcommands().cloned();
        let words: Vec<Command> = words.collect();
        for command in std::iter::once(command).chain(words) {
            let after = command.get_after_help().map(ToString::to_string);
            let items = parts(&after.unwrap_or_default());
            let items = items.into_iter().flat_map(|part| match part {
                Part::List(_, items) => items.into_iter().map(|(item, _)| item).collect(),
                Part::Text(_) => Vec::new(),
            });
            let items: Vec<String> = items.map(|item| format!("  {item}")).collect();
            let name = command.get_name().to_owned();
            let fitted = fitted_to(command, width);
            let help = fitted.try_get_matches_from([&name, "--help"]);
            let help = help.expect_err("help is printed").to_string();
            all.push((name, items, help));
        }
    }
    assert!(all.len() > 6, "every program has one, and its words");
    all
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [40, 60, 80, 100] {
        for (name, items, help) in helps(width) {
            for line in help.lines() {
                let fits = line.chars().count() <= width;
                let one_word = line.split_whitespace().count() == 1;
                let whole = items.iter().any(|item| item == line);
                assert!(fits || one_word || whole, "{name} at {width}: {line}");
            }
        }
    }
}

#[test]
fn all_programs_have_one_layout() {
    for (width, below) in [(60, true), (80, false), (100, false)] {
        for (name, _, help) in helps(width) {
            let mut lines = help.lines();
            let option = lines.find(|line| line.contains("--help")).expect("it has");
            let found = option.trim_end().ends_with("--help");
            assert_eq!(found, below, "{name} at {width}: {option}");
            // Between two options there is no empty line in any of them.
            for pair in help.lines().collect::<Vec<_>>().windows(2) {
                let option = pair[1].trim_start().starts_with('-') && pair[1].starts_with("  ");
                assert!(!pair[0].is_empty() || !option, "{name} at {width}: {help}");
            }
        }
    }
}
