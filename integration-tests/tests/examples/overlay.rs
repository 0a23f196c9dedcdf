// SPDX-License-Identifier: Apache-2.0
//! The examples below `conf-examples/overlay/`, on two nodes with the addresses that they name.

use std::fs::create_dir_all;

use integration_tests::{
    Agent, Fleet, Member, Network, PATIENCE, Pod, Stack, State, bench, ping, podwired, seen,
};
use serde_json::Value;

use crate::text;

const TWO_NODES: [&str; 2] = [
    "overlay/two-nodes/n1.conflist",
    "overlay/two-nodes/n2.conflist",
];

const NODES: &str = "overlay/dual-stack/nodes.json";
const TEMPLATE: &str = "overlay/dual-stack/10-podwire.conflist.template";

/// The files that this module tests.
pub(crate) const TESTED: &[&str] = &[TWO_NODES[0], TWO_NODES[1], NODES, TEMPLATE];

/// Where `cnitool` looks for networks on a node.
const NETWORKS: &str = "/run/lab/net.d";
/// Where this module has the files of an operator, who has them in /etc/podwire.
const FILES: &str = "/run/lab/podwire";

/// A member with the network of an example and a pod in it, and what it had before.
struct Cell<'a> {
    member: &'a Member,
    network: Network,
    pod: Pod,
    before: State,
}

impl<'a> Cell<'a> {
    fn new(member: &'a Member, network: Network, before: State) -> Self {
        let pod = member.node.pod("a");
        let cell = Self {
            member,
            network,
            pod,
            before,
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

    /// Takes the overlay away, and sees to it that of the network only bridge, gateway, rules and
    /// the directory of addresses remain.
    fn clean_up(&self, args: &[&str]) {
        let node = &self.member.node;
        let args = [&["cleanup"], args].concat();
        let outcome = podwired(node, &args);
        assert!(outcome.success(), "{outcome}");
        let rules = ["inet podwire ", "bridge podwire "];
        let others = ["cni0", "forward", "/var/lib/cni", "directory /run/podwire"];
        let kept = [&rules[..], &others].concat();
        self.before.assert_nothing_left(node, &kept);
    }
}

/// Writes an example into a directory of a member; its path there.
fn install(member: &Member, directory: &str, file: &str) -> String {
    let name = file.rsplit('/').next().expect("an example is a file");
    let path = format!("{directory}/{name}");
    member.node.write(&path, text(file));
    path
}

/// Pods of both nodes reach each other and the nodes reach the pods, as themselves; for the world
/// outside a pod is its node.
fn talk(fleet: &Fleet, cells: &[Cell<'_>]) {
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
        let before = State::of(&member.node);
        install(member, NETWORKS, TWO_NODES[index]);
        Cell::new(member, Network::parse(&text(TWO_NODES[index])), before)
    });
    talk(&fleet, &cells);
    cells.iter().for_each(Cell::end);
    cells.iter().for_each(|cell| cell.clean_up(&[]));
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

/// As the unit of the node's service manager does it: the agent writes what `cnitool` reads.
fn agent(member: &Member) -> (Agent, Network) {
    let conflist = format!("{NETWORKS}/10-podwire.conflist");
    member
        .node
        .run(|| create_dir_all(NETWORKS).expect("a node's /run is writable"));
    let [nodes, template] = [NODES, TEMPLATE].map(|file| install(member, FILES, file));
    let args = [
        "--nodes",
        &nodes,
        "--conflist",
        &conflist,
        "--conflist-template",
        &template,
    ];
    let agent = Agent::converged(&member.node, &args);
    assert!(
        agent.says("wrote the conflist", PATIENCE),
        "{}",
        agent.log()
    );
    (agent, Network::parse(&member.node.read(&conflist)))
}

#[test]
fn dual_stack_with_the_agent() {
    let fleet = Fleet::new(2, Stack::Dual);
    let befores = [0, 1].map(|index: usize| State::of(&fleet.members[index].node));
    let agents = [0, 1].map(|index: usize| agent(&fleet.members[index]));
    let cells = befores.into_iter().zip(&fleet.members).zip(&agents);
    let cells: Vec<_> = cells
        .map(|((before, member), (_, network))| Cell::new(member, network.clone(), before))
        .collect();
    talk(&fleet, &cells);
    for cell in &cells {
        assert_eq!(cell.pod.link("eth0").mtu, 1430, "what fits both families");
        cell.end();
    }
    for (agent, _) in agents {
        assert!(agent.terminate().status.success());
    }
    let conflist = format!("{NETWORKS}/10-podwire.conflist");
    for cell in &cells {
        cell.clean_up(&["--conflist", &conflist]);
        assert_eq!(cell.member.node.list(NETWORKS), [""; 0]);
    }
}
