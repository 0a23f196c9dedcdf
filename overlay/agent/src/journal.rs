// SPDX-License-Identifier: Apache-2.0
//! What is said in the log: each thing once, and nothing while nothing happens.

mod repairs;
mod troubles;

use std::time::Instant;

use topology::Complaint;
use tracing::{info, warn};

use crate::agenda::Cause;
use crate::believed::{Changes, Unusable};
use crate::standing::{Operations, Outcome, Standing};
use repairs::{Repairs, Saying};
pub(crate) use troubles::Troubles;

/// What has been said.
#[derive(Debug)]
pub(crate) struct Journal {
    begun: Instant,
    list: Troubles,
    doubted: bool,
    complaints: Troubles,
    kernel: Troubles,
    foreign: Troubles,
    repairs: Repairs,
    converged: bool,
}

impl Journal {
    /// The journal of an agent that begins now.
    pub(crate) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            list: Troubles::grave("the list of nodes"),
            doubted: false,
            complaints: Troubles::slight("entries of the list"),
            kernel: Troubles::grave("the overlay"),
            foreign: Troubles::slight("other programs' routes"),
            repairs: Repairs::default(),
            converged: false,
        }
    }

    /// A list has no peers, where there were some.
    pub(crate) fn doubts(&mut self) {
        if !self.doubted {
            warn!("the list has no peer any more; it is read again before that is believed");
        }
        self.doubted = true;
    }

    /// A list is believed.
    pub(crate) fn believes(&mut self, complaints: &[Complaint]) {
        self.doubted = false;
        self.list.are([]);
        self.complaints
            .are(complaints.iter().map(ToString::to_string));
    }

    /// A list is not believed.
    pub(crate) fn refuses(&mut self, why: &Unusable) {
        self.list.are([why.to_string()]);
    }

    /// A list is another one than before.
    pub(crate) fn follows(
        &self,
        Changes {
            came,
            went,
            changed,
        }: Changes,
    ) {
        info!(came, went, changed, "the list of nodes changed");
    }

    /// A look found and did something, or nothing.
    pub(crate) fn looked(
        &mut self,
        cause: Cause,
        outcome: &Outcome,
        standing: &Standing,
        now: Instant,
    ) {
        self.kernel.are(standing.errors().cloned());
        if let Some(foreign) = &outcome.foreign {
            self.foreign.are(foreign.iter().cloned());
        }
        if standing.converged() && !self.converged {
            self.converged = true;
            let seconds = (now - self.begun).as_secs_f64();
            info!(
                peers = standing.programmed,
                seconds, "the overlay is usable"
            );
            return;
        }
        let operations = outcome.operations();
        match cause {
            _ if operations.is_empty() => {
                if let Some(repairs) = self.repairs.rest(now) {
                    info!(repairs, "nobody undoes repairs any more");
                }
            }
            Cause::List => info!(operations = operations.to_string(), "programmed the list"),
            Cause::Host => {
                info!(
                    operations = operations.to_string(),
                    "adapted the overlay to the host"
                );
            }
            Cause::Notification | Cause::Audit | Cause::Retry => {
                self.repaired(cause, &operations, now);
            }
        }
    }

    fn repaired(&mut self, cause: Cause, operations: &Operations, now: Instant) {
        let saying = self.repairs.note(now, operations);
        let operations = operations.to_string();
        match saying {
            Saying::Repair => info!(%cause, operations, "repaired the overlay"),
            Saying::Quarrel => warn!(
                operations,
                "another program keeps undoing repairs; they go on, and are not told one by one"
            ),
            Saying::Nothing => {}
        }
    }

    /// What is wrong with the overlay and with the list, in a sentence.
    pub(crate) fn last_error(&self) -> Option<String> {
        let sentences = [&self.kernel, &self.list].map(Troubles::sentence);
        let sentences: Vec<_> = sentences.into_iter().flatten().collect();
        (!sentences.is_empty()).then(|| sentences.join("; "))
    }
}
