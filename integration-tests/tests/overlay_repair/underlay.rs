// SPDX-License-Identifier: Apache-2.0
//! What is below the device: the interface to the underlay and this node's addresses on it.

use std::net::IpAddr;

use integration_tests::{Node, Stack};
use serde_json::{Value, json};

use crate::lab::{Cluster, LIMIT, add_strangers, assert_go_on, hold, view};
use nix::sys::signal::Signal;

/// The kernel deletes the devices with the interface that they are bound to.
#[test]
fn parent_deleted_and_made_again() {
    for stack in Stack::ALL {
        let cluster = Cluster::new(2, stack);
        let (node, agent) = (cluster.node(0), &cluster.agents[0]);
        add_strangers(node);
        let talks = cluster.talk(0, 1);
        let whole = view(node);
        cluster.fleet.pull_out(&cluster.fleet.members[0]);
        // A look in the midst of it meets devices that are just going.
        let lacking = |state: &Value| {
            let error = state["lastError"].as_str().unwrap_or_default();
            state["converged"] == false && error.contains("underlay address")
        };
        agent.wait_for_state("without an underlay", LIMIT, lacking);
        assert_eq!(agent.status()["usable"], false);
        cluster.fleet.plug_in(&cluster.fleet.members[0]);
        cluster.assert_becomes(0, &whole, || view(node));
        assert_go_on(&talks);
    }
}

/// Faster than the agent looks.
#[test]
fn parent_replaced_at_once() {
    let cluster = Cluster::new(2, Stack::Dual);
    let talks = cluster.talk(0, 1);
    let (node, whole) = (cluster.node(0), view(cluster.node(0)));
    hold(&cluster.agents[0]);
    cluster.fleet.pull_out(&cluster.fleet.members[0]);
    cluster.fleet.plug_in(&cluster.fleet.members[0]);
    cluster.agents[0].signal(Signal::SIGCONT);
    cluster.assert_becomes(0, &whole, || view(node));
    assert_go_on(&talks);
}

/// The kernel takes IPv6 addresses and all routes away.
#[test]
fn parent_set_down_and_up() {
    let cluster = Cluster::new(2, Stack::Dual);
    let talks = cluster.talk(0, 1);
    let (node, whole) = (cluster.node(0), view(cluster.node(0)));
    node.ip("link set eth0 down");
    let lacking = |state: &Value| state["converged"] == false;
    cluster.agents[0].wait_for_state("without an underlay", LIMIT, lacking);
    for command in [
        "link set eth0 up",
        "address add 2001:db8:1::11/64 dev eth0 nodad",
        "route add default via 192.0.2.1",
        "-6 route add default via 2001:db8:1::1 metric 1024",
    ] {
        node.ip(command);
    }
    cluster.assert_becomes(0, &whole, || view(node));
    assert_go_on(&talks);
}

/// The addresses move to another interface, as when a bridge is put above the card. Device and
/// objects stay.
#[test]
fn another_parent() {
    let cluster = Cluster::new(2, Stack::Dual);
    let talks = cluster.talk(0, 1);
    let node = cluster.node(0);
    let before = node.link("podwire.1").index;
    for command in [
        "link add br-ex type bridge mcast_snooping 0",
        "link set br-ex up",
        "address flush dev eth0 scope global",
        "link set eth0 master br-ex",
        "address add 192.0.2.11/24 dev br-ex",
        "address add 2001:db8:1::11/64 dev br-ex nodad",
    ] {
        node.ip(command);
    }
    let moved = || {
        let devices = node.ip("-details link show type vxlan");
        devices.matches("dev br-ex").count() == 2
    };
    assert!(node.eventually(LIMIT, moved).is_some());
    cluster.assert_right(0);
    assert_go_on(&talks);
    assert_eq!(node.link("podwire.1").index, before);
}

#[test]
fn mtu_of_the_parent_changed() {
    let cluster = Cluster::new(2, Stack::Dual);
    let talks = cluster.talk(0, 1);
    let node = cluster.node(0);
    for (below, v4, v6) in [(1400, 1350, 1330), (1500, 1450, 1430)] {
        node.ip(&format!("link set eth0 mtu {below}"));
        let right = || (node.mtu("podwire.1"), node.mtu("podwire-v6.1")) == (v4, v6);
        assert!(node.eventually(LIMIT, right).is_some());
        cluster.agents[0].wait_for_state("told", LIMIT, |state| state["podMtu"] == v6);
        cluster.assert_right(0);
        assert_go_on(&talks);
    }
}

/// The families' addresses of the first node, and those that it gets.
fn addresses(cluster: &Cluster) -> Vec<[IpAddr; 2]> {
    let new = ["192.0.2.111", "2001:db8:1::111"].map(|text| text.parse::<IpAddr>());
    let mut new = new.map(|address| address.expect("an address"));
    let old = cluster.fleet.members[0].underlay();
    let of_family = |old: IpAddr| {
        let new = new.iter_mut().find(|new| new.is_ipv4() == old.is_ipv4());
        [old, *new.expect("there is one of each")]
    };
    old.into_iter().map(of_family).collect()
}

fn renumber_link(node: &Node, addresses: &[[IpAddr; 2]]) {
    for [old, new] in addresses {
        let length = if old.is_ipv4() { 24 } else { 64 };
        let nodad = if old.is_ipv4() { "" } else { "nodad" };
        node.ip(&format!("address add {new}/{length} dev eth0 {nodad}"));
        node.ip(&format!("address delete {old}/{length} dev eth0"));
        if old.is_ipv4() {
            // The kernel makes another one the first address of a subnet only if it is told to.
            node.ip(&format!("address replace {new}/{length} dev eth0"));
            node.ip("route replace default via 192.0.2.1");
        }
    }
}

fn renumber_list(cluster: &Cluster, addresses: &[[IpAddr; 2]]) {
    let mut nodes = cluster.fleet.nodes();
    let new: Vec<_> = addresses.iter().map(|[_, new]| new.to_string()).collect();
    nodes[0]["underlay"] = json!(new);
    cluster.publish(&nodes);
}

fn lacks(cluster: &Cluster, address: IpAddr) {
    let lacking = |state: &Value| {
        let error = state["lastError"].as_str().unwrap_or_default();
        state["converged"] == false && error.contains(&address.to_string())
    };
    cluster.agents[0].wait_for_state("without its address", LIMIT, lacking);
}

fn assert_renumbered(cluster: &Cluster, addresses: &[[IpAddr; 2]], before: &[u32]) {
    let node = cluster.node(0);
    for [_, new] in addresses {
        let words = format!("local {new} ");
        let right = || node.ip("-details link show type vxlan").contains(&words);
        assert!(node.eventually(LIMIT, right).is_some(), "{words}");
    }
    for index in 0..2 {
        cluster.assert_right(index);
    }
    assert_eq!(indices(cluster), before, "the devices are others");
}

fn indices(cluster: &Cluster) -> Vec<u32> {
    let mut names = cluster.node(0).interfaces();
    names.retain(|name| name.starts_with("podwire"));
    let index = |name: &String| cluster.node(0).link(name).index;
    names.iter().map(index).collect()
}

#[test]
fn address_changed_on_the_link_first() {
    for stack in Stack::ALL {
        let cluster = Cluster::new(2, stack);
        let (talks, addresses) = (cluster.talk(0, 1), addresses(&cluster));
        let before = indices(&cluster);
        renumber_link(cluster.node(0), &addresses);
        for [old, _] in &addresses {
            lacks(&cluster, *old);
        }
        renumber_list(&cluster, &addresses);
        assert_renumbered(&cluster, &addresses, &before);
        assert_go_on(&talks);
    }
}

#[test]
fn address_changed_in_the_list_first() {
    for stack in Stack::ALL {
        let cluster = Cluster::new(2, stack);
        let (talks, addresses) = (cluster.talk(0, 1), addresses(&cluster));
        let before = indices(&cluster);
        renumber_list(&cluster, &addresses);
        for [_, new] in &addresses {
            lacks(&cluster, *new);
        }
        renumber_link(cluster.node(0), &addresses);
        assert_renumbered(&cluster, &addresses, &before);
        assert_go_on(&talks);
    }
}

/// Of rules and links the kernel tells on different sockets, and nobody knows on which one first.
#[test]
fn parent_changed_together_with_the_rules() {
    let cluster = Cluster::new(2, Stack::V4);
    let (node, agent) = (cluster.node(0), &cluster.agents[0]);
    let talks = cluster.talk(0, 1);
    for mtu in [1400, 1450, 1350, 1410, 1390, 1500] {
        cluster.settle(0);
        hold(agent);
        // Meanwhile the rest ends that the agent takes after a look: the next one comes at once.
        assert!(talks[0].wait_for(400, LIMIT));
        node.ip(&format!("link set eth0 mtu {mtu}"));
        node.tool("nft", "flush table inet podwire-overlay");
        agent.signal(Signal::SIGCONT);
        let right = || node.mtu("podwire.1") == mtu - 50;
        let right = node.eventually(LIMIT, right);
        assert!(right.is_some(), "{mtu}:\n{}", agent.log());
        assert_go_on(&talks);
    }
}
