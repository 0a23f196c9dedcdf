// SPDX-License-Identifier: Apache-2.0
//! Nodes whose iptables drop what they are to forward, as Docker makes them.

use std::net::SocketAddr;

use e2e_tests::{ProxyMode, Service};
use integration_tests::{Fleet, ask_tcp};
use serde_json::json;

use crate::in_both_modes;
use crate::scene::{Scene, seen_by};

in_both_modes!(pods_need_rules_that_let_them_through);

/// kube-proxy by iptables lets through what it masquerades itself, such as what comes by a NodePort to
/// a pod of the same node; by nftables it can't. Neither lets pods through to pods.
fn pods_need_rules_that_let_them_through(mode: ProxyMode) {
    let scene = Scene::new(&mode.into());
    let far = scene.service("far", &json!({"type": "NodePort"}), &[scene.far()]);
    for member in &scene.cluster.fleet.members {
        member.node.tool("iptables", "-w -P FORWARD DROP");
    }
    let cluster_ip = SocketAddr::new(far.addresses[0], Service::HTTP);
    assert!(ask_tcp(scene.client(), cluster_ip).is_err());
    let [port, _] = far.node_ports.expect("it has NodePorts");
    let node_ports = [scene.node(), scene.other_node()]
        .map(|member| SocketAddr::new(member.underlay()[0], port));
    let outside = &scene.cluster.fleet.outside;
    let reached = node_ports.map(|address| ask_tcp(outside, address).is_ok());
    assert_eq!(reached, [false, mode == ProxyMode::Iptables]);
    for member in &scene.cluster.fleet.members {
        for end in ["-s", "-d"] {
            let rule = format!("-w -I FORWARD {end} {} -j ACCEPT", Fleet::NETWORK[0]);
            member.node.tool("iptables", &rule);
        }
    }
    let client = scene.client().ipv4("eth0");
    assert_eq!(seen_by(scene.client(), far.addresses[0]), client);
    let reached = node_ports.map(|address| ask_tcp(outside, address).is_ok());
    assert_eq!(reached, [true; 2]);
}
