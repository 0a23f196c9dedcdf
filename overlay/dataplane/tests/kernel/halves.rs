// SPDX-License-Identifier: Apache-2.0
//! A process that is killed while it programs leaves the beginning of what it wanted to do.

use std::thread;

use dataplane::{Dataplane, Origin};
use net::{Request, Rtnl};
use topology::Node;

use crate::lab::{Host, Lab, assert_cross, entries, settings};

const PEERS: u32 = 200;

/// Everything on the overlay's devices, in the order in which it is made.
fn made(host: &Host) -> Vec<Request> {
    let rtnl: &Rtnl = &host.rtnl;
    let mut undo = Vec::new();
    for name in ["podwire.1", "podwire-v6.1"] {
        let index = host.device(name).index;
        let ours = Some(topology::PROTOCOL);
        undo.extend(rtnl.fdb(index).unwrap().into_iter().map(Request::DeleteFdb));
        let neighbours = rtnl.neighbours(index).unwrap().into_iter();
        undo.extend(neighbours.map(Request::DeleteNeighbour));
        let routes = rtnl.route_entries(Some(index), ours).unwrap().into_iter();
        undo.extend(routes.map(Request::DeleteRoute));
    }
    undo
}

/// Leaves the first `kept` of what was made.
fn cut(host: &Host, kept: usize) {
    let undo = made(host).split_off(kept);
    for outcome in host.rtnl.apply(&undo) {
        outcome.unwrap();
    }
}

#[test]
fn a_beginning_becomes_the_whole() {
    let (lab, nodes, settings) = (Lab::new(2), entries(PEERS, "46"), settings(""));
    lab.program(&nodes, &settings);
    let host = &lab.nodes[0];
    let all = made(host).len();
    assert_eq!(all, 6 * (PEERS as usize - 1));
    for kept in (0..all).step_by(97).chain([1, all - 1]) {
        cut(host, kept);
        let report = host.reconcile(&nodes, &settings);
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        assert_eq!(report.differing, all - kept);
        assert!(host.audit(&nodes, &settings).is_clean());
    }
    assert_cross(&lab, 1, 2, "46");
}

/// Killed while it followed a new list: what the old one wished is there, too.
#[test]
fn a_beginning_of_a_change_becomes_the_whole() {
    let (lab, settings) = (Lab::new(2), settings(""));
    let host = &lab.nodes[0];
    let new = entries(PEERS, "46");
    let old: Vec<Node> = entries(PEERS, "46")
        .into_iter()
        .filter(|node| node.name != "node7")
        .collect();
    for kept in [0, 100, 700] {
        let report = host.reconcile(&new, &settings);
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        cut(host, kept);
        lab.program(&old, &settings);
        let audit = host.audit(&old, &settings);
        assert!(audit.is_clean(), "{audit:?}");
    }
    assert_cross(&lab, 1, 2, "46");
}

/// The device was made, and nothing else yet.
#[test]
fn a_bare_device_becomes_the_whole() {
    let (lab, nodes, settings) = (Lab::new(2), entries(2, "46"), settings(""));
    let host = &lab.nodes[0];
    host.ip("link add podwire.1 type vxlan id 1 dstport 8472 local 192.0.2.1 dev eth0 nolearning noudpcsum");
    let before = host.device("podwire.1").index;
    lab.program(&nodes, &settings);
    assert_eq!(host.device("podwire.1").index, before);
    assert_cross(&lab, 1, 2, "46");
}

/// Calls at once, as of several ADDs: none fails because of another.
#[test]
fn calls_at_once_agree() {
    let (lab, nodes, settings) = (Lab::new(2), entries(PEERS, "46"), settings(""));
    let host = &lab.nodes[0];
    let (netns, cluster) = (&host.netns, &host.cluster(&nodes, &settings));
    let call = || {
        let report = netns.run(|| {
            let dataplane = Dataplane {
                rtnl: &Rtnl::open().unwrap(),
                settings: &settings,
                origin: Origin::Own,
            };
            dataplane.reconcile(cluster)
        });
        assert!(report.as_ref().unwrap().errors.is_empty(), "{report:?}");
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(call);
        }
    });
    assert!(host.audit(&nodes, &settings).is_clean());
    let other = lab.nodes[1].reconcile(&nodes, &settings);
    assert!(other.errors.is_empty(), "{:?}", other.errors);
    assert_cross(&lab, 1, 2, "46");
}
