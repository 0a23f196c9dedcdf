// SPDX-License-Identifier: Apache-2.0
//! What is known of a cluster's Nodes at a moment.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use topology::{Fault, Node, Unreadable};

use crate::annotations::OwnAnnotations;

/// All that is known at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Where it comes from.
    pub origin: Origin,
    /// The other nodes of the overlay whose entries are complete.
    pub peers: Vec<Node>,
    /// The other nodes of the overlay that cannot be understood.
    pub unreadable: Vec<Unreadable>,
    /// Whether there may be more peers than these, so that nothing is to be removed for want of an
    /// entry.
    pub partial: bool,
    /// This node; none: there is no such Node object, or nothing is known yet.
    pub own: Option<OwnNode>,
    /// Why the API server cannot be used now, in a sentence.
    pub trouble: Option<String>,
}

/// Where knowledge comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nothing is known yet.
    #[default]
    Nothing,
    /// From an earlier time: there may be other nodes by now.
    Cached,
    /// From the API server, as a whole.
    Live,
}

/// What the own Node says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnNode {
    /// The identity of the object: another one has taken the place when it differs.
    pub uid: String,
    /// The networks of this node's pods; empty: not given yet.
    pub pod_cidrs: Vec<IpNetwork>,
    /// The addresses of type InternalIP, in the object's order.
    pub internal_ips: Vec<IpAddr>,
    /// What its annotations say, and what of them cannot be read.
    pub annotations: OwnAnnotations,
    /// What else is there but cannot be read.
    pub faults: Vec<Fault>,
}
