//! Files and archives as they are sent: piece by piece, never as a whole in
//! memory, at the pace of the one who takes them.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderValue,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task;
use tokio_stream::wrappers::ReceiverStream;

use crate::address::encoded_path;
use crate::server::app::App;
use crate::server::headers;
use crate::server::limits::{STALLED, Work};
use crate::view::contents::{Media, Shown};
use crate::view::error::ViewError;

/// Pieces that are read ahead of the one who takes them.
const AHEAD: usize = 4;

/// The size of a piece, in bytes.
const PIECE: usize = 128 << 10;

/// A file that is sent.
#[derive(Debug)]
pub struct Sent {
    /// The file.
    pub file: File,
    /// Its size in bytes.
    pub size: u64,
    /// What it is.
    pub media: Media,
    /// Its name.
    pub name: Vec<u8>,
    /// To be saved, whatever it is?
    pub is_download: bool,
}

/// Sends a file, or the part of it that is asked for.
///
/// # Errors
/// [`ViewError::Busy`].
pub async fn file(app: &Arc<App>, sent: Sent, asked: &HeaderMap) -> Result<Response, ViewError> {
    let is_shown = !sent.is_download && sent.media.is_shown(sent.size);
    let part = part(asked, sent.size);
    let (status, range) = match part {
        Part::All => (StatusCode::OK, 0..sent.size),
        Part::Of(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::Beyond => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            put(
                &mut response,
                CONTENT_RANGE,
                &format!("bytes */{}", sent.size),
            );
            return Ok(response);
        }
    };
    let mut file = sent.file;
    let asked = range.clone();
    let body = stream(app, move |out| {
        file.seek(SeekFrom::Start(asked.start))?;
        io::copy(&mut file.take(asked.end - asked.start), out).map(drop)
    })
    .await?;
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {}-{}/{}", range.start, range.end - 1, sent.size);
        put(&mut response, CONTENT_RANGE, &text);
    }
    put(
        &mut response,
        CONTENT_LENGTH,
        &(range.end - range.start).to_string(),
    );
    put(&mut response, ACCEPT_RANGES, "bytes");
    let media = if is_shown {
        sent.media.name
    } else {
        "application/octet-stream"
    };
    put(&mut response, CONTENT_TYPE, media);
    put(
        &mut response,
        CONTENT_DISPOSITION,
        &disposition(is_shown, &sent.name),
    );
    let policy = match sent.media.shown {
        Some(Shown::Pdf) if is_shown => headers::OF_DOCUMENTS,
        _ => headers::OF_CONTENTS,
    };
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// Sends an archive that is written meanwhile.
///
/// # Errors
/// [`ViewError::Busy`].
pub async fn archive(
    app: &Arc<App>,
    name: &[u8],
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Result<Response, ViewError> {
    let body = stream(app, write).await?;
    let mut response = Response::new(body);
    put(&mut response, CONTENT_TYPE, "application/zip");
    let name = [name, b".zip"].concat();
    put(
        &mut response,
        CONTENT_DISPOSITION,
        &disposition(false, &name),
    );
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, headers::OF_CONTENTS);
    Ok(response)
}

/// What is written on a thread of its own comes out as the body of an answer.
async fn stream(
    app: &Arc<App>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Result<Body, ViewError> {
    let turn = app.limits.turn(Work::Download).await?;
    let under_way = app.activity.start();
    let (sender, receiver) = channel(AHEAD);
    task::spawn_blocking(move || {
        pour(sender, STALLED, write);
        drop((turn, under_way));
    });
    Ok(Body::from_stream(ReceiverStream::new(receiver)))
}

/// Writes into a body. What ends early, or panics, must not look whole: the
/// connection is broken off then.
fn pour(
    sender: Sender<io::Result<Bytes>>,
    patience: Duration,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) {
    let mut out = Pieces {
        sender,
        patience,
        piece: Vec::with_capacity(PIECE),
    };
    let whole = || write(&mut out).and_then(|()| out.flush());
    let written = panic::catch_unwind(AssertUnwindSafe(whole));
    let written = written.unwrap_or_else(|_| Err(io::Error::other("it ended too early")));
    if let Err(cause) = written {
        let _ = out.send(Err(cause));
    }
}

/// Collects what is written into pieces.
struct Pieces {
    sender: Sender<io::Result<Bytes>>,
    patience: Duration,
    piece: Vec<u8>,
}

impl Pieces {
    /// Waits until there is room for it.
    fn send(&self, piece: io::Result<Bytes>) -> io::Result<()> {
        let sent = Handle::current().block_on(self.sender.send_timeout(piece, self.patience));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.send(Ok(piece.into()))
    }
}

fn put(response: &mut Response, name: axum::http::HeaderName, value: &str) {
    // What is put is ASCII.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Shown or saved, under which name: in ASCII for old programs, then as it is.
fn disposition(is_shown: bool, name: &[u8]) -> String {
    let how = if is_shown { "inline" } else { "attachment" };
    let plain = |byte: &u8| match byte {
        b' '..=b'~' if !b"\"\\%/".contains(byte) => char::from(*byte),
        _ => '_',
    };
    let ascii: String = name.iter().map(plain).collect();
    let whole = encoded_path(String::from_utf8_lossy(name).as_bytes());
    format!("{how}; filename=\"{ascii}\"; filename*=UTF-8''{whole}")
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    All,
    Of(Range<u64>),
    /// What is asked for is beyond its end.
    Beyond,
}

/// The part that is asked for. Anything but a single range counts as all.
fn part(asked: &HeaderMap, size: u64) -> Part {
    if asked.contains_key("if-range") {
        return Part::All;
    }
    let text = asked.get("range").and_then(|value| value.to_str().ok());
    let Some((from, to)) = text
        .and_then(|text| text.strip_prefix("bytes="))
        .and_then(|text| text.split_once('-'))
    else {
        return Part::All;
    };
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..to.saturating_add(1).min(size),
        (Ok(from), Err(_)) if to.is_empty() => from..size,
        (Err(_), Ok(last)) if from.is_empty() => size.saturating_sub(last)..size,
        _ => return Part::All,
    };
    match range.is_empty() {
        true => Part::Beyond,
        false => Part::Of(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_of_the_file() {
        for (text, expected) in [
            ("bytes=0-9", Part::Of(0..10)),
            ("bytes=5-", Part::Of(5..100)),
            ("bytes=-5", Part::Of(95..100)),
            ("bytes=-500", Part::Of(0..100)),
            ("bytes=90-500", Part::Of(90..100)),
            ("bytes=100-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=9-5", Part::All),
            ("bytes=0-1,3-4", Part::All),
            ("lines=0-1", Part::All),
            ("bytes=18446744073709551615-", Part::Beyond),
            ("bytes=0-18446744073709551615", Part::Of(0..100)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("range", HeaderValue::from_static(text));
            assert_eq!(part(&headers, 100), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn who_takes_nothing_is_not_waited_for() {
        let (sender, _receiver) = channel(AHEAD);
        let began = std::time::Instant::now();
        let written = task::spawn_blocking(move || {
            let mut written = 0;
            pour(sender, Duration::from_millis(100), |out| {
                loop {
                    out.write_all(&[0; PIECE])?;
                    written += 1;
                }
            });
            written
        });
        assert_eq!(written.await.expect("it ended"), AHEAD);
        assert!(began.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn what_ends_early_does_not_look_whole() {
        type Writing = fn(&mut dyn Write) -> io::Result<()>;
        let cases: [(Writing, bool); 3] = [
            (|out| out.write_all(b"all of it"), true),
            (|_| Err(io::Error::other("no disk")), false),
            (|_| panic!("a fault of ours"), false),
        ];
        for (write, is_whole) in cases {
            let (sender, mut receiver) = channel(AHEAD);
            let poured = task::spawn_blocking(move || pour(sender, STALLED, write));
            let mut last = receiver.recv().await.expect("something comes");
            while let Some(next) = receiver.recv().await {
                last = next;
            }
            poured.await.expect("it ended");
            assert_eq!(last.is_ok(), is_whole);
        }
    }

    #[test]
    fn a_name_cannot_forge_a_header() {
        let found = disposition(false, b"a\"\r\nSet-Cookie: x\xff; b");
        assert_eq!(
            found,
            "attachment; filename=\"a___Set-Cookie: x_; b\"; \
             filename*=UTF-8''a%22%0D%0ASet-Cookie%3A%20x%EF%BF%BD%3B%20b"
        );
        assert!(disposition(true, b"x.png").starts_with("inline; "));
    }
}
