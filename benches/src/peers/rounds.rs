//! Rounds of one kind of work.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use fixtures::{Options, diff_trees};

use super::bed::Bed;
use super::results::{Peer, Results, Run, Sample};
use super::settings::{On, Settings};
use super::tools::{Site, Tool};
use super::works::{What, Work};
use crate::machine::{Machine, load};
use crate::programs::first_line;

/// Measures one kind of work and adds it to the results.
pub(super) fn measure(
    bed: &Bed,
    work: &Work,
    settings: &Settings,
    parent: &Path,
    results: &mut Results,
    tell: &mut dyn FnMut(&str),
) -> io::Result<()> {
    let taking_part = peers(bed, work, settings);
    let mut run = begun(bed, work, settings, parent, &taking_part);
    tell(&format!("{}: {}", run.machine, work.title));
    let mut tools = Vec::new();
    for (tool, peer) in taking_part {
        match &peer.missing {
            Some(why) => tell(&format!("  {}: missing: {why}", peer.name)),
            None => tools.push((tool, peer.name)),
        }
    }
    if work.what == What::Restore {
        set_up(bed, &[Tool::Dumpme]);
    } else if !work.what.is_fresh() {
        let tools: Vec<Tool> = tools.iter().map(|(tool, _)| *tool).collect();
        set_up(bed, &tools);
    }
    let at = results.runs.len();
    for round in 0..settings.warm_up + settings.rounds {
        let samples = one_round(bed, work, settings, round, &tools, tell);
        if round < settings.warm_up {
            continue;
        }
        run.rounds.push(samples);
        run.load_after = load();
        results.runs.truncate(at);
        results.runs.push(run.clone());
        if let Some(path) = &settings.results {
            results.save(path)?;
        }
    }
    let (before, after) = (run.load_before, run.load_after);
    tell(&format!(
        "  load of the machine: {before} before, {after} after"
    ));
    Ok(())
}

/// A run without rounds yet.
fn begun(
    bed: &Bed,
    work: &Work,
    settings: &Settings,
    parent: &Path,
    taking_part: &[(Tool, Peer)],
) -> Run {
    Run {
        work: work.name.into(),
        title: work.title.into(),
        filesystem: match (settings.fs, work.what.is_fresh()) {
            (On::Here, true) => "from here to ext4, loop".into(),
            _ => bed.filesystem(),
        },
        files: settings.files,
        dirs: settings.dirs,
        synced: work.what.is_synced(),
        machine: Machine::here(parent),
        began: chrono::Local::now().to_rfc3339(),
        load_before: load(),
        load_after: load(),
        peers: taking_part.iter().map(|(_, peer)| peer.clone()).collect(),
        rounds: Vec::new(),
    }
}

/// What each takes in one round, by its name.
fn one_round(
    bed: &Bed,
    work: &Work,
    settings: &Settings,
    round: usize,
    tools: &[(Tool, String)],
    tell: &mut dyn FnMut(&str),
) -> BTreeMap<String, Sample> {
    let mut samples = BTreeMap::new();
    // Each round is begun by another.
    for i in 0..tools.len() {
        let (tool, name) = &tools[(round + i) % tools.len()];
        let check = settings.check && round == 0;
        let sample = once(bed, work, *tool, check);
        let Sample { seconds, flush } = sample;
        let counts = if round < settings.warm_up {
            " (warm-up)"
        } else {
            ""
        };
        tell(&format!(
            "  {name}: {seconds:.2} s, sync {flush:.2} s{counts}"
        ));
        samples.insert(name.clone(), sample);
    }
    samples
}

fn peers(bed: &Bed, work: &Work, settings: &Settings) -> Vec<(Tool, Peer)> {
    let mut peers = Vec::new();
    for (i, (tool, goal)) in work.tools.iter().enumerate() {
        let name = tool.name(work.what.begins());
        let wanted = |part: &String| name.contains(part.as_str());
        if i > 0 && !settings.peers.is_empty() && !settings.peers.iter().any(wanted) {
            continue;
        }
        let version = tool
            .program()
            .and_then(|(name, arg)| first_line(name, &[arg]));
        let peer = Peer {
            missing: missing(bed, work, *tool, version.is_some()),
            name,
            version,
            goal: *goal,
        };
        peers.push((*tool, peer));
    }
    peers
}

fn missing(bed: &Bed, work: &Work, tool: Tool, found: bool) -> Option<String> {
    let root = fixtures::is_root();
    if let (Some((program, _)), false) = (tool.program(), found) {
        return Some(format!("{program} is not installed"));
    }
    if matches!(tool, Tool::Limit(_)) && bed.limit.is_none() {
        return Some("no C compiler (cc)".into());
    }
    if work.cold && !root {
        return Some("dropping caches needs root".into());
    }
    if work.what.is_fresh() && !root {
        return Some("a filesystem of its own needs root".into());
    }
    None
}

/// What each starts from, made once for all works that start from it.
fn set_up(bed: &Bed, tools: &[Tool]) {
    for tool in tools {
        with_site(bed, *tool, bed.home(), |site| {
            // A copy that is linked to is one for all who link to it.
            if !site.at.exists() {
                shell(bed, &tool.init(site));
                shell(bed, &tool.first(site));
            }
        });
    }
    bed.sync();
}

/// One run of one program: what it needs before and after is not counted.
fn once(bed: &Bed, work: &Work, tool: Tool, check: bool) -> Sample {
    let fresh = work.what.is_fresh();
    let home = if fresh {
        bed.fresh()
    } else {
        bed.home().to_path_buf()
    };
    let number = bed.number();
    with_site(bed, tool, &home, |site| {
        let dumped = site.dump.join("current/tree");
        let restored = Site {
            tree: &dumped,
            ..*site
        };
        let site = if work.what == What::Restore {
            &restored
        } else {
            site
        };
        prepare(bed, work, tool, site, number);
        let begins = work.what.begins();
        let command = if begins {
            tool.first(site)
        } else {
            tool.next(site, number)
        };
        let sample = time(bed, &command, site.at);
        if check {
            let number = if begins { 0 } else { number };
            compare(bed, tool, site, number);
        }
        sample
    })
}

/// Makes what a run needs, and the caches what they are to be.
fn prepare(bed: &Bed, work: &Work, tool: Tool, site: &Site<'_>, number: u64) {
    let fresh = work.what.is_fresh();
    if fresh {
        shell(bed, &tool.init(site));
    }
    if work.what == What::Checkpoint {
        shell(bed, &tool.first(site));
    }
    match work.what {
        What::Changed => bed.change(),
        What::Moved => bed.shift(),
        What::BigFile => bed.change_big(),
        _ => {}
    }
    if tool == Tool::RdiffBackup {
        // It takes one backup a second at most.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    }
    if !work.what.begins() {
        shell(bed, &tool.before(site, number));
    }
    if fresh && !work.cold {
        let read = if work.what.begins() {
            site.tree
        } else {
            site.at
        };
        bed.warm(read);
    }
    bed.sync();
    if work.cold {
        bed.drop_caches();
    }
}

fn time(bed: &Bed, command: &str, at: &Path) -> Sample {
    let began = Instant::now();
    shell(bed, command);
    let seconds = began.elapsed().as_secs_f64();
    bed.flush(at);
    let flush = began.elapsed().as_secs_f64() - seconds;
    Sample { seconds, flush }
}

/// Gets back what was copied, and holds it against the tree.
fn compare(bed: &Bed, tool: Tool, site: &Site<'_>, number: u64) {
    let (restore, restored) = tool.restore(site, number);
    shell(bed, &restore);
    let mut differences = diff_trees(site.tree, &restored, &kept_by(tool));
    if tool == Tool::RdiffBackup {
        // It keeps no times of symlinks.
        differences.retain(|line| match line.split_once(": mtime") {
            Some((path, _)) => !site.tree.join(path).is_symlink(),
            None => true,
        });
    }
    assert!(
        differences.is_empty(),
        "{tool:?} kept something else:\n{}",
        differences.join("\n")
    );
    if site.scratch.exists() {
        fixtures::tree::remove_deep(site.scratch);
    }
}

/// What others do not keep is not held against them.
fn kept_by(tool: Tool) -> Options {
    let all = Options::default();
    match tool {
        Tool::RdiffBackup => Options {
            time_step: 1_000_000_000,
            ..all
        },
        // It dates a directory before those below it are made.
        Tool::Limit(_) => Options {
            dir_times: false,
            ..all
        },
        _ => all,
    }
}

fn with_site<T>(bed: &Bed, tool: Tool, home: &Path, act: impl FnOnce(&Site<'_>) -> T) -> T {
    let tree = match tool.is_for_big_file() {
        true => bed.big(),
        false => bed.tree(),
    };
    let at = home.join(tool.directory());
    let dump = bed.home().join(Tool::Dumpme.directory());
    let (scratch, ours) = (bed.scratch(), bed.programs.path(""));
    let limit = bed.limit.clone().unwrap_or_else(|| PathBuf::from("limit"));
    act(&Site {
        tree: &tree,
        at: &at,
        dump: &dump,
        ours: &ours,
        limit: &limit,
        scratch: &scratch,
    })
}

/// Runs a line of the shell; what programs remember between runs is beside
/// what they keep.
fn shell(bed: &Bed, line: &str) {
    let home = bed.home().join("remembered");
    fs::create_dir_all(&home).expect("made");
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .env("HOME", &home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_CACHE_HOME")
        // The tree and the dump root are those of the bench alone.
        .env_remove("MAINROOT")
        .env_remove("DUMPROOT")
        .env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes")
        .env("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    crate::programs::must_run(&mut command);
}
