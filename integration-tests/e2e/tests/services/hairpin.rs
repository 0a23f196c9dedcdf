// SPDX-License-Identifier: Apache-2.0
//! A pod that asks for its own Service and is chosen itself.

use std::io;
use std::net::{IpAddr, SocketAddr};

use e2e_tests::{ProxyMode, Service};
use integration_tests::{ask_tcp, ask_udp};
use serde_json::json;

use crate::in_both_modes;
use crate::scene::{Scene, Setting, bridge_addresses, set_bridge_calls};

in_both_modes!(a_pod_reaches_itself_by_its_service);

/// It sees the bridge's address: what came from its own address it would not answer to the bridge.
fn a_pod_reaches_itself_by_its_service(mode: ProxyMode) {
    let scene = Scene::new(&mode.into());
    let own = scene.service("own", &json!({}), &[scene.near()]);
    let wanted = bridge_addresses(scene.node());
    for (address, wanted) in own.addresses.iter().zip(wanted) {
        for seen in ask_itself(&scene, *address) {
            assert_eq!(seen.expect("it is answered"), wanted);
        }
    }
}

/// With br_netfilter the packet gets its new destination in the bridge, which then forwards it to the
/// port that it came from; only `hairpinMode` allows that, `promiscMode` does not. Without it the
/// packet is routed, and comes from the bridge itself.
#[test]
fn only_bridged_packets_need_the_ports_mode() {
    let setting = Setting {
        bridge: json!({"hairpinMode": null}),
        ..ProxyMode::Iptables.into()
    };
    let scene = Scene::new(&setting);
    let own = scene.service("own", &json!({}), &[scene.near()]);
    let reaches = || {
        let ask = |address| ask_itself(&scene, address);
        let seen = own.addresses.iter().flat_map(|address| ask(*address));
        seen.map(|seen| seen.is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(reaches(), [false; 4]);
    let promiscuous = json!({"hairpinMode": null, "promiscMode": true});
    let network = scene.cluster.network(scene.node()).with_at(0, &promiscuous);
    let _other = scene.node().attach(&network);
    let bridge = scene.node().node.ip("-d link show cni0");
    assert!(bridge.contains("PROMISC"), "{bridge}");
    assert_eq!(reaches(), [false; 4]);
    set_bridge_calls(scene.node(), false);
    assert_eq!(reaches(), [true; 4]);
}

/// Whom the pod sees when it asks a Service of which it is the only pod, by TCP and UDP.
fn ask_itself(scene: &Scene, address: IpAddr) -> [io::Result<IpAddr>; 2] {
    [
        ask_tcp(scene.near(), SocketAddr::new(address, Service::HTTP)),
        ask_udp(scene.near(), SocketAddr::new(address, Service::DNS)),
    ]
    .map(|seen| seen.map(|seen| seen.ip()))
}
