// SPDX-License-Identifier: Apache-2.0
//! Examples in which ports of the node lead to pods.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use integration_tests::{Echo, State, ask_tcp, ask_udp};

use crate::{Example, addresses};

/// What containerd hands on of a pod's `hostPort`s.
const PORTS: (&str, &str) = (
    "CAP_ARGS",
    r#"{"portMappings": [
        {"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": ""},
        {"hostPort": 8080, "containerPort": 80, "protocol": "udp", "hostIP": ""}
    ]}"#,
);

/// Pods that are reached by a port of the node: from the node, by its own addresses and by
/// 127.0.0.1, and from pods, also from the pod itself, on a bridge that is promiscuous.
pub(crate) fn led(file: &str) {
    let example = Example::new(file);
    let (pod, result) = example.attach("a", &[PORTS]);
    let (other, _) = example.attach("b", &[]);
    let servers = addresses(&result, "address");
    let running: Vec<_> = servers
        .into_iter()
        .map(|address| Echo::start(&pod, address, 80))
        .collect();
    let gateways = addresses(&result, "gateway");
    for gateway in &gateways {
        let server = SocketAddr::new(*gateway, 8080);
        for client in [&*example.node, &*other, &*pod] {
            for ask in [ask_tcp, ask_udp] {
                let seen = ask(client, server).unwrap_or_else(|why| panic!("{server}: {why}"));
                assert_eq!(seen.ip(), *gateway);
            }
        }
    }
    let localhost = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
    let seen = ask_tcp(&example.node, localhost).expect("the pod answers");
    assert_eq!(seen.ip(), gateways[0]);
    example.cnitool("check", &pod, &[PORTS]).assert_silent();
    example.cnitool("del", &pod, &[PORTS]).assert_silent();
    assert_eq!(State::of(&example.node).lines_with("hostport"), [""; 0]);
    drop(running);
    example.end(&[&other], &[]);
}
