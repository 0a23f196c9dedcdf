// SPDX-License-Identifier: Apache-2.0
//! Asking for the pod CIDRs of the nodes that have become members. They are not in the metadata,
//! and they never change, so each node is asked for once.

use std::collections::BTreeSet;
use std::future::pending;

use futures::StreamExt;
use futures::stream;
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
    loop {
        let wanted = shared.store().wanted(Instant::now());
        if wanted.names.is_empty() {
            wait(shared, wanted.more).await;
            continue;
        }
        let (known, _) = shared.store().count();
        let mut asked = None;
        if wanted.names.len() > FEW.max(known / PART) {
            asked = Some(list(shared, &wanted.names).await);
        }
        let asked = match asked {
            Some(asked) if !is_garbage(&asked) => asked,
            // It may be one node that spoils a page, or makes it longer than any may be.
            _ => get(shared, wanted.names).await,
        };
        match asked {
            Ok(()) => {
                backoff.end();
                shared.fulfilled(Wish::PodCidrs);
            }
            Err(failure) => {
                let sentence =
                    format!("cannot read the pod CIDRs of the cluster's Nodes: {failure}");
                shared.trouble(Wish::PodCidrs, &sentence);
                shared.pause(&mut backoff, &failure).await;
            }
        }
    }
}

fn is_garbage(asked: &Result<(), Failure>) -> bool {
    matches!(asked, Err(failure) if failure.cause == Cause::Garbage)
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

/// Asks for each node. The first failure that is not about one node ends it.
async fn get(shared: &Shared, names: Vec<String>) -> Result<(), Failure> {
    let requests = names.into_iter().map(|name| async move {
        let answer = get_one(shared, &name).await;
        (name, answer)
    });
    let mut answers = stream::iter(requests).buffer_unordered(AT_ONCE);
    while let Some((name, answer)) = answers.next().await {
        let answer = answer?;
        shared.update(|store| store.answered([(name, answer)], Instant::now()));
    }
    Ok(())
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
