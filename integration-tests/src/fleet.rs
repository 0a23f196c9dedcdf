// SPDX-License-Identifier: Apache-2.0
//! A cluster: nodes, each with pod networks of its own, plugged into one switch together with a
//! host that is no node and knows no pod's address.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde_json::{Value, json};

use crate::frame::Tap;
use crate::member::{Member, networks, texts, underlay};
use crate::network::Network;
use crate::node::Node;
use crate::outside::set_detection;
use crate::place::Place;
use crate::pod::Pod;

/// The interface to the underlay, in each host.
const UPLINK: &str = "eth0";
/// The switch's bridge.
const BRIDGE: &str = "wire";
/// The number of the outside host.
const OUTSIDE: u8 = 1;

/// The address families of a cluster: those of its underlay and those of its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// Both.
    Dual,
}

impl Stack {
    /// All three.
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Dual];

    /// Whether it has the family of an address.
    pub fn has(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
            Self::Dual => true,
        }
    }
}

/// The nodes `n1`, `n2`, ... and what joins them. Node `n<i>` has the underlay addresses
/// 192.0.2.(10+i)/24 and 2001:db8:1::(10+i)/64 on `eth0`, the pod CIDRs 10.200.i.0/24 and
/// fd00:200:0:i::/64, and default routes to the outside host.
#[derive(Debug)]
pub struct Fleet {
    /// The nodes, `n1` first.
    pub members: Vec<Member>,
    /// A host on the underlay to which the nodes' default routes lead. It has a route to no pod.
    pub outside: Place,
    switch: Place,
    stack: Stack,
    mtu: u32,
}

impl Fleet {
    /// The networks that hold all pods.
    pub const NETWORK: [&str; 2] = ["10.200.0.0/16", "fd00:200::/48"];

    /// A cluster on an underlay with an MTU of 1500 bytes.
    pub fn new(count: u8, stack: Stack) -> Self {
        Self::with_mtu(count, stack, 1500)
    }

    /// As [`Fleet::new`], with another MTU.
    pub fn with_mtu(count: u8, stack: Stack, mtu: u32) -> Self {
        let switch = Place::new();
        set_detection(&switch, "0");
        switch.add_bridge(BRIDGE, mtu);
        let outside = switch.with_new_network(|| {});
        let mut fleet = Self {
            members: Vec::new(),
            outside,
            switch,
            stack,
            mtu,
        };
        fleet.plug(&fleet.outside, OUTSIDE);
        for _ in 0..count {
            fleet.add_member();
        }
        fleet
    }

    /// One more node, the last of [`Fleet::members`].
    pub fn add_member(&mut self) -> &Member {
        let number = u8::try_from(self.members.len() + 1).expect("a fleet is small");
        let member = Member::new(Node::new(), number, self.stack);
        self.plug_in(&member);
        self.members.push(member);
        self.members.last().expect("one was added")
    }

    /// Takes a member's interface to the underlay away, with all that is on it.
    pub fn pull_out(&self, member: &Member) {
        member.node.ip(&format!("link delete {UPLINK}"));
    }

    /// Gives a member that has none a new interface to the underlay, with its addresses and its
    /// default routes.
    pub fn plug_in(&self, member: &Member) {
        self.plug(&member.node, member.host());
        for gateway in self.outside_addresses() {
            let all = if gateway.is_ipv4() {
                "0.0.0.0/0"
            } else {
                "::/0"
            };
            let all = all.parse().expect("a CIDR");
            member.node.add_route(all, gateway);
        }
    }

    /// A host on the underlay that is none of the nodes: a stranger, or a node made by hand. It has
    /// the addresses 192.0.2.NUMBER/24 and 2001:db8:1::NUMBER/64 on `eth0` and no default route.
    pub fn add_host(&self, number: u8) -> Node {
        let host = Node::new();
        self.plug(&host, number);
        host
    }

    /// What the outside host's addresses are, one for each family of the cluster.
    pub fn outside_addresses(&self) -> Vec<IpAddr> {
        underlay(self.stack, OUTSIDE)
    }

    /// Which families the cluster has.
    pub fn stack(&self) -> Stack {
        self.stack
    }

    /// The networks that hold all pods, of the cluster's families.
    pub fn network(&self) -> Vec<IpNetwork> {
        networks(self.stack, Self::NETWORK.map(str::to_owned))
    }

    /// The entries of all members for a list of nodes.
    pub fn nodes(&self) -> Value {
        self.members.iter().map(Member::entry).collect()
    }

    /// The content of the file that lists the nodes: the network and [`Fleet::nodes`].
    pub fn nodes_json(&self) -> String {
        json!({"network": texts(&self.network()), "nodes": self.nodes()}).to_string()
    }

    /// A member's network: `bridge` with gateway and masquerade, and `vxlan` with the list of nodes
    /// in it. `keys` go over `vxlan`'s; a key with `null` is taken out.
    ///
    /// # Panics
    /// When `keys` is not an object.
    pub fn conflist(&self, member: &Member, keys: &Value) -> Network {
        let vxlan = json!({
            "type": "vxlan",
            "network": texts(&self.network()),
            "nodes": self.nodes(),
        });
        member.bridge().followed_by(vxlan).with_at(1, keys)
    }

    /// Attaches a new pod on each member by its [`Fleet::conflist`] with `keys`.
    ///
    /// # Panics
    /// When one of them can't be attached.
    pub fn attach_each(&self, keys: &Value) -> Vec<Pod> {
        let attach = |member: &Member| member.attach(&self.conflist(member, keys));
        self.members.iter().map(attach).collect()
    }

    /// Sees what is on the wire between the switch and one member.
    pub fn tap(&self, member: &Member) -> Tap {
        Tap::new(&self.switch, &port(member.host()))
    }

    /// Pulls a member's plug, or puts it in again.
    pub fn set_plugged(&self, member: &Member, plugged: bool) {
        let state = if plugged { "up" } else { "down" };
        let port = port(member.host());
        self.switch.ip(&format!("link set {port} {state}"));
    }

    fn plug(&self, host: &Place, number: u8) {
        let port = port(number);
        // Without its link-local address a host would not forward for a second or two.
        set_detection(host, "0");
        let end = (host, UPLINK);
        self.switch.plug_in((BRIDGE, &port), end, self.mtu);
        set_detection(host, "1");
        host.set_up("lo");
        for address in underlay(self.stack, number) {
            let length = if address.is_ipv4() { 24 } else { 64 };
            let address = IpNetwork::new(address, length).expect("the length fits the family");
            host.add_address(UPLINK, address);
        }
    }
}

fn port(number: u8) -> String {
    format!("port{number}")
}
