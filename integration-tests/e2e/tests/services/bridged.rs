// SPDX-License-Identifier: Apache-2.0
//! Nodes without br_netfilter, or with its `bridge-nf-call-iptables` at 0: what a bridge forwards
//! passes no netfilter, so nobody gives an answer from a pod of the same node the Service's address.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use e2e_tests::{ProxyMode, Service};
use integration_tests::{Place, ask_tcp};
use serde_json::json;

use crate::in_both_modes;
use crate::scene::{Scene, Setting, bridge_addresses, seen_by, serve, set_bridge_calls};

in_both_modes!(
    an_answer_from_the_same_bridge_comes_from_a_stranger,
    routed_pods_reach_the_service,
);

fn without_calls(mode: ProxyMode) -> Setting {
    Setting {
        bridge_calls: false,
        ..mode.into()
    }
}

/// The question arrives, the answer is sent by the pod's own address, and the client does not know
/// that one. From the other node all is well.
fn an_answer_from_the_same_bridge_comes_from_a_stranger(mode: ProxyMode) {
    let scene = Scene::new(&without_calls(mode));
    let near = scene.service("near", &json!({}), &[scene.near()]);
    let far = scene.service("far", &json!({}), &[scene.far()]);
    for (address, pod) in near.addresses.iter().zip(scene.near().all_addresses()) {
        let refused = ask_tcp(scene.client(), SocketAddr::new(*address, Service::HTTP));
        assert_eq!(refused.expect_err("no answer").kind(), ErrorKind::TimedOut);
        let dns = SocketAddr::new(*address, Service::DNS);
        let answered = SocketAddr::new(pod, Service::TARGET);
        assert_eq!(who_answers(scene.client(), dns), answered);
    }
    let flows = scene.node().node.tool("conntrack", "-L -p tcp");
    let unanswered = |line: &&str| line.contains("[UNREPLIED]") && line.contains("dport=80 ");
    assert!(flows.lines().any(|line| unanswered(&line)), "{flows}");
    for (address, client) in far.addresses.iter().zip(scene.client().all_addresses()) {
        assert_eq!(seen_by(scene.client(), *address), client);
    }
    // What the node asks, or leads to a pod for others, is routed.
    for address in &near.addresses {
        seen_by(&scene.node().node, *address);
    }
}

/// With `routeViaGateway` the answer goes by the gateway, too; so it does with br_netfilter, which is in
/// no one's way but of a pod that asks itself.
fn routed_pods_reach_the_service(mode: ProxyMode) {
    let scene = Scene::new(&Setting {
        bridge: json!({"routeViaGateway": true, "hairpinMode": null}),
        ..without_calls(mode)
    });
    let near = scene.service("near", &json!({}), &[scene.near()]);
    let far = scene.service("far", &json!({}), &[scene.far()]);
    let own = scene.service("own", &json!({}), &[scene.client()]);
    let _servers = serve(scene.client());
    for calls in [false, true] {
        set_bridge_calls(scene.node(), calls);
        for service in [&near, &far] {
            let clients = scene.client().all_addresses();
            for (address, client) in service.addresses.iter().zip(clients) {
                assert_eq!(seen_by(scene.client(), *address), client, "{calls}");
            }
        }
        for address in &own.addresses {
            let asked = ask_tcp(scene.client(), SocketAddr::new(*address, Service::HTTP));
            assert_eq!(asked.is_ok(), !calls, "{asked:?}");
        }
    }
}

/// kube-proxy's own way out: nobody sees who asks.
#[test]
fn so_do_pods_whom_kube_proxy_masquerades() {
    let mut setting = without_calls(ProxyMode::Iptables);
    setting.proxy.push("--masquerade-all".to_owned());
    let scene = Scene::new(&setting);
    let near = scene.service("near", &json!({}), &[scene.near()]);
    for (address, bridge) in near.addresses.iter().zip(bridge_addresses(scene.node())) {
        assert_eq!(seen_by(scene.client(), *address), bridge);
    }
}

/// Who answers a datagram, whoever it was sent to.
fn who_answers(client: &Place, to: SocketAddr) -> SocketAddr {
    client.run(|| {
        let any: IpAddr = if to.is_ipv4() {
            [0; 4].into()
        } else {
            [0_u16; 8].into()
        };
        let socket = UdpSocket::bind((any, 0)).expect("a port is free");
        let patience = Some(Duration::from_secs(2));
        socket.set_read_timeout(patience).expect("it is a time");
        socket
            .send_to(b"who are you?", to)
            .expect("a route leads there");
        let (_, from) = socket.recv_from(&mut [0; 64]).expect("somebody answers");
        from
    })
}
