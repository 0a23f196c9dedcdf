// SPDX-License-Identifier: Apache-2.0
//! The agent follows its list, and keeps its head when the list loses its own.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use integration_tests::{Agent, BRIEFLY, Fleet, Member, Node, PATIENCE, Stack, vxlan};
use net::Event;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// The protocol number of the overlay's routes.
const PROTOCOL: u8 = 118;
const NODES: &str = "/run/lab/nodes.json";
const ARGS: [&str; 2] = ["--nodes", NODES];

/// Three nodes, and the agent of `n1` with further arguments.
fn cluster(args: &[&str]) -> (Fleet, Agent) {
    let fleet = Fleet::new(3, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let agent = Agent::converged(node, &[&ARGS, args].concat());
    (fleet, agent)
}

/// The list of all members, with changes by a closure.
fn list(fleet: &Fleet, change: impl FnOnce(&mut Vec<Value>)) -> String {
    let mut list: Value = serde_json::from_str(&fleet.nodes_json()).expect("it is JSON");
    change(list["nodes"].as_array_mut().expect("it has nodes"));
    list.to_string()
}

/// Where routes of ours lead to.
fn destinations(node: &Node) -> Vec<String> {
    let routes = node.ip("route show proto 118");
    let first = |line: &str| line.split(' ').next().map(str::to_owned);
    let mut destinations: Vec<_> = routes.lines().filter_map(first).collect();
    destinations.sort();
    destinations
}

fn wishes(agent: &Agent, peers: usize) -> Value {
    agent.wait_for_state("followed", PATIENCE, |state| state["peersWished"] == peers)
}

#[test]
fn peers_come_go_and_change() {
    let (fleet, agent) = cluster(&[]);
    let node = &fleet.members[0].node;
    let two = ["10.200.2.0/24", "10.200.3.0/24"];
    assert_eq!(destinations(node), two);
    node.write(NODES, list(&fleet, |nodes| drop(nodes.pop())));
    wishes(&agent, 1);
    assert_eq!(destinations(node), two[..1]);
    node.write(NODES, fleet.nodes_json());
    wishes(&agent, 2);
    assert_eq!(destinations(node), two);
    let moved = list(&fleet, |nodes| nodes[2]["underlay"] = json!("192.0.2.99"));
    node.write(NODES, moved);
    assert!(
        agent.says("came=0 went=0 changed=1", PATIENCE),
        "{}",
        agent.log()
    );
    let fdb = || node.tool("bridge", "fdb show dev podwire.1");
    assert!(
        node.eventually(PATIENCE, || fdb().contains("dst 192.0.2.99"))
            .is_some()
    );
    assert!(!fdb().contains("dst 192.0.2.13"), "{}", fdb());
    let log = agent.log();
    assert!(
        log.contains("came=0 went=1 changed=0") && log.contains("came=1 went=0"),
        "{log}"
    );
    assert!(
        !log.contains("repaired"),
        "a list that is followed needs no repair: {log}"
    );
}

#[test]
fn a_node_that_is_missing_in_the_list_is_dropped_and_that_is_told() {
    let (fleet, agent) = cluster(&[]);
    let [here, missing, known] = &fleet.members[..] else {
        unreachable!("there are three");
    };
    let without = list(&fleet, |nodes| drop(nodes.remove(1)));
    here.node.write(NODES, without);
    wishes(&agent, 1);
    let send = |from: &Member| {
        let to = (here.underlay()[0], vxlan::PORT);
        let sent = from
            .node
            .run(|| UdpSocket::bind((from.underlay()[0], 0))?.send_to(b"no VXLAN", to));
        sent.expect("the underlay carries it");
    };
    let dropped = || agent.status()["droppedOfStrangers"].clone();
    assert_eq!(dropped(), 0);
    send(known);
    send(missing);
    let told = here.node.eventually(PATIENCE, || dropped() == 1);
    assert!(told.is_some(), "{}", agent.status());
    assert_eq!(agent.status()["droppedOfPods"], 0);
}

#[test]
fn a_list_that_is_none_changes_nothing_and_is_told_of_until_it_is_mended() {
    let (fleet, agent) = cluster(&[]);
    let node = &fleet.members[0].node;
    let before = destinations(node);
    let without_me = list(&fleet, |nodes| drop(nodes.remove(0)));
    let nobody = r#"{"network": "10.200.0.0/16", "nodes": []}"#;
    let half = &fleet.nodes_json()[..100];
    for (content, expected) in [
        (half, "the list of nodes cannot be read: "),
        ("", "the list of nodes cannot be read: "),
        (nobody, "is not in the list of 0 nodes"),
        (
            &without_me,
            "node n1, which is this one, is not in the list of 2 nodes",
        ),
        (
            r#"{"nodes": [{"name": "n1", "podCIDRs": ["10.200.1.0/24"]}]}"#,
            "no network is given",
        ),
    ] {
        node.write(NODES, content);
        let wrong = |state: &Value| {
            let error = state["lastError"].as_str().unwrap_or_default();
            error.contains(expected) && state["converged"] == true
        };
        agent.wait_for_state(expected, PATIENCE, wrong);
        assert_eq!(destinations(node), before, "{content}");
        assert!(agent.log().contains(expected), "{}", agent.log());
    }
    node.run(|| std::fs::remove_file(NODES)).unwrap();
    assert!(agent.says("cannot read /run/lab/nodes.json: No such file", PATIENCE));
    assert_eq!(destinations(node), before);
    node.write(NODES, fleet.nodes_json());
    agent.wait_for_state("mended", PATIENCE, |state| state["lastError"].is_null());
    assert!(agent.says("no more trouble with the list of nodes", PATIENCE));
    assert!(
        !agent.log().contains("list of nodes changed"),
        "{}",
        agent.log()
    );
}

/// Of many writes of the same garbage one line is enough.
#[test]
fn the_same_trouble_is_told_once() {
    let (fleet, agent) = cluster(&[]);
    let node = &fleet.members[0].node;
    for _ in 0..3 {
        node.write(NODES, "{");
        assert!(agent.says("cannot be read", PATIENCE), "{}", agent.log());
        agent.signal(Signal::SIGHUP);
    }
    node.write(NODES, fleet.nodes_json());
    assert!(agent.says("no more trouble", PATIENCE), "{}", agent.log());
    assert_eq!(
        agent.log().matches("cannot be read").count(),
        1,
        "{}",
        agent.log()
    );
}

#[test]
fn entries_that_cannot_be_are_left_out_and_told_of() {
    let (fleet, agent) = cluster(&[]);
    let node = &fleet.members[0].node;
    let bad = list(&fleet, |nodes| {
        nodes[1]["podCIDRs"] = json!(["10.99.0.0/24"]);
        nodes.push(json!({"name": "n4", "underlay": "192.0.2.14", "podCIDRs": ["10.200.3.0/25"]}));
        nodes.push(json!({"name": "n5", "underlay": "192.0.2.13", "podCIDRs": ["10.200.5.0/24"]}));
        nodes.push(json!({"name": "n6", "underlay": "192.0.2.16", "podCIDRs": ["10.200.6.0/24"]}));
    });
    node.write(NODES, bad);
    wishes(&agent, 3);
    let log = agent.log();
    for expected in [
        "node n2 keeps its last good entry: its pod CIDR 10.99.0.0/24 is not within the network",
        "node n4 is left out: its pod CIDR 10.200.3.0/25 overlaps 10.200.3.0/24 of node n3",
        "node n5 is left out: its underlay address 192.0.2.13 is that of node n3, too",
    ] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    let expected = ["10.200.2.0/24", "10.200.3.0/24", "10.200.6.0/24"];
    assert_eq!(destinations(node), expected);
}

/// It is believed when it says the same after a while, and not before.
#[test]
fn a_list_that_shrinks_to_nothing_is_asked_again() {
    let (fleet, agent) = cluster(&["--confirm-after", "2"]);
    let node = &fleet.members[0].node;
    let alone = list(&fleet, |nodes| nodes.truncate(1));
    let begun = Instant::now();
    node.write(NODES, &alone);
    assert!(
        agent.says("the list has no peer any more", PATIENCE),
        "{}",
        agent.log()
    );
    assert_eq!(destinations(node).len(), 2);
    wishes(&agent, 0);
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert_eq!(destinations(node), [""; 0]);
    // Nor is one that says so when an agent begins where another one had peers.
    node.write(NODES, fleet.nodes_json());
    wishes(&agent, 2);
    agent.kill();
    node.write(NODES, &alone);
    let agent = Agent::start(node, &ARGS);
    assert!(
        agent.says("the list has no peer any more", PATIENCE),
        "{}",
        agent.log()
    );
    assert_eq!(destinations(node).len(), 2);
    wishes(&agent, 0);
}

#[test]
fn peers_that_are_gone_for_a_moment_stay() {
    let (fleet, agent) = cluster(&["--confirm-after", "3600"]);
    let node = &fleet.members[0].node;
    let monitor = node.run(net::Monitor::open).unwrap();
    node.write(NODES, list(&fleet, |nodes| nodes.truncate(1)));
    assert!(
        agent.says("the list has no peer any more", PATIENCE),
        "{}",
        agent.log()
    );
    node.write(NODES, fleet.nodes_json());
    agent.signal(Signal::SIGHUP);
    monitor.wait(BRIEFLY).unwrap();
    let ours = |event| event == Event::Route(PROTOCOL);
    assert!(!monitor.drain_where(ours).routes);
    assert!(
        !agent.log().contains("the list of nodes changed"),
        "{}",
        agent.log()
    );
}

/// A list may give its address to another node before its own link has the new one.
#[test]
fn a_node_stays_who_it_is() {
    let (fleet, agent) = cluster(&[]);
    let node = &fleet.members[0].node;
    let exchanged = list(&fleet, |nodes| {
        nodes[0]["underlay"] = json!("192.0.2.12");
        nodes[1]["underlay"] = json!("192.0.2.11");
    });
    node.write(NODES, exchanged);
    let lost = agent.wait_for_state("lost", PATIENCE, |state| state["converged"] == false);
    assert_eq!(lost["node"], "n1", "{lost}");
}

/// The two changes come in either order; in between there is no overlay, and that is said.
#[test]
fn a_node_moves_to_another_address() {
    for list_first in [true, false] {
        let (fleet, agent) = cluster(&[]);
        let node = &fleet.members[0].node;
        let change_list = || {
            let moved = list(&fleet, |nodes| nodes[0]["underlay"] = json!("192.0.2.77"));
            node.write(NODES, moved);
        };
        let change_link = || {
            node.ip("address add 192.0.2.77/25 dev eth0");
            node.ip("address delete 192.0.2.11/24 dev eth0");
        };
        let steps: [&dyn Fn(); 2] = [&change_list, &change_link];
        let [first, second] = if list_first { [0, 1] } else { [1, 0] };
        steps[first]();
        let lost = agent.wait_for_state("lost", PATIENCE, |state| state["converged"] == false);
        let error = lost["lastError"].as_str().unwrap();
        assert!(
            error.contains("no link of this node has its IPv4 underlay address"),
            "{error}"
        );
        steps[second]();
        agent.wait_for_state("converged", PATIENCE, |state| state["converged"] == true);
        let device = node.ip("-details link show podwire.1");
        assert!(device.contains("local 192.0.2.77"), "{device}");
        assert_eq!(destinations(node).len(), 2);
    }
}
