// SPDX-License-Identifier: Apache-2.0
//! Others write the Node, too.

use std::time::Duration;

use e2e_tests::Cluster;
use e2e_tests::PATIENCE;
use integration_tests::Stack;
use serde_json::{Value, json};

use super::{SECOND, annotated, annotation, announced, condition, is_available, key};

#[test]
fn what_is_stripped_or_changed_is_back_within_a_second() {
    let cluster = Cluster::new(1, Stack::V4);
    let (_agent, before) = announced(&cluster, &cluster.fleet.members[0], &[]);
    let text = |node: &Value, name: &str| annotation(node, name).map(|text| text.trim().to_owned());
    let names = [
        "kube-subnet-manager",
        "backend-type",
        "backend-data",
        "public-ip",
    ];
    let stands = |node: &Value| {
        names
            .iter()
            .all(|name| text(node, name) == text(&before, name))
    };
    for name in names {
        for value in [None, Some("garbage")] {
            annotated(&cluster, "n1", &[(name, value)], stands);
        }
    }
    annotated(&cluster, "n1", &names.map(|name| (name, None)), stands);
}

/// It does not win, and it does not make of the agent one that writes without pause.
#[test]
fn a_stubborn_writer_is_told_of_once() {
    let cluster = Cluster::new(1, Stack::V4);
    let kubernetes = &cluster.kubernetes;
    let (agent, _) = announced(&cluster, &cluster.fleet.members[0], &[]);
    let stands = |node: &Value| annotation(node, "public-ip").is_some();
    for _ in 0..18 {
        kubernetes.annotate("n1", &json!({ key("public-ip"): null }));
        kubernetes.wait_for_node("n1", "put back", PATIENCE, stands);
    }
    let sentence = "somebody else keeps changing the annotations or the NetworkUnavailable \
                    condition of node n1: they were written 16 times, from now on at most once a \
                    second";
    assert_eq!(agent.log().matches(sentence).count(), 1, "{}", agent.log());
}

/// A route controller of a cloud does so until it has made routes, which nobody needs here.
#[test]
fn the_network_stays_available_whatever_others_say_of_it() {
    let cluster = Cluster::new(1, Stack::V4);
    let kubernetes = &cluster.kubernetes;
    let ready = json!({"type": "Ready", "status": "True", "reason": "KubeletReady"});
    kubernetes.patch_status("n1", &json!({ "conditions": [ready] }));
    let (_agent, node) = announced(&cluster, &cluster.fleet.members[0], &[]);
    assert_eq!(
        condition(&node, "NetworkUnavailable").unwrap()["reason"],
        "PodwireIsUp"
    );
    assert_eq!(condition(&node, "Ready").unwrap()["reason"], "KubeletReady");

    let no_route = json!({
        "type": "NetworkUnavailable", "status": "True", "reason": "NoRouteCreated",
    });
    kubernetes.patch_status("n1", &json!({ "conditions": [ready, no_route] }));
    let node = kubernetes.wait_for_node("n1", "available", SECOND, is_available);
    let there = condition(&node, "NetworkUnavailable").unwrap();
    assert_eq!(there["reason"], "PodwireIsUp");
    assert!(there["lastTransitionTime"].is_string(), "{there}");
    assert_eq!(condition(&node, "Ready").unwrap()["reason"], "KubeletReady");
}

/// What a repaired machine's kubelet does.
#[test]
fn a_node_that_is_registered_anew_is_announced_anew() {
    let cluster = Cluster::new(1, Stack::V4);
    let member = &cluster.fleet.members[0];
    let (_agent, before) = announced(&cluster, member, &[]);
    cluster.kubernetes.delete_node("n1");
    cluster.register(member);
    let node = cluster
        .kubernetes
        .wait_for_node("n1", "announced again", PATIENCE, is_available);
    assert_ne!(node["metadata"]["uid"], before["metadata"]["uid"]);
    for name in ["backend-data", "public-ip"] {
        assert_eq!(annotation(&node, name), annotation(&before, name));
    }
}

#[test]
fn nothing_is_written_while_nothing_is_wrong() {
    let cluster = Cluster::new(1, Stack::V4);
    let (agent, _) = announced(
        &cluster,
        &cluster.fleet.members[0],
        &["--audit-interval", "1"],
    );
    agent.wait_for_state("converged", PATIENCE, |state| state["converged"] == true);
    let labels = |value: u32| json!({"metadata": {"labels": {"it": value.to_string()}}});
    let version = |node: &Value| node["metadata"]["resourceVersion"].clone();
    let mut last = Value::Null;
    for value in 0..20 {
        last = version(&cluster.kubernetes.patch_node("n1", &labels(value)));
    }
    // Long enough for an audit or two, which is when something would be written.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(version(&cluster.kubernetes.node("n1").unwrap()), last);
}
