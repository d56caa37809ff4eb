//! Connections: how many are open at once, and for how long one may hold its place
//! without asking for anything or without taking what is sent.
//!
//! Somebody who opens connections and sends a byte now and then would otherwise keep
//! everybody else out.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};

use crate::server::limits::STALLED;

/// How much is put up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Connections that are open at once; others wait until one of them ends.
    pub connections: usize,
    /// How long a connection may take to send the head of a request, from its start or
    /// from the end of the answer before.
    pub to_ask: Duration,
    /// How long nothing may be taken of what is sent.
    pub to_take: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connections: 256,
            to_ask: Duration::from_secs(30),
            to_take: STALLED,
        }
    }
}

/// Answers on a socket until `end`, and then what was asked before.
pub async fn serve<L: Listener>(
    mut listener: L,
    router: Router,
    patience: Patience,
    end: impl Future<Output = ()>,
) {
    let turns = Arc::new(Semaphore::new(patience.connections));
    let (ending, _) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut end = pin!(end);
    loop {
        let next = async {
            // Never closed.
            let turn = Arc::clone(&turns).acquire_owned().await;
            (turn, listener.accept().await.0)
        };
        tokio::select! {
            (turn, stream) = next => {
                let told = ending.subscribe();
                let service = TowerToHyperService::new(router.clone());
                connections.spawn(async move {
                    connection(stream, service, patience, told).await;
                    drop(turn);
                });
            }
            Some(_) = connections.join_next() => {}
            () = &mut end => break,
        }
    }
    drop(listener);
    let _ = ending.send(true);
    while connections.join_next().await.is_some() {}
}

/// Answers on one connection. What goes wrong there is nobody else's concern.
async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    service: TowerToHyperService<Router>,
    patience: Patience,
    mut told: watch::Receiver<bool>,
) {
    let stream = Taken {
        stream,
        most: patience.to_take,
        waiting: None,
    };
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(patience.to_ask);
    let mut answering = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = answering.as_mut() => return,
        _ = told.wait_for(|told| *told) => {}
    }
    answering.as_mut().graceful_shutdown();
    let _ = answering.await;
}

/// A stream that breaks off when nothing is taken of what is written for some time.
struct Taken<S> {
    stream: S,
    most: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Taken<S> {
    fn while_waiting<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let most = self.most;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(most)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Taken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.while_waiting(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.while_waiting(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.while_waiting(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
