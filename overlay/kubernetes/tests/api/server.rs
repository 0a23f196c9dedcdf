// SPDX-License-Identifier: Apache-2.0
//! A stand-in for the API server, which speaks the protocol of Nodes well, and badly at will.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::request::Request;
pub(crate) use crate::state::{Fault, State};

/// The stand-in, until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    cluster: Arc<Cluster>,
    task: JoinHandle<()>,
}

struct Cluster {
    state: Mutex<State>,
    /// What is said on all watches.
    news: broadcast::Sender<News>,
}

#[derive(Clone, Debug)]
enum News {
    Changed,
    Raw(String),
    Cut,
}

impl Server {
    /// One that has no Nodes.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        Self::on(listener.expect("the loopback is up"), State::default())
    }

    fn on(listener: TcpListener, state: State) -> Self {
        let cluster = Arc::new(Cluster {
            state: Mutex::new(state),
            news: broadcast::Sender::new(1000),
        });
        Self {
            address: listener.local_addr().expect("it listens"),
            task: tokio::spawn(serve(listener, Arc::clone(&cluster))),
            cluster,
        }
    }

    /// Stops listening and closes all connections; what it knew is given to the next one.
    pub(crate) async fn stop(mut self) -> State {
        self.task.abort();
        (&mut self.task).await.ok();
        std::mem::take(&mut *self.state())
    }

    /// Listens again at the same address.
    pub(crate) async fn restart(address: SocketAddr, state: State) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().expect("there are sockets");
        socket.set_reuseaddr(true).expect("it is a fresh socket");
        socket
            .bind(address)
            .expect("nobody else has taken the port");
        Self::on(socket.listen(64).expect("it is bound"), state)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.cluster
            .state
            .lock()
            .expect("no test has panicked in it")
    }

    /// Makes or changes a Node.
    pub(crate) fn put(&self, node: Value) {
        self.state().put(node);
        self.cluster.news.send(News::Changed).ok();
    }

    /// Removes a Node.
    pub(crate) fn remove(&self, name: &str) {
        self.state().remove(name);
        self.cluster.news.send(News::Changed).ok();
    }

    /// Says something on all watches.
    pub(crate) fn say(&self, raw: &str) {
        self.cluster.news.send(News::Raw(raw.to_owned())).ok();
    }

    /// Closes all watches as they are.
    pub(crate) fn cut(&self) {
        self.cluster.news.send(News::Cut).ok();
    }

    /// How many requests had all of these texts in their line.
    pub(crate) fn asked(&self, texts: &[&str]) -> usize {
        let state = self.state();
        let all = |line: &&String| texts.iter().all(|text| line.contains(text));
        state.requests.iter().filter(all).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, cluster: Arc<Cluster>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, Arc::clone(&cluster)));
    }
}

async fn connection(stream: TcpStream, cluster: Arc<Cluster>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let request = Request::parse(&head);
        let news = cluster.news.subscribe();
        let answer = {
            let mut state = cluster.state.lock().expect("no test has panicked in it");
            state.requests.push(request.line.clone());
            state.answer(&request)
        };
        match answer {
            Ok(_) if request.is_watch() => {
                return watch(&mut stream, &cluster, &request, news).await;
            }
            Ok(list) => respond(&mut stream, 200, "", &list.to_string()).await?,
            Err(Fault::Answer(code, header, body)) => {
                respond(&mut stream, code, header, &body).await?;
            }
            Err(Fault::Say(said)) if request.is_watch() => {
                stream.write_all(CHUNKED).await?;
                chunk(&mut stream, &said).await?;
                stream.write_all(b"0\r\n\r\n").await?;
            }
            Err(Fault::Say(said)) => respond(&mut stream, 200, "", &said).await?,
            Err(Fault::Close) => return Ok(()),
            Err(Fault::Hang) => std::future::pending().await,
            Err(Fault::Break) => {
                return stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
                    .await;
            }
        }
    }
}

/// Serves a watch until it is cut.
async fn watch(
    stream: &mut BufReader<TcpStream>,
    cluster: &Cluster,
    request: &Request,
    mut news: broadcast::Receiver<News>,
) -> io::Result<()> {
    let state = || cluster.state.lock().expect("no test has panicked in it");
    stream.write_all(CHUNKED).await?;
    let (mut said, mut version) = state().beginning(request);
    said += &state().since(&mut version, request);
    loop {
        chunk(stream, &said).await?;
        said = match news.recv().await {
            Ok(News::Changed) => state().since(&mut version, request),
            Ok(News::Raw(raw)) => raw,
            Ok(News::Cut) | Err(_) => return Ok(()),
        };
    }
}

const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

async fn chunk(stream: &mut BufReader<TcpStream>, said: &str) -> io::Result<()> {
    if said.is_empty() {
        return Ok(());
    }
    let chunk = format!("{:x}\r\n{said}\r\n", said.len());
    stream.write_all(chunk.as_bytes()).await
}

async fn respond(
    stream: &mut BufReader<TcpStream>,
    code: u16,
    header: &str,
    body: &str,
) -> io::Result<()> {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {code} Said\r\nContent-Type: application/json\r\n{header}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await
}
