//! What a browser is told about everything that comes from here.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use axum::response::Response;

/// Of pages: only our own stylesheet, script and pictures, no other host, nothing
/// inline, in no frame but our own.
const OF_PAGES: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; \
     connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

/// Of what is in dumps: whatever it is, it runs nothing and loads nothing.
pub const OF_CONTENTS: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; \
     frame-ancestors 'self'",
);

/// Of a PDF document, which browsers show by a program of their own; that does not
/// start in a sandbox.
pub const OF_DOCUMENTS: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; object-src 'self'; plugin-types application/pdf; \
     style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'",
);

const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    ),
    (
        HeaderName::from_static("referrer-policy"),
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=()"),
    ),
];

/// Adds them; what an answer has already stays.
pub fn add(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(OF_PAGES);
    // A shared machine keeps nothing of what was looked at.
    let never = HeaderValue::from_static("private, no-store");
    headers.entry(CACHE_CONTROL).or_insert(never);
}
