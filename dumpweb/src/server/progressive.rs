//! Pages of which the beginning is sent while the rest is still read.
//!
//! A search through years of dumps, or what differs between two that are far apart,
//! can take a second: its page has begun by then, so that one sees that it comes.
//! What is there within 40 ms comes as a whole, and has the status that it should;
//! what fails later says so in the page, of which the status was sent already. The
//! work ends early when nobody waits for it any more, before as after the beginning.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use maud::Markup;
use tokio::sync::mpsc::channel;
use tokio::task::{self, JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use crate::page::layout::{self, Frame};
use crate::page::message;
use crate::server::answer::{self, page};
use crate::server::app::App;
use crate::server::limits::Work;
use crate::view::error::ViewError;
use crate::view::site::Site;
use crate::view::stop::Stop;

/// How long a page is waited for before its beginning is sent.
const SOON: Duration = Duration::from_millis(40);

/// The beginning of a page, and its end.
const PIECES: usize = 2;

/// What is in the frame, read on a thread that may wait for the disk.
///
/// # Errors
/// What the reading has against it, if it says so soon; [`ViewError::Busy`].
pub async fn answer(
    app: &Arc<App>,
    work: Work,
    frame: Frame,
    read: impl FnOnce(&Site, &Stop) -> Result<Markup, ViewError> + Send + 'static,
) -> Result<Response, ViewError> {
    let (asked, mut reading) = app.start(work, read).await?;
    if let Ok(ended) = timeout(SOON, &mut reading).await {
        let main = found(ended)?;
        return Ok(page(StatusCode::OK, frame.page(&main, None)));
    }
    let under_way = app.activity.start();
    let (sender, receiver) = channel::<Result<Bytes, std::convert::Infallible>>(PIECES);
    let begun = sender.try_send(Ok(frame.begin(false).into()));
    debug_assert!(begun.is_ok(), "there is room for two pieces");
    task::spawn(async move {
        tokio::select! {
            rest = rest(reading) => drop(sender.send(Ok(rest.into())).await),
            () = sender.closed() => {}
        }
        drop((asked, under_way));
    });
    let body = Body::from_stream(ReceiverStream::new(receiver));
    Ok(answer::of_type(StatusCode::OK, answer::HTML, body))
}

/// The rest of a page that has begun.
async fn rest(reading: JoinHandle<Result<Markup, ViewError>>) -> String {
    let main = found(reading.await).unwrap_or_else(|error| {
        let (_, heading, sentence) = answer::told(error);
        message::message(heading, &sentence)
    });
    layout::end(&main, None)
}

/// What reading came to; a fault of ours is told as one.
fn found<T>(ended: Result<Result<T, ViewError>, JoinError>) -> Result<T, ViewError> {
    ended.unwrap_or_else(|_| Err(ViewError::Failed("this view failed".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    use dumpcore::{KeepRules, Navigator};
    use maud::html;
    use tokio_stream::StreamExt as _;

    use crate::page::layout::Tab;
    use crate::server::guard::Guard;

    fn app() -> Arc<App> {
        let site = Site::new(Navigator::new("/none"), None, KeepRules::new());
        App::new(site, Guard::unix(Vec::new()))
    }

    fn frame() -> Frame {
        Frame::new("Search", Tab::Search)
    }

    /// The whole page, of which the reading ends after the beginning was taken.
    async fn taken(
        ending: impl FnOnce() -> Result<Markup, ViewError> + Send + 'static,
    ) -> (StatusCode, String, String) {
        let (go, wait) = mpsc::channel::<()>();
        let read = move |_: &Site, _: &Stop| {
            wait.recv().expect("somebody waits");
            ending()
        };
        let answer = answer(&app(), Work::Long, frame(), read).await;
        let answer = answer.expect("it has begun");
        let status = answer.status();
        let mut body = answer.into_body().into_data_stream();
        let first = body.next().await.expect("a beginning").expect("bytes");
        go.send(()).expect("it waits");
        let mut rest = String::new();
        while let Some(piece) = body.next().await {
            rest += str::from_utf8(&piece.expect("bytes")).expect("text");
        }
        let first = String::from_utf8(first.to_vec()).expect("text");
        (status, first, rest)
    }

    #[tokio::test]
    async fn the_beginning_comes_before_the_rest_is_read() {
        let (status, first, rest) = taken(|| Ok(html! { p { "found" } })).await;
        assert_eq!(status, StatusCode::OK);
        assert!(first.contains("<title>Search</title>"), "{first}");
        let whole = frame().page(&html! { p { "found" } }, None);
        assert_eq!(first + &rest, whole);
    }

    #[tokio::test]
    async fn what_fails_late_is_said_in_the_page() {
        let failed = || Err(ViewError::Failed("the disk is gone".to_owned()));
        let (status, _, rest) = taken(failed).await;
        assert_eq!(status, StatusCode::OK, "it was sent before");
        assert!(rest.contains("the disk is gone"), "{rest}");
        assert!(rest.ends_with("</body></html>"), "{rest}");
        let (_, _, rest) = taken(|| panic!("a fault of ours")).await;
        assert!(rest.contains("this view failed"), "{rest}");
    }

    #[tokio::test]
    async fn what_is_there_soon_has_its_status() {
        let missing = |_: &Site, _: &Stop| Err(ViewError::missing("no such dump"));
        let found = answer(&app(), Work::Long, frame(), missing).await;
        let error = found.expect_err("it is told at once");
        assert_eq!(error, ViewError::missing("no such dump"));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_ends_after_the_beginning() {
        let (told, ended) = mpsc::channel();
        let app = app();
        let read = move |_: &Site, stop: &Stop| {
            while !stop.is_set() {
                std::thread::sleep(Duration::from_millis(5));
            }
            told.send(()).expect("the test waits");
            Ok(html! {})
        };
        let answer = answer(&app, Work::Long, frame(), read).await;
        let mut body = answer.expect("it has begun").into_body().into_data_stream();
        assert!(body.next().await.is_some(), "it has begun");
        drop(body);
        let ended = move || ended.recv_timeout(Duration::from_secs(60));
        let ended = task::spawn_blocking(ended).await.expect("no panic");
        assert_eq!(ended, Ok(()));
    }
}
