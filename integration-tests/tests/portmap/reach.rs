// SPDX-License-Identifier: Apache-2.0
//! Who reaches a port, and as whom the pod sees them.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

use integration_tests::{Echo, Outside, PATIENCE, ask_tcp};
use serde_json::json;

use crate::site::{LOCALHOST, NODE, Site, both, network, of_bridge, seen_at};

#[test]
fn from_outside_a_client_keeps_its_address() {
    let site = Site::new();
    let (_pod, _servers) = site.server(&network(both(8080)));
    for (address, client) in NODE.into_iter().zip([Outside::V4, Outside::V6]) {
        assert_eq!(seen_at(&site.outside, address, 8080), client);
    }
}

#[test]
fn the_node_reaches_its_ports_by_its_own_addresses() {
    let site = Site::new();
    let (_pod, _servers) = site.server(&network(both(8080)));
    for address in NODE {
        assert_eq!(seen_at(&site.node, address, 8080), address);
    }
    assert_eq!(
        seen_at(&site.node, LOCALHOST[0], 8080),
        site.node.ipv4("cni0")
    );
}

/// The kernel drops what a container answers to `::1`, so the port is not the container's there.
#[test]
fn nobody_waits_for_an_answer_to_localhost_of_ipv6() {
    let site = Site::new();
    let (_pod, _servers) = site.server(&network(both(8080)));
    let server = SocketAddr::new(LOCALHOST[1], 8080);
    let refused = ask_tcp(&site.node, server).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let own = Echo::start(&site.node, LOCALHOST[1], 8080);
    assert_eq!(seen_at(&site.node, LOCALHOST[1], 8080), LOCALHOST[1]);
    drop(own);
}

#[test]
fn pods_reach_the_ports_of_their_node() {
    let site = Site::new();
    let (pod, _servers) = site.server(&network(both(8080)));
    let neighbour = site.runner.attach(&network(json!([])), &site.node);
    let stranger = of_bridge("other", "cni1", 89, json!([]));
    let stranger = site.runner.attach(&stranger, &site.node);
    let gateway = [site.node.ipv4("cni0"), site.node.ipv6("cni0")];
    for (i, own) in NODE.into_iter().enumerate() {
        for address in [own, gateway[i]] {
            // Answers to a neighbour would go past the node.
            assert_eq!(seen_at(&pod, address, 8080), gateway[i]);
            assert_eq!(seen_at(&neighbour, address, 8080), gateway[i]);
            let client = stranger.both_addresses()[i];
            assert_eq!(seen_at(&stranger, address, 8080), client);
        }
    }
}

/// A frame that is sent back is not sent up to the host as well.
#[test]
fn a_pod_hears_itself_once() {
    for promiscuous in [false, true] {
        let site = Site::new();
        let network = network(both(8080)).with_at(0, &json!({"promiscMode": promiscuous}));
        let pod = site.runner.attach(&network, &site.node);
        let server = SocketAddr::new(pod.ipv4("eth0"), 80);
        let server = pod.run(|| UdpSocket::bind(server)).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let client = pod.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
        for text in [b"a", b"b"] {
            client.send_to(text, (NODE[0], 8080)).unwrap();
        }
        let mut heard = [0; 2];
        for octet in &mut heard {
            server.recv(std::slice::from_mut(octet)).unwrap();
        }
        assert_eq!(&heard, b"ab", "promiscuous: {promiscuous}");
    }
}
