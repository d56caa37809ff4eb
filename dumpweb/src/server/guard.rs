//! Who is let in.
//!
//! Other pages in the same browser are the danger: they may send requests here,
//! under a name that leads to this address (DNS rebinding), or embed what is
//! here. So the name in `Host` must be one of ours, a request that another origin
//! makes is refused, and without the token nothing is shown. The token comes once
//! in the address and stays in a cookie that no script and no other site sees.
//! Another user of this machine who listens on a port gets the cookie from a browser
//! too; [`peer`](super::peer) refuses that user's connections.
//! On a unix socket there is no token: the proxy before it knows who it is.

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};

use crate::address::Query;

/// Who is let in.
#[derive(Clone, Debug)]
pub struct Guard {
    /// What has to be known; `None` on a unix socket.
    token: Option<String>,
    /// Of a TCP socket.
    port: Option<u16>,
    /// Further names in `Host`; on a unix socket all, when there are none.
    hosts: Vec<String>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is answered.
    Pass,
    /// It brought the token, which becomes this cookie.
    Welcome(String),
    /// It is refused, for this reason.
    Refuse(Refusal),
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Neither GET nor HEAD: nothing can be changed here.
    Method,
    /// The name in `Host` is not ours.
    Host,
    /// Another origin asks.
    Origin,
    /// There is no token, or a wrong one.
    Token,
}

impl Guard {
    /// Of a TCP socket on this port.
    #[must_use]
    pub fn tcp(token: String, port: u16, hosts: Vec<String>) -> Self {
        Self {
            token: Some(token),
            port: Some(port),
            hosts,
        }
    }

    /// Of a unix socket.
    #[must_use]
    pub fn unix(hosts: Vec<String>) -> Self {
        Self {
            token: None,
            port: None,
            hosts,
        }
    }

    /// Judges a request.
    #[must_use]
    pub fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Verdict::Refuse(Refusal::Method);
        }
        let host = one(headers, HOST.as_str());
        let Some(host) = host.filter(|host| self.is_ours(host)) else {
            return Verdict::Refuse(Refusal::Host);
        };
        if is_foreign(headers, host) {
            return Verdict::Refuse(Refusal::Origin);
        }
        let Some(token) = &self.token else {
            return Verdict::Pass;
        };
        if uri.path() == "/"
            && let Some(given) = Query::parse(uri.query()).get("token")
        {
            return match is_equal(given, token.as_bytes()) {
                true => Verdict::Welcome(self.cookie(token)),
                false => Verdict::Refuse(Refusal::Token),
            };
        }
        match self.has_cookie(headers, token) {
            true => Verdict::Pass,
            false => Verdict::Refuse(Refusal::Token),
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let Some(port) = self.port else {
            let is_named = |name: &String| is_host(&host, name, None);
            return self.hosts.is_empty() || self.hosts.iter().any(is_named);
        };
        let own = ["127.0.0.1", "localhost", "[::1]"];
        // Browsers leave out the port that is the usual one.
        let is_own =
            |name: &&str| host == format!("{name}:{port}") || (port == 80 && host == *name);
        own.iter().any(is_own)
            || self
                .hosts
                .iter()
                .any(|name| is_host(&host, name, Some(port)))
    }

    /// Cookies know no ports: each has a name of its own.
    fn cookie_name(&self) -> String {
        format!("dumpweb-{}", self.port.unwrap_or_default())
    }

    fn cookie(&self, token: &str) -> String {
        let name = self.cookie_name();
        format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict")
    }

    fn has_cookie(&self, headers: &HeaderMap, token: &str) -> bool {
        let name = self.cookie_name();
        let all = headers.get_all(COOKIE).iter();
        let all = all.filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|value| value.split(';'));
        pairs.any(|pair| {
            pair.trim().split_once('=').is_some_and(|(key, value)| {
                key == name && is_equal(value.as_bytes(), token.as_bytes())
            })
        })
    }
}

/// Is it this name, with the port or without any?
fn is_host(host: &str, name: &str, port: Option<u16>) -> bool {
    let name = name.to_ascii_lowercase();
    let rest = host.strip_prefix(&name);
    rest.is_some_and(|rest| match (rest.strip_prefix(':'), port) {
        (None, _) => rest.is_empty(),
        (Some(given), Some(port)) => given == port.to_string(),
        // The proxy's own port.
        (Some(given), None) => !given.is_empty() && given.bytes().all(|b| b.is_ascii_digit()),
    })
}

/// Does a page of another origin ask? That a person follows a link from there is
/// no danger: nothing is changed here, and nothing is shown without the cookie,
/// which is not sent then.
fn is_foreign(headers: &HeaderMap, host: &str) -> bool {
    if headers.contains_key(ORIGIN) {
        let own = [format!("http://{host}"), format!("https://{host}")];
        let origin = one(headers, ORIGIN.as_str());
        if !origin.is_some_and(|origin| own.iter().any(|own| own.eq_ignore_ascii_case(origin))) {
            return true;
        }
    }
    let is = |name: &str, value: &str| one(headers, name) == Some(value);
    match one(headers, "sec-fetch-site") {
        Some("same-origin" | "none") => false,
        None => headers.contains_key("sec-fetch-site"),
        Some(_) => !(is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")),
    }
}

/// The value of a header that stands there once.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    let value = all.next()?.to_str().ok();
    value.filter(|_| all.next().is_none())
}

/// Takes as long whether they differ at the beginning or at the end.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let pairs = one.iter().zip(other);
    let differ = pairs.fold(0, |differ, (one, other)| differ | (one ^ other));
    differ == 0 && one.len() == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const TOKEN: &str = "0123456789abcdef";

    fn judged(guard: &Guard, uri: &str, headers: &[(&'static str, &str)]) -> Verdict {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a value");
            all.append(*name, value);
        }
        guard.judge(&Method::GET, &uri.parse().expect("an address"), &all)
    }

    fn guard() -> Guard {
        Guard::tcp(TOKEN.into(), 4711, vec!["nas.example".into()])
    }

    const COOKIES: (&str, &str) = ("cookie", "other=1; dumpweb-4711=0123456789abcdef");

    #[test]
    fn only_our_own_names_count() {
        for (host, passes) in [
            ("127.0.0.1:4711", true),
            ("localhost:4711", true),
            ("LOCALHOST:4711", true),
            ("[::1]:4711", true),
            ("nas.example", true),
            ("nas.example:4711", true),
            ("127.0.0.1", false),
            ("127.0.0.1:4712", false),
            ("nas.example:80", false),
            ("nas.example.evil", false),
            ("evil.example:4711", false),
            ("localhost.evil.example:4711", false),
            ("", false),
        ] {
            let verdict = judged(&guard(), "/", &[("host", host), COOKIES]);
            assert_eq!(verdict == Verdict::Pass, passes, "{host}");
        }
        let none = judged(&guard(), "/", &[COOKIES]);
        assert_eq!(none, Verdict::Refuse(Refusal::Host));
        let two = [("host", "localhost:4711"), ("host", "evil"), COOKIES];
        assert_eq!(judged(&guard(), "/", &two), Verdict::Refuse(Refusal::Host));
    }

    #[test]
    fn the_usual_port_need_not_be_named() {
        let guard = Guard::tcp(TOKEN.into(), 80, vec!["127.9.9.9".into()]);
        let cookie = ("cookie", "dumpweb-80=0123456789abcdef");
        for (host, passes) in [
            ("127.0.0.1", true),
            ("localhost", true),
            ("[::1]:80", true),
            ("127.9.9.9", true),
            ("127.9.9.9:80", true),
            ("127.0.0.2", false),
            ("127.0.0.1:8080", false),
        ] {
            let verdict = judged(&guard, "/", &[("host", host), cookie]);
            assert_eq!(verdict == Verdict::Pass, passes, "{host}");
        }
    }

    #[test]
    fn the_token_becomes_a_cookie() {
        let host = ("host", "localhost:4711");
        let Verdict::Welcome(cookie) = judged(&guard(), "/?token=0123456789abcdef", &[host]) else {
            panic!("not let in");
        };
        assert_eq!(
            cookie,
            "dumpweb-4711=0123456789abcdef; Path=/; HttpOnly; SameSite=Strict"
        );
        for (uri, cookie) in [
            ("/", ""),
            ("/?token=", ""),
            ("/?token=0123456789abcdee", ""),
            ("/?token=0123", ""),
            ("/status?token=0123456789abcdef", ""),
            ("/", "dumpweb-4711=x"),
            ("/", "dumpweb-4712=0123456789abcdef"),
            ("/", "dumpweb-4711=0123456789abcdef0"),
        ] {
            let verdict = judged(&guard(), uri, &[host, ("cookie", cookie)]);
            assert_eq!(verdict, Verdict::Refuse(Refusal::Token), "{uri} {cookie}");
        }
    }

    #[test]
    fn other_origins_are_refused() {
        let host = ("host", "localhost:4711");
        let cases: [(&[(&str, &str)], bool); 10] = [
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (
                &[
                    ("sec-fetch-site", "same-site"),
                    ("sec-fetch-mode", "no-cors"),
                ],
                false,
            ),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ],
                true,
            ),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "iframe"),
                ],
                false,
            ),
            (&[("origin", "http://localhost:4711")], true),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "http://localhost:4711.evil")], false),
        ];
        for (more, passes) in cases {
            let headers: Vec<_> = [host, COOKIES].iter().chain(more).copied().collect();
            let verdict = judged(&guard(), "/", &headers);
            assert_eq!(verdict == Verdict::Pass, passes, "{more:?}");
        }
    }

    #[test]
    fn nothing_can_be_changed() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost:4711"));
        for method in [
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
        ] {
            let verdict = guard().judge(&method, &Uri::from_static("/"), &headers);
            assert_eq!(verdict, Verdict::Refuse(Refusal::Method));
        }
    }

    #[test]
    fn behind_a_proxy_there_is_no_token() {
        let guard = Guard::unix(Vec::new());
        assert_eq!(
            judged(&guard, "/", &[("host", "any.example")]),
            Verdict::Pass
        );
        let guard = Guard::unix(vec!["nas.example".into()]);
        for (host, passes) in [
            ("nas.example", true),
            ("nas.example:8443", true),
            ("nas.example:", false),
            ("evil.example", false),
        ] {
            let verdict = judged(&guard, "/", &[("host", host)]);
            assert_eq!(verdict == Verdict::Pass, passes, "{host}");
        }
    }
}
