// SPDX-License-Identifier: Apache-2.0
//! Nodes that are not there: objects as kubelet and flanneld together make them.

use serde_json::{Value, json};

pub(crate) fn name(number: usize) -> String {
    format!("fake-{number}")
}

/// The pods of a node that is not there, as `ip route` writes them.
pub(crate) fn pods(number: usize) -> String {
    format!("10.{}.{}.0/24", 1 + number / 256, number % 256)
}

/// A Node of the size that kubelets' have, with flannel's annotations.
pub(crate) fn fake(number: usize) -> Value {
    let [high, low] = [number / 250, number % 250];
    let data = format!(
        r#"{{"VNI":1,"VtepMAC":"02:00:00:{:02x}:{:02x}:{:02x}"}}"#,
        number >> 16,
        number >> 8 & 255,
        number & 255
    );
    let image = |index: usize| {
        let repository = format!("registry.example/some/organisation/component-{index}");
        let digest = format!("{index:064x}");
        json!({
            "names": [format!("{repository}@sha256:{digest}"), format!("{repository}:v1.2.{index}")],
            "sizeBytes": 100_000_000 + index,
        })
    };
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "False", "reason": format!("KubeletHasNo{kind}"),
            "message": format!("kubelet has no {kind}"),
            "lastHeartbeatTime": "2026-01-01T00:00:00Z",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let conditions = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"].map(condition);
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name(number),
            "labels": {
                "kubernetes.io/hostname": name(number),
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": "example.large",
                "topology.kubernetes.io/region": "example",
                "topology.kubernetes.io/zone": format!("example-{}", number % 3),
            },
            "annotations": {
                "flannel.alpha.coreos.com/kube-subnet-manager": "true",
                "flannel.alpha.coreos.com/backend-type": "vxlan",
                "flannel.alpha.coreos.com/backend-data": data,
                "flannel.alpha.coreos.com/public-ip": format!("198.18.{high}.{}", low + 1),
            },
        },
        "spec": {"podCIDR": pods(number), "podCIDRs": [pods(number)]},
        "status": {
            "conditions": conditions,
            "images": (0..50).map(image).collect::<Vec<_>>(),
        },
    })
}
