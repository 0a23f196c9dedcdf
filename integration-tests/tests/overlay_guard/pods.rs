// SPDX-License-Identifier: Apache-2.0
//! Pods: one that could send to the overlay's port could speak for any other pod.

use integration_tests::vxlan::PORT;
use integration_tests::{BRIEFLY, Echo, PATIENCE, ask_udp, ping};
use serde_json::json;

use crate::{World, like};

#[test]
fn pods_do_not_reach_the_port_of_their_node() {
    let world = World::new(&json!({}));
    let network = world.fleet.conflist(world.first(), &json!({}));
    let pod = world.first().attach(&network);
    let first = &world.first().node;
    for target in world.targets() {
        let own = like(pod.all_addresses(), target.pod);
        let peer = world.peer(&target);
        let index = usize::from(own.is_ipv6());
        let bridge = first.addresses("cni0")[index].ip();
        let device = world.first().pod_cidrs()[index].network();
        // The address of a known peer, which the pod gives itself.
        pod.set_up("lo");
        pod.add_address("lo", peer.into());
        for to in [target.node, bridge, device] {
            target.send_to(&pod, own, to, 1, "pod");
            target.send_to(&pod, peer, to, 1, "pod as peer");
            target.send(&world.second().node, peer, 1, "peer");
            assert_eq!(target.hears(), "peer", "{to}");
        }
    }
}

/// Masqueraded, a pod's packet would come from the address of a known peer.
#[test]
fn pods_do_not_reach_the_port_of_other_nodes() {
    let world = World::new(&json!({}));
    let (first, far) = (&world.first().node, &world.pods[1]);
    let tap = world.fleet.tap(world.first());
    for (index, target) in world.targets().into_iter().enumerate() {
        let (own, there) = (like(far.all_addresses(), target.pod), target.node);
        let sender = like(world.second().underlay(), there);
        target.send_to(far, own, there, 1, "pod");
        target.send(&world.second().node, sender, 1, "node");
        assert_eq!(target.hears(), "node", "{index}");
        // None was even on the wire.
        let packet = tap.encapsulated(PATIENCE).expect("one was sent");
        assert_eq!(
            (packet.outer.source, packet.outer.destination),
            (sender, there)
        );
        assert!(tap.all_encapsulated(BRIEFLY).is_empty());
        assert!(ping(first, sender, PATIENCE));
    }
}

/// The port is the pods' own to use as any other.
#[test]
fn pods_use_the_port_among_themselves() {
    let world = World::new(&json!({}));
    let network = world.fleet.conflist(world.first(), &json!({}));
    let neighbour = world.first().attach(&network);
    for target in world.targets() {
        let server = Echo::start(&world.pods[0], target.pod, PORT);
        for client in [&neighbour, &world.pods[1]] {
            let asked = ask_udp(client, server.address());
            let own = like(client.all_addresses(), target.pod);
            assert_eq!(
                asked.map(|seen| seen.ip()).ok(),
                Some(own),
                "{}",
                target.pod
            );
        }
    }
}
