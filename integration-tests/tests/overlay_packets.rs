// SPDX-License-Identifier: Apache-2.0
//! The Kubernetes network model across nodes, over the overlay that the plugin `vxlan` programs:
//! every pod and every node reaches every pod by the pod's own address and is seen as who it is,
//! and only what leaves the cluster is masqueraded.

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};

use integration_tests::conntrack::{Flow, flows};
use integration_tests::{Fleet, Node, PATIENCE, Place, Pod, Stack, ping, seen};
use serde_json::json;

/// A cluster with a pod on each node.
fn cluster(count: u8, stack: Stack) -> (Fleet, Vec<Pod>) {
    let fleet = Fleet::new(count, stack);
    let pods = fleet.attach_each(&json!({}));
    (fleet, pods)
}

/// What a node tracks between addresses of the cluster's networks.
fn flows_within(fleet: &Fleet, node: &Node) -> Vec<Flow> {
    let inside = |address| {
        fleet
            .network()
            .iter()
            .any(|network| network.contains(address))
    };
    let mut flows = flows(node);
    flows.retain(|flow| inside(flow.source) && inside(flow.destination));
    flows
}

fn assert_nothing_translated(fleet: &Fleet) {
    for member in &fleet.members {
        let flows = flows_within(fleet, &member.node);
        assert!(!flows.is_empty(), "{} tracks nothing", member.name);
        let translated: Vec<_> = flows.iter().filter(|flow| flow.is_translated()).collect();
        assert!(translated.is_empty(), "{}: {translated:?}", member.name);
    }
}

/// The first packet of each pod to each other arrives, and both ends see each other's own address.
fn all_pods_reach_all_pods(count: u8, stack: Stack) {
    let (fleet, pods) = cluster(count, stack);
    let mut pairs = 0;
    for (from, client) in pods.iter().enumerate() {
        for (to, server) in pods.iter().enumerate().filter(|(to, _)| *to != from) {
            let ends = client
                .all_addresses()
                .into_iter()
                .zip(server.all_addresses());
            for (own, other) in ends {
                let what = format!("{stack:?}, n{} to n{}, {other}", from + 1, to + 1);
                assert!(ping(client, other, PATIENCE), "{what}");
                assert_eq!(seen(client, server, other), own, "{what}");
                pairs += 1;
            }
        }
    }
    let count = usize::from(count);
    assert_eq!(pairs, count * (count - 1) * fleet.network().len());
    assert_nothing_translated(&fleet);
}

#[test]
fn pods_of_two_nodes() {
    Stack::ALL
        .iter()
        .for_each(|stack| all_pods_reach_all_pods(2, *stack));
}

#[test]
fn pods_of_three_nodes() {
    Stack::ALL
        .iter()
        .for_each(|stack| all_pods_reach_all_pods(3, *stack));
}

#[test]
fn pods_of_eight_nodes_ipv4() {
    all_pods_reach_all_pods(8, Stack::V4);
}

#[test]
fn pods_of_eight_nodes_ipv6() {
    all_pods_reach_all_pods(8, Stack::V6);
}

#[test]
fn pods_of_eight_nodes_dual_stack() {
    all_pods_reach_all_pods(8, Stack::Dual);
}

/// Every node reaches every pod and is reached by it, on the addresses that it has in the pods'
/// networks: the bridge's and the VXLAN device's.
#[test]
fn nodes_and_pods_reach_each_other_untranslated() {
    for stack in Stack::ALL {
        let (fleet, pods) = cluster(2, stack);
        let [near, far] = [0, 1].map(|index: usize| &fleet.members[index]);
        for (index, pod) in pods[1].all_addresses().into_iter().enumerate() {
            assert!(ping(&near.node, pod, PATIENCE), "{pod}");
            let node = seen(&near.node, &pods[1], pod);
            assert_eq!(
                node,
                near.pod_cidrs()[index].network(),
                "the VXLAN device's"
            );
            let own = pods[0].all_addresses()[index];
            for address in [
                bridge_address(&far.node, own),
                far.pod_cidrs()[index].network(),
            ] {
                assert!(ping(&pods[0], address, PATIENCE), "{address}");
                assert_eq!(seen(&pods[0], &far.node, address), own, "{address}");
            }
        }
        assert_nothing_translated(&fleet);
    }
}

/// The address that a node's bridge has, of the family of another address.
fn bridge_address(node: &Place, like: IpAddr) -> IpAddr {
    let mut addresses = node
        .addresses("cni0")
        .into_iter()
        .map(|network| network.ip());
    let address = addresses.find(|address| address.is_ipv4() == like.is_ipv4());
    address.expect("the bridge has a gateway's address of each family")
}

#[test]
fn outside_sees_the_node() {
    for stack in Stack::ALL {
        let (fleet, pods) = cluster(2, stack);
        for (member, pod) in fleet.members.iter().zip(&pods) {
            for (outside, node) in fleet.outside_addresses().into_iter().zip(member.underlay()) {
                assert_eq!(seen(pod, &fleet.outside, outside), node);
            }
        }
    }
}

/// A node's underlay address is not the pods' to route: as anything outside of their networks it
/// sees the pod's node, unless the configuration spares the underlay. The answer to a pod's own
/// address comes through the overlay.
#[test]
fn underlay_addresses_of_other_nodes_see_the_node_unless_they_are_spared() {
    let fleet = Fleet::new(2, Stack::Dual);
    let [near, far] = [0, 1].map(|index: usize| &fleet.members[index]);
    let _far = far.attach(&fleet.conflist(far, &json!({})));
    let network = fleet.conflist(near, &json!({}));
    let pod = near.attach(&network);
    let sees = |pod: &Place| {
        let addresses = far.underlay().into_iter();
        let seen: Vec<_> = addresses
            .map(|address| seen(pod, &far.node, address))
            .collect();
        seen
    };
    assert_eq!(sees(&pod), near.underlay());
    let spared = json!({"nonMasqueradeCIDRs": ["192.0.2.0/24", "2001:db8:1::/64"]});
    let spared = near.attach(&network.with(&spared));
    assert_eq!(sees(&spared), spared.all_addresses());
}

/// What routers between the nodes see: as flannel's packets, but without a checksum over IPv4.
#[test]
fn the_underlay_sees_packets_like_flannels() {
    let (fleet, pods) = cluster(2, Stack::Dual);
    let tap = fleet.tap(&fleet.members[1]);
    for (index, to) in pods[1].all_addresses().into_iter().enumerate() {
        let from = pods[0].all_addresses()[index];
        let [own, peer] = [0, 1].map(|member: usize| fleet.members[member].underlay()[index]);
        assert!(ping(&pods[0], to, PATIENCE));
        let request = tap.encapsulated(PATIENCE).unwrap();
        let reply = tap.encapsulated(PATIENCE).unwrap();
        assert_eq!(
            (request.inner, reply.inner),
            (Some((from, to)), Some((to, from)))
        );
        assert_eq!(
            (request.destination_mac, request.source_mac),
            (reply.source_mac, reply.destination_mac)
        );
        for (packet, ends) in [(&request, (own, peer)), (&reply, (peer, own))] {
            assert_eq!((packet.outer.source, packet.outer.destination), ends);
            assert_eq!((packet.vni, packet.flags, packet.outer.ttl), (1, 0x08, 64));
            assert_eq!(packet.outer.checksum == 0, to.is_ipv4());
        }
    }
}

/// Routers and network cards spread flows by the outer source port: one flow has one, in order to
/// keep its packets in order, and flows have different ones.
#[test]
fn flows_have_source_ports_of_their_own() {
    let (fleet, pods) = cluster(2, Stack::Dual);
    let tap = fleet.tap(&fleet.members[1]);
    for (index, to) in pods[1].all_addresses().into_iter().enumerate() {
        let from = pods[0].all_addresses()[index];
        let _receiver = pods[1].run(|| UdpSocket::bind((to, 9))).unwrap();
        let mut ports = BTreeSet::new();
        for _ in 0..16 {
            let flow = pods[0].run(|| UdpSocket::bind((from, 0))).unwrap();
            for _ in 0..4 {
                flow.send_to(b"one of four", (to, 9)).unwrap();
            }
            let packets = std::iter::from_fn(|| tap.encapsulated(PATIENCE)).take(4);
            let of_flow: BTreeSet<_> = packets.map(|packet| packet.outer.source_port).collect();
            assert_eq!(of_flow.len(), 1, "{of_flow:?}");
            ports.extend(of_flow);
        }
        assert!(ports.len() > 12, "{ports:?}");
    }
}
