//! From the options to the end: what is looked at, where it listens, until nobody
//! looks any more or a signal comes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dumpcli::exit::{Exit, Signal};
use dumpcli::failure::Failure;
use dumpcli::local_state::local_state;
use dumpcli::policies::Policies;
use dumpcli::settings::Sources;
use dumpcli::{Lookup, Lookups, screen};
use dumpcore::DumpRoot;
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
use crate::start::listen::Listener;
use crate::start::options::Options;
use crate::start::token::{self, Files};
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
        screen::print(&format!("{}\n", token::running()?))?;
        return Ok(Exit::Done);
    }
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
    let address: SocketAddr = match listener {
        Listener::Tcp(_, address) => *address,
        Listener::Unix(..) => {
            lookup.aside.remark(&format!("listening on {listener}"));
            return Ok((Guard::unix(page.host.clone()), None));
        }
    };
    let secret = token::make()?;
    let files = match token::folder() {
        Some(folder) => Some(Files::write(&folder, address, &secret)?),
        None if page.print_url => None,
        None => {
            let text = "XDG_RUNTIME_DIR names no directory of this user, where the token could be \
                        kept: use --print-url";
            return Err(Failure::Failed(text.to_owned()));
        }
    };
    if page.print_url {
        screen::print(&format!("{}\n", token::url(address, &secret)))?;
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
            let text = format!(
                "listening on {listener}; 'dumpweb --url' prints the address with its token"
            );
            lookup.aside.remark(&text);
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
