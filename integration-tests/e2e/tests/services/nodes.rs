// SPDX-License-Identifier: Apache-2.0
//! Nodes that ask for a Service: what has no pod network of its own, such as the API server.

use e2e_tests::ProxyMode;
use serde_json::json;

use crate::in_both_modes;
use crate::scene::{Scene, Setting, bridge_addresses, seen_by, vteps};

in_both_modes!(
    nodes_reach_a_service,
    so_they_do_when_kube_proxy_knows_no_network
);

/// The pod sees the node by the address that it has on the way to the pod.
fn nodes_reach_a_service(mode: ProxyMode) {
    reach(&mode.into());
}

/// kube-proxy then masquerades nothing of the node's. To the node's own pod it keeps its underlay
/// address, to another node's it gets that of the VXLAN device by the overlay's own rule.
fn so_they_do_when_kube_proxy_knows_no_network(mode: ProxyMode) {
    let setting = Setting {
        proxy: Vec::new(),
        ..mode.into()
    };
    reach(&setting);
}

fn reach(setting: &Setting) {
    let scene = Scene::new(setting);
    // As clouds and careful hosts do: what comes by another way than answers would go is dropped.
    for member in &scene.cluster.fleet.members {
        member
            .node
            .write("/proc/sys/net/ipv4/conf/all/rp_filter", "1");
    }
    let near = scene.service("near", &json!({}), &[scene.near()]);
    let far = scene.service("far", &json!({}), &[scene.far()]);
    let node = scene.node();
    let by_bridge = if setting.proxy.is_empty() {
        node.underlay()
    } else {
        bridge_addresses(node)
    };
    for (service, wanted) in [(near, by_bridge), (far, vteps(node))] {
        for (address, wanted) in service.addresses.iter().zip(wanted) {
            let seen = seen_by(&node.node, *address);
            assert_eq!(seen, wanted, "{}", service.name);
        }
    }
}
