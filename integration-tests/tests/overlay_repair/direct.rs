// SPDX-License-Identifier: Apache-2.0
//! Direct routing with agents that run: a peer in the node's own subnet gets a plain route, one
//! behind a router the tunnel, and that is decided again whenever an address or a link changes
//! (reference F20: flannel decides once).

use std::net::IpAddr;

use integration_tests::{BRIEFLY, Fleet, Member, Node, Stack, Tap};
use serde_json::{Value, json};

use crate::lab::{Cluster, LIMIT, assert_go_on, list_of};

const OPTIONS: [&str; 1] = ["--direct-routing"];

/// Three nodes, of which the third is in a subnet of its own behind a router, which is the host
/// outside.
fn routed() -> Cluster {
    let fleet = Fleet::new(3, Stack::Dual);
    let (router, last) = (&fleet.outside, &fleet.members[2].node);
    last.ip("link delete eth0");
    let settings = [
        // Without its link-local address a host would not forward for a second or two.
        "ipv6/conf/default/accept_dad=0",
        "ipv6/conf/all/forwarding=1",
        "ipv4/ip_forward=1",
    ];
    for setting in settings {
        let (path, value) = setting.split_once('=').expect("it has both");
        let path = format!("/proc/sys/net/{path}");
        router
            .run(|| std::fs::write(&path, value))
            .expect("it can be set");
    }
    last.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    router.connect("eth1", last, "eth0", 1500);
    for (place, addresses) in [
        (router, ["198.51.100.1/24", "2001:db8:2::1/64"]),
        (&**last, ["198.51.100.13/24", "2001:db8:2::13/64"]),
    ] {
        let device = if place.interfaces().contains(&"eth1".to_owned()) {
            "eth1"
        } else {
            "eth0"
        };
        for address in addresses {
            place.add_address(device, address.parse().expect("a CIDR"));
        }
    }
    last.ip("route add default via 198.51.100.1");
    last.ip("-6 route add default via 2001:db8:2::1");
    let mut nodes = fleet.nodes();
    nodes[2]["underlay"] = json!(["198.51.100.13", "2001:db8:2::13"]);
    let list = list_of(&fleet, &nodes);
    Cluster::of(fleet, &list, &OPTIONS)
}

/// The devices by which a node sends to each family of a member's pods.
fn ways(node: &Node, member: &Member) -> Vec<String> {
    let way = |network: &ipnetwork::IpNetwork| {
        let pod = match network.network() {
            IpAddr::V4(network) => IpAddr::from((u32::from(network) + 9).to_be_bytes()),
            IpAddr::V6(network) => IpAddr::from((u128::from(network) + 9).to_be_bytes()),
        };
        let shown = node.ip(&format!("-json route get {pod}"));
        let shown: Value = serde_json::from_str(&shown).expect("ip writes JSON");
        let device = shown[0]["dev"].as_str();
        device.expect("each pod is somewhere").to_owned()
    };
    member.pod_cidrs().iter().map(way).collect()
}

impl Cluster {
    fn assert_ways(&self, from: usize, to: usize, devices: [&str; 2]) {
        let (node, member) = (self.node(from), &self.fleet.members[to]);
        let right = || ways(node, member) == devices;
        let right = node.eventually(LIMIT, right);
        let log = self.agents[from].log();
        assert!(right.is_some(), "{:?}\n{log}", ways(node, member));
        self.assert_right(from);
    }

    fn addresses_of(&self, index: usize) -> Vec<IpAddr> {
        self.pods[index].all_addresses()
    }
}

/// Whether encapsulated packets pass that are from or for one of these pods.
fn passes(tap: &Tap, pods: &[IpAddr]) -> bool {
    let packets = tap.all_encapsulated(BRIEFLY);
    let ends = packets.iter().filter_map(|packet| packet.inner);
    ends.into_iter()
        .any(|(source, destination)| pods.contains(&source) || pods.contains(&destination))
}

const PLAIN: [&str; 2] = ["eth0", "eth0"];
const TUNNEL: [&str; 2] = ["podwire.1", "podwire-v6.1"];

#[test]
fn a_neighbour_gets_a_plain_route_and_a_peer_behind_a_router_the_tunnel() {
    let cluster = routed();
    for (from, to, way) in [
        (0, 1, PLAIN),
        (1, 0, PLAIN),
        (0, 2, TUNNEL),
        (1, 2, TUNNEL),
        (2, 0, TUNNEL),
        (2, 1, TUNNEL),
    ] {
        cluster.assert_ways(from, to, way);
    }
    for (from, to, encapsulated) in [(0, 1, false), (0, 2, true), (2, 1, true)] {
        let tap = cluster.fleet.tap(&cluster.fleet.members[from.min(to)]);
        let talks = cluster.talk(from, to);
        assert_go_on(&talks);
        let own = cluster.addresses_of(from);
        assert!(talks.iter().all(|talk| own.contains(&talk.seen().ip())));
        drop(talks);
        assert_eq!(passes(&tap, &cluster.addresses_of(to)), encapsulated);
    }
}

/// The prefix of the first node's addresses becomes that of a single host, and comes back.
#[test]
fn decided_again_when_the_subnet_changes() {
    let cluster = routed();
    let talks = [cluster.talk(0, 1), cluster.talk(0, 2), cluster.talk(1, 0)];
    let node = cluster.node(0);
    for _ in 0..2 {
        for command in [
            "address add 192.0.2.11/32 dev eth0",
            "route add 192.0.2.0/24 dev eth0 src 192.0.2.11 metric 9",
            "address delete 192.0.2.11/24 dev eth0",
            // With an address the kernel deletes any route to its subnet.
            "address delete 2001:db8:1::11/64 dev eth0",
            "address add 2001:db8:1::11/128 dev eth0 nodad",
            "-6 route add 2001:db8:1::/64 dev eth0 metric 9",
        ] {
            node.ip(command);
        }
        cluster.assert_ways(0, 1, TUNNEL);
        cluster.assert_ways(0, 2, TUNNEL);
        talks.iter().for_each(|talks| assert_go_on(talks));
        for command in [
            "address add 192.0.2.11/24 dev eth0",
            "address delete 192.0.2.11/32 dev eth0",
            "address delete 2001:db8:1::11/128 dev eth0",
            "address add 2001:db8:1::11/64 dev eth0 nodad",
            "route delete 192.0.2.0/24 dev eth0 metric 9",
            "-6 route delete 2001:db8:1::/64 dev eth0 metric 9",
        ] {
            node.ip(command);
        }
        cluster.assert_ways(0, 1, PLAIN);
        cluster.assert_ways(0, 2, TUNNEL);
        talks.iter().for_each(|talks| assert_go_on(talks));
    }
}

/// The addresses move to another link, and back.
#[test]
fn decided_again_when_the_link_changes() {
    let cluster = routed();
    let talks = cluster.talk(0, 1);
    let node = cluster.node(0);
    node.ip("link add br-ex type bridge mcast_snooping 0");
    node.ip("link set br-ex up");
    for (from, to) in [("eth0", "br-ex"), ("br-ex", "eth0")] {
        let master = if to == "eth0" {
            "nomaster"
        } else {
            "master br-ex"
        };
        for command in [
            &format!("address flush dev {from} scope global"),
            &format!("link set eth0 {master}"),
            &format!("address add 192.0.2.11/24 dev {to}"),
            &format!("address add 2001:db8:1::11/64 dev {to} nodad"),
            &format!("route replace default via 192.0.2.1 dev {to}"),
            &format!("-6 route replace default via 2001:db8:1::1 dev {to}"),
        ] {
            node.ip(command);
        }
        cluster.assert_ways(0, 1, [to, to]);
        cluster.assert_ways(0, 2, TUNNEL);
        assert_go_on(&talks);
    }
}

/// The kernel says of plain routes that go with their link no word.
#[test]
fn plain_routes_come_back_with_their_link() {
    let cluster = routed();
    let talks = cluster.talk(0, 1);
    let node = cluster.node(0);
    for command in [
        "link set eth0 down",
        "link set eth0 up",
        "address replace 2001:db8:1::11/64 dev eth0 nodad",
        "route add default via 192.0.2.1",
        "-6 route replace default via 2001:db8:1::1",
    ] {
        node.ip(command);
    }
    cluster.assert_ways(0, 1, PLAIN);
    cluster.assert_ways(0, 2, TUNNEL);
    assert_go_on(&talks);
}

/// Reference F23 within one node: what was direct goes when it is no longer, and comes back.
#[test]
fn the_option_comes_and_goes() {
    let mut cluster = routed();
    let talks = cluster.talk(0, 1);
    for (options, way) in [(&[][..], TUNNEL), (&OPTIONS, PLAIN)] {
        cluster.restart(0, |agent| drop(agent.terminate()), options);
        cluster.assert_ways(0, 1, way);
        assert_go_on(&talks);
    }
}
