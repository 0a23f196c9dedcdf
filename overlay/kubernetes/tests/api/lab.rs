// SPDX-License-Identifier: Apache-2.0
//! A server, the files that lead to it, and a follower.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use kubernetes::annotations::Prefix;
use kubernetes::{Nodes, Options, Origin, Snapshot};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::server::Server;

/// How long anything may take that is to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it is watched that something does not happen.
const QUIET: Duration = Duration::from_millis(300);

pub(crate) struct Lab {
    directory: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.expect("ip is there").success());
        Self {
            directory: tempfile::tempdir().expect("there is room"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the kubeconfig that leads to a server with a token.
    pub(crate) fn lead(&self, server: &Server, token: &str) {
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": format!("http://{}", server.address)}}],
            "users": [{"name": "lab", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        });
        std::fs::write(self.path("kubeconfig"), kubeconfig.to_string()).expect("there is room");
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            kubeconfig: Some(self.path("kubeconfig")),
            prefix: Prefix::default(),
            node: "own".to_owned(),
            cache: None,
            start_jitter: Duration::ZERO,
        }
    }

    pub(crate) fn follow(&self) -> Nodes {
        Nodes::start(self.options()).expect("the options are sound")
    }

    /// A server with the own Node and some others, and a follower that knows them.
    pub(crate) async fn with_nodes(&self, others: &[u8]) -> (Server, Nodes) {
        let server = Server::start().await;
        server.put(plain("own"));
        others.iter().for_each(|number| server.put(member(*number)));
        self.lead(&server, "secret");
        let mut nodes = self.follow();
        let known = until(&mut nodes, |it| it.origin == Origin::Live).await;
        assert_eq!(names(&known).len(), others.len());
        (server, nodes)
    }
}

/// Waits for a snapshot.
pub(crate) async fn until(nodes: &mut Nodes, wished: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let waiting = async {
        loop {
            let snapshot = nodes.snapshot();
            if wished(&snapshot) {
                return snapshot;
            }
            nodes.changed().await;
        }
    };
    let came = timeout(PATIENCE, waiting).await;
    came.unwrap_or_else(|_| panic!("still {:#?}\n{:#?}", nodes.snapshot(), nodes.counters()))
}

/// Waits until the follower has counted something.
pub(crate) async fn until_counted(nodes: &Nodes, wished: impl Fn(&kubernetes::Counters) -> bool) {
    let counting = async {
        while !wished(&nodes.counters()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let came = timeout(PATIENCE, counting).await;
    came.unwrap_or_else(|_| panic!("still {:#?}", nodes.counters()));
}

/// Takes what is already on its way, then asserts that nothing else comes.
pub(crate) async fn is_quiet_after(nodes: &mut Nodes, act: impl AsyncFnOnce()) {
    while timeout(QUIET, nodes.changed()).await.is_ok() {}
    act().await;
    let woken = timeout(QUIET, nodes.changed()).await;
    assert!(woken.is_err(), "woken for {:#?}", nodes.snapshot());
}

pub(crate) fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot
        .peers
        .iter()
        .map(|peer| peer.name.as_str())
        .collect()
}

/// A Node without annotations.
pub(crate) fn plain(name: &str) -> Value {
    json!({
        "kind": "Node", "apiVersion": "v1",
        "metadata": {"name": name, "uid": format!("uid-of-{name}")},
        "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.200"}]},
    })
}

/// A Node that takes part, `node-<number>`.
pub(crate) fn member(number: u8) -> Value {
    let mut node = plain(&format!("node-{number}"));
    node["metadata"]["annotations"] = json!({
        "flannel.alpha.coreos.com/kube-subnet-manager": "true",
        "flannel.alpha.coreos.com/backend-type": "vxlan",
        "flannel.alpha.coreos.com/backend-data":
            format!(r#"{{"VNI":1,"VtepMAC":"02:00:5e:00:53:{number:02x}"}}"#),
        "flannel.alpha.coreos.com/public-ip": format!("192.0.2.{number}"),
    });
    let cidr = format!("10.244.{number}.0/24");
    node["spec"] = json!({"podCIDR": cidr, "podCIDRs": [cidr]});
    node
}
