// SPDX-License-Identifier: Apache-2.0
//! Why the API server did not do what it was asked.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

/// A request that failed, or a watch that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// The end of a sentence that begins with what was wanted.
    pub(crate) why: String,
    /// How long the server wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

/// The kinds of failure that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The files that lead to the server cannot be used.
    Configuration,
    /// There is no connection, or none that is trusted.
    Unreachable,
    /// There is no answer, or nothing any more.
    Silence,
    /// The connection ended in the middle of something.
    Cut,
    /// The answer is not what the API says.
    Garbage,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 410: what is asked for is too long ago.
    Gone,
    /// 429.
    Throttled,
    /// Another 4xx.
    Refused,
    /// 5xx.
    Server,
}

impl Cause {
    /// The cause as a metric's label.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Unreachable => "unreachable",
            Self::Silence => "silence",
            Self::Cut => "cut",
            Self::Garbage => "garbage",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Gone => "gone",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Server => "server",
        }
    }

    pub(crate) fn of_status(code: u16) -> Self {
        match code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            410 => Self::Gone,
            429 => Self::Throttled,
            400..500 => Self::Refused,
            500..600 => Self::Server,
            _ => Self::Garbage,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// What the API says in place of an object: the `Status` of an answer, or of a watch's `ERROR`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    pub(crate) code: u16,
    reason: Option<String>,
    message: Option<String>,
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    retry_after_seconds: Option<u64>,
}

/// How much of a server's text is repeated.
const LONGEST: usize = 300;

impl Failure {
    pub(crate) fn new(cause: Cause, why: impl Into<String>) -> Self {
        Self {
            cause,
            why: why.into(),
            retry_after: None,
        }
    }

    /// From an error below the API, with all that led to it.
    pub(crate) fn below(cause: Cause, error: &(dyn Error + 'static)) -> Self {
        let mut why = error.to_string();
        // The first words of kube's errors say which part of kube they come from.
        for origin in ["ServiceError: ", "HyperError: "] {
            why = why.strip_prefix(origin).unwrap_or(&why).to_owned();
        }
        let mut source = error.source();
        while let Some(error) = source {
            let text = error.to_string();
            // Some errors repeat what they come from.
            if !why.contains(&text) {
                why = format!("{why}: {text}");
            }
            source = error.source();
        }
        Self::new(cause, why)
    }

    /// From an answer that is no success. `retry_after` is its header.
    pub(crate) fn answered(code: StatusCode, retry_after: Option<&str>, body: &[u8]) -> Self {
        let mut failure = match serde_json::from_slice::<Status>(body) {
            Ok(status) => Self::said(&Status {
                code: code.as_u16(),
                ..status
            }),
            Err(_) => Self::new(
                Cause::of_status(code.as_u16()),
                sentence(code.as_u16(), &String::from_utf8_lossy(body)),
            ),
        };
        let seconds = retry_after.and_then(|text| text.trim().parse().ok());
        failure.retry_after = seconds.map(Duration::from_secs).or(failure.retry_after);
        failure
    }

    /// From a `Status`.
    pub(crate) fn said(status: &Status) -> Self {
        let said = status.message.as_deref().or(status.reason.as_deref());
        let details = status.details.as_ref();
        let seconds = details.and_then(|details| details.retry_after_seconds);
        Self {
            cause: Cause::of_status(status.code),
            why: sentence(status.code, said.unwrap_or_default()),
            retry_after: seconds.map(Duration::from_secs),
        }
    }
}

fn sentence(code: u16, said: &str) -> String {
    let answers = match Cause::of_status(code) {
        Cause::Unauthorized => "the API server does not accept the credentials",
        Cause::Forbidden => "the API server forbids it",
        Cause::Throttled => "the API server has too much to do",
        _ => "the API server answers",
    };
    // It goes into logs and onto terminals.
    let harmless = |c: char| if c.is_control() { ' ' } else { c };
    let said: String = said.trim().chars().take(LONGEST).map(harmless).collect();
    let divider = if said.is_empty() { "" } else { ": " };
    format!("{answers} ({code}){divider}{said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_why_and_how_long_to_wait() {
        let body = br#"{"kind":"Status","message":"try again","reason":"TooManyRequests",
            "details":{"retryAfterSeconds":3},"code":429}"#;
        let failure = Failure::answered(StatusCode::TOO_MANY_REQUESTS, None, body);
        assert_eq!(failure.cause, Cause::Throttled);
        assert_eq!(failure.retry_after, Some(Duration::from_secs(3)));
        assert_eq!(
            failure.to_string(),
            "the API server has too much to do (429): try again"
        );
        let failure = Failure::answered(StatusCode::TOO_MANY_REQUESTS, Some("7"), body);
        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_body_that_is_no_status_is_repeated_in_part() {
        let escape = Failure::answered(StatusCode::BAD_GATEWAY, None, b"a\x1b[2Jx");
        assert_eq!(escape.why, "the API server answers (502): a [2Jx");
        let body = format!("<html>\n{}", "x".repeat(9000));
        let failure = Failure::answered(StatusCode::BAD_GATEWAY, Some("soon"), body.as_bytes());
        assert_eq!((failure.cause, failure.retry_after), (Cause::Server, None));
        assert!(
            failure
                .why
                .starts_with("the API server answers (502): <html> xx")
        );
        assert!(failure.why.len() < 400);
        let failure = Failure::answered(StatusCode::FORBIDDEN, None, b"");
        assert_eq!(failure.to_string(), "the API server forbids it (403)");
    }
}
