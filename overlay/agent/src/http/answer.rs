// SPDX-License-Identifier: Apache-2.0
//! What is answered to a request.

use std::time::Instant;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};

use super::exposition::Exposition;
use crate::observed::Observed;

const TEXT: &str = "text/plain; charset=utf-8";
/// The format that every scraper reads, and the one that Prometheus asks for.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Answer = Response<Full<Bytes>>;

/// Knows the answers.
#[derive(Debug)]
pub(super) struct Answers {
    observed: Observed,
    exposition: Exposition,
}

impl Answers {
    pub(super) fn new(observed: Observed, exposition: Exposition) -> Self {
        Self {
            observed,
            exposition,
        }
    }

    /// The answer to a request; what it has for a body is not read.
    pub(super) fn to<B>(&self, request: &Request<B>) -> Answer {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n");
            let allowed = hyper::header::HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(ALLOW, allowed);
            return answer;
        }
        match request.uri().path() {
            "/healthz" => verdict(self.observed.health(Instant::now())),
            "/readyz" => verdict(self.observed.readiness()),
            "/metrics" => self.metrics(request),
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz and /metrics\n",
            ),
        }
    }

    fn metrics<B>(&self, request: &Request<B>) -> Answer {
        let accepted = request.headers().get_all(ACCEPT).iter();
        let mut accepted = accepted.filter_map(|value| value.to_str().ok());
        let open = accepted.any(|value| value.contains("application/openmetrics-text"));
        let exposed = self.exposition.at(Instant::now());
        match open {
            true => answer(StatusCode::OK, OPEN_METRICS, exposed.open_metrics),
            false => answer(StatusCode::OK, PROMETHEUS, exposed.plain),
        }
    }
}

fn verdict(verdict: Result<String, String>) -> Answer {
    let (status, sentence) = match verdict {
        Ok(sentence) => (StatusCode::OK, sentence),
        Err(sentence) => (StatusCode::SERVICE_UNAVAILABLE, sentence),
    };
    text(status, sentence + "\n")
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    answer(status, TEXT, text.into())
}

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static(kind);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
