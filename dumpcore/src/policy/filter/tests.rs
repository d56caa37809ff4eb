//! Tables of rules and paths, and a comparison with a naive reading of the
//! manual.

use std::path::Path;

use proptest::prelude::*;

use super::Filter;

/// A filter of `rules`, written as the lines of a file.
fn filter(rules: &str) -> Filter {
    let mut filter = Filter::new();
    filter
        .add_lines(Path::new("exclude"), rules.as_bytes())
        .expect("rules that are accepted");
    filter
}

/// Declares tests of one line each: name, rules, path (a final slash makes it a
/// directory), and whether it is left out.
macro_rules! table {
    ($($name:ident: $rules:expr, $path:expr => $excluded:expr;)*) => {
        $(#[test]
        fn $name() {
            let (path, is_dir) = match $path.strip_suffix('/') {
                Some(path) => (path, true),
                None => ($path, false),
            };
            assert_eq!(filter($rules).excludes(path.as_bytes(), is_dir), $excluded);
        })*
    };
}

table! {
    name_at_top: "a", "a" => true;
    name_below: "a", "R/b/a" => true;
    name_is_no_substring: "a", "R/ba" => false;
    name_does_not_match_parent: "a", "R/a/b" => false;
    root_name_counts: "R", "R/" => true;
    suffix: "*.o", "R/x/y.o" => true;
    suffix_alone: "*.o", "R/.o" => true;
    prefix: "core.*", "R/core.1" => true;
    star_alone: "*", "R/a" => true;
    question: "a?c", "R/abc" => true;
    question_needs_a_byte: "a?", "R/a" => false;
    anchored: "/R/a", "R/a" => true;
    anchored_not_below: "/a", "R/a" => false;
    anchored_star_one_level: "/R/*", "R/a/b" => false;
    anchored_star: "/R/*", "R/a" => true;
    anchored_two_stars: "/R/**", "R/a/b" => true;
    anchored_two_stars_spare_the_root: "/R/**", "R/" => false;
    inner_slash_matches_tail: "a/b", "R/x/a/b" => true;
    inner_slash_needs_whole_names: "a/b", "R/xa/b" => false;
    inner_slash_with_star_counts_levels: "a/*", "R/a/b/c" => false;
    inner_slash_with_star: "a/*/c", "R/a/b/c" => true;
    inner_slash_with_too_few_levels: "a/*/*", "a/b" => false;
    two_stars_behind: "a/**", "R/x/a/b/c" => true;
    two_stars_behind_spare_the_directory: "a/**", "R/a/" => false;
    two_stars_inside: "a**c", "R/a/b/c" => true;
    two_stars_start_at_a_component: "a**c", "R/xa/b/c" => false;
    two_stars_before: "**/a", "a" => true;
    two_stars_before_below: "**/a", "R/b/a" => true;
    two_stars_glued: "**a", "R/ba" => true;
    three_stars_take_the_directory: "/R/a/***", "R/a/" => true;
    three_stars_take_what_is_below: "/R/a/***", "R/a/b/c" => true;
    three_stars_leave_a_file: "/R/a/***", "R/a" => false;
    final_slash_directory: "a/", "R/a/" => true;
    final_slash_file: "a/", "R/a" => false;
    final_slash_does_not_anchor: "a/", "R/b/a/" => true;
    double_final_slash_never: "a//", "R/a/" => false;
    lone_slash_never: "/", "R/" => false;
    class: "[ab]", "R/b" => true;
    class_inverted: "[!ab]", "R/b" => false;
    class_inverted_caret: "[^ab]", "R/c" => true;
    class_named: "[[:upper:]]x", "R/Ax" => true;
    class_named_is_ascii: "[[:alpha:]]*", "R/\u{e9}" => false;
    class_unclosed_never: "a[b", "R/a[b" => false;
    class_slash_counts_as_level: "a[/]b", "R/a/b" => false;
    escape_with_wildcard: r"\[a\]*", "R/[a]b" => true;
    escape_of_a_letter: r"\a*", "R/ab" => true;
    backslash_without_wildcard: r"a\b", r"R/a\b" => true;
    backslash_without_wildcard_is_no_escape: r"\a", "R/a" => false;
    backslash_at_the_end_never: r"*\", r"R/a\" => false;
    first_match_wins: "+ a.o\n*.o", "R/a.o" => false;
    first_match_wins_other: "+ a.o\n*.o", "R/b.o" => true;
    sign_minus: "- a", "R/a" => true;
    clear: "a\n!\nb", "R/a" => false;
    clear_then: "a\n!\nb", "R/b" => true;
    bang_with_more_is_a_name: "!a", "R/!a" => true;
    comment_hash: "#a", "R/#a" => false;
    comment_semicolon: ";a", "R/;a" => false;
    comment_by_sign: "- #a", "R/#a" => true;
    comment_not_indented: " #a", "R/ #a" => true;
    blanks_behind_count: "a ", "R/a" => false;
    blanks_behind_match: "a ", "R/a " => true;
    blanks_before_count: "-  a", "R/ a" => true;
    carriage_return_ends_a_line: "a\r\nb\rc", "R/b" => true;
    bytes: "*\u{e9}", "R/x\u{e9}" => true;
}

#[test]
fn clear_reaches_over_files_and_arguments() {
    let mut filter = filter("a");
    filter.add_rule(b"b").expect("a pattern");
    let before = filter.clone();
    filter
        .add_lines(Path::new("later"), b"!\n")
        .expect("a clear");
    assert!(filter.is_empty() && !before.is_empty());
    assert!(before.excludes(b"R/a", false) && before.excludes(b"R/b", false));
}

#[test]
fn arguments_have_no_comments_and_no_lines() {
    let mut filter = Filter::new();
    for rule in [b"#a".as_slice(), b"", b"b\nc", b"\xff"] {
        filter.add_rule(rule).expect("a pattern");
    }
    for (name, excluded) in [
        (b"#a".as_slice(), true),
        (b"b", false),
        (b"b\nc", true),
        (b"\xff", true),
    ] {
        assert_eq!(filter.excludes(name, false), excluded, "{name:?}");
    }
}

#[test]
fn the_deciding_rule_is_named() {
    let filter = filter("# builds\n+ a.o\n*.o\n");
    let rule = |path: &[u8]| filter.verdict(path, false).map(ToString::to_string);
    let named = |text: &str| Some(text.to_owned());
    assert_eq!(rule(b"R/a.o"), named("\"+ a.o\" (exclude line 2)"));
    assert_eq!(rule(b"R/b.o"), named("\"*.o\" (exclude line 3)"));
    assert_eq!(rule(b"R/b.c"), None);
}

#[test]
fn a_refusal_names_its_place_and_changes_nothing() {
    let mut filter = filter("a");
    let error = filter
        .add_lines(Path::new("/d/exclude"), b"b\n\n-s \x1b\xff\n")
        .expect_err("a modifier");
    assert_eq!(
        error.to_string(),
        "/d/exclude line 3: bad rule \"-s \\033\\377\": \
         modifiers are not supported; if this is a name, put \"- \" before it"
    );
    let error = filter.add_rule(b"- ").expect_err("no pattern");
    assert_eq!(
        error.to_string(),
        "bad rule \"- \": no pattern follows the sign"
    );
    assert_eq!(filter.rules().len(), 1);
}

#[test]
fn paths_are_only_needed_by_rules_that_look_at_them() {
    for (rules, expected) in [
        ("", false),
        ("a\n*.o\n[a]?\nb/\n**/c\n**/*.d", false),
        ("a/b", true),
        ("/a", true),
        ("a**", true),
        ("a/**", true),
        ("**/a/*", true),
    ] {
        assert_eq!(filter(rules).needs_path(), expected, "{rules}");
    }
}

/// The manual, read naively: `pattern` without sign, against a path, by trying
/// all combinations.
fn naive(pattern: &[u8], path: &[u8], is_dir: bool) -> bool {
    let (pattern, dirs) = match pattern {
        [pattern @ .., b'/'] if !pattern.is_empty() => (pattern, true),
        _ => (pattern, false),
    };
    if dirs && !is_dir {
        return false;
    }
    let wild = pattern.iter().any(|byte| b"*?[".contains(byte));
    let deep = pattern.windows(2).any(|pair| pair == b"**");
    let components: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
    let below = |skip: usize| components[skip..].join(&b'/');
    let mut subjects = Vec::new();
    let mut anchored = pattern;
    if let Some(rest) = pattern.strip_prefix(b"/") {
        anchored = rest;
        subjects.push(path.to_vec());
    } else if pattern.starts_with(b"**") {
        subjects.push([b"/", path].concat());
    } else if deep {
        subjects.extend((0..components.len()).map(below));
    } else {
        let levels = pattern.split(|&byte| byte == b'/').count();
        subjects.extend(components.len().checked_sub(levels).map(below));
    }
    if is_dir && pattern.ends_with(b"***") {
        subjects.iter_mut().for_each(|subject| subject.push(b'/'));
    }
    subjects.iter().any(|subject| {
        if wild {
            naive_glob(anchored, subject)
        } else {
            anchored == subject
        }
    })
}

/// Wildcards but classes, which the grammar below leaves out.
fn naive_glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', b'*', rest @ ..] => naive_glob(&[b"**", rest].concat(), text),
        [b'*', b'*', rest @ ..] => (0..=text.len()).any(|at| naive_glob(rest, &text[at..])),
        [b'*', rest @ ..] => (0..=text.len())
            .take_while(|&at| at == 0 || text[at - 1] != b'/')
            .any(|at| naive_glob(rest, &text[at..])),
        [b'?', rest @ ..] => {
            matches!(text, [byte, text @ ..] if *byte != b'/' && naive_glob(rest, text))
        }
        [b'\\'] => false,
        [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
            matches!(text, [own, text @ ..] if own == byte && naive_glob(rest, text))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_the_naive_reading(
        pattern in r"[ab/*?\\]{1,7}|(\*\*?/)?[ab*?]{1,3}(/[ab*?]{0,3}){0,2}(/\*{0,3})?",
        path in "[ab]{1,3}(/[ab]{1,3}){0,3}",
        is_dir: bool,
    ) {
        let filter = filter(&format!("- {pattern}"));
        let expected = naive(pattern.as_bytes(), path.as_bytes(), is_dir);
        prop_assert_eq!(filter.excludes(path.as_bytes(), is_dir), expected);
    }

    #[test]
    fn a_rule_that_needs_no_path_may_be_asked_with_the_name(
        rules in r"((\*\*/)?[ab?]\*?[ab?\[!\]]{0,4}\n){1,3}",
        parent in "[ab]{1,2}(/[ab]{1,2})?",
        name in "[ab]{1,3}",
        is_dir: bool,
    ) {
        let mut filter = Filter::new();
        filter.add_lines(Path::new("exclude"), rules.as_bytes())?;
        prop_assert!(!filter.needs_path());
        let path = format!("{parent}/{name}");
        prop_assert_eq!(
            filter.excludes(path.as_bytes(), is_dir),
            filter.excludes(name.as_bytes(), is_dir)
        );
    }

    #[test]
    fn no_bytes_upset_it(contents: Vec<u8>, path: Vec<u8>, is_dir: bool) {
        let mut filter = Filter::new();
        if filter.add_lines(Path::new("exclude"), &contents).is_ok() {
            let decided = filter.verdict(&path, is_dir).is_some_and(|rule| !rule.is_include());
            prop_assert_eq!(filter.excludes(&path, is_dir), decided);
        } else {
            prop_assert!(filter.is_empty());
        }
    }
}
