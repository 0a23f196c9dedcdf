// SPDX-License-Identifier: Apache-2.0
//! A node as one address family of the overlay sees it.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::complaint::Fault;
use crate::{Family, Mac, Node, cidr};

/// The end of all tunnels of one family to a node.
///
/// All addresses are of that family, and there is at least one pod CIDR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vtep {
    /// The node's name.
    pub node: String,
    /// Where it takes encapsulated packets.
    pub underlay: IpAddr,
    /// The MAC address of its VXLAN device.
    pub mac: Mac,
    /// The networks of its pods, sorted, and none within another.
    pub pod_cidrs: Vec<IpNetwork>,
}

impl Vtep {
    /// The node's VTEP of a family; none when the node has no pods of that family.
    pub(crate) fn of(node: &Node, family: Family) -> Result<Option<Self>, Fault> {
        let pod_cidrs = node.pod_cidrs(family);
        let Some(&cidr) = pod_cidrs.first() else {
            return Ok(None);
        };
        let underlay = node.underlay.address(family);
        Ok(Some(Self {
            node: node.name.clone(),
            underlay: underlay.ok_or(Fault::NoUnderlay { cidr })?,
            mac: node.mac(family),
            pod_cidrs,
        }))
    }

    /// The address of the VXLAN device: as with flannel the network address of the first pod CIDR,
    /// which no pod has. With it the node sends to other nodes' pods.
    #[must_use]
    pub fn device_address(&self) -> IpNetwork {
        cidr::host(self.pod_cidrs[0].network())
    }
}
