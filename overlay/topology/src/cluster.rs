// SPDX-License-Identifier: Apache-2.0
//! A list of nodes held against itself: what this node takes for the cluster.
//!
//! A list comes from people and from other programs, and one bad entry may not cost the others
//! their connections. So an entry that cannot be is left out, with a complaint; of two that cannot
//! be together the one that came later is, or where the source does not tell the one with the later
//! name, on every node alike, except that a node always takes its own entry's side. What is left
//! out is one address family of the node: the other one goes on.

mod sorted;

use std::collections::HashSet;

use ipnetwork::IpNetwork;

use crate::admission::Admission;
use crate::{Complaint, Family, Fatal, Fault, MtuTooSmall, Node, NodeList, Settings, Vtep, cidr};
use sorted::Sorted;

/// The nodes of a cluster as seen from one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    own: String,
    network: Vec<IpNetwork>,
    overlays: Vec<Overlay>,
}

/// One address family of a cluster: this node and its peers. No two of them share a name, an
/// underlay address, a MAC address or an address for pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    pub(crate) family: Family,
    pub(crate) network: Vec<IpNetwork>,
    pub(crate) own: Vtep,
    pub(crate) peers: Vec<Vtep>,
}

impl Cluster {
    /// The cluster that the node named `own` sees in a list. The list's order means nothing.
    ///
    /// # Errors
    /// When the node itself cannot have an overlay by this list.
    pub fn new(
        own: &str,
        nodes: Vec<Node>,
        settings: &Settings,
    ) -> Result<(Self, Vec<Complaint>), Fatal> {
        let list = NodeList {
            nodes,
            ..NodeList::default()
        };
        Self::assemble(own, list, settings, None)
    }

    /// The cluster by what a source says, which may not be able to read every node. Otherwise as
    /// [`Self::new`], or as [`Self::updated`] where there is a `last` one of this node.
    ///
    /// # Errors
    /// When the node itself cannot have an overlay by this list.
    pub fn of_list(
        own: &str,
        list: NodeList,
        settings: &Settings,
        last: Option<&Self>,
    ) -> Result<(Self, Vec<Complaint>), Fatal> {
        let last = last.filter(|cluster| cluster.own == own);
        Self::assemble(own, list, settings, last)
    }

    /// The cluster by a newer list. A peer whose new entry is left out keeps the one that it has
    /// here, as long as that can be together with the new list's other entries.
    ///
    /// # Errors
    /// When the node itself cannot have an overlay by this list; then this cluster stays in force.
    pub fn updated(
        &self,
        nodes: Vec<Node>,
        settings: &Settings,
    ) -> Result<(Self, Vec<Complaint>), Fatal> {
        let list = NodeList {
            nodes,
            ..NodeList::default()
        };
        Self::assemble(&self.own, list, settings, Some(self))
    }

    fn assemble(
        own: &str,
        list: NodeList,
        settings: &Settings,
        last: Option<&Self>,
    ) -> Result<(Self, Vec<Complaint>), Fatal> {
        if settings.network.is_empty() {
            return Err(Fatal::NoNetwork);
        }
        let nodes = Sorted::new(own, list)?;
        let (mut overlays, mut complaints) = (Vec::new(), Vec::new());
        for family in Family::ALL {
            let vtep = Vtep::of(&nodes.own, family).map_err(|fault| fatal(own, fault))?;
            let Some(vtep) = vtep else { continue };
            let network = of_family(&settings.network, family);
            let last = last.and_then(|cluster| cluster.overlay(family));
            let last = |node: &str| {
                let peer = last.and_then(|last| last.peer(node)).cloned();
                peer.or_else(|| nodes.remembered(node, family))
            };
            let (overlay, faults) = Overlay::assemble(network, vtep, nodes.vteps(family), last)?;
            overlays.push(overlay);
            complaints.extend(faults);
        }
        if overlays.is_empty() {
            return Err(fatal(own, Fault::NoPodCidr));
        }
        let cluster = Self {
            own: own.to_owned(),
            network: cidr::merged(settings.network.iter().copied()),
            overlays,
        };
        complaints.extend(cluster.without_pods(&nodes.peers));
        complaints.sort_unstable();
        complaints.dedup();
        Ok((cluster, complaints))
    }

    /// Complaints about nodes with which this one has no family in common.
    fn without_pods(&self, peers: &[Node]) -> Vec<Complaint> {
        let carried: Vec<_> = self.overlays.iter().map(Overlay::family).collect();
        let alien = |node: &&Node| {
            let mut cidrs = node.pod_cidrs.iter();
            !cidrs.any(|cidr| carried.contains(&Family::of_network(*cidr)))
        };
        let complain = |node: &Node| complaint(&node.name, Fault::NoPodCidr);
        peers.iter().filter(alien).map(complain).collect()
    }

    /// This node's name.
    #[must_use]
    pub fn own(&self) -> &str {
        &self.own
    }

    /// The networks that hold all nodes' pods, sorted, and none within another.
    #[must_use]
    pub fn network(&self) -> &[IpNetwork] {
        &self.network
    }

    /// The families that this node has pods of, IPv4 first; at least one.
    #[must_use]
    pub fn overlays(&self) -> &[Overlay] {
        &self.overlays
    }

    /// The overlay of a family; none when this node has no pods of that family.
    #[must_use]
    pub fn overlay(&self, family: Family) -> Option<&Overlay> {
        let mut overlays = self.overlays.iter();
        overlays.find(|overlay| overlay.family == family)
    }

    /// The names of all nodes that this one can reach through an overlay of some family.
    #[must_use]
    pub fn peers(&self) -> HashSet<&str> {
        let peers = self.overlays.iter().flat_map(|overlay| &overlay.peers);
        peers.map(|peer| peer.node.as_str()).collect()
    }

    /// The MTU in bytes that pods need for their packets to fit every overlay that they use, when
    /// the underlay of each family has the MTU that `underlay` says.
    ///
    /// # Errors
    /// When an underlay is too small for an overlay.
    pub fn pod_mtu(&self, underlay: impl Fn(Family) -> u32) -> Result<u32, MtuTooSmall> {
        let mut least = u32::MAX;
        for Overlay { family, .. } in &self.overlays {
            least = least.min(family.device_mtu(underlay(*family))?);
        }
        Ok(least)
    }
}

impl Overlay {
    fn assemble<'a>(
        network: Vec<IpNetwork>,
        own: Vtep,
        peers: impl Iterator<Item = (&'a str, Result<Vtep, Fault>)>,
        last: impl Fn(&str) -> Option<Vtep>,
    ) -> Result<(Self, Vec<Complaint>), Fatal> {
        let family = Family::of(own.underlay);
        let mut admission = Admission::new(family, &network);
        let name = own.node.clone();
        admission.admit(own).map_err(|fault| fatal(&name, fault))?;
        let mut complaints = Vec::new();
        for (name, vtep) in peers {
            let admitted = vtep.and_then(|vtep| admission.admit(vtep));
            complaints.extend(admitted.err().map(|fault| complaint(name, fault)));
        }
        // After all good entries, so that an old one never stands in the way of a new one.
        for complaint in &mut complaints {
            let kept = last(&complaint.node);
            complaint.kept = kept.is_some_and(|vtep| admission.admit(vtep).is_ok());
        }
        let mut admitted = admission.into_admitted().into_iter();
        let own = admitted.next().expect("the node's own VTEP was admitted");
        let mut peers: Vec<_> = admitted.collect();
        peers.sort_unstable_by(|one, other| one.node.cmp(&other.node));
        let overlay = Self {
            family,
            network,
            own,
            peers,
        };
        Ok((overlay, complaints))
    }

    /// Its address family.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The networks of this family that hold all nodes' pods, sorted, and none within another.
    #[must_use]
    pub fn network(&self) -> &[IpNetwork] {
        &self.network
    }

    /// This node.
    #[must_use]
    pub const fn own(&self) -> &Vtep {
        &self.own
    }

    /// The other nodes, sorted by name.
    #[must_use]
    pub fn peers(&self) -> &[Vtep] {
        &self.peers
    }

    /// The other node with this name.
    #[must_use]
    pub fn peer(&self, name: &str) -> Option<&Vtep> {
        let found = self
            .peers
            .binary_search_by(|peer| peer.node.as_str().cmp(name));
        found.ok().map(|index| &self.peers[index])
    }
}

fn of_family(networks: &[IpNetwork], family: Family) -> Vec<IpNetwork> {
    let networks = networks.iter().copied();
    cidr::merged(networks.filter(|network| Family::of_network(*network) == family))
}

fn complaint(node: &str, fault: Fault) -> Complaint {
    Complaint {
        node: node.to_owned(),
        fault,
        kept: false,
    }
}

fn fatal(own: &str, fault: Fault) -> Fatal {
    Fatal::Own {
        name: own.to_owned(),
        fault,
    }
}

#[cfg(test)]
mod tests;
