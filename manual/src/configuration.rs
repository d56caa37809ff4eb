//! dump.toml(5), from the example that is shipped.
//!
//! In the example a comment has a space behind its hash, and a setting that is
//! commented out has none; a block of comments is of the settings below it.

use crate::roff::{bold, escaped, head, running};

const EXAMPLE: &str = include_str!("../../dumpcli/dump.example.toml");

/// Ends the comments of what is shown as an example.
const EXAMPLE_MARK: &str = "Example:";

/// Comments, and the settings that they explain.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    comments: Vec<String>,
    settings: Vec<String>,
}

/// The page.
pub(crate) fn page() -> String {
    let mut text = head(
        "dump.toml",
        5,
        "configuration of dumpme, chkptme, dumpslave, dumpctl, dumpoffsite, dumpweb, yest and hist",
    );
    let mut blocks = blocks(EXAMPLE).into_iter().peekable();
    text.push_str(
        ".SH DESCRIPTION\nOne file in TOML is for all programs. \
         A commented example of it is shipped with them.\n",
    );
    // What it is, the page has said.
    blocks.next();
    while let Some(block) = blocks.next_if(|block| block.settings.is_empty()) {
        text.push_str(&format!(".PP\n{}\n", paragraph(&block.comments)));
    }
    text.push_str(".SH KEYS\n");
    for block in blocks {
        match table(&block) {
            Some(name) => {
                text.push_str(&format!(".SS {}\n", escaped(name)));
                text.push_str(&paragraph(&block.comments));
                text.push_str("\n.PP\n.nf\n.RS\n");
                for setting in &block.settings {
                    text.push_str(&escaped(setting));
                    text.push('\n');
                }
                text.push_str(".RE\n.fi\n");
            }
            None => {
                let example = is_example(&block);
                for (i, setting) in block.settings.iter().enumerate() {
                    text.push_str(if i == 0 { ".TP\n" } else { ".TQ\n" });
                    let role = if example { "example" } else { "default" };
                    text.push_str(&format!("{}  ({role})\n", key(setting)));
                }
                text.push_str(&paragraph(&block.comments));
                text.push('\n');
            }
        }
    }
    text.push_str(
        ".SH FILES\n.TP\n.I \\(ti/.config/dump/dump.toml\nof a user\n\
         .TP\n.I /etc/dump/dump.toml\nof all users\n\
         .SH SEE ALSO\n.BR dumpme (1),\n.BR chkptme (1),\n.BR dumpslave (1),\n.BR dumpctl (1),\n.BR dumpoffsite (1),\n.BR dumpweb (1),\n.BR yest (1),\n\
         .BR hist (1),\n.BR dump (7)\n",
    );
    text
}

fn blocks(example: &str) -> Vec<Block> {
    let mut blocks = vec![Block::default()];
    for line in example.lines() {
        let comment = line.strip_prefix("# ");
        let setting = line.strip_prefix('#').unwrap_or(line);
        match (comment, blocks.last_mut()) {
            (Some(comment), Some(block)) if block.settings.is_empty() => {
                block.comments.push(comment.to_owned());
            }
            (None, Some(block)) if !setting.is_empty() => {
                block.settings.push(setting.to_owned());
            }
            _ => blocks.push(Block {
                comments: comment.map(str::to_owned).into_iter().collect(),
                settings: Vec::new(),
            }),
        }
    }
    blocks.retain(|block| *block != Block::default());
    blocks
}

/// The table that a block is of, when it begins with its head.
fn table(block: &Block) -> Option<&str> {
    let first = block.settings.first()?;
    first.starts_with('[').then_some(first)
}

/// Do its settings show an example, and not the default?
fn is_example(block: &Block) -> bool {
    let last = block.comments.last();
    last.is_some_and(|line| line.ends_with(EXAMPLE_MARK))
}

fn key(setting: &str) -> String {
    match setting.split_once(" = ") {
        Some((key, value)) => format!("{} = {}", bold(key), escaped(value)),
        None => bold(setting),
    }
}

fn paragraph(comments: &[String]) -> String {
    let text = comments.join(" ");
    running(text.trim_end_matches(EXAMPLE_MARK).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_belong_to_the_settings_below_them() {
        let found =
            blocks("# Head.\n\n# Of a\n# and b.\n#a = 1\n#b = 2\n\n# Of t.\n#[t]\n#c = 3\n");
        let block = |comments: &[&str], settings: &[&str]| Block {
            comments: comments.iter().map(ToString::to_string).collect(),
            settings: settings.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(
            found,
            [
                block(&["Head."], &[]),
                block(&["Of a", "and b."], &["a = 1", "b = 2"]),
                block(&["Of t."], &["[t]", "c = 3"]),
            ]
        );
        assert_eq!(table(&found[2]), Some("[t]"));
    }

    #[test]
    fn every_key_of_the_example_is_in_the_page() {
        let page = page();
        for line in EXAMPLE.lines() {
            let Some(setting) = line.strip_prefix('#').filter(|s| !s.starts_with(' ')) else {
                continue;
            };
            if let Some((key, _)) = setting.split_once(" = ") {
                assert!(page.contains(&escaped(key)), "{key}");
            }
        }
    }
}
