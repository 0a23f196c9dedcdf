// SPDX-License-Identifier: Apache-2.0
//! What a node says of itself by its Node: to its peers, which may be flannel's, and to the
//! scheduler; and what its operator says to it there.

mod annotations;
mod dispute;
mod permissions;
mod wishes;

use std::time::Duration;

use e2e_tests::Cluster;
use e2e_tests::PATIENCE;
use integration_tests::{Agent, Member};
use serde_json::{Value, json};

/// How soon whatever is wrong with the Node is put right.
const SECOND: Duration = Duration::from_secs(1);

/// The name of an annotation.
fn key(name: &str) -> String {
    format!("flannel.alpha.coreos.com/{name}")
}

fn annotation<'a>(node: &'a Value, name: &str) -> Option<&'a str> {
    node["metadata"]["annotations"][key(name)].as_str()
}

fn condition<'a>(node: &'a Value, r#type: &str) -> Option<&'a Value> {
    let mut conditions = node["status"]["conditions"].as_array()?.iter();
    conditions.find(|condition| condition["type"] == r#type)
}

fn is_available(node: &Value) -> bool {
    condition(node, "NetworkUnavailable").is_some_and(|it| it["status"] == "False")
}

/// Starts the agent of a member, and waits until its Node says everything.
fn announced(cluster: &Cluster, member: &Member, args: &[&str]) -> (Agent, Value) {
    let agent = cluster.podwired(member, args);
    let node = cluster
        .kubernetes
        .wait_for_node(&member.name, "announced", PATIENCE, is_available);
    (agent, node)
}

/// Changes annotations of a node, and waits for what comes of it.
fn annotated(
    cluster: &Cluster,
    name: &str,
    annotations: &[(&str, Option<&str>)],
    wanted: impl Fn(&Value) -> bool + Send + Sync,
) -> Value {
    let entries = annotations
        .iter()
        .map(|(name, value)| (key(name), json!(value)));
    let kubernetes = &cluster.kubernetes;
    kubernetes.annotate(name, &entries.collect());
    let what = format!("what it should be after {annotations:?}");
    kubernetes.wait_for_node(name, &what, SECOND, wanted)
}
