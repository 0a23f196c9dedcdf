// SPDX-License-Identifier: Apache-2.0
//! Senders that are no known peers, and packets of other overlays.

use integration_tests::vxlan::PORT;
use integration_tests::{Member, Place};
use serde_json::{Value, json};

use crate::{World, like};

/// Counts the packets for the overlay's port before and behind all that others decide about them.
fn count_packets(node: &Place) {
    node.tool("nft", "add table inet watch");
    for (chain, priority) in [("before", -10), ("behind", 10)] {
        let hook = format!("type filter hook input priority {priority} ;");
        node.tool("nft", &format!("add chain inet watch {chain} {{ {hook} }}"));
        node.tool(
            "nft",
            &format!("add rule inet watch {chain} udp dport {PORT} counter"),
        );
    }
}

fn counted(node: &Place) -> Vec<u64> {
    let table = node.tool("nft", "list table inet watch");
    let words: Vec<_> = table.split_whitespace().collect();
    let counts = words.windows(2).filter(|pair| pair[0] == "packets");
    counts
        .map(|pair| pair[1].parse().expect("a number"))
        .collect()
}

#[test]
fn packets_of_strangers_are_dropped() {
    let world = World::new(&json!({}));
    let stranger = world.fleet.add_host(99);
    let first = &world.first().node;
    for target in world.targets() {
        count_packets(first);
        let source = like(stranger.all_addresses(), target.node);
        target.send(&stranger, source, 1, "stranger");
        target.send(&world.second().node, world.peer(&target), 1, "peer");
        assert_eq!(target.hears(), "peer");
        assert_eq!(counted(first), [2, 1]);
        first.tool("nft", "delete table inet watch");
    }
}

#[test]
fn packets_of_another_overlay_are_dropped() {
    let world = World::new(&json!({}));
    for target in world.targets() {
        let peer = world.peer(&target);
        for vni in [0, 2, 257, 65_537, 0x00ff_ffff] {
            target.send(&world.second().node, peer, vni, "other");
        }
        target.send(&world.second().node, peer, 1, "ours");
        assert_eq!(target.hears(), "ours");
    }
}

#[test]
fn the_filter_can_be_switched_off() {
    let world = World::new(&json!({"sourceFilter": false}));
    let stranger = world.fleet.add_host(99);
    for target in world.targets() {
        let source = like(stranger.all_addresses(), target.node);
        target.send(&stranger, source, 1, "stranger");
        assert_eq!(target.hears(), "stranger");
    }
}

/// A node that left the list is a stranger as soon as the plugin has seen the new list.
#[test]
fn a_peer_that_left_is_a_stranger() {
    let mut world = World::new(&json!({}));
    world.fleet.add_member();
    let members = &world.fleet.members;
    let third = &members[2];
    let with = |nodes: Value| {
        let network = world
            .fleet
            .conflist(world.first(), &json!({"nodes": nodes}));
        world.first().attach(&network)
    };
    let _with_three = with(world.fleet.nodes());
    for target in world.targets() {
        target.send(&third.node, like(third.underlay(), target.node), 1, "third");
        assert_eq!(target.hears(), "third");
    }
    let two: Value = members[..2].iter().map(Member::entry).collect();
    let _with_two = with(two);
    for target in world.targets() {
        target.send(&third.node, like(third.underlay(), target.node), 1, "third");
        target.send(&world.second().node, world.peer(&target), 1, "peer");
        assert_eq!(target.hears(), "peer");
    }
}
