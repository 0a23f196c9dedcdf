// SPDX-License-Identifier: Apache-2.0
//! The cases that somebody has suffered from; [`model`] has all others.

mod model;

use std::net::IpAddr;

use super::*;
use crate::wish::PROTOCOL;
use crate::{Cluster, Mac, Node, Settings, Subnet};

const DEVICE: u32 = 7;
const UPLINK: u32 = 2;

/// A node with one pod CIDR of each family.
fn node(name: &str, index: u8) -> Node {
    let json = serde_json::json!({
        "name": name,
        "underlay": [format!("192.0.2.{index}"), format!("2001:db8::{index:x}")],
        "mac": format!("02:00:00:00:04:{index:02x}"),
        "macV6": format!("02:00:00:00:06:{index:02x}"),
        "podCIDRs": [format!("10.200.{index}.0/24"), format!("fd00:0:0:{index:x}::/64")],
    });
    serde_json::from_value(json).unwrap()
}

fn overlay(nodes: &[Node], family: Family) -> Overlay {
    let settings: Settings =
        serde_json::from_str(r#"{"network": ["10.200.0.0/16", "fd00::/48"]}"#).unwrap();
    let (cluster, complaints) = Cluster::new("own", nodes.to_vec(), &settings).unwrap();
    assert!(complaints.is_empty(), "{complaints:?}");
    cluster.overlay(family).unwrap().clone()
}

fn wish(nodes: &[Node]) -> Wish {
    overlay(nodes, Family::V4).wish(DEVICE, &[])
}

fn three() -> [Node; 3] {
    [node("own", 1), node("b", 2), node("c", 3)]
}

/// What the kernel holds once all of a wish is done.
fn done(wish: &Wish) -> Held {
    Held {
        routes: wish.routes.iter().copied().map(Into::into).collect(),
        neighbours: wish.neighbours.iter().copied().map(Into::into).collect(),
        fdb: wish.fdb.iter().copied().map(Into::into).collect(),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn static_route(dst: &str, gateway: Option<&str>, link: u32, metric: u32) -> HeldRoute {
    HeldRoute {
        dst: dst.parse().unwrap(),
        gateway: gateway.map(address),
        link: Some(link),
        onlink: false,
        metric,
        protocol: 4,
    }
}

#[test]
fn a_peer_is_made_from_the_last_object_that_a_packet_needs_to_the_first() {
    let wish = wish(&[node("own", 1), node("b", 2)]);
    let change = difference(&wish, &Held::default());
    assert_eq!(
        change.set,
        [
            Op::SetFdbEntry(wish.fdb[0]),
            Op::SetNeighbour(wish.neighbours[0]),
            Op::AddRoute(wish.routes[0]),
        ]
    );
    assert!(change.remove.is_empty() && change.foreign.is_empty());
}

#[test]
fn a_peer_is_removed_from_the_first_object_that_a_packet_needs_to_the_last() {
    let held = done(&wish(&[node("own", 1), node("b", 2)]));
    let change = difference(&wish(&[node("own", 1)]), &held);
    assert_eq!(
        change.remove,
        [
            Op::DeleteRoute(held.routes[0]),
            Op::DeleteNeighbour(held.neighbours[0]),
            Op::DeleteFdbEntry(held.fdb[0]),
        ]
    );
    assert!(change.set.is_empty());
}

#[test]
fn what_is_right_is_not_written_again() {
    let wish = wish(&three());
    let mut held = done(&wish);
    held.routes.reverse();
    held.fdb.reverse();
    assert_eq!(difference(&wish, &held), Change::default());
}

/// Reference F8: flannel leaves the forwarding entry of the old MAC address.
#[test]
fn a_changed_mac_takes_the_old_fdb_entry_away() {
    let before = wish(&three());
    let mut nodes = three();
    nodes[1].mac = Some(Mac([2, 0, 0, 0, 9, 9]));
    let after = wish(&nodes);
    let change = difference(&after, &done(&before));
    let old = before
        .fdb
        .iter()
        .find(|entry| entry.dst == address("192.0.2.2"));
    let new = after
        .fdb
        .iter()
        .find(|entry| entry.dst == address("192.0.2.2"));
    assert_eq!(
        change.ops().copied().collect::<Vec<_>>(),
        [
            Op::SetFdbEntry(*new.unwrap()),
            Op::SetNeighbour(after.neighbours[0]),
            Op::DeleteFdbEntry((*old.unwrap()).into()),
        ]
    );
}

#[test]
fn a_changed_underlay_address_replaces_the_fdb_entry() {
    let before = done(&wish(&three()));
    let mut nodes = three();
    nodes[1].underlay.v4 = Some("192.0.2.99".parse().unwrap());
    let after = wish(&nodes);
    let change = difference(&after, &before);
    let entry = after
        .fdb
        .iter()
        .find(|entry| entry.dst == address("192.0.2.99"));
    assert_eq!(change.set, [Op::SetFdbEntry(*entry.unwrap())]);
    assert!(change.remove.is_empty());
}

/// Reference F5: flannel takes no notice of a change when the other family stays as it is.
#[test]
fn a_change_in_one_family_is_seen() {
    for (changed, same) in [(Family::V4, Family::V6), (Family::V6, Family::V4)] {
        let mut nodes = three();
        let mac = Some(Mac([2, 0, 0, 0, 9, 9]));
        match changed {
            Family::V4 => nodes[1].mac = mac,
            Family::V6 => nodes[1].mac_v6 = mac,
        }
        let change = |family| {
            let held = done(&overlay(&three(), family).wish(DEVICE, &[]));
            difference(&overlay(&nodes, family).wish(DEVICE, &[]), &held)
        };
        assert_eq!(change(changed).len(), 3);
        assert!(change(same).is_empty());
    }
}

/// Reference F20: flannel decides on direct routes once.
#[test]
fn a_peer_that_comes_into_the_subnet_loses_its_tunnel_and_gets_it_back() {
    let overlay = overlay(&[node("own", 1), node("b", 2)], Family::V4);
    let subnet = Subnet {
        network: "192.0.2.1/24".parse().unwrap(),
        link: UPLINK,
    };
    let (tunnel, direct) = (overlay.wish(DEVICE, &[]), overlay.wish(DEVICE, &[subnet]));
    let change = difference(&direct, &done(&tunnel));
    assert_eq!(change.set, [Op::ReplaceRoute(direct.routes[0])]);
    assert_eq!(change.remove.len(), 2);
    let change = difference(&tunnel, &done(&direct));
    assert_eq!(change.set.last(), Some(&Op::ReplaceRoute(tunnel.routes[0])));
    assert_eq!((change.set.len(), change.remove.len()), (3, 0));
    let moved = overlay.wish(DEVICE, &[Subnet { link: 3, ..subnet }]);
    let change = difference(&moved, &done(&direct));
    assert_eq!(change.set, [Op::ReplaceRoute(moved.routes[0])]);
}

#[test]
fn a_neighbour_that_the_kernel_asked_for_in_vain_is_replaced() {
    let wish = wish(&[node("own", 1), node("b", 2)]);
    let mut held = done(&wish);
    held.neighbours[0] = HeldNeighbour {
        mac: None,
        permanent: false,
        ..held.neighbours[0]
    };
    let change = difference(&wish, &held);
    assert_eq!(change.set, [Op::SetNeighbour(wish.neighbours[0])]);
    assert!(change.remove.is_empty());
}

#[test]
fn what_is_not_for_peers_stays() {
    let held = Held {
        routes: vec![
            static_route("10.200.2.0/25", Some("192.0.2.9"), UPLINK, 0),
            static_route("192.0.2.0/24", None, UPLINK, 0),
            // Another overlay of this host.
            HeldRoute {
                protocol: PROTOCOL,
                ..static_route("10.99.2.0/24", Some("10.99.2.0"), 8, 5)
            },
        ],
        neighbours: vec![
            HeldNeighbour {
                address: address("10.200.9.0"),
                mac: Some(Mac([2, 0, 0, 0, 0, 9])),
                permanent: false,
            },
            HeldNeighbour {
                address: address("fe80::1"),
                mac: Some(Mac([2, 0, 0, 0, 0, 9])),
                permanent: true,
            },
        ],
        fdb: ["00:00:00:00:00:00", "33:33:00:00:00:01"]
            .map(|mac| HeldFdbEntry {
                mac: mac.parse().unwrap(),
                dst: Some(address("192.0.2.9")),
                permanent: true,
            })
            .to_vec(),
    };
    assert_eq!(
        difference(&wish(&[node("own", 1)]), &held),
        Change::default()
    );
}

/// Reference pain 6: another node had our pod CIDR, and its route is still there.
#[test]
fn a_foreign_route_to_the_own_pod_cidr_is_reported() {
    let wish = wish(&three());
    let mut held = done(&wish);
    let bridge = static_route("10.200.1.0/24", None, 3, 0);
    let away = static_route("10.200.1.0/24", Some("10.200.1.0"), 5, 0);
    held.routes.extend([bridge, away]);
    let change = difference(&wish, &held);
    assert!(change.is_empty());
    assert_eq!(
        change.foreign[0].to_string(),
        "another program's route 10.200.1.0/24 via 10.200.1.0 link 5 metric 0 proto 4 leads \
         packets to this node's own pods away"
    );
    assert_eq!(change.foreign.len(), 1);
}

#[test]
fn foreign_routes_to_peers_are_reported() {
    let overlay = overlay(&three(), Family::V6);
    let wish = overlay.wish(DEVICE, &[]);
    let mut held = done(&wish);
    held.routes.clear();
    let gateway = Some("2001:db8::9");
    let place = static_route("fd00:0:0:2::/64", gateway, UPLINK, 1024);
    let first = static_route("fd00:0:0:3::/64", gateway, UPLINK, 100);
    let later = static_route("fd00:0:0:3::/64", gateway, UPLINK, 2000);
    held.routes.extend([place, first, later]);
    let change = difference(&wish, &held);
    let foreign = |route, obstacle| Foreign { route, obstacle };
    assert_eq!(
        change.foreign,
        [
            foreign(place, Obstacle::InPlace),
            foreign(first, Obstacle::Preferred),
        ]
    );
    assert_eq!(change.set, [Op::AddRoute(wish.routes[1])]);
    assert!(change.remove.is_empty());
}

/// Routes that flannel made lead through our device only after a take-over.
#[test]
fn a_takeover_puts_our_routes_in_the_place_of_flannels() {
    let flannels = |dst: &str, metric| HeldRoute {
        onlink: true,
        protocol: 3,
        ..static_route(dst, Some(dst.split('/').next().unwrap()), DEVICE, metric)
    };
    let old = flannels("10.200.2.0/24", 0);
    let stale = flannels("10.200.9.0/24", 0);
    let mut held = done(&wish(&[node("own", 1), node("b", 2)]));
    held.routes = vec![old, stale];
    let wish = wish(&[node("own", 1), node("b", 2)]);
    let change = difference(&wish, &held);
    assert_eq!(change.set, [Op::AddRoute(wish.routes[0])]);
    assert!(change.remove.is_empty());
    assert_eq!(change.foreign[0].obstacle, Obstacle::Preferred);
    let change = difference(&wish.taking_over(), &held);
    assert_eq!(change.set.len(), 1);
    assert_eq!(
        change.remove,
        [Op::DeleteRoute(old), Op::DeleteRoute(stale)]
    );
    assert!(change.foreign.is_empty());

    let v6 = overlay(&[node("own", 1), node("b", 2)], Family::V6).wish(DEVICE, &[]);
    let mut held = done(&v6);
    held.routes[0].protocol = 3;
    let change = difference(&v6.clone().taking_over(), &held);
    assert_eq!(change.set, [Op::ReplaceRoute(v6.routes[0])]);
    assert!(change.remove.is_empty());
}

#[test]
fn everything_of_ours_can_be_removed() {
    let overlay = overlay(&three(), Family::V4);
    let held = done(&overlay.wish(DEVICE, &[]));
    let change = difference(&overlay.without_peers(DEVICE), &held);
    assert_eq!((change.set.len(), change.remove.len()), (0, 6));
}

#[test]
fn requests_are_traced_to_their_peers() {
    let overlay = overlay(&three(), Family::V4);
    let wish = overlay.wish(DEVICE, &[]);
    let change = difference(&wish, &Held::default());
    assert_eq!(overlay.peers_of(&change.set), ["b", "c"].into());
    assert_eq!(overlay.peers_of(&change.set[..1]), ["b"].into());
    let gone = Op::DeleteFdbEntry(HeldFdbEntry {
        mac: Mac([2, 9, 9, 9, 9, 9]),
        dst: None,
        permanent: true,
    });
    assert!(overlay.peers_of([&gone]).is_empty());
}
