// SPDX-License-Identifier: Apache-2.0
//! The laboratory's clusters proved with an overlay made by hand and the CNI project's own plugins:
//! what it shows of them is known, so what it shows of Podwire's overlay can be believed.

use std::net::{IpAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use integration_tests::conntrack::flows;
use integration_tests::flannel::{self, Vtep};
use integration_tests::vxlan::{self, Encapsulated};
use integration_tests::{
    BRIEFLY, Conversation, Fleet, Member, PATIENCE, Place, Pod, Runner, Stack, Stream, Tap,
    binaries, ping, ping_unfragmented, seen,
};
use net::Mac;
use nix::errno::Errno;
use serde_json::json;

const VNI: u32 = 7;
const PACE: Duration = Duration::from_millis(2);

/// The VTEPs of a member, one for each family.
fn vteps(member: &Member) -> Vec<Vtep> {
    let ends = member.underlay().into_iter().zip(member.pod_cidrs());
    ends.map(|(underlay, pods)| {
        let last = pods.network().to_string().bytes().fold(0, u8::wrapping_add);
        Vtep {
            underlay,
            mac: Mac::new([0x02, 0xf1, 0, 0, 0, last]),
            pods,
        }
    })
    .collect()
}

/// Joins all members by hand, and gives each a pod.
fn pods(fleet: &Fleet, keys: &serde_json::Value) -> Vec<Pod> {
    for member in &fleet.members {
        // The CNI project's bridge does not wait until its own address is no duplicate.
        let detection = "/proc/sys/net/ipv6/conf/default/accept_dad";
        member.node.write(detection, "0");
        for own in vteps(member) {
            flannel::device(&member.node, &own, VNI);
        }
        let others = fleet
            .members
            .iter()
            .filter(|other| other.name != member.name);
        for peer in others.flat_map(vteps) {
            flannel::peer(&member.node, &peer, VNI);
        }
    }
    let attach = |member: &Member| {
        let runner = Runner::with_plugins(&member.node, binaries::go_plugins());
        runner.attach(&member.bridge().with(keys), &member.node)
    };
    fleet.members.iter().map(attach).collect()
}

/// Lets a node track connections, as it does as soon as a rule asks for their state.
fn track(node: &Place) {
    for hook in ["prerouting", "output"] {
        node.tool("nft", "add table inet track");
        node.tool(
            "nft",
            &format!("add chain inet track {hook} {{ type filter hook {hook} priority 0 ; }}"),
        );
        node.tool(
            "nft",
            &format!("add rule inet track {hook} ct state new accept"),
        );
    }
}

#[test]
fn pods_talk_across_an_overlay_made_by_hand() {
    for stack in Stack::ALL {
        let fleet = Fleet::new(3, stack);
        let pods = pods(&fleet, &json!({"ipMasq": false}));
        fleet.members.iter().for_each(|member| track(&member.node));
        for (from, to) in [(0, 1), (1, 2), (2, 0)] {
            let (own, other) = (pods[from].all_addresses(), pods[to].all_addresses());
            assert_eq!(own.len(), fleet.network().len());
            for (own, other) in own.into_iter().zip(other) {
                assert_eq!(seen(&pods[from], &pods[to], other), own, "{stack:?}");
                assert_eq!(seen(&pods[to], &pods[from], own), other, "{stack:?}");
            }
        }
        for member in &fleet.members {
            let flows = flows(&member.node);
            let within = |flow: &integration_tests::conntrack::Flow| {
                let inside = |address| fleet.network().iter().any(|it| it.contains(address));
                inside(flow.source) && inside(flow.destination)
            };
            assert!(flows.iter().any(within), "{flows:?}");
            assert!(!flows.iter().any(|flow| flow.is_translated()), "{flows:?}");
        }
    }
}

/// The masquerade of the CNI project's `bridge` knows one node alone.
#[test]
fn translation_is_seen_where_there_is_one() {
    let fleet = Fleet::new(2, Stack::V4);
    let pods = pods(&fleet, &json!({}));
    let [own, other] = [&pods[0], &pods[1]].map(|pod| pod.ipv4("eth0"));
    let device = vteps(&fleet.members[0])[0].pods.network();
    assert_eq!(seen(&pods[0], &pods[1], other), device);
    let flows = flows(&fleet.members[0].node);
    let mut to_other = flows.iter().filter(|flow| flow.destination == other);
    assert!(to_other.all(|flow| flow.source == own && flow.is_translated()));
}

#[test]
fn the_underlay_shows_what_is_encapsulated() {
    let fleet = Fleet::new(2, Stack::Dual);
    let pods = pods(&fleet, &json!({"ipMasq": false}));
    let tap = fleet.tap(&fleet.members[1]);
    let [own, peer] = [0, 1].map(|index: usize| vteps(&fleet.members[index]));
    for (family, (own, peer)) in own.iter().zip(&peer).enumerate() {
        let [from, to] = [&pods[0], &pods[1]].map(|pod| pod.all_addresses()[family]);
        assert!(ping(&pods[0], to, PATIENCE));
        let request = tap.encapsulated(PATIENCE).unwrap();
        assert_eq!(request.inner, Some((from, to)));
        assert_eq!(
            (request.source_mac, request.destination_mac),
            (own.mac, peer.mac)
        );
        let outer = &request.outer;
        assert_eq!(
            (outer.source, outer.destination),
            (own.underlay, peer.underlay)
        );
        assert_eq!((request.vni, request.flags), (VNI, 0x08));
        // As with flannel, and where nobody says otherwise, there are checksums.
        assert_ne!(outer.checksum, 0);
        let reply = tap.encapsulated(PATIENCE).unwrap();
        assert_eq!(reply.inner, Some((to, from)));
        let largest = if own.underlay.is_ipv4() { 1450 } else { 1430 };
        ping_unfragmented(&pods[0], to, largest, PATIENCE).unwrap();
        assert_eq!(tap.encapsulated(PATIENCE).unwrap().outer.length, 1500);
        let too_long = ping_unfragmented(&pods[0], to, largest + 1, PATIENCE).unwrap_err();
        assert_eq!(
            too_long.raw_os_error(),
            Some(Errno::EMSGSIZE as i32),
            "{too_long}"
        );
        tap.all_encapsulated(BRIEFLY);
    }
}

#[test]
fn interruptions_are_seen_and_counted() {
    let fleet = Fleet::new(2, Stack::Dual);
    let pods = pods(&fleet, &json!({"ipMasq": false}));
    for address in pods[1].all_addresses() {
        let conversation = Conversation::start(&pods[0], &pods[1], address, 80);
        assert!(pods[0].all_addresses().contains(&conversation.seen().ip()));
        let undisturbed = Stream::start(&pods[0], &pods[1], address, 81, PACE);
        assert!(conversation.wait_for(20, PATIENCE) && undisturbed.wait_for(20, PATIENCE));
        let tally = undisturbed.end();
        assert!(tally.lost() == 0 && tally.sent > 20, "{tally:?}");

        let stream = Stream::start(&pods[0], &pods[1], address, 81, PACE);
        fleet.set_plugged(&fleet.members[1], false);
        assert!(!conversation.wait_for(2, BRIEFLY));
        fleet.set_plugged(&fleet.members[1], true);
        assert!(stream.wait_for(20, PATIENCE) && conversation.wait_for(20, PATIENCE));
        assert!(conversation.longest_pause() >= BRIEFLY);
        let tally = stream.end();
        assert!(
            tally.lost() >= 20 && tally.longest_pause >= BRIEFLY,
            "{tally:?}"
        );
        assert!(conversation.end() >= 40);
    }
}

/// Nothing in VXLAN itself keeps anybody from sending into the pods' network.
#[test]
fn forged_packets_reach_a_pod_of_a_node_without_a_filter() {
    let fleet = Fleet::new(1, Stack::Dual);
    let pods = pods(&fleet, &json!({"ipMasq": false}));
    let stranger = fleet.add_host(99);
    let inside = ["10.200.77.2", "fd00:200:0:77::2"].map(|text| text.parse::<IpAddr>().unwrap());
    for ((vtep, pod), claimed) in vteps(&fleet.members[0])
        .iter()
        .zip(pods[0].all_addresses())
        .zip(inside)
    {
        let received = pods[0].run(|| UdpSocket::bind((pod, 9))).unwrap();
        received.set_read_timeout(Some(PATIENCE)).unwrap();
        let macs = (Mac::new([2, 0, 0, 0, 0, 0x99]), vtep.mac);
        let frame = vxlan::frame(macs, (claimed, pod), 9, b"forged");
        let socket = stranger
            .run(|| UdpSocket::bind((stranger_address(&stranger, pod), 0)))
            .unwrap();
        socket
            .send_to(
                &vxlan::encapsulate(VNI, &frame),
                (vtep.underlay, vxlan::PORT),
            )
            .unwrap();
        let mut text = [0; 16];
        let (length, from) = received.recv_from(&mut text).unwrap();
        assert_eq!((&text[..length], from.ip()), (&b"forged"[..], claimed));
    }
}

fn stranger_address(stranger: &Place, like: IpAddr) -> IpAddr {
    let mut own = stranger.all_addresses().into_iter();
    own.find(|address| address.is_ipv4() == like.is_ipv4())
        .expect("it has both families")
}

/// What is no VXLAN packet is none, and what was made by hand is read as it was meant.
#[test]
fn packets_are_taken_apart() {
    let [one, other] = [1, 2].map(|last| Mac::new([2, 0, 0, 0, 0, last]));
    let ends = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
    let inner = vxlan::frame((one, other), (ends[0], ends[1]), 9, b"odd");
    let outer = vxlan::frame(
        (other, one),
        (ends[1], ends[0]),
        vxlan::PORT,
        &vxlan::encapsulate(5, &inner),
    );
    let packet = Encapsulated::parse(&outer).unwrap();
    assert_eq!((packet.vni, packet.flags, packet.outer.ttl), (5, 8, 64));
    assert_eq!((packet.source_mac, packet.destination_mac), (one, other));
    assert_eq!(packet.inner, Some((ends[0], ends[1])));
    assert_eq!(Encapsulated::parse(&inner), None);
    for length in 0..outer.len().min(64) {
        assert_eq!(Encapsulated::parse(&outer[..length]), None);
    }
}

#[test]
fn changes_of_links_and_rules_are_waited_for() {
    let fleet = Fleet::new(1, Stack::V4);
    let node = &fleet.members[0].node;
    let there = || node.interfaces().contains(&"later".to_owned());
    assert_eq!(node.eventually(BRIEFLY, there), None);
    let other = (**node).clone();
    let maker = thread::spawn(move || {
        other.ip("link add later type bridge");
        other.tool("nft", "add table inet later");
    });
    let rules = || node.tool("nft", "list tables").contains("later");
    assert!(node.eventually(PATIENCE, there).is_some());
    assert!(node.eventually(PATIENCE, rules).is_some());
    maker.join().unwrap();
}

#[test]
fn members_are_apart_and_outside_knows_no_pod() {
    let mut fleet = Fleet::new(2, Stack::Dual);
    fleet.add_member();
    assert_eq!(fleet.members[2].name, "n3");
    let underlay = fleet.members[2].underlay();
    assert_eq!(
        underlay,
        ["192.0.2.13", "2001:db8:1::13"].map(|text| text.parse::<IpAddr>().unwrap())
    );
    for (index, member) in fleet.members.iter().enumerate() {
        for address in fleet.outside_addresses() {
            assert!(ping(&member.node, address, PATIENCE), "{address}");
        }
        for other in fleet
            .members
            .iter()
            .skip(index + 1)
            .flat_map(Member::underlay)
        {
            assert!(ping(&member.node, other, PATIENCE), "{other}");
        }
    }
    let tap = Tap::new(&fleet.outside, "eth0");
    let pod: IpAddr = "10.200.1.2".parse().unwrap();
    assert!(!ping(&fleet.outside, pod, BRIEFLY));
    assert!(tap.all_encapsulated(Duration::from_millis(1)).is_empty());
}
