// SPDX-License-Identifier: Apache-2.0
//! The two requests by which a Node is changed. Each goes its own way, since each has its own
//! permission and its own opponents.

use http::Request;
use http::header::CONTENT_TYPE;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::Announcement;
use super::difference::{status_patch, taints_patch};
use super::pace::Pace;
use crate::annotations::Prefix;
use crate::backoff::{Backoff, fraction};
use crate::failure::{Cause, Failure};
use crate::object::Whole;
use crate::troubles::Wish;

/// What of a Node a request changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Annotations and conditions.
    Status,
    /// Taints.
    Taints,
}

impl Part {
    /// What has to be changed; none when all is as it should be.
    pub(crate) fn patch(
        self,
        wish: &Announcement,
        prefix: &Prefix,
        present: &Whole,
    ) -> Option<Value> {
        match self {
            Self::Status => status_patch(wish, prefix, present, &Time(Timestamp::now())),
            Self::Taints => taints_patch(wish, present),
        }
    }

    /// The request that changes it.
    pub(crate) fn request(self, node: &str, patch: &Value) -> Request<Vec<u8>> {
        let (subresource, content) = match self {
            Self::Status => ("/status", "application/strategic-merge-patch+json"),
            Self::Taints => ("", "application/json-patch+json"),
        };
        Request::patch(format!(
            "/api/v1/nodes/{node}{subresource}?fieldManager=podwired"
        ))
        .header(CONTENT_TYPE, content)
        .body(patch.to_string().into_bytes())
        .expect("a Node that exists has a name that an address can have")
    }

    /// Under which name trouble with it is kept.
    pub(crate) const fn wish(self) -> Wish {
        match self {
            Self::Status => Wish::Announce,
            Self::Taints => Wish::Taints,
        }
    }

    /// What failed and why, and which permission is missing.
    pub(crate) fn sentence(self, node: &str, failure: &Failure) -> String {
        let (wish, resource) = match self {
            Self::Status => ("the annotations and the status of", "nodes/status"),
            Self::Taints => ("the start-up taints of", "nodes"),
        };
        let rule = match failure.cause {
            Cause::Forbidden => format!(
                " (its ClusterRole needs the rule {{apiGroups: [\"\"], resources: [\"{resource}\"], \
                 verbs: [\"patch\"]}})"
            ),
            _ => String::new(),
        };
        format!("{wish} node {node} cannot be changed{rule}: {failure}")
    }
}

/// How the changes of one part have gone so far.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) pace: Pace,
    backoff: Backoff,
    /// How often in a row it has failed, and not before when it is tried again.
    failures: u32,
    resumes: Option<Instant>,
    /// Whether it waits for a server that could not be found.
    seeks: bool,
    /// What was wished when it last succeeded.
    granted: Option<Announcement>,
}

/// So many failures in a row belong to two writers who meet.
const MEETINGS: u32 = 5;

impl Lane {
    /// Not before this may there be a request.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.resumes.max(self.pace.due())
    }

    /// Notes a success; returns whether it was one already, by the same wish.
    pub(crate) fn succeeded(&mut self, wish: &Announcement) -> bool {
        self.recovered();
        let again = self.granted.as_ref() == Some(wish);
        self.granted = Some(wish.clone());
        again
    }

    /// Notes that there is nothing to do, and so no trouble.
    pub(crate) fn recovered(&mut self) {
        self.backoff.end();
        (self.failures, self.resumes, self.seeks) = (0, None, false);
    }

    /// Whether it waits for a server that could not be found.
    pub(crate) const fn seeks(&self) -> bool {
        self.seeks
    }

    /// Somebody has found the server.
    pub(crate) fn found(&mut self) {
        if std::mem::take(&mut self.seeks) {
            self.resumes = None;
        }
    }

    /// Notes a failure; returns whether it is worth a word.
    pub(crate) fn failed(&mut self, now: Instant, failure: &Failure) -> bool {
        let pause = self.backoff.pause(now, failure.retry_after, fraction());
        self.resumes = Some(now + pause);
        self.seeks = matches!(failure.cause, Cause::Unreachable | Cause::Silence);
        self.failures = self.failures.saturating_add(1);
        // The Node is another one than we knew: we learn it, and come again.
        let met = matches!(failure.cause, Cause::Conflict | Cause::Refused);
        !met || self.failures > MEETINGS
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_server_that_is_found_is_asked_at_once() {
        let (mut lane, now) = (Lane::default(), Instant::now());
        lane.failed(now, &Failure::new(Cause::Unreachable, "nobody listens"));
        assert!(lane.seeks() && lane.due() > Some(now));
        lane.found();
        assert!(!lane.seeks() && lane.due().is_none());
    }

    #[test]
    fn a_server_that_refuses_is_left_alone() {
        let (mut lane, now) = (Lane::default(), Instant::now());
        lane.failed(now, &Failure::new(Cause::Forbidden, "no"));
        lane.failed(
            now + Duration::from_secs(40),
            &Failure::new(Cause::Forbidden, "no"),
        );
        lane.found();
        assert!(lane.due() > Some(now + Duration::from_secs(44)));
    }
}
