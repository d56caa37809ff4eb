//! What is refused of `[keep]`.

use super::tests::{keys, parsed_for};
use super::*;

/// Tables, and what is said of them.
const WRONG: [(&str, &str); 12] = [
    (
        "[keep]\nhourly = 0\n",
        "/etc/dump/dump.toml:2:10: '0' would keep nothing: use a number from 1, a span of \
             time such as 2w, or all",
    ),
    (
        "[keep]\ndaily = -3\n",
        "dump.toml:2:9: '-3' would keep nothing",
    ),
    (
        "[keep]\ndaily = \"0d\"\n",
        "dump.toml:2:9: '0d' would keep nothing",
    ),
    (
        "[keep]\nweekly = \"6mow\"\n",
        "dump.toml:2:10: '6mow' is not a span of time: use numbers with min, h, d, w, mo or y",
    ),
    (
        "[keep]\nlast = 3\nat_least = \"7\"\n",
        "dump.toml:3:12: '7' is not a span of time: use numbers with min, h, d, w, mo or y",
    ),
    (
        "[keep]\nlast = 3\nfree = \"10\"\n",
        "dump.toml:3:8: '10' is not an amount of space: use a part of the disk such as 10%",
    ),
    (
        "[keep]\nlast = 1\ncheckpoints = \"2w\"\n",
        "dump.toml:3:15: '2w' is not a number from 1",
    ),
    (
        "[keep]\ndaily = 1.5\n",
        "dump.toml:2:9: expected a number from 1, a span of time such as \"2w\", or \"all\"",
    ),
    (
        "[keep]\nhourli = 2\n",
        "dump.toml:2:1: unknown key `hourli`; did you mean `hourly`?",
    ),
    (
        "[keep]\n",
        "dump.toml:1:1: no rule says which dumps stay: give at least one of last",
    ),
    (
        "[keep]\nauto = true\ncheckpoints = 2\n",
        "dump.toml:1:1: no rule says",
    ),
    ("keep = 3\n", "dump.toml:1:8: `keep` should be a table"),
];

#[test]
fn what_is_wrong_with_what_stays_is_told_with_its_place() {
    let usage = |program| Usage {
        program,
        sets: Sets::Top,
    };
    for (text, expected) in WRONG {
        let file = parsed_for(usage("dumpctl"), text).expect("for prune to refuse");
        let keep = file.top.keep.as_ref().expect("a table").get_ref();
        let wrong = keep.policy.as_ref().expect_err("refused");
        assert!(wrong.contains(expected), "{wrong}");
        assert_eq!(keep.auto, text.contains("auto").then_some(true));
        assert_eq!(file.warnings, Vec::<String>::new());
        // For a dump it is a warning.
        let file = parsed_for(usage("dumpme"), text).expect("harmless");
        assert_eq!(file.warnings, [format!("{wrong}; nothing is pruned")]);
    }
    // In the rules of retention months may be `m`, as restic has them.
    let file = parsed_for(usage("dumpctl"), "[keep]\nmonthly = \"6m\"\n").expect("read");
    assert_eq!(keys(file.top.keep.as_ref()), ["monthly"]);
}
