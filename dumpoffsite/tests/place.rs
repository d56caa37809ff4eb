//! Where the repository is and what opens it: what counts, and what nobody is told.

mod common;

use std::fs;

use common::{PASSWORD, Place};
use predicates::str::contains;

#[test]
fn a_repository_is_made_once_and_its_password_matters() {
    let place = Place::new();
    let init = || place.word("init");
    place
        .word("list")
        .assert()
        .code(1)
        .stderr(contains("dumpoffsite init"));
    init()
        .assert()
        .success()
        .stdout(contains("keep it somewhere else"));
    init().assert().code(1).stderr(contains("already"));
    let (value, code) = place.json(&["list"]);
    assert_eq!((&value["snapshots"], code), (&serde_json::json!([]), 0));
    assert_eq!(
        (&value["schema"], &value["command"]),
        (&1.into(), &"list".into())
    );
    place.secret("password", "another\n", 0o600);
    place
        .word("list")
        .assert()
        .code(1)
        .stderr(contains("does not open"));
    let (value, code) = place.json(&["list"]);
    assert_eq!((&value["status"], code), (&"failed".into(), 1));
}

#[test]
fn a_password_that_others_can_read_is_refused() {
    let place = Place::new();
    for mode in [0o640, 0o604, 0o644] {
        place.secret("password", PASSWORD, mode);
        place
            .word("init")
            .assert()
            .code(2)
            .stderr(contains("chmod 600"));
    }
    assert!(!place.path("repo").exists());
    place.secret("password", "", 0o600);
    place
        .word("init")
        .assert()
        .code(2)
        .stderr(contains("no password"));
    fs::remove_file(place.path("password")).expect("removed");
    place
        .word("init")
        .assert()
        .code(1)
        .stderr(contains("cannot read the password file"));
    fixtures::shield::configure(place.dir.path(), "");
    place
        .word("init")
        .assert()
        .code(2)
        .stderr(contains("RESTIC_REPOSITORY"));
}

#[test]
fn the_environment_counts_as_for_restic() {
    let place = Place::new();
    fixtures::shield::configure(place.dir.path(), "");
    let mut init = place.word("init");
    init.env("RESTIC_REPOSITORY", place.path("repo"));
    init.env("RESTIC_PASSWORD_COMMAND", format!("echo '{PASSWORD}'"));
    init.assert().success();
    // And so does a file of variables.
    let dir = place.dir.path().display();
    let file = format!(
        "# of the tests\nexport RESTIC_REPOSITORY={dir}/repo\n\nRESTIC_PASSWORD_FILE='{dir}/password'\n"
    );
    place.secret("environment", &file, 0o600);
    let config = format!("[offsite]\nenvironment_file = \"{dir}/environment\"\n");
    fixtures::shield::configure(place.dir.path(), &config);
    place.word("list").assert().success();
    place.secret("environment", "nothing\n", 0o600);
    place
        .word("list")
        .assert()
        .code(2)
        .stderr(contains("environment:1: expected NAME=VALUE"));
    place.secret("environment", &file, 0o644);
    place
        .word("list")
        .assert()
        .code(2)
        .stderr(contains("chmod 600"));
}

#[test]
fn the_environment_beats_the_file_and_two_passwords_are_refused() {
    let place = Place::new();
    place.secret("password", "another\n", 0o600);
    let with = |word: &str, variables: &[(&str, &str)]| {
        let mut command = place.word(word);
        command.envs(variables.iter().copied());
        command.assert()
    };
    let command = format!("echo '{PASSWORD}'");
    let command = ("RESTIC_PASSWORD_COMMAND", command.as_str());
    with("init", &[command]).success();
    with("list", &[command]).success();
    with("list", &[]).code(1).stderr(contains("does not open"));
    let both = with("list", &[command, ("RESTIC_PASSWORD_FILE", "password")]);
    both.code(2).stderr(contains("both set"));
    let shown = place.plain().arg("--print-config").envs([command]).output();
    let shown = String::from_utf8(shown.expect("runs").stdout).expect("UTF-8");
    assert!(shown.contains("RESTIC_PASSWORD_COMMAND"), "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
}

#[test]
fn a_relative_repository_is_beside_the_configuration() {
    let place = Place::new();
    place.config_of("store/of it", "");
    place.word("init").current_dir("/").assert().success();
    let shown = place.plain().arg("--print-config").output().expect("runs");
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    let line = shown.lines().find(|line| line.starts_with("repository = "));
    let path = line
        .and_then(|line| line.split('"').nth(1))
        .expect("a path");
    assert!(
        path.starts_with('/') && path.ends_with("/store/of it"),
        "{line:?}"
    );
    assert!(std::path::Path::new(path).join("config").exists());
}

#[test]
fn a_hook_does_not_learn_what_opens_the_repository() {
    let place = Place::with_dump();
    let dir = place.dir.path().display();
    place.secret("environment", "RCLONE_CONFIG_NAS_PASS=hidden\n", 0o600);
    let hook = format!("env >>{dir}/told");
    place.config(&format!(
        "environment_file = \"{dir}/environment\"\n[hooks]\npre = \"{hook}\"\npost = \"{hook}\"\n"
    ));
    let mut push = place.word("push");
    push.env("RESTIC_PASSWORD_COMMAND", format!("echo '{PASSWORD}'"));
    push.env("KEPT", "kept").assert().success();
    let told = fs::read_to_string(place.path("told")).expect("read");
    assert_eq!(told.matches("KEPT=kept").count(), 2, "{told}");
    assert!(
        !told.contains("RESTIC_") && !told.contains("RCLONE_"),
        "{told}"
    );
}

#[test]
fn no_password_is_ever_said() {
    let place = Place::with_dump();
    let mut said = Vec::new();
    for words in [
        &["push", "-v", "--log", "stderr"][..],
        &["list", "--json"],
        &["--print-config"],
    ] {
        let ran = place.plain().args(words).output().expect("runs");
        assert!(ran.status.success(), "{words:?}");
        said.extend([ran.stdout, ran.stderr]);
    }
    // Nobody listens there, which the library tells in words of its own.
    for repository in [
        "rest:http://user:hidden@127.0.0.1:9/",
        "rest:http://user:a)b'hidden /x@127.0.0.1:9/",
        "rclone::sftp,host=127.0.0.1,port=9,pass=hidden:/x",
        "rest:http://user:%68idden%29x@127.0.0.1:9/",
    ] {
        place.config_of(repository, "");
        for words in [["--print-config", "-q"], ["list", "--json"]] {
            let ran = place.plain().args(words).output().expect("runs");
            said.extend([ran.stdout, ran.stderr]);
        }
    }
    for said in said {
        let said = String::from_utf8_lossy(&said);
        assert!(
            !said.contains(PASSWORD) && !said.contains("hidden"),
            "{said}"
        );
    }
}
