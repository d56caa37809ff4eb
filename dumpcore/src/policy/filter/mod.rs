//! rsync's exclude language: what a dump leaves out.
//!
//! Promises the verdicts of rsync 3.5 for the rules of an `--exclude-from` file
//! and of `--exclude`, in polynomial time, and that a rule which cannot be
//! honoured is refused with its place, never skipped. No I/O here: the caller
//! reads files and walks trees.

mod class;
mod error;
mod glob;
mod matcher;
mod parse;

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

pub use self::error::{FilterError, FilterRefusal, RuleOrigin};

use self::error::Shown;
use self::matcher::Matcher;
use self::parse::Statement;

/// A list of rules in rsync's exclude language: which entries a dump leaves out.
///
/// # The language
///
/// The rules are tried in order; the first that matches an entry decides, and
/// an entry that none matches is kept. An excluded directory is not entered, so
/// rules for what is below it are never asked. Names are bytes.
///
/// In a file each line is one rule. Empty lines are skipped, and those that
/// start with `#` or `;`. Blanks at either end of a line belong to the pattern.
/// A line ends at LF, CR or CR LF; a byte order mark at the start of a file in
/// UTF-8 is skipped (rsync would make it part of the first rule).
///
/// | rule | meaning |
/// | --- | --- |
/// | `PATTERN` or `- PATTERN` | leave out what matches |
/// | `+ PATTERN` | keep what matches |
/// | `!` | forget all rules so far |
///
/// The path that a pattern is held against starts with the name of the dumped
/// root: `NEWAGE/home/notes`. What a pattern looks at depends on its shape:
///
/// | pattern | looks at |
/// | --- | --- |
/// | `core`, `*.o`: without slash or `**` | the last name |
/// | `/NEWAGE/tmp`: starts with a slash | the whole path |
/// | `.cache/big`: a slash inside | as many components at the end of the path |
/// | `a/**`, `x**y`: holds `**` | any part of the path that starts at a component, up to its end |
/// | `**/tmp`: starts with `**` | the whole path, as if a slash stood before it |
///
/// A final slash (`build/`) restricts a pattern to directories and otherwise
/// does not count. A symlink to a directory is not a directory.
///
/// The wildcards: `*` is any run of bytes without a slash, `**` any run, `?` any
/// byte but a slash, and `[…]` one byte of a class: `[abc]`, `[a-z]`, inverted
/// `[!a-z]` or `[^a-z]`, named `[[:upper:]]` (as in the C locale); a class never
/// matches a slash. A pattern that ends in `/***` matches the directory and all
/// below it. A backslash takes the next byte literally, but only in a pattern
/// that holds one of `*`, `?`, `[` at all; elsewhere it is a backslash.
///
/// # Refusals
///
/// An empty pattern after a sign, a pattern of 4096 bytes or more, a NUL byte,
/// and a file in UTF-16 or UTF-32 are errors. So is what would be a merge file
/// or carry modifiers in rsync's full filter language (`. FILE`, `: FILE`,
/// `merge FILE`, `dir-merge FILE`, `-/ PATTERN`, `-! PATTERN`, `-C` and their
/// like): in a list of excludes rsync takes these for patterns, which is hardly
/// ever meant. When it is, a sign makes it plain: `- . FILE`.
///
/// # Example
///
/// ```
/// use dumpcore::Filter;
///
/// let mut filter = Filter::new();
/// filter.add_lines(
///     "/newage/NEWAGE/.rsync/exclude",
///     b"# builds\n*.o\n+ /NEWAGE/keep/tmp/\ntmp/\n/NEWAGE/var/cache/***\n",
/// )?;
/// filter.add_rule(b"core.[0-9]*")?;
///
/// assert!(filter.excludes(b"NEWAGE/src/main.o", false));
/// assert!(filter.excludes(b"NEWAGE/tmp", true));
/// assert!(!filter.excludes(b"NEWAGE/tmp", false));
/// assert!(!filter.excludes(b"NEWAGE/keep/tmp", true));
/// assert!(filter.excludes(b"NEWAGE/var/cache", true));
///
/// let error = filter.add_rule(b": .rsync-filter").unwrap_err();
/// assert!(error.to_string().starts_with("bad rule \": .rsync-filter\""));
/// # Ok::<(), dumpcore::FilterError>(())
/// ```
///
/// Source: the manual page rsync(1), "FILTER RULES", and rsync 3.5's behaviour.
/// Cloning is cheap: clones share the rules.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    rules: Arc<Vec<FilterRule>>,
}

/// One rule of a [`Filter`], as [`Filter::verdict`] names it.
///
/// Displayed as the rule and its place: `"*.o" (DIR/exclude line 3)`.
#[derive(Debug, Clone)]
pub struct FilterRule {
    text: Box<[u8]>,
    origin: RuleOrigin,
    include: bool,
    dirs: bool,
    matcher: Matcher,
}

impl Filter {
    /// A filter without rules: it excludes nothing.
    #[must_use]
    pub fn new() -> Filter {
        Filter::default()
    }

    /// No rule is left, so nothing is excluded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules in force, in the order in which they are tried. What a `!`
    /// wiped out is not among them.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &FilterRule> {
        self.rules.iter()
    }

    /// Appends one rule, as `--exclude` takes it: no comments, and line ends are
    /// part of the pattern. An empty line is not a rule, as in rsync.
    ///
    /// # Errors
    ///
    /// When the rule is refused (see [the list](Filter#refusals)); the filter is
    /// then as it was.
    pub fn add_rule(&mut self, rule: impl AsRef<[u8]>) -> Result<(), FilterError> {
        let rule = rule.as_ref();
        if rule.is_empty() {
            return Ok(());
        }
        push(Arc::make_mut(&mut self.rules), rule, RuleOrigin::Single)
    }

    /// Appends the rules in the contents of a file, as `--exclude-from` takes
    /// it. `name` is only used to say where a rule stands.
    ///
    /// # Errors
    ///
    /// When a rule is refused (see [the list](Filter#refusals)), for the first
    /// such; the filter is then as it was.
    pub fn add_lines(
        &mut self,
        name: impl AsRef<Path>,
        contents: impl AsRef<[u8]>,
    ) -> Result<(), FilterError> {
        let name: Arc<Path> = name.as_ref().into();
        let origin = |line| {
            let name = Arc::clone(&name);
            RuleOrigin::File { name, line }
        };
        self.add_all(contents.as_ref(), &origin)
    }

    fn add_all(
        &mut self,
        contents: &[u8],
        origin: &dyn Fn(usize) -> RuleOrigin,
    ) -> Result<(), FilterError> {
        let mut rules = self.rules.to_vec();
        let contents = parse::unmarked(contents)
            .map_err(|mark| FilterError::new(origin(1), mark, FilterRefusal::Encoding))?;
        for (line, rule) in parse::lines(contents) {
            push(&mut rules, rule, origin(line))?;
        }
        self.rules = Arc::new(rules);
        Ok(())
    }

    /// Is this entry left out?
    ///
    /// `path` is the root's name, then the path below it, joined by single
    /// slashes, with none at either end. When [`needs_path`](Filter::needs_path)
    /// says no, the last name alone will do. The parents are not looked at: a
    /// caller that enters no excluded directory has rsync's result.
    #[must_use]
    pub fn excludes(&self, path: &[u8], is_dir: bool) -> bool {
        self.verdict(path, is_dir)
            .is_some_and(|rule| !rule.is_include())
    }

    /// The rule that decides about this entry, if any does. Arguments as for
    /// [`excludes`](Filter::excludes).
    #[must_use]
    pub fn verdict(&self, path: &[u8], is_dir: bool) -> Option<&FilterRule> {
        let name_at = path.iter().rposition(|&byte| byte == b'/');
        let name = &path[name_at.map_or(0, |slash| slash + 1)..];
        self.rules
            .iter()
            .find(|rule| (is_dir || !rule.dirs) && rule.matcher.matches(path, name, is_dir))
    }

    /// Does some rule look at more than an entry's last name? If not, a caller
    /// need not build paths.
    #[must_use]
    pub fn needs_path(&self) -> bool {
        self.rules.iter().any(|rule| rule.matcher.needs_path())
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    /// Reads rules line by line, as [`Filter::add_lines`] does.
    ///
    /// ```
    /// let filter: dumpcore::Filter = "*.o\n# builds\ntmp/".parse()?;
    /// assert!(filter.excludes(b"NEWAGE/src/main.o", false));
    /// let bad = "*.o\n- ".parse::<dumpcore::Filter>().unwrap_err();
    /// assert_eq!(bad.to_string(), "line 2: bad rule \"- \": no pattern follows the sign");
    /// # Ok::<(), dumpcore::FilterError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self::new();
        filter.add_all(text.as_bytes(), &|line| RuleOrigin::Text { line })?;
        Ok(filter)
    }
}

impl FilterRule {
    /// The rule as it was written, without its line end.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where the rule was read.
    #[must_use]
    pub fn origin(&self) -> &RuleOrigin {
        &self.origin
    }

    /// The name of the tree that the rule is about: the first part of a pattern
    /// that starts with a slash. `None` where there is none, or it has wildcards.
    ///
    /// ```
    /// let filter: dumpcore::Filter = "/NEWAGE/tmp\n*.o\n/*/tmp".parse()?;
    /// let trees: Vec<_> = filter.rules().map(|rule| rule.tree()).collect();
    /// assert_eq!(trees, [Some(&b"NEWAGE"[..]), None, None]);
    /// # Ok::<(), dumpcore::FilterError>(())
    /// ```
    #[must_use]
    pub fn tree(&self) -> Option<&[u8]> {
        let pattern = match &*self.text {
            [b'+' | b'-', b' ', pattern @ ..] => pattern,
            pattern => pattern,
        };
        let first = pattern
            .strip_prefix(b"/")?
            .split(|byte| *byte == b'/')
            .next()?;
        let plain = !first.is_empty() && !first.iter().any(|byte| b"*?[\\".contains(byte));
        plain.then_some(first)
    }

    /// Does the rule keep what it matches (`+ `)? Otherwise it leaves it out.
    #[must_use]
    pub fn is_include(&self) -> bool {
        self.include
    }
}

impl fmt::Display for FilterRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Shown(&self.text))?;
        match &self.origin {
            RuleOrigin::Single => Ok(()),
            line => write!(f, " ({line})"),
        }
    }
}

/// Appends one rule to a list, or wipes the list when the rule says so.
fn push(rules: &mut Vec<FilterRule>, text: &[u8], origin: RuleOrigin) -> Result<(), FilterError> {
    match parse::statement(text) {
        Ok(Statement::Clear) => rules.clear(),
        Ok(Statement::Pattern {
            include,
            dirs,
            pattern,
        }) => rules.push(FilterRule {
            text: text.into(),
            origin,
            include,
            dirs,
            matcher: Matcher::new(pattern),
        }),
        Err(refusal) => return Err(FilterError::new(origin, text, refusal)),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
