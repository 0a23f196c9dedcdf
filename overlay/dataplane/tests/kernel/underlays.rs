// SPDX-License-Identifier: Apache-2.0
//! The link that packets leave by, named in the settings.

use net::{Kind, Vxlan};
use topology::{Node, Settings};

use crate::lab::{Host, Lab, assert_cross, entries, pod, send, settings};

const BOTH: [&str; 2] = ["podwire.1", "podwire-v6.1"];

/// The nodes' underlay addresses are on `lo`; the wire has others, and routes to them.
fn routed_to_the_host(lab: &Lab) -> Vec<Node> {
    let mut nodes = entries(2, "46");
    for (number, host) in (1..).zip(&lab.nodes) {
        let other = 3 - number;
        for command in [
            format!("addr add 198.51.100.{number}/32 dev lo"),
            format!("addr add 2001:db8:1::{number}/128 dev lo nodad"),
            format!("route add 198.51.100.{other}/32 via 192.0.2.{other}"),
            format!("-6 route add 2001:db8:1::{other}/128 via 2001:db8::{other}"),
        ] {
            host.ip(&command);
        }
        host.wait_for(&format!("2001:db8:1::{number}"));
        let underlay = &mut nodes[number - 1].underlay;
        underlay.v4 = Some(format!("198.51.100.{number}").parse().unwrap());
        underlay.v6 = Some(format!("2001:db8:1::{number}").parse().unwrap());
    }
    nodes
}

fn vxlan(host: &Host, name: &str) -> Vxlan {
    match host.device(name).kind {
        Kind::Vxlan(vxlan) => vxlan,
        kind => panic!("{name} is {kind:?}"),
    }
}

fn errors(host: &Host, nodes: &[Node], settings: &Settings) -> Vec<String> {
    let report = host.reconcile(nodes, settings);
    report.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn the_address_may_be_on_lo() {
    let lab = Lab::new(2);
    let nodes = routed_to_the_host(&lab);
    let host = &lab.nodes[0];
    assert_eq!(
        errors(host, &nodes, &settings(""))[0],
        "podwire.1: no packets leave by \"lo\", which carries the IPv4 underlay address \
         198.51.100.1: name their link with the setting `underlay`"
    );
    let settings = settings(r#", "underlay": "eth0""#);
    lab.program(&nodes, &settings);
    assert_cross(&lab, 1, 2, "46");
    let below = Some(host.device("eth0").index);
    for (device, mtu, local) in [
        (BOTH[0], 1450, "198.51.100.1"),
        (BOTH[1], 1430, "2001:db8:1::1"),
    ] {
        assert_eq!(host.device(device).mtu, mtu);
        let vxlan = vxlan(host, device);
        assert_eq!(
            (vxlan.device, vxlan.local),
            (below, Some(local.parse().unwrap()))
        );
    }
    host.assert_quiet(&nodes, &settings, &BOTH);
}

/// Nothing of the overlay depends on how the address got there: the setting can come and go.
#[test]
fn the_link_is_changed_in_place() {
    let (lab, nodes) = (Lab::new(2), entries(2, "46"));
    lab.program(&nodes, &settings(""));
    let host = &lab.nodes[0];
    let before = BOTH.map(|name| host.device(name).index);
    host.ip("link add wire2 mtu 1400 type bridge");
    host.ip("link set wire2 up");
    let named = settings(r#", "underlay": "wire2""#);
    let report = host.reconcile(&nodes, &named);
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    let other = host.device("wire2").index;
    for (device, mtu) in [(BOTH[0], 1350), (BOTH[1], 1330)] {
        assert_eq!(vxlan(host, device).device, Some(other));
        assert_eq!(host.device(device).mtu, mtu);
    }
    assert_eq!(report.devices[0].underlay, "wire2");
    lab.program(&nodes, &settings(""));
    assert_eq!(BOTH.map(|name| host.device(name).index), before);
    assert_cross(&lab, 1, 2, "46");
    host.assert_quiet(&nodes, &settings(""), &BOTH);
}

/// Whose address is on `lo` has no subnet there; the link's own one counts.
#[test]
fn direct_routing_goes_by_the_links_subnets() {
    let lab = Lab::new(2);
    let settings = settings(r#", "underlay": "eth0", "directRouting": true"#);
    let routed = routed_to_the_host(&lab);
    lab.program(&routed, &settings);
    let host = &lab.nodes[0];
    let way = || host.rtnl.lookup(pod(2, '4')).unwrap().unwrap().oif;
    assert_eq!(way(), Some(host.device(BOTH[0]).index));
    assert_cross(&lab, 1, 2, "46");
    // A peer that takes packets at an address of the wire.
    let mut mixed = routed;
    mixed[1].underlay = entries(2, "46")[1].underlay;
    lab.program(&mixed, &settings);
    assert_eq!(way(), Some(host.device("eth0").index));
    for family in ['4', '6'] {
        assert_eq!(send(&lab, 1, 2, family, 1500 - 48), Some(pod(1, family)));
    }
    host.assert_quiet(&mixed, &settings, &BOTH);
}

#[test]
fn a_link_or_an_address_that_is_not_there_is_named() {
    let (lab, mut nodes) = (Lab::new(1), entries(1, "46"));
    let host = &lab.nodes[0];
    let elsewhere = settings(r#", "underlay": "eth7""#);
    assert_eq!(
        errors(host, &nodes, &elsewhere),
        [
            "podwire.1: this node has no link \"eth7\", by which IPv4 underlay packets are to leave",
            "podwire-v6.1: this node has no link \"eth7\", by which IPv6 underlay packets are to leave",
        ]
    );
    nodes[0].underlay.v4 = Some("192.0.2.77".parse().unwrap());
    assert_eq!(
        errors(host, &nodes, &settings(r#", "underlay": "eth0""#)),
        ["podwire.1: no link of this node has its IPv4 underlay address 192.0.2.77"]
    );
    assert!(errors(host, &nodes, &settings(r#", "underlay": "lo""#))[1].contains("\"lo\""));
}
