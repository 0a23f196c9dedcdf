// SPDX-License-Identifier: Apache-2.0
//! The Node objects of a Kubernetes cluster as the list of nodes. The entry of this node is made
//! here: its pod CIDRs are the Node's, its addresses are the host's.

mod address;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use dataplane::{Dataplane, Origin as Device};
use kubernetes::annotations::{Announced, Prefix};
use kubernetes::{Announcement, Nodes, Origin, OwnNode, Snapshot};
use net::Rtnl;
use topology::{Family, Mac, Node, NodeList, Remembered, Settings, Underlay};

use super::{Source, SourceError};
use crate::standing::Standing;
use address::Candidates;
pub(crate) use address::NoAddress;

/// Somewhere outside: the route to it tells the link by which packets to anywhere leave. Nothing
/// is sent there; the addresses are for documentation (RFC 5737, RFC 3849).
const ANYWHERE: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(203, 0, 113, 1),
    Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1),
);

/// The Nodes of the cluster, and what this one says of itself there.
#[derive(Debug)]
pub(crate) struct ClusterNodes {
    nodes: Nodes,
    host: Host,
    /// This node as it was last told to the overlay.
    own: Option<Node>,
    /// What peers are to send to, where that is not this node's own address.
    overwrite: Underlay,
    /// Whether pods could use the overlay at some time; it is not taken back.
    available: bool,
    /// Why the list may be older than it should be, and what of this Node is left aside.
    troubles: Vec<String>,
}

/// This node, as far as the cluster does not say it.
#[derive(Debug)]
pub(crate) struct Host {
    /// The connection to the kernel.
    pub(crate) rtnl: Rtnl,
    /// The node's name.
    pub(crate) name: String,
    /// The operator's settings.
    pub(crate) settings: Settings,
    /// Whose device carries the overlay.
    pub(crate) origin: Device,
    /// The keys of the taints that are to go once pods can use the overlay.
    pub(crate) taints: Vec<String>,
    /// Where the cluster's nodes are remembered.
    pub(crate) cache: PathBuf,
    /// The prefix of the annotations.
    pub(crate) prefix: Prefix,
}

/// Why the cluster gives this node no overlay yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotYet {
    #[error("cannot learn the cluster's nodes: {0}")]
    Unreachable(String),
    #[error("the cluster has no Node {node:?} yet, which is to be this one")]
    NoNode { node: String },
    #[error(
        "Node {node} has no pod CIDR yet (spec.podCIDRs): the cluster's controller manager is to give it one (--allocate-node-cidrs)"
    )]
    NoPodCidr { node: String },
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
    #[error(transparent)]
    Kernel(#[from] net::Error),
}

impl ClusterNodes {
    pub(crate) fn new(nodes: Nodes, host: Host) -> Self {
        Self {
            nodes,
            host,
            own: None,
            overwrite: Underlay::default(),
            available: false,
            troubles: Vec::new(),
        }
    }

    /// The list that a snapshot makes.
    fn list(&mut self, snapshot: Snapshot) -> Result<NodeList, NotYet> {
        let node = || self.host.name.clone();
        let own = snapshot
            .own
            .ok_or_else(|| NotYet::NoNode { node: node() })?;
        if own.pod_cidrs.is_empty() {
            return Err(NotYet::NoPodCidr { node: node() });
        }
        let entry = self.host.entry(&own, self.own.as_ref())?;
        let faults = own.faults.iter().chain(&own.annotations.faults);
        let faults = faults.map(|fault| format!("node {}: {fault}", self.host.name));
        self.troubles.extend(faults);
        self.overwrite = own.annotations.overwrite;
        self.own = Some(entry.clone());
        let mut nodes = snapshot.peers;
        nodes.push(entry);
        Ok(NodeList {
            network: Vec::new(),
            nodes,
            unreadable: snapshot.unreadable,
            partial: snapshot.origin == Origin::Cached,
        })
    }
}

impl Host {
    /// This node's entry. What it was before stays as far as it can.
    fn entry(&self, own: &OwnNode, before: Option<&Node>) -> Result<Node, NotYet> {
        let held = self.rtnl.all_addresses()?;
        let named = self.settings.underlay.as_ref();
        let named = named.map(|name| self.rtnl.link(name)).transpose()?;
        let named = named.flatten().map(|link| link.index);
        let (mut underlay, mut macs) = (Underlay::default(), [None; 2]);
        for (family, mac) in Family::ALL.into_iter().zip(&mut macs) {
            let mut cidrs = own.pod_cidrs.iter();
            if !cidrs.any(|cidr| Family::of_network(*cidr) == family) {
                continue;
            }
            let candidates = Candidates {
                annotated: own.annotations.node_public_ip.address(family),
                underlay: named,
                internal: &own.internal_ips,
                previous: before
                    .and_then(|node| node.underlay.address(family))
                    .or_else(|| own.annotations.announced.underlay.address(family)),
                outward: self.outward(family)?,
                held: &held,
            };
            let name = match family {
                Family::V4 => "node-public-ip",
                Family::V6 => "node-public-ipv6",
            };
            match candidates.choose(family, &self.prefix.key(name))? {
                IpAddr::V4(address) => underlay.v4 = Some(address),
                IpAddr::V6(address) => underlay.v6 = Some(address),
            }
            *mac = Some(match before {
                Some(node) => node.mac(family),
                None => self.mac(own, family)?,
            });
        }
        let [mac, mac_v6] = macs;
        Ok(Node {
            name: self.name.clone(),
            underlay,
            mac,
            mac_v6,
            pod_cidrs: own.pod_cidrs.clone(),
        })
    }

    /// The MAC address by which peers know this node's VTEP, else the one that its device has,
    /// else the one that its name gives.
    fn mac(&self, own: &OwnNode, family: Family) -> Result<Mac, net::Error> {
        if let Some(annotated) = own.annotations.announced.mac(family) {
            return Ok(annotated);
        }
        let dataplane = Dataplane {
            rtnl: &self.rtnl,
            settings: &self.settings,
            origin: self.origin,
        };
        let device = self.rtnl.link(&dataplane.device_name(family))?;
        let held = device.map(|link| Mac(link.mac.octets()));
        Ok(held.unwrap_or_else(|| Mac::of_node(&self.name, family)))
    }

    /// The link by which packets to anywhere leave.
    fn outward(&self, family: Family) -> Result<Option<u32>, net::Error> {
        let anywhere = match family {
            Family::V4 => IpAddr::V4(ANYWHERE.0),
            Family::V6 => IpAddr::V6(ANYWHERE.1),
        };
        let route = self.rtnl.lookup(anywhere)?;
        Ok(route.and_then(|route| route.oif))
    }
}

impl Source for ClusterNodes {
    async fn changed(&mut self) {
        self.nodes.changed().await;
    }

    async fn read(&mut self) -> Result<Option<NodeList>, SourceError> {
        let snapshot = self.nodes.snapshot();
        self.troubles = snapshot.trouble.iter().cloned().collect();
        match (snapshot.origin, &snapshot.trouble) {
            (Origin::Nothing, None) => Ok(None),
            (Origin::Nothing, Some(trouble)) => Err(NotYet::Unreachable(trouble.clone()).into()),
            _ => Ok(Some(self.list(snapshot)?)),
        }
    }

    fn file(&self) -> Option<PathBuf> {
        None
    }

    fn remembered(&self) -> Option<Remembered> {
        Some(Remembered {
            cache_file: self.host.cache.clone(),
            own: self.own.clone()?,
        })
    }

    fn depends_on_host(&self) -> bool {
        true
    }

    /// Peers are told where this node is once it can take their packets.
    fn hear(&mut self, standing: &Standing) {
        let Some(own) = &self.own else { return };
        if standing.pod_mtu.is_none() {
            return;
        }
        self.available |= standing.converged();
        let vteps = Announced {
            underlay: Underlay {
                v4: own.underlay.v4.map(|own| self.overwrite.v4.unwrap_or(own)),
                v6: own.underlay.v6.map(|own| self.overwrite.v6.unwrap_or(own)),
            },
            mac: own.mac,
            mac_v6: own.mac_v6,
        };
        self.nodes.announce(Announcement {
            vni: self.host.settings.vni,
            vteps,
            network_available: self.available,
            remove_taints: self.host.taints.clone(),
        });
    }

    fn troubles(&self) -> &[String] {
        &self.troubles
    }
}
