//! The program itself: whom it serves, where, and when it ends.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Ground, serving};
use fixtures::fingerprint::Fingerprint;
use fixtures::plain_user::PlainUser;
use rustix::process::{Pid, Signal, kill_process};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The program as a plain user, for these dumps.
fn as_user(user: &PlainUser, ground: &Ground) -> Command {
    let mut command = user.command(env!("CARGO_BIN_EXE_dumpweb"));
    command
        .env("DUMPROOT", ground.root())
        .env("MAINROOT", ground.at("home"));
    command.env("XDG_RUNTIME_DIR", user.home());
    command
}

#[test]
fn wrong_usage_says_what_would_be_right() {
    let ground = Ground::new();
    for (words, part) in [
        (
            &["--listen", "0.0.0.0:8080"][..],
            "unix:PATH behind a proxy",
        ),
        (&["--listen", "8080"], "127.0.0.1:PORT"),
        (&["--host", "a b"], "name of a host"),
        (&["--end-after", "soon"], "30min or 8h"),
        (&["--url", "--no-open"], "cannot be used with"),
        (
            &["--user", "no-such-user-here"],
            "no user no-such-user-here",
        ),
        (&["--user", "root"], "other than root"),
    ] {
        let output = ground.dumpweb(words).output().expect("it runs");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {text}");
        assert!(text.contains(part), "{words:?}: {text}");
    }
    let output = ground.dumpweb(&["--url"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("no dumpweb of this user runs"),
        "{}",
        said(&output)
    );
}

#[test]
#[ignore = "needs root"]
fn root_has_to_name_a_user() {
    let ground = Ground::for_everybody();
    let output = ground.dumpweb(&["--no-open"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("--user"), "{}", said(&output));
    let command = ground.dumpweb(&["--no-open", "--print-url"]);
    let served = serving(command, &["--user", "nobody"]);
    let status = fs::read_to_string(format!("/proc/{}/status", served.id())).expect("it runs");
    for line in [
        "Uid:\t65534\t65534\t65534\t65534",
        "Gid:\t65534\t65534\t65534\t65534",
        "CapEff:\t0000000000000000",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    assert_eq!(served.get("/at/2026/0105/0800/home/file").0, 200);
}

#[test]
#[ignore = "needs root"]
fn the_token_lets_its_user_in_and_ends_with_the_program() {
    let (user, ground) = (PlainUser::new(), Ground::for_everybody());
    let mut served = serving(as_user(&user, &ground), &["--no-open", "--print-url"]);
    assert_eq!(served.get("/status").0, 200);
    let file = user.home().join("dumpweb/token");
    let mode = fs::metadata(&file).expect("it exists").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(
        fs::read_to_string(&file)
            .expect("read")
            .starts_with(&served.token)
    );
    let output = as_user(&user, &ground)
        .arg("--url")
        .output()
        .expect("it runs");
    let url = format!("http://{}/?token={}\n", served.address(), served.token);
    assert_eq!(String::from_utf8_lossy(&output.stdout), url);
    let process = Pid::from_raw(i32::try_from(served.id()).expect("a process")).expect("a process");
    kill_process(process, Signal::TERM).expect("sent");
    assert_eq!(served.wait(), Some(143));
    assert!(!file.exists(), "the token is gone");
    let output = as_user(&user, &ground)
        .arg("--url")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
}

/// A browser sends the cookie to every port of a host, also to one on which another
/// user listens: so the token must not help that user.
#[test]
#[ignore = "needs root"]
fn the_token_does_not_let_another_user_in() {
    let (user, ground) = (PlainUser::new(), Ground::for_everybody());
    for listen in ["127.0.0.1:0", "[::1]:0", "127.9.9.9:0"] {
        let words = ["--no-open", "--print-url", "--listen", listen];
        let served = serving(as_user(&user, &ground), &words);
        let (ip, port) = (served.address().ip(), served.address().port());
        let host = served.address().to_string();
        let ask = |id: u32, ip: &str| {
            let line = format!(
                "exec 3<>/dev/tcp/{ip}/{port} && printf 'GET /at/2026/0105/0800/home HTTP/1.1\\r\\n\
                 Host: {host}\\r\\nConnection: close\\r\\nCookie: dumpweb-{port}={}\\r\\n\\r\\n' >&3 && cat <&3",
                served.token
            );
            let mut shell = Command::new("bash");
            let output = shell.args(["-c", &line]).uid(id).gid(id).output();
            String::from_utf8_lossy(&output.expect("bash runs").stdout).into_owned()
        };
        let ip = ip.to_string();
        for id in [fixtures::plain_user::PLAIN, 0] {
            let text = ask(id, &ip);
            let is_shown = text.starts_with("HTTP/1.1 200") && text.contains("<bdi>");
            assert!(is_shown, "{listen} {id}: {text}");
        }
        let mapped = format!("::ffff:{ip}");
        for ip in [&ip, &mapped]
            .into_iter()
            .filter(|ip| ip.parse::<std::net::IpAddr>().is_ok())
        {
            let text = ask(65534, ip);
            assert!(!text.contains("<bdi>"), "{listen} {ip}: {text}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn it_ends_when_nobody_looks() {
    let (user, ground) = (PlainUser::new(), Ground::for_everybody());
    let words = ["--no-open", "--print-url", "--end-after", "4s"];
    let mut served = serving(as_user(&user, &ground), &words);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        assert_eq!(served.get("/status").0, 200, "somebody looks");
        thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(served.wait(), Some(0));
}

#[test]
#[ignore = "needs root"]
fn a_unix_socket_is_for_its_user_and_has_no_token() {
    let (user, ground) = (PlainUser::new(), Ground::for_everybody());
    let path = user.home().join("page.sock");
    let mut command = as_user(&user, &ground);
    command
        .arg("--listen")
        .arg(format!("unix:{}", path.display()))
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("it runs");
    let mut stream = connected(&path);
    let mode = fs::metadata(&path)
        .expect("it listens")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o700);
    let head = "GET /status HTTP/1.1\r\nHost: dumps.example.org\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("read");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let process = Pid::from_raw(i32::try_from(child.id()).expect("a process")).expect("a process");
    kill_process(process, Signal::INT).expect("sent");
    assert_eq!(child.wait().expect("ended").code(), Some(130));
    assert!(!path.exists(), "the socket is gone");
}

/// The program behind a socket that systemd opened, for this dump root.
fn activated(user: &PlainUser, ground: &Ground, root: &Path, end_after: &str) -> (Child, PathBuf) {
    let path = user.home().join("given.sock");
    let program = as_user(user, ground);
    let mut command = user.command("systemd-socket-activate");
    command.arg("-l").arg(&path);
    for (name, value) in [("DUMPROOT", root), ("MAINROOT", &ground.at("home"))] {
        command.arg(format!("--setenv={name}={}", value.display()));
    }
    command
        .arg(program.get_program())
        .args(["--end-after", end_after])
        .stderr(Stdio::null());
    (command.spawn().expect("it runs"), path)
}

/// Connects as soon as somebody listens there, which is later than that the name is
/// there.
fn connected(socket: &Path) -> UnixStream {
    let began = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return stream,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(60), "{error}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn ask(socket: &Path, address: &str) -> String {
    let mut stream = connected(socket);
    let head = format!("GET {address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("read");
    text
}

#[test]
#[ignore = "needs root and systemd-socket-activate"]
fn the_socket_of_systemd_is_taken() {
    let (user, ground) = (PlainUser::new(), Ground::for_everybody());
    let (mut child, path) = activated(&user, &ground, &ground.root(), "4s");
    let text = ask(&path, "/at/2026/0105/0800/home/file");
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("content"),
        "{text}"
    );
    assert_eq!(child.wait().expect("ended").code(), Some(0), "nobody looks");
}

/// Systemd closes a socket for good when what it starts fails some times in a row.
#[test]
#[ignore = "needs root and systemd-socket-activate"]
fn behind_a_socket_of_systemd_the_disk_may_come_later() {
    let (user, ground) = (PlainUser::new(), Ground::for_everybody());
    let root = ground.at("later");
    let (mut child, path) = activated(&user, &ground, &root, "4s");
    for address in [
        "/",
        "/at/2026/0105/0800/home/file",
        "/search?q=x",
        "/status",
    ] {
        let text = ask(&path, address);
        let is_fault = text.starts_with("HTTP/1.1 404") || text.starts_with("HTTP/1.1 500");
        assert!(is_fault && text.contains("later"), "{address}: {text}");
    }
    fs::rename(ground.root(), &root).expect("mounted");
    let text = ask(&path, "/at/2026/0105/0800/home/file");
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("content"),
        "{text}"
    );
    assert_eq!(child.wait().expect("ended").code(), Some(0), "nobody looks");
}

/// A whole session below strace: nothing in the dump root is written, made,
/// removed, renamed, or given another time.
#[test]
#[ignore = "needs root and strace"]
fn nothing_is_written() {
    let ground = Ground::new();
    let owned = Command::new("chown")
        .args(["-R", "nobody:nogroup"])
        .arg(ground.at(""))
        .status();
    assert!(owned.expect("chown runs").success());
    let log = ground.at("outside/trace");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-qq", "-e", "trace=file,desc,openat2", "-o"])
        .arg(&log);
    let program = ground.dumpweb(&["--no-open", "--print-url", "--user", "nobody"]);
    command
        .env_clear()
        .arg(program.get_program())
        .args(program.get_args());
    for (name, value) in program.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let served = serving(command, &["--end-after", "2s"]);
    let before = Fingerprint::of(&ground.root());
    for address in [
        "/",
        "/at/2026/0105/0800/home",
        "/at/2026/0105/0800/home/letters",
        "/at/2026/0105/0800/home/letters/draft.txt?with=2026/1120/0800",
        "/at/2026/0105/0800/home/way-out",
        "/raw/2026/0105/0800/home/picture.png",
        "/zip/2026/0105/0800/home",
        "/search?q=lost",
        "/changes?a=2026/0105/0800&b=2026/1121/1215",
        "/status",
    ] {
        let (status, text) = served.get(address);
        assert!(status == 200 || status == 303, "{address}: {status} {text}");
    }
    let mut served = served;
    assert_eq!(served.wait(), Some(0), "nobody looks");
    before.assert_unchanged(&ground.root());
    assert_read_only(&ground, &fs::read_to_string(&log).expect("read"));
}

/// A trace has no call that writes below the dump root.
#[track_caller]
fn assert_read_only(ground: &Ground, trace: &str) {
    let root = ground.root();
    let root = root.to_str().expect("text");
    let lines: Vec<&str> = trace.lines().filter(|line| line.contains(root)).collect();
    assert!(lines.len() > 100, "it was traced: {}", lines.len());
    let writes = [
        "O_WRONLY",
        "O_RDWR",
        "O_CREAT",
        " write(",
        " pwrite64(",
        " mkdir",
        " unlink",
        " rename",
        " link",
        " symlink",
        " chmod",
        " fchmod",
        " chown",
        " fchown",
        " utimensat",
        " setxattr",
        " fsetxattr",
        " lsetxattr",
        " truncate",
        " ftruncate",
        " fallocate",
        " mknod",
    ];
    let is_write = |line: &&&str| writes.iter().any(|write| line.contains(write));
    let found: Vec<&&str> = lines.iter().filter(is_write).collect();
    assert!(found.is_empty(), "{found:#?}");
}
