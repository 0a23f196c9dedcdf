// SPDX-License-Identifier: Apache-2.0
//! Changes of the list that flannel does not see, sees by half, or stops at.

use integration_tests::{Agent, Fleet, Stack};
use serde_json::{Value, json};

use crate::lab::{BOTH, Cluster, LIMIT, LIST, assert_go_on, publish, view};

/// What the second node is to the first one's kernel, in both families.
fn entry_of_peer(cluster: &Cluster) -> Vec<String> {
    let lines = view(cluster.node(0)).into_iter();
    let of_peer = |line: &String| line.starts_with("fdb ") || line.starts_with("neighbour ");
    lines.filter(of_peer).collect()
}

/// Reference F5: flannel takes a node for unchanged when one of its two families is. And F8: its
/// entry for the old MAC address stays.
#[test]
fn a_change_in_one_family_alone() {
    for (key, device, mac) in [
        ("mac", BOTH[0], "02:00:00:00:44:44"),
        ("macV6", BOTH[1], "02:00:00:00:66:66"),
    ] {
        let cluster = Cluster::new(2, Stack::Dual);
        let talks = cluster.talk(0, 1);
        let old = cluster.node(1).link(device).mac.to_string();
        let mut nodes = cluster.fleet.nodes();
        nodes[1][key] = json!(mac);
        cluster.publish(&nodes);
        let renamed = || {
            let entries = entry_of_peer(&cluster);
            let with = |mac: &str| entries.iter().filter(|line| line.contains(mac)).count();
            (entries.len(), with(mac), with(&old)) == (4, 2, 0)
        };
        let log = cluster.agents[0].log();
        let followed = cluster.node(0).eventually(LIMIT, renamed);
        assert!(followed.is_some(), "{:?}\n{log}", entry_of_peer(&cluster));
        let own = || cluster.node(1).link(device).mac.to_string() == mac;
        assert!(cluster.node(1).eventually(LIMIT, own).is_some());
        assert_go_on(&talks);
        (0..2).for_each(|index| cluster.assert_right(index));
    }
}

/// Reference F5, with the underlay address of one family; the packets' way changes under them.
#[test]
fn another_address_in_one_family_alone() {
    let cluster = Cluster::new(2, Stack::Dual);
    let talks = cluster.talk(0, 1);
    let node = cluster.node(1);
    node.ip("address add 2001:db8:1::112/64 dev eth0 nodad");
    let mut nodes = cluster.fleet.nodes();
    nodes[1]["underlay"] = json!(["192.0.2.12", "2001:db8:1::112"]);
    cluster.publish(&nodes);
    let followed = || {
        let entries = entry_of_peer(&cluster);
        entries
            .iter()
            .any(|line| line.contains("dst 2001:db8:1::112"))
    };
    assert!(cluster.node(0).eventually(LIMIT, followed).is_some());
    let own = || {
        node.ip("-details link show podwire-v6.1")
            .contains("local 2001:db8:1::112")
    };
    assert!(node.eventually(LIMIT, own).is_some());
    node.ip("address delete 2001:db8:1::12/64 dev eth0");
    assert_go_on(&talks);
    (0..2).for_each(|index| cluster.assert_right(index));
}

/// Reference F6: flannel tries again for a minute, and no other event is taken meanwhile. One peer
/// is refused by the kernel here, as another's route leads to its gateway.
#[test]
fn a_peer_that_is_refused_holds_nobody_up() {
    let cluster = Cluster::new(2, Stack::Dual);
    let (node, agent) = (cluster.node(0), &cluster.agents[0]);
    let talks = cluster.talk(0, 1);
    let obstacle = "-6 route add fd00:200:0:3::/128 via 2001:db8:1::1 metric 1";
    node.ip(obstacle);
    let mut nodes = cluster.fleet.nodes();
    let peers = nodes.as_array_mut().expect("it is a list");
    for number in 3..6 {
        peers.push(json!({
            "name": format!("n{number}"),
            "underlay": [format!("192.0.2.1{number}"), format!("2001:db8:1::1{number}")],
            "podCIDRs": [format!("10.200.{number}.0/24"), format!("fd00:200:0:{number}::/64")],
        }));
    }
    cluster.publish(&nodes);
    let state = agent.wait_for_state("told", LIMIT, |state| {
        let error = state["lastError"].as_str().unwrap_or_default();
        state["peersProgrammed"] == 3 && error.contains("fd00:200:0:3::")
    });
    assert_eq!(
        (&state["peersWished"], &state["converged"]),
        (&json!(4), &json!(false))
    );
    let routes = node.ip("-6 route show proto 118");
    assert_eq!(routes.lines().count(), 3, "{routes}");
    assert_eq!(node.ip("-4 route show proto 118").lines().count(), 4);
    // The next one does not wait.
    peers_of(&mut nodes).push(json!({
        "name": "n6", "underlay": "192.0.2.16", "podCIDRs": ["10.200.6.0/24"],
    }));
    cluster.publish(&nodes);
    let came = || node.ip("-4 route show proto 118").contains("10.200.6.0/24");
    assert!(node.eventually(LIMIT, came).is_some());
    assert_go_on(&talks);
    node.ip(&obstacle.replace("add", "delete"));
    cluster.assert_right(0);
}

fn peers_of(nodes: &mut Value) -> &mut Vec<Value> {
    nodes.as_array_mut().expect("it is a list")
}

/// Reference F11: flannel binds the device to an address that the node does not have, and sends
/// nothing.
#[test]
fn an_address_that_the_node_does_not_have_is_named() {
    let fleet = Fleet::new(1, Stack::V4);
    let node = &fleet.members[0].node;
    let own = json!({"name": "n1", "underlay": "203.0.113.7", "podCIDRs": ["10.200.1.0/24"]});
    publish(
        node,
        &json!({"network": "10.200.0.0/16", "nodes": [own]}).to_string(),
    );
    let agent = Agent::start(node, &["--nodes", LIST, "--node", "n1"]);
    let state = agent.wait_for_state("told", LIMIT, |state| !state["lastError"].is_null());
    let error = state["lastError"].as_str().expect("it is a sentence");
    assert!(error.contains("underlay address 203.0.113.7"), "{error}");
    assert_eq!(state["converged"], false);
    assert_eq!(node.interfaces(), ["eth0"]);
    // The address comes, as by a cloud's network: the agent need not be told.
    node.ip("address add 203.0.113.7/32 dev eth0");
    agent.wait_for_state("converged", LIMIT, |state| state["converged"] == true);
    assert!(node.interfaces().contains(&"podwire.1".to_owned()));
}
