// SPDX-License-Identifier: Apache-2.0
//! Objects as tests create them.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde_json::{Value, json};

/// A Node object as a kubelet registers it, which has pods from these networks and can be reached
/// at these addresses.
pub fn node(name: &str, pod_cidrs: &[IpNetwork], addresses: &[IpAddr]) -> Value {
    let mut node = named("v1", "Node", name);
    node["metadata"]["labels"] = json!({"kubernetes.io/hostname": name});
    // Kubelet's own. flanneld ends in a panic at a Node without any annotation.
    let attach = "volumes.kubernetes.io/controller-managed-attach-detach";
    node["metadata"]["annotations"] = json!({attach: "true"});
    let cidrs: Vec<_> = pod_cidrs.iter().map(IpNetwork::to_string).collect();
    if let Some(first) = cidrs.first() {
        node["spec"] = json!({"podCIDR": first, "podCIDRs": cidrs});
    }
    let internal = |address| json!({"type": "InternalIP", "address": address});
    let addresses: Vec<_> = addresses.iter().map(internal).collect();
    node["status"] = json!({"addresses": addresses});
    node
}

/// An object of this kind and name with nothing in it.
pub(crate) fn named(version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}})
}
