//! Mount points that the machine's configuration names: where a disk belongs,
//! whether it is there or not.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::medium::unescaped;

const FSTAB: &str = "/etc/fstab";

/// Where systemd finds units: those of an earlier folder count. The last two are
/// the distribution's, whose units count when something wants them.
const UNITS: [&str; 6] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const OF_THE_DISTRIBUTION: &str = "/lib/systemd/system";

/// Types of what holds no dumps: all of it is gone with the next boot.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "swap"];

/// A mount point, and the file that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) point: PathBuf,
    pub(crate) by: PathBuf,
}

/// All of them, but for what is in memory only. What cannot be read names none.
pub(crate) fn mount_points() -> Vec<Planned> {
    let table = fs::read(FSTAB).unwrap_or_default();
    let of_table = fstab(&table).into_iter().map(|point| Planned {
        point,
        by: FSTAB.into(),
    });
    of_table.chain(units(&UNITS.map(PathBuf::from))).collect()
}

/// `LABEL=dump /dump ext4 noatime,nofail 0 2`: the second word, in which blanks
/// are escaped.
fn fstab(table: &[u8]) -> Vec<PathBuf> {
    let mut points = Vec::new();
    for line in table.split(|byte| *byte == b'\n') {
        let words = line.split(u8::is_ascii_whitespace);
        let mut words = words.filter(|word| !word.is_empty());
        let (Some(device), Some(point)) = (words.next(), words.next()) else {
            continue;
        };
        let kind = words.next().unwrap_or_default();
        let in_memory = IN_MEMORY.iter().any(|name| name.as_bytes() == kind);
        let point = PathBuf::from(OsString::from_vec(unescaped(point)));
        if !device.starts_with(b"#") && point.is_absolute() && !in_memory {
            points.push(point);
        }
    }
    points
}

fn units(folders: &[PathBuf]) -> Vec<Planned> {
    // The first folder that has a unit says what it is.
    let mut found: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for folder in folders {
        for path in entries(folder) {
            if path.extension() == Some(OsStr::new("mount")) {
                let name = path.file_name().unwrap_or_default().to_owned();
                found.entry(name).or_insert(path);
            }
        }
    }
    let wanted = |name: &OsStr| folders.iter().any(|folder| is_wanted(folder, name));
    let mut planned = Vec::new();
    for (name, path) in found {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let offered = path
            .parent()
            .is_some_and(|folder| folder.ends_with(&OF_THE_DISTRIBUTION[1..]));
        if offered && (!wanted(&name) || text.contains("Condition")) {
            continue;
        }
        if let Some(point) = point_of_unit(&name, &text) {
            planned.push(Planned { point, by: path });
        }
    }
    planned
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

/// Does another unit pull it in?
fn is_wanted(folder: &Path, name: &OsStr) -> bool {
    let pulls = |path: &PathBuf| {
        let kind = path.extension().unwrap_or_default();
        kind == "wants" || kind == "requires"
    };
    entries(folder)
        .filter(pulls)
        .any(|pulling| pulling.join(name).symlink_metadata().is_ok())
}

/// What a unit mounts where: its `Where=`, else what its name says. Nothing for
/// one that is masked, and reads as empty, or that is in memory.
fn point_of_unit(name: &OsStr, text: &str) -> Option<PathBuf> {
    let setting = |key: &str| {
        let mut lines = text.lines().rev();
        lines.find_map(|line| {
            line.trim()
                .strip_prefix(key)?
                .trim_start()
                .strip_prefix('=')
        })
    };
    if text.trim().is_empty()
        || setting("Type").is_some_and(|kind| IN_MEMORY.contains(&kind.trim()))
    {
        return None;
    }
    let point = match setting("Where").map(str::trim) {
        Some(point) if !point.contains('%') => PathBuf::from(point.trim_matches('"')),
        _ => from_unit_name(name)?,
    };
    point.is_absolute().then_some(point)
}

/// `mnt-my\x20disk.mount` is for `/mnt/my disk`.
fn from_unit_name(name: &OsStr) -> Option<PathBuf> {
    let mut rest = name.as_bytes().strip_suffix(b".mount")?;
    let mut path = vec![b'/'];
    while let Some((first, after)) = rest.split_first() {
        let digits = after.strip_prefix(b"x").and_then(|digits| digits.get(..2));
        let digits = digits.filter(|_| *first == b'\\');
        let byte = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, first) {
            (Some(byte), _) => {
                path.push(byte);
                rest = &after[3..];
                continue;
            }
            (None, b'-') => path.push(b'/'),
            (None, other) => path.push(*other),
        }
        rest = after;
    }
    Some(PathBuf::from(OsString::from_vec(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_table_names_mount_points_with_their_blanks() {
        let table = b"# <what> <where>\n\
            LABEL=dump\t/dump  ext4 noatime,noauto 0 2\n\
            /dev/sdb1 /mnt/my\\040disk\\134x ext4\n\
            #/dev/sdc1 /mnt/old ext4\n   # /dev/sdd1 /mnt/older ext4\n\
            UUID=1 none swap sw 0 0\n/swap swap swap sw\ntmpfs /tmp tmpfs nosuid\n\
            srv:/x /net nfs x-systemd.automount\nhalf\n\n";
        let found = fstab(table);
        let expected = ["/dump", "/mnt/my disk\\x", "/net"].map(PathBuf::from);
        assert_eq!(found, expected);
    }

    #[test]
    fn units_say_where_or_are_named_after_it() {
        let point = |name: &str, text: &str| point_of_unit(OsStr::new(name), text);
        let path = |text: &str| Some(PathBuf::from(text));
        let unit = "[Mount]\nWhat=/dev/sda\n";
        assert_eq!(point("mnt-dump.mount", unit), path("/mnt/dump"));
        assert_eq!(
            point("my\\x2ddisk-a\\x20b.mount", unit),
            path("/my-disk/a b")
        );
        assert_eq!(point("-.mount", unit), path("//"));
        let where_ = format!("{unit}Where = /srv/dump\n");
        assert_eq!(point("x.mount", &where_), path("/srv/dump"));
        assert_eq!(
            point("home-u.mount", &format!("{unit}Where=%h\n")),
            path("/home/u")
        );
        assert_eq!(
            point("tmp.mount", "[Mount]\nWhere=/tmp\nType=tmpfs\n"),
            None
        );
        assert_eq!(point("masked.mount", ""), None);
    }

    #[test]
    fn the_first_folder_counts_and_what_is_only_offered_does_not() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let folders = ["etc/systemd/system", "usr/lib/systemd/system"].map(|f| dir.path().join(f));
        for folder in &folders {
            fs::create_dir_all(folder.join("local-fs.target.wants")).expect("made");
        }
        let write = |folder: usize, name: &str, text: &str| {
            fs::write(folders[folder].join(name), text).expect("written");
        };
        write(0, "own.mount", "[Mount]\nWhere=/own\n");
        write(1, "own.mount", "[Mount]\nWhere=/theirs\n");
        write(1, "offered.mount", "[Mount]\nWhere=/offered\n");
        write(1, "wanted.mount", "[Mount]\nWhere=/wanted\n");
        write(
            1,
            "perhaps.mount",
            "[Unit]\nConditionPathExists=/x\n[Mount]\nWhere=/perhaps\n",
        );
        write(1, "masked.mount", "[Mount]\nWhere=/masked\n");
        symlink("/dev/null", folders[0].join("masked.mount")).expect("linked");
        for name in ["wanted.mount", "perhaps.mount", "masked.mount"] {
            let wants = folders[0].join("local-fs.target.wants").join(name);
            symlink(folders[1].join(name), wants).expect("linked");
        }
        let found: Vec<_> = units(&folders).into_iter().map(|p| p.point).collect();
        assert_eq!(found, ["/own", "/wanted"].map(PathBuf::from));
    }
}
