// SPDX-License-Identifier: Apache-2.0
//! The cases that somebody has suffered from; [`properties`] has all others.

mod any;
mod foreign;
mod model;
mod properties;

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
    wish.into()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
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

/// The order of the names is not that of the addresses.
#[test]
fn every_request_is_traced_to_its_peer() {
    let peers = [9, 2, 7, 4, 8, 3, 6, 5].into_iter().zip('b'..);
    let named = peers.map(|(index, name)| node(&name.to_string(), index));
    let nodes: Vec<_> = named.chain([node("own", 1)]).collect();
    for family in Family::ALL {
        let overlay = overlay(&nodes, family);
        for peer in overlay.peers() {
            let wish = overlay.wish_for([peer], DEVICE, &[]);
            let made = difference(&wish, &Held::default());
            let unmade = difference(&overlay.without_peers(DEVICE), &done(&wish));
            for op in made.ops().chain(unmade.ops()) {
                assert_eq!(overlay.peers_of([op]), [peer.node.as_str()].into());
            }
        }
    }
}
