// SPDX-License-Identifier: Apache-2.0
//! What a pod may expect once ADD has returned: the first packet arrives, by both families, from
//! and to pods, the host and the outside, and pods show each other their own addresses.

use integration_tests::conntrack::flows;
use integration_tests::{Network, Node, Outside, PATIENCE, Runner, ping, seen};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::network;

const GATEWAYS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 88, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x88, 0, 0, 0, 0, 0, 1)),
];

/// A node whose outside host would answer pods, too.
fn node() -> (Node, Outside) {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    for subnet in ["10.88.0.0/24", "fd00:88::/64"] {
        outside.add_route_back(subnet.parse().expect("a CIDR"));
    }
    (node, outside)
}

#[test]
fn pods_reach_each_other_with_the_first_packet_and_their_own_addresses() {
    for ip_masq in [false, true] {
        let (node, _outside) = node();
        let runner = Runner::new(&node);
        let network = network(json!({"ipMasq": ip_masq}));
        let a = runner.attach(&network, &node);
        let b = runner.attach(&network, &node);
        for (from, to) in a.both_addresses().into_iter().zip(b.both_addresses()) {
            assert!(ping(&a, to, Duration::from_millis(500)), "{to}");
            assert_eq!(seen(&a, &b, to), from);
            assert_eq!(seen(&b, &a, from), to);
        }
        assert!(!flows(&node).iter().any(|flow| flow.is_translated()));
    }
}

#[test]
fn pod_and_host_reach_each_other() {
    let (node, _outside) = node();
    let pod = Runner::new(&node).attach(&network(json!({"ipMasq": true})), &node);
    let own = [Outside::NODE_V4, Outside::NODE_V6];
    for ((address, gateway), own) in pod.both_addresses().into_iter().zip(GATEWAYS).zip(own) {
        assert!(ping(&node, address, Duration::from_millis(500)));
        assert_eq!(seen(&node, &pod, address), gateway);
        assert_eq!(seen(&pod, &node, gateway), address);
        assert_eq!(seen(&pod, &node, own), address);
    }
}

/// The host looks for a pod by the link-local address of its own end: that one, too, must be ready.
#[test]
fn outside_reaches_a_pod_with_the_first_packet() {
    let (node, outside) = node();
    let pod = Runner::new(&node).attach(&network(json!({})), &node);
    for address in pod.both_addresses().into_iter().rev() {
        let moment = Duration::from_millis(500);
        assert!(ping(&outside, address, moment), "{address}");
    }
}

#[test]
fn outside_sees_the_pod_and_with_masquerade_the_node() {
    let (node, outside) = node();
    let runner = Runner::new(&node);
    let masqueraded = Network::of_ptp(
        "masqueraded",
        &["10.89.0.0/24", "fd00:89::/64"],
        json!({"ipMasq": true, "ipMasqBackend": "iptables"}),
    );
    let masqueraded = runner.attach(&masqueraded, &node);
    let plain = runner.attach(&network(json!({})), &node);
    let servers = [Outside::V4, Outside::V6];
    let of_node = [Outside::NODE_V4, Outside::NODE_V6];
    for ((server, of_node), own) in servers.iter().zip(of_node).zip(plain.both_addresses()) {
        assert_eq!(seen(&plain, &outside, *server), own);
        assert_eq!(seen(&masqueraded, &outside, *server), of_node);
    }
    // Pods of the two are no strangers to each other.
    for (to, own) in plain
        .both_addresses()
        .into_iter()
        .zip(masqueraded.both_addresses())
    {
        assert_eq!(seen(&masqueraded, &plain, to), own);
        assert_eq!(seen(&plain, &masqueraded, own), to);
    }
}

#[test]
fn destinations_that_are_to_be_spared_see_the_pod() {
    let (node, outside) = node();
    let spared: IpAddr = "203.0.113.9".parse().unwrap();
    outside.serve_on(spared);
    let keys = json!({"ipMasq": true, "nonMasqueradeCIDRs": ["203.0.113.7/24"]});
    let pod = Runner::new(&node).attach(&network(keys), &node);
    assert_eq!(seen(&pod, &outside, spared), pod.ipv4("eth0"));
    assert_eq!(seen(&pod, &outside, Outside::V4), Outside::NODE_V4);
}

#[test]
fn pods_of_a_bridge_are_reached_beside() {
    let (node, _outside) = node();
    let runner = Runner::new(&node);
    let a = runner.attach(&network(json!({"ipMasq": true})), &node);
    let bridged = Network::of_bridge("bridged", &["10.90.0.0/24", "fd00:90::/64"], json!({}));
    let b = runner.attach(&bridged, &node);
    for (from, to) in a.both_addresses().into_iter().zip(b.both_addresses()) {
        assert_eq!(seen(&a, &b, to), from);
        assert_eq!(seen(&b, &a, from), to);
    }
}

#[test]
fn one_family_alone_is_served_as_well() {
    for subnet in ["10.88.0.0/24", "fd00:88::/64"] {
        let node = Node::new();
        let runner = Runner::new(&node);
        let network = Network::of_ptp("single", &[subnet], json!({"ipMasq": true}));
        let [a, b] = [(); 2].map(|()| runner.attach(&network, &node));
        let to = b.addresses("eth0")[0].ip();
        assert_eq!(b.addresses("eth0").len(), 1);
        assert!(ping(&a, to, PATIENCE), "{to}");
        assert!(ping(&node, to, PATIENCE), "{to}");
        runner.check(&network, &a, "eth0").unwrap();
    }
}

#[test]
fn a_host_without_ipv6_attaches_pods_with_ipv4() {
    let node = Node::new();
    for which in ["all", "default"] {
        node.write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
    }
    let runner = Runner::new(&node);
    let network = Network::of_ptp("v4", &["10.88.0.0/24"], json!({"ipMasq": true}));
    let [a, b] = [(); 2].map(|()| runner.attach(&network, &node));
    assert!(ping(&a, b.ipv4("eth0"), PATIENCE));
    runner.check(&network, &a, "eth0").unwrap();
    runner.del(&network, &a, "eth0").unwrap();
}

/// What is too large for the way beyond the host is told the pod by the host.
#[test]
fn a_pod_learns_of_a_narrower_way() {
    let (node, outside) = node();
    for place in [&*node, &*outside] {
        place.ip("link set eth0 mtu 1300");
    }
    let pod = Runner::new(&node).attach(&network(json!({"mtu": 1500})), &node);
    for (server, length) in [(Outside::V4, 1400), (Outside::V6, 1400)] {
        let sent = integration_tests::ping_unfragmented(&pod, server, length, PATIENCE);
        let error = sent.expect_err("it does not fit");
        assert_eq!(
            error.kind(),
            std::io::Error::from_raw_os_error(90).kind(),
            "{error}"
        );
        integration_tests::ping_unfragmented(&pod, server, 1300, PATIENCE).unwrap();
    }
}
