//! How old the newest dump is: for monitoring, which notices what no run can
//! tell of, such as a timer that never fires.
//!
//! Nothing is locked, and only names and marks are read: the answer comes while
//! a dump is being made, and from a dump root that is mounted read-only. The
//! newest dump is what `current` names, not what the largest date does: after
//! the clock was wrong, some dump may have a date of the future. Several sets
//! may take turns in one dump root: where trees are named, each has a newest
//! dump of its own, `current` if that has the tree and else the newest that
//! has it, and the oldest of these decides. A dump's age is counted from its moment, whatever its name is here; a checkpoint has that of
//! the dump that it copied.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{iter, mem};

use chrono::{DateTime, Local, TimeDelta, Utc};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::metrics::Metrics;
use dumpcli::{Program, absolute, json};
use dumpcore::{Chain, DumpName, DumpRoot, Printable, Sort};
use serde_json::{Value, json};

/// Names may run ahead of the clock so far, and a dump may have no mark.
const AHEAD: TimeDelta = TimeDelta::hours(2);

/// The newest dump of each tree that is named, or of a whole dump root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ages {
    root: PathBuf,
    oldest: Newest,
    others: Vec<Newest>,
}

/// The newest dump, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    /// The tree that it is the newest dump of; `None`: of any.
    tree: Option<OsString>,
    dump: PathBuf,
    made: DateTime<Local>,
    age: TimeDelta,
}

impl Ages {
    /// Of the trees of these names; without one, of the dump root.
    ///
    /// # Errors
    /// When there is no dump, or none of one of the trees, or none whose age
    /// can be told.
    pub(crate) fn find(
        root: &Path,
        trees: &[OsString],
        now: DateTime<Local>,
    ) -> Result<Self, Failure> {
        let dump = DumpRoot::open(root)?;
        let current = current(&dump, root)?;
        let of = |tree| Newest::find(&dump, current, tree, now);
        let mut ages = Self {
            root: root.to_owned(),
            oldest: of(trees.first())?,
            others: Vec::new(),
        };
        for tree in trees.iter().skip(1) {
            let mut other = of(Some(tree))?;
            if other.made < ages.oldest.made {
                mem::swap(&mut other, &mut ages.oldest);
            }
            ages.others.push(other);
        }
        Ok(ages)
    }

    /// What decides.
    #[must_use]
    pub(crate) fn oldest(&self) -> &Newest {
        &self.oldest
    }

    /// Metrics in the text format of Prometheus, as `node_exporter`'s textfile
    /// collector reads them: the oldest first.
    #[must_use]
    pub(crate) fn metrics(&self) -> String {
        let mut metrics = Metrics::default();
        for newest in iter::once(&self.oldest).chain(&self.others) {
            let mut labels = vec![("dump", self.root.as_os_str())];
            labels.extend(newest.tree.as_ref().map(|tree| ("tree", &**tree)));
            let (made, age) = (newest.made.timestamp(), newest.age.num_seconds());
            metrics.newest(&labels, made, age);
        }
        metrics.text()
    }
}

/// The dump that `current` names.
fn current(dump: &DumpRoot, root: &Path) -> Result<DumpName, Failure> {
    let shown = Printable::path(root);
    let current = dump.current_name()?.ok_or_else(|| {
        let text = format!("{shown} has no dump; is the dump disk mounted?");
        Failure::Failed(text)
    })?;
    current.name().ok_or_else(|| {
        let path = root.join(current.path());
        let text = format!("{} has no date", Printable::path(&path));
        Failure::Failed(text)
    })
}

impl Newest {
    /// Of a tree, or of any.
    fn find(
        dump: &DumpRoot,
        current: DumpName,
        tree: Option<&OsString>,
        now: DateTime<Local>,
    ) -> Result<Self, Failure> {
        let name = match tree {
            Some(tree) => newest_with(dump, current, tree, now)?,
            None => current,
        };
        let name = copied_by(dump, name, tree)?;
        let listing = dump.listing();
        let path = listing.path(name);
        let made = listing.moment(name).with_timezone(&Local);
        let age = now - made;
        if age < -AHEAD {
            let path = Printable::path(&path);
            let text = format!("{path} is dated in the future; was the clock wrong?");
            return Err(Failure::Failed(text));
        }
        Ok(Self {
            tree: tree.cloned(),
            dump: path,
            made,
            age: age.max(TimeDelta::zero()),
        })
    }

    /// Is it older than that?
    #[must_use]
    pub(crate) fn is_older_than(&self, limit: Duration) -> bool {
        self.age.to_std().is_ok_and(|age| age > limit)
    }

    /// Age and path, for people.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        format!("{} old: {}\n", self.age(), Printable::path(&self.dump))
    }

    /// Why it will not do.
    #[must_use]
    pub(crate) fn complaint(&self, limit: Duration) -> String {
        let of = self.tree.as_ref().map_or_else(String::new, |tree| {
            format!(" of {}", Printable(tree.as_bytes()))
        });
        format!(
            "the newest dump{of}, {}, is {} old, more than {}",
            Printable::path(&self.dump),
            self.age_beyond(limit),
            humantime::format_duration(limit)
        )
    }

    /// The age in whole minutes, or finer where these would not be more than the limit.
    fn age_beyond(&self, limit: Duration) -> humantime::FormattedDuration {
        let age = self.age.to_std().unwrap_or_default();
        let whole = |unit: u64| Duration::from_secs(age.as_secs() / unit * unit);
        let rounded = [whole(60), whole(1)].into_iter().find(|age| *age > limit);
        humantime::format_duration(rounded.unwrap_or(age))
    }

    /// One object, as a run would print it.
    #[must_use]
    pub(crate) fn json(&self, program: Program, limit: Option<Duration>) -> String {
        let late = limit.filter(|limit| self.is_older_than(*limit));
        let exit = late.map_or(Exit::Done, |_| Exit::Failed);
        let mut object = json::head(program, exit);
        if let Some(limit) = late {
            object.insert("error".into(), self.complaint(limit).into());
        }
        let figures = json!({
            "dump": Printable::path(&absolute(&self.dump)).to_string(),
            "made": self.made.to_rfc3339(),
            "age_seconds": self.age.num_seconds(),
            "limit_seconds": limit.map(|limit| limit.as_secs()),
            "too_old": limit.map(|_| late.is_some()),
        });
        if let Value::Object(figures) = figures {
            object.extend(figures);
        }
        if let Some(tree) = &self.tree {
            let tree = Printable(tree.as_bytes()).to_string();
            object.insert("tree".into(), tree.into());
        }
        format!("{}\n", Value::Object(object))
    }

    fn age(&self) -> humantime::FormattedDuration {
        let minutes = u64::try_from(self.age.num_minutes()).unwrap_or(0);
        humantime::format_duration(Duration::from_secs(minutes * 60))
    }
}

/// The newest dump of a tree: `current` if it has the tree, else the newest
/// that has it, and one of the future only where no other does.
fn newest_with(
    dump: &DumpRoot,
    current: DumpName,
    tree: &OsStr,
    now: DateTime<Local>,
) -> Result<DumpName, Failure> {
    let (listing, name) = (dump.listing(), Path::new(tree));
    if listing.has_tree(current, name) {
        return Ok(current);
    }
    let until = (now + AHEAD).with_timezone(&Utc);
    let mut found = listing.newest_with(name, ..=until);
    if let Ok(None) = found {
        found = listing.newest_with(name, ..);
    }
    let found = found.map_err(|fault| Failure::Failed(Chain(&fault).to_string()))?;
    found.ok_or_else(|| {
        let (root, tree) = (Printable::path(listing.root()), Printable(tree.as_bytes()));
        let text =
            format!("no dump with a date in {root} has the tree {tree}; was it ever dumped?");
        Failure::Failed(text)
    })
}

/// The dump that a checkpoint was made of, as far as it is still there and the
/// checkpoint does not tell when that was.
fn copied_by(
    dump: &DumpRoot,
    name: DumpName,
    tree: Option<&OsString>,
) -> Result<DumpName, Failure> {
    let listing = dump.listing();
    if name.sort == Sort::Dump || listing.marked_moment(name).is_some() {
        return Ok(name);
    }
    for found in listing.newest_first(..=listing.moment(name)) {
        let found = found
            .map_err(|fault| Failure::Failed(Chain(&fault).to_string()))?
            .name;
        let has = |tree: &OsString| listing.has_tree(found, Path::new(tree));
        if found.sort == Sort::Dump && tree.is_none_or(has) {
            return Ok(found);
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use assert_fs::TempDir;
    use assert_fs::prelude::*;
    use dumpcore::Stamp;

    fn stamp(text: &str) -> Stamp {
        text.parse().expect("a minute")
    }

    fn at(text: &str) -> DateTime<Local> {
        stamp(text).earliest().expect("the hour is not left out")
    }

    /// A dump root with these dumps and this link.
    fn root(dumps: &[&str], current: &str) -> TempDir {
        let dir = TempDir::new().expect("a directory for the test");
        for dump in dumps {
            let tree = dir.child(dump).child("NEWAGE");
            tree.create_dir_all().expect("made");
        }
        dir.child("current")
            .symlink_to_dir(current)
            .expect("linked");
        dir
    }

    fn age(dir: &TempDir, now: &str) -> Result<i64, String> {
        age_of(dir, &[], now)
    }

    fn age_of(dir: &TempDir, trees: &[&str], now: &str) -> Result<i64, String> {
        let trees: Vec<OsString> = trees.iter().map(OsString::from).collect();
        let ages = Ages::find(dir.path(), &trees, at(now));
        ages.map(|ages| ages.oldest.age.num_minutes())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_age_is_that_of_current() {
        let dir = root(
            &["2026/0610/2331", "2027/0101/0000", "2026/0611/0031"],
            "2026/0611/0031",
        );
        assert_eq!(age(&dir, "2026-06-11T00:31"), Ok(0));
        assert_eq!(age(&dir, "2026-06-12T02:32"), Ok(26 * 60 + 1));
    }

    #[test]
    fn a_checkpoint_is_as_old_as_what_it_copied() {
        let dir = root(
            &["2026/0610/0000", "2026/0611/0500_chk"],
            "2026/0611/0500_chk",
        );
        assert_eq!(age(&dir, "2026-06-11T06:00"), Ok(30 * 60));
        let alone = root(&["2026/0611/0500_chk"], "2026/0611/0500_chk");
        assert_eq!(age(&alone, "2026-06-11T06:00"), Ok(60));
    }

    #[test]
    fn what_is_ahead_of_the_clock_is_new_or_a_fault() {
        let dir = root(&["2026/0611/0500"], "2026/0611/0500");
        assert_eq!(age(&dir, "2026-06-11T03:00"), Ok(0));
        let future = age(&dir, "2026-06-11T02:59").expect_err("refused");
        assert!(future.contains("in the future"), "{future}");
    }

    #[test]
    fn no_dump_has_no_age() {
        let dir = TempDir::new().expect("a directory for the test");
        let none = age(&dir, "2026-06-11T03:00").expect_err("refused");
        assert!(none.contains("is the dump disk mounted?"), "{none}");
        let first = root(&["first"], "first/NEWAGE");
        let undated = age(&first, "2026-06-11T03:00").expect_err("refused");
        assert!(undated.ends_with("first has no date"), "{undated}");
        let torn = root(&["2026/0611/0500_incomplete"], "2026/0611/0500");
        assert!(age(&torn, "2026-06-11T03:00").is_err());
    }

    #[test]
    fn the_limit_itself_is_not_older() {
        let dir = root(&["2026/0611/0500"], "2026/0611/0500");
        let ages = Ages::find(dir.path(), &[], at("2026-06-12T05:00")).expect("found");
        let newest = ages.oldest();
        assert!(!newest.is_older_than(Duration::from_secs(24 * 3600)));
        assert!(newest.is_older_than(Duration::from_secs(24 * 3600 - 1)));
        assert!(newest.text().starts_with("1day old: "), "{}", newest.text());
    }

    #[test]
    fn an_age_is_told_finely_enough_to_be_more_than_the_limit() {
        let dir = root(&["2026/0611/0500"], "2026/0611/0500");
        let now = at("2026-06-11T05:01") + TimeDelta::seconds(20);
        let ages = Ages::find(dir.path(), &[], now).expect("found");
        for (limit, words) in [
            (1, "is 1m old, more than 1s"),
            (70, "is 1m 20s old, more than 1m 10s"),
        ] {
            let said = ages.oldest().complaint(Duration::from_secs(limit));
            assert!(said.ends_with(words), "{said}");
        }
    }

    #[test]
    fn the_oldest_of_the_trees_decides() {
        let dir = root(&["2026/0611/0300", "2026/0611/0500"], "2026/0611/0500");
        for other in ["2026/0608/0500/other", "2026/0611/0400_chk/other"] {
            dir.child(other).create_dir_all().expect("made");
        }
        let now = "2026-06-11T05:00";
        assert_eq!(age_of(&dir, &["NEWAGE"], now), Ok(0));
        // A checkpoint without a mark is as old as the last dump with its tree.
        assert_eq!(age_of(&dir, &["other"], now), Ok(3 * 24 * 60));
        assert_eq!(age_of(&dir, &["NEWAGE", "other"], now), Ok(3 * 24 * 60));
        assert_eq!(age_of(&dir, &["other", "NEWAGE"], now), Ok(3 * 24 * 60));
        let never = age_of(&dir, &["NEWAGE", "never"], now).expect_err("refused");
        assert!(never.contains("has the tree never; "), "{never}");
    }

    #[test]
    fn a_tree_of_the_future_only_is_a_fault() {
        let dir = root(&["2026/0611/0500"], "2026/0611/0500");
        dir.child("2027/0101/0000/other")
            .create_dir_all()
            .expect("made");
        let now = "2026-06-11T06:00";
        let future = age_of(&dir, &["other"], now).expect_err("refused");
        assert!(future.contains("in the future"), "{future}");
        dir.child("2026/0610/0600/other")
            .create_dir_all()
            .expect("made");
        assert_eq!(age_of(&dir, &["other"], now), Ok(24 * 60));
        assert_eq!(age(&dir, now), Ok(60));
    }
}
