//! `dumpctl shadow-copies`: links for Samba, tried with Samba itself.

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Ground, ends};
use fixtures::Fingerprint;
use fixtures::bind::Bind;
use serde_json::Value;

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("listed").map(Result::unwrap);
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().into_string().expect("plain"))
        .collect();
    names.sort();
    names
}

#[test]
fn links_are_made_told_and_thinned() {
    let ground = Ground::new();
    let to = ground.at("shadow");
    let words = ["shadow-copies", "--to", to.to_str().expect("plain")];
    let (printed, said) = ends(ground.dumpctl(&[&words[..], &["-n"]].concat()), 0);
    let shown = to.display();
    assert_eq!(
        printed,
        format!("dry run: {shown}: 4 shadow copies to be made, 0 to be removed, 0 unchanged\n")
    );
    assert!(
        said.contains("warning: the shadow copies lead through"),
        "{said}"
    );
    assert!(!to.exists());
    ends(ground.dumpctl(&words), 0);
    let before = names(&to);
    assert_eq!(before.len(), 4);
    assert!(
        before.iter().all(|name| name.starts_with("@GMT-20")),
        "{before:?}"
    );
    ends(ground.dumpctl(&["remove", "--force", "2030/0101/0200"]), 0);
    let (printed, _) = ends(ground.dumpctl(&[&words[..], &["--json"]].concat()), 0);
    let object: Value = serde_json::from_str(&printed).expect("an object");
    assert_eq!(object["command"], "shadow-copies");
    assert_eq!(object["schema"], 1);
    assert_eq!(object["tree"], "tree");
    assert_eq!(object["dir"], to.to_str().expect("plain"));
    let counts = ["made", "removed", "kept"].map(|key| object[key].as_u64());
    assert_eq!(counts, [Some(0), Some(1), Some(3)]);
    assert_eq!(object["writable"], true);
    assert_eq!(names(&to).len(), 3);
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let ground = Ground::new();
    let (_, said) = ends(ground.dumpctl(&["shadow-copies"]), 2);
    assert!(said.contains("--to"), "{said}");
    let inside = ground.root().join("shadow");
    let inside = inside.to_str().expect("plain");
    let (_, said) = ends(ground.dumpctl(&["shadow-copies", "--to", inside]), 1);
    assert!(said.contains("is inside the dump root"), "{said}");
    let to = ground.at("shadow");
    let to = to.to_str().expect("plain");
    let elsewhere = ground.at("tree");
    let elsewhere = elsewhere.to_str().expect("plain");
    let words = ["shadow-copies", "--to", to, "--through", elsewhere];
    let (_, said) = ends(ground.dumpctl(&words), 1);
    assert!(said.contains("does not lead to the dump root"), "{said}");
    let (printed, _) = ends(ground.dumpctl(&[&words[..], &["--json"]].concat()), 1);
    let object: Value = serde_json::from_str(&printed).expect("an object");
    assert_eq!(
        (&object["status"], &object["exit"]),
        (&"failed".into(), &1.into())
    );
    // A second tree in the newest dump.
    fs::create_dir(ground.root().join("2030/0102/0400/other")).expect("made");
    let (_, said) = ends(ground.dumpctl(&["shadow-copies", "--to", to]), 2);
    assert!(said.contains("--tree: other, tree"), "{said}");
    let words = ["shadow-copies", "--to", to, "--tree", "tree"];
    ends(ground.dumpctl(&words), 0);
    assert_eq!(names(Path::new(to)).len(), 4);
}

#[test]
fn the_configuration_says_where() {
    let ground = Ground::new();
    let to = ground.at("shadow");
    let table = format!("[shadow_copies]\ndir = \"{}\"\n", to.display());
    fixtures::shield::configure(ground.at("").as_path(), &table);
    ends(ground.dumpctl(&["shadow-copies"]), 0);
    assert_eq!(names(&to).len(), 4);
    // A set has its own, or none.
    let set = format!("{table}[set.other]\nmain = \"/other\"\n");
    fixtures::shield::configure(ground.at("").as_path(), &set);
    let (_, said) = ends(ground.dumpctl(&["shadow-copies", "--set", "other"]), 2);
    assert!(said.contains("--to"), "{said}");
    let main = format!("main = [\"/a\", \"/b\"]\n{table}");
    fixtures::shield::configure(ground.at("").as_path(), &main);
    let (_, said) = ends(ground.dumpctl(&["shadow-copies"]), 1);
    assert!(said.contains("needs a key `tree`"), "{said}");
    let typo = format!("{table}throuhg = \"/x\"\n");
    fixtures::shield::configure(ground.at("").as_path(), &typo);
    let (_, said) = ends(ground.dumpctl(&["shadow-copies"]), 1);
    assert!(said.contains("unknown key `throuhg`"), "{said}");
}

/// Samba's server over a share with previous versions.
struct Samba {
    smbd: Child,
    dir: PathBuf,
    port: u16,
}

impl Samba {
    /// `share`: the lines of docs/SAMBA.md for the share, with its paths replaced.
    fn start(dir: &Path, share: &str) -> Self {
        // Free again at the end of the line, for the server.
        let free = |port: TcpListener| port.local_addr().expect("bound").port();
        let port = free(TcpListener::bind("127.0.0.1:0").expect("a port"));
        let state = dir.join("state");
        fs::create_dir(&state).expect("made");
        let state = state.display();
        let global = format!(
            "[global]\nsecurity = user\nsmb ports = {port}\ninterfaces = 127.0.0.1/8\n\
             bind interfaces only = yes\ndisable netbios = yes\nload printers = no\n\
             private dir = {state}\nlock directory = {state}\nstate directory = {state}\n\
             cache directory = {state}\npid directory = {state}\n\
             ncalrpc dir = {state}/ncalrpc\nlog file = {state}/log\n"
        );
        fs::write(dir.join("smb.conf"), global + share).expect("written");
        let mut samba = Self {
            smbd: Command::new("true").spawn().expect("started"),
            dir: dir.to_path_buf(),
            port,
        };
        samba.smbd.wait().expect("ended");
        let mut password = Command::new("smbpasswd");
        password
            .arg("-c")
            .arg(dir.join("smb.conf"))
            .args(["-s", "-a", "root"]);
        let mut password = password.stdin(Stdio::piped()).spawn().expect("smbpasswd");
        let mut input = password.stdin.take().expect("piped");
        std::io::Write::write_all(&mut input, b"secret\nsecret\n").expect("told");
        drop(input);
        assert!(password.wait().expect("ended").success());
        let mut smbd = Command::new("smbd");
        smbd.args(["--foreground", "--no-process-group", "-s"]);
        smbd.arg(dir.join("smb.conf")).stdin(Stdio::null());
        samba.smbd = smbd.spawn().expect("smbd");
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let (answers, said) = samba.client("ls");
            if answers {
                return samba;
            }
            let log = fs::read_to_string(dir.join("state/log")).unwrap_or_default();
            assert!(Instant::now() < end, "smbd does not answer: {said}{log}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Runs a line of smbclient; did it succeed, and what did it say?
    fn client(&self, line: &str) -> (bool, String) {
        let mut client = Command::new("smbclient");
        client.arg("-s").arg(self.dir.join("smb.conf"));
        client.args([
            "-p",
            &self.port.to_string(),
            "-U",
            "root%secret",
            "-c",
            line,
        ]);
        let output = client
            .arg("//127.0.0.1/home")
            .current_dir(&self.dir)
            .output();
        let output = output.expect("smbclient");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (
            output.status.success() && !said.contains("NT_STATUS_"),
            said,
        )
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        let _ = self.smbd.kill();
        let _ = self.smbd.wait();
    }
}

/// The share of the page about Samba, with these paths in place of its own.
fn share_of_the_page(paths: &[(&str, PathBuf)]) -> String {
    let page = include_str!("../../docs/SAMBA.md");
    let begin = page.find("[home]\n").expect("a share");
    let share = page[begin..].split("```").next().expect("its end");
    paths.iter().fold(share.to_owned(), |share, (from, to)| {
        assert!(share.contains(from), "{from}: {share}");
        share.replace(from, &to.display().to_string())
    })
}

#[test]
#[ignore = "needs root, samba and smbclient"]
fn samba_shows_dumps_as_previous_versions_and_changes_none() {
    let ground = Ground::empty();
    for (minute, text) in [("2030-01-01T01:00", "one"), ("2030-01-02T03:00", "second")] {
        fs::write(ground.at("tree/dir/file"), text).expect("written");
        ground.dump(minute);
    }
    fs::write(ground.at("tree/dir/file"), "now").expect("written");
    let bound = ground.at("dump-ro");
    fs::create_dir(&bound).expect("made");
    let mount = Bind::read_only(&ground.root(), &bound);
    let to = ground.at("shadow");
    let [to_text, bound_text] = [&to, &bound].map(|path| path.to_str().expect("plain"));
    let words = ["shadow-copies", "--to", to_text, "--through", bound_text];
    let (_, said) = ends(ground.dumpctl(&words), 0);
    assert_eq!(said, "", "nothing to warn of");
    let before = Fingerprint::of(&ground.root());
    let share = share_of_the_page(&[
        ("/srv/shadow/home", to.clone()),
        ("/home", ground.at("tree")),
    ]);
    let samba = Samba::start(&ground.at(""), &share);

    let (shown, said) = samba.client("allinfo dir/file");
    assert!(shown, "{said}");
    let versions: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("@GMT-"))
        .collect();
    let mut expected = names(&to);
    expected.reverse();
    assert_eq!(versions, expected, "{said}");
    for (name, text) in expected.iter().zip(["second", "one"]) {
        let (got, said) = samba.client(&format!("get {name}/dir/file old"));
        assert!(got, "{said}");
        assert_eq!(fs::read_to_string(ground.at("old")).expect("read"), text);
        let (put, said) = samba.client(&format!("put old {name}/dir/file"));
        assert!(!put, "{said}");
        let (put, said) = samba.client(&format!("put old {name}/dir/new"));
        assert!(!put, "{said}");
        let (removed, said) = samba.client(&format!("del {name}/dir/file"));
        assert!(!removed, "{said}");
    }
    // The tree itself is as writable as ever.
    let (put, said) = samba.client("put old dir/file");
    assert!(put, "{said}");
    assert_eq!(
        fs::read_to_string(ground.at("tree/dir/file")).expect("read"),
        "one"
    );
    before.assert_unchanged(&ground.root());
    drop(samba);
    drop(mount);
}
