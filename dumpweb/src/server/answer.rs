//! What becomes of a view, or of the lack of one, as an answer.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::page::layout::{Frame, Tab};
use crate::page::message;
use crate::server::guard::Refusal;
use crate::view::error::ViewError;

/// The type of a page.
pub const HTML: &str = "text/html; charset=utf-8";

/// A page.
#[must_use]
pub fn page(status: StatusCode, text: String) -> Response {
    of_type(status, HTML, text)
}

/// Something of a type.
#[must_use]
pub fn of_type(status: StatusCode, media: &'static str, text: impl Into<Body>) -> Response {
    with_header(status, CONTENT_TYPE, HeaderValue::from_static(media), text)
}

fn with_header(
    status: StatusCode,
    name: HeaderName,
    value: HeaderValue,
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(name, value);
    response
}

/// To another address of this page, which is ASCII.
#[must_use]
pub fn elsewhere(address: &str) -> Response {
    match HeaderValue::from_str(address) {
        Ok(value) => with_header(StatusCode::SEE_OTHER, LOCATION, value, ""),
        Err(_) => ViewError::Bad("this address is too odd".to_owned()).into_response(),
    }
}

/// What is said of a fault: the status, a heading and a sentence.
#[must_use]
pub fn told(error: ViewError) -> (StatusCode, &'static str, String) {
    match error {
        ViewError::Bad(text) => (StatusCode::BAD_REQUEST, "That cannot be shown", text),
        ViewError::Missing(text) => (StatusCode::NOT_FOUND, "Not found", text),
        ViewError::Refused(text) => (StatusCode::FORBIDDEN, "Not for you", text),
        ViewError::Busy => {
            let text = "Too much is being read at once: try again in a moment.".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, "Busy", text)
        }
        ViewError::Failed(text) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "It could not be read",
            text,
        ),
    }
}

impl IntoResponse for ViewError {
    fn into_response(self) -> Response {
        let (status, heading, sentence) = told(self);
        let frame = Frame::new(heading, Tab::Files);
        page(
            status,
            frame.page(&message::message(heading, &sentence), None),
        )
    }
}

/// The answer to a request that is not let in.
#[must_use]
pub fn refusal(refusal: Refusal) -> Response {
    let (status, sentence) = match refusal {
        Refusal::Method => (
            StatusCode::METHOD_NOT_ALLOWED,
            "Nothing can be changed here.",
        ),
        Refusal::Host => (
            StatusCode::MISDIRECTED_REQUEST,
            "This page is not served under that name: start it with --host NAME.",
        ),
        Refusal::Origin => (StatusCode::FORBIDDEN, "Another site asked for this."),
        Refusal::Token => (
            StatusCode::FORBIDDEN,
            "The address with the token is needed: 'dumpweb --url' prints it.",
        ),
    };
    page(status, message::alone("Not let in", sentence, None))
}
