// SPDX-License-Identifier: Apache-2.0
//! The examples below `conf-examples/overlay/`, on two nodes with the addresses that they name.

use std::path::Path;

use integration_tests::{Fleet, Member, Network, PATIENCE, Pod, Stack, bench, ping, seen};
use serde_json::Value;

use crate::text;

const TWO_NODES: [&str; 2] = [
    "overlay/two-nodes/n1.conflist",
    "overlay/two-nodes/n2.conflist",
];

/// The files that this module tests.
pub(crate) const TESTED: &[&str] = &[TWO_NODES[0], TWO_NODES[1]];

/// Where `cnitool` looks for networks on a node.
const NETWORKS: &str = "/run/lab/net.d";

/// A member with the network of an example and a pod in it.
struct Cell<'a> {
    member: &'a Member,
    network: Network,
    pod: Pod,
}

impl<'a> Cell<'a> {
    fn new(member: &'a Member, network: Network) -> Self {
        let pod = member.node.pod("a");
        let cell = Self {
            member,
            network,
            pod,
        };
        let result = cell.cnitool("add");
        assert_eq!(result["cniVersion"], cell.network.version());
        cell
    }

    /// Runs a verb that must succeed; its result, if it has one.
    fn cnitool(&self, verb: &str) -> Value {
        let (node, name) = (&self.member.node, self.network.name());
        let outcome = node.cnitool(verb, name, &self.pod, &[]);
        if verb == "add" {
            return outcome.result();
        }
        outcome.assert_silent();
        Value::Null
    }

    /// What a runtime does with a pod that lives, and then takes away.
    fn end(&self) {
        for verb in ["check", "status", "del", "del", "gc"] {
            self.cnitool(verb);
        }
        assert_eq!(self.pod.interfaces(), [""; 0]);
        assert_eq!(
            bench::leases(&self.member.node, self.network.name()),
            [""; 0]
        );
    }
}

fn install(member: &Member, file: &str) -> Network {
    let text = text(file);
    let name = Path::new(file).file_name().expect("an example is a file");
    member.node.write(Path::new(NETWORKS).join(name), &text);
    Network::parse(&text)
}

/// Pods of both nodes reach each other and the nodes reach the pods, as themselves; for the world
/// outside a pod is its node.
fn talk(fleet: &Fleet, cells: &[Cell<'_>; 2]) {
    for [own, peer] in [[&cells[0], &cells[1]], [&cells[1], &cells[0]]] {
        let addresses = [own, peer].map(|cell| cell.pod.addresses("eth0"));
        let outside = fleet
            .outside_addresses()
            .into_iter()
            .zip(own.member.underlay());
        let families = addresses[0].iter().zip(&addresses[1]).zip(outside);
        assert_eq!(families.len(), fleet.network().len());
        for ((source, destination), (outside, node)) in families {
            let destination = destination.ip();
            assert!(ping(&own.pod, destination, PATIENCE), "{destination}");
            assert!(
                ping(&own.member.node, destination, PATIENCE),
                "{destination}"
            );
            assert_eq!(seen(&own.pod, &peer.pod, destination), source.ip());
            assert_eq!(seen(&own.pod, &fleet.outside, outside), node);
        }
    }
}

#[test]
fn two_nodes_without_an_agent() {
    let fleet = Fleet::new(2, Stack::V4);
    let cells = [0, 1].map(|index: usize| {
        let member = &fleet.members[index];
        Cell::new(member, install(member, TWO_NODES[index]))
    });
    talk(&fleet, &cells);
    cells.iter().for_each(Cell::end);
}

/// Whoever copies the pair has nothing else to keep apart.
#[test]
fn the_configurations_of_two_nodes_differ_in_the_subnet_alone() {
    let [first, second] = TWO_NODES.map(text);
    let differing = first.lines().zip(second.lines());
    let differing: Vec<_> = differing.filter(|(one, other)| one != other).collect();
    let [(one, other)] = differing[..] else {
        panic!("{differing:?}")
    };
    assert_eq!(one.replace("10.200.1.0/24", "10.200.2.0/24"), other);
    assert_eq!(first.lines().count(), second.lines().count());
}
