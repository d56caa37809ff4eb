//! Metrics in the text format of Prometheus, as `node_exporter`'s textfile
//! collector reads them.

use std::ffi::OsStr;
use std::fmt::{Display, Write as _};

/// Gauges, each with a value for one or more sets of labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    gauges: Vec<Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Gauge {
    name: &'static str,
    help: &'static str,
    lines: String,
}

/// A label and its value.
pub type Label<'l> = (&'static str, &'l OsStr);

impl Metrics {
    /// A value; those of one name stand together, in the order in which they
    /// came.
    pub fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[Label<'_>],
        value: impl Display,
    ) {
        let known = self.gauges.iter().position(|gauge| gauge.name == name);
        let at = known.unwrap_or_else(|| {
            let lines = String::new();
            self.gauges.push(Gauge { name, help, lines });
            self.gauges.len() - 1
        });
        let labels: Vec<String> = labels.iter().map(label).collect();
        let lines = &mut self.gauges[at].lines;
        let _ = writeln!(lines, "{name}{{{}}} {value}", labels.join(","));
    }

    /// When the newest dump was made, in seconds since 1970, and how many
    /// seconds ago that was.
    pub fn newest(&mut self, labels: &[Label<'_>], made: i64, age: i64) {
        let help = "When the newest dump was made, in seconds since 1970.";
        self.gauge("dump_newest_timestamp_seconds", help, labels, made);
        let help = "How old the newest dump was when this was written.";
        self.gauge("dump_newest_age_seconds", help, labels, age);
    }

    /// All of them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Gauge { name, help, lines } in &self.gauges {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{lines}");
        }
        text
    }
}

fn label((name, value): &Label<'_>) -> String {
    let escape = |c: char| match c {
        '\\' => "\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        '\n' => "\\n".to_owned(),
        c => c.to_string(),
    };
    let value: String = value.to_string_lossy().chars().map(escape).collect();
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_stands_together() {
        let mut metrics = Metrics::default();
        for (tree, value) in [("a", 1), ("b\"\\\n", 2)] {
            let labels = [("dump", OsStr::new("/dump")), ("tree", OsStr::new(tree))];
            metrics.gauge("first", "One.", &labels, value);
            metrics.gauge("second", "Two.", &labels[..1], value + 2);
        }
        let expected = "\
# HELP first One.
# TYPE first gauge
first{dump=\"/dump\",tree=\"a\"} 1
first{dump=\"/dump\",tree=\"b\\\"\\\\\\n\"} 2
# HELP second Two.
# TYPE second gauge
second{dump=\"/dump\"} 3
second{dump=\"/dump\"} 4
";
        assert_eq!(metrics.text(), expected);
    }
}
