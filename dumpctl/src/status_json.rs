//! The state of dump roots for machines: one object, or metrics.

use std::path::Path;

use dumpcli::exit::Exit;
use dumpcli::json;
use dumpcli::metrics::Metrics;
use dumpcore::TreeStatus;
use dumpcore::chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::desk;
use crate::dumps;
use crate::status_found::{Away, Found, WORD, advice, needing_attention};

/// A metric of each dump root: its name, and what it is.
const ATTENTION: (&str, &str) = (
    "dump_attention",
    "How many things need attention: see dumpctl status.",
);

/// One object with all that is known.
pub(crate) fn object(all: &[Found<'_>], away: &[Away], exit: Exit) -> Map<String, Value> {
    let mut object = desk::head(WORD, exit);
    let attention = needing_attention(all, away).map(|(attention, root)| {
        let mut object = Map::new();
        object.insert("what".into(), attention.as_str().into());
        object.insert("text".into(), attention.to_string().into());
        object.insert("advice".into(), advice(attention, &root).into());
        json::put_path(&mut object, "dump_root", Some(&root));
        Value::Object(object)
    });
    object.insert("attention".into(), attention.collect());
    object.insert("roots".into(), all.iter().map(Found::object).collect());
    object
}

impl Found<'_> {
    fn object(&self) -> Value {
        let mut object = Map::new();
        let status = &self.status;
        json::put_path(&mut object, "dump_root", Some(&self.root()));
        let trees = status.trees.iter().map(|tree| self.tree(tree));
        object.insert("trees".into(), trees.collect());
        let checkpoint = status.checkpoint.map(|checkpoint| {
            let mut object = Map::new();
            object.insert("name".into(), checkpoint.dump.to_string().into());
            self.put_moment(&mut object, Some(checkpoint.moment));
            object.insert("linked".into(), checkpoint.is_linked.into());
            Value::Object(object)
        });
        object.insert("checkpoint".into(), checkpoint.into());
        let replicas = self.replicas.iter().map(|replica| {
            let mut object = Map::new();
            json::put_path(&mut object, "dump_root", Some(&replica.root));
            let newest = replica.newest.as_ref();
            let name = newest.map(|newest| newest.name.to_string());
            object.insert("name".into(), name.into());
            self.put_moment(&mut object, newest.map(|newest| newest.moment));
            Value::Object(object)
        });
        object.insert("replicas".into(), replicas.collect());
        let room = &status.room;
        for (key, number) in [
            ("free_bytes", room.free_bytes),
            ("total_bytes", room.total_bytes),
            ("free_inodes", room.free_inodes),
            ("dump_bytes", room.dump_bytes),
            ("dump_inodes", room.dump_inodes),
            ("more_dumps", room.more.map(|more| more.number)),
            ("settled_dumps", room.settled_dumps),
            ("settled_bytes", room.settled_bytes),
            ("checkpoint_bytes", room.checkpoint_bytes),
        ] {
            object.insert(key.into(), number.into());
        }
        let ends = room.more.map(|more| more.ends.as_str());
        object.insert("ends".into(), ends.into());
        let leftovers = status.leftovers.iter().map(|leftover| {
            let mut object = Map::new();
            object.insert("name".into(), leftover.dump.to_string().into());
            self.put_moment(&mut object, Some(leftover.since));
            Value::Object(object)
        });
        object.insert("leftovers".into(), leftovers.collect());
        object.insert("scrub".into(), self.scrub());
        Value::Object(object)
    }

    fn scrub(&self) -> Value {
        let Some(scrub) = self.status.scrub else {
            return Value::Null;
        };
        let mut object = Map::new();
        self.put_moment(&mut object, scrub.last);
        let whole = scrub.whole.map_or(Value::Null, dumps::time);
        object.insert("whole".into(), whole);
        object.insert("damaged".into(), scrub.damaged.into());
        object.insert("names".into(), scrub.names.into());
        Value::Object(object)
    }

    fn tree(&self, tree: &TreeStatus) -> Value {
        let mut object = Map::new();
        json::put_path(&mut object, "tree", Some(Path::new(&tree.name)));
        object.insert("dumps".into(), tree.dumps.into());
        object.insert("since".into(), tree.since.map_or(Value::Null, dumps::time));
        let newest = tree.newest.map(|newest| newest.to_string());
        object.insert("name".into(), newest.into());
        self.put_moment(&mut object, tree.moment);
        object.insert("partial".into(), tree.lacks.is_some().into());
        let lacks = tree.lacks.and_then(dumpcore::Lacking::number);
        object.insert("lacks".into(), lacks.into());
        Value::Object(object)
    }

    fn put_moment(&self, object: &mut Map<String, Value>, moment: Option<DateTime<Utc>>) {
        let age = moment.map(|moment| (self.status.now - moment).num_seconds());
        object.insert("time".into(), moment.map_or(Value::Null, dumps::time));
        object.insert("age_seconds".into(), age.into());
    }
}

/// Metrics in the text format of Prometheus.
pub(crate) fn metrics(all: &[Found<'_>], away: &[Away]) -> String {
    let mut metrics = Metrics::default();
    for away in away {
        let labels = [("dump", away.root.as_os_str())];
        metrics.gauge(ATTENTION.0, ATTENTION.1, &labels, 1);
    }
    for found in all {
        let root = found.root();
        let status = &found.status;
        for tree in &status.trees {
            let labels = [("dump", root.as_os_str()), ("tree", &tree.name)];
            if let Some(moment) = tree.moment {
                let age = (status.now - moment).num_seconds();
                metrics.newest(&labels, moment.timestamp(), age.max(0));
            }
            let help = "How many dumps hold the tree.";
            metrics.gauge("dump_dumps", help, &labels, tree.dumps);
        }
        let labels = [("dump", root.as_os_str())];
        for (name, help, value) in [
            (
                "dump_free_bytes",
                "Bytes that are free on the dump disk.",
                status.room.free_bytes,
            ),
            (
                "dump_free_inodes",
                "Inodes that are free on the dump disk.",
                status.room.free_inodes,
            ),
            (
                "dump_more_dumps",
                "For how many more dumps there is room.",
                status.room.more.map(|more| more.number),
            ),
            (
                "dump_damaged",
                "How many files and names a scrub has found damaged.",
                status.scrub.map(|scrub| scrub.damaged + scrub.names),
            ),
            (
                ATTENTION.0,
                ATTENTION.1,
                u64::try_from(found.attention.len()).ok(),
            ),
        ] {
            if let Some(value) = value {
                metrics.gauge(name, help, &labels, value);
            }
        }
    }
    metrics.text()
}
