// SPDX-License-Identifier: Apache-2.0
//! Nodes whose iptables drop what they are to forward, as Docker makes them.

use std::net::SocketAddr;

use e2e_tests::{ProxyMode, Service};
use integration_tests::{Fleet, Member, ask_tcp};
use serde_json::json;

use crate::in_both_modes;
use crate::scene::{Scene, seen_by, serve};

in_both_modes!(pods_need_rules_that_let_them_through);

/// kube-proxy by iptables lets through what it masquerades itself, such as what comes by a NodePort to
/// a pod of the same node; by nftables it can't. Neither lets pods through to pods.
fn pods_need_rules_that_let_them_through(mode: ProxyMode) {
    let scene = Scene::new(&mode.into());
    let far = scene.service("far", &json!({"type": "NodePort"}), &[scene.far()]);
    iptables(&scene, "-P FORWARD DROP");
    let cluster_ip = SocketAddr::new(far.addresses[0], Service::HTTP);
    assert!(ask_tcp(scene.client(), cluster_ip).is_err());
    let [port, _] = far.node_ports.expect("it has NodePorts");
    let node_ports = [scene.node(), scene.other_node()]
        .map(|member| SocketAddr::new(member.underlay()[0], port));
    let outside = &scene.cluster.fleet.outside;
    let reached = node_ports.map(|address| ask_tcp(outside, address).is_ok());
    assert_eq!(reached, [false, mode == ProxyMode::Iptables]);
    for end in ["-s", "-d"] {
        let network = Fleet::NETWORK[0];
        iptables(&scene, &format!("-I FORWARD {end} {network} -j ACCEPT"));
    }
    let client = scene.client().ipv4("eth0");
    assert_eq!(seen_by(scene.client(), far.addresses[0]), client);
    let reached = node_ports.map(|address| ask_tcp(outside, address).is_ok());
    assert_eq!(reached, [true; 2]);
}

/// The plugin `firewall` lets out what a pod sends, and in what answers it or was led to it here. A
/// packet of another node's pod is neither; the operator's chain is there for it.
#[test]
fn the_plugin_firewall_lets_pods_of_the_node_through() {
    let scene = Scene::new(&ProxyMode::Nftables.into());
    iptables(&scene, "-P FORWARD DROP");
    let attach = |member: &Member| {
        let network = scene.cluster.network(member);
        member.attach(&network.followed_by(json!({"type": "firewall"})))
    };
    let [client, near, far] = [scene.node(), scene.node(), scene.other_node()].map(attach);
    let _servers = [&near, &far].map(serve);
    let near = scene.service("let-near", &json!({}), &[&near]);
    let far = scene.service("let-far", &json!({"type": "NodePort"}), &[&far]);
    let own = client.ipv4("eth0");
    assert_eq!(seen_by(&client, near.addresses[0]), own);
    let far_http = SocketAddr::new(far.addresses[0], Service::HTTP);
    assert!(ask_tcp(&client, far_http).is_err());
    let [port, _] = far.node_ports.expect("it has NodePorts");
    let node_port = SocketAddr::new(scene.other_node().underlay()[0], port);
    let asked = ask_tcp(&scene.cluster.fleet.outside, node_port);
    asked.expect("the NodePort answers");
    let network = Fleet::NETWORK[0];
    let among_pods = format!("-A CNI-ADMIN -s {network} -d {network} -j ACCEPT");
    iptables(&scene, &among_pods);
    assert_eq!(seen_by(&client, far.addresses[0]), own);
}

fn iptables(scene: &Scene, rule: &str) {
    for member in &scene.cluster.fleet.members {
        member.node.tool("iptables", &format!("-w {rule}"));
    }
}
