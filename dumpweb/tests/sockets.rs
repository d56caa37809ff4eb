//! Those who open connections and ask for nothing, take nothing, or leave: nobody else
//! waits for them. Over real sockets; nothing has to be quick.

mod common;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assert_fs::TempDir;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::get;
use common::Ground;
use dumpweb::server::app::App;
use dumpweb::server::connections::{Patience, serve};
use dumpweb::server::guard::Guard;
use dumpweb::server::limits::Work;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// As long as nobody has to wait for something that never comes.
const LONG: Duration = Duration::from_secs(3600);

/// Soon enough for a test.
const SOON: Duration = Duration::from_millis(100);

const REQUEST: &[u8] = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n";

struct Served {
    dir: TempDir,
    end: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Served {
    fn new(router: Router, patience: Patience) -> Self {
        let dir = TempDir::new().expect("a directory");
        let listener = UnixListener::bind(dir.path().join("sock")).expect("bound");
        let (end, ended) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, router, patience, async {
            let _ = ended.await;
        }));
        Self { dir, end, serving }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path()).await.expect("connected")
    }

    async fn end(self) {
        let _ = self.end.send(());
        self.serving.await.expect("ended");
    }
}

fn page() -> Router {
    Router::new().route("/page", get(|| async { "a page" }))
}

fn patience(connections: usize, to_ask: Duration, to_take: Duration) -> Patience {
    Patience {
        connections,
        to_ask,
        to_take,
    }
}

/// Reads until the answer is there.
async fn answered(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"a page") {
        let got = stream.read_buf(&mut text).await.expect("read");
        assert!(got > 0, "{}", String::from_utf8_lossy(&text));
    }
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn who_does_not_ask_is_not_waited_for() {
    let served = Served::new(page(), patience(8, SOON, LONG));
    for sent in [
        &b""[..],
        b"GET /page HTTP/1.1\r\nHo",
        // Asks once, and then for nothing more.
        REQUEST,
    ] {
        let mut stream = served.connect().await;
        stream.write_all(sent).await.expect("sent");
        let mut text = Vec::new();
        // It ends, which is what is tested.
        stream.read_to_end(&mut text).await.expect("read");
        assert_eq!(text.ends_with(b"a page"), sent == REQUEST);
    }
    served.end().await;
}

#[tokio::test]
async fn no_more_connections_are_served_than_there_may_be() {
    let served = Served::new(page(), patience(2, LONG, LONG));
    let (mut first, mut second) = (served.connect().await, served.connect().await);
    for stream in [&mut first, &mut second] {
        stream.write_all(REQUEST).await.expect("sent");
        answered(stream).await;
    }
    let mut third = served.connect().await;
    third.write_all(REQUEST).await.expect("sent");
    let early = timeout(2 * SOON, answered(&mut third)).await;
    assert!(early.is_err(), "it waits for its turn");
    // Those that were there before are still answered.
    first.write_all(REQUEST).await.expect("sent");
    answered(&mut first).await;
    drop(second);
    answered(&mut third).await;
    served.end().await;
}

#[tokio::test]
async fn who_takes_nothing_is_not_waited_for() {
    let (sender, mut gone) = mpsc::channel::<()>(1);
    /// Comes without end, and says when it is dropped.
    async fn endless(State(sender): State<mpsc::Sender<()>>) -> Body {
        let (pieces, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
        tokio::spawn(async move {
            let piece = || Ok(Bytes::from_static(&[b'x'; 64 << 10]));
            while pieces.send(piece()).await.is_ok() {}
            drop(sender);
        });
        Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(body))
    }
    let router = Router::new()
        .route("/page", get(endless))
        .with_state(sender);
    let served = Served::new(router, patience(8, LONG, SOON));
    let mut stream = served.connect().await;
    stream.write_all(REQUEST).await.expect("sent");
    // The answer has begun; nothing more of it is taken.
    stream.read_u8().await.expect("a byte");
    served.end().await;
    // All senders are dropped: that of the router, and that of the answer.
    assert_eq!(gone.recv().await, None);
}

/// Long work of the one whose connection is closed ends, so that others get a turn.
#[tokio::test]
async fn who_leaves_ends_the_work() {
    let ground = Ground::empty();
    let app = App::new(ground.site(), Guard::unix(Vec::new()));
    let (sender, mut told) = mpsc::channel(8);
    type Shared = (Arc<App>, mpsc::Sender<&'static str>);
    async fn long(State((app, sender)): State<Shared>) -> &'static str {
        let done = app.read(Work::Long, move |_, stop| {
            sender.blocking_send("began").expect("told");
            while !stop.is_set() {
                std::thread::sleep(Duration::from_millis(5));
            }
            sender.blocking_send("ended").expect("told");
            Ok(())
        });
        done.await.map_or("busy", |()| "a page")
    }
    let router = Router::new()
        .route("/page", get(long))
        .with_state((app, sender));
    let served = Served::new(router, patience(8, LONG, LONG));
    // More than there are turns.
    for _ in 0..3 {
        let mut stream = served.connect().await;
        stream.write_all(REQUEST).await.expect("sent");
        assert_eq!(told.recv().await, Some("began"));
        drop(stream);
        assert_eq!(told.recv().await, Some("ended"));
    }
    served.end().await;
}
