// SPDX-License-Identifier: Apache-2.0
//! Following objects: everything that is there, and then each change, for ever.

mod all;
mod own;
mod read;

use std::time::Duration;

use http::Request;
use kube::api::{ListParams, WatchParams};
use tokio::time::Instant;

use crate::backoff::{Backoff, fraction};
use crate::course::{Course, End, Step};
use crate::failure::{Cause, Failure};
use crate::object::{Object, Page};
use crate::shared::Shared;
use crate::tally::Verb;
use crate::troubles::Wish;

pub(crate) use all::AllNodes;
pub(crate) use own::OwnNodeObject;

/// Where Nodes are.
pub(crate) const NODES: &str = "/api/v1/nodes";
/// How many objects a page of metadata has.
const PAGE: u32 = 500;
/// A watch is ended by the server within these seconds, so that the watches of a cluster spread
/// over its servers again.
const WATCH: (u32, u32) = (300, 600);
/// A watch that ended sooner than this has not been of use.
const SETTLED: Duration = Duration::from_secs(5);
/// A list that was of use for this long may be repeated at once.
const CALM: Duration = Duration::from_secs(60);

/// What is followed.
pub(crate) trait Followed {
    type Object: Object;

    /// What it is, and whose trouble it is when it cannot be followed.
    fn what(&self) -> String;
    fn wish(&self) -> Wish;

    fn list(&self, params: ListParams) -> Result<Request<Vec<u8>>, kube::core::request::Error>;
    fn watch(
        &self,
        params: WatchParams,
        version: &str,
    ) -> Result<Request<Vec<u8>>, kube::core::request::Error>;

    /// Everything that is there begins to be told; an object is there, or has changed; it is there
    /// no longer; everything has been told.
    fn begin(&self);
    fn seen(&self, object: Self::Object);
    fn gone(&self, object: Self::Object);
    fn complete(&self);
}

/// Follows, whatever happens.
pub(crate) async fn follow(shared: &Shared, followed: impl Followed) {
    let mut follower = Follower {
        shared,
        followed,
        course: Course::default(),
        backoff: Backoff::default(),
        relists: Backoff::default(),
        listed: None,
    };
    loop {
        follower.step().await;
    }
}

struct Follower<'a, F> {
    shared: &'a Shared,
    followed: F,
    course: Course,
    backoff: Backoff,
    /// Between lists that have to be repeated, the costliest of all requests.
    relists: Backoff,
    /// When a list was complete the last time.
    listed: Option<Instant>,
}

impl<F: Followed> Follower<'_, F> {
    async fn step(&mut self) {
        let begun = Instant::now();
        let step = self.course.step();
        let end = match &step {
            Step::List => self.list().await,
            Step::Stream => self.watch(None).await,
            Step::Resume(version) => self.watch(Some(version)).await,
        };
        // A list that took long and failed is no success.
        if begun.elapsed() >= SETTLED && matches!(step, Step::Resume(_)) {
            self.backoff.end();
        }
        let hasty = end == End::Ended && begun.elapsed() < SETTLED;
        let forgotten = end.is_of(Cause::Gone);
        let at_once = || Failure::new(Cause::Cut, "the API server ends watches at once");
        match self.course.end(end).or_else(|| hasty.then(at_once)) {
            Some(failure) => {
                self.say(&failure);
                self.shared.pause(&mut self.backoff, &failure).await;
            }
            None if forgotten => self.pause_before_list().await,
            None => {}
        }
    }

    /// A server that forgets at once what it has listed is not asked for lists without end.
    async fn pause_before_list(&mut self) {
        if self.listed.is_none_or(|at| at.elapsed() >= CALM) {
            self.relists.end();
        }
        let failure = Failure::new(Cause::Gone, "the API server has forgotten the version");
        self.shared.pause(&mut self.relists, &failure).await;
    }

    /// A watch that is cut once is taken up again without a word.
    fn say(&self, failure: &Failure) {
        let once = match failure.cause {
            Cause::Cut => true,
            Cause::Silence => matches!(self.course.step(), Step::Resume(_)),
            _ => false,
        };
        if once && !self.backoff.runs() {
            return;
        }
        let sentence = format!("cannot follow {}: {failure}", self.followed.what());
        self.shared.trouble(self.followed.wish(), &sentence);
    }

    /// Everything that is there has been told.
    fn complete(&mut self) {
        self.followed.complete();
        self.listed = Some(Instant::now());
    }

    fn fulfilled(&self) {
        self.shared.fulfilled(self.followed.wish());
        if self.followed.wish() == Wish::Nodes {
            self.shared.tally.synced();
        }
    }

    async fn list(&mut self) -> End {
        self.followed.begin();
        let mut next = String::new();
        loop {
            let mut params = ListParams::default().limit(PAGE);
            if !next.is_empty() {
                params = params.continue_token(&next);
            }
            let page: Page<F::Object> = match self.page(params).await {
                Ok(page) => page,
                Err(failure) => return End::Failed(failure),
            };
            page.items.into_iter().for_each(|it| self.followed.seen(it));
            next = page.metadata.next;
            if next.is_empty() {
                self.complete();
                self.backoff.end();
                self.fulfilled();
                return End::Listed(page.metadata.resource_version);
            }
        }
    }

    async fn page(&self, params: ListParams) -> Result<Page<F::Object>, Failure> {
        let request = self
            .followed
            .list(params)
            .map_err(|error| unsendable(&error))?;
        self.shared.api.fetch(Verb::List, &request).await
    }
}

/// Seconds after which the server is to end a watch.
fn length() -> u32 {
    let (shortest, longest) = WATCH;
    let spread = Duration::from_secs((longest - shortest).into()).mul_f64(fraction());
    shortest + u32::try_from(spread.as_secs()).unwrap_or(0)
}

fn unsendable(error: &kube::core::request::Error) -> Failure {
    Failure::below(Cause::Configuration, error)
}
