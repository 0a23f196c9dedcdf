// SPDX-License-Identifier: Apache-2.0
//! What is known of one node.

use ipnetwork::IpNetwork;
use tokio::time::Instant;
use topology::{Fault, Node};

use crate::annotations::{Announced, Prefix};

/// A server that has failed so often at one node, for a minute by then, may do so for ever.
pub(crate) const MOST_TIMES: u32 = 6;

/// Another node. There are thousands of these.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) uid: Box<str>,
    /// When it was created, in seconds since 1970.
    pub(crate) since: u64,
    /// The last list that had it.
    pub(crate) round: u32,
    pub(crate) standing: Standing,
    pub(crate) pods: Pods,
}

/// What a node's annotations make of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is not a member of the overlay, or not yet.
    Outside,
    Member(Announced),
    Unreadable {
        fault: Box<Fault>,
        /// What they said before, as long as that could be read.
        last: Option<Announced>,
    },
}

/// What is known of a node's pod CIDRs, which never change once they are there.
#[derive(Debug)]
pub(crate) enum Pods {
    Unasked,
    /// It had none when it was asked for them; they are asked for again when the node has changed.
    Awaited {
        asked: Instant,
        again: bool,
    },
    Known(Box<[IpNetwork]>),
    Unreadable(Box<Fault>),
    /// The API server could not say, more than so many times; it is asked again by itself.
    Failed {
        asked: Instant,
        times: u32,
        fault: Box<Fault>,
    },
}

impl Standing {
    pub(crate) fn first(said: Result<Option<Announced>, Fault>) -> Self {
        match said {
            Ok(Some(announced)) => Self::Member(announced),
            Ok(None) => Self::Outside,
            Err(fault) => Self::unreadable(fault),
        }
    }

    fn unreadable(fault: Fault) -> Self {
        Self::Unreadable {
            fault: Box::new(fault),
            last: None,
        }
    }

    /// What the annotations say, or said when they could last be read.
    const fn last(&self) -> Option<Announced> {
        match self {
            Self::Outside => None,
            Self::Member(announced) => Some(*announced),
            Self::Unreadable { last, .. } => *last,
        }
    }

    /// What follows on this. A member whose annotations vanish has not left: somebody has taken
    /// them away, and they will be back. It has left when its Node goes.
    fn next(&self, said: Result<Option<Announced>, Fault>, prefix: &Prefix) -> Self {
        let mut next = Self::first(said);
        if *self != Self::Outside && next == Self::Outside {
            next = Self::unreadable(Fault::Unreadable {
                what: format!("annotation {}", prefix.key("kube-subnet-manager")),
                why: "it was \"true\" and is so no longer".to_owned(),
            });
        }
        if let Self::Unreadable { last, .. } = &mut next {
            *last = self.last();
        }
        next
    }
}

impl Pods {
    /// The node has changed, if only by a label.
    pub(crate) const fn touched(&mut self) {
        if let Self::Awaited { again, .. } = self {
            *again = true;
        }
    }
}

impl Entry {
    pub(crate) const fn new(uid: Box<str>, since: u64, round: u32, standing: Standing) -> Self {
        Self {
            uid,
            since,
            round,
            standing,
            pods: Pods::Unasked,
        }
    }

    /// A member as it was known at an earlier time, before all lists.
    pub(crate) fn remembered(uid: Box<str>, node: Node) -> (Box<str>, Self) {
        let announced = Announced {
            underlay: node.underlay,
            mac: node.mac,
            mac_v6: node.mac_v6,
        };
        let mut entry = Self::new(uid, node.since, 0, Standing::Member(announced));
        entry.pods = Pods::Known(node.pod_cidrs.into());
        (node.name.into(), entry)
    }

    /// Takes what the annotations say now; returns whether that shows.
    pub(crate) fn stand(
        &mut self,
        said: Result<Option<Announced>, Fault>,
        prefix: &Prefix,
    ) -> bool {
        let next = self.standing.next(said, prefix);
        if next == self.standing {
            return false;
        }
        let visible = self.is_visible();
        self.standing = next;
        visible || self.is_visible()
    }

    /// The node, if all of it is known.
    pub(crate) fn node(&self, name: &str) -> Option<Node> {
        let is_member = matches!(self.standing, Standing::Member(_));
        self.last_node(name).filter(|_| is_member)
    }

    /// The node as it was when all of it was known.
    pub(crate) fn last_node(&self, name: &str) -> Option<Node> {
        let (Some(announced), Pods::Known(cidrs)) = (self.standing.last(), &self.pods) else {
            return None;
        };
        Some(Node {
            name: name.to_owned(),
            underlay: announced.underlay,
            mac: announced.mac,
            mac_v6: announced.mac_v6,
            pod_cidrs: cidrs.to_vec(),
            since: self.since,
        })
    }

    /// What of it cannot be understood.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match (&self.standing, &self.pods) {
            (Standing::Unreadable { fault, .. }, _)
            | (Standing::Member(_), Pods::Unreadable(fault) | Pods::Failed { fault, .. }) => {
                Some(fault)
            }
            _ => None,
        }
    }

    /// Whether a snapshot has it.
    pub(crate) fn is_visible(&self) -> bool {
        let complete = matches!(
            (&self.standing, &self.pods),
            (Standing::Member(_), Pods::Known(_))
        );
        complete || self.fault().is_some()
    }

    /// Whether its pod CIDRs are needed and were never asked for.
    pub(crate) const fn is_unasked(&self) -> bool {
        matches!(
            (&self.standing, &self.pods),
            (Standing::Member(_), Pods::Unasked)
        )
    }

    /// Whether the server has failed at its pod CIDRs, and may still succeed.
    pub(crate) const fn is_doubtful(&self) -> bool {
        matches!(
            (&self.standing, &self.pods),
            (Standing::Member(_), Pods::Failed { times, .. }) if *times < MOST_TIMES
        )
    }

    /// Whether its pod CIDRs are needed and are to be asked for, if not at once.
    pub(crate) const fn wants_pods(&self) -> bool {
        matches!(
            (&self.standing, &self.pods),
            (
                Standing::Member(_),
                Pods::Unasked | Pods::Awaited { again: true, .. } | Pods::Failed { .. }
            )
        )
    }
}
