// SPDX-License-Identifier: Apache-2.0
//! Requests to the API server, whoever it is at the time and whatever proves who we are.

mod config;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use flate2::read::GzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, RETRY_AFTER};
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::connector::Wire;
use crate::failure::{Cause, Failure};
use crate::tally::{Tally, Verb};

/// How long an answer may take to begin, and each part of it to follow.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest answer in bytes that is taken: no page of a list is near it.
const LONGEST: usize = 32 << 20;
/// How what is long may come (RFC 9110, section 8.4.1.3).
const GZIP: &str = "gzip";

/// The API server.
#[derive(Debug)]
pub(crate) struct Api {
    /// The kubeconfig that was asked for.
    kubeconfig: Option<PathBuf>,
    current: Mutex<Current>,
    wire: Arc<Wire>,
    tally: Arc<Tally>,
    /// Told when the server answers again.
    answered: Notify,
}

/// The client in use, made of the files as they were when it was made.
#[derive(Default)]
struct Current {
    client: Option<Client>,
    /// Counts the clients, so that only the one that failed is thrown away.
    number: u64,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Api {
    pub(crate) fn new(kubeconfig: Option<PathBuf>, tally: Arc<Tally>) -> Self {
        Self {
            kubeconfig,
            current: Mutex::default(),
            wire: Arc::default(),
            tally,
            answered: Notify::new(),
        }
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Waits until a request of somebody else has been answered.
    pub(crate) async fn answered(&self) {
        self.answered.notified().await;
    }

    /// Sends a request and reads all of the answer.
    pub(crate) async fn fetch<T: DeserializeOwned>(
        &self,
        verb: Verb,
        request: &Request<Vec<u8>>,
    ) -> Result<T, Failure> {
        let mut request = request.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(GZIP));
        let read = read(self.answer(verb, &request).await?).await;
        read.inspect_err(|failure| self.tally.failure(failure.cause))
    }

    /// Sends a request and returns the answer's body, which may take its time.
    pub(crate) async fn open(
        &self,
        verb: Verb,
        request: &Request<Vec<u8>>,
    ) -> Result<Body, Failure> {
        Ok(self.answer(verb, request).await?.into_body())
    }

    /// Sends a request and returns the answer.
    ///
    /// Credentials that are not accepted may have been renewed since they were read: they are read
    /// again, and the request is sent once more.
    async fn answer(
        &self,
        verb: Verb,
        request: &Request<Vec<u8>>,
    ) -> Result<Response<Body>, Failure> {
        let mut sent = self.send(verb, request).await;
        if matches!(&sent, Err(failure) if failure.cause == Cause::Unauthorized) {
            sent = self.send(verb, request).await;
        }
        match &sent {
            Ok(_) => self.answered.notify_waiters(),
            Err(failure) => self.tally.failure(failure.cause),
        }
        sent
    }

    async fn send(
        &self,
        verb: Verb,
        request: &Request<Vec<u8>>,
    ) -> Result<Response<Body>, Failure> {
        let (client, number) = self.client().await?;
        let sending = client.send(request.clone().map(Body::from));
        let answer = match timeout(ANSWER, sending).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                self.tally.request(verb, None);
                self.forget(number);
                return Err(Failure::below(Cause::Unreachable, &error));
            }
            Err(_) => {
                self.tally.request(verb, None);
                self.forget(number);
                return Err(silence());
            }
        };
        self.tally.request(verb, Some(answer.status().as_u16()));
        if answer.status().is_success() {
            return Ok(answer);
        }
        let failure = refusal(answer).await;
        if failure.cause == Cause::Unauthorized {
            self.forget(number);
        }
        Err(failure)
    }

    /// The client in use, or one made of what the files say now.
    async fn client(&self) -> Result<(Client, u64), Failure> {
        let current = |current: &Current| Some((current.client.clone()?, current.number));
        if let Some(current) = current(&self.current()) {
            return Ok(current);
        }
        let client = config::client(self.kubeconfig.as_deref(), Arc::clone(&self.wire)).await?;
        let mut current = self.current();
        current.number += 1;
        current.client = Some(client.clone());
        Ok((client, current.number))
    }

    /// Makes the next request read the files again: whatever is in them has changed, or may have.
    fn forget(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            current.client = None;
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current
            .lock()
            .expect("nothing panics while it takes the client")
    }
}

/// Whether anything says where the API server is.
pub(crate) fn is_known(kubeconfig: Option<&Path>) -> bool {
    config::lead(kubeconfig, config::variable).is_some()
}

/// The next part of an answer; none: it has ended.
pub(crate) async fn part(body: &mut Body) -> Result<Option<bytes::Bytes>, Failure> {
    loop {
        return match body.frame().await {
            // Trailers, which mean nothing.
            Some(Ok(frame)) if !frame.is_data() => continue,
            Some(Ok(frame)) => Ok(frame.into_data().ok()),
            Some(Err(error)) => Err(Failure::below(Cause::Cut, &error)),
            None => Ok(None),
        };
    }
}

/// Reads all of an answer. What is long comes compressed: a list of whole Nodes shrinks to a
/// twentieth.
async fn read<T: DeserializeOwned>(answer: Response<Body>) -> Result<T, Failure> {
    let encoding = answer.headers().get(CONTENT_ENCODING);
    let compressed = encoding.is_some_and(|encoding| encoding == GZIP);
    let mut content = collect(answer.into_body()).await?;
    if compressed {
        content = decompressed(&content)?;
    }
    serde_json::from_slice(&content).map_err(|error| garbage(&error))
}

fn decompressed(content: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut plain = Vec::new();
    let limit = LONGEST as u64 + 1;
    let read = GzDecoder::new(content).take(limit).read_to_end(&mut plain);
    read.map_err(|error| Failure::below(Cause::Garbage, &error))?;
    bounded(plain)
}

fn bounded(content: Vec<u8>) -> Result<Vec<u8>, Failure> {
    if content.len() > LONGEST {
        let why = format!("the API server's answer is longer than {LONGEST} bytes");
        return Err(Failure::new(Cause::Garbage, why));
    }
    Ok(content)
}

async fn collect(mut body: Body) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    loop {
        match timeout(ANSWER, part(&mut body)).await {
            Ok(Ok(Some(part))) => content.extend_from_slice(&part),
            Ok(Ok(None)) => return Ok(content),
            Ok(Err(failure)) => return Err(failure),
            Err(_) => return Err(silence()),
        }
        content = bounded(content)?;
    }
}

async fn refusal(answer: Response<Body>) -> Failure {
    let status = answer.status();
    let header = answer.headers().get(RETRY_AFTER).cloned();
    let body = collect(answer.into_body()).await.unwrap_or_default();
    let header = header.as_ref().and_then(|value| value.to_str().ok());
    Failure::answered(status, header, &body)
}

pub(crate) fn garbage(error: &serde_json::Error) -> Failure {
    let why = format!("the API server's answer is not what the API says: {error}");
    Failure::new(Cause::Garbage, why)
}

fn silence() -> Failure {
    let why = format!(
        "the API server has not answered within {} s",
        ANSWER.as_secs()
    );
    Failure::new(Cause::Silence, why)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn compressed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_compressed_answer_is_what_it_was() {
        assert_eq!(decompressed(&compressed(b"{}")).unwrap(), b"{}");
    }

    #[test]
    fn a_small_answer_that_becomes_too_large_is_given_up() {
        let bomb = compressed(&vec![b' '; LONGEST + 1]);
        assert!(bomb.len() < LONGEST / 100);
        assert!(decompressed(&bomb).unwrap_err().why.contains("longer than"));
        assert!(decompressed(b"{}").is_err());
    }
}
