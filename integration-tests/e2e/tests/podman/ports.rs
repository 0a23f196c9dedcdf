// SPDX-License-Identifier: Apache-2.0
//! Ports of the node that lead to a container.

use std::net::{IpAddr, SocketAddr};

use integration_tests::{Echo, Outside, ask_tcp, ask_udp};

use crate::site::{NETWORK, SUBNETS, Site, seen, types};

/// The node's addresses, each with the outside host's.
const FAMILIES: [(IpAddr, IpAddr); 2] = [
    (Outside::NODE_V4, Outside::V4),
    (Outside::NODE_V6, Outside::V6),
];

/// From outside, from the node itself and from another container, in both families.
pub(crate) fn published(site: &Site<'_>) {
    let network = site.create(NETWORK, SUBNETS);
    assert_eq!(network.version(), "0.4.0");
    assert_eq!(types(&network), ["bridge", "portmap", "firewall", "tuning"]);
    let server = site.podman.run("server", "--network own -p 8081:80");
    let client = site.podman.run("client", "--network own");
    for (node, outside) in FAMILIES {
        assert_eq!(seen(&site.outside, node, 8081), outside);
        seen(site.node, node, 8081);
        seen(&client, node, 8081);
    }
    seen(site.node, [127, 0, 0, 1].into(), 8081);
    let pairs = server
        .all_addresses()
        .into_iter()
        .zip(client.all_addresses());
    for (server, client_address) in pairs {
        assert_eq!(seen(&client, server, 80), client_address);
    }
    // For the world outside a container is its node.
    let other = site
        .podman
        .run("server2", "--network own -p 8082-8084:80-82");
    assert_eq!(seen(&site.outside, Outside::NODE_V4, 8082), Outside::V4);
    // Of a range, each port is mapped.
    let last = Echo::start(&other, other.ipv4("eth0"), 82);
    let asked = ask_tcp(&site.outside, SocketAddr::new(Outside::NODE_V4, 8084));
    assert_eq!(asked.expect("the port leads there").ip(), Outside::V4);
    drop(last);
    let world = Echo::start(&site.outside, Outside::V4, 7);
    let known_as = ask_udp(&other, world.address()).expect("the world answers");
    assert_eq!(known_as.ip(), Outside::NODE_V4);
    drop((server, client, other));
    site.podman.say("rm --force --time 0 server2 client");
    assert_eq!(seen(&site.outside, Outside::NODE_V4, 8081), Outside::V4);
    site.end_last("server");
    site.podman.say("network rm own");
}

pub(crate) fn published_by_udp(site: &Site<'_>) {
    site.create(NETWORK, SUBNETS);
    let server = site.podman.run("server", "--network own -p 5353:53/udp");
    let echoes = server.all_addresses().into_iter();
    let echoes: Vec<_> = echoes
        .map(|address| Echo::start(&server, address, 53))
        .collect();
    // Neighbours know each other then: of a single datagram nothing is sent again.
    for address in server.all_addresses() {
        seen(site.node, address, 80);
    }
    for (node, outside) in FAMILIES {
        let answer = ask_udp(&site.outside, SocketAddr::new(node, 5353));
        let answer = answer.unwrap_or_else(|error| panic!("{node}: {error}"));
        assert_eq!(answer.ip(), outside);
    }
    drop((echoes, server));
    site.end_last("server");
    site.podman.say("network rm own");
}
