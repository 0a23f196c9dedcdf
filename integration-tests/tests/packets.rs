// SPDX-License-Identifier: Apache-2.0
//! What a pod may expect of its network once ADD has returned: the first packet arrives, by both
//! families, from and to pods, the host, and the outside.

use integration_tests::conntrack::flows;
use integration_tests::{Network, Node, Outside, PATIENCE, Runner, bench, binaries, ping, seen};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::symlink;

const SUBNETS: [&str; 2] = ["10.88.0.0/24", "fd00:88::/64"];
const GATEWAYS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 88, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x88, 0, 0, 0, 0, 0, 1)),
];

fn network() -> Network {
    Network::of_bridge("podnet", &SUBNETS, json!({}))
}

#[test]
fn pods_of_one_bridge_reach_each_other_with_the_first_packet() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let a = runner.attach(&network(), &node);
    let b = runner.attach(&network(), &node);
    for (from, to) in a.both_addresses().into_iter().zip(b.both_addresses()) {
        assert!(ping(&a, to, PATIENCE), "{to}");
        assert_eq!(seen(&a, &b, to), from);
        assert_eq!(seen(&b, &a, from), to);
    }
}

#[test]
fn pod_and_host_reach_each_other() {
    let node = Node::new();
    let _outside = Outside::new(&node, 1500);
    let pod = Runner::new(&node).attach(&network(), &node);
    let own = [Outside::NODE_V4, Outside::NODE_V6];
    for ((pod_address, gateway), own) in pod.both_addresses().into_iter().zip(GATEWAYS).zip(own) {
        assert!(ping(&node, pod_address, PATIENCE), "{pod_address}");
        assert_eq!(seen(&node, &pod, pod_address), gateway);
        assert_eq!(seen(&pod, &node, gateway), pod_address);
        // The host's other addresses are the pod's to reach, too, and not as outside ones.
        assert_eq!(seen(&pod, &node, own), pod_address);
    }
}

#[test]
fn pods_of_the_other_family_alone_are_served_as_well() {
    for subnet in SUBNETS {
        let node = Node::new();
        let runner = Runner::new(&node);
        let network = Network::of_bridge("single", &[subnet], json!({"ipMasq": true}));
        let (a, b) = (
            runner.attach(&network, &node),
            runner.attach(&network, &node),
        );
        let to = b.addresses("eth0")[0].ip();
        assert_eq!(b.addresses("eth0").len(), 1);
        assert!(ping(&a, to, PATIENCE), "{to}");
        assert!(ping(&node, to, PATIENCE), "{to}");
        runner.check(&network, &a, "eth0").unwrap();
    }
}

/// A first packet from beyond the node needs neighbour discovery by the bridge's own link-local
/// address: that one, too, must be ready when ADD returns.
#[test]
fn outside_reaches_a_pod_with_the_first_packet() {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    for subnet in SUBNETS {
        outside.add_route_back(subnet.parse().unwrap());
    }
    let pod = Runner::new(&node).attach(&network(), &node);
    for address in pod.both_addresses().into_iter().rev() {
        let moment = std::time::Duration::from_millis(500);
        assert!(ping(&outside, address, moment), "{address}");
    }
    assert!(!flows(&node).iter().any(|flow| flow.is_translated()));
}

#[test]
fn a_pod_reaches_outside_with_its_own_address_without_masquerade() {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    for subnet in SUBNETS {
        outside.add_route_back(subnet.parse().unwrap());
    }
    let pod = Runner::new(&node).attach(&network(), &node);
    for (server, own) in [Outside::V4, Outside::V6]
        .into_iter()
        .zip(pod.both_addresses())
    {
        assert_eq!(seen(&pod, &outside, server), own);
    }
}

/// An address that another pod had a moment ago: who talked to that one finds the new one at once.
fn assert_announced(node: &Node, runner: impl Fn() -> Runner, network: &Network) {
    let ips = json!(["10.88.0.40", "fd00:88::40"]);
    let attach = || {
        runner()
            .with_capability("ips", ips.clone())
            .attach(network, node)
    };
    let (neighbour, first) = (runner().attach(network, node), attach());
    for address in first.both_addresses() {
        assert!(ping(&neighbour, address, PATIENCE), "{address}");
        assert!(ping(node, address, PATIENCE), "{address}");
    }
    let deleted = runner().del(network, &first, "eth0");
    deleted.unwrap_or_else(|failure| panic!("{failure}"));
    let second = attach();
    for address in second.both_addresses() {
        assert!(
            ping(&neighbour, address, PATIENCE),
            "neighbour to {address}"
        );
        assert!(ping(node, address, PATIENCE), "host to {address}");
    }
}

#[test]
fn a_new_pod_with_a_used_address_is_announced() {
    let node = Node::new();
    let network = network().with(&json!({"capabilities": {"ips": true}}));
    assert_announced(&node, || Runner::new(&node), &network);
}

/// The kernel has noticed that the port has no carrier yet when its container comes up.
#[test]
fn it_is_announced_also_when_addresses_take_their_time() {
    let node = Node::new();
    let plugins = binaries::plugins();
    let slow = format!(
        r#"[ "$CNI_COMMAND" != ADD ] || until ip link show master cni0 | grep -Eq "state (LOWERLAYER)?DOWN"
        do :; done
        exec {}"#,
        plugins.join("host-local").display()
    );
    bench::script(&node, "slow", &slow);
    let directory = "/run/lab/bin";
    node.run(|| symlink(plugins.join("bridge"), format!("{directory}/bridge")))
        .unwrap();
    let ipam = json!({"type": "slow", "ranges": SUBNETS.map(|subnet| [json!({"subnet": subnet})])});
    let network = network().with(&json!({"capabilities": {"ips": true}, "ipam": ipam}));
    let runner = || Runner::with_plugins(&node, directory);
    assert_announced(&node, runner, &network);
}
