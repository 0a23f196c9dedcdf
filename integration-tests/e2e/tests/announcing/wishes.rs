// SPDX-License-Identifier: Apache-2.0
//! What the operator wants of a node is done at once, and undone at once.

use e2e_tests::Cluster;
use e2e_tests::PATIENCE;
use integration_tests::Stack;
use serde_json::json;

use super::{SECOND, annotated, annotation, announced, key};

#[test]
fn the_published_address_follows_its_overwriting() {
    let cluster = Cluster::new(2, Stack::V4);
    let [other, member] = &cluster.fleet.members[..] else {
        unreachable!("there are two")
    };
    let _agents = [other, member].map(|member| announced(&cluster, member, &[]));
    for (overwrite, published) in [(Some("198.51.100.7"), "198.51.100.7"), (None, "192.0.2.12")] {
        annotated(
            &cluster,
            "n2",
            &[("public-ip-overwrite", overwrite)],
            |node| annotation(node, "public-ip") == Some(published),
        );
        let fdb = || other.node.tool("bridge", "fdb show dev podwire.1");
        let there = || fdb().contains(&format!("dst {published} "));
        assert!(
            other.node.eventually(PATIENCE, there).is_some(),
            "{}",
            fdb()
        );
    }
}

#[test]
fn the_nodes_address_is_the_one_that_its_operator_names() {
    let cluster = Cluster::new(1, Stack::V4);
    let member = &cluster.fleet.members[0];
    let (_agent, _) = announced(&cluster, member, &[]);
    member.node.ip("address add 192.0.2.77/24 dev eth0");
    for (wish, published) in [(Some("192.0.2.77"), "192.0.2.77"), (None, "192.0.2.11")] {
        annotated(&cluster, "n1", &[("node-public-ip", wish)], |node| {
            annotation(node, "public-ip") == Some(published)
        });
        let device = member.node.ip("-d link show podwire.1");
        assert!(device.contains(&format!("local {published} ")), "{device}");
    }
}

#[test]
fn an_address_that_is_not_there_yet_costs_no_peer_and_is_taken_when_it_comes() {
    let cluster = Cluster::new(2, Stack::V4);
    let [member, other] = &cluster.fleet.members[..] else {
        unreachable!("there are two")
    };
    let (agent, _) = announced(&cluster, member, &[]);
    let wish = json!({ key("node-public-ip"): "192.0.2.77" });
    cluster.kubernetes.annotate("n1", &wish);
    assert!(
        agent.says("is on none of its links", PATIENCE),
        "{}",
        agent.log()
    );
    let _other = announced(&cluster, other, &[]);
    let fdb = || member.node.tool("bridge", "fdb show dev podwire.1");
    let there = || fdb().contains("dst 192.0.2.12 ");
    assert!(
        member.node.eventually(PATIENCE, there).is_some(),
        "{}",
        agent.log()
    );
    member.node.ip("address add 192.0.2.77/24 dev eth0");
    let kubernetes = &cluster.kubernetes;
    kubernetes.wait_for_node("n1", "at its other address", 2 * SECOND, |node| {
        annotation(node, "public-ip") == Some("192.0.2.77")
    });
}

#[test]
fn an_address_that_cannot_be_used_is_told_to_nobody() {
    let cluster = Cluster::new(1, Stack::V4);
    let member = &cluster.fleet.members[0];
    let (agent, node) = announced(&cluster, member, &[]);
    let pods = node["spec"]["podCIDR"].as_str().expect("it has pods");
    let inside = pods.replace(".0/24", ".9");
    member.node.ip(&format!("address add {inside}/32 dev lo"));
    let wish = json!({ key("node-public-ip"): inside });
    cluster.kubernetes.annotate("n1", &wish);
    assert!(
        agent.says("this one, cannot have an overlay", PATIENCE),
        "{}",
        agent.log()
    );
    // What is announced goes on being announced.
    let node = annotated(&cluster, "n1", &[("backend-type", None)], |node| {
        annotation(node, "backend-type") == Some("vxlan")
    });
    assert_eq!(annotation(&node, "public-ip"), Some("192.0.2.11"));
}

#[test]
fn an_address_that_comes_while_the_api_server_is_away_is_told_when_it_is_back() {
    let mut cluster = Cluster::new(1, Stack::V4);
    let node = cluster.fleet.members[0].node.clone();
    let (agent, _) = announced(&cluster, &cluster.fleet.members[0], &[]);
    let wish = json!({ key("node-public-ip"): "192.0.2.77" });
    cluster.kubernetes.annotate("n1", &wish);
    assert!(
        agent.says("is on none of its links", PATIENCE),
        "{}",
        agent.log()
    );
    cluster.control_plane.stop();
    node.ip("address add 192.0.2.77/24 dev eth0");
    let sentence = "the annotations and the status of node n1 cannot be changed";
    assert!(agent.says(sentence, PATIENCE), "{}", agent.log());
    cluster.control_plane.resume_service();
    let kubernetes = &cluster.kubernetes;
    kubernetes.wait_for_node("n1", "at its other address", PATIENCE, |node| {
        annotation(node, "public-ip") == Some("192.0.2.77")
    });
}

#[test]
fn a_malformed_wish_is_told_and_left_aside() {
    let cluster = Cluster::new(1, Stack::V4);
    let (agent, _) = announced(&cluster, &cluster.fleet.members[0], &[]);
    annotated(
        &cluster,
        "n1",
        &[
            ("node-public-ip", Some("eth0")),
            ("public-ip-overwrite", Some("198.51.100.7")),
        ],
        |node| annotation(node, "public-ip") == Some("198.51.100.7"),
    );
    let sentence = "node n1: its annotation flannel.alpha.coreos.com/node-public-ip cannot be \
                    read: \"eth0\" is not an IP address";
    assert!(agent.says(sentence, PATIENCE), "{}", agent.log());
}
