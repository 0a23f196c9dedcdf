// SPDX-License-Identifier: Apache-2.0
//! `ipMasq`: what leaves a network for elsewhere gets the node's address and a random port, what
//! the configuration or the network model spares keeps the pod's.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use integration_tests::conntrack::{Flow, flows};
use integration_tests::{
    Echo, Network, Node, Outside, Place, Runner, ask_udp_from, multicast, seen,
};
use serde_json::{Value, json};

const SUBNETS: [&str; 2] = ["10.88.0.0/24", "fd00:88::/64"];
/// Addresses of the outside host that a configuration can spare.
const SPARED: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9)),
];

fn network(keys: &Value) -> Network {
    Network::of_bridge("podnet", &SUBNETS, json!({"ipMasq": true})).with(keys)
}

/// A node whose outside host would answer pods, too, so that any source can be seen.
fn node() -> (Node, Outside) {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    for subnet in SUBNETS {
        outside.add_route_back(subnet.parse().expect("a CIDR"));
    }
    for address in SPARED {
        outside.serve_on(address);
    }
    (node, outside)
}

fn flows_to(node: &Node, destination: IpAddr) -> Vec<Flow> {
    let mut flows = flows(node);
    flows.retain(|flow| flow.destination == destination);
    assert!(!flows.is_empty(), "no flow to {destination}");
    flows
}

/// The ruleset without what changes by itself.
fn ruleset(node: &Node) -> String {
    node.tool("nft", "--stateless list ruleset")
}

#[test]
fn outside_sees_the_node_for_a_pod_of_each_family() {
    let (node, outside) = node();
    let pod = Runner::new(&node).attach(&network(&json!({})), &node);
    for ((server, node_address), pod_address) in [Outside::V4, Outside::V6]
        .into_iter()
        .zip([Outside::NODE_V4, Outside::NODE_V6])
        .zip(pod.both_addresses())
    {
        assert_eq!(seen(&pod, &outside, server), node_address);
        for flow in flows_to(&node, server) {
            assert_eq!(flow.source, pod_address);
            assert_eq!(flow.reply_destination, node_address);
        }
    }
}

#[test]
fn source_ports_are_random() {
    let (node, outside) = node();
    let pod = Runner::new(&node).attach(&network(&json!({})), &node);
    for (server, pod_address) in [Outside::V4, Outside::V6]
        .into_iter()
        .zip(pod.both_addresses())
    {
        let server = Echo::start(&outside, server, 7);
        let sources: Vec<_> = (40_000..40_008)
            .map(|port| SocketAddr::new(pod_address, port))
            .collect();
        let ports = |source: &SocketAddr| {
            let seen = ask_udp_from(&pod, *source, server.address()).unwrap();
            (source.port(), seen.port())
        };
        let ports: Vec<_> = sources.iter().map(ports).collect();
        let kept = ports.iter().filter(|(own, seen)| own == seen).count();
        let apart: HashSet<_> = ports
            .iter()
            .map(|(own, seen)| own.abs_diff(*seen))
            .collect();
        assert!(kept < 2 && apart.len() > 4, "own and seen ports: {ports:?}");
    }
}

#[test]
fn spared_destinations_see_the_pod() {
    let (node, outside) = node();
    let spared = json!({"nonMasqueradeCIDRs": ["203.0.113.0/28", "2001:db8:9::/48"]});
    let pod = Runner::new(&node).attach(&network(&spared), &node);
    for (spared, pod_address) in SPARED.into_iter().zip(pod.both_addresses()) {
        assert_eq!(seen(&pod, &outside, spared), pod_address);
        assert!(!flows_to(&node, spared).iter().any(Flow::is_translated));
    }
    for (other, node_address) in [
        (Outside::V4, Outside::NODE_V4),
        (Outside::V6, Outside::NODE_V6),
    ] {
        assert_eq!(seen(&pod, &outside, other), node_address);
    }
}

#[test]
fn changed_spared_destinations_hold_from_the_next_add_on() {
    let (node, outside) = node();
    let runner = Runner::new(&node);
    let with = |list: &[&str]| network(&json!({"nonMasqueradeCIDRs": list}));
    let first = runner.attach(&with(&[]), &node);
    let seen = |pod: &Place| SPARED.map(|spared| seen(pod, &outside, spared));
    assert_eq!(seen(&first), [Outside::NODE_V4, Outside::NODE_V6]);

    let second = runner.attach(&with(&["203.0.113.0/24"]), &node);
    for pod in [&first, &second] {
        assert_eq!(seen(pod), [pod.ipv4("eth0"), Outside::NODE_V6]);
    }
    let third = runner.attach(&with(&["2001:db8:9::/64"]), &node);
    for pod in [&first, &second, &third] {
        assert_eq!(seen(pod), [Outside::NODE_V4, pod.ipv6("eth0")]);
    }
}

#[test]
fn traffic_within_the_node_is_not_translated() {
    let (node, _outside) = node();
    let runner = Runner::new(&node);
    let (a, b) = (
        runner.attach(&network(&json!({})), &node),
        runner.attach(&network(&json!({})), &node),
    );
    for (from, to) in a.both_addresses().into_iter().zip(b.both_addresses()) {
        assert_eq!(seen(&a, &b, to), from);
        // Away from the bridge and back to it, as with a Service's address.
        assert_eq!(seen(&a, &node, to_node(from)), from);
    }
    assert!(!flows(&node).iter().any(Flow::is_translated));
}

fn to_node(pod: IpAddr) -> IpAddr {
    if pod.is_ipv4() {
        Outside::NODE_V4
    } else {
        Outside::NODE_V6
    }
}

/// The host speaks to groups from an address in the pods' subnet when it is the gateway's.
#[test]
fn multicast_keeps_its_source() {
    let (node, outside) = node();
    let _pod = Runner::new(&node).attach(&network(&json!({})), &node);
    for gateway in ["10.88.0.1", "fd00:88::1"] {
        let gateway: IpAddr = gateway.parse().unwrap();
        let seen = multicast((&node, gateway, "eth0"), &outside, "eth0");
        assert_eq!(seen.ok(), Some(gateway), "from {gateway}");
    }
}

#[test]
fn the_rules_do_not_grow_with_pods() {
    let (node, outside) = node();
    let (runner, network) = (Runner::new(&node), network(&json!({})));
    let first = runner.attach(&network, &node);
    let with_one = ruleset(&node);
    let mut pods: Vec<_> = (0..20).map(|_| runner.attach(&network, &node)).collect();
    assert_eq!(ruleset(&node), with_one);
    assert_eq!(seen(&pods[19], &outside, Outside::V4), Outside::NODE_V4);
    for pod in pods.drain(..) {
        runner.del(&network, &pod, "eth0").unwrap();
    }
    assert_eq!(ruleset(&node), with_one);
    assert_eq!(seen(&first, &outside, Outside::V4), Outside::NODE_V4);
}

#[test]
fn rules_that_somebody_flushed_come_back_with_the_next_add() {
    let (node, outside) = node();
    let (runner, network) = (Runner::new(&node), network(&json!({})));
    let first = runner.attach(&network, &node);
    let whole = ruleset(&node);
    let flushes = [
        "flush ruleset",
        "flush table inet podwire",
        "flush chain inet podwire postrouting",
        "flush chain inet podwire exempt",
        "flush chain inet podwire masq-podnet",
    ];
    for flush in flushes {
        node.tool("nft", flush);
        let _second = runner.attach(&network, &node);
        assert_eq!(ruleset(&node), whole, "after {flush}");
        assert_eq!(
            seen(&first, &outside, Outside::V4),
            Outside::NODE_V4,
            "after {flush}"
        );
    }
}

/// An operator's `nft list ruleset` is to be fit for `/etc/nftables.conf`.
#[test]
fn the_ruleset_can_be_saved_and_restored_by_nft() {
    let (node, outside) = node();
    let (runner, network) = (
        Runner::new(&node),
        network(&json!({"macspoofchk": true, "nonMasqueradeCIDRs": ["203.0.113.0/24"]})),
    );
    let pod = runner.attach(&network, &node);
    let saved = node.tool("nft", "list ruleset");
    node.tool("nft", "flush ruleset");
    node.write("/run/lab/ruleset", &saved);
    node.tool("nft", "-f /run/lab/ruleset");
    assert_eq!(node.tool("nft", "list ruleset"), saved);

    runner.check(&network, &pod, "eth0").unwrap();
    assert_eq!(seen(&pod, &outside, Outside::V4), Outside::NODE_V4);
    let after_restore = ruleset(&node);
    let second = runner.attach(&network, &node);
    runner.del(&network, &second, "eth0").unwrap();
    assert_eq!(
        ruleset(&node),
        after_restore,
        "nothing is taken for missing"
    );
}
