// SPDX-License-Identifier: Apache-2.0
//! What the configuration and its list wish of this node.

use cni::{Code, Error, OrCode};
use net::{Rtnl, sysctl};
use topology::{Cluster, Complaint, Fatal, Identity, Node, NodeList, Settings};

use crate::conf::Static;
use crate::stamp::Stamp;

/// An overlay as this node sees it.
pub(crate) struct Wished {
    /// The settings; their network is the list's where the configuration has none.
    pub(crate) settings: Settings,
    /// This node and its peers.
    pub(crate) cluster: Cluster,
    /// What is left out of the list, and why.
    pub(crate) complaints: Vec<Complaint>,
}

impl Wished {
    /// Reads the list and finds this node in it; what is wrong with either has code 7.
    pub(crate) fn read(rtnl: &Rtnl, settings: &Settings, given: &Static) -> Result<Self, Error> {
        let NodeList { network, nodes, .. } = given.list.read()?;
        let mut settings = settings.clone();
        if settings.network.is_empty() {
            settings.network = network;
        }
        let addresses = rtnl
            .all_addresses()
            .or_code(Code::KERNEL, "find this node in the list of nodes")?;
        let addresses: Vec<_> = addresses.iter().map(|(_, it)| it.network.ip()).collect();
        let identity = Identity {
            named: given.node.as_deref(),
            addresses: &addresses,
            hostname: &sysctl::read("kernel/hostname").or_code(Code::KERNEL, "name this node")?,
        };
        let wish = "the list of nodes gives this node no overlay";
        let own = identity.among(&nodes).or_code(Code::INVALID_CONFIG, wish)?;
        let (cluster, complaints) =
            cluster(&own, nodes, &settings).or_code(Code::INVALID_CONFIG, wish)?;
        Ok(Self {
            settings,
            cluster,
            complaints,
        })
    }
}

/// The cluster of a list. A node with a bad entry keeps the one that an earlier call has
/// programmed: it costs nobody a connection.
fn cluster(
    own: &str,
    nodes: Vec<Node>,
    settings: &Settings,
) -> Result<(Cluster, Vec<Complaint>), Fatal> {
    let (cluster, complaints) = Cluster::new(own, nodes.clone(), settings)?;
    if complaints.is_empty() {
        return Ok((cluster, complaints));
    }
    let former = Stamp::of_here().and_then(|stamp| stamp.cluster());
    match former.filter(|former| former.own() == own) {
        Some(former) => former.updated(nodes, settings),
        None => Ok((cluster, complaints)),
    }
}
