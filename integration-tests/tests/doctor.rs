// SPDX-License-Identifier: Apache-2.0
//! `podwired doctor`: each finding where it is true, and none where all is well.

use integration_tests::service::set_bridge_netfilter;
use integration_tests::{
    Agent, Fleet, Network, Node, Outcome, Outside, Pod, Runner, Stack, State, binaries, podwired,
};
use serde_json::{Value, json};
use std::process::Command;

const SUBNETS: [&str; 2] = ["10.88.0.0/24", "fd00:88::/64"];

fn doctor(node: &Node) -> Outcome {
    podwired(node, &["doctor", "--cni-conf", "/run/lab/net.d"])
}

/// A node with a pod of a network that does without br_netfilter.
fn well(keys: &Value) -> (Node, Outside, Network, Pod) {
    let node = Node::new();
    let outside = Outside::new(&node, 1500);
    let routed = json!({"routeViaGateway": true, "ipMasq": true});
    let network = Network::of_bridge("podnet", &SUBNETS, routed).with(keys);
    node.write("/run/lab/net.d/10-podnet.conflist", network.text());
    let pod = Runner::new(&node).attach(&network, &node);
    (node, outside, network, pod)
}

fn assert_finds(node: &Node, words: &[&str]) {
    let outcome = doctor(node);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
    for word in words {
        assert!(outcome.stdout.contains(word), "{word}: {outcome}");
    }
}

fn assert_finds_nothing(node: &Node) {
    let outcome = doctor(node);
    assert_eq!(outcome.status, Some(0), "{outcome}");
    assert_eq!(outcome.stdout, "nothing found\n");
}

#[test]
fn where_all_is_well_nothing_is_found_and_nothing_changed() {
    assert_finds_nothing(&Node::new());
    let (node, _outside, _network, _pod) = well(&json!({}));
    let before = State::of(&node);
    assert_finds_nothing(&node);
    before.assert_nothing_left(&node, &[]);
}

#[test]
fn a_bridge_that_forwards_past_netfilter_is_found() {
    let (node, _outside, _network, _pod) = well(&json!({"routeViaGateway": false}));
    set_bridge_netfilter(&node, false);
    let words = [
        "\"podnet\"",
        "bridge-nf-call-iptables",
        "bridge-nf-call-ip6tables",
    ];
    assert_finds(&node, &[&words[..], &["routeViaGateway"]].concat());
    if std::path::Path::new("/proc/sys/net/bridge").exists() {
        set_bridge_netfilter(&node, true);
        assert_finds_nothing(&node);
    } else {
        eprintln!("this machine has no br_netfilter: its absence alone is tried");
    }
}

#[test]
fn forwarding_that_was_turned_off_is_found() {
    for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        let (node, _outside, _network, _pod) = well(&json!({}));
        node.write(format!("/proc/sys/net/{switch}"), "0");
        assert_finds(&node, &[switch, "cni0", "is 0"]);
    }
}

#[test]
fn a_firewall_that_drops_what_is_forwarded_is_found() {
    let (node, _outside, network, _pod) = well(&json!({}));
    node.tool("nft", "add table ip filter");
    let chain = "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }";
    node.tool("nft", chain);
    assert_finds(&node, &["FORWARD", "ip filter", "plugin firewall"]);
    let listed = network.followed_by(json!({"type": "firewall"}));
    let attached = Runner::new(&node).attach(&listed, &node);
    assert_finds_nothing(&node);
    drop(attached);
}

/// As Docker leaves it on a host whose pods have IPv4 addresses alone.
#[test]
fn a_firewall_of_a_family_that_no_pod_has_is_none() {
    let node = Node::new();
    node.tool("nft", "add table ip6 filter");
    let chain =
        "add chain ip6 filter FORWARD { type filter hook forward priority 0; policy drop; }";
    node.tool("nft", chain);
    for (subnets, found) in [(&SUBNETS[..1], false), (&SUBNETS[..], true)] {
        let network = Network::of_ptp("podnet", subnets, json!({}));
        node.write("/run/lab/net.d/10-podnet.conflist", network.text());
        match found {
            true => assert_finds(&node, &["FORWARD", "ip6 filter", "plugin firewall"]),
            false => assert_finds_nothing(&node),
        }
    }
}

#[test]
fn ipv6_that_is_off_is_found_where_pods_are_to_have_it() {
    let node = Node::new();
    for which in ["all", "default"] {
        node.write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
    }
    for (subnets, found) in [(&SUBNETS[..1], false), (&SUBNETS[..], true)] {
        let network = Network::of_ptp("podnet", subnets, json!({}));
        node.write("/run/lab/net.d/10-podnet.conflist", network.text());
        match found {
            true => assert_finds(&node, &["\"podnet\"", "disable_ipv6"]),
            false => assert_finds_nothing(&node),
        }
    }
}

#[test]
fn a_configuration_that_nobody_can_read_is_found() {
    let (node, _outside, _network, _pod) = well(&json!({}));
    node.write("/run/lab/net.d/99-broken.conflist", "{\"name\": ");
    assert_finds(&node, &["99-broken.conflist", "can't be read"]);
}

#[test]
fn a_pod_that_is_too_large_for_the_overlay_is_found() {
    const NODES: &str = "/run/lab/nodes.json";
    let fleet = Fleet::new(2, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let _agent = Agent::converged(node, &["--nodes", NODES]);
    assert_finds_nothing(node);
    let network = Network::of_ptp("large", &["10.88.0.0/24"], json!({"mtu": 1500}));
    let _pod = Runner::new(node).attach(&network, node);
    assert_finds(node, &["MTU 1500", "1450", "vxlan"]);
}

/// So it is for whoever may not change the host's network, and on a kernel without nf_tables.
#[test]
fn nf_tables_that_cannot_be_used_are_found() {
    let node = Node::new();
    let mut command = Command::new("setpriv");
    command
        .args(["--bounding-set", "-net_admin"])
        .arg(binaries::plugins().join("podwired"))
        .arg("doctor");
    let outcome = node.output(&mut command);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert!(
        outcome.stdout.contains("nf_tables can't be used"),
        "{outcome}"
    );
}
