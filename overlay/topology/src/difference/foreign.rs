// SPDX-License-Identifier: Apache-2.0
//! Others' routes that keep the overlay from working. They are reported, never touched.

use std::fmt;

use super::HeldRoute;

/// A route that another program, or a person, made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Foreign {
    /// The route.
    pub route: HeldRoute,
    /// What it keeps from working.
    pub obstacle: Obstacle,
}

/// How a route is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Obstacle {
    /// It leads packets to this node's own pods away from the node: a leftover of a time when
    /// another node had the pod CIDR.
    OwnPodCidr,
    /// It leads to a peer's pods, and the kernel prefers its metric to ours.
    Preferred,
    /// It leads to a peer's pods with the metric that ours would have, so that ours cannot be made
    /// without replacing it.
    InPlace,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consequence = match self.obstacle {
            Obstacle::OwnPodCidr => "leads packets to this node's own pods away",
            Obstacle::Preferred => "takes precedence over the overlay's route",
            Obstacle::InPlace => "stands in the place of the overlay's route",
        };
        write!(f, "another program's route {} {consequence}", self.route)
    }
}
