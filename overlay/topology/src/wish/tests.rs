// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::{Cluster, NodeList, Settings};

const DEVICE: u32 = 7;

fn cluster(json: &str) -> Cluster {
    let settings: Settings =
        serde_json::from_str(r#"{"network": ["10.200.0.0/16", "fd00::/48"]}"#).unwrap();
    let list = NodeList::parse(json.as_bytes()).unwrap();
    let (cluster, complaints) = Cluster::new("own", list.nodes, &settings).unwrap();
    assert!(complaints.is_empty(), "{complaints:?}");
    cluster
}

fn two_nodes() -> Cluster {
    cluster(
        r#"[{"name": "own", "underlay": ["192.0.2.1", "2001:db8::1"],
             "podCIDRs": ["10.200.1.0/24", "fd00:0:0:1::/64"]},
            {"name": "b", "underlay": ["192.0.2.2", "2001:db8::2"],
             "mac": "02:00:00:00:00:0b", "macV6": "02:00:00:00:06:0b",
             "podCIDRs": ["10.200.3.0/24", "10.200.2.0/24", "fd00:0:0:2::/64"]}]"#,
    )
}

fn network(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

fn subnet(text: &str, link: u32) -> Subnet {
    Subnet {
        network: network(text),
        link,
    }
}

fn tunnel(dst: &str, metric: u32) -> Route {
    Route {
        dst: network(dst),
        gateway: network(dst).ip(),
        link: DEVICE,
        onlink: true,
        metric,
    }
}

#[test]
fn flannels_objects_with_metrics() {
    let cluster = two_nodes();
    let wish = cluster.overlay(Family::V4).unwrap().wish(DEVICE, &[]);
    let mac = Mac([2, 0, 0, 0, 0, 0xb]);
    let metric_of = |text| metric(network(text));
    assert_eq!(
        wish.routes,
        [
            tunnel("10.200.2.0/24", metric_of("10.200.2.0/24")),
            tunnel("10.200.3.0/24", metric_of("10.200.3.0/24")),
        ]
    );
    let gateways = ["10.200.2.0", "10.200.3.0"].map(|text| Neighbour {
        address: text.parse().unwrap(),
        mac,
    });
    assert_eq!(wish.neighbours, gateways);
    let dst = "192.0.2.2".parse().unwrap();
    assert_eq!(wish.fdb, [FdbEntry { mac, dst }]);
    assert_eq!(wish.own_pod_cidrs, [network("10.200.1.0/24")]);
    assert_eq!(wish.network, [network("10.200.0.0/16")]);
}

#[test]
fn ipv6_goes_over_ipv6() {
    let cluster = two_nodes();
    let wish = cluster.overlay(Family::V6).unwrap().wish(DEVICE, &[]);
    assert_eq!(wish.routes, [tunnel("fd00:0:0:2::/64", 1024)]);
    let mac = Mac([2, 0, 0, 0, 6, 0xb]);
    let address = "fd00:0:0:2::".parse().unwrap();
    assert_eq!(wish.neighbours, [Neighbour { address, mac }]);
    let dst = "2001:db8::2".parse().unwrap();
    assert_eq!(wish.fdb, [FdbEntry { mac, dst }]);
}

#[test]
fn a_peer_in_the_nodes_own_subnet_has_plain_routes() {
    let cluster = two_nodes();
    let overlay = cluster.overlay(Family::V4).unwrap();
    let wish = overlay.wish(
        DEVICE,
        &[subnet("192.0.2.1/24", 2), subnet("2001:db8::1/64", 2)],
    );
    let plain = |dst: &str| Route {
        gateway: "192.0.2.2".parse().unwrap(),
        link: 2,
        onlink: false,
        ..tunnel(dst, metric(network(dst)))
    };
    assert_eq!(wish.routes, ["10.200.2.0/24", "10.200.3.0/24"].map(plain));
    assert!(wish.neighbours.is_empty() && wish.fdb.is_empty());
}

#[test]
fn a_peer_behind_a_router_has_a_tunnel() {
    let cluster = two_nodes();
    let overlay = cluster.overlay(Family::V4).unwrap();
    let elsewhere = [subnet("192.0.2.129/25", 2), subnet("198.51.100.1/24", 3)];
    assert_eq!(overlay.wish(DEVICE, &elsewhere), overlay.wish(DEVICE, &[]));
}

#[test]
fn the_smallest_subnet_says_the_link() {
    let cluster = two_nodes();
    let overlay = cluster.overlay(Family::V4).unwrap();
    let subnets = [
        subnet("192.0.0.1/16", 2),
        subnet("192.0.2.1/28", 3),
        subnet("192.0.2.1/24", 4),
    ];
    let wish = overlay.wish(DEVICE, &subnets);
    assert!(wish.routes.iter().all(|route| route.link == 3));
}
