// SPDX-License-Identifier: Apache-2.0
//! What keeps an overlay from being made, and that it is made as soon as that is gone.

use integration_tests::{Agent, Fleet, PATIENCE, Stack, ping};
use serde_json::{Value, json};

const NODES: &str = "/run/lab/nodes.json";
const ARGS: [&str; 2] = ["--nodes", NODES];

/// The agent of a node that gets its address late knows itself as soon as it has it.
#[test]
fn a_node_may_get_its_address_after_the_agent_begins() {
    let fleet = Fleet::new(2, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    node.ip("address flush dev eth0");
    let agent = Agent::start(node, &ARGS);
    assert!(
        agent.says("none of the 2 nodes in the list", PATIENCE),
        "{}",
        agent.log()
    );
    node.ip("address add 192.0.2.11/24 dev eth0");
    agent.wait_for_state("converged", PATIENCE, |state| state["converged"] == true);
    // What it knows it keeps, and follows the address to another link.
    node.ip("address flush dev eth0");
    assert!(agent.says(
        "no link of this node has its IPv4 underlay address",
        PATIENCE
    ));
    agent.wait_for_state("not converged", PATIENCE, |state| {
        state["converged"] == false
    });
    node.ip("link add eth1 type veth peer name far1");
    node.ip("link set eth1 up");
    node.ip("address add 192.0.2.11/24 dev eth1");
    agent.wait_for_state("converged", PATIENCE, |state| state["converged"] == true);
    assert!(node.ip("-details link show podwire.1").contains("dev eth1"));
}

/// Whatever is in the way: when it goes, nobody waits for the next try.
#[test]
fn what_was_in_the_way_is_seen_to_go() {
    let fleet = Fleet::new(2, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    node.ip("link add podwire.1 type veth peer name other");
    let agent = Agent::start(node, &ARGS);
    let error = "another link, which is no VXLAN device, has the name";
    assert!(agent.says(error, PATIENCE), "{}", agent.log());
    let state = agent.wait_for_state("told", PATIENCE, |state| state["converged"] == false);
    assert!(
        state["lastError"].as_str().unwrap().contains(error),
        "{state}"
    );
    node.ip("link delete podwire.1");
    agent.wait_for_state("converged", PATIENCE, |state| state["converged"] == true);
}

/// A program that has the port has its own peers: what comes from them is not the guard's business
/// for as long as the overlay has no device.
#[test]
fn who_has_the_port_is_not_cut_off() {
    for (rival, stack) in [
        ("external dstport 8472", Stack::V4),
        ("id 1 dstport 8472 local 192.0.2.11 dev eth0", Stack::V4),
        ("external dstport 8472", Stack::Dual),
    ] {
        let fleet = Fleet::new(2, stack);
        let node = &fleet.members[0].node;
        node.write(NODES, fleet.nodes_json());
        node.ip(&format!("link add rival up type vxlan {rival}"));
        let guarded = || {
            let tables = node.tool("nft", "list tables");
            tables.contains("podwire-overlay")
        };
        let agent = Agent::start(node, &ARGS);
        assert!(agent.says("beside \"rival\"", PATIENCE), "{}", agent.log());
        assert!(node.eventually(PATIENCE, || !guarded()).is_some());
        // Another list makes no difference.
        node.write(NODES, Fleet::new(3, Stack::V4).nodes_json());
        agent.wait_for_state("of three", PATIENCE, |state| state["peersWished"] == 2);
        assert!(node.eventually(PATIENCE, || !guarded()).is_some());
        node.ip("link delete rival");
        agent.wait_for_state("converged", PATIENCE, |state| state["converged"] == true);
        assert!(guarded());
    }
}

/// A peer whose route cannot be made counts for nothing, and keeps no pod from the other peers.
#[test]
fn a_route_in_the_place_of_a_peers_costs_that_peer_alone() {
    let fleet = Fleet::new(3, Stack::V6);
    let node = &fleet.members[0].node;
    for member in &fleet.members {
        member.node.write(NODES, fleet.nodes_json());
    }
    let theirs = "fd00:200:0:2::/64 via 2001:db8:1::1 dev eth0 metric 1024";
    node.ip(&format!("-6 route add {theirs}"));
    let agents = [0, 2].map(|index: usize| Agent::converged(&fleet.members[index].node, &ARGS));
    let counts = |expected| move |state: &Value| state["peersProgrammed"] == expected;
    let state = agents[0].wait_for_state("one of two", PATIENCE, counts(1));
    assert_eq!(state["peersWished"], 2);
    let status = agents[0].status();
    assert_eq!(
        (&status["peersProgrammed"], &status["usable"]),
        (&json!(1), &json!(true))
    );
    let complaint = "stands in the place of the overlay's route";
    assert!(
        status["complaints"].to_string().contains(complaint),
        "{status}"
    );
    let [one, other] = [0, 2].map(|index: usize| {
        let member = &fleet.members[index];
        member.attach(&member.bridge().followed_by(json!({"type": "vxlan"})))
    });
    assert!(ping(&one, other.ipv6("eth0"), PATIENCE));
    node.ip(&format!("-6 route delete {theirs}"));
    agents[0].wait_for_state("both", PATIENCE, counts(2));
}

/// Another program's route is told of as soon as it is there, once, and left alone.
#[test]
fn routes_in_the_way_are_told_of_and_left_alone() {
    let fleet = Fleet::new(3, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let agent = Agent::converged(node, &ARGS);
    let told = [
        ("10.200.2.0/24", "takes precedence over the overlay's route"),
        (
            "10.200.1.0/24",
            "leads packets to this node's own pods away",
        ),
    ];
    for (destination, consequence) in told {
        node.ip(&format!("route add {destination} via 192.0.2.1"));
        assert!(agent.says(consequence, PATIENCE), "{}", agent.log());
        let status = agent.status()["complaints"].to_string();
        assert!(status.contains(consequence), "{status}");
    }
    // A list that is followed without a look at everything says nothing of them, and the look that
    // comes after it nothing new.
    node.write(
        NODES,
        fleet.nodes_json().replace("192.0.2.13", "192.0.2.99"),
    );
    assert!(agent.says("changed=1", PATIENCE), "{}", agent.log());
    node.ip("route delete 10.200.3.0/24");
    assert!(agent.says("repaired", PATIENCE), "{}", agent.log());
    let log = agent.log();
    for (destination, consequence) in told {
        assert_eq!(log.matches(consequence).count(), 1, "{log}");
        let route = node.ip(&format!("route show {destination} via 192.0.2.1"));
        assert!(!route.is_empty(), "{destination}");
    }
}
