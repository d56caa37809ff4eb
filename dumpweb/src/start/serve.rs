//! From the options to the end: what is looked at, where it listens, until nobody
//! looks any more or a signal comes.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dumpcli::exit::{Exit, Signal};
use dumpcli::failure::Failure;
use dumpcli::local_state::local_state;
use dumpcli::policies::Policies;
use dumpcli::settings::Sources;
use dumpcli::{Lookup, Lookups, screen};
use dumpcore::{DumpRoot, Printable};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::program::PROGRAM;
use crate::server::app::App;
use crate::server::connections::{self, Patience};
use crate::server::guard::Guard;
use crate::server::limits::{Activity, THREADS};
use crate::server::peer::OwnUser;
use crate::server::routes::router;
use crate::start::desktop::{self, is_from_a_menu};
use crate::start::listen::Listener;
use crate::start::options::Options;
use crate::start::running::{self, Files, Running};
use crate::start::token;
use crate::start::user::become_user;
use crate::view::site::Site;

/// How long what is being sent may still take when a signal comes.
const GRACE: Duration = Duration::from_secs(2);

/// How often it is asked whether anybody looks.
const ASKED: Duration = Duration::from_millis(500);

/// The program, from its options to its exit code.
///
/// # Errors
/// It cannot listen, or there is nothing to show.
pub(crate) fn run(options: &Options) -> Result<Exit, Failure> {
    if options.page.url {
        return tell_urls(options);
    }
    let served = run_page(options);
    if let (Err(failure), Some(folder)) = (&served, token::folder())
        && options.opens_browser()
        && is_from_a_menu()
    {
        desktop::show(&folder, failure);
    }
    served
}

/// Prints the addresses of those that run, of the dump root that is asked for.
fn tell_urls(options: &Options) -> Result<Exit, Failure> {
    let mut all = token::folder().map_or_else(Vec::new, |folder| Running::all(&folder));
    if let Some(root) = &options.places.dump {
        let root = whole(root);
        all.retain(|one| one.root == root);
    }
    if all.is_empty() {
        let text = "no dumpweb of this user runs here: start one";
        return Err(Failure::Failed(text.to_owned()));
    }
    if all.len() > 1 && !options.notices.quiet {
        for one in &all {
            let root = Printable::path(&one.root);
            screen::remark(PROGRAM.name, &format!("{} shows {root}", one.address));
        }
    }
    let lines: String = all.iter().map(|one| one.url() + "\n").collect();
    screen::print(&lines)?;
    Ok(Exit::Done)
}

/// A path without symlinks, so that two can be compared.
fn whole(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Opens the browser with the one that shows this dump root already, where nothing but
/// that was asked for.
fn open_running(options: &Options, lookup: &Lookup) -> Option<Exit> {
    if !options.is_plain() {
        return None;
    }
    let root = whole(&lookup.dump);
    let mut all = Running::all(&token::folder()?).into_iter();
    let one = all.find(|one| one.root == root)?;
    // Where no browser opens, this one runs as it would have without the other.
    one.open().ok()?;
    let (address, root) = (one.address, Printable::path(&root));
    let text = format!("opened http://{address}/, which shows {root} already");
    lookup.aside.notice(&text);
    Some(Exit::Done)
}

/// From the options to the end.
fn run_page(options: &Options) -> Result<Exit, Failure> {
    if !options.places.print_config {
        become_user(options.page.user.as_deref())?;
    }
    // Sockets and tokens are for this user alone.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    // A socket of systemd is closed for good when what it starts fails some times. The
    // disk of the dumps may be mounted later: each view says when it is not there.
    let may_be_missing = Listener::is_given();
    let find = match may_be_missing {
        true => Lookups::find_missing,
        false => Lookups::find,
    };
    let lookups = find(PROGRAM, &options.places, options.notices, false)?;
    let Some(lookups) = lookups else {
        return Ok(Exit::Done);
    };
    let lookup = lookups.chosen()?;
    if !may_be_missing {
        DumpRoot::open(&lookup.dump)?;
    }
    if !may_be_missing && let Some(done) = open_running(options, lookup) {
        return Ok(done);
    }
    let site = site(options, lookup)?;
    let listener = Listener::open(options.page.listen.as_ref())?;
    let (guard, _files) = introduce(options, lookup, &listener)?;
    let app = App::new(site, guard);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS)
        .build()
        .map_err(|cause| failed(&cause))?;
    let ended = serve(&runtime, app, &listener, options.page.end_after);
    // A thread that reads from a disk which does not answer is not waited for.
    runtime.shutdown_timeout(GRACE);
    if matches!(ended, Ok(Exit::Done)) {
        let span = humantime::format_duration(options.page.end_after);
        let text = format!("ended: nobody has looked for {span}");
        lookup.aside.notice(&text);
    }
    ended.map_err(|cause| failed(&cause))
}

fn failed(cause: &io::Error) -> Failure {
    Failure::Failed(format!("cannot serve the page: {cause}"))
}

/// What is looked at.
fn site(options: &Options, lookup: &Lookup) -> Result<Site, Failure> {
    let places = &options.places;
    let sources = Sources::load(PROGRAM, &places.configuration)?;
    let chosen = (&sources, places.main.as_slice());
    let policies = Policies::of_dump_root(PROGRAM, &places.configuration, chosen, &lookup.dump)?;
    Ok(Site::new(
        lookup.navigator.clone(),
        local_state(),
        policies.rules(),
    ))
}

/// Says where it is reached, and lets in who may know.
fn introduce(
    options: &Options,
    lookup: &Lookup,
    listener: &Listener,
) -> Result<(Guard, Option<Files>), Failure> {
    let page = &options.page;
    let shows = format!("showing {} on {listener}", Printable::path(&lookup.dump));
    let address: SocketAddr = match listener {
        Listener::Tcp(_, address) => *address,
        Listener::Unix(..) => {
            lookup.aside.notice(&shows);
            return Ok((Guard::unix(page.host.clone()), None));
        }
    };
    let secret = token::make()?;
    let files = match token::folder() {
        Some(folder) => {
            let root = whole(&lookup.dump);
            Some(Files::write(&folder, address, &secret, &root)?)
        }
        None if page.print_url => None,
        None => {
            let text = "XDG_RUNTIME_DIR names no directory of this user, where the token could be \
                        kept: use --print-url";
            return Err(Failure::Failed(text.to_owned()));
        }
    };
    if page.print_url {
        screen::print(&format!("{}\n", running::url(address, &secret)))?;
    }
    let opened = files.as_ref().filter(|_| !page.no_open).map(Files::open);
    match opened {
        Some(Err(cause)) => {
            let text = format!(
                "cannot open a browser: xdg-open: {cause}; 'dumpweb --url' prints the address"
            );
            lookup.aside.warning(&text);
        }
        _ if !page.print_url => {
            let text = format!("{shows}; 'dumpweb --url' prints the address with its token");
            lookup.aside.notice(&text);
        }
        _ => {}
    }
    let mut hosts = page.host.clone();
    // Not all of this machine's own addresses are 127.0.0.1.
    hosts.push(address.ip().to_string());
    Ok((Guard::tcp(secret, address.port(), hosts), files))
}

/// Why it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Idle,
    Signal(Signal),
}

/// Answers until it ends.
fn serve(
    runtime: &Runtime,
    app: Arc<App>,
    listener: &Listener,
    end_after: Duration,
) -> io::Result<Exit> {
    runtime.block_on(async {
        let activity = Arc::clone(&app.activity);
        let (sender, mut receiver) = watch::channel(None);
        let end = end(&activity, end_after)?;
        let ending = async move {
            let why = end.await;
            let _ = sender.send(Some(why));
        };
        let mut told = receiver.clone();
        let asked_to_end = async move {
            ending.await;
        };
        let (router, patience) = (router(app), Patience::default());
        let serving = async {
            match listener {
                Listener::Tcp(listener, _) => {
                    let listener = TcpListener::from_std(listener.try_clone()?)?;
                    let listener = OwnUser::new(listener, nix::unistd::geteuid().as_raw())?;
                    connections::serve(listener, router, patience, asked_to_end).await;
                }
                Listener::Unix(listener, _) => {
                    let listener = UnixListener::from_std(listener.try_clone()?)?;
                    connections::serve(listener, router, patience, asked_to_end).await;
                }
            }
            io::Result::Ok(())
        };
        let late = async {
            let _ = told.wait_for(Option::is_some).await;
            sleep(GRACE).await;
        };
        tokio::select! {
            served = serving => served?,
            () = late => {}
        }
        Ok(match *receiver.borrow_and_update() {
            Some(End::Signal(signal)) => Exit::Stopped(signal),
            _ => Exit::Done,
        })
    })
}

/// Waits for a signal, or until nobody looks any more.
fn end(activity: &Arc<Activity>, after: Duration) -> io::Result<impl Future<Output = End> + use<>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let activity = Arc::clone(activity);
    Ok(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => return End::Signal(Signal::Interrupt),
                _ = terminate.recv() => return End::Signal(Signal::Terminate),
                _ = hangup.recv() => return End::Signal(Signal::Terminate),
                _ = timeout(ASKED, std::future::pending::<()>()) => {}
            }
            if !after.is_zero() && activity.idle() >= after {
                return End::Idle;
            }
        }
    })
}
