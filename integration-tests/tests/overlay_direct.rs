// SPDX-License-Identifier: Apache-2.0
//! Packets between pods that take the underlay as it is, without encapsulation, and nodes that
//! look whether a packet came the way that its answer would go.

use std::net::IpAddr;

use integration_tests::conntrack::flows;
use integration_tests::vxlan::{Datagram, Encapsulated};
use integration_tests::{
    Conversation, Fleet, Member, PATIENCE, Pod, Stack, Tap, ask_udp, ping, ping_unfragmented, seen,
};
use serde_json::json;

/// The pods' addresses by family: the first pod's and the second's.
fn pairs(pods: &[Pod]) -> Vec<(IpAddr, IpAddr)> {
    let pairs = pods[0]
        .all_addresses()
        .into_iter()
        .zip(pods[1].all_addresses());
    pairs.collect()
}

fn assert_talk(pods: &[Pod]) {
    for (one, other) in pairs(pods) {
        assert!(ping(&pods[0], other, PATIENCE), "to {other}");
        assert_eq!(seen(&pods[0], &pods[1], other), one);
        assert_eq!(seen(&pods[1], &pods[0], one), other);
    }
}

/// The next UDP packet on the wire, as it is there.
fn next(tap: &Tap) -> (Datagram, bool) {
    let packets = std::iter::from_fn(|| tap.frame(PATIENCE));
    let mut packets = packets.filter_map(|frame| {
        let encapsulated = Encapsulated::parse(&frame).is_some();
        Some((Datagram::parse(&frame)?, encapsulated))
    });
    packets.next().expect("one was sent")
}

#[test]
fn nodes_of_one_subnet_send_without_encapsulation() {
    for stack in Stack::ALL {
        let fleet = Fleet::new(2, stack);
        let pods = fleet.attach_each(&json!({"directRouting": true}));
        assert_talk(&pods);
        let tap = fleet.tap(&fleet.members[1]);
        for (one, other) in pairs(&pods) {
            // Nobody listens: what counts is the question on its way.
            ask_udp(&pods[0], (other, 9).into()).unwrap_err();
            let (packet, encapsulated) = next(&tap);
            assert!(!encapsulated);
            assert_eq!((packet.source, packet.destination), (one, other));
            while tap.frame(std::time::Duration::from_millis(50)).is_some() {}
        }
        for member in &fleet.members {
            let pods = |address| fleet.network().iter().any(|it| it.contains(address));
            let flows = flows(&member.node).into_iter();
            let flows: Vec<_> = flows
                .filter(|it| pods(it.source) && pods(it.destination))
                .collect();
            assert!(!flows.is_empty() && !flows.iter().any(|flow| flow.is_translated()));
        }
    }
}

/// So it is while a cluster changes over: the answer takes another way than the question, and
/// connections go on.
#[test]
fn one_node_may_be_before_the_other() {
    let fleet = Fleet::new(2, Stack::Dual);
    let pods = fleet.attach_each(&json!({}));
    let conversations: Vec<_> = pairs(&pods)
        .into_iter()
        .map(|(_, other)| Conversation::start(&pods[0], &pods[1], other, 80))
        .collect();
    for member in &fleet.members {
        let direct = json!({"directRouting": true});
        let _pod = member.attach(&fleet.conflist(member, &direct));
        for conversation in &conversations {
            assert!(conversation.wait_for(20, PATIENCE), "{}", member.name);
        }
        assert_talk(&pods);
        for (_, other) in pairs(&pods) {
            ping_unfragmented(&pods[0], other, 1430, PATIENCE).unwrap();
        }
    }
}

/// Distributions set it so for all interfaces, those to come included.
fn filter_strictly(member: &Member) {
    for scope in ["all", "default", "eth0"] {
        let path = format!("/proc/sys/net/ipv4/conf/{scope}/rp_filter");
        member.node.write(path, "1");
    }
}

#[test]
fn strict_reverse_path_filters_are_no_obstacle() {
    for direct in [false, true] {
        let fleet = Fleet::new(2, Stack::Dual);
        fleet.members.iter().for_each(filter_strictly);
        let pods = fleet.attach_each(&json!({"directRouting": direct}));
        assert_talk(&pods);
        for (_, other) in pairs(&pods) {
            assert!(
                ping(&fleet.members[0].node, other, PATIENCE),
                "node to {other}"
            );
        }
    }
}
