// SPDX-License-Identifier: Apache-2.0
//! The Node objects of a Kubernetes cluster as the list of nodes. The entry of this node is made
//! here: its pod CIDRs are the Node's, its addresses are the host's.

mod address;
mod host;

use std::path::PathBuf;

use kubernetes::annotations::Announced;
use kubernetes::{Announcement, Nodes, Origin, Snapshot};
use topology::{Node, NodeList, Remembered, Underlay};

use super::{Source, SourceError};
use crate::http::Counting;
use crate::journal::Troubles;
use crate::standing::Standing;
use address::NoAddress;
pub(crate) use host::Host;

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
    /// What of this Node cannot be read.
    faults: Troubles,
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
            faults: Troubles::slight("this node's own Node"),
        }
    }

    /// The list that a snapshot makes.
    fn list(&mut self, snapshot: Snapshot) -> Result<NodeList, NotYet> {
        let node = || self.host.name.clone();
        let own = snapshot
            .own
            .ok_or_else(|| NotYet::NoNode { node: node() })?;
        let faults = own.faults.iter().chain(&own.annotations.faults);
        let faults = faults.map(|fault| format!("node {}: {fault}", self.host.name));
        let faults: Vec<_> = faults.collect();
        self.faults.are(faults.iter().cloned());
        self.troubles.extend(faults);
        if own.pod_cidrs.is_empty() {
            return Err(NotYet::NoPodCidr { node: node() });
        }
        let entry = self.host.entry(&own, self.own.as_ref())?;
        self.overwrite = own.annotations.overwrite;
        self.own = Some(entry.clone());
        let mut nodes = snapshot.peers;
        nodes.push(entry);
        Ok(NodeList {
            network: Vec::new(),
            nodes,
            unreadable: snapshot.unreadable,
            partial: snapshot.partial,
        })
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

    fn counting(&self) -> Option<Counting> {
        Some(Box::new(self.nodes.counting()))
    }

    fn troubles(&self) -> &[String] {
        &self.troubles
    }
}
