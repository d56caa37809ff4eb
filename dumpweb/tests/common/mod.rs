//! A tree with a past, and the page over its dumps, asked without a socket.

// Each file of tests takes what it needs.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assert_fs::TempDir;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use dumpcore::{CatalogTools, KeepRules, Navigator, Snapshot};
use dumpweb::server::app::App;
use dumpweb::server::guard::Guard;
use dumpweb::server::routes::router;
use dumpweb::view::site::Site;
use tower::ServiceExt as _;

/// The minutes of the dumps.
pub(crate) const MINUTES: [&str; 5] = [
    "2026-01-05T08:00",
    "2026-01-05T17:30",
    "2026-02-10T08:00",
    "2026-11-20T08:00",
    "2026-11-21T12:15",
];

/// The smallest picture, and the smallest document.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";
pub(crate) const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n";

/// Names that somebody might have chosen to do harm.
pub(crate) const HOSTILE: [&[u8]; 8] = [
    b"<script>document.title='hit'<\\script>.txt",
    b"new\nline",
    b"invalid-\xff\xfe",
    b"photo\xe2\x80\xaegpj.exe",
    b"quote\"'& %41?#x=1;.txt",
    b"back\\slash",
    b"%2e%2e",
    b" spaces ",
];

pub(crate) fn name(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

pub(crate) struct Ground {
    dir: TempDir,
}

impl Ground {
    /// A tree without dumps.
    pub(crate) fn empty() -> Self {
        let dir = TempDir::new().expect("a directory");
        let ground = Self { dir };
        for name in ["home", "dump", "outside"] {
            fs::create_dir(ground.at(name)).expect("made");
        }
        fixtures::shield::configure(ground.dir.path(), "");
        ground
    }

    /// One dump, which everybody may read.
    pub(crate) fn for_everybody() -> Self {
        let ground = Self::empty();
        ground.write("file", b"content");
        for path in ["", "home", "dump"] {
            fs::set_permissions(ground.at(path), fs::Permissions::from_mode(0o755)).expect("set");
        }
        ground.dump(MINUTES[0]);
        ground
    }

    /// A tree, and five dumps of it.
    pub(crate) fn new() -> Self {
        let ground = Self::empty();
        ground.fill();
        ground.dump(MINUTES[0]);
        ground.write("letters/draft.txt", b"Dear all,\nfirst\nend\n");
        ground.write("letters/later.txt", b"later");
        ground.dump(MINUTES[1]);
        ground.write("letters/draft.txt", b"Dear all,\nsecond\nmore\nend\n");
        ground.remove("letters/lost.txt");
        ground.dump(MINUTES[2]);
        ground.write("letters/draft.txt", b"Dear all,\nthird\nmore\nend\n");
        fs::remove_dir_all(ground.at("home/gone")).expect("removed");
        ground.dump(MINUTES[3]);
        ground.write("notes.md", b"# Notes\n");
        ground.dump(MINUTES[4]);
        ground.record();
        ground
    }

    fn fill(&self) {
        self.write("letters/draft.txt", b"Dear all,\nend\n");
        self.write("letters/lost.txt", b"lost words\n");
        self.write("gone/deep/file.txt", b"deep");
        self.write("same.bin", &[0, 1, 2, 3].repeat(1000));
        self.write("picture.png", PNG);
        self.write("paper.pdf", PDF);
        self.write("page.html", b"<script>document.title='hit'</script>");
        self.write(
            "drawing.svg",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        );
        self.write("empty", b"");
        self.write("outside-secret", b"not secret");
        fs::write(self.at("outside/secret"), "the secret").expect("written");
        fs::write(self.at("outside/kept-outside"), "the secret").expect("written");
        symlink(self.at("outside"), self.at("home/way-out")).expect("linked");
        symlink(self.at("outside/secret"), self.at("home/secret-link")).expect("linked");
        symlink("../../../../../../../../etc", self.at("home/up")).expect("linked");
        for bytes in HOSTILE {
            fs::create_dir_all(self.at("home/hostile")).expect("made");
            fs::write(self.at("home/hostile").join(name(bytes)), bytes).expect("written");
        }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.at("dump")
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.at("home").join(path);
        fs::create_dir_all(path.parent().expect("below")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.at("home").join(path)).expect("removed");
    }

    /// Takes a dump of this minute.
    pub(crate) fn dump(&self, minute: &str) {
        let init = fs::symlink_metadata(self.root().join("current")).is_err();
        let snapshot = Snapshot::new(self.root()).main(self.at("home")).init(init);
        let snapshot = snapshot.at(minute.parse().expect("a minute"));
        snapshot.run().expect("published");
    }

    /// Makes the catalog.
    pub(crate) fn record(&self) {
        CatalogTools::new(self.root()).rebuild().expect("made");
    }

    pub(crate) fn site(&self) -> Site {
        let navigator = Navigator::new(self.root()).main(self.at("home"));
        Site::new(navigator, None, KeepRules::new())
    }

    /// The page as behind a proxy: without a token.
    pub(crate) fn page(&self) -> Page {
        self.guarded(Guard::unix(Vec::new()))
    }

    pub(crate) fn guarded(&self, guard: Guard) -> Page {
        let app: Arc<App> = App::new(self.site(), guard);
        Page(router(app))
    }

    /// The program, with nothing of the surrounding environment but a directory for
    /// its token.
    pub(crate) fn dumpweb(&self, words: &[&str]) -> std::process::Command {
        let program = env!("CARGO_BIN_EXE_dumpweb");
        let mut command = fixtures::shield::command(program, self.dir.path());
        let runtime = self.at("runtime");
        fs::create_dir_all(&runtime).expect("made");
        command.env("XDG_RUNTIME_DIR", runtime);
        command
            .env("DUMPROOT", self.root())
            .env("MAINROOT", self.at("home"));
        command.args(words);
        command
    }
}

/// The page.
#[derive(Clone)]
pub(crate) struct Page(Router);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.and_then(Result::ok).unwrap_or("")
    }
}

impl Page {
    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let answer = self.0.clone().oneshot(request).await;
        let answer = answer.unwrap_or_else(|never| match never {});
        let (parts, body) = answer.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.unwrap_or_default();
        Answer {
            status: parts.status,
            headers: parts.headers,
            bytes: bytes.to_vec(),
        }
    }

    pub(crate) async fn get_with(&self, address: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(address).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty());
        self.ask(request.expect("a request")).await
    }

    pub(crate) async fn get(&self, address: &str) -> Answer {
        self.get_with(address, &[]).await
    }

    /// The text of a page that there is.
    #[track_caller]
    pub(crate) fn shown(&self, address: &str) -> impl Future<Output = String> {
        let at = std::panic::Location::caller();
        async move {
            let answer = self.get(address).await;
            assert_eq!(answer.status, 200, "{at} {address}: {}", answer.text());
            answer.text()
        }
    }
}

/// The program while it runs, and the address that it printed.
pub(crate) struct Served {
    child: std::process::Child,
    address: std::net::SocketAddr,
    pub(crate) token: String,
}

/// Starts the program and reads the address with its token.
#[track_caller]
pub(crate) fn serving(mut command: std::process::Command, words: &[&str]) -> Served {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    command
        .args(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut line = String::new();
    let out = child.stdout.take().expect("a pipe");
    BufReader::new(out).read_line(&mut line).expect("read");
    let rest = line
        .trim()
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once("/?token="));
    let Some((address, token)) = rest else {
        let ended = child.wait_with_output().expect("ended");
        panic!("{line}{}", String::from_utf8_lossy(&ended.stderr));
    };
    Served {
        child,
        address: address.parse().expect("an address"),
        token: token.to_owned(),
    }
}

impl Served {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// Asks with the cookie; the status, and what came as text.
    pub(crate) fn get(&self, address: &str) -> (u16, String) {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(self.address).expect("connected");
        let port = self.address.port();
        let head = format!(
            "GET {address} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nCookie: dumpweb-{port}={}\r\n\r\n",
            self.token
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("read");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.unwrap_or(0), text)
    }

    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("ended").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
