// SPDX-License-Identifier: Apache-2.0
//! Asking for the pod CIDRs of the nodes that have become members. They are not in the metadata,
//! and they never change, so each node is asked for once.

use std::collections::BTreeSet;
use std::future::pending;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use kube::api::{GetParams, ListParams};
use kube::core::request::Request as Requests;
use tokio::time::{Instant, sleep_until};
use topology::Fault;

use crate::backoff::Backoff;
use crate::failure::{Cause, Failure};
use crate::object::{Page, PodCidrs};
use crate::own::pod_cidrs;
use crate::shared::Shared;
use crate::store::Answer;
use crate::tally::Verb;
use crate::troubles::Wish;
use crate::watch::NODES;

/// Up to so many nodes are asked for one by one. If they are more, and more than this part of all
/// nodes, all are listed: compressed, a list costs each of its nodes a tenth of a request.
const FEW: usize = 64;
const PART: usize = 10;
/// How many are asked for at a time.
const AT_ONCE: usize = 8;
/// How many Nodes a page of the list has: whole ones, of 15 kB and more, of which one page is in
/// memory at a time.
const PAGE: u32 = 100;

/// Asks whenever somebody is wanted.
pub(crate) async fn ask(shared: &Shared) {
    let mut backoff = Backoff::default();
    let mut asking = Asking::of(shared);
    loop {
        match asking.go_on().await {
            Ok(()) => {
                backoff.end();
                shared.fulfilled(Wish::PodCidrs);
            }
            Err(failure) => {
                asking = Asking::of(shared);
                let sentence =
                    format!("cannot read the pod CIDRs of the cluster's Nodes: {failure}");
                shared.trouble(Wish::PodCidrs, &sentence);
                shared.pause(&mut backoff, &failure).await;
            }
        }
    }
}

/// The nodes that are asked for one by one. One that does not answer keeps nobody else waiting.
struct Asking<'a> {
    shared: &'a Shared,
    /// Who is to be asked for next.
    next: Vec<String>,
    /// Who is being asked for.
    names: BTreeSet<String>,
    answers: FuturesUnordered<BoxFuture<'a, (String, Result<Answer, Failure>)>>,
}

impl<'a> Asking<'a> {
    fn of(shared: &'a Shared) -> Self {
        Self {
            shared,
            next: Vec::new(),
            names: BTreeSet::new(),
            answers: FuturesUnordered::new(),
        }
    }

    /// Gets on by an answer. The first failure that is not about one node ends it.
    async fn go_on(&mut self) -> Result<(), Failure> {
        loop {
            let more = self.look_up();
            if self.is_for_a_list() {
                match list(self.shared, &self.next).await {
                    // It may be one node that spoils a page, or makes it longer than any may be.
                    Err(failure) if failure.cause == Cause::Garbage => {}
                    listed => {
                        self.next.clear();
                        return listed;
                    }
                }
            }
            self.begin();
            tokio::select! {
                answer = self.answers.select_next_some(), if !self.answers.is_empty() => {
                    return self.take(answer);
                }
                () = wait(self.shared, more) => self.next.clear(),
            }
        }
    }

    /// Learns who is wanted, unless that is still known; returns when there will be more.
    fn look_up(&mut self) -> Option<Instant> {
        if !self.next.is_empty() {
            return None;
        }
        let wanted = self.shared.store().wanted(Instant::now());
        self.next = wanted.names;
        self.next.retain(|name| !self.names.contains(name));
        wanted.more
    }

    fn is_for_a_list(&self) -> bool {
        let (known, _) = self.shared.store().count();
        self.names.is_empty() && self.next.len() > FEW.max(known / PART)
    }

    /// Asks for as many as may be asked for at a time.
    fn begin(&mut self) {
        while self.names.len() < AT_ONCE
            && let Some(name) = self.next.pop()
        {
            let shared = self.shared;
            self.names.insert(name.clone());
            let answer = async move {
                let answer = get_one(shared, &name).await;
                (name, answer)
            };
            self.answers.push(answer.boxed());
        }
    }

    fn take(&mut self, (name, answer): (String, Result<Answer, Failure>)) -> Result<(), Failure> {
        self.names.remove(&name);
        let answer = answer?;
        let shared = self.shared;
        shared.update(|store| store.answered([(name, answer)], Instant::now()));
        Ok(())
    }
}

/// Waits until somebody else is wanted.
async fn wait(shared: &Shared, more: Option<Instant>) {
    let due = async {
        match more {
            Some(more) => sleep_until(more).await,
            None => pending().await,
        }
    };
    tokio::select! {
        () = shared.wanted.notified() => {}
        () = due => {}
    }
}

async fn get_one(shared: &Shared, name: &str) -> Result<Answer, Failure> {
    let request = Requests::new(NODES).get(name, &GetParams::default());
    let request = request.map_err(|error| Failure::below(Cause::Garbage, &error));
    let node: Result<PodCidrs, Failure> = match &request {
        Ok(request) => shared.api.fetch(Verb::Get, request).await,
        Err(failure) => Err(failure.clone()),
    };
    match node {
        Ok(node) => Ok(answer(node).1),
        Err(failure) => match failure.cause {
            Cause::NotFound => Ok(Answer::Absent),
            // An answer that does not come, or not to its end, may be this node's as well.
            Cause::Server | Cause::Garbage | Cause::Refused | Cause::Silence | Cause::Cut => {
                Ok(Answer::Failed(failure.why))
            }
            _ => Err(failure),
        },
    }
}

/// Lists all Nodes for the sake of these.
async fn list(shared: &Shared, names: &[String]) -> Result<(), Failure> {
    let mut missing: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut next = String::new();
    loop {
        let mut params = ListParams::default().limit(PAGE);
        if !next.is_empty() {
            params = params.continue_token(&next);
        }
        let request = Requests::new(NODES).list(&params);
        let request = request.map_err(|error| Failure::below(Cause::Configuration, &error))?;
        let page: Page<PodCidrs> = shared.api.fetch(Verb::List, &request).await?;
        let answers = page.items.into_iter().map(answer);
        let answers: Vec<_> = answers
            .filter(|(name, _)| missing.remove(name.as_str()))
            .collect();
        shared.update(|store| store.answered(answers, Instant::now()));
        next = page.metadata.next;
        if next.is_empty() {
            break;
        }
    }
    let absent = missing
        .into_iter()
        .map(|name| (name.to_owned(), Answer::Absent));
    shared.update(|store| store.answered(absent, Instant::now()));
    Ok(())
}

fn answer(node: PodCidrs) -> (String, Answer) {
    let cidrs: Result<_, Fault> = pod_cidrs(node.spec.pod_cidrs());
    let answer = Answer::Pods(node.metadata.uid, cidrs);
    (node.metadata.name, answer)
}
