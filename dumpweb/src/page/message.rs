//! A page that only says something.

use maud::{Markup, html};

/// A heading and a sentence.
#[must_use]
pub fn message(heading: &str, sentence: &str) -> Markup {
    html! {
        section.message {
            h1 { (heading) }
            p { (sentence) }
        }
    }
}

/// A page without anything around it, for one who is not let in.
#[must_use]
pub fn alone(heading: &str, sentence: &str, next: Option<&str>) -> String {
    let page = html! {
        (maud::DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(next) = next {
                    meta http-equiv="refresh" content={ "0;url=" (next) };
                }
                title { (heading) }
                link rel="stylesheet" href="/style.css";
            }
            body {
                main.message {
                    h1 { (heading) }
                    p { (sentence) }
                    @if let Some(next) = next {
                        p { a href=(next) { "Continue" } }
                    }
                }
            }
        }
    };
    page.into_string()
}
