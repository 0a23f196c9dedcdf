// SPDX-License-Identifier: Apache-2.0
//! Two networks of one node: their pods talk as if there were one, and each network's own wishes
//! hold for its pods alone, also where bridge or subnet are shared.

use integration_tests::conntrack::{Flow, flows};
use integration_tests::{BRIEFLY, Network, Node, Outside, PATIENCE, Runner, ping, seen};
use serde_json::{Value, json};

/// A range of 10.77.0.0/24 for one of several networks that share it.
fn ranged(name: &str, start: &str, end: &str, keys: Value) -> Network {
    let range = json!({
        "subnet": "10.77.0.0/24",
        "gateway": "10.77.0.1",
        "rangeStart": start,
        "rangeEnd": end,
    });
    let all = json!({"ipam": {
        "type": "host-local",
        "ranges": [[range]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }});
    Network::of_bridge(name, &[], all).with(&keys)
}

#[test]
fn pods_of_two_masqueraded_networks_see_each_others_addresses() {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    let runner = Runner::new(&node);
    let network = |name, bridge, subnets: [&str; 2]| {
        Network::of_bridge(name, &subnets, json!({"bridge": bridge, "ipMasq": true}))
    };
    let a = runner.attach(
        &network("net-a", "br-a", ["10.71.0.0/24", "fd00:71::/64"]),
        &node,
    );
    let b = runner.attach(
        &network("net-b", "br-b", ["10.72.0.0/24", "fd00:72::/64"]),
        &node,
    );
    for (of_a, of_b) in a.both_addresses().into_iter().zip(b.both_addresses()) {
        assert_eq!(seen(&a, &b, of_b), of_a);
        assert_eq!(seen(&b, &a, of_a), of_b);
    }
    assert!(!flows(&node).iter().any(Flow::is_translated));
    for pod in [&a, &b] {
        assert_eq!(seen(pod, &outside, Outside::V4), Outside::NODE_V4);
        assert_eq!(seen(pod, &outside, Outside::V6), Outside::NODE_V6);
    }
}

#[test]
fn networks_that_share_a_subnet_are_masqueraded_as_each_says() {
    for order in [[true, false], [false, true]] {
        let node = Node::new();
        let outside = Outside::new(&node, 1500);
        outside.add_route_back("10.77.0.0/24".parse().unwrap());
        let runner = Runner::new(&node);
        let network = |masquerade: bool| match masquerade {
            true => ranged(
                "hidden",
                "10.77.0.10",
                "10.77.0.19",
                json!({"ipMasq": true}),
            ),
            false => ranged("shown", "10.77.0.20", "10.77.0.29", json!({})),
        };
        for masquerade in order.into_iter().chain(order) {
            let pod = runner.attach(&network(masquerade), &node);
            let own = pod.ipv4("eth0");
            let expected = if masquerade { Outside::NODE_V4 } else { own };
            // The first of `order` is gone again, and no rule of it is in the second's way.
            assert_eq!(
                seen(&pod, &outside, Outside::V4),
                expected,
                "{own} of {order:?}"
            );
            runner.check(&network(masquerade), &pod, "eth0").unwrap();
            runner.del(&network(masquerade), &pod, "eth0").unwrap();
        }
        let pods = order.map(|masquerade| runner.attach(&network(masquerade), &node));
        assert!(ping(&pods[0], pods[1].ipv4("eth0"), PATIENCE));
        for (pod, masquerade) in pods.iter().zip(order) {
            let expected = if masquerade {
                Outside::NODE_V4
            } else {
                pod.ipv4("eth0")
            };
            assert_eq!(seen(pod, &outside, Outside::V4), expected, "{order:?}");
        }
    }
}

/// The rule for a subnet that a later network brings takes in whoever is there: CHECK says so, and
/// the attachment made anew is as its own network says.
#[test]
fn a_pod_that_a_later_network_takes_in_is_told_by_check() {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    outside.add_route_back("10.77.0.0/24".parse().unwrap());
    let runner = Runner::new(&node);
    let shown = ranged("shown", "10.77.0.20", "10.77.0.29", json!({}));
    let hidden = ranged(
        "hidden",
        "10.77.0.10",
        "10.77.0.19",
        json!({"ipMasq": true}),
    );
    let pod = runner.attach(&shown, &node);
    runner.check(&shown, &pod, "eth0").unwrap();
    let _later = runner.attach(&hidden, &node);
    let (code, msg) = runner.check(&shown, &pod, "eth0").unwrap_err().error();
    assert_eq!(code, 105, "{msg}");
    assert!(msg.contains("10.77.0.20"), "{msg}");

    runner.del(&shown, &pod, "eth0").unwrap();
    runner.add(&shown, &pod, "eth0").unwrap();
    runner.check(&shown, &pod, "eth0").unwrap();
    assert_eq!(seen(&pod, &outside, Outside::V4), pod.ipv4("eth0"));
}

/// An address that a pod of the one network gave back is handed out by the other.
#[test]
fn an_address_that_changes_its_network_changes_its_treatment() {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    outside.add_route_back("10.77.0.0/24".parse().unwrap());
    let runner = Runner::new(&node);
    let one = |name, keys| ranged(name, "10.77.0.10", "10.77.0.10", keys);
    let hidden = one("hidden", json!({"ipMasq": true}));
    let shown = one("shown", json!({}));
    let wide = ranged("wide", "10.77.0.50", "10.77.0.59", json!({"ipMasq": true}));
    let _keeper = runner.attach(&wide, &node);
    for (network, masquerade) in [(&hidden, true), (&shown, false), (&hidden, true)] {
        let pod = runner.attach(network, &node);
        let expected = if masquerade {
            Outside::NODE_V4
        } else {
            pod.ipv4("eth0")
        };
        assert_eq!(
            seen(&pod, &outside, Outside::V4),
            expected,
            "{}",
            network.name()
        );
        runner.del(network, &pod, "eth0").unwrap();
        // Connection tracking remembers a flow longer than its pod lives.
        node.tool("conntrack", "-F");
    }
}

#[test]
fn two_networks_share_a_bridge_with_a_subnet_each() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = |name, subnets: [&str; 2]| {
        let keys = json!({"bridge": "shared0", "forceAddress": true});
        Network::of_bridge(name, &subnets, keys)
    };
    let first = network("first", ["10.73.0.0/24", "fd00:73::/64"]);
    let second = network("second", ["10.74.0.0/24", "fd00:74::/64"]);
    let pods = [&first, &second, &first, &second].map(|network| runner.attach(network, &node));
    let mut gateways: Vec<_> = node
        .addresses("shared0")
        .iter()
        .map(ToString::to_string)
        .collect();
    gateways.sort();
    assert_eq!(
        gateways,
        [
            "10.73.0.1/24",
            "10.74.0.1/24",
            "fd00:73::1/64",
            "fd00:74::1/64"
        ]
    );
    for from in &pods {
        // A pod reaches itself by its loopback interface, which another plugin sets up.
        from.set_up("lo");
        for to in pods.iter().flat_map(|pod| pod.both_addresses()) {
            assert!(ping(from, to, PATIENCE), "{:?} to {to}", from.name());
        }
    }
    for (network, pod) in [&first, &second, &first, &second].iter().zip(&pods) {
        runner.check(network, pod, "eth0").unwrap();
    }
}

#[test]
fn interfaces_of_one_pod_on_two_networks_live_and_end_apart() {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    let runner = Runner::new(&node);
    let network = |name, bridge, subnet| {
        let keys = json!({"bridge": bridge, "ipMasq": true, "macspoofchk": true});
        Network::of_bridge(name, &[subnet], keys)
    };
    let first = network("first", "br-a", "10.71.0.0/24");
    let second = network("second", "br-b", "10.72.0.0/24");
    let pod = runner.attach(&first, &node);
    runner.add(&second, &pod, "eth1").unwrap();
    let both = [pod.ipv4("eth0"), pod.ipv4("eth1")];
    for address in both {
        assert!(ping(&node, address, PATIENCE), "{address}");
    }
    for (network, interface) in [(&first, "eth0"), (&second, "eth1")] {
        runner.check(network, &pod, interface).unwrap();
    }
    runner.del(&second, &pod, "eth1").unwrap();
    assert_eq!(pod.interfaces(), ["eth0"]);
    runner.check(&first, &pod, "eth0").unwrap();
    assert_eq!(seen(&pod, &outside, Outside::V4), Outside::NODE_V4);
    assert!(!ping(&node, both[1], BRIEFLY));
}

#[test]
fn interfaces_of_one_pod_on_the_same_network_live_and_end_apart() {
    for ends in ["eth0", "eth1"] {
        let stays = if ends == "eth0" { "eth1" } else { "eth0" };
        let node = Node::new();
        let outside = Outside::new(&node, 1500);
        let runner = Runner::new(&node);
        let subnets = ["10.71.0.0/24", "fd00:71::/64"];
        let keys = json!({"ipMasq": true, "macspoofchk": true});
        let network = Network::of_bridge("podnet", &subnets, keys);
        let pod = runner.attach(&network, &node);
        runner.add(&network, &pod, "eth1").unwrap();
        for interface in ["eth0", "eth1"] {
            runner.check(&network, &pod, interface).unwrap();
        }
        runner.del(&network, &pod, ends).unwrap();
        assert_eq!(pod.interfaces(), [stays]);
        runner.check(&network, &pod, stays).unwrap();
        for address in [pod.ipv4(stays), pod.ipv6(stays)] {
            assert!(ping(&node, address, PATIENCE), "{address}");
        }
        assert_eq!(seen(&pod, &outside, Outside::V4), Outside::NODE_V4);
        runner.del(&network, &pod, stays).unwrap();
        assert_eq!(pod.interfaces(), [""; 0]);
    }
}
