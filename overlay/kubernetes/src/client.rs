// SPDX-License-Identifier: Apache-2.0
//! Requests to the API server, whoever it is at the time and whatever proves who we are.

mod config;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Request, Response};
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
        let body = self.open(verb, request).await?;
        let read = match collect(body).await {
            Ok(body) => serde_json::from_slice(&body).map_err(|error| garbage(&error)),
            Err(failure) => Err(failure),
        };
        read.inspect_err(|failure| self.tally.failure(failure.cause))
    }

    /// Sends a request and returns the answer's body, which may take its time.
    ///
    /// Credentials that are not accepted may have been renewed since they were read: they are read
    /// again, and the request is sent once more.
    pub(crate) async fn open(
        &self,
        verb: Verb,
        request: &Request<Vec<u8>>,
    ) -> Result<Body, Failure> {
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

    async fn send(&self, verb: Verb, request: &Request<Vec<u8>>) -> Result<Body, Failure> {
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
            return Ok(answer.into_body());
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

async fn collect(mut body: Body) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    loop {
        match timeout(ANSWER, part(&mut body)).await {
            Ok(Ok(Some(part))) => content.extend_from_slice(&part),
            Ok(Ok(None)) => return Ok(content),
            Ok(Err(failure)) => return Err(failure),
            Err(_) => return Err(silence()),
        }
        if content.len() > LONGEST {
            let why = format!("the API server's answer is longer than {LONGEST} bytes");
            return Err(Failure::new(Cause::Garbage, why));
        }
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
