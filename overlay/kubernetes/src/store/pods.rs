// SPDX-License-Identifier: Apache-2.0
//! Whose pod CIDRs are to be asked for, and what came of it.

use std::time::Duration;

use ipnetwork::IpNetwork;
use tokio::time::Instant;
use topology::Fault;
use tracing::debug;

use super::entry::MOST_TIMES;
use super::{Effect, Entry, Pods, Store};

/// A node is not asked for again sooner than this,
const PATIENCE: Duration = Duration::from_secs(1);
/// and where the server fails at it no later than this.
const LONGEST: Duration = Duration::from_secs(60);

/// The nodes whose pod CIDRs are to be asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Now.
    pub(crate) names: Vec<String>,
    /// The time at which there will be more of them.
    pub(crate) more: Option<Instant>,
}

/// What the API server says of a node's pod CIDRs.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The node of this identity has these.
    Pods(Box<str>, Result<Vec<IpNetwork>, Fault>),
    /// There is no such node (any more).
    Absent,
    /// It cannot say.
    Failed(String),
}

impl Store {
    /// Whose pod CIDRs are to be asked for. While a list comes in nobody's are: at its end they
    /// may be so many that another list is the better way.
    pub(crate) fn wanted(&self, now: Instant) -> Wanted {
        let mut wanted = Wanted::default();
        if self.listing {
            return wanted;
        }
        for (name, entry) in self.entries.iter().filter(|(_, it)| it.wants_pods()) {
            match entry.pods.due() {
                Some(due) if due > now => {
                    wanted.more = Some(wanted.more.map_or(due, |more| more.min(due)));
                }
                _ => wanted.names.push(name.to_string()),
            }
        }
        wanted
    }

    /// Takes what the API server says of some nodes' pod CIDRs. Those of a node that is not the
    /// one that is known now say nothing: the watch will tell of it.
    pub(crate) fn answered(
        &mut self,
        answers: impl IntoIterator<Item = (String, Answer)>,
        now: Instant,
    ) -> Effect {
        let mut changed = false;
        for (name, answer) in answers {
            let entry = self.entries.get_mut(name.as_str());
            if let Some(entry) = entry.filter(|entry| entry.wants_pods()) {
                let visible = entry.is_visible();
                entry.answered(&name, answer, now);
                changed |= visible || entry.is_visible();
            }
        }
        self.effect(changed, false)
    }
}

impl Entry {
    fn answered(&mut self, name: &str, answer: Answer, now: Instant) {
        let awaited = |again| Pods::Awaited { asked: now, again };
        self.pods = match answer {
            Answer::Pods(uid, Ok(cidrs)) if uid == self.uid && cidrs.is_empty() => {
                debug!("node {name} has no pod CIDRs yet");
                awaited(false)
            }
            Answer::Pods(uid, Ok(cidrs)) if uid == self.uid => Pods::Known(cidrs.into()),
            Answer::Pods(uid, Err(fault)) if uid == self.uid => Pods::Unreadable(Box::new(fault)),
            // The watch has not come as far as the answer.
            Answer::Pods(..) | Answer::Absent => awaited(true),
            Answer::Failed(why) => self.pods.failed(why, now),
        };
    }
}

impl Pods {
    /// When to ask again; none: at once.
    fn due(&self) -> Option<Instant> {
        match self {
            Self::Awaited { asked, .. } => Some(*asked + PATIENCE),
            Self::Failed { asked, times, .. } => {
                let pause = PATIENCE * 2_u32.saturating_pow(*times);
                Some(*asked + pause.min(LONGEST))
            }
            _ => None,
        }
    }

    fn failed(&self, why: String, now: Instant) -> Self {
        let times = match self {
            Self::Failed { times, .. } => (*times + 1).min(MOST_TIMES),
            _ => 0,
        };
        let what = "pod CIDRs".to_owned();
        Self::Failed {
            asked: now,
            times,
            fault: Box::new(Fault::Unreadable { what, why }),
        }
    }
}
