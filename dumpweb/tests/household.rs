//! The household of docs/HOUSEHOLD.md: its nginx, or its Caddy, in front of one page for
//! each user.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Ground, MINUTES};
use fixtures::plain_user::PlainUser;
use fixtures::{page, systemd};

const PAGE: &str = include_str!("../../docs/HOUSEHOLD.md");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/page/system")
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name)).expect("read")
}

/// What runs is stopped when the test ends.
struct Running(Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until somebody listens there: the name is there before.
fn is_listened_to(path: &Path) {
    let began = Instant::now();
    while UnixStream::connect(path).is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{}",
            path.display()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Base64 of what a browser sends as a name and a password.
fn basic(user: &str) -> String {
    let mut command = Command::new("base64")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut given = command.stdin.take().expect("a pipe");
    given
        .write_all(format!("{user}:secret").as_bytes())
        .expect("sent");
    drop(given);
    let output = command.wait_with_output().expect("ended");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

fn get(port: u16, address: &str, user: Option<&str>) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let authorization = user.map_or_else(String::new, |user| {
        format!("Authorization: Basic {}\r\n", basic(user))
    });
    let head = format!(
        "GET {address} HTTP/1.1\r\nHost: dumps.example.org\r\nConnection: close\r\n{authorization}\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("read");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.unwrap_or(0), text)
}

/// The configuration of the page, on a port of this test and without encryption.
fn configuration(dir: &Path, sockets: &Path, port: u16) -> String {
    let block = page::block(PAGE, "nginx", "nginx");
    let listen = format!("listen 127.0.0.1:{port}");
    let users = dir.join("users");
    let site = block
        .replace("listen 443 ssl", &listen)
        .replace("/etc/nginx/dumpweb.users", users.to_str().expect("text"))
        .replace("/run/dumpweb", sockets.to_str().expect("text"));
    let site: String = site
        .lines()
        .filter(|line| !line.contains("ssl_"))
        .map(|line| format!("{line}\n"))
        .collect();
    let hash = Command::new("openssl")
        .args(["passwd", "-apr1", "secret"])
        .output()
        .expect("openssl runs");
    let hash = String::from_utf8(hash.stdout).expect("text");
    let lines: String = ["alice", "bob", "eve"]
        .map(|user| format!("{user}:{hash}"))
        .concat();
    fs::write(&users, lines).expect("written");
    let here = dir.display();
    format!(
        "user root; daemon off; master_process off; pid {here}/pid; error_log {here}/log;\nevents {{}}\nhttp {{\naccess_log off;\n\
         client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c;\n\
         uwsgi_temp_path {here}/d; scgi_temp_path {here}/e;\n{site}}}\n"
    )
}

/// Dumps of which some is for everybody and some for their owner.
fn ground() -> Ground {
    let ground = Ground::empty();
    ground.write("open/file", b"for everybody");
    ground.write("private/file", b"for its owner alone");
    ground.write("odd/a%2fb: \u{e9}", b"an odd name");
    let mode = |path: &str, mode: u32| {
        fs::set_permissions(ground.at(path), fs::Permissions::from_mode(mode)).expect("set");
    };
    for path in ["", "home", "dump"] {
        mode(path, 0o755);
    }
    mode("home/private", 0o700);
    let owned = Command::new("chown")
        .args(["-R", "12345:12345"])
        .arg(ground.at("home/private"))
        .status();
    assert!(owned.expect("chown runs").success());
    ground.dump(MINUTES[0]);
    ground
}

/// A page for each of two users.
fn pages(ground: &Ground, alice: &PlainUser, running: &mut Running) {
    let sockets = alice.home().to_path_buf();
    let mut command = alice.command(env!("CARGO_BIN_EXE_dumpweb"));
    command
        .env("DUMPROOT", ground.root())
        .env("MAINROOT", ground.at("home"));
    command
        .arg("--listen")
        .arg(format!("unix:{}/alice.sock", sockets.display()));
    running.0.push(command.spawn().expect("it runs"));
    let bob = ground.at("bob");
    fs::create_dir(&bob).expect("made");
    fs::set_permissions(&bob, fs::Permissions::from_mode(0o777)).expect("set");
    let mut command = ground.dumpweb(&["--user", "nobody"]);
    command
        .arg("--listen")
        .arg(format!("unix:{}/bob.sock", bob.display()));
    running.0.push(command.spawn().expect("it runs"));
    is_listened_to(&bob.join("bob.sock"));
    is_listened_to(&sockets.join("alice.sock"));
    std::os::unix::fs::symlink(bob.join("bob.sock"), sockets.join("bob.sock")).expect("linked");
}

/// A port that is free.
fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("a port").port()
}

/// Waits until something listens there.
fn listens(port: u16) {
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "{port}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The pages behind a web server, which `serves` gives: from its directory, that of the
/// sockets and a port. `unknown` is its answer where there is no socket.
fn each_person_has_a_page_behind(serves: impl Fn(&Path, &Path, u16) -> Command, unknown: u16) {
    let (ground, alice) = (ground(), PlainUser::new());
    let dir = assert_fs::TempDir::new().expect("a directory");
    let mut running = Running(Vec::new());
    pages(&ground, &alice, &mut running);
    let port = free_port();
    let mut server = serves(dir.path(), alice.home(), port);
    let server = server.stderr(Stdio::null()).spawn();
    running.0.push(server.expect("the web server runs"));
    listens(port);
    each_sees_their_own(port, unknown);
}

#[test]
#[ignore = "needs root and nginx"]
fn each_person_gets_their_own_page() {
    let serves = |dir: &Path, sockets: &Path, port| {
        let config = dir.join("nginx.conf");
        fs::write(&config, configuration(dir, sockets, port)).expect("written");
        let mut nginx = Command::new("nginx");
        nginx.arg("-c").arg(&config).arg("-p").arg(dir);
        nginx
    };
    each_person_has_a_page_behind(serves, 502);
}

#[test]
#[ignore = "needs root and caddy"]
fn each_person_gets_their_own_page_from_caddy() {
    let serves = |dir: &Path, sockets: &Path, port| {
        let config = dir.join("Caddyfile");
        fs::write(&config, caddyfile(sockets, port)).expect("written");
        let mut caddy = Command::new("caddy");
        caddy.args(["run", "--adapter", "caddyfile", "--config"]);
        caddy.arg(&config).env("HOME", dir);
        caddy
    };
    each_person_has_a_page_behind(serves, 403);
}

/// The Caddyfile of the page, on a port of this test and without encryption.
fn caddyfile(sockets: &Path, port: u16) -> String {
    let block = page::block(PAGE, "Caddy", "caddy");
    let hash = Command::new("caddy")
        .args(["hash-password", "--plaintext", "secret"])
        .output()
        .expect("caddy runs");
    let hash = String::from_utf8(hash.stdout).expect("text");
    let hash = hash.trim();
    let lines: Vec<String> = block
        .replace("/run/dumpweb", sockets.to_str().expect("text"))
        .replace(
            "dumps.example.org {",
            &format!("http://dumps.example.org:{port} {{"),
        )
        .lines()
        .map(|line| match line.split_once("$2a$14$") {
            Some((name, _)) => format!("{name} {hash}"),
            None => line.to_owned(),
        })
        .collect();
    let site = lines.join("\n").replace(
        "basicauth {",
        // She has a password, and no page.
        &format!("basicauth {{\n        eve {hash}"),
    );
    assert_eq!(site.matches(hash).count(), 3, "{site}");
    format!("{{\n    admin off\n    default_bind 127.0.0.1\n}}\n{site}\n")
}

/// Alice and Bob see what they may read; Eve, who has a password, has no page.
#[track_caller]
fn each_sees_their_own(port: u16, without_page: u16) {
    let raw = |path: &str| format!("/raw/2026/0105/0800/home/{path}");
    assert_eq!(get(port, &raw("open/file"), None).0, 401);
    assert_eq!(
        get(port, &raw("open/file"), Some("eve")).0,
        without_page,
        "she has no page"
    );
    for user in ["alice", "bob"] {
        let (status, text) = get(port, &raw("open/file"), Some(user));
        assert!(
            status == 200 && text.ends_with("for everybody"),
            "{user}: {text}"
        );
        let (status, text) = get(port, &raw("odd/a%252fb%3A%20%C3%A9"), Some(user));
        assert!(
            status == 200 && text.ends_with("an odd name"),
            "{user}: {text}"
        );
        assert_eq!(get(port, "/status", Some(user)).0, 200);
    }
    let (status, text) = get(port, &raw("private/file"), Some("alice"));
    assert!(
        status == 200 && text.ends_with("for its owner alone"),
        "{text}"
    );
    let (status, text) = get(port, &raw("private/file"), Some("bob"));
    assert!(
        status == 403 && !text.contains("for its owner alone"),
        "{text}"
    );
}

#[test]
fn the_units_are_closed() {
    let service = text("dumpweb@.service");
    for line in [
        "User=%i",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        "PrivateNetwork=yes",
        "RestrictAddressFamilies=AF_UNIX",
        "NoNewPrivileges=yes",
        "MemoryDenyWriteExecute=yes",
        "SuccessExitStatus=143",
        "MemoryMax=1G",
        "TasksMax=64",
        "LimitNOFILE=4096",
    ] {
        assert!(service.lines().any(|found| found == line), "{line}");
    }
    let socket = text("dumpweb@.socket");
    for line in [
        "ListenStream=/run/dumpweb/%i.sock",
        "SocketMode=0660",
        "SocketGroup=www-data",
    ] {
        assert!(socket.lines().any(|found| found == line), "{line}");
    }
}

#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_finds_nothing_wrong() {
    let dir = assert_fs::TempDir::new().expect("a directory");
    for end in ["service", "socket"] {
        // Neither the program nor the user need exist where this runs.
        let whole = text(&format!("dumpweb@.{end}"));
        let here: Vec<&str> = whole
            .lines()
            .map(|line| {
                if line.starts_with("ExecStart=") {
                    "ExecStart=/bin/true"
                } else {
                    line
                }
            })
            .collect();
        fs::write(dir.path().join(format!("dumpweb@.{end}")), here.join("\n")).expect("written");
    }
    let units = ["service", "socket"].map(|end| dir.path().join(format!("dumpweb@daemon.{end}")));
    let said = systemd::verify("system", dir.path(), &units);
    assert!(!said.contains("dumpweb"), "{said}");
}
