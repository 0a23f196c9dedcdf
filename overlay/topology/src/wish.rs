// SPDX-License-Identifier: Apache-2.0
//! What the kernel should hold for the peers of one family.
//!
//! Per peer it is what flannel makes: a route per pod CIDR to a gateway behind the device, which
//! is the pod CIDR's network address; a neighbour that gives this gateway the peer's MAC address;
//! and a forwarding entry that gives this MAC address the peer's underlay address.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::{Family, Mac, Overlay, Vtep, metric};

/// The protocol number of our routes, by which we know them again: `proto 118` in `ip route`. The
/// numbers of linux/rtnetlink.h (84 is OVN's since Linux 6.15) and of FRR are others.
pub const PROTOCOL: u8 = 118;

/// The objects that the kernel should hold for one family, each sort in the order of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The family of all addresses.
    pub family: Family,
    /// The index of the VXLAN device.
    pub device: u32,
    /// Where our routes lead to; with this protocol number but elsewhere they are another
    /// overlay's of this host.
    pub network: Vec<IpNetwork>,
    /// This node's own pod CIDRs, to which there is no route by way of a gateway.
    pub own_pod_cidrs: Vec<IpNetwork>,
    /// Whether the device was flannel's, so that routes which flannel made through it are ours.
    pub takeover: bool,
    /// Keyed by destination.
    pub routes: Vec<Route>,
    /// Keyed by address.
    pub neighbours: Vec<Neighbour>,
    /// Keyed by MAC address.
    pub fdb: Vec<FdbEntry>,
}

/// A unicast route of the main table with [`PROTOCOL`]:
/// `ip route add DST via GATEWAY dev LINK [onlink] metric METRIC proto 118`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route {
    /// A peer's pod CIDR.
    pub dst: IpNetwork,
    /// The next hop.
    pub gateway: IpAddr,
    /// The index of the link: the VXLAN device, or with direct routing one of the underlay.
    pub link: u32,
    /// Whether the next hop is on the link though no address of the link says so.
    pub onlink: bool,
    /// As [`metric()`] says; the kernel tells routes of one destination apart by it.
    pub metric: u32,
}

/// A permanent neighbour on the VXLAN device:
/// `ip neighbour replace ADDRESS lladdr MAC dev DEVICE nud permanent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Neighbour {
    /// The gateway of a peer's route.
    pub address: IpAddr,
    /// The MAC address of the peer's VTEP.
    pub mac: Mac,
}

/// A permanent entry of the VXLAN device's forwarding table:
/// `bridge fdb replace MAC dst DST dev DEVICE self permanent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FdbEntry {
    /// The MAC address of a peer's VTEP.
    pub mac: Mac,
    /// The peer's underlay address.
    pub dst: IpAddr,
}

/// A subnet of the underlay that this node has an address in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    /// The address with its prefix, or the subnet.
    pub network: IpNetwork,
    /// The index of the link with this address.
    pub link: u32,
}

impl Overlay {
    /// What the kernel should hold when the VXLAN device has the index `device`. Peers in one of
    /// `direct` get a plain route by way of their underlay address, without encapsulation; none is
    /// given unless direct routing is on.
    #[must_use]
    pub fn wish(&self, device: u32, direct: &[Subnet]) -> Wish {
        self.wish_for(&self.peers, device, direct)
    }

    /// The part of a wish that is for some peers of this overlay, or for some that it had.
    #[must_use]
    pub fn wish_for<'a>(
        &self,
        peers: impl IntoIterator<Item = &'a Vtep>,
        device: u32,
        direct: &[Subnet],
    ) -> Wish {
        let mut wish = self.without_peers(device);
        for peer in peers {
            match link_to(peer.underlay, direct) {
                Some(link) => wish.add_direct(peer, link),
                None => wish.add_tunnel(peer),
            }
        }
        wish.routes.sort_unstable();
        wish.neighbours.sort_unstable();
        wish.fdb.sort_unstable();
        wish
    }

    /// The wish for nothing, by which everything of this overlay's is removed.
    #[must_use]
    pub fn without_peers(&self, device: u32) -> Wish {
        Wish {
            family: self.family,
            device,
            network: self.network.clone(),
            own_pod_cidrs: self.own.pod_cidrs.clone(),
            takeover: false,
            routes: Vec::new(),
            neighbours: Vec::new(),
            fdb: Vec::new(),
        }
    }
}

impl Wish {
    /// This wish for a device that was flannel's.
    #[must_use]
    pub fn taking_over(self) -> Self {
        Self {
            takeover: true,
            ..self
        }
    }

    fn add_tunnel(&mut self, peer: &Vtep) {
        for &dst in &peer.pod_cidrs {
            let gateway = dst.network();
            self.routes.push(Route {
                dst,
                gateway,
                link: self.device,
                onlink: true,
                metric: metric(dst),
            });
            self.neighbours.push(Neighbour {
                address: gateway,
                mac: peer.mac,
            });
        }
        self.fdb.push(FdbEntry {
            mac: peer.mac,
            dst: peer.underlay,
        });
    }

    fn add_direct(&mut self, peer: &Vtep, link: u32) {
        for &dst in &peer.pod_cidrs {
            self.routes.push(Route {
                dst,
                gateway: peer.underlay,
                link,
                onlink: false,
                metric: metric(dst),
            });
        }
    }
}

/// The link through which a peer is a neighbour: that of the smallest subnet with its address. The
/// kernel decides the same way.
fn link_to(underlay: IpAddr, direct: &[Subnet]) -> Option<u32> {
    let subnets = direct
        .iter()
        .filter(|subnet| subnet.network.contains(underlay));
    let smallest = subnets.max_by_key(|subnet| (subnet.network.prefix(), subnet.link));
    smallest.map(|subnet| subnet.link)
}

#[cfg(test)]
mod tests;
