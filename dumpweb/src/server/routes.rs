//! Which address shows what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, HeaderValue, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use dumpcore::chrono::Local;
use dumpcore::{DumpId, Kind, RelPath, When};

use crate::address::{self, DumpRef, Place, Query};
use crate::page::layout::{Frame, Tab};
use crate::page::{self, assets, message};
use crate::server::answer::{elsewhere, of_type, page, refusal};
use crate::server::app::App;
use crate::server::download::{self, Sent};
use crate::server::guard::Verdict;
use crate::server::headers;
use crate::server::limits::Work;
use crate::server::progressive;
use crate::view::archive;
use crate::view::changes::DumpChanges;
use crate::view::contents::{Contents, media_of};
use crate::view::directory::{Directory, Sorting};
use crate::view::entry::{Found, last_name};
use crate::view::error::ViewError;
use crate::view::restoring::Restoring;
use crate::view::search::{SearchResult, Wanted};
use crate::view::site::Site;
use crate::view::state::RootState;
use crate::view::stop::Stop;
use crate::view::text_diff::Compared;
use crate::view::timeline::TimeLine;

/// What a handler gives.
type Answer = Result<Response, ViewError>;

/// Dumps to choose from in a list.
const CHOICE: usize = 200;

/// All addresses, guarded.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/at/{*place}", get(at))
        .route("/raw/{*place}", get(raw))
        .route("/zip/{*place}", get(zip))
        .route("/go", get(go))
        .route("/search", get(search))
        .route("/changes", get(changes))
        .route("/status", get(status))
        .fallback(nothing)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guarded))
        .merge(
            Router::new()
                .route(
                    "/style.css",
                    get(|| asset("text/css; charset=utf-8", assets::STYLE)),
                )
                .route(
                    "/page.js",
                    get(|| asset("text/javascript; charset=utf-8", assets::SCRIPT)),
                )
                .route("/icon.svg", get(|| asset("image/svg+xml", assets::ICON))),
        )
        .layer(middleware::map_response(with_headers))
        .with_state(app)
}

async fn with_headers(mut response: Response) -> Response {
    headers::add(&mut response);
    response
}

/// Lets a request in, or not.
async fn guarded(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match app
        .guard
        .judge(request.method(), request.uri(), request.headers())
    {
        Verdict::Refuse(why) => refusal(why),
        Verdict::Welcome(cookie) => {
            // By a page of our own: after a redirection from another site the
            // cookie would not be sent.
            let sentence = "The token is now in a cookie.";
            let mut response = page(
                StatusCode::OK,
                message::alone("Welcome", sentence, Some("/")),
            );
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(SET_COOKIE, cookie);
            }
            response
        }
        Verdict::Pass => {
            let _under_way = app.activity.start();
            next.run(request).await
        }
    }
}

/// The same for everybody: it needs no token.
async fn asset(media: &'static str, text: &'static str) -> Response {
    let mut response = of_type(StatusCode::OK, media, text);
    let some_time = HeaderValue::from_static("max-age=600");
    response.headers_mut().insert(CACHE_CONTROL, some_time);
    response
}

async fn nothing() -> ViewError {
    ViewError::missing("there is nothing at this address")
}

fn ok(frame: &Frame, main: &maud::Markup, aside: Option<&maud::Markup>) -> Response {
    page(StatusCode::OK, frame.page(main, aside))
}

/// The path in a dump that an address names.
fn place(uri: &Uri, what: &str) -> Result<Place, ViewError> {
    let rest = uri.path().strip_prefix(what);
    let found = rest.and_then(Place::parse);
    found.ok_or_else(|| ViewError::missing("neither a dump nor a path can have this name"))
}

/// The path that a search or a comparison is limited to.
fn below(query: &Query) -> Result<RelPath, ViewError> {
    let found = query.path("below");
    found.ok_or_else(|| ViewError::missing("no path can have this name"))
}

/// A dump that is chosen, if one is.
fn dump(query: &Query, key: &str) -> Result<Option<DumpId>, ViewError> {
    let is_chosen = query.text(key).is_some_and(|text| !text.is_empty());
    let found = is_chosen.then(|| query.dump(key).ok_or(key)).transpose();
    found.map_err(|_| ViewError::missing("no dump can have this name"))
}

/// The newest dump: its only tree, or all of them.
async fn home(State(app): State<Arc<App>>) -> Answer {
    app.read(Work::View, |site, _| {
        let Some(newest) = site.newest(&RelPath::root())? else {
            let text = format!(
                "There are no dumps at {}. Is its disk mounted? 'dumpme' makes the first dump.",
                page::text::plain(site.path().as_os_str().as_encoded_bytes())
            );
            let frame = Frame::new("dump", Tab::Files);
            return Ok(ok(&frame, &message::message("No dumps", &text), None));
        };
        let trees = site.root()?.trees(newest);
        let within = match trees.as_slice() {
            [tree] => RelPath::from_bytes(tree.as_encoded_bytes()),
            _ => RelPath::root(),
        };
        Ok(elsewhere(&address::at(newest, &within)))
    })
    .await
}

/// A path at a time.
async fn at(State(app): State<Arc<App>>, uri: Uri) -> Answer {
    let place = place(&uri, "/at/")?;
    let query = Query::parse(uri.query());
    // All of a file is read for its hash, however large it is.
    let work = match query.has("hash") {
        true => Work::Long,
        false => Work::View,
    };
    app.read(work, move |site, stop| {
        let found = Found::find(site, &place)?;
        if place.dump == DumpRef::Newest {
            return Ok(elsewhere(&address::at(found.dump, &found.within)));
        }
        match query.dump("with") {
            Some(other) if !found.is_dir() => compared(site, found, other, (&query, stop)),
            _ => shown(site, found, (&query, stop)),
        }
    })
    .await
}

fn shown(site: &Site, found: Found, (query, stop): (&Query, &Stop)) -> Answer {
    let Found {
        dump,
        within,
        entry,
    } = found;
    let frame = Frame::at(dump, &within);
    let restoring = Restoring::of(site, dump, &within);
    let line = |names| TimeLine::find(site, dump, &within, names, stop);
    let aside = |line: &TimeLine| {
        let moment = page::text::moment(dump, site.moment(dump));
        page::timeline::timeline(line, dump, &moment)
    };
    let Some(entry) = entry else {
        let line = line(0)?;
        let main = page::file::missing(dump, &within, &line);
        let text = frame.page(&main, Some(&aside(&line)));
        return Ok(page(StatusCode::NOT_FOUND, text));
    };
    if entry.meta().kind == Kind::Dir {
        let sort = Sorting::parse(query.text("sort").as_deref());
        let asked = (query.number("page").unwrap_or(0), sort);
        let listed = Directory::list(site, (dump, &within), &entry, asked)?;
        let line = line(listed.total)?;
        let main = page::directory::directory(dump, &within, &listed, &restoring);
        return Ok(ok(&frame, &main, Some(&aside(&line))));
    }
    let is_file = entry.meta().kind == Kind::File;
    let contents = is_file
        .then(|| Contents::read(&entry, query.has("hash"), stop))
        .transpose()?;
    let is_link = entry.meta().kind == Kind::Symlink;
    let target = is_link.then(|| entry.target()).transpose()?;
    let line = line(0)?;
    let shown = page::file::Entry {
        dump,
        within: &within,
        entry: &entry,
        contents: contents.as_ref(),
        target: target.as_deref(),
    };
    let main = page::file::file(shown, &line, &restoring);
    Ok(ok(&frame, &main, Some(&aside(&line))))
}

/// Two versions of a file, the older one first.
fn compared(site: &Site, found: Found, other: DumpId, (query, stop): (&Query, &Stop)) -> Answer {
    let within = found.within.clone();
    let there = Found::find(
        site,
        &Place {
            dump: DumpRef::Id(other),
            within: within.clone(),
        },
    )?;
    let (mut new, mut old) = (found.needed()?, there.needed()?);
    let calendar = site.calendar()?;
    if calendar.place(old.0) > calendar.place(new.0) {
        std::mem::swap(&mut old, &mut new);
    }
    let found = Compared::read(&old.1, &new.1, stop)?;
    let pair = page::text_diff::Pair {
        old: old.0,
        new: new.0,
        within: &within,
        is_unified: query.has("unified"),
    };
    let main = page::text_diff::text_diff(pair, &found);
    let line = TimeLine::find(site, new.0, &within, 0, stop)?;
    let moment = page::text::moment(new.0, site.moment(new.0));
    let aside = page::timeline::timeline(&line, new.0, &moment);
    Ok(ok(&Frame::at(new.0, &within), &main, Some(&aside)))
}

/// The bytes of a file.
async fn raw(State(app): State<Arc<App>>, uri: Uri, asked: HeaderMap) -> Answer {
    let place = place(&uri, "/raw/")?;
    let is_download = Query::parse(uri.query()).has("download");
    let sent = app.read(Work::View, move |site, _| {
        let (dump, entry) = Found::find(site, &place)?.needed()?;
        if entry.meta().kind != Kind::File {
            return Err(ViewError::Bad("only a file can be downloaded".to_owned()));
        }
        let mut file = entry.open()?;
        let failed = |cause| dumpcore::Fault::new(dumpcore::Op::Read, entry.path(), cause);
        let media = media_of(&mut file).map_err(failed)?;
        Ok(Sent {
            file,
            size: entry.meta().size,
            media,
            name: last_name(&place.within, dump),
            is_download,
        })
    });
    download::file(&app, sent.await?, &asked).await
}

/// A directory as an archive.
async fn zip(State(app): State<Arc<App>>, uri: Uri) -> Answer {
    let place = place(&uri, "/zip/")?;
    let (entry, name) = app
        .read(Work::View, move |site, _| {
            let (dump, entry) = Found::find(site, &place)?.needed()?;
            if entry.meta().kind != Kind::Dir {
                return Err(ViewError::Bad(
                    "only a directory becomes an archive".to_owned(),
                ));
            }
            entry.list()?;
            Ok((entry, last_name(&place.within, dump)))
        })
        .await?;
    let top = name.clone();
    download::archive(&app, &name, move |out| archive::write(&entry, &top, out)).await
}

/// To a day, or any other moment that can be typed.
async fn go(State(app): State<Arc<App>>, uri: Uri) -> Answer {
    let query = Query::parse(uri.query());
    app.read(Work::View, move |site, _| {
        let encoded = query.text("path").unwrap_or_default();
        let within = match encoded.as_str() {
            "" => RelPath::root(),
            text => {
                place(
                    &format!("/at/newest/{text}")
                        .parse()
                        .map_err(|_| unreadable())?,
                    "/at/",
                )?
                .within
            }
        };
        let text = query.text("when").unwrap_or_default();
        let now = Local::now();
        let when = site.root()?.when(&*text, now.date_naive(), &Local);
        let dump = match when.map_err(|error| ViewError::Bad(error.to_string()))? {
            When::Dump(dump) => Some(dump),
            other => {
                let at = match &other {
                    When::Date(date) => Some(date.last().last_moment()),
                    other => other.begins(&now),
                };
                let at = at.ok_or_else(unreadable)?;
                let listing = site.navigator.listing();
                let tree = crate::view::site::tree_of(&within);
                listing
                    .newest_with(tree.as_path(), ..=at)?
                    .map(DumpId::Dump)
            }
        };
        let none = || ViewError::Missing(format!("no dump is that old: {text}"));
        let dump = dump.and_then(|dump| address::published(dump.to_string().as_bytes()));
        Ok(elsewhere(&address::at(dump.ok_or_else(none)?, &within)))
    })
    .await
}

fn unreadable() -> ViewError {
    ViewError::Bad("this moment cannot be read".to_owned())
}

async fn search(State(app): State<Arc<App>>, uri: Uri) -> Answer {
    let query = Query::parse(uri.query());
    let wanted = Wanted {
        words: query.text("q").unwrap_or_default(),
        below: below(&query)?,
        deleted: query.has("deleted"),
    };
    let mut frame = Frame::new("Search", Tab::Search);
    frame.within = wanted.below.clone();
    frame.words.clone_from(&wanted.words);
    progressive::answer(&app, Work::Long, frame, move |site, stop| {
        let result = SearchResult::find(site, &wanted, stop)?;
        Ok(page::search::search(&wanted, &result))
    })
    .await
}

async fn changes(State(app): State<Arc<App>>, uri: Uri) -> Answer {
    let query = Query::parse(uri.query());
    let below = below(&query)?;
    let mut frame = Frame::new("Changes", Tab::Changes);
    frame.within = below.clone();
    progressive::answer(&app, Work::Long, frame, move |site, stop| {
        let calendar = site.calendar()?;
        let recent: Vec<DumpId> = calendar.newest_first().take(CHOICE).collect();
        let asked = (dump(&query, "a")?, dump(&query, "b")?);
        let page_number = query.number("page").unwrap_or(0);
        let found = match asked {
            (Some(old), Some(new)) => {
                let dumps = (old, new);
                Some(DumpChanges::find(site, dumps, &below, page_number, stop)?)
            }
            _ => None,
        };
        let chosen = match asked {
            (None, None) => (recent.get(1).copied(), recent.first().copied()),
            asked => asked,
        };
        Ok(page::changes::changes(
            chosen,
            &below,
            &recent,
            found.as_ref(),
        ))
    })
    .await
}

async fn status(State(app): State<Arc<App>>) -> Answer {
    let frame = Frame::new("Status", Tab::Status);
    progressive::answer(&app, Work::Long, frame, |site, _| {
        let state = RootState::find(site)?;
        Ok(page::state::state(site.path(), &state))
    })
    .await
}
