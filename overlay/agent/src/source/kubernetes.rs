// SPDX-License-Identifier: Apache-2.0
//! The Node objects of a Kubernetes cluster as the list of nodes. The entry of this node is made
//! here: its pod CIDRs are the Node's, its addresses are the host's.

mod address;
mod host;

use std::net::IpAddr;
use std::path::PathBuf;

use kubernetes::annotations::Announced;
use kubernetes::{Announcement, Nodes, Origin, OwnNode, Snapshot};
use topology::{Cluster, NodeList, Overlay, Remembered};

use super::{Source, SourceError};
use crate::http::Counting;
use crate::journal::Troubles;
use crate::standing::Standing;
use address::NoAddress;
use host::Entry;
pub(crate) use host::Host;

/// The Nodes of the cluster, and what this one says of itself there.
#[derive(Debug)]
pub(crate) struct ClusterNodes {
    nodes: Nodes,
    host: Host,
    /// This node as it was last told to the overlay, and the Node that this was made of.
    own: Option<(Entry, OwnNode)>,
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
        let mut faults: Vec<_> = faults.collect();
        let entry = if own.pod_cidrs.is_empty() {
            Err(NotYet::NoPodCidr { node: node() })
        } else {
            self.entry(&own)
        };
        let outlived = entry.iter().flat_map(|entry| &entry.outlived);
        faults.extend(outlived.map(|why| format!("{why}; its address stays what it was")));
        self.faults.are(faults.iter().cloned());
        self.troubles.extend(faults);
        let entry = entry?;
        let mut nodes = snapshot.peers;
        nodes.push(entry.node.clone());
        self.own = Some((entry, own));
        Ok(NodeList {
            network: Vec::new(),
            nodes,
            unreadable: snapshot.unreadable,
            partial: snapshot.partial,
        })
    }

    /// This node's entry by its Node and the host as it is now.
    fn entry(&self, own: &OwnNode) -> Result<Entry, NotYet> {
        let before = self.own.as_ref().map(|(entry, _)| &entry.node);
        self.host.entry(own, before)
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
            own: self.own.as_ref()?.0.node.clone(),
        })
    }

    fn is_outdated_by_host(&self) -> bool {
        let own = self.own.as_ref();
        own.is_some_and(|(entry, own)| self.entry(own).ok().as_ref() != Some(entry))
    }

    /// Peers are told where this node is once it can take their packets, and only what is believed.
    fn hear(&mut self, cluster: &Cluster, standing: &Standing) {
        let Some((_, own)) = &self.own else { return };
        if standing.pod_mtu.is_none() {
            return;
        }
        self.available |= standing.converged();
        let overwrite = own.annotations.overwrite;
        let mut vteps = Announced::default();
        for vtep in cluster.overlays().iter().map(Overlay::own) {
            match vtep.underlay {
                IpAddr::V4(address) => {
                    vteps.underlay.v4 = Some(overwrite.v4.unwrap_or(address));
                    vteps.mac = Some(vtep.mac);
                }
                IpAddr::V6(address) => {
                    vteps.underlay.v6 = Some(overwrite.v6.unwrap_or(address));
                    vteps.mac_v6 = Some(vtep.mac);
                }
            }
        }
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
