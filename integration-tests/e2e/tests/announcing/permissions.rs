// SPDX-License-Identifier: Apache-2.0
//! What a node may write is what flannel's may, and for taints one thing more.

use std::time::Duration;

use e2e_tests::{Cluster, Kubeconfig, NAMESPACE, PATIENCE, User};
use integration_tests::Stack;
use serde_json::{Value, json};

use super::{announced, is_available};

/// What is missing is tried again after a part of the time for which it has been missing.
const RETRY: Duration = Duration::from_secs(20);

fn rule(resource: &str, verbs: &[&str]) -> Value {
    json!({ "apiGroups": [""], "resources": [resource], "verbs": verbs })
}

fn reading() -> Value {
    rule("nodes", &["get", "list", "watch"])
}

/// The kubeconfig of an account that has these rules.
fn account(cluster: &Cluster, name: &str, rules: &Value) -> Kubeconfig {
    cluster.kubernetes.create_account(NAMESPACE, name, rules);
    let token = cluster.kubernetes.token(NAMESPACE, name);
    cluster.control_plane.kubeconfig(User::Token(token))
}

#[test]
fn what_is_missing_is_named_and_used_when_it_comes() {
    let cluster = Cluster::new(1, Stack::V4);
    let member = &cluster.fleet.members[0];
    let kubeconfig = account(&cluster, "reader", &json!([reading()]));
    let agent = cluster.podwired_by(member, &kubeconfig, &[]);
    let sentence = "(its ClusterRole needs the rule {apiGroups: [\"\"], resources: \
                    [\"nodes/status\"], verbs: [\"patch\"]})";
    assert!(agent.says(sentence, PATIENCE), "{}", agent.log());
    let role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/reader";
    let rules = json!([reading(), rule("nodes/status", &["patch"])]);
    cluster.kubernetes.patch(role, &json!({ "rules": rules }));
    let announced = cluster
        .kubernetes
        .wait_for_node("n1", "announced", RETRY, is_available);
    let log = agent.log();
    let warned = |line: &&str| line.contains(" WARN ") && line.contains(sentence);
    assert_eq!(
        log.lines().filter(warned).count(),
        1,
        "{announced}\n{}",
        agent.log()
    );
}

fn taint(key: &str) -> Value {
    json!({ "key": key, "effect": "NoSchedule" })
}

fn keys(node: &Value) -> Vec<&str> {
    let taints = node["spec"]["taints"].as_array();
    let keys = taints
        .into_iter()
        .flatten()
        .map(|taint| taint["key"].as_str());
    keys.map(|key| key.expect("a taint has a key")).collect()
}

/// The API server adds one itself, since nobody has said that the node is ready.
#[test]
fn a_start_up_taint_goes_and_the_others_stay() {
    let cluster = Cluster::new(1, Stack::V4);
    let taints = json!([taint("example.com/starting"), taint("example.com/other")]);
    let before = cluster
        .kubernetes
        .patch_node("n1", &json!({ "spec": { "taints": taints } }));
    assert!(keys(&before).contains(&"example.com/starting"));
    let rules = json!([
        reading(),
        rule("nodes/status", &["patch"]),
        rule("nodes", &["patch"]),
    ]);
    let kubeconfig = account(&cluster, "starter", &rules);
    let args = ["--remove-taint", "example.com/starting"];
    let _agent = cluster.podwired_by(&cluster.fleet.members[0], &kubeconfig, &args);
    let gone = |node: &Value| !keys(node).contains(&"example.com/starting");
    let kubernetes = &cluster.kubernetes;
    let node = kubernetes.wait_for_node("n1", "without the taint", PATIENCE, gone);
    assert!(is_available(&node), "the network is there before: {node}");
    let left = keys(&before)
        .into_iter()
        .filter(|key| *key != "example.com/starting");
    assert_eq!(keys(&node), left.collect::<Vec<_>>());
}

#[test]
fn a_taint_that_may_not_be_removed_costs_nothing_else() {
    let cluster = Cluster::new(1, Stack::V4);
    let taints = json!([taint("example.com/starting")]);
    cluster
        .kubernetes
        .patch_node("n1", &json!({ "spec": { "taints": taints } }));
    let args = ["--remove-taint", "example.com/starting"];
    let (agent, _) = announced(&cluster, &cluster.fleet.members[0], &args);
    let sentence = "the start-up taints of node n1 cannot be changed (its ClusterRole needs the \
                    rule {apiGroups: [\"\"], resources: [\"nodes\"], verbs: [\"patch\"]})";
    assert!(agent.says(sentence, PATIENCE), "{}", agent.log());
}
