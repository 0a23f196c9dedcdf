// SPDX-License-Identifier: Apache-2.0
//! The task against a server in this process.

mod server;

use std::net::Ipv4Addr;

use serde_json::json;
use tokio::time::sleep;
use topology::{Mac, Underlay, Vni};

use self::server::{Answer, Server};
use super::*;
use crate::annotations::Announced;

const KEY: &str = "flannel.alpha.coreos.com/public-ip";
const TAINT: &str = "example.com/starting";

fn announcement(host: u8) -> Announcement {
    Announcement {
        vni: Vni::try_from(1).unwrap(),
        vteps: Announced {
            underlay: Underlay {
                v4: Some(Ipv4Addr::new(192, 0, 2, host)),
                v6: None,
            },
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            mac_v6: None,
        },
        network_available: true,
        remove_taints: vec![TAINT.to_owned()],
    }
}

/// The task, and a server with a Node that it has found.
struct Lab {
    server: Arc<Server>,
    shared: Arc<Shared>,
}

impl Lab {
    async fn new() -> Self {
        let server = Server::start().await;
        let shared = Arc::clone(&server.shared);
        server.change(|_| {});
        let task = Arc::clone(&shared);
        tokio::spawn(async move { keep(&task).await });
        Self { server, shared }
    }

    /// A lab whose Node says already what it should.
    async fn announced() -> Self {
        let lab = Self::new().await;
        lab.announce(1);
        lab.server.patched(1).await;
        lab
    }

    fn announce(&self, host: u8) {
        self.shared
            .announcement
            .send_replace(Some(announcement(host)));
    }

    fn address(&self) -> String {
        let node = self.server.node();
        node["metadata"]["annotations"][KEY]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

fn strip(node: &mut serde_json::Value) {
    node["metadata"]["annotations"]
        .as_object_mut()
        .unwrap()
        .remove(KEY);
}

fn heartbeat(node: &mut serde_json::Value) {
    node["status"]["heartbeat"] = json!(node["metadata"]["resourceVersion"]);
}

const FAILURE: Answer = Answer {
    code: 500,
    body: "etcd is away",
};

#[tokio::test]
async fn one_patch_says_everything_and_silence_follows() {
    let lab = Lab::announced().await;
    let node = lab.server.node();
    assert_eq!(
        node["metadata"]["annotations"].as_object().unwrap().len(),
        4
    );
    assert_eq!(node["status"]["conditions"][0]["reason"], "PodwireIsUp");
    for _ in 0..100 {
        lab.server.change(heartbeat);
        lab.announce(1);
        tokio::task::yield_now().await;
    }
    lab.announce(2);
    let patches = lab.server.patched(2).await;
    assert_eq!(patches[0].path, "/api/v1/nodes/n1/status");
    assert_eq!(patches[0].content, "application/strategic-merge-patch+json");
    let expected = json!({ "metadata": { "annotations": { KEY: "192.0.2.2" } } });
    assert_eq!(
        patches[1].body, expected,
        "only the new address, and no write before it"
    );
}

#[tokio::test]
async fn what_is_stripped_comes_back() {
    let lab = Lab::announced().await;
    for round in 2..6 {
        let start = Instant::now();
        lab.server.change(strip);
        lab.server.patched(round).await;
        assert!(start.elapsed() < Duration::from_secs(1));
        assert_eq!(lab.address(), "192.0.2.1");
    }
}

#[tokio::test]
async fn a_dispute_is_bounded_and_does_not_end_in_surrender() {
    let lab = Lab::new().await;
    lab.server.oppose(Some(strip));
    lab.announce(1);
    sleep(Duration::from_millis(2500)).await;
    let count = lab.server.patches().len();
    assert!((16..=19).contains(&count), "{count} writes in 2.5 s");
    lab.server.oppose(None);
    lab.server.patched(lab.server.patches().len() + 1).await;
    assert_eq!(lab.address(), "192.0.2.1");
}

#[tokio::test]
async fn a_write_that_the_watch_has_not_shown_yet_is_not_repeated() {
    let lab = Lab::new().await;
    lab.server.show(false);
    lab.announce(1);
    lab.server.patched(1).await;
    // Late news from before the write, with an equal content.
    let before = lab.shared.own.borrow().clone();
    lab.shared.own.send_replace(before);
    tokio::task::yield_now().await;
    lab.announce(2);
    let patches = lab.server.patched(2).await;
    let expected = json!({ "metadata": { "annotations": { KEY: "192.0.2.2" } } });
    assert_eq!(patches[1].body, expected);
    lab.server.show(true);
    lab.server.change(strip);
    lab.server.patched(3).await;
    assert_eq!(lab.address(), "192.0.2.2");
}

#[tokio::test]
async fn failures_are_tried_again_and_over_when_they_are() {
    let lab = Lab::new().await;
    let garbage = Answer {
        code: 200,
        body: "<html>",
    };
    let conflict = Answer {
        code: 409,
        body: "",
    };
    lab.server.refuse([FAILURE, garbage, conflict, FAILURE]);
    lab.announce(1);
    lab.server.patched(5).await;
    assert_eq!(lab.address(), "192.0.2.1");
    lab.announce(2);
    lab.server.patched(6).await;
    let counters = lab.shared.tally.read();
    assert_eq!(counters.errors["server"], 2);
    assert_eq!(
        (counters.errors["garbage"], counters.errors["conflict"]),
        (1, 1)
    );
    assert_eq!(lab.shared.troubled(), None);
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let lab = Lab::new().await;
    let body = r#"{"code":403,"message":"nodes \"n1\" is forbidden"}"#;
    lab.server
        .refuse((0..3).map(|_| Answer { code: 403, body }));
    lab.announce(1);
    lab.server.patched(2).await;
    assert_eq!(
        lab.shared.troubled().as_deref(),
        Some(
            "the annotations and the status of node n1 cannot be changed (its ClusterRole needs \
             the rule {apiGroups: [\"\"], resources: [\"nodes/status\"], verbs: [\"patch\"]}): \
             the API server forbids it (403): nodes \"n1\" is forbidden"
        )
    );
    lab.server.patched(4).await;
    assert_eq!(lab.address(), "192.0.2.1");
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it() {
    let lab = Lab::new().await;
    let body = r#"{"code":429,"details":{"retryAfterSeconds":1}}"#;
    lab.server.refuse([Answer { code: 429, body }]);
    let start = Instant::now();
    lab.announce(1);
    lab.server.patched(2).await;
    assert!(start.elapsed() >= Duration::from_secs(1));
}

fn tainted(node: &mut serde_json::Value) {
    node["spec"]["taints"] = json!([
        { "key": "example.com/other", "effect": "NoSchedule" },
        { "key": TAINT, "effect": "NoSchedule" },
    ]);
}

#[tokio::test]
async fn a_taint_goes_even_if_another_writer_is_quicker() {
    let lab = Lab::announced().await;
    // What the watch has not shown yet when the taints are patched.
    lab.server.show(false);
    lab.server.change(tainted);
    let stale = json!({
        "metadata": lab.server.node()["metadata"],
        "spec": { "taints": [{ "key": TAINT, "effect": "NoSchedule" }] },
        "status": lab.server.node()["status"],
    });
    let stale = serde_json::from_value(stale).unwrap();
    lab.shared.own.send_replace(Some(Arc::new(stale)));
    let patches = lab.server.patched(2).await;
    assert_eq!(patches[1].path, "/api/v1/nodes/n1");
    assert_eq!(patches[1].content, "application/json-patch+json");
    lab.server.show(true);
    lab.server.change(heartbeat);
    lab.server.patched(3).await;
    let left = &lab.server.node()["spec"]["taints"];
    assert_eq!(
        *left,
        json!([{ "key": "example.com/other", "effect": "NoSchedule" }])
    );
    assert_eq!(
        lab.shared.troubled(),
        None,
        "that two writers meet is no trouble"
    );
}

/// The permission for taints is another one than that for the rest.
#[tokio::test]
async fn taints_that_may_not_be_removed_cost_nothing_else() {
    let lab = Lab::announced().await;
    let body = r#"{"code":403,"details":{"retryAfterSeconds":2}}"#;
    lab.server.refuse([Answer { code: 403, body }]);
    lab.server.change(tainted);
    lab.server.patched(2).await;
    lab.server.change(strip);
    let patches = lab.server.patched(3).await;
    assert_eq!(patches[2].path, "/api/v1/nodes/n1/status");
    lab.server.patched(4).await;
    assert_eq!(
        lab.server.node()["spec"]["taints"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
