// SPDX-License-Identifier: Apache-2.0
//! Keys of `bridge` about frames: who hears a pod's, and which of them pass its port.

use integration_tests::{
    BRIEFLY, Network, Node, PATIENCE, Pod, Runner, State, Tap, ping, send_frame,
};
use net::Mac;
use serde_json::{Value, json};

const SUBNET: [&str; 1] = ["10.88.0.0/24"];
const NOBODY: Mac = Mac::new([2, 0, 0, 0, 0, 0x77]);

fn network(keys: Value) -> Network {
    Network::of_bridge("podnet", &SUBNET, keys)
}

#[test]
fn hairpin_mode_alone_brings_a_frame_back_to_its_pod() {
    for hairpin in [true, false] {
        let node = Node::new();
        let network = network(json!({"hairpinMode": hairpin}));
        let pod = Runner::new(&node).attach(&network, &node);
        let tap = Tap::new(&pod, "eth0");
        let own = pod.link("eth0").mac;
        send_frame(&pod, "eth0", own, NOBODY);
        assert!(tap.sees(own, PATIENCE), "it is seen as it leaves");
        let limit = if hairpin { PATIENCE } else { BRIEFLY };
        assert_eq!(tap.sees(own, limit), hairpin, "and as it comes back");
    }
}

#[test]
fn promisc_mode_alone_makes_the_bridge_hear_frames_for_others() {
    for promisc in [true, false] {
        let node = Node::new();
        let network = network(json!({"promiscMode": promisc}));
        let pod = Runner::new(&node).attach(&network, &node);
        assert_eq!(node.link("cni0").promisc, promisc);
        let tap = Tap::new(&node, "cni0");
        let own = pod.link("eth0").mac;
        send_frame(&pod, "eth0", own, NOBODY);
        let limit = if promisc { PATIENCE } else { BRIEFLY };
        assert_eq!(tap.sees(own, limit), promisc);
    }
}

#[test]
fn isolated_pods_reach_the_gateway_and_not_each_other() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let isolated = network(json!({"portIsolation": true}));
    let open = network(json!({}));
    let (a, b) = (
        runner.attach(&isolated, &node),
        runner.attach(&isolated, &node),
    );
    let c = runner.attach(&open, &node);
    let gateway = "10.88.0.1".parse().unwrap();
    for pod in [&a, &b] {
        assert!(ping(pod, gateway, PATIENCE));
        assert!(ping(&node, pod.ipv4("eth0"), PATIENCE));
        assert!(
            ping(pod, c.ipv4("eth0"), PATIENCE),
            "an open port is reached"
        );
        assert!(ping(&c, pod.ipv4("eth0"), PATIENCE));
    }
    assert!(!ping(&a, b.ipv4("eth0"), BRIEFLY));
    assert!(!ping(&b, a.ipv4("eth0"), BRIEFLY));
}

/// Whether a frame with this source passes from one pod to another.
fn passes(from: &Pod, source: Mac, to: &Pod, expected: bool) -> bool {
    let tap = Tap::new(to, "eth0");
    send_frame(from, "eth0", source, to.link("eth0").mac);
    tap.sees(source, if expected { PATIENCE } else { BRIEFLY })
}

#[test]
fn frames_with_a_foreign_source_stay_behind_a_guarded_port() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let guarded = network(json!({"macspoofchk": true}));
    let (a, b) = (
        runner.attach(&guarded, &node),
        runner.attach(&guarded, &node),
    );
    let unguarded = runner.attach(&network(json!({})), &node);
    let own = a.link("eth0").mac;
    assert!(passes(&a, own, &unguarded, true));
    for forged in [NOBODY, b.link("eth0").mac, node.link("cni0").mac] {
        assert!(!passes(&a, forged, &unguarded, false), "{forged} from a");
    }
    assert!(
        passes(&unguarded, NOBODY, &a, true),
        "only what asks is guarded"
    );
    // A pod that changes its interface's address is not believed either.
    a.ip("link set eth0 address 02:00:00:00:00:55");
    assert!(!ping(&a, b.ipv4("eth0"), BRIEFLY));
    a.ip(&format!("link set eth0 address {own}"));
    assert!(ping(&a, b.ipv4("eth0"), PATIENCE));
}

/// Elements of the check, on a node on which another pod keeps the table.
fn elements(node: &Node) -> Vec<String> {
    let state = State::of(node);
    let mut lines = Vec::new();
    for set in ["guarded", "sources"] {
        let word = format!("nft set bridge podwire {set}: ");
        lines.extend(state.lines_with(&word).iter().map(ToString::to_string));
    }
    lines
}

#[test]
fn del_takes_a_guard_away_with_and_without_the_namespace() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let guarded = network(json!({"macspoofchk": true}));
    let _keeper = runner.attach(&guarded, &node);
    let before = elements(&node);
    assert_eq!(before.len(), 2);

    let with_namespace = runner.attach(&guarded, &node);
    assert_eq!(elements(&node).len(), 4);
    runner.del(&guarded, &with_namespace, "eth0").unwrap();
    assert_eq!(elements(&node), before);

    for netns in ["", "/run/netns/gone"] {
        let pod = runner.attach(&guarded, &node);
        let name = pod.name().to_owned();
        assert_eq!(elements(&node).len(), 4);
        pod.vanish();
        runner.del_with(&guarded, &name, netns, "eth0").unwrap();
        assert_eq!(elements(&node), before, "CNI_NETNS {netns:?}");
    }
}

#[test]
fn a_disabled_container_interface_stays_down() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = Network::of_layer2("podnet", json!({"disableContainerInterface": true}));
    let pod = runner.attach(&network, &node);
    assert!(!pod.link("eth0").up);
    runner.check(&network, &pod, "eth0").unwrap();
    // Whoever brings it up later finds a port that is ready.
    let other = runner.attach(&Network::of_layer2("podnet", json!({})), &node);
    pod.set_up("eth0");
    for (pod, address) in [(&pod, "10.9.0.1/24"), (&other, "10.9.0.2/24")] {
        pod.add_address("eth0", address.parse().unwrap());
    }
    assert!(ping(&pod, "10.9.0.2".parse().unwrap(), PATIENCE));
    runner.del(&network, &pod, "eth0").unwrap();
    assert_eq!(pod.interfaces(), [""; 0]);
}
