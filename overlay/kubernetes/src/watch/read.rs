// SPDX-License-Identifier: Apache-2.0
//! One watch, from its request to its end.

use std::time::Duration;

use kube::api::WatchParams;
use kube::client::Body;
use tokio::time::timeout;

use super::{Followed, Follower, length, unsendable};
use crate::client::{garbage, part};
use crate::course::End;
use crate::failure::{Cause, Failure};
use crate::lines::Lines;
use crate::object::{Bookmark, Event, Object};
use crate::tally::Verb;

/// How long a list that is streamed may pause.
const FIRST: Duration = Duration::from_secs(30);
/// How long a watch may be silent: API servers send a bookmark each minute.
const SILENCE: Duration = Duration::from_secs(150);
/// A watch on which this long nothing bad was heard is a good one.
const GOOD: Duration = Duration::from_millis(500);

/// How far a watch is.
struct Watch {
    body: Body,
    lines: Lines,
    /// Whether what is there is still being told.
    listing: bool,
    /// Whether it has proved to be of use.
    good: bool,
}

impl<F: Followed> Follower<'_, F> {
    /// Watches from a version on, or first what is there.
    pub(super) async fn watch(&mut self, version: Option<&str>) -> End {
        let body = match self.open(version).await {
            Ok(body) => body,
            Err(failure) => return End::Failed(failure),
        };
        if version.is_none() {
            self.followed.begin();
        }
        let mut watch = Watch {
            body,
            lines: Lines::default(),
            listing: version.is_none(),
            good: false,
        };
        let tally = &self.shared.tally;
        match self.read(&mut watch).await {
            Ok(()) => {
                tally.watch_restarted("ended");
                End::Ended
            }
            Err(failure) => {
                tally.watch_restarted(failure.cause.label());
                tally.failure(failure.cause);
                End::Failed(failure)
            }
        }
    }

    async fn open(&self, version: Option<&str>) -> Result<Body, Failure> {
        let mut params = WatchParams::default().timeout(length());
        if version.is_none() {
            params = params.initial_events();
        }
        let request = self.followed.watch(params, version.unwrap_or_default());
        let request = request.map_err(|error| unsendable(&error))?;
        self.shared.api.open(Verb::Watch, &request).await
    }

    /// Reads to the end.
    async fn read(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        while let Some(bytes) = self.part(watch).await? {
            if !watch.lines.push(&bytes) {
                let why = "the API server sends a line without end";
                return Err(Failure::new(Cause::Garbage, why));
            }
            while let Some(line) = watch.lines.next() {
                let event = serde_json::from_slice(line).map_err(|error| garbage(&error))?;
                let listed = self.take(event, watch.listing)?;
                watch.listing &= !listed;
            }
            if !watch.listing {
                self.proved(watch);
            }
        }
        if watch.listing {
            return Err(silence("the API server ends a list before it is complete"));
        }
        if watch.lines.is_within_a_line() {
            return Err(Failure::new(Cause::Cut, "the watch ended within a line"));
        }
        Ok(())
    }

    /// The next bytes; none: the watch has ended.
    async fn part(&mut self, watch: &mut Watch) -> Result<Option<bytes::Bytes>, Failure> {
        if !watch.listing && !watch.good {
            if let Ok(part) = timeout(GOOD, part(&mut watch.body)).await {
                return part;
            }
            self.proved(watch);
        }
        let patience = if watch.listing { FIRST } else { SILENCE };
        let part = timeout(patience, part(&mut watch.body)).await;
        part.unwrap_or_else(|_| Err(silence("the API server has fallen silent")))
    }

    fn proved(&mut self, watch: &mut Watch) {
        if !std::mem::replace(&mut watch.good, true) {
            self.backoff.end();
        }
        self.fulfilled();
    }

    /// Takes an event; returns whether it ends the list.
    fn take(&mut self, event: Event<F::Object>, listing: bool) -> Result<bool, Failure> {
        let (version, object, gone) = match event {
            Event::Added(object) | Event::Modified(object) => {
                (object.metadata().resource_version.clone(), object, false)
            }
            Event::Deleted(object) => (object.metadata().resource_version.clone(), object, true),
            Event::Bookmark(bookmark) => return Ok(self.bookmark(&bookmark, listing)),
            Event::Error(status) => return Err(Failure::said(&status)),
        };
        if gone {
            self.followed.gone(object);
        } else {
            self.followed.seen(object);
        }
        // While what is there is told, versions come in any order.
        if !listing {
            self.course.reached(&version);
        }
        Ok(false)
    }

    fn bookmark(&mut self, bookmark: &Bookmark, listing: bool) -> bool {
        let listed = listing && bookmark.ends_the_list();
        if listed {
            self.complete();
        }
        if listed || !listing {
            self.course.reached(bookmark.version());
        }
        listed
    }
}

fn silence(why: &str) -> Failure {
    Failure::new(Cause::Silence, why)
}
