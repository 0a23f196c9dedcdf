// SPDX-License-Identifier: Apache-2.0
//! `ipMasq`: what leaves a network for elsewhere gets the node's address and a random port, what
//! the configuration or the network model spares keeps the pod's.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use integration_tests::conntrack::{Flow, flows};
use integration_tests::{
    Echo, Network, Node, Outside, Place, Runner, ask_tcp, ask_udp, ask_udp_from, multicast,
};
use serde_json::{Value, json};

const SUBNETS: [&str; 2] = ["10.88.0.0/24", "fd00:88::/64"];
/// Addresses of the outside host that a configuration can spare.
const SPARED: [&str; 2] = ["203.0.113.9", "2001:db8:9::9"];

fn network(keys: Value) -> Network {
    let mut all = json!({"ipMasq": true});
    for (key, value) in keys.as_object().unwrap() {
        all[key] = value.clone();
    }
    Network::of_bridge("podnet", &SUBNETS, all)
}

fn addresses(place: &Place) -> [IpAddr; 2] {
    [place.ipv4("eth0"), place.ipv6("eth0")]
}

/// A node whose outside host would answer pods, too, so that any source can be seen.
fn node() -> (Node, Outside) {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    for subnet in SUBNETS {
        outside.add_route_back(subnet.parse().unwrap());
    }
    for address in SPARED {
        outside.serve_on(address.parse().unwrap());
    }
    (node, outside)
}

/// Whose address `server` sees when the pod asks it by UDP, and by TCP.
fn seen_by(server: &Echo, pod: &Place) -> IpAddr {
    let [udp, tcp] = [
        ask_udp(pod, server.address()),
        ask_tcp(pod, server.address()),
    ]
    .map(|seen| seen.unwrap().ip());
    assert_eq!(udp, tcp);
    udp
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
    let pod = Runner::new(&node).attach(&network(json!({})), &node);
    for ((server, node_address), pod_address) in [Outside::V4, Outside::V6]
        .into_iter()
        .zip([Outside::NODE_V4, Outside::NODE_V6])
        .zip(addresses(&pod))
    {
        let server = Echo::start(&outside, server, 7);
        assert_eq!(seen_by(&server, &pod), node_address);
        for flow in flows_to(&node, server.address().ip()) {
            assert_eq!(flow.source, pod_address);
            assert_eq!(flow.reply_destination, node_address);
        }
    }
}

#[test]
fn source_ports_are_random() {
    let (node, outside) = node();
    let pod = Runner::new(&node).attach(&network(json!({})), &node);
    for (server, pod_address) in [Outside::V4, Outside::V6].into_iter().zip(addresses(&pod)) {
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
    let pod = Runner::new(&node).attach(&network(spared), &node);
    for (spared, pod_address) in SPARED.into_iter().zip(addresses(&pod)) {
        let server = Echo::start(&outside, spared.parse().unwrap(), 7);
        assert_eq!(seen_by(&server, &pod), pod_address);
        assert!(
            !flows_to(&node, server.address().ip())
                .iter()
                .any(Flow::is_translated)
        );
    }
    for (other, node_address) in [
        (Outside::V4, Outside::NODE_V4),
        (Outside::V6, Outside::NODE_V6),
    ] {
        assert_eq!(
            seen_by(&Echo::start(&outside, other, 7), &pod),
            node_address
        );
    }
}

#[test]
fn changed_spared_destinations_hold_from_the_next_add_on() {
    let (node, outside) = node();
    let runner = Runner::new(&node);
    let with = |list: &[&str]| network(json!({"nonMasqueradeCIDRs": list}));
    let first = runner.attach(&with(&[]), &node);
    let servers = SPARED.map(|address| Echo::start(&outside, address.parse().unwrap(), 7));
    let seen = |pod: &Place| servers.each_ref().map(|server| seen_by(server, pod));
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
        runner.attach(&network(json!({})), &node),
        runner.attach(&network(json!({})), &node),
    );
    for (from, to) in addresses(&a).into_iter().zip(addresses(&b)) {
        assert_eq!(seen_by(&Echo::start(&b, to, 7), &a), from);
        // Away from the bridge and back to it, as with a Service's address.
        assert_eq!(seen_by(&Echo::start(&node, to_node(from), 7), &a), from);
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
    let _pod = Runner::new(&node).attach(&network(json!({})), &node);
    for gateway in ["10.88.0.1", "fd00:88::1"] {
        let gateway: IpAddr = gateway.parse().unwrap();
        let seen = multicast((&node, gateway, "eth0"), &outside, "eth0");
        assert_eq!(seen.ok(), Some(gateway), "from {gateway}");
    }
}

#[test]
fn the_rules_do_not_grow_with_pods() {
    let (node, outside) = node();
    let (runner, network) = (Runner::new(&node), network(json!({})));
    let first = runner.attach(&network, &node);
    let with_one = ruleset(&node);
    let mut pods: Vec<_> = (0..20).map(|_| runner.attach(&network, &node)).collect();
    assert_eq!(ruleset(&node), with_one);
    let server = Echo::start(&outside, Outside::V4, 7);
    assert_eq!(seen_by(&server, &pods[19]), Outside::NODE_V4);
    for pod in pods.drain(..) {
        runner.del(&network, &pod, "eth0").unwrap();
    }
    assert_eq!(ruleset(&node), with_one);
    assert_eq!(seen_by(&server, &first), Outside::NODE_V4);
}

#[test]
fn rules_that_somebody_flushed_come_back_with_the_next_add() {
    let (node, outside) = node();
    let (runner, network) = (Runner::new(&node), network(json!({})));
    let first = runner.attach(&network, &node);
    let whole = ruleset(&node);
    let server = Echo::start(&outside, Outside::V4, 7);
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
        assert_eq!(seen_by(&server, &first), Outside::NODE_V4, "after {flush}");
    }
}

/// An operator's `nft list ruleset` is to be fit for `/etc/nftables.conf`.
#[test]
fn the_ruleset_can_be_saved_and_restored_by_nft() {
    let (node, outside) = node();
    let (runner, network) = (
        Runner::new(&node),
        network(json!({"macspoofchk": true, "nonMasqueradeCIDRs": ["203.0.113.0/24"]})),
    );
    let pod = runner.attach(&network, &node);
    let saved = node.tool("nft", "list ruleset");
    node.tool("nft", "flush ruleset");
    node.write("/run/lab/ruleset", &saved);
    node.tool("nft", "-f /run/lab/ruleset");
    assert_eq!(node.tool("nft", "list ruleset"), saved);

    runner.check(&network, &pod, "eth0").unwrap();
    let server = Echo::start(&outside, Outside::V4, 7);
    assert_eq!(seen_by(&server, &pod), Outside::NODE_V4);
    let after_restore = ruleset(&node);
    let second = runner.attach(&network, &node);
    runner.del(&network, &second, "eth0").unwrap();
    assert_eq!(
        ruleset(&node),
        after_restore,
        "nothing is taken for missing"
    );
}
