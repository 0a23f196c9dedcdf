// SPDX-License-Identifier: Apache-2.0
//! The way to the API server, below TLS: connections on which silence is noticed, and on which
//! bytes are counted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::TryFutureExt;
use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

/// A connection on which nothing comes is probed after this time,
const PROBE_AFTER: Duration = Duration::from_secs(10);
/// again each time when this has passed,
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// and given up when there was no answer to anything for this time. A watch whose other end
/// vanished without a word is noticed within the sum.
const GIVE_UP: Duration = Duration::from_secs(15);
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// Makes the connections.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    http: HttpConnector,
    wire: Arc<Wire>,
}

impl Connector {
    pub(crate) fn new(wire: Arc<Wire>) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        http.set_keepalive(Some(PROBE_AFTER));
        http.set_keepalive_interval(Some(PROBE_INTERVAL));
        http.set_tcp_user_timeout(Some(GIVE_UP));
        Self { http, wire }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Counted>;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.http.poll_ready(cx)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let wire = Arc::clone(&self.wire);
        let connecting = self.http.call(server).map_ok(|stream| {
            let stream = stream.into_inner();
            TokioIo::new(Counted { stream, wire })
        });
        Box::pin(connecting)
    }
}

/// What went over all connections.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Wire {
    /// Bytes that came, and bytes that went.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.received), count(&self.sent))
    }
}

fn add(counter: &AtomicU64, bytes: usize) {
    counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// A connection of which bytes are counted.
#[derive(Debug)]
pub(crate) struct Counted {
    stream: TcpStream,
    wire: Arc<Wire>,
}

impl Connection for Counted {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        add(&self.wire.received, buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(bytes)) = written {
            add(&self.wire.sent, bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
