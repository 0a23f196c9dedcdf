// SPDX-License-Identifier: Apache-2.0
//! Where the reference plugin is weak: bridges whose MAC address is zero or wanders, ADDs that fail
//! and are tried again, many ADDs at once.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::thread;

use integration_tests::{Network, Node, PATIENCE, Pod, Runner, State, ping};
use net::Mac;
use serde_json::json;

const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 88, 0, 1));
const SUBNETS: [&str; 2] = ["10.88.0.0/24", "fd00:88::/64"];

fn network() -> Network {
    Network::of_bridge("podnet", &SUBNETS, json!({"ipMasq": true}))
}

fn bridge_mac(node: &Node) -> Mac {
    node.link("cni0").mac
}

/// Attaches pods and takes them away in turn, so that any port is the lowest and the last one
/// once; `mac` stays the bridge's, and a neighbour never has to learn another.
fn assert_mac_stays(node: &Node, runner: &Runner, mac: Mac) {
    assert!(!mac.is_zero());
    let mut pods = Vec::new();
    for _ in 0..6 {
        pods.push(runner.attach(&network(), node));
        assert_eq!(bridge_mac(node), mac);
    }
    for pod in pods {
        assert!(ping(&pod, GATEWAY, PATIENCE));
        let deleted = runner.del(&network(), &pod, "eth0");
        deleted.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(bridge_mac(node), mac);
    }
    let last = runner.attach(&network(), node);
    assert!(ping(&last, GATEWAY, PATIENCE));
    assert_eq!(bridge_mac(node), mac);
}

#[test]
fn a_bridge_of_ours_keeps_its_mac_address() {
    let node = Node::new();
    let runner = Runner::new(&node);
    runner.attach(&network(), &node);
    assert_mac_stays(&node, &runner, bridge_mac(&node));
}

#[test]
fn a_bridge_made_beforehand_keeps_its_mac_address() {
    let node = Node::new();
    node.ip("link add cni0 type bridge");
    let runner = Runner::new(&node);
    runner.attach(&network(), &node);
    assert_mac_stays(&node, &runner, bridge_mac(&node));
}

#[test]
fn a_failed_first_add_leaves_no_bridge_without_mac_address() {
    let node = Node::new();
    let taken = Runner::new(&node).with_args("IgnoreUnknown=1;IP=10.99.0.1");
    let failed = taken.add(&network(), &node.any_pod(), "eth0");
    let (code, msg) = failed.unwrap_err().error();
    assert!(
        msg.contains("10.99.0.1"),
        "the address is what failed: {code} {msg}"
    );
    let runner = Runner::new(&node);
    runner.attach(&network(), &node);
    assert_mac_stays(&node, &runner, bridge_mac(&node));
}

#[test]
fn a_bridge_without_mac_address_gets_one_that_stays() {
    let node = Node::new();
    // As the reference plugin leaves it: the kernel clears the address with the last port.
    node.ip("link add cni0 up type bridge");
    node.ip("link add port0 master cni0 type veth peer name port1");
    node.ip("link delete port0");
    assert!(bridge_mac(&node).is_zero(), "what the test is about");
    let runner = Runner::new(&node);
    runner.attach(&network(), &node);
    assert_mac_stays(&node, &runner, bridge_mac(&node));
}

#[test]
fn a_bridge_that_is_down_is_set_up() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let first = runner.attach(&network(), &node);
    node.ip("link set cni0 down");
    let second = runner.attach(&network(), &node);
    assert!(ping(&first, second.ipv4("eth0"), PATIENCE));
}

#[test]
fn a_failed_add_can_be_tried_again_in_the_same_namespace() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let keeper = runner.attach(&network(), &node);
    let pod = node.pod("retried");
    let before = State::of(&node);
    let bad = Runner::new(&node).with_args("IgnoreUnknown=1;IP=10.88.0.2");
    for _ in 0..2 {
        let (code, msg) = bad.add(&network(), &pod, "eth0").unwrap_err().error();
        assert_eq!(code, 103, "{msg}");
        assert_eq!(pod.interfaces(), [""; 0]);
        before.assert_nothing_left(&node, &[]);
    }
    runner.add(&network(), &pod, "eth0").unwrap();
    assert!(ping(&pod, keeper.ipv4("eth0"), PATIENCE));
    runner.check(&network(), &pod, "eth0").unwrap();
}

/// Attaches so many new pods at once; each one sends its first packet as soon as its ADD returns.
fn attach_at_once(node: &Node, runner: &Runner, networks: &[&Network], count: usize) -> Vec<Pod> {
    let attach = |n: usize| {
        let pod = runner.attach(networks[n % networks.len()], node);
        let subnet = pod.addresses("eth0")[0];
        let gateway = subnet.iter().nth(1).expect("a subnet has a gateway");
        assert!(
            ping(&pod, gateway, PATIENCE),
            "first packet of {}",
            pod.name()
        );
        pod
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|n| scope.spawn(move || attach(n))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("the attachment works"))
            .collect()
    })
}

#[test]
fn first_pods_come_all_at_once() {
    for _ in 0..3 {
        let node = Node::new();
        let runner = Runner::new(&node);
        let pods = attach_at_once(&node, &runner, &[&network()], 4);
        let gateways: Vec<_> = node
            .addresses("cni0")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(gateways, ["10.88.0.1/24", "fd00:88::1/64"]);
        for pod in &pods {
            runner.check(&network(), pod, "eth0").unwrap();
        }
    }
}

#[test]
fn many_pods_come_at_once_on_a_fresh_bridge_and_go_at_once() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let guarded = Network::of_bridge(
        "podnet",
        &SUBNETS,
        json!({"ipMasq": true, "macspoofchk": true}),
    );
    let other = Network::of_bridge(
        "other",
        &["10.89.0.0/24", "fd00:89::/64"],
        json!({"ipMasq": true}),
    );
    let pods = attach_at_once(&node, &runner, &[&guarded, &other], 24);
    let addresses: HashSet<_> = pods.iter().flat_map(|pod| pod.addresses("eth0")).collect();
    assert_eq!(addresses.len(), 48, "no address is given twice");
    let rules = node.tool("nft", "--stateless list table inet podwire");
    assert_eq!(
        rules.matches("masquerade fully-random").count(),
        2,
        "{rules}"
    );
    assert_eq!(rules.matches("goto masq-").count(), 4, "{rules}");

    let networks = [&guarded, &other];
    thread::scope(|scope| {
        for (n, pod) in pods.iter().enumerate() {
            let runner = &runner;
            scope.spawn(move || runner.del(networks[n % 2], pod, "eth0").unwrap());
        }
    });
    let left = State::of(&node);
    for word in [
        "link veth",
        "nft set bridge podwire sources:",
        "networks/podnet/10.",
        "networks/other/10.",
    ] {
        assert_eq!(left.lines_with(word), [""; 0]);
    }
}
