// SPDX-License-Identifier: Apache-2.0
//! The annotations are flannel's to the letter.

use e2e_tests::{Cluster, PATIENCE, Rules, node};
use integration_tests::{Stack, podwired};
use serde_json::json;

use super::{annotated, annotation, announced, key};

#[test]
fn they_are_flannels_byte_by_byte() {
    let cluster = Cluster::new(1, Stack::Dual);
    let member = &cluster.fleet.members[0];
    let (_agent, node) = announced(&cluster, member, &[]);
    let data = |device: &str| {
        format!(
            r#"{{"VNI":1,"VtepMAC":"{}"}}"#,
            member.node.link(device).mac
        )
    };
    let mut expected = json!({
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    });
    for (name, value) in [
        ("kube-subnet-manager", "true"),
        ("backend-type", "vxlan"),
        ("backend-data", &data("podwire.1")),
        ("backend-v6-data", &data("podwire-v6.1")),
        ("public-ip", "192.0.2.11"),
        ("public-ipv6", "2001:db8:1::11"),
    ] {
        expected[key(name)] = json!(value);
    }
    assert_eq!(node["metadata"]["annotations"], expected);
}

/// flanneld ends in a panic then.
#[test]
fn a_node_without_any_annotation_gets_them() {
    let cluster = Cluster::unregistered(1, Stack::V4, &[]);
    let member = &cluster.fleet.members[0];
    let mut bare = node(&member.name, &member.pod_cidrs(), &member.underlay());
    bare["metadata"] = json!({ "name": member.name });
    let created = cluster.kubernetes.create_node(&bare);
    assert_eq!(created["metadata"].get("annotations"), None);
    let (_agent, node) = announced(&cluster, member, &[]);
    assert_eq!(annotation(&node, "public-ip"), Some("192.0.2.11"));
}

/// It cuts its MAC addresses out of the texts, one of which has a blank in front by then.
#[test]
fn a_flanneld_that_follows_finds_its_mac_addresses() {
    let cluster = Cluster::new(1, Stack::Dual);
    let member = &cluster.fleet.members[0];
    let (agent, _) = announced(&cluster, member, &[]);
    let node = annotated(
        &cluster,
        "n1",
        &[("public-ip-overwrite", Some("198.51.100.1"))],
        |node| annotation(node, "public-ip") == Some("198.51.100.1"),
    );
    let data = |name: &str| annotation(&node, name).unwrap().to_owned();
    assert!(data("backend-data").starts_with('{') && data("backend-v6-data").starts_with(" {"));
    agent.terminate();
    assert!(podwired(&member.node, &["cleanup"]).success());
    let _flanneld = cluster.flanneld(member, Rules::Nftables, &[]);
    for (device, name) in [
        ("flannel.1", "backend-data"),
        ("flannel-v6.1", "backend-v6-data"),
    ] {
        let mac = member.node.link(device).mac.to_string();
        assert!(
            data(name).contains(&mac),
            "{device} has {mac}, not that of {}",
            data(name)
        );
    }
}

/// flanneld passes over a Node of which one family says the same as before.
#[test]
fn a_flanneld_follows_a_change_of_one_family() {
    let cluster = Cluster::new(2, Stack::Dual);
    let [theirs, ours] = &cluster.fleet.members[..] else {
        unreachable!("there are two")
    };
    let _flanneld = cluster.flanneld(theirs, Rules::Nftables, &[]);
    let (_agent, _) = announced(&cluster, ours, &[]);
    let sends_to = |device: &str, address: &str| {
        let fdb = || {
            theirs
                .node
                .tool("bridge", &format!("fdb show dev {device}"))
        };
        let there = || fdb().contains(&format!("dst {address} "));
        let waited = theirs.node.eventually(PATIENCE, there);
        assert!(waited.is_some(), "no {address} in\n{}", fdb());
    };
    sends_to("flannel.1", "192.0.2.12");
    for (name, device, address) in [
        ("public-ip-overwrite", "flannel.1", "198.51.100.2"),
        ("public-ipv6-overwrite", "flannel-v6.1", "2001:db8:5::2"),
        ("public-ip-overwrite", "flannel.1", "198.51.100.3"),
    ] {
        cluster
            .kubernetes
            .annotate("n2", &json!({ key(name): address }));
        sends_to(device, address);
    }
}

#[test]
fn an_overlay_of_another_prefix_is_another_overlay() {
    let cluster = Cluster::new(3, Stack::V4);
    let [theirs, ours, alien] = &cluster.fleet.members[..] else {
        unreachable!("there are three")
    };
    let _alien = announced(&cluster, alien, &[]);
    let prefix = ["--annotation-prefix", "example.com/overlay"];
    let (agent, node) = announced(&cluster, ours, &prefix);
    let annotations = &node["metadata"]["annotations"];
    assert_eq!(annotations["example.com/overlay-public-ip"], "192.0.2.12");
    assert_eq!(annotation(&node, "public-ip"), None);
    let prefix = "--kube-annotation-prefix=example.com/overlay";
    let _flanneld = cluster.flanneld(theirs, Rules::Nftables, &[prefix]);
    agent.wait_for_state("with a peer", PATIENCE, |state| {
        state["converged"] == true && state["peersProgrammed"] == 1
    });
    let routes = ours.node.ip("route show");
    assert!(
        routes.contains("10.200.1.0/24 via") && !routes.contains("10.200.3.0/24"),
        "{routes}"
    );
    let routed = || theirs.node.ip("route show").contains("10.200.2.0/24 via");
    assert!(theirs.node.eventually(PATIENCE, routed).is_some());
}
