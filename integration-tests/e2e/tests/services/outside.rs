// SPDX-License-Identifier: Apache-2.0
//! Who is outside of the cluster and asks a node for a Service, at its NodePort.

use std::io;
use std::net::{IpAddr, SocketAddr};

use e2e_tests::{ProxyMode, Service};
use integration_tests::{Place, ask_tcp, ask_udp};
use serde_json::json;

use crate::in_both_modes;
use crate::scene::{Scene, bridge_addresses, vteps};

in_both_modes!(
    each_node_leads_to_each_pod,
    with_the_local_policy_pods_see_the_client,
);

/// The pod sees the node that was asked, by the address that it has on the way to the pod; so the
/// answer comes back by that node.
fn each_node_leads_to_each_pod(mode: ProxyMode) {
    let scene = Scene::new(&mode.into());
    let keys = json!({"type": "NodePort"});
    let services = [
        scene.service("near", &keys, &[scene.near()]),
        scene.service("far", &keys, &[scene.far()]),
    ];
    let members = &scene.cluster.fleet.members;
    for (asked, member) in members.iter().enumerate() {
        for (with_pod, service) in services.iter().enumerate() {
            let wanted = if asked == with_pod {
                bridge_addresses(member)
            } else {
                vteps(member)
            };
            for (address, wanted) in member.underlay().into_iter().zip(wanted) {
                for seen in ask(&scene.cluster.fleet.outside, address, service) {
                    assert_eq!(
                        seen.expect("it is answered"),
                        wanted,
                        "{} by {}",
                        service.name,
                        member.name
                    );
                }
            }
        }
    }
}

/// And only nodes with a pod of the Service answer.
fn with_the_local_policy_pods_see_the_client(mode: ProxyMode) {
    let scene = Scene::new(&mode.into());
    let keys = json!({"type": "NodePort", "externalTrafficPolicy": "Local"});
    let service = scene.service("local", &keys, &[scene.far()]);
    let outside = &scene.cluster.fleet.outside;
    let clients = scene.cluster.fleet.outside_addresses();
    for (address, client) in scene.other_node().underlay().into_iter().zip(clients) {
        for seen in ask(outside, address, &service) {
            assert_eq!(seen.expect("it is answered"), client);
        }
    }
    for address in scene.node().underlay() {
        for seen in ask(outside, address, &service) {
            assert!(seen.is_err(), "{address}: {seen:?}");
        }
    }
}

/// Whom the pod sees by TCP and by UDP when a node is asked at the Service's NodePorts.
fn ask(client: &Place, node: IpAddr, service: &Service) -> [io::Result<IpAddr>; 2] {
    let [http, dns] = service.node_ports.expect("it has NodePorts");
    [
        ask_tcp(client, SocketAddr::new(node, http)),
        ask_udp(client, SocketAddr::new(node, dns)),
    ]
    .map(|seen| seen.map(|seen| seen.ip()))
}
