// SPDX-License-Identifier: Apache-2.0
//! `lo` of a pod: up while it is attached, by whatever name the runtime asks for it.

use integration_tests::{BRIEFLY, Network, Node, PATIENCE, Pod, Runner, State, bench, ping};
use serde_json::json;

fn network() -> Network {
    Network::new(json!({"cniVersion": "1.1.0", "name": "lo", "type": "loopback"}))
}

fn lives(pod: &Pod) -> bool {
    let addresses = ["127.0.0.1", "::1"].map(|text| text.parse().expect("an address"));
    addresses.map(|address| ping(pod, address, BRIEFLY)) == [true, true]
}

#[test]
fn lo_is_up_from_add_to_del() {
    let node = Node::new();
    let (runner, network, pod) = (Runner::new(&node), network(), node.pod("a"));
    let before = State::of(&node);
    for interface in ["lo", "eth0"] {
        assert!(!lives(&pod));
        runner.add(&network, &pod, interface).unwrap();
        assert!(lives(&pod));
        runner.check(&network, &pod, interface).unwrap();
        // Once more is no harm: nothing is made.
        runner.add(&network, &pod, interface).unwrap();
        for _ in 0..2 {
            runner.del(&network, &pod, interface).unwrap();
            assert!(!lives(&pod));
        }
    }
    before.assert_nothing_left(&node, &[]);
}

#[test]
fn check_sees_lo_down() {
    let node = Node::new();
    let (runner, network, pod) = (Runner::new(&node), network(), node.pod("a"));
    runner.add(&network, &pod, "lo").unwrap();
    pod.ip("link set lo down");
    let failure = runner.check(&network, &pod, "lo").unwrap_err();
    failure
        .outcome
        .assert_refused(105, &["loopback interface is down"]);
}

#[test]
fn an_address_of_the_outside_is_refused_and_lo_left_as_it_was() {
    let node = Node::new();
    let (runner, network, pod) = (Runner::new(&node), network(), node.pod("a"));
    pod.ip("address add 192.0.2.7/32 dev lo");
    for up in [false, true] {
        pod.ip(&format!("link set lo {}", if up { "up" } else { "down" }));
        let outcome = bench::call(&runner, &network, "ADD", "a").run(&node);
        let words = [
            "loopback interface found with non-loopback address",
            "192.0.2.7/32",
        ];
        outcome.assert_refused(107, &words);
        assert_eq!(lives(&pod), up);
    }
    pod.ip("address delete 192.0.2.7/32 dev lo");
    runner.add(&network, &pod, "lo").unwrap();
    assert!(ping(&pod, "127.0.0.1".parse().unwrap(), PATIENCE));
}
