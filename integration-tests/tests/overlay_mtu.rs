// SPDX-License-Identifier: Apache-2.0
//! Packets as large as the overlay takes them cross whole, and whoever sends a larger one is told:
//! none is lost without a word.

use std::io;
use std::net::IpAddr;

use integration_tests::{Fleet, Member, PATIENCE, Place, Pod, Stack, Tap, ping, ping_unfragmented};
use nix::errno::Errno;
use serde_json::{Value, json};

/// A cluster of two with a pod on each node, and what is on the wire to the second.
fn cluster(stack: Stack, mtu: u32, keys: &Value) -> (Fleet, Vec<Pod>, Tap) {
    let fleet = Fleet::with_mtu(2, stack, mtu);
    let pods = fleet.attach_each(keys);
    let tap = fleet.tap(&fleet.members[1]);
    (fleet, pods, tap)
}

fn send(from: &Place, to: IpAddr, length: u32) -> io::Result<()> {
    let length = usize::try_from(length).expect("a packet is not so long");
    ping_unfragmented(from, to, length, PATIENCE)
}

fn assert_told(sent: io::Result<()>) {
    let error = sent.expect_err("it is too large for the overlay");
    assert_eq!(
        error.raw_os_error(),
        Some(Errno::EMSGSIZE as i32),
        "{error}"
    );
}

/// Sends packets of the MTU and of one octet more, and looks how long they are on the underlay.
fn assert_exact(from: &Place, to: &Pod, tap: &Tap, mtu: u32) {
    for to in to.all_addresses() {
        let overhead = if to.is_ipv4() { 50 } else { 70 };
        send(from, to, mtu).unwrap_or_else(|error| panic!("{mtu} octets to {to}: {error}"));
        for direction in ["request", "answer"] {
            let packet = tap.encapsulated(PATIENCE).expect(direction);
            let length = u32::try_from(packet.outer.length).expect("a packet is short");
            assert_eq!(length, mtu + overhead, "{direction} to {to}");
        }
        assert_told(send(from, to, mtu + 1));
    }
}

#[test]
fn pods_fill_an_underlay_of_1500() {
    for (stack, mtu) in [(Stack::V4, 1450), (Stack::V6, 1430), (Stack::Dual, 1430)] {
        let (_fleet, pods, tap) = cluster(stack, 1500, &json!({}));
        assert_eq!(pods[0].link("eth0").mtu, mtu);
        assert_exact(&pods[0], &pods[1], &tap, mtu);
        assert_exact(&pods[1], &pods[0], &tap, mtu);
    }
}

/// Also the smallest with which IPv6 can be: 1280 octets of the pods' and 70.
#[test]
fn pods_fill_any_underlay() {
    for (underlay, mtu) in [(9000, 8930), (1350, 1280)] {
        let (_fleet, pods, tap) = cluster(Stack::Dual, underlay, &json!({}));
        assert_eq!(pods[0].link("eth0").mtu, mtu);
        assert_exact(&pods[0], &pods[1], &tap, mtu);
    }
}

/// `mtu` is that of the underlay, where routers on the way have a smaller one than the link.
#[test]
fn the_settings_bound_the_packets() {
    let (_fleet, pods, tap) = cluster(Stack::V4, 1500, &json!({"mtu": 1400}));
    assert_exact(&pods[0], &pods[1], &tap, 1350);
}

/// Nodes send by the VXLAN device of the family itself, and the far bridge leads to pods.
#[test]
fn nodes_fill_the_overlay_to_a_far_pod() {
    let (fleet, pods, tap) = cluster(Stack::V4, 1500, &json!({}));
    assert_exact(&fleet.members[0].node, &pods[1], &tap, 1450);
    let (fleet, pods, tap) = cluster(Stack::V6, 1500, &json!({}));
    assert_exact(&fleet.members[0].node, &pods[1], &tap, 1430);
}

/// A node's own pods are behind its bridge, which loses what does not fit a port.
#[test]
fn nodes_are_told_what_does_not_fit_their_own_pods() {
    let (fleet, pods, _) = cluster(Stack::Dual, 1500, &json!({}));
    for to in pods[0].all_addresses() {
        send(&fleet.members[0].node, to, 1430).unwrap();
        assert_told(send(&fleet.members[0].node, to, 1431));
    }
}

/// Between `bridge` and `vxlan` of a further pod's ADD, too, the bridge answers what does not fit.
#[test]
fn a_further_pod_leaves_the_bridge_as_it_is() {
    let fleet = Fleet::new(1, Stack::Dual);
    let Member { node, runner, .. } = &fleet.members[0];
    let network = fleet.conflist(&fleet.members[0], &json!({}));
    let _first = runner.attach(&network, node);
    let second = fleet.members[0].bridge();
    let _second = runner.attach(&second, node);
    assert_eq!(node.link("cni0").mtu, 1430);
    let pod = node.any_pod();
    let (_, said) = runner.add_hearing(&network, &pod, "eth0").unwrap();
    assert_eq!((said.as_str(), node.link("cni0").mtu), ("", 1430));
}

/// In a dual-stack cluster an IPv4 packet of 1450 octets fits the overlay, but no pod.
#[test]
fn far_nodes_are_told_what_does_not_fit_a_pod() {
    let (fleet, pods, _) = cluster(Stack::Dual, 1500, &json!({}));
    let to = pods[1].all_addresses()[0];
    send(&fleet.members[0].node, to, 1430).unwrap();
    assert_told(send(&fleet.members[0].node, to, 1450));
}

/// A pod whose interface somebody gave a larger MTU again hears from its node what fits.
#[test]
fn a_pod_with_a_larger_mtu_is_told() {
    let (fleet, pods, _) = cluster(Stack::Dual, 1500, &json!({}));
    let Member { node, runner, .. } = &fleet.members[0];
    let network = fleet.conflist(&fleet.members[0], &json!({}));
    let port = runner.port(&network, &pods[0]);
    for link in [port.as_str(), "cni0"] {
        node.ip(&format!("link set {link} mtu 1500"));
    }
    pods[0].ip("link set eth0 mtu 1500");
    for (to, largest) in pods[1].all_addresses().into_iter().zip([1450, 1430]) {
        assert!(ping(&pods[0], to, PATIENCE));
        assert_told(send(&pods[0], to, largest + 1));
    }
}
