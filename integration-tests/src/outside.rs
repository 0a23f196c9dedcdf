// SPDX-License-Identifier: Apache-2.0
//! The world beyond a node: a host on the node's underlay that knows the node's own address and
//! no pod's. What reaches it with a pod's address as source gets no answer, so whoever gets one
//! was masqueraded, or a route back was asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;

use ipnetwork::IpNetwork;

use crate::node::Node;
use crate::place::Place;

/// The interface to the underlay, at both ends.
const UPLINK: &str = "eth0";

/// A host outside, one wire away from its node. It is a [`Place`]: servers run in it.
#[derive(Debug)]
pub struct Outside {
    place: Place,
}

impl Outside {
    /// The outside host's IPv4 address, of the documentation range of RFC 5737.
    pub const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    /// The outside host's IPv6 address, of the documentation range of RFC 3849.
    pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
    /// The node's IPv4 address on the underlay: the source of what is masqueraded.
    pub const NODE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    /// The node's IPv6 address on the underlay.
    pub const NODE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));

    /// Connects a node to a new outside host: addresses on both ends of `eth0`, and the node's
    /// default routes lead to it. `mtu` is the underlay's in bytes.
    pub fn new(node: &Node, mtu: u32) -> Self {
        let place = node.with_new_network(|| {});
        // Without its link-local address the wire would not forward for a second or two.
        for end in [&**node, &place] {
            set_detection(end, "0");
        }
        node.connect(UPLINK, &place, UPLINK, mtu);
        set_detection(node, "1");
        for (v4, v6, end) in [
            (Self::NODE_V4, Self::NODE_V6, &**node),
            (Self::V4, Self::V6, &place),
        ] {
            end.set_up("lo");
            end.add_address(UPLINK, network(v4, 24));
            end.add_address(UPLINK, network(v6, 64));
        }
        node.add_route(network(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), Self::V4);
        node.add_route(network(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0), Self::V6);
        Self { place }
    }

    /// Gives the outside host one more address to serve on.
    pub fn serve_on(&self, address: IpAddr) {
        self.add_address("lo", address.into());
    }

    /// Tells the outside host that `destination` is behind the node, so that packets which are
    /// not masqueraded are answered too.
    pub fn add_route_back(&self, destination: IpNetwork) {
        let gateway = if destination.is_ipv4() {
            Self::NODE_V4
        } else {
            Self::NODE_V6
        };
        self.add_route(destination, gateway);
    }
}

impl Deref for Outside {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

/// Whether interfaces that are made from now on look for duplicates of their IPv6 addresses.
pub(crate) fn set_detection(place: &Place, accept_dad: &str) {
    place
        .run(|| std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", accept_dad))
        .expect("a network's sysctls can be set by its owner");
}

fn network(address: IpAddr, prefix: u8) -> IpNetwork {
    IpNetwork::new(address, prefix).expect("the prefix fits the family")
}
