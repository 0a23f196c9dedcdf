// SPDX-License-Identifier: Apache-2.0
//! Nodes that know nothing of each other but the list: packets between their pods cross, and
//! a call that finds everything right writes nothing.

use crate::lab::{Lab, assert_cross, entries, settings};

#[test]
fn two_nodes_ipv4() {
    let (lab, nodes, settings) = (Lab::new(2), entries(2, "4"), settings(""));
    lab.program(&nodes, &settings);
    assert_cross(&lab, 1, 2, "4");
    assert!(lab.nodes[0].rtnl.link("podwire-v6.1").unwrap().is_none());
    lab.nodes[0].assert_quiet(&nodes, &settings, &["podwire.1"]);
}

#[test]
fn two_nodes_ipv6() {
    let (lab, nodes, settings) = (Lab::new(2), entries(2, "6"), settings(""));
    lab.program(&nodes, &settings);
    assert_cross(&lab, 1, 2, "6");
    lab.nodes[0].assert_quiet(&nodes, &settings, &["podwire-v6.1"]);
}

#[test]
fn three_nodes_dual_stack() {
    let (lab, nodes, settings) = (Lab::new(3), entries(3, "46"), settings(""));
    lab.program(&nodes, &settings);
    for (one, other) in [(1, 2), (2, 3), (3, 1)] {
        assert_cross(&lab, one, other, "46");
    }
    for host in &lab.nodes {
        host.assert_quiet(&nodes, &settings, &["podwire.1", "podwire-v6.1"]);
    }
}

/// A node that joins is programmed, one that leaves is swept, the others stay as they are.
#[test]
fn a_changed_list_is_followed() {
    let (lab, settings) = (Lab::new(3), settings(""));
    lab.program(&entries(2, "46"), &settings);
    let host = &lab.nodes[0];
    let joined = host.reconcile(&entries(3, "46"), &settings);
    assert_eq!(joined.differing, 6, "{joined:?}");
    assert_eq!(joined.peers.iter().collect::<Vec<_>>(), ["node3"]);
    lab.program(&entries(3, "46"), &settings);
    assert_cross(&lab, 1, 3, "46");
    let left = host.reconcile(&entries(2, "46"), &settings);
    assert_eq!((left.differing, left.errors.len()), (6, 0), "{left:?}");
    assert_cross(&lab, 1, 2, "46");
    host.assert_quiet(&entries(2, "46"), &settings, &["podwire.1", "podwire-v6.1"]);
}

/// A node that loses a family loses that family's device.
#[test]
fn a_family_that_is_gone_is_taken_away() {
    let (lab, settings) = (Lab::new(2), settings(""));
    lab.program(&entries(2, "46"), &settings);
    let host = &lab.nodes[0];
    assert_eq!(host.audit(&entries(2, "4"), &settings).differing, 1);
    lab.program(&entries(2, "4"), &settings);
    assert!(host.rtnl.link("podwire-v6.1").unwrap().is_none());
    assert_cross(&lab, 1, 2, "4");
}

#[test]
fn five_thousand_peers_are_written_once() {
    let (lab, nodes, settings) = (Lab::new(1), entries(5000, "46"), settings(""));
    let host = &lab.nodes[0];
    let report = host.reconcile(&nodes, &settings);
    assert!(report.errors.is_empty(), "{:?}", report.errors.first());
    let written: usize = report.operations.values().sum();
    assert!(written >= 6 * 4999, "{:?}", report.operations);
    assert_eq!(report.peers.len(), 4999);
    host.assert_quiet(&nodes, &settings, &["podwire.1", "podwire-v6.1"]);
}
