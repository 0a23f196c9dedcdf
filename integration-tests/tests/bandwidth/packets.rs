// SPDX-License-Identifier: Apache-2.0
//! Limits as packets meet them.

use integration_tests::{Bench, Network, Node, PATIENCE, Pod, Runner, ping, ping_unfragmented};
use serde_json::{Value, json};

use crate::{BURST, CRAWL, assert_passes, assert_unlimited, attach, chain, limit, limits};

/// A fresh pod for each flood, since a burst is to be had once.
fn pods<'a>(bench: &'a Bench, keys: &'a Value) -> impl Fn(&str) -> Pod + 'a {
    move |name| attach(bench, &chain(bench, keys), name)
}

#[test]
fn to_the_container_a_burst_passes_and_from_it_everything() {
    let bench = Bench::new();
    let keys = limit("ingress");
    for family in 0..2 {
        let pod = pods(&bench, &keys)(&format!("pod{family}"));
        let (own, other) = (pod.both_addresses(), bench.keeper.both_addresses());
        assert_unlimited(&pod, &bench.keeper, other[family]);
        assert_passes(&bench.keeper, &pod, own[family], BURST);
    }
}

#[test]
fn from_the_container_a_burst_passes_and_to_it_everything() {
    let bench = Bench::new();
    let keys = limit("egress");
    for family in 0..2 {
        let pod = pods(&bench, &keys)(&format!("pod{family}"));
        let (own, other) = (pod.both_addresses(), bench.keeper.both_addresses());
        assert_unlimited(&bench.keeper, &pod, own[family]);
        assert_passes(&pod, &bench.keeper, other[family], BURST);
    }
}

#[test]
fn each_direction_has_its_own_limit() {
    let bench = Bench::new();
    let keys = limits();
    let pod = pods(&bench, &keys)("pod");
    let keeper = &bench.keeper;
    assert_passes(keeper, &pod, pod.ipv4("eth0"), BURST);
    assert_passes(&pod, keeper, keeper.ipv4("eth0"), BURST * 2);
    // Others don't feel it.
    let other = bench.attach("other");
    assert_unlimited(keeper, &other, other.ipv4("eth0"));
    assert_unlimited(&other, keeper, keeper.ipv4("eth0"));
}

#[test]
fn the_runtimes_limits_hold_and_of_two_the_lower() {
    // As kubelet hands on a pod's annotations.
    let annotations = json!({
        "ingressRate": CRAWL, "ingressBurst": BURST * 16,
        "egressRate": 1_000_000_000_000_u64, "egressBurst": BURST * 8,
    });
    for (own, to_pod) in [(json!({}), BURST * 2), (limit("ingress"), BURST)] {
        let bench = Bench::new();
        let runner = Runner::new(&bench.node).with_capability("bandwidth", annotations.clone());
        let pod = bench.node.pod("pod");
        runner.add(&chain(&bench, &own), &pod, "eth0").unwrap();
        assert_unlimited(&pod, &bench.keeper, bench.keeper.ipv4("eth0"));
        assert_passes(&bench.keeper, &pod, pod.ipv4("eth0"), to_pod);
        runner.check(&chain(&bench, &own), &pod, "eth0").unwrap();
    }
}

#[test]
fn a_rate_of_many_gigabits_and_a_burst_of_many_seconds_let_everything_pass() {
    let bench = Bench::new();
    let most = u64::from(u32::MAX);
    for (name, rate, burst) in [
        ("fast", 40_000_000_000, 1_000_000_000),
        ("fastest", u64::MAX, 34_359_738_359),
        ("patient", 1_000_000, most),
    ] {
        let keys = json!({
            "ingressRate": rate, "ingressBurst": burst, "egressRate": rate, "egressBurst": burst,
        });
        let pod = attach(&bench, &chain(&bench, &keys), name);
        assert_unlimited(&bench.keeper, &pod, pod.ipv4("eth0"));
        assert_unlimited(&pod, &bench.keeper, bench.keeper.ipv4("eth0"));
        bench
            .runner
            .check(&chain(&bench, &keys), &pod, "eth0")
            .unwrap();
    }
}

#[test]
fn pods_that_the_host_routes_are_limited_as_well() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = Network::new(json!({
        "cniVersion": "1.1.0",
        "name": "routed",
        "plugins": [{
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.9.0.0/24"}], [{"subnet": "fd00:9::/64"}]],
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
            },
        }],
    }));
    let mut limited = json!({"type": "bandwidth"});
    for (key, value) in limits().as_object().unwrap() {
        limited[key] = value.clone();
    }
    let limited = network.followed_by(limited);
    for family in 0..2 {
        let other = runner.attach(&network, &node);
        let pod = runner.attach(&limited, &node);
        let (own, others) = (pod.both_addresses(), other.both_addresses());
        // In this order: who has used up his burst cannot answer who asks for his MAC address.
        assert_passes(&pod, &other, others[family], BURST * 2);
        assert_passes(&other, &pod, own[family], BURST);
        runner.check(&limited, &pod, "eth0").unwrap();
        runner.del(&limited, &pod, "eth0").unwrap();
        runner.del(&network, &other, "eth0").unwrap();
    }
    assert_eq!(crate::ifbs(&node), [""; 0]);
}

#[test]
fn a_burst_of_one_frame_lets_full_frames_pass() {
    let bench = Bench::new();
    // A frame every twelve milliseconds.
    let rate = 1_000_000;
    let keys = json!({
        "ingressRate": rate, "ingressBurst": 1514 * 8, "egressRate": rate, "egressBurst": 1514 * 8,
    });
    let pod = attach(&bench, &chain(&bench, &keys), "pod");
    for address in bench.keeper.both_addresses() {
        assert!(ping(&pod, address, PATIENCE), "{address}");
        let sent = ping_unfragmented(&pod, address, 1500, PATIENCE);
        assert!(sent.is_ok(), "a full frame to {address}: {sent:?}");
    }
}
