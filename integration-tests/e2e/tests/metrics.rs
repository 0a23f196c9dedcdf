// SPDX-License-Identifier: Apache-2.0
//! What an agent that follows a cluster tells of its dealings with the API server.

use std::net::SocketAddr;
use std::time::SystemTime;

use e2e_tests::{Cluster, PATIENCE, fake_node, prefixed};
use integration_tests::Stack;
use integration_tests::http::{Answer, get, until};
use serde_json::{Value, json};

#[test]
fn dealings_with_the_api_server_are_counted() {
    let cluster = Cluster::new(1, Stack::V4);
    let (kubernetes, member) = (&cluster.kubernetes, &cluster.fleet.members[0]);
    kubernetes.create_node(&fake_node(50, Stack::V4));
    let agent = cluster.podwired(member, &["--http", "127.0.0.1:8474"]);
    agent.wait_for_state("converged", PATIENCE, |state| state["converged"] == true);
    let server: SocketAddr = "127.0.0.1:8474".parse().unwrap();
    let figures = |wanted: &dyn Fn(&Answer) -> bool| {
        until(&member.node, server, "/metrics", PATIENCE, |it| wanted(it))
    };
    let is = |answer: &Answer, series: &str| answer.sample(series).unwrap_or_default();
    let patches = "podwire_node_patches_total";
    let first = figures(&|it| is(it, patches) >= 1.0 && is(it, "podwire_nodes") == 2.0);
    assert!(is(&first, "podwire_api_received_bytes_total") > 1000.0);
    assert!(is(&first, "podwire_api_sent_bytes_total") > 1000.0);
    assert!(
        is(
            &first,
            "podwire_api_requests_total{verb=\"watch\",code=\"2xx\"}"
        ) >= 2.0
    );
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let synced = is(&first, "podwire_api_sync_timestamp_seconds");
    assert!(
        (now.unwrap().as_secs_f64() - synced).abs() < 60.0,
        "{synced}"
    );
    // Another writer's change of the own Node is answered by one more.
    let written = is(&first, patches);
    kubernetes.annotate("n1", &prefixed(&json!({"public-ip": "198.51.100.1"})));
    figures(&|it| is(it, patches) > written);
    // A Node that cannot be understood is told of, and no obstacle.
    let bad = json!({"backend-data": Value::from("nonsense")});
    kubernetes.annotate("f50", &prefixed(&bad));
    figures(&|it| is(it, "podwire_nodes_unreadable") == 1.0);
    let ready = get(&member.node, server, "/readyz", PATIENCE).unwrap();
    assert_eq!(ready.status, 200, "{ready:?}");
}
