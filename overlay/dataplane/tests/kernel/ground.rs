// SPDX-License-Identifier: Apache-2.0
//! What an overlay stands on, and what becomes of it when that changes: this node's address, the
//! link below, its MTU.

use topology::Node;

use crate::lab::{Lab, assert_cross, entries, settings};

const BOTH: [&str; 2] = ["podwire.1", "podwire-v6.1"];

/// The node gets another address, and its peers another entry: the device, and all that is on it,
/// stays.
#[test]
fn the_nodes_address_changes() {
    let (lab, settings) = (Lab::new(2), settings(""));
    let mut nodes = entries(2, "46");
    lab.program(&nodes, &settings);
    let host = &lab.nodes[0];
    let before = BOTH.map(|name| host.device(name).index);
    host.ip("addr flush dev eth0");
    let lost = host.reconcile(&nodes, &settings);
    let texts: Vec<_> = lost.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "podwire.1: no link of this node has its IPv4 underlay address 192.0.2.1",
            "podwire-v6.1: no link of this node has its IPv6 underlay address 2001:db8::1",
        ]
    );
    host.ip("addr add 192.0.2.101/24 dev eth0");
    host.ip("addr add 2001:db8::101/64 dev eth0 nodad");
    host.wait_for("2001:db8::101");
    nodes[0] = renumbered(&nodes[0]);
    lab.program(&nodes, &settings);
    assert_eq!(BOTH.map(|name| host.device(name).index), before);
    assert_cross(&lab, 1, 2, "46");
    host.assert_quiet(&nodes, &settings, &BOTH);
}

fn renumbered(node: &Node) -> Node {
    let mut node = node.clone();
    node.underlay.v4 = Some("192.0.2.101".parse().unwrap());
    node.underlay.v6 = Some("2001:db8::101".parse().unwrap());
    node
}

/// The address moves to another link, as when a bond or bridge is put above the card.
#[test]
fn the_link_below_changes() {
    let (lab, nodes, settings) = (Lab::new(2), entries(2, "46"), settings(""));
    lab.program(&nodes, &settings);
    let host = &lab.nodes[0];
    let before = BOTH.map(|name| host.device(name).index);
    for command in [
        "link add br-ex type bridge",
        "link set br-ex up",
        "addr flush dev eth0",
        "link set eth0 master br-ex",
        "addr add 192.0.2.1/24 dev br-ex",
        "addr add 2001:db8::1/64 dev br-ex nodad",
    ] {
        host.ip(command);
    }
    host.wait_for("2001:db8::1");
    assert!(!host.audit(&nodes, &settings).is_clean());
    lab.program(&nodes, &settings);
    assert_eq!(BOTH.map(|name| host.device(name).index), before);
    assert_cross(&lab, 1, 2, "46");
    host.assert_quiet(&nodes, &settings, &BOTH);
}

/// The link below goes, and the device with it; another one comes with the name and the addresses.
#[test]
fn the_link_below_is_made_anew() {
    let (lab, nodes, settings) = (Lab::new(2), entries(2, "46"), settings(""));
    lab.program(&nodes, &settings);
    let host = &lab.nodes[0];
    host.ip("link del eth0");
    assert!(host.rtnl.vxlans().unwrap().is_empty());
    let cluster = host.cluster(&nodes, &settings);
    let look = || host.dataplane(&settings).surroundings(&cluster).unwrap();
    let without = look();
    assert_eq!(host.reconcile(&nodes, &settings).errors.len(), 2);
    lab.plug_in(1);
    assert_ne!(look(), without);
    let report = host.reconcile(&nodes, &settings);
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert_cross(&lab, 1, 2, "46");
    host.assert_quiet(&nodes, &settings, &BOTH);
}

/// The MTU of the link below becomes smaller: the kernel leaves the device as it is.
#[test]
fn the_mtu_below_changes() {
    let (lab, nodes, settings) = (Lab::new(1), entries(2, "46"), settings(""));
    lab.program(&nodes, &settings);
    let host = &lab.nodes[0];
    for (below, v4, v6) in [(1400, 1350, 1330), (1500, 1450, 1430)] {
        host.ip(&format!("link set eth0 mtu {below}"));
        lab.program(&nodes, &settings);
        assert_eq!(BOTH.map(|name| host.device(name).mtu), [v4, v6]);
        host.assert_quiet(&nodes, &settings, &BOTH);
    }
    host.ip("link set eth0 mtu 1300");
    let report = host.reconcile(&nodes, &settings);
    let texts: Vec<_> = report.errors.iter().map(ToString::to_string).collect();
    let too_small =
        "podwire-v6.1: the underlay's MTU 1300 is too small for an IPv6 overlay, which needs 1350";
    assert_eq!(texts, [too_small]);
    assert_eq!(host.device(BOTH[0]).mtu, 1250);
}
