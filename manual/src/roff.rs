//! The little of roff that is needed, so that no text is taken for a command.

/// When the pages last changed; what `man` shows at their foot.
pub(crate) const DATE: &str = "2026-11-24";

/// Text for a line of roff: backslashes, dashes and quotes as they are, and
/// no dot or apostrophe at the start of a line.
pub(crate) fn escaped(text: &str) -> String {
    let text = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('`', "\\(ga")
        .replace('^', "\\(ha")
        .replace('~', "\\(ti");
    if text.starts_with('.') {
        return format!("\\&{text}");
    }
    text
}

/// Running text: what stands between backquotes in bold.
pub(crate) fn running(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let shown = parts.map(|(i, part)| match (i % 2, part) {
        (1, part) => bold(part),
        (_, part) => escaped(part),
    });
    shown.collect()
}

/// Bold.
pub(crate) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

/// The head of a page.
pub(crate) fn head(name: &str, section: u8, what: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n.TH {name} {section} {DATE} \"dump {version}\"\n\
         .SH NAME\n{name} \\- {}\n",
        escaped(what)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_for_a_command() {
        assert_eq!(escaped(".rsync/a\\b"), "\\&.rsync/a\\eb");
        assert_eq!(escaped("--init"), "\\-\\-init");
        assert_eq!(escaped("'x'"), "\\(aqx\\(aq");
        assert_eq!(running("see `a-b` it"), "see \\fBa\\-b\\fR it");
    }
}
