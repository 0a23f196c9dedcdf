// SPDX-License-Identifier: Apache-2.0
//! What has gone through a meddler.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method, path and query.
    pub line: String,
    /// Its headers, each as `name: value`, but not who asked.
    pub headers: Vec<String>,
}

/// Requests and octets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    asked: Mutex<Vec<Asked>>,
    more: Condvar,
    to_clients: AtomicU64,
    from_clients: AtomicU64,
}

impl Tally {
    pub(crate) fn add(&self, asked: Asked) {
        self.lock().push(asked);
        self.0.more.notify_all();
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.lock().clone()
    }

    pub(crate) fn wait(&self, part: &str, before: usize, limit: Duration) -> bool {
        let short = |asked: &mut Vec<Asked>| {
            let matching = asked.iter().filter(|asked| asked.line.contains(part));
            matching.count() <= before
        };
        let waited = self.0.more.wait_timeout_while(self.lock(), limit, short);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    pub(crate) fn sent(&self) -> u64 {
        self.0.to_clients.load(Ordering::Relaxed)
    }

    pub(crate) fn received(&self) -> u64 {
        self.0.from_clients.load(Ordering::Relaxed)
    }

    /// A client's connection of which the octets are counted.
    pub(crate) fn counting(&self, stream: TcpStream) -> Counted {
        Counted {
            stream,
            tally: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection of which the octets are counted.
#[derive(Debug)]
pub(crate) struct Counted {
    stream: TcpStream,
    tally: Tally,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = (buffer.filled().len() - before) as u64;
        self.tally.0.from_clients.fetch_add(read, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, octets);
        if let Poll::Ready(Ok(written)) = polled {
            let written = written as u64;
            self.tally
                .0
                .to_clients
                .fetch_add(written, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
