// SPDX-License-Identifier: Apache-2.0
//! The laboratory proved: what it does between a client and the API server is what clients see.

use std::time::Duration;

use e2e_tests::{Cluster, Kubernetes, Meddler, Mischief, PATIENCE};
use http::Method;
use integration_tests::Stack;

const NODE: &str = "/api/v1/nodes/n1";

fn code(client: &Kubernetes) -> Option<u16> {
    match client.send(&Method::GET, NODE, None) {
        Err(kube::Error::Api(status)) => Some(status.code),
        _ => None,
    }
}

#[test]
fn a_meddler_does_what_it_is_told() {
    let cluster = Cluster::new(1, Stack::V4);
    let meddler = Meddler::start(&cluster.control_plane);
    let administrator = cluster.control_plane.administrator();
    let kubeconfig = meddler.kubeconfig(&cluster.control_plane, administrator);
    let client = Kubernetes::new(&cluster.fleet.members[0].node, &kubeconfig);
    assert_eq!(client.node("n1").unwrap()["metadata"]["name"], "n1");
    for refusal in [401, 403, 409, 500] {
        meddler.meddle("GET /api/v1/nodes/n1", Mischief::Refuse(refusal));
        assert_eq!(code(&client), Some(refusal));
        assert!(!client.list("/api/v1/nodes").is_empty());
    }
    for mischief in [Mischief::Garble("{\"kind\":"), Mischief::CutAfter(20)] {
        meddler.meddle("GET /api/v1/nodes/n1", mischief);
        assert!(client.send(&Method::GET, NODE, None).is_err());
    }
    meddler.behave();
    assert_eq!(code(&client), None);
    let asked = meddler.asked();
    assert_eq!(meddler.count("GET /api/v1/nodes/n1"), 8);
    assert!(
        asked
            .iter()
            .all(|asked| asked.headers.iter().any(|it| it.starts_with("host: ")))
    );
    assert!(meddler.octets_to_clients() > 5_000);
    assert!((500..meddler.octets_to_clients()).contains(&meddler.octets_from_clients()));
}

/// A client that waits for an event sees the end of the connection in the middle of it.
#[test]
fn a_watch_is_cut() {
    let cluster = Cluster::new(1, Stack::V4);
    let meddler = Meddler::start(&cluster.control_plane);
    let administrator = cluster.control_plane.administrator();
    let kubeconfig = meddler.kubeconfig(&cluster.control_plane, administrator);
    let client = Kubernetes::new(&cluster.fleet.members[0].node, &kubeconfig);
    let whole = client.hear("/api/v1/nodes?watch=1&timeoutSeconds=1");
    assert!(whole.ends_with('\n') && whole.contains("\"n1\""), "{whole}");
    for cut in [Meddler::cut, Meddler::cut_within] {
        let before = meddler.count("watch=1");
        std::thread::scope(|scope| {
            let watched = scope.spawn(|| client.hear("/api/v1/nodes?watch=1&resourceVersion=0"));
            assert!(meddler.is_asked("watch=1", before, PATIENCE));
            cut(&meddler);
            cluster
                .kubernetes
                .annotate("n1", &serde_json::json!({"seen": before.to_string()}));
            let text = watched.join().unwrap();
            assert!(
                !text.ends_with("}\n") || text.len() < 2 * whole.len(),
                "{text}"
            );
        });
    }
    meddler.meddle("watch=1", Mischief::Delay(Duration::from_millis(100)));
    let start = std::time::Instant::now();
    client.hear("/api/v1/nodes?watch=1&timeoutSeconds=1");
    assert!(start.elapsed() > Duration::from_millis(1_050));
}
