// SPDX-License-Identifier: Apache-2.0
//! What can be wrong with a list of nodes.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::{Family, Mac};

/// A node that is left out of the overlay, or of one family of it, and why. The others are served
/// as if it was not in the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// The node.
    pub node: String,
    /// What is wrong.
    pub fault: Fault,
    /// Whether the node's last good entry stays in force for as long as the fault lasts.
    pub kept: bool,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, fault, kept } = self;
        let consequence = if *kept {
            "keeps its last good entry"
        } else {
            "is left out"
        };
        write!(f, "node {node} {consequence}: {fault}")
    }
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Fault {
    /// The source cannot make an entry of what it has.
    #[error("its {what} cannot be read: {why}")]
    Unreadable {
        /// What of it: an annotation, a pod CIDR.
        what: String,
        /// Why.
        why: String,
    },
    /// Several entries have its name, and they differ.
    #[error("the list has it more than once, and not the same each time")]
    ListedTwice,
    /// It has no pod CIDR of a family that this node's overlay has.
    #[error("it has no pod CIDR of a family that this node has, too")]
    NoPodCidr,
    /// There is no underlay address for a family of its pod CIDRs.
    #[error("it has the pod CIDR {cidr}, but no {} underlay address", Family::of_network(*cidr))]
    NoUnderlay {
        /// The first pod CIDR of the family.
        cidr: IpNetwork,
    },
    /// The underlay address is not one that a node can have.
    #[error("its underlay address {address} is not the address of a host")]
    UnderlayNotUnicast {
        /// The address.
        address: IpAddr,
    },
    /// The MAC address is not one that a VTEP can have.
    #[error("its {family} MAC address {mac} is not the address of a station")]
    MacNotUnicast {
        /// The VTEP's family.
        family: Family,
        /// The address.
        mac: Mac,
    },
    /// A pod CIDR lies outside the cluster's network.
    #[error("its pod CIDR {cidr} is not within the network {}", list(network))]
    OutsideNetwork {
        /// The pod CIDR.
        cidr: IpNetwork,
        /// The networks that the cluster has.
        network: Vec<IpNetwork>,
    },
    /// Another node has the same underlay address.
    #[error("its underlay address {address} is that of node {other}, too")]
    SameUnderlay {
        /// The address.
        address: IpAddr,
        /// The other node.
        other: String,
    },
    /// Another node's VTEP has the same MAC address: two such nodes cannot talk at all.
    #[error("its {family} MAC address {mac} is that of node {other}, too")]
    SameMac {
        /// The VTEPs' family.
        family: Family,
        /// The address.
        mac: Mac,
        /// The other node.
        other: String,
    },
    /// A pod CIDR shares addresses with another node's.
    #[error("its pod CIDR {cidr} overlaps {theirs} of node {other}")]
    Overlap {
        /// The pod CIDR.
        cidr: IpNetwork,
        /// The other node's pod CIDR.
        theirs: IpNetwork,
        /// The other node.
        other: String,
    },
    /// A pod CIDR holds an underlay address: encapsulated packets to it would be encapsulated.
    #[error("its pod CIDR {cidr} holds the underlay address {address} of node {other}")]
    HoldsUnderlay {
        /// The pod CIDR.
        cidr: IpNetwork,
        /// The underlay address.
        address: IpAddr,
        /// The node with that address, possibly the same one.
        other: String,
    },
    /// The underlay address lies in another node's pod CIDR.
    #[error("its underlay address {address} is within the pod CIDR {theirs} of node {other}")]
    UnderlayHeld {
        /// The underlay address.
        address: IpAddr,
        /// The other node's pod CIDR.
        theirs: IpNetwork,
        /// The other node.
        other: String,
    },
}

/// Why a list gives this node no overlay at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// The list does not have this node.
    #[error("node {name}, which is this one, is not in the list of {nodes} nodes")]
    OwnMissing {
        /// This node's name.
        name: String,
        /// How many nodes the list has.
        nodes: usize,
    },
    /// The settings do not say which network holds all pods.
    #[error("no network is given for the pods of all nodes: \"network\" is missing")]
    NoNetwork,
    /// This node's own entry is wrong.
    #[error("node {name}, which is this one, cannot have an overlay: {fault}")]
    Own {
        /// This node's name.
        name: String,
        /// What is wrong.
        fault: Fault,
    },
}

fn list(networks: &[IpNetwork]) -> String {
    let texts: Vec<_> = networks.iter().map(IpNetwork::to_string).collect();
    texts.join(", ")
}
