// SPDX-License-Identifier: Apache-2.0
//! The task that keeps the own Node saying what it should. It knows no events: whatever has
//! happened, it compares what is wished with what is there.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::Announcement;
use super::lane::{Lane, Part};
use super::pace::Remark;
use crate::object::Whole;
use crate::shared::Shared;
use crate::tally::Verb;

/// So long is the answer to a write believed more than what the watch shows: then the watch has
/// shown the write, or the cluster's memory is not the one that we wrote to.
const LAG: Duration = Duration::from_secs(5);

/// Writes the own Node for as long as anybody wishes and watches.
pub(crate) async fn keep(shared: &Shared) {
    let (mut wish, mut seen) = (shared.announcement.subscribe(), shared.own.subscribe());
    let mut writing = Writing {
        shared,
        status: Lane::default(),
        taints: Lane::default(),
        written: None,
    };
    loop {
        let wished = wish.borrow_and_update().clone();
        let present = seen.borrow_and_update().clone();
        let due = match (wished, present) {
            (Some(wished), Some(present)) => writing.compare(&wished, &present).await,
            _ => None,
        };
        tokio::select! {
            changed = wish.changed() => if changed.is_err() { return },
            changed = seen.changed() => if changed.is_err() { return },
            () = shared.api.answered(), if writing.seeks() => writing.found(),
            () = until(due) => {}
        }
    }
}

/// The Node after a write of ours.
#[derive(Debug)]
struct Written {
    node: Arc<Whole>,
    at: Instant,
    /// What the watch showed then.
    over: Arc<Whole>,
}

#[derive(Debug)]
struct Writing<'a> {
    shared: &'a Shared,
    status: Lane,
    taints: Lane,
    written: Option<Written>,
}

impl Writing<'_> {
    /// Writes what is due; returns when to compare again even if nothing happens.
    async fn compare(&mut self, wish: &Announcement, seen: &Arc<Whole>) -> Option<Instant> {
        let status = self.attend(Part::Status, wish, seen).await;
        let taints = self.attend(Part::Taints, wish, seen).await;
        let lag = self.written.as_ref().map(|written| written.at + LAG);
        let lag = lag.filter(|lag| *lag > Instant::now());
        [status, taints, lag].into_iter().flatten().min()
    }

    async fn attend(
        &mut self,
        part: Part,
        wish: &Announcement,
        seen: &Arc<Whole>,
    ) -> Option<Instant> {
        let (present, now) = (self.present(seen), Instant::now());
        let Some(patch) = part.patch(wish, &self.shared.prefix, &present) else {
            let lane = self.lane(part);
            lane.recovered();
            let remark = lane.pace.rests(now);
            let ends = lane.pace.ends();
            self.remark(part, remark);
            self.shared.fulfilled(part.wish());
            return ends;
        };
        if let Some(due) = self.lane(part).due().filter(|due| *due > now) {
            return Some(due);
        }
        let request = part.request(&self.shared.node, &patch);
        match self.shared.api.fetch::<Whole>(Verb::Patch, &request).await {
            Ok(node) => self.granted(part, wish, node, seen),
            Err(failure) => {
                if self.lane(part).failed(Instant::now(), &failure) {
                    let sentence = part.sentence(&self.shared.node, &failure);
                    self.shared.trouble(part.wish(), &sentence);
                }
            }
        }
        self.lane(part).due()
    }

    fn granted(&mut self, part: Part, wish: &Announcement, node: Whole, seen: &Arc<Whole>) {
        let now = Instant::now();
        self.shared.tally.patched();
        self.shared.fulfilled(part.wish());
        let lane = self.lane(part);
        let again = lane.succeeded(wish);
        let remark = lane.pace.wrote(now, again);
        self.remark(part, remark);
        self.written = Some(Written {
            node: Arc::new(node),
            at: now,
            over: Arc::clone(seen),
        });
    }

    /// What the Node says now: what the watch shows, unless that is from before our last write.
    fn present(&mut self, seen: &Arc<Whole>) -> Arc<Whole> {
        let behind = |written: &Written| {
            let waits = written.over == *seen || written.at.elapsed() < LAG;
            waits && seen.is_before(&written.node)
        };
        match &self.written {
            Some(written) if behind(written) => Arc::clone(&written.node),
            _ => {
                self.written = None;
                Arc::clone(seen)
            }
        }
    }

    const fn seeks(&self) -> bool {
        self.status.seeks() || self.taints.seeks()
    }

    fn found(&mut self) {
        self.status.found();
        self.taints.found();
    }

    fn lane(&mut self, part: Part) -> &mut Lane {
        match part {
            Part::Status => &mut self.status,
            Part::Taints => &mut self.taints,
        }
    }

    fn remark(&self, part: Part, remark: Option<Remark>) {
        let node = &self.shared.node;
        let what = match part {
            Part::Status => "annotations or the NetworkUnavailable condition",
            Part::Taints => "start-up taints",
        };
        match remark {
            Some(Remark::Dispute(times)) => warn!(
                "somebody else keeps changing the {what} of node {node}: they were written {times} \
                 times, from now on at most once a second"
            ),
            Some(Remark::Settled(times)) => {
                info!("nobody changes the {what} of node {node} any more; written {times} times");
            }
            None => {}
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
