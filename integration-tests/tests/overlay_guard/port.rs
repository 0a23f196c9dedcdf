// SPDX-License-Identifier: Apache-2.0
//! The port among other flows: its packets are no connection, and no other flow gets it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use integration_tests::conntrack::{Flow, flows};
use integration_tests::vxlan::PORT;
use integration_tests::{Echo, Member, ask_udp_from, seen};
use serde_json::json;

use crate::{World, like};

/// Neither by the sender nor by the receiver, whether the filter is on or not.
#[test]
fn encapsulated_packets_are_not_tracked() {
    for filter in [true, false] {
        let world = World::new(&json!({"sourceFilter": filter}));
        for target in world.targets() {
            assert_eq!(
                seen(&world.pods[1], &world.pods[0], target.pod),
                like(world.pods[1].all_addresses(), target.pod)
            );
        }
        for member in &world.fleet.members {
            let flows = flows(&member.node);
            let pods = flows.iter().filter(|flow| {
                world
                    .fleet
                    .network()
                    .iter()
                    .any(|network| network.contains(flow.source))
            });
            assert!(pods.count() >= 4, "{flows:?}");
            let underlay: Vec<_> = world
                .fleet
                .members
                .iter()
                .flat_map(Member::underlay)
                .collect();
            let outer = |flow: &&Flow| flow.protocol == "udp" && underlay.contains(&flow.source);
            let outer: Vec<_> = flows.iter().filter(outer).collect();
            assert!(outer.is_empty(), "{outer:?}");
        }
    }
}

/// An answer to a masqueraded flow from the port would be taken for a packet of the overlay. By
/// chance alone one of so many would come from below it.
#[test]
fn masqueraded_flows_keep_off_the_port() {
    let world = World::new(&json!({}));
    for (index, outside) in world.fleet.outside_addresses().into_iter().enumerate() {
        let server = Echo::start(&world.fleet.outside, outside, 7);
        let own = world.pods[0].all_addresses()[index];
        let sources = (PORT..PORT + 100).map(|port| SocketAddr::new(own, port));
        let ports: BTreeSet<_> = sources
            .map(|source| {
                let seen = ask_udp_from(&world.pods[0], source, server.address()).unwrap();
                assert_eq!(seen.ip(), world.first().underlay()[index]);
                seen.port()
            })
            .collect();
        assert!(ports.len() > 90, "they are random: {ports:?}");
        assert!(ports.iter().all(|port| *port > PORT), "{ports:?}");
    }
}
