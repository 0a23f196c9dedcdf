// SPDX-License-Identifier: Apache-2.0
//! Direct routing: decided by the underlay's subnets, at each call anew.

use crate::lab::{Lab, entries, entry, settings};

const DIRECT: &str = r#", "directRouting": true"#;

#[test]
fn peers_in_the_nodes_own_subnet_need_no_tunnel() {
    let (lab, settings) = (Lab::new(2), settings(DIRECT));
    let mut nodes = entries(2, "46");
    // In no subnet of the node.
    nodes.push(entry(300, "4"));
    lab.program(&nodes, &settings);
    let host = &lab.nodes[0];
    let device = host.device("podwire.1").index;
    assert_eq!(host.rtnl.fdb(device).unwrap().len(), 1);
    for (pod, via) in [
        ("10.100.2.9", "eth0"),
        ("fd00:0:0:2::9", "eth0"),
        ("10.101.44.9", "podwire.1"),
    ] {
        let route = host.rtnl.lookup(pod.parse().unwrap()).unwrap().unwrap();
        assert_eq!(route.oif, Some(host.device(via).index), "{pod}");
    }
    for family in ['4', '6'] {
        // More than the tunnel takes.
        let length = 1500 - 48;
        let seen = crate::lab::send(&lab, 1, 2, family, length);
        assert_eq!(seen, Some(crate::lab::pod(1, family)));
    }
    host.assert_quiet(&nodes, &settings, &["podwire.1", "podwire-v6.1"]);
}

/// Reference F20: flannel decides once.
#[test]
fn a_subnet_that_becomes_smaller_brings_the_tunnel_back() {
    let (lab, nodes, settings) = (Lab::new(2), entries(2, "4"), settings(DIRECT));
    lab.program(&nodes, &settings);
    let host = &lab.nodes[0];
    let way = || host.rtnl.lookup("10.100.2.9".parse().unwrap()).unwrap();
    assert_eq!(way().unwrap().oif, Some(host.device("eth0").index));
    host.ip("addr flush dev eth0");
    host.ip("addr add 192.0.2.1/32 dev eth0");
    host.ip("route add 192.0.2.0/24 dev eth0");
    lab.program(&nodes, &settings);
    assert_eq!(way().unwrap().oif, Some(host.device("podwire.1").index));
    crate::lab::assert_cross(&lab, 1, 2, "4");
    host.ip("addr add 192.0.2.1/24 dev eth0");
    lab.program(&nodes, &settings);
    assert_eq!(way().unwrap().oif, Some(host.device("eth0").index));
    let none = host.rtnl.fdb(host.device("podwire.1").index).unwrap();
    assert!(none.is_empty(), "{none:?}");
}

#[test]
fn a_switch_back_to_tunnels_leaves_nothing_of_it() {
    let (lab, nodes) = (Lab::new(2), entries(2, "46"));
    lab.program(&nodes, &settings(DIRECT));
    lab.program(&nodes, &settings(""));
    crate::lab::assert_cross(&lab, 1, 2, "46");
    let routes = lab.nodes[0].ip("route show dev eth0 proto 118");
    assert_eq!(routes, "");
}

/// One node takes the other for a neighbour, the other not: what comes through the tunnel is taken
/// although its answer goes without, however strict the host is with other links.
#[test]
fn the_way_back_may_be_another() {
    let (lab, nodes) = (Lab::new(2), entries(2, "46"));
    let [host, other] = &lab.nodes[..] else {
        panic!("two nodes were made")
    };
    for strict in ["all", "default"] {
        let setting = format!("net/ipv4/conf/{strict}/rp_filter");
        host.inside(|| net::sysctl::ensure(&setting, "1")).unwrap();
    }
    for (host, keys) in [(host, DIRECT), (other, "")] {
        let report = host.reconcile(&nodes, &settings(keys));
        assert!(report.errors.is_empty(), "{:?}", report.errors);
    }
    for family in ['4', '6'] {
        let seen = crate::lab::send(&lab, 2, 1, family, 100);
        assert_eq!(seen, Some(crate::lab::pod(2, family)));
    }
}
