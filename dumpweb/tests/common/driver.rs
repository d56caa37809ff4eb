//! A browser, driven as WebDriver says: Debian's chromium by its chromedriver. Each
//! command is one small request; a client of its own is shorter than what a library
//! would bring along.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The arrow keys, as WebDriver has them.
pub(crate) const LEFT: &str = "\u{e012}";
pub(crate) const RIGHT: &str = "\u{e014}";
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";

/// How a browser is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) scripts: bool,
    pub(crate) dark: bool,
    pub(crate) width: u32,
}

impl Setup {
    pub(crate) const WIDE: Self = Self {
        scripts: true,
        dark: false,
        width: 1920,
    };
}

pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: assert_fs::TempDir,
}

impl Browser {
    pub(crate) fn open(setup: Setup) -> Self {
        let profile = assert_fs::TempDir::new().expect("a directory");
        let mut driver = Command::new("chromedriver");
        driver
            .args(["--port=0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut driver = driver.spawn().expect("chromedriver runs");
        let port = port_of(&mut driver);
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            _profile: profile,
        };
        let scripts = if setup.scripts { 1 } else { 2 };
        let mut args = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            // A name that leads here, as by DNS rebinding.
            "--host-resolver-rules=MAP evil.example 127.0.0.1".to_owned(),
            format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        if setup.dark {
            args.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {
                "args": args,
                "prefs": {"profile.managed_default_content_settings.javascript": scripts},
                "mobileEmulation": {"deviceMetrics": {
                    "width": setup.width, "height": 900, "pixelRatio": 1.0, "touch": false, "mobile": false,
                }},
            },
        }}});
        let answer = browser.call("POST", "/session", &wanted);
        browser.session = answer["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = match self.session.as_str() {
            "" => path.to_owned(),
            session => format!("/session/{session}{path}"),
        };
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(body.as_bytes()).expect("sent");
        let mut reader = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while reader.read_line(&mut line).expect("read") > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            line.clear();
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).expect("read");
        let answer: Value = serde_json::from_slice(&text).expect("JSON");
        let value = answer["value"].clone();
        assert!(value.get("error").is_none(), "{method} {path}: {value}");
        value
    }

    pub(crate) fn go(&self, address: &str) {
        self.call("POST", "/url", &json!({"url": address}));
    }

    pub(crate) fn address(&self) -> String {
        self.call("GET", "/url", &Value::Null)
            .as_str()
            .expect("text")
            .to_owned()
    }

    pub(crate) fn title(&self) -> String {
        self.call("GET", "/title", &Value::Null)
            .as_str()
            .expect("text")
            .to_owned()
    }

    /// Runs a script of the test's own, which works also where those of pages do not.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.call(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
    }

    /// Runs one that says itself when it is done.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.call(
            "POST",
            "/execute/async",
            &json!({"script": script, "args": []}),
        )
    }

    fn element(&self, css: &str) -> String {
        let found = self.call(
            "POST",
            "/element",
            &json!({"using": "css selector", "value": css}),
        );
        let found = found.as_object().expect("an element");
        found
            .values()
            .next()
            .and_then(Value::as_str)
            .expect("its number")
            .to_owned()
    }

    pub(crate) fn text(&self, css: &str) -> String {
        let path = format!("/element/{}/text", self.element(css));
        self.call("GET", &path, &Value::Null)
            .as_str()
            .expect("text")
            .to_owned()
    }

    pub(crate) fn click(&self, css: &str) {
        let path = format!("/element/{}/click", self.element(css));
        self.call("POST", &path, &json!({}));
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: &[&str]) {
        let actions: Vec<Value> = keys
            .iter()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key}),
                    json!({"type": "keyUp", "value": key}),
                ]
            })
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]});
        self.call("POST", "/actions", &actions);
    }

    pub(crate) fn picture(&self, to: &Path) {
        let text = self.call("GET", "/screenshot", &Value::Null);
        fs::write(to, decoded(text.as_str().expect("text"))).expect("written");
    }

    /// Waits until something holds.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{what}: {}",
                self.address()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !thread::panicking() && !self.session.is_empty() {
            self.call("DELETE", "", &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port, which it chooses itself and prints.
fn port_of(driver: &mut Child) -> u16 {
    let mut out = BufReader::new(driver.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while out.read_line(&mut line).expect("read") > 0 {
        // The line before names the port that was asked for: 0.
        if let Some((_, port)) = line.split_once("successfully on port ")
            && let Ok(port) = port.trim().trim_end_matches('.').parse()
        {
            // It must not wait for somebody to read the rest.
            thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
            return port;
        }
        line.clear();
    }
    panic!("chromedriver names no port");
}

/// Base64.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = text.bytes().filter_map(digit).collect();
    let mut bytes = Vec::new();
    for part in digits.chunks(4) {
        let number = part
            .iter()
            .fold(0u32, |number, digit| number << 6 | u32::from(*digit));
        let number = number << (6 * (4 - part.len()));
        bytes.extend_from_slice(&number.to_be_bytes()[1..part.len()]);
    }
    bytes
}
