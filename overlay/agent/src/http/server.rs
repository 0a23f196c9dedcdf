// SPDX-License-Identifier: Apache-2.0
//! Connections: few at a time, each for one request and not for long.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::answer::Answers;

/// So many connections are open at a time. One more ends the oldest: who says nothing keeps nobody
/// from being answered.
const CONNECTIONS: usize = 32;
/// A request's head takes no longer, and no more bytes, than this.
const HEAD: Duration = Duration::from_secs(5);
const HEAD_LENGTH: usize = 16 * 1024;
/// A request and its answer take no longer than this.
const REQUEST: Duration = Duration::from_secs(10);
/// When there are no descriptors left, somebody has to close some first.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers whoever connects, for ever.
pub(super) async fn serve(listener: TcpListener, answers: Answers) {
    let answers = Arc::new(answers);
    let mut connections = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let answers = Arc::clone(&answers);
                admit(&mut connections, tokio::spawn(converse(stream, answers)));
                // Who has asked already is answered before many more come and end that one.
                yield_now().await;
            }
            Err(error) => {
                debug!("no connection is accepted: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

fn admit(connections: &mut VecDeque<JoinHandle<()>>, new: JoinHandle<()>) {
    connections.retain(|connection| !connection.is_finished());
    if connections.len() == CONNECTIONS
        && let Some(oldest) = connections.pop_front()
    {
        oldest.abort();
    }
    connections.push_back(new);
}

async fn converse(stream: TcpStream, answers: Arc<Answers>) {
    let service = service_fn(|request| ready(Ok::<_, Infallible>(answers.to(&request))));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_LENGTH)
        .serve_connection(TokioIo::new(stream), service);
    // Whatever becomes of it is the client's business.
    let _ = timeout(REQUEST, connection).await;
}
