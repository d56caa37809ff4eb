//! Gathers the exclude rules of a run into a filter.
//!
//! The order is the weight: the first rule that matches wins. First those of
//! the command line and the configuration, then the files that are with the
//! trees: `MAIN/.rsync/exclude` of each, then `DUMP/.rsync/exclude`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use dumpcore::{
    Chain, EXCLUDE_FILE, Error, Fault, Filter, FilterRule, Observer, Op, Printable, RuleOrigin,
    read_exclude_file, watched,
};

use crate::config::keys::Rule;
use crate::config::origin::{Source, Value};
use crate::failure::Failure;

/// The rules of the command line and the configuration.
///
/// # Errors
/// [`Failure::Usage`] when a rule is refused, or a file of rules cannot be
/// read: both were named by a person.
pub fn given(rules: &[Value<Rule>]) -> Result<Filter, Failure> {
    let mut filter = Filter::new();
    for rule in rules {
        let added = match &rule.value {
            Rule::Pattern(text) => filter.add_rule(text.as_bytes()),
            Rule::File(path) => {
                let bytes = named(path).map_err(|error| unreadable(path, error));
                filter.add_lines(path, &bytes.map_err(Failure::Usage)?)
            }
        };
        added.map_err(|error| {
            // Only of a file of rules does the library know the place.
            Failure::Usage(match (&rule.value, &rule.source) {
                (Rule::File(_), _) => error.to_string(),
                (Rule::Pattern(_), Source::Flag) => format!("--exclude: {error}"),
                (Rule::Pattern(_), source) => format!("{error} ({source})"),
            })
        })?;
    }
    Ok(filter)
}

/// Adds the files of rules that are with the trees and the dumps, where there
/// are any. The observer hears of a root that does not answer.
///
/// # Errors
/// [`Failure::Core`] when a root cannot be entered; [`Failure::Failed`] when
/// such a file cannot be read, or is nothing to be read;
/// [`Failure::Usage`] when a rule in it is refused.
pub fn add_files_of(
    filter: &mut Filter,
    mains: &[PathBuf],
    dump: &Path,
    observer: &dyn Observer,
) -> Result<(), Failure> {
    for root in mains.iter().map(PathBuf::as_path).chain([dump]) {
        let read = watched(observer, root, || read_exclude_file(root));
        let read = read.map_err(|fault| {
            // That there are rules would be the last that matters of a closed root.
            match (fault.path == root, root == dump) {
                (false, _) => Failure::Failed(format!("exclude rules: {}", Chain(&fault))),
                (true, false) => Failure::from(Error::MainUnusable {
                    path: fault.path,
                    cause: fault.cause.into(),
                }),
                (true, true) => Failure::from(Error::DumpUnusable {
                    path: fault.path,
                    cause: fault.cause.into(),
                }),
            }
        })?;
        if let Some(bytes) = read {
            filter
                .add_lines(root.join(EXCLUDE_FILE), &bytes)
                .map_err(|error| Failure::Usage(error.to_string()))?;
        }
    }
    Ok(())
}

/// What a person should know of rules that start with a slash and are about a
/// tree that is not among these. `inherited`: rules that a set has from the top
/// level; like those in the dump root's own file, they may be of other sets.
#[must_use]
pub fn of_no_tree(
    filter: &Filter,
    trees: &[OsString],
    dump: &Path,
    inherited: &[&Rule],
) -> Vec<String> {
    let of_dump = dump.join(EXCLUDE_FILE);
    let may_be_anothers = |rule: &FilterRule| match rule.origin() {
        RuleOrigin::File { name, .. } => {
            let is_this = |rule: &&Rule| matches!(rule, Rule::File(file) if **name == **file);
            **name == *of_dump || inherited.iter().any(is_this)
        }
        _ => inherited
            .iter()
            .any(|shared| matches!(shared, Rule::Pattern(text) if text.as_bytes() == rule.text())),
    };
    let names = trees.iter().map(|name| Printable(name.as_bytes()));
    let names: Vec<String> = names.map(|name| format!("/{name}/")).collect();
    let of_none = |rule: &&FilterRule| {
        let tree = rule.tree();
        tree.is_some_and(|tree| trees.iter().all(|name| name.as_bytes() != tree))
    };
    let rules = filter.rules().filter(of_none);
    let told = rules.filter(|rule| !may_be_anothers(rule)).map(|rule| {
        format!(
            "the exclude rule {rule} matches nothing: a rule that starts with a slash starts with \
             the name of a tree, here {}",
            names.join(" or ")
        )
    });
    told.collect()
}

fn named(path: &Path) -> io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    }
}

fn unreadable(path: &Path, error: io::Error) -> String {
    let fault = Fault::new(Op::Read, path.to_owned(), error);
    format!("exclude rules: {}", Chain(&fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assert_fs::TempDir;
    use assert_fs::prelude::*;
    use dumpcore::Silent;

    fn flag(value: Rule) -> Value<Rule> {
        let source = Source::Flag;
        Value { value, source }
    }

    fn pattern(text: &str) -> Value<Rule> {
        flag(Rule::Pattern(text.into()))
    }

    fn texts(filter: &Filter) -> Vec<String> {
        let text = |rule: &FilterRule| String::from_utf8_lossy(rule.text()).into_owned();
        filter.rules().map(text).collect()
    }

    #[test]
    fn rules_stand_in_the_order_of_their_weight() {
        let dir = TempDir::new().expect("a directory for the test");
        dir.child("rules")
            .write_str("# none\nof-file\n")
            .expect("written");
        dir.child("one/.rsync/exclude")
            .write_str("of-one\n")
            .expect("written");
        dir.child("two").create_dir_all().expect("made");
        dir.child("dump/.rsync/exclude")
            .write_str("of-dump\n")
            .expect("written");
        let rules = [
            pattern("+ first"),
            flag(Rule::File(dir.path().join("rules"))),
            pattern("last"),
        ];
        let mut filter = given(&rules).expect("good rules");
        let mains = ["one", "two", "missing"].map(|name| dir.path().join(name));
        add_files_of(&mut filter, &mains, &dir.path().join("dump"), &Silent).expect("good files");
        assert_eq!(
            texts(&filter),
            ["+ first", "of-file", "last", "of-one", "of-dump"]
        );
    }

    #[test]
    fn what_a_person_named_wrongly_is_wrong_usage() {
        let message = |rules: &[Value<Rule>]| match given(rules) {
            Err(Failure::Usage(text)) => text,
            other => panic!("{other:?}"),
        };
        let text = message(&[flag(Rule::File("/no/such/file".into()))]);
        assert_eq!(
            text,
            "exclude rules: cannot read /no/such/file: No such file or directory"
        );
        let refusal = "bad rule \"- \": no pattern follows the sign";
        assert_eq!(message(&[pattern("- ")]), format!("--exclude: {refusal}"));
        let mut written = pattern("- ");
        written.source = Source::File {
            path: "/etc/dump/dump.toml".into(),
            line: 3,
            set: None,
        };
        let text = format!("{refusal} (file: /etc/dump/dump.toml:3)");
        assert_eq!(message(&[written]), text);
    }

    #[test]
    fn a_bad_file_beside_a_tree_is_told() {
        let dir = TempDir::new().expect("a directory for the test");
        let file = dir.child(EXCLUDE_FILE);
        file.write_str("good\n- \n").expect("written");
        let mut filter = Filter::new();
        let added = add_files_of(
            &mut filter,
            &[dir.path().to_owned()],
            Path::new("/no/such"),
            &Silent,
        );
        let Err(Failure::Usage(text)) = added else {
            panic!("{added:?}");
        };
        assert!(text.contains("exclude line 2"), "{text}");
        let folder = dir.child("main/.rsync/exclude");
        folder.create_dir_all().expect("made");
        let main = dir.path().join("main");
        let added = add_files_of(&mut Filter::new(), &[main], Path::new("/no/such"), &Silent);
        assert!(matches!(added, Err(Failure::Failed(_))), "{added:?}");
    }

    #[test]
    fn a_rule_of_a_tree_that_there_is_not_is_told() {
        let dump = Path::new("/dump");
        let mut filter = Filter::new();
        for rule in ["/home/tmp", "- /root/tmp", "*.o", "/*/cache", "/shared/x"] {
            filter.add_rule(rule).expect("a rule");
        }
        let own = dump.join(EXCLUDE_FILE);
        filter.add_lines(own, "/another/tmp\n").expect("rules");
        filter
            .add_lines("/home/.rsync/exclude", "/hme/x\n")
            .expect("rules");
        let shared = Rule::Pattern("/shared/x".into());
        let told = of_no_tree(&filter, &["home".into()], dump, &[&shared]);
        let [first, second] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert!(
            first.contains("rule \"- /root/tmp\" matches nothing"),
            "{first}"
        );
        assert!(first.ends_with("here /home/"), "{first}");
        assert!(second.contains("/home/.rsync/exclude"), "{second}");
    }
}
