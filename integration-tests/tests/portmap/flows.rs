// SPDX-License-Identifier: Apache-2.0
//! A UDP client that never stops asking reaches whoever has the port now.

use std::net::SocketAddr;

use integration_tests::conntrack::flows;
use integration_tests::{Outside, ask_udp_from};
use serde_json::json;

use crate::site::{NODE, Site, both, network};

const CLIENTS: [(std::net::IpAddr, u16); 2] = [(Outside::V4, 40_000), (Outside::V6, 40_000)];

/// Whether each client, who always asks from the same port, is answered.
fn answered(site: &Site) -> [bool; 2] {
    [0, 1].map(|i| {
        let source = SocketAddr::from(CLIENTS[i]);
        let server = SocketAddr::new(NODE[i], 5353);
        ask_udp_from(&site.outside, source, server).is_ok()
    })
}

#[test]
fn a_client_that_asked_before_is_led_to_the_pod() {
    let site = Site::new();
    let warm = site.runner.attach(&network(both(1)), &site.node);
    assert_eq!(answered(&site), [false; 2]);
    assert!(
        flows(&site.node)
            .iter()
            .any(|flow| flow.source == Outside::V4)
    );
    let (_pod, _servers) = site.server(&network(both(5353)));
    assert_eq!(answered(&site), [true; 2]);
    drop(warm);
}

#[test]
fn a_client_follows_the_port_from_pod_to_pod() {
    let site = Site::new();
    let network = network(both(5353));
    let (first, servers) = site.server(&network);
    assert_eq!(answered(&site), [true; 2]);
    site.runner.del(&network, &first, "eth0").unwrap();
    drop(servers);
    let left = flows(&site.node);
    let left = left.iter().filter(|flow| flow.is_translated());
    assert_eq!(left.count(), 0);
    let (second, _servers) = site.server(&network);
    assert_ne!(first.netns(), second.netns());
    assert_eq!(answered(&site), [true; 2]);
}

/// Flows through the node to the same port of somebody else are not the node's.
#[test]
fn flows_of_others_are_left_alone() {
    let site = Site::new();
    let (client, _servers) = site.server(&network(json!([])));
    let server = integration_tests::Echo::start(&site.outside, Outside::V4, 5353);
    let source = SocketAddr::new(client.ipv4("eth0"), 40_001);
    ask_udp_from(&client, source, server.address()).unwrap();
    let theirs = |site: &Site| {
        let all = flows(&site.node);
        let mut theirs = all.iter().filter(|flow| flow.source == source.ip());
        theirs.any(|flow| flow.destination == Outside::V4)
    };
    assert!(theirs(&site));
    let pod = site.runner.attach(&network(both(5353)), &site.node);
    site.runner.del(&network(both(5353)), &pod, "eth0").unwrap();
    assert!(theirs(&site));
}
