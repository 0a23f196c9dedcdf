// SPDX-License-Identifier: Apache-2.0
//! Nodes that are not as they should be: each is named once, and is in nobody's way.

use e2e_tests::{Cluster, PATIENCE, fake_node, prefixed, wait_for_routes};
use integration_tests::Stack;
use serde_json::{Value, json};

const GOOD: &str = "10.200.50.0/24";
const EARLY: &str = "10.200.10.0/24";

/// A fake node with other annotations and another spec.
fn spoilt(number: u8, annotations: &Value, spec: &Value) -> Value {
    let mut node = fake_node(number, Stack::V4);
    let annotations = prefixed(annotations);
    for (key, value) in annotations.as_object().expect("they are an object") {
        node["metadata"]["annotations"][key] = value.clone();
    }
    if !spec.is_null() {
        node["spec"] = spec.clone();
    }
    node
}

/// Annotations that make no peer, and a word of the complaint.
fn bad_annotations() -> Vec<(Value, &'static str)> {
    let data = |text: &str| json!({"backend-data": text});
    vec![
        (data("{\"VNI\":1,\"VtepMAC\":\"no MAC\"}"), "backend-data"),
        (data("not JSON"), "backend-data"),
        (data("{}"), "backend-data"),
        (data(""), "backend-data"),
        (json!({"public-ip": "not an address"}), "public-ip"),
        (json!({"public-ip": "192.0.2.53/24"}), "public-ip"),
        (json!({"public-ip": "127.0.0.1"}), "127.0.0.1"),
    ]
}

#[test]
fn malformed_nodes_are_named_once() {
    let cluster = Cluster::new(1, Stack::V4);
    let member = &cluster.fleet.members[0];
    let bad = bad_annotations();
    let nodes: Vec<_> = (100..).zip(&bad).collect();
    for (number, (annotations, _)) in &nodes {
        cluster
            .kubernetes
            .create_node(&spoilt(*number, annotations, &Value::Null));
    }
    cluster.kubernetes.create_node(&fake_node(50, Stack::V4));
    let agent = cluster.podwired(member, &[]);
    wait_for_routes(member, &[GOOD]);
    for (number, (annotations, word)) in &nodes {
        let name = format!("f{number}");
        assert!(
            agent.says(&name, PATIENCE),
            "{annotations}: {}",
            agent.log()
        );
        let said = agent.log();
        let lines: Vec<_> = said.lines().filter(|line| line.contains(&name)).collect();
        assert!(
            lines.len() == 1 && lines[0].contains(word),
            "{annotations}: {lines:?}"
        );
    }
    // Each is one as soon as it is right.
    cluster.kubernetes.annotate(
        "f100",
        &prefixed(&json!({
            "backend-data": "{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:64\"}",
        })),
    );
    wait_for_routes(member, &["10.200.100.0/24", GOOD]);
}

/// What is a peer whatever else it lacks, and what is none without anything being wrong with it.
#[test]
fn odd_nodes_are_no_trouble() {
    let cluster = Cluster::new(1, Stack::V4);
    let member = &cluster.fleet.members[0];
    let old = json!({"backend-data": "{\"VtepMAC\":\"02:00:00:00:00:64\"}"});
    let blank = json!({"backend-data": " {\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:65\"}"});
    let no_member = json!({"kube-subnet-manager": "false"});
    let no_data = json!({"backend-data": null, "public-ip": null});
    let all = [&old, &blank, &no_member, &no_data];
    for (number, annotations) in (100..).zip(all) {
        let mut node = spoilt(number, annotations, &Value::Null);
        let all = node["metadata"]["annotations"].as_object_mut().unwrap();
        all.retain(|_, value| !value.is_null());
        cluster.kubernetes.create_node(&node);
    }
    let mut bare = fake_node(104, Stack::V4);
    bare["metadata"]["annotations"] = json!({});
    cluster.kubernetes.create_node(&bare);
    let agent = cluster.podwired(member, &[]);
    wait_for_routes(member, &["10.200.100.0/24", "10.200.101.0/24"]);
    for silent in ["f102", "f104"] {
        assert!(!agent.log().contains(silent), "{}", agent.log());
    }
}

/// Nodes that want what others have, or are of another kind. Of two that want the same the one that
/// was there first has it, and among those of one second the one whose name comes first.
#[test]
fn nodes_that_are_at_odds_are_named() {
    let cluster = Cluster::new(1, Stack::V4);
    let member = &cluster.fleet.members[0];
    let cidr = |cidr: &str| json!({"podCIDR": cidr, "podCIDRs": [cidr]});
    let none = json!({});
    let odd = [
        ("our own pods", none.clone(), cidr("10.200.1.0/24")),
        (
            "our own address",
            json!({"public-ip": "192.0.2.11"}),
            Value::Null,
        ),
        ("a peer's pods", none.clone(), cidr(EARLY)),
        ("outside of the network", none, cidr("10.99.0.0/24")),
        (
            "another backend",
            json!({"backend-type": "host-gw"}),
            Value::Null,
        ),
    ];
    cluster.kubernetes.create_node(&fake_node(10, Stack::V4));
    let agent = cluster.podwired(member, &[]);
    wait_for_routes(member, &[EARLY]);
    for (number, (what, annotations, spec)) in (100..).zip(&odd) {
        cluster
            .kubernetes
            .create_node(&spoilt(number, annotations, spec));
        let name = format!("f{number}");
        assert!(agent.says(&name, PATIENCE), "{what}: {}", agent.log());
        assert!(!agent.log().contains("f10 "), "{what}: {}", agent.log());
    }
    cluster.kubernetes.create_node(&fake_node(51, Stack::V4));
    wait_for_routes(member, &[EARLY, "10.200.51.0/24"]);
    assert_eq!(
        agent.log().matches("WARN").count(),
        odd.len(),
        "{}",
        agent.log()
    );
}

#[test]
fn a_newcomer_takes_nothing_from_who_was_there() {
    let cluster = Cluster::new(1, Stack::V4);
    let member = &cluster.fleet.members[0];
    let created = |node: &Value| node["metadata"]["creationTimestamp"].clone();
    let first = created(&cluster.kubernetes.create_node(&fake_node(10, Stack::V4)));
    // Its name comes before the other's. The API server counts in seconds.
    let newcomer = spoilt(
        0,
        &json!({}),
        &json!({"podCIDR": EARLY, "podCIDRs": [EARLY]}),
    );
    while created(&cluster.kubernetes.create_node(&newcomer)) == first {
        cluster.kubernetes.delete_node("f0");
    }
    let agent = cluster.podwired(member, &[]);
    wait_for_routes(member, &[EARLY]);
    assert!(
        agent.says("node f0 is left out", PATIENCE),
        "{}",
        agent.log()
    );
    let entries = member.node.tool("bridge", "fdb show dev podwire.1");
    assert!(entries.contains("dst 192.0.2.10 "), "{entries}");
    assert!(!agent.log().contains("f10 is left out"), "{}", agent.log());
}
