//! How long `dumpweb` takes to the first byte of each view, at sizes that are real.
//!
//! Two dump roots. The `home` has a tree of many files; its first, middle and last
//! dump hold all of it, the others only the directory that is looked at. The `years`
//! has many more dumps, a file with thousands of versions, a directory of a hundred
//! thousand names and a file of 10 GiB. The rows of the catalog are made as those of
//! the bench `years` are.

use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;

use crate::programs::{Programs, must_run};
use crate::years;

/// How long dumpweb takes to the first byte of each view.
#[derive(Clone, Debug, Parser)]
#[command(name = "page")]
pub struct Settings {
    /// Files of the tree of the home
    #[arg(long, default_value_t = 120_000)]
    pub files: usize,
    /// Directories of it
    #[arg(long, default_value_t = 3_000)]
    pub dirs: usize,
    /// Dumps of the home
    #[arg(long, default_value_t = 1_000)]
    pub dumps: usize,
    /// Dumps of the years
    #[arg(long, default_value_t = 26_000)]
    pub years: usize,
    /// Versions of one file of the years
    #[arg(long, default_value_t = 5_000)]
    pub versions: usize,
    /// Names in one directory of the years
    #[arg(long, default_value_t = 100_000)]
    pub names: usize,
    /// Size of one file of the years, which is a hole
    #[arg(long, default_value_t = 10 << 30)]
    pub bytes: u64,
    /// How often each view is asked for, the first time not counted
    #[arg(long, default_value_t = 9)]
    pub rounds: usize,
    /// Milliseconds before a view is asked for the first time: what dumpweb takes for
    /// fresh must not help
    #[arg(long, default_value_t = 5_500)]
    pub pause: u64,
    /// The user to run it as, when this is root
    #[arg(long, default_value = "nobody")]
    pub user: String,
    /// Directory to make it in [default: TMPDIR]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Directory of the programs to measure [default: those of this source]
    #[arg(long, value_name = "DIR")]
    pub ours: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// A view, and how long it took to the first byte of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which dump root, and what is shown of it.
    pub view: String,
    /// What HTTP said.
    pub status: u16,
    /// How many bytes came, up to a limit.
    pub bytes: u64,
    /// When it was asked for the first time.
    pub first: Duration,
    /// Afterwards, the least first.
    pub again: Vec<Duration>,
    /// Until all of it was there, the first time.
    pub whole: Duration,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |span: Duration| format!("{:.1}", span.as_secs_f64() * 1000.0);
        let at = |place: usize| self.again.get(place).copied().unwrap_or_default();
        let (middle, last) = (self.again.len() / 2, self.again.len().saturating_sub(1));
        write!(
            f,
            "| {} | {} | {} | {} | {} | {} |",
            self.view,
            self.bytes,
            ms(self.first),
            ms(at(middle)),
            ms(at(last)),
            ms(self.whole)
        )
    }
}

/// What stands above the rows.
pub const HEAD: &str = "| view | bytes | first byte, first time (ms) | again, median | again, most | \
                        whole, first time |\n| --- | --- | --- | --- | --- | --- |";

/// No more of an answer is read than this.
const READ: u64 = 1 << 30;

/// Makes both dump roots, and asks for the views.
///
/// # Errors
/// What making them reports.
///
/// # Panics
/// When a program cannot be run or fails, or a view is not shown.
pub fn measure(settings: &Settings, measured: &Path, told: &mut dyn FnMut(&Row)) -> io::Result<()> {
    let dir = settings.dir.clone().unwrap_or_else(std::env::temp_dir);
    let place = tempfile::Builder::new().prefix("page-").tempdir_in(dir)?;
    fs::set_permissions(place.path(), Permissions::from_mode(0o755))?;
    let programs = match &settings.ours {
        Some(dir) => Programs::installed(dir),
        None => Programs::link(measured, &place.path().join("programs"))?,
    };
    for (name, make) in [("home", home as Make), ("years", over_years)] {
        let root = place.path().join(name).join("dump");
        let views = make(settings, &programs, &root)?;
        let mut page = Page::serve(settings, &programs, &root)?;
        for (view, address) in views {
            let view = format!("{name}: {view}");
            told(&page.ask(settings, view, &address)?);
        }
        let mib = page.memory()? >> 10;
        page.stop()?;
        told(&Row {
            view: format!("{name}: dumpweb took at most {mib} MiB of memory"),
            status: 200,
            bytes: 0,
            first: Duration::ZERO,
            again: Vec::new(),
            whole: Duration::ZERO,
        });
    }
    Ok(())
}

/// What each view is called, and its address.
type Views = Vec<(String, String)>;

type Make = fn(&Settings, &Programs, &Path) -> io::Result<Views>;

/// The directories of all that stays as it was have this time.
fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

fn made(
    settings: &Settings,
    programs: &Programs,
    root: &Path,
    dumps: usize,
) -> io::Result<Vec<String>> {
    let rows = rows(settings, dumps);
    let names = years::make(&rows, programs, root)?;
    if rustix::process::geteuid().is_root() {
        // The catalog is for those who may read everything.
        must_run(
            Command::new("chown")
                .arg("-R")
                .arg(&settings.user)
                .arg(root.join(".dump")),
        );
    }
    Ok(names)
}

fn rows(settings: &Settings, dumps: usize) -> years::Settings {
    let mut rows = years::Settings::parse_from(["years"]);
    (rows.dumps, rows.files, rows.dirs) = (dumps, settings.files, settings.dirs);
    rows
}

/// A tree of many files, and dumps of it.
fn home(settings: &Settings, programs: &Programs, root: &Path) -> io::Result<Views> {
    let rows = rows(settings, settings.dumps);
    let names = made(settings, programs, root, settings.dumps)?;
    let (middle, last) = (names.len() / 2, names.len() - 1);
    let tree = |at: usize| root.join(&names[at]).join("tree");
    let mut dirs = vec![PathBuf::new(), PathBuf::new()];
    for at in 2..=settings.dirs {
        let (above, name) = years::directory(at);
        dirs.push(dirs[above].join(name));
    }
    let whole = [0, middle, last];
    for at in whole {
        dirs.iter()
            .try_for_each(|dir| fs::create_dir_all(tree(at).join(dir)))?;
    }
    let shown = &dirs[2.min(dirs.len() - 1)];
    for at in 0..settings.files {
        let (dir, name) = years::file(&rows, at);
        let path = dirs[dir].join(name);
        fs::write(tree(0).join(&path), format!("chapter {at}\n"))?;
        let links = |to: usize| to == middle || to == last || (&dirs[dir] == shown && to > 0);
        for to in (0..names.len()).filter(|to| links(*to)) {
            fs::create_dir_all(tree(to).join(&dirs[dir]))?;
            fs::hard_link(tree(0).join(&path), tree(to).join(&path))?;
        }
    }
    for at in 0..names.len() {
        File::open(tree(at).join(shown))?.set_modified(long_ago())?;
        File::open(tree(at))?.set_modified(long_ago())?;
    }
    let file = (0..settings.files).find(|at| &dirs[years::file(&rows, *at).0] == shown);
    let file = shown.join(years::file(&rows, file.unwrap_or_default()).1);
    Ok(home_views(&names, shown, &file))
}

fn home_views(names: &[String], shown: &Path, file: &Path) -> Views {
    let (first, middle, last) = (&names[0], &names[names.len() / 2], &names[names.len() - 1]);
    let before = &names[names.len() / 2 - 1];
    let at = |what: &str, dump: &str, path: &Path| {
        format!("/{what}/{dump}/tree/{}", path.display()).replace(' ', "%20")
    };
    let top = Path::new("");
    let views = [
        ("the first page", "/".to_owned()),
        ("the tree, newest", at("at", last, top)),
        ("the tree, older", at("at", middle, top)),
        ("a directory, newest", at("at", last, shown)),
        ("a directory, older", at("at", middle, shown)),
        ("a file", at("at", middle, file)),
        ("a download", at("raw", middle, file)),
        ("a directory as ZIP", at("zip", middle, shown)),
        ("the tree as ZIP", at("zip", last, top)),
        ("search, by name", "/search?q=chapter+11".to_owned()),
        ("search, by pattern", "/search?q=*7.tex".to_owned()),
        (
            "search, what is deleted",
            "/search?q=chapter&deleted=1".to_owned(),
        ),
        ("search, nothing found", "/search?q=nowhere".to_owned()),
        (
            "changes, an hour",
            format!("/changes?a={before}&b={middle}"),
        ),
        (
            "changes, first to last",
            format!("/changes?a={first}&b={last}"),
        ),
        ("status", "/status".to_owned()),
    ];
    views
        .map(|(view, address)| (view.to_owned(), address))
        .into()
}

/// Dumps of years, with few files in them but large ones.
fn over_years(settings: &Settings, programs: &Programs, root: &Path) -> io::Result<Views> {
    let names = made(settings, programs, root, settings.years)?;
    let (first, last) = (&names[0], &names[names.len() - 1]);
    let tree = |name: &str| root.join(name).join("tree");
    let each = names.len().div_ceil(settings.versions.max(1)).max(1);
    for (at, name) in names.iter().enumerate() {
        let dir = tree(name).join("often");
        fs::create_dir(&dir)?;
        let since = at - at % each;
        match since == at {
            true => fs::write(dir.join("file"), format!("version {at}\n"))?,
            false => fs::hard_link(tree(&names[since]).join("often/file"), dir.join("file"))?,
        }
        for dir in [dir, tree(name)] {
            File::open(dir)?.set_modified(long_ago())?;
        }
    }
    for name in [first, last] {
        fs::create_dir(tree(name).join("wide"))?;
        let file = File::create(tree(name).join("large"))?;
        file.set_len(settings.bytes)?;
        file.set_modified(long_ago() + Duration::from_secs(name.len() as u64))?;
    }
    // Another time, and the same size: whether it changed only reading would tell.
    File::open(tree(last).join("large"))?.set_modified(SystemTime::now())?;
    for at in 0..settings.names {
        let path = format!("wide/picture {at}.jpg");
        fs::write(tree(first).join(&path), "")?;
        fs::hard_link(tree(first).join(&path), tree(last).join(&path))?;
    }
    Ok(years_views(&names, settings.names / 500 / 2))
}

fn years_views(names: &[String], pages: usize) -> Views {
    let (first, last) = (&names[0], &names[names.len() - 1]);
    let middle = &names[names.len() / 2];
    let views = [
        ("the time line, newest", format!("/at/{last}/tree/often")),
        (
            "the time line, in the middle",
            format!("/at/{middle}/tree/often"),
        ),
        (
            "a file of many versions",
            format!("/at/{middle}/tree/often/file"),
        ),
        (
            "two of its versions",
            format!("/at/{middle}/tree/often/file?with={first}"),
        ),
        ("a directory of many names", format!("/at/{last}/tree/wide")),
        ("the same, years ago", format!("/at/{first}/tree/wide")),
        (
            "the same, a page further on",
            format!("/at/{first}/tree/wide?page={pages}"),
        ),
        ("the same, as ZIP", format!("/zip/{last}/tree/wide")),
        ("a large file", format!("/at/{last}/tree/large")),
        (
            "two of its versions, large",
            format!("/at/{last}/tree/large?with={first}"),
        ),
        (
            "its first GiB",
            format!("/raw/{last}/tree/large?download=1"),
        ),
        (
            "changes, first to last",
            format!("/changes?a={first}&b={last}"),
        ),
        ("search, by name", "/search?q=chapter+11".to_owned()),
        ("status", "/status".to_owned()),
    ];
    views
        .map(|(view, address)| (view.to_owned(), address))
        .into()
}

/// A `dumpweb` that runs.
struct Page {
    child: Child,
    address: SocketAddr,
    token: String,
}

impl Page {
    fn serve(settings: &Settings, programs: &Programs, root: &Path) -> io::Result<Self> {
        let mut command = programs.dumpweb(&root.with_file_name("tree"), root);
        command.args(["--no-open", "--print-url", "--end-after", "0"]);
        if rustix::process::geteuid().is_root() {
            command.arg("--user").arg(&settings.user);
        }
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let rest = line.trim().strip_prefix("http://");
        let given = rest.and_then(|rest| rest.split_once("/?token="));
        let given = given.and_then(|(address, token)| Some((address.parse().ok()?, token)));
        let (address, token) = given.ok_or_else(|| io::Error::other("dumpweb does not start"))?;
        Ok(Self {
            child,
            address,
            token: token.to_owned(),
        })
    }

    /// The most memory that it had, in KiB.
    fn memory(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        Ok(number.unwrap_or_default())
    }

    fn stop(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    fn ask(&mut self, settings: &Settings, view: String, address: &str) -> io::Result<Row> {
        sleep(Duration::from_millis(settings.pause));
        let (status, bytes, first, whole) = self.get(address, READ)?;
        assert!(matches!(status, 200 | 303), "{view}: {status}");
        let mut again = Vec::new();
        for _ in 0..settings.rounds {
            again.push(self.get(address, 1 << 20)?.2);
        }
        again.sort();
        Ok(Row {
            view,
            status,
            bytes,
            first,
            again,
            whole,
        })
    }

    /// The status; how many bytes came; and when the first and the last of them did.
    fn get(&self, address: &str, most: u64) -> io::Result<(u16, u64, Duration, Duration)> {
        let (port, token) = (self.address.port(), &self.token);
        let began = Instant::now();
        let mut stream = TcpStream::connect(self.address)?;
        let head = format!(
            "GET {address} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
             Cookie: dumpweb-{port}={token}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        let mut buffer = vec![0; 128 << 10];
        let mut bytes = stream.read(&mut buffer)? as u64;
        let first = began.elapsed();
        let status = String::from_utf8_lossy(buffer.get(9..12).unwrap_or_default()).parse();
        while bytes < most {
            match stream.read(&mut buffer)? {
                0 => break,
                got => bytes += got as u64,
            }
        }
        Ok((status.unwrap_or_default(), bytes, first, began.elapsed()))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
