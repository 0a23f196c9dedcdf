// SPDX-License-Identifier: Apache-2.0
//! VXLAN knows no passwords: who may send into the pods' network is decided by the guard of its
//! port. Each packet that must not come through is followed by one that must, by the same way: what
//! arrives first tells.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use integration_tests::conntrack::flows;
use integration_tests::vxlan::{self, PORT};
use integration_tests::{
    Echo, Fleet, Member, PATIENCE, Place, Pod, Stack, ask_udp, ask_udp_from, ping, seen,
};
use net::Mac;
use serde_json::{Value, json};

/// A cluster of two with a pod on each node.
struct World {
    fleet: Fleet,
    pods: Vec<Pod>,
}

/// Where the pod of the first node takes what comes through the overlay.
struct Target {
    receiver: UdpSocket,
    pod: IpAddr,
    /// The first node's underlay address.
    node: IpAddr,
    /// Its VXLAN device's MAC address.
    mac: Mac,
    /// An address that a pod of the second node could have.
    claimed: IpAddr,
}

impl World {
    fn new(keys: &Value) -> Self {
        let fleet = Fleet::new(2, Stack::Dual);
        let pods = fleet.attach_each(keys);
        Self { fleet, pods }
    }

    fn first(&self) -> &Member {
        &self.fleet.members[0]
    }

    fn second(&self) -> &Member {
        &self.fleet.members[1]
    }

    /// The first node's pod, by IPv4 and by IPv6.
    fn targets(&self) -> [Target; 2] {
        [(0, "podwire.1"), (1, "podwire-v6.1")].map(|(index, device)| {
            let pod = self.pods[0].all_addresses()[index];
            let receiver = self.pods[0].run(|| UdpSocket::bind((pod, 9)));
            let receiver = receiver.expect("a pod has its address");
            let limited = receiver.set_read_timeout(Some(PATIENCE));
            limited.expect("the limit is not zero");
            let claimed = ["10.200.2.77", "fd00:200:0:2::77"][index];
            Target {
                receiver,
                pod,
                node: self.first().underlay()[index],
                mac: self.first().node.link(device).mac,
                claimed: claimed.parse().expect("an address"),
            }
        })
    }

    /// The second node's underlay address of the family of a target.
    fn peer(&self, target: &Target) -> IpAddr {
        like(self.second().underlay(), target.node)
    }
}

impl Target {
    /// A VXLAN packet with a datagram for the pod, from one of a place's addresses.
    fn send(&self, from: &Place, source: IpAddr, vni: u32, text: &str) {
        self.send_to(from, source, self.node, vni, text);
    }

    fn send_to(&self, from: &Place, source: IpAddr, to: IpAddr, vni: u32, text: &str) {
        let macs = (Mac::new([2, 0, 0, 0, 0, 0x99]), self.mac);
        let frame = vxlan::frame(macs, (self.claimed, self.pod), 9, text.as_bytes());
        let packet = vxlan::encapsulate(vni, &frame);
        let sent = from.run(|| UdpSocket::bind((source, 0))?.send_to(&packet, (to, PORT)));
        sent.unwrap_or_else(|error| panic!("{source} to {to}: {error}"));
    }

    /// What the pod hears next.
    fn hears(&self) -> String {
        let mut text = [0; 64];
        let heard = self.receiver.recv_from(&mut text);
        let (length, from) = heard.unwrap_or_else(|error| panic!("{} hears {error}", self.pod));
        assert_eq!(from.ip(), self.claimed);
        String::from_utf8_lossy(&text[..length]).into_owned()
    }
}

fn like(addresses: Vec<IpAddr>, other: IpAddr) -> IpAddr {
    let mut addresses = addresses.into_iter();
    let like = addresses.find(|address| address.is_ipv4() == other.is_ipv4());
    like.expect("there is one of each family")
}

/// Counts the packets for the overlay's port before and behind all that others decide about them.
fn count_packets(node: &Place) {
    node.tool("nft", "add table inet watch");
    for (chain, priority) in [("before", -10), ("behind", 10)] {
        let hook = format!("type filter hook input priority {priority} ;");
        node.tool("nft", &format!("add chain inet watch {chain} {{ {hook} }}"));
        node.tool(
            "nft",
            &format!("add rule inet watch {chain} udp dport {PORT} counter"),
        );
    }
}

fn counted(node: &Place) -> Vec<u64> {
    let table = node.tool("nft", "list table inet watch");
    let words: Vec<_> = table.split_whitespace().collect();
    let counts = words.windows(2).filter(|pair| pair[0] == "packets");
    counts
        .map(|pair| pair[1].parse().expect("a number"))
        .collect()
}

#[test]
fn packets_of_strangers_are_dropped() {
    let world = World::new(&json!({}));
    let stranger = world.fleet.add_host(99);
    let first = &world.first().node;
    for target in world.targets() {
        count_packets(first);
        let source = like(stranger.all_addresses(), target.node);
        target.send(&stranger, source, 1, "stranger");
        target.send(&world.second().node, world.peer(&target), 1, "peer");
        assert_eq!(target.hears(), "peer");
        assert_eq!(counted(first), [2, 1]);
        first.tool("nft", "delete table inet watch");
    }
}

#[test]
fn packets_of_another_overlay_are_dropped() {
    let world = World::new(&json!({}));
    for target in world.targets() {
        let peer = world.peer(&target);
        for vni in [0, 2, 257, 65_537, 0x00ff_ffff] {
            target.send(&world.second().node, peer, vni, "other");
        }
        target.send(&world.second().node, peer, 1, "ours");
        assert_eq!(target.hears(), "ours");
    }
}

#[test]
fn the_filter_can_be_switched_off() {
    let world = World::new(&json!({"sourceFilter": false}));
    let stranger = world.fleet.add_host(99);
    for target in world.targets() {
        let source = like(stranger.all_addresses(), target.node);
        target.send(&stranger, source, 1, "stranger");
        assert_eq!(target.hears(), "stranger");
    }
}

/// A pod that could send to the port could speak for any other pod.
#[test]
fn pods_do_not_reach_the_port_of_their_node() {
    let world = World::new(&json!({}));
    let network = world.fleet.conflist(world.first(), &json!({}));
    let pod = world.first().attach(&network);
    let first = &world.first().node;
    for target in world.targets() {
        let own = like(pod.all_addresses(), target.pod);
        let peer = world.peer(&target);
        let index = usize::from(own.is_ipv6());
        let bridge = first.addresses("cni0")[index].ip();
        let device = world.first().pod_cidrs()[index].network();
        // The address of a known peer, which the pod gives itself.
        pod.set_up("lo");
        pod.add_address("lo", peer.into());
        for to in [target.node, bridge, device] {
            target.send_to(&pod, own, to, 1, "pod");
            target.send_to(&pod, peer, to, 1, "pod as peer");
            target.send(&world.second().node, peer, 1, "peer");
            assert_eq!(target.hears(), "peer", "{to}");
        }
    }
}

/// Masqueraded, a pod's packet would come from the address of a known peer.
#[test]
fn pods_do_not_reach_the_port_of_other_nodes() {
    let world = World::new(&json!({}));
    let (first, far) = (&world.first().node, &world.pods[1]);
    let tap = world.fleet.tap(world.first());
    for (index, target) in world.targets().into_iter().enumerate() {
        let (own, there) = (like(far.all_addresses(), target.pod), target.node);
        let sender = like(world.second().underlay(), there);
        target.send_to(far, own, there, 1, "pod");
        target.send(&world.second().node, sender, 1, "node");
        assert_eq!(target.hears(), "node", "{index}");
        // None was even on the wire.
        let packet = tap.encapsulated(PATIENCE).expect("one was sent");
        assert_eq!(
            (packet.outer.source, packet.outer.destination),
            (sender, there)
        );
        assert!(tap.all_encapsulated(integration_tests::BRIEFLY).is_empty());
        assert!(ping(first, sender, PATIENCE));
    }
}

/// The port is the pods' own to use as any other.
#[test]
fn pods_use_the_port_among_themselves() {
    let world = World::new(&json!({}));
    let network = world.fleet.conflist(world.first(), &json!({}));
    let neighbour = world.first().attach(&network);
    for target in world.targets() {
        let server = Echo::start(&world.pods[0], target.pod, PORT);
        for client in [&neighbour, &world.pods[1]] {
            let asked = ask_udp(client, server.address());
            let own = like(client.all_addresses(), target.pod);
            assert_eq!(
                asked.map(|seen| seen.ip()).ok(),
                Some(own),
                "{}",
                target.pod
            );
        }
    }
}

/// Neither by the sender nor by the receiver, whether the filter is on or not.
#[test]
fn encapsulated_packets_are_not_tracked() {
    for filter in [true, false] {
        let world = World::new(&json!({"sourceFilter": filter}));
        for target in world.targets() {
            assert_eq!(
                seen(&world.pods[1], &world.pods[0], target.pod),
                like(world.pods[1].all_addresses(), target.pod)
            );
        }
        for member in &world.fleet.members {
            let flows = flows(&member.node);
            let pods = flows.iter().filter(|flow| {
                world
                    .fleet
                    .network()
                    .iter()
                    .any(|network| network.contains(flow.source))
            });
            assert!(pods.count() >= 4, "{flows:?}");
            let underlay: Vec<_> = world
                .fleet
                .members
                .iter()
                .flat_map(Member::underlay)
                .collect();
            let outer = |flow: &&integration_tests::conntrack::Flow| {
                flow.protocol == "udp" && underlay.contains(&flow.source)
            };
            let outer: Vec<_> = flows.iter().filter(outer).collect();
            assert!(outer.is_empty(), "{outer:?}");
        }
    }
}

/// An answer to a masqueraded flow from the port would be taken for a packet of the overlay. By
/// chance alone one of so many would come from below it.
#[test]
fn masqueraded_flows_keep_off_the_port() {
    let world = World::new(&json!({}));
    for (index, outside) in world.fleet.outside_addresses().into_iter().enumerate() {
        let server = Echo::start(&world.fleet.outside, outside, 7);
        let own = world.pods[0].all_addresses()[index];
        let sources = (PORT..PORT + 100).map(|port| SocketAddr::new(own, port));
        let ports: BTreeSet<_> = sources
            .map(|source| {
                let seen = ask_udp_from(&world.pods[0], source, server.address()).unwrap();
                assert_eq!(seen.ip(), world.first().underlay()[index]);
                seen.port()
            })
            .collect();
        assert!(ports.len() > 90, "they are random: {ports:?}");
        assert!(ports.iter().all(|port| *port > PORT), "{ports:?}");
    }
}

/// A node that left the list is a stranger as soon as the plugin has seen the new list.
#[test]
fn a_peer_that_left_is_a_stranger() {
    let mut world = World::new(&json!({}));
    world.fleet.add_member();
    let members = &world.fleet.members;
    let third = &members[2];
    let with = |nodes: Value| {
        let network = world
            .fleet
            .conflist(world.first(), &json!({"nodes": nodes}));
        world.first().attach(&network)
    };
    let _with_three = with(world.fleet.nodes());
    for target in world.targets() {
        target.send(&third.node, like(third.underlay(), target.node), 1, "third");
        assert_eq!(target.hears(), "third");
    }
    let two: Value = members[..2].iter().map(Member::entry).collect();
    let _with_two = with(two);
    for target in world.targets() {
        target.send(&third.node, like(third.underlay(), target.node), 1, "third");
        target.send(&world.second().node, world.peer(&target), 1, "peer");
        assert_eq!(target.hears(), "peer");
    }
}
