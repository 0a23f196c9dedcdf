// SPDX-License-Identifier: Apache-2.0
//! What gets into the way of an overlay: programs and devices that have its port, an earlier
//! overlay of the same network, another network.

use std::net::UdpSocket;

use integration_tests::{LoneNode, Network};
use serde_json::{Value, json};

#[test]
fn what_has_the_port_is_named() {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(1)}));
    let pod = site.node.pod("a");
    let culprit = "of another program";
    let program = site.node.run(|| UdpSocket::bind("0.0.0.0:8472").unwrap());
    let (code, text) = site.status(&network).unwrap();
    assert!(
        code == 50 && text.contains(culprit) && text.contains("8472"),
        "{text}"
    );
    let (code, text) = site.refused(&network, &pod);
    assert!(code == 11 && text.contains(culprit), "{text}");
    drop(program);
    site.runner.del(&network, &pod, "eth0").unwrap();
    for rival in [
        "external dstport 8472",
        "id 1 dstport 8472 local 192.0.2.2 dev eth0",
    ] {
        site.node
            .ip(&format!("link add rival up type vxlan {rival}"));
        let (code, text) = site.status(&network).unwrap();
        assert!(code == 50 && text.contains("\"rival\""), "{text}");
        let (code, text) = site.refused(&network, &pod);
        assert!(code == 11 && text.contains("\"rival\""), "{text}");
        site.node.ip("link delete rival");
        site.runner.del(&network, &pod, "eth0").unwrap();
    }
    // One of another VNI can share it.
    site.node
        .ip("link add other up type vxlan id 9 dstport 8472 local 192.0.2.2 dev eth0 noudpcsum");
    assert_eq!(site.status(&network), None);
    site.add(&network, &pod);
    // The name of the family that this node has not is free to all, the other one is not.
    site.node.ip("link add podwire-v6.1 type bridge");
    assert_eq!(site.status(&network), None);
    site.node.ip("link delete podwire.1");
    site.node.ip("link add podwire.1 type bridge");
    let (code, text) = site.status(&network).unwrap();
    assert!(code == 50 && text.contains("no VXLAN device"), "{text}");
}

/// An ADD that one peer's route keeps from being whole leaves a device that carries packets.
#[test]
fn what_is_in_the_way_of_a_peer_leaves_no_overlay_without_its_guard() {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(3)}));
    let pod = site.node.pod("a");
    site.add(&network, &pod);
    let shown = site.node.ip("-json route show 10.200.2.0/24");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let place = format!("10.200.2.0/24 metric {}", shown[0]["metric"]);
    site.node.ip(&format!("route delete {place}"));
    // Of a kind that nobody looks for: the refusal is an error.
    let own = format!("local {place} dev lo table main");
    site.node.ip(&format!("route add {own}"));
    site.node.tool("nft", "delete table inet podwire-overlay");
    site.node.tool("rm", "-r /run/podwire");
    let (code, text) = site.refused(&network, &site.node.pod("b"));
    assert!(code == 11 && text.contains("10.200.2.0/24"), "{text}");
    assert_eq!(site.routes("-4"), 2);
    let guard = site
        .node
        .tool("nft", "list chain inet podwire-overlay sources");
    assert!(guard.contains("drop"), "{guard}");
    site.node.ip(&format!("route delete {own}"));
    site.add(&network, &site.node.pod("c"));
    assert_eq!(site.check(&network, &pod), None);
}

#[test]
fn a_network_that_changes_its_vni_leaves_no_device() {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(4)}));
    let pod = site.node.pod("a");
    site.add(&network, &pod);
    site.add(&network.with_at(1, &json!({"vni": 7})), &site.node.pod("b"));
    let links = site.node.interfaces();
    assert!(links.contains(&"podwire.7".to_owned()), "{links:?}");
    assert!(!links.contains(&"podwire.1".to_owned()), "{links:?}");
    assert_eq!(site.routes("-4"), 4);
}

#[test]
fn two_networks_share_one_overlay() {
    let site = LoneNode::new();
    let keys = json!({"nodes": LoneNode::nodes(4)});
    let [one, other] = ["one", "other"].map(|name| {
        let mut list: Value = serde_json::from_str(&Network::of_lone_node(&keys).text()).unwrap();
        list["name"] = json!(name);
        list["plugins"][0]["bridge"] = json!(name);
        let half = if name == "one" {
            "10.200.0.0/25"
        } else {
            "10.200.0.128/25"
        };
        list["plugins"][0]["ipam"]["ranges"] = json!([[{"subnet": half}]]);
        Network::new(list)
    });
    let pods: Vec<_> = (0..4).map(|_| site.node.any_pod()).collect();
    // Each bridge is a new one to the guard, and then both are known.
    site.add(&one, &pods[0]);
    site.add(&other, &pods[1]);
    let stamp =
        || site.node.ip("-json route show proto 118") + &site.node.tool("ls", "-i /run/podwire");
    let before = stamp();
    site.add(&one, &pods[2]);
    site.add(&other, &pods[3]);
    assert_eq!(stamp(), before);
    for (network, pod) in [(&one, &pods[2]), (&other, &pods[3])] {
        assert_eq!(site.check(network, pod), None);
    }
    let rules = site
        .node
        .tool("nft", "list chain inet podwire-overlay pods");
    for bridge in ["one", "other"] {
        let mut drops = rules.lines().filter(|line| line.ends_with("drop"));
        let from_bridge = format!("iifname \"{bridge}\"");
        assert!(drops.any(|line| line.contains(&from_bridge)), "{rules}");
    }
}
