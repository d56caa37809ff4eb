//! Whatever is asked, it is answered: no panic, no error of the server, nothing from
//! outside of the dumps.

mod common;

use std::sync::OnceLock;

use axum::body::Body;
use axum::http::Request;
use common::{Ground, Page};
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

fn served() -> &'static (Ground, Page, Runtime) {
    static SERVED: OnceLock<(Ground, Page, Runtime)> = OnceLock::new();
    SERVED.get_or_init(|| {
        let ground = Ground::new();
        let page = ground.page();
        let runtime = Builder::new_current_thread().enable_all().build();
        (ground, page, runtime.expect("a runtime"))
    })
}

/// Parts of addresses that are nearly right, and some that are not.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "2026/0105/0800",
            "2026/1121/1215",
            "newest",
            "first",
            "2026",
            "0105",
            "home",
            "letters",
            "draft.txt",
            "way-out",
            "secret",
            "up",
            "etc",
            "passwd",
            "..",
            ".",
            "%2e%2e",
            "%2f",
            "%00",
            "%ff",
            "%",
            "current",
            ".dump",
            "catalog.db",
            "hostile",
            "invalid-%FF%FE",
            "new%0Aline",
            "",
            "2026/1121/1215_chk",
            "999999/0105/0800",
            "+",
            "%2e%2e%2f%2e%2e",
            "home%2f..%2f..%2f..%2f..%2f..%2foutside",
            "\u{e9}",
        ])
        .prop_map(ToOwned::to_owned),
        "[a-z0-9%./_-]{0,12}",
        (250..260usize).prop_map(|length| "x".repeat(length)),
        prop::collection::vec(any::<u8>(), 0..8)
            .prop_map(|bytes| { bytes.iter().map(|byte| format!("%{byte:02x}")).collect() }),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let what = prop::sample::select(vec![
        "at", "raw", "zip", "go", "search", "changes", "status", "", "x",
    ]);
    let parts = prop::collection::vec(part(), 0..6);
    (what, parts).prop_map(|(what, parts)| format!("/{what}/{}", parts.join("/")))
}

fn query() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "q", "below", "deleted", "a", "b", "with", "unified", "page", "sort", "when", "path",
        "hash", "download", "token", "x",
    ]);
    let value = prop_oneof![
        part(),
        prop::sample::select(vec![
            "0",
            "1",
            "-1",
            "99999999999999999999",
            "size",
            "time",
            "home",
            "home/letters",
            "*",
            "?",
            "*.txt",
            "2026-01-05",
            "3d",
            "6m",
            "today",
            "2026/0105/0800",
            "home%2Fway-out%2Fsecret",
            "home/way-out",
            "kept-outside",
            "../..",
            "home/..",
            "home/../../../../..",
            "home/../../../../../outside",
        ])
        .prop_map(ToOwned::to_owned),
        // More than a name, or a path, may have.
        (200..300usize).prop_map(|length| format!("home/{}/x", "x".repeat(length))),
        (4_000..20_000usize).prop_map(|length| "x/".repeat(length / 2)),
    ];
    let pairs = prop::collection::vec((key, value), 0..4);
    pairs.prop_map(|pairs| {
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join("&")
    })
}

fn ask(address: &str) -> Result<(), TestCaseError> {
    let (_, page, runtime) = served();
    // Text that cannot be an address is refused before.
    let Ok(request) = Request::get(address)
        .header("host", "x")
        .body(Body::empty())
    else {
        return Ok(());
    };
    let answer = runtime.block_on(page.ask(request));
    let text = answer.text();
    prop_assert!(
        answer.status.as_u16() < 500,
        "{address}: {} {text}",
        answer.status
    );
    for secret in ["the secret", "root:x:", "SQLite format"] {
        prop_assert!(!text.contains(secret), "{address}: {text}");
    }
    // Names outside are as secret, but for those that were asked for.
    for name in ["kept-outside", "shadow-", "catalog.db-"] {
        let is_asked = address.contains(name);
        prop_assert!(is_asked || !text.contains(name), "{address}: {text}");
    }
    Ok(())
}

proptest! {
    // With PROPTEST_CASES=8500 more than 100,000 in all.
    #![proptest_config(ProptestConfig { cases: 6 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn every_path_is_answered(path in path(), query in query()) {
        ask(&format!("{path}?{query}"))?;
    }

    #[test]
    fn every_query_of_a_view_is_answered(
        view in prop::sample::select(vec!["/search", "/changes", "/go", "/status", "/at/2026/0105/0800/home",
            "/at/2026/0105/0800/home/letters/draft.txt", "/raw/2026/0105/0800/home/picture.png"]),
        query in query(),
    ) {
        ask(&format!("{view}?{query}"))?;
    }
}
