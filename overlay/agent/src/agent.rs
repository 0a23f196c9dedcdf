// SPDX-License-Identifier: Apache-2.0
//! The loop: what has changed, what has to be done about it, and when.
//!
//! It is level-triggered. Whatever is heard of only makes a reading of the list or a look at the
//! kernel due; what is then found there decides what is done.

use std::time::{Duration, Instant};

use tokio::time::sleep_until;
use topology::State;
use tracing::{debug, info, warn};

use crate::agenda::{Agenda, Cause, Look, Scope};
use crate::belief::{Belief, Doubt, Verdict};
use crate::believed::{Believed, Changes, Unusable};
use crate::cli::origin;
use crate::journal::Journal;
use crate::kernel::{Heard, Kernel};
use crate::observed::{Observed, Reading};
use crate::overlay::NodeOverlay;
use crate::publication::Publication;
use crate::signals::{Order, Signals};
use crate::source::Source;
use crate::standing::{Outcome, Standing};

/// A list that cannot be used is read again after this time, for reasons of which nobody tells.
const REREAD: Duration = Duration::from_secs(30);

/// The agent of one node.
#[derive(Debug)]
pub(crate) struct Agent<S> {
    source: S,
    overlay: NodeOverlay,
    agenda: Agenda,
    belief: Belief,
    standing: Standing,
    publication: Publication,
    journal: Journal,
    observed: Observed,
}

/// Why the loop goes on.
#[derive(Debug)]
enum Wake {
    Ordered(Order),
    ListChanged,
    Told(Heard),
    Due,
}

impl<S: Source> Agent<S> {
    pub(crate) fn new(
        source: S,
        overlay: NodeOverlay,
        agenda: Agenda,
        belief: Belief,
        publication: Publication,
        observed: Observed,
    ) -> Self {
        Self {
            source,
            overlay,
            agenda,
            belief,
            standing: Standing::default(),
            publication,
            journal: Journal::begin(),
            observed,
        }
    }

    /// Works until it is ordered to end.
    pub(crate) async fn run(mut self, mut kernel: Kernel, mut signals: Signals) {
        loop {
            let wake = tokio::select! {
                order = signals.next() => Wake::Ordered(order),
                () = self.source.changed() => Wake::ListChanged,
                heard = kernel.hear(self.overlay.devices()) => Wake::Told(heard),
                () = sleep_until(self.agenda.next().into()) => Wake::Due,
            };
            self.observed.turns(Instant::now());
            match wake {
                Wake::Ordered(Order::End) => return self.end(),
                Wake::Ordered(Order::Read) | Wake::ListChanged => {
                    self.agenda.read_soon(Instant::now());
                }
                Wake::Told(heard) => self.consider(heard),
                Wake::Due => {}
            }
            if self.work().await {
                kernel.watch_files(self.overlay.device_names());
            }
        }
    }

    /// Does what is due. Says whether there was anything.
    async fn work(&mut self) -> bool {
        let read = self.agenda.take_reading(Instant::now());
        if read {
            self.read().await;
        }
        if self.agenda.take_glance(Instant::now()) {
            self.glance();
        }
        let look = self.agenda.take_look(Instant::now());
        if let Some(look) = look {
            self.look(look);
        }
        read || look.is_some()
    }

    /// What is known to be due is done before the end: nobody does it afterwards.
    fn end(&mut self) {
        if self.agenda.take_any_glance() {
            self.glance();
        }
        if let Some(look) = self.agenda.take_any_look() {
            self.look(look);
        }
    }

    /// Decides how much has to be looked at after the kernel told of changes.
    fn consider(&mut self, heard: Heard) {
        if self.overlay.believed().is_none() {
            // Who this node is may depend on its addresses.
            if heard.host {
                self.agenda.read_soon(Instant::now());
            }
            return;
        }
        let now = Instant::now();
        let mut due = |scope, cause| self.agenda.look_soon(now, Look { scope, cause });
        if heard.overlay {
            due(Scope::Everything, Cause::Notification);
        } else if heard.ruleset {
            due(Scope::Guard, Cause::Notification);
        }
        if heard.host {
            self.agenda.glance_soon(now);
        }
    }

    /// Decides how much has to be looked at after something of the host changed.
    fn glance(&mut self) {
        let begun = Instant::now();
        let disturbed = self.overlay.disturbed();
        // What keeps the overlay from being made may be any link: one with its device's port.
        let thwarted = (!self.standing.converged()).then_some(Scope::Everything);
        let now = Instant::now();
        if self.source.is_outdated_by_host() {
            self.agenda.read_soon(now);
        }
        if let Some(scope) = disturbed.max(thwarted) {
            let cause = Cause::Host;
            self.agenda.look_soon(now, Look { scope, cause });
        }
        self.agenda.has_glanced(begun, now);
    }

    /// Reads the list, and believes it or not.
    async fn read(&mut self) {
        let begun = Instant::now();
        let answer = match self.source.read().await {
            Ok(None) => return,
            Ok(Some(list)) => self.overlay.consider(list),
            Err(error) => Err(error.into()),
        };
        let now = Instant::now();
        let doubt = self.doubt(&answer);
        match self.belief.weigh(now, doubt) {
            Verdict::Believe => self.conclude(answer),
            Verdict::AskAgain(when) => {
                self.observed.has_read(Reading::Doubted);
                if doubt == Some(Doubt::NoPeers) {
                    self.journal.doubts();
                }
                self.agenda.read_at(when);
            }
        }
        self.agenda.has_read(begun, now);
    }

    fn doubt(&self, answer: &Result<Believed, Unusable>) -> Option<Doubt> {
        let Ok(list) = answer else {
            return Some(Doubt::Unusable);
        };
        let peers = match self.overlay.believed() {
            Some(believed) => believed.cluster.peers().len(),
            None => self
                .publication
                .last()
                .map_or(0, |state| state.peers_wished),
        };
        (peers > 0 && list.cluster.peers().is_empty()).then_some(Doubt::NoPeers)
    }

    /// Takes what the source says for what it means.
    fn conclude(&mut self, answer: Result<Believed, Unusable>) {
        match answer {
            Ok(list) => {
                self.observed.believes(&list.complaints);
                self.journal.believes(&list.complaints);
                self.adopt(list);
            }
            Err(error) => {
                self.observed.has_read(Reading::Unusable);
                self.journal.refuses(&error);
                self.agenda.read_at(Instant::now() + REREAD);
            }
        }
        self.publish();
    }

    /// Has the kernel follow a list. The kernel tells of what is written then, and so a look at
    /// everything comes after it.
    fn adopt(&mut self, list: Believed) {
        match self.overlay.believed() {
            None => self.remove_other(&list),
            Some(before) if before.says_the_same_as(&list) => return,
            Some(before) => {
                let changes = Changes::between(&before.cluster, &list.cluster);
                self.journal.follows(changes);
            }
        }
        let begun = Instant::now();
        let (scope, outcome) = if self.standing.converged() {
            (Scope::Guard, self.overlay.follow(list))
        } else {
            // What is wrong with other peers has to be seen to as well.
            self.overlay.believe(list);
            (Scope::Everything, self.overlay.look(Scope::Everything))
        };
        self.conclude_look(begun, Cause::List, scope, &outcome);
    }

    /// Removes what an earlier run made with another VNI, or with flannel's device.
    fn remove_other(&self, list: &Believed) {
        let Some(State {
            settings,
            takes_over,
            devices,
            ..
        }) = self.publication.last()
        else {
            return;
        };
        // Without devices nothing was made.
        let now = (list.settings.vni, self.overlay.wishes().takes_over());
        if devices.is_empty() || (settings.vni, *takes_over) == now {
            return;
        }
        info!(
            vni = settings.vni.get(),
            takes_over, "removing the overlay of other settings"
        );
        for error in self.overlay.remove(settings, origin(*takes_over)) {
            warn!("{error}");
        }
    }

    /// Looks at the kernel, makes right what is not, and says so.
    fn look(&mut self, Look { scope, cause }: Look) {
        let begun = Instant::now();
        let outcome = self.overlay.look(scope);
        self.conclude_look(begun, cause, scope, &outcome);
        self.publish();
    }

    fn conclude_look(&mut self, begun: Instant, cause: Cause, scope: Scope, outcome: &Outcome) {
        let now = Instant::now();
        let seconds = (now - begun).as_secs_f64();
        debug!(%cause, ?scope, seconds, "looked");
        self.agenda.has_looked(begun, now, scope, outcome.failed());
        if let Some(believed) = self.overlay.believed() {
            self.observed.looked(cause, now - begun, outcome);
            self.standing.note(&believed.cluster, outcome);
            self.journal.looked(cause, outcome, &self.standing, now);
        }
    }

    fn publish(&mut self) {
        if let Some(believed) = self.overlay.believed() {
            self.source.hear(&believed.cluster, &self.standing);
        }
        self.publication.remembers(self.source.remembered());
        let errors = self.journal.last_error().into_iter();
        let errors: Vec<_> = errors
            .chain(self.source.troubles().iter().cloned())
            .collect();
        let last_error = (!errors.is_empty()).then(|| errors.join("; "));
        self.observed
            .stands(&self.overlay, &self.standing, last_error.as_ref());
        self.publication
            .publish(&self.overlay, &self.standing, last_error);
    }
}
