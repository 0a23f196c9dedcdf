// SPDX-License-Identifier: Apache-2.0
//! Objects as tests create them.

use std::net::IpAddr;

use integration_tests::Stack;
use ipnetwork::IpNetwork;
use serde_json::{Value, json};

/// What the names of flannel's annotations begin with.
const PREFIX: &str = "flannel.alpha.coreos.com/";

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

/// A Node that no machine belongs to, with what flannel's peers have to know of it and nothing
/// else: `f<number>` with the pods 10.200.NUMBER.0/24 and fd00:200:0:NUMBER::/64 at 192.0.2.NUMBER
/// and 2001:db8:1::NUMBER. Its fields are those of a Node that an operator makes by hand.
pub fn fake_node(number: u8, stack: Stack) -> Value {
    let mut fake = named("v1", "Node", &format!("f{number}"));
    let (v4, v6) = (
        format!("10.200.{number}.0/24"),
        format!("fd00:200:0:{number}::/64"),
    );
    let data =
        |last: u8| format!("{{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:{last:02x}:{number:02x}\"}}");
    let mut annotations = json!({"kube-subnet-manager": "true", "backend-type": "vxlan"});
    let mut cidrs = Vec::new();
    if stack != Stack::V6 {
        cidrs.push(v4);
        annotations["backend-data"] = data(4).into();
        annotations["public-ip"] = format!("192.0.2.{number}").into();
    }
    if stack != Stack::V4 {
        cidrs.push(v6);
        annotations["backend-v6-data"] = data(6).into();
        annotations["public-ipv6"] = format!("2001:db8:1::{number}").into();
    }
    fake["metadata"]["annotations"] = prefixed(&annotations);
    fake["spec"] = json!({"podCIDR": cidrs[0], "podCIDRs": cidrs});
    fake
}

/// Annotations under flannel's prefix.
///
/// # Panics
/// When they are not an object.
pub fn prefixed(annotations: &Value) -> Value {
    let annotations = annotations.as_object().expect("annotations are an object");
    let annotations = annotations.iter();
    let prefixed = annotations.map(|(key, value)| (format!("{PREFIX}{key}"), value.clone()));
    prefixed.collect::<serde_json::Map<_, _>>().into()
}
