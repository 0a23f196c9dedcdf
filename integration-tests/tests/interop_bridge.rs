// SPDX-License-Identifier: Apache-2.0
//! Nodes that change from the reference plugins to Podwire's, or back, with their pods running.

use std::time::Instant;

use integration_tests::{Bench, Network, Node, PATIENCE, Pod, Runner, bench, binaries, ping};
use serde_json::{Value, json};

/// What the reference plugin makes beside links and addresses, by configuration.
fn ways() -> [(&'static str, Value); 4] {
    [
        (
            "iptables",
            json!({"ipMasqBackend": "iptables", "macspoofchk": false}),
        ),
        (
            "nftables",
            json!({"ipMasqBackend": "nftables", "macspoofchk": false}),
        ),
        ("spoof check", json!({"ipMasq": false, "macspoofchk": true})),
        ("nothing", json!({"ipMasq": false, "macspoofchk": false})),
    ]
}

/// Network `pods` of the bench with other keys.
fn network(bench: &Bench, keys: &Value) -> Network {
    let mut configuration = bench.configuration();
    for (key, value) in keys.as_object().into_iter().flatten() {
        configuration[key] = value.clone();
    }
    Network::new(configuration)
}

fn go(bench: &Bench) -> Runner {
    Runner::with_plugins(&bench.node, binaries::go_plugins())
}

/// A bench on which the reference plugin has attached a pod `old` that stays, so that its tables
/// and shared chains are there.
fn bench_with_old_pod(keys: &Value) -> (Bench, Pod) {
    let mut bench = Bench::new();
    let old = bench.node.pod("old");
    let added = go(&bench).add(&network(&bench, keys), &old, "eth0");
    assert!(added.is_ok(), "{added:?}");
    bench.settle();
    (bench, old)
}

/// The index is Podwire's own and notes foreign leases too.
fn assert_clean(bench: &Bench, way: &str) {
    let mut left = bench.differences();
    left.retain(|line| !line.contains("/.podwire/"));
    assert_eq!(left, [""; 0], "{way}");
}

fn assert_reach(from: &Pod, to: &Pod) {
    for address in [to.ipv4("eth0"), to.ipv6("eth0")] {
        assert!(ping(from, address, PATIENCE), "{address}");
    }
}

#[test]
fn del_takes_all_that_the_reference_plugin_made_and_spares_its_other_pods() {
    for (way, keys) in ways() {
        let (bench, old) = bench_with_old_pod(&keys);
        let (network, go) = (network(&bench, &keys), go(&bench));
        for with_result in [true, false] {
            let pod = bench.node.pod("a");
            let result = go.add(&network, &pod, "eth0").unwrap();
            assert!(bench.differences().len() >= 3, "{way}");
            let mut configuration = bench::configuration(&network);
            if with_result {
                configuration["prevResult"] = result;
            }
            let call = bench.call("DEL", "a").stdin(configuration.to_string());
            call.run(&bench.node).assert_silent();
            assert_eq!(pod.interfaces(), [""; 0], "{way}");
            assert_clean(&bench, way);
            assert_reach(&old, &bench.keeper);
        }
    }
}

#[test]
fn del_takes_what_the_reference_plugin_made_though_the_namespace_is_gone() {
    for (way, keys) in ways() {
        let (bench, _old) = bench_with_old_pod(&keys);
        let pod = bench.node.pod("a");
        go(&bench)
            .add(&network(&bench, &keys), &pod, "eth0")
            .unwrap();
        pod.vanish();
        bench.call("DEL", "a").run(&bench.node).assert_silent();
        // The kernel ends the namespace's veth pair in its own time.
        let until = Instant::now() + PATIENCE;
        let pair = |line: &String| line.starts_with("+ link veth");
        while bench.differences().iter().any(pair) && Instant::now() < until {}
        assert_clean(&bench, way);
    }
}

#[test]
fn check_finds_a_pod_of_the_reference_plugin_as_it_was_made() {
    for (way, keys) in ways() {
        let (bench, _old) = bench_with_old_pod(&keys);
        let network = network(&bench, &keys);
        let pod = bench.node.pod("a");
        let result = go(&bench).add(&network, &pod, "eth0").unwrap();
        let mut configuration = bench::configuration(&network);
        configuration["prevResult"] = result;
        let call = bench.call("CHECK", "a").stdin(configuration.to_string());
        let outcome = call.run(&bench.node);
        assert!(outcome.success(), "{way}: {outcome}");
        pod.ip("address delete 10.1.5.4/24 dev eth0");
        assert_eq!(call.run(&bench.node).error().0, 105, "{way}");
    }
}

#[test]
fn the_reference_plugin_takes_our_pods_and_gc_the_rest() {
    let (bench, _old) = bench_with_old_pod(&json!({}));
    for vanish in [false, true] {
        let pod = bench.attach("a");
        let result = bench.runner.result(&bench.network, "a", "eth0").unwrap();
        let mut configuration = bench.configuration();
        configuration["prevResult"] = result;
        let call = bench::call(&go(&bench), &bench.network, "DEL", "a");
        let call = call.stdin(configuration.to_string());
        if vanish {
            pod.vanish();
        }
        call.run(&bench.node).assert_silent();
        // Both addresses of keeper and of old.
        assert_eq!(bench.leases().len(), 4);
        let valid = [("keeper", "eth0"), ("old", "eth0")];
        bench.runner.gc(&bench.network, &valid).unwrap();
        assert_clean(&bench, "GC");
    }
}

#[test]
fn pods_of_both_plugins_share_a_bridge_that_keeps_its_address() {
    for ours_first in [true, false] {
        let node = Node::new();
        let network = bench::network("pods", "cni0", &["10.1.5.0/24", "fd00:1:5::/64"]);
        let ours = Runner::new(&node);
        let go = Runner::with_plugins(&node, binaries::go_plugins());
        let order = if ours_first {
            [&ours, &go]
        } else {
            [&go, &ours]
        };
        let [a, b, c] = ["a", "b", "c"].map(|name| node.pod(name));
        order[0].add(&network, &a, "eth0").unwrap();
        let mac = node.link("cni0").mac;
        order[1].add(&network, &b, "eth0").unwrap();
        order[0].add(&network, &c, "eth0").unwrap();
        for (from, to) in [(&a, &b), (&b, &a), (&b, &c)] {
            assert_reach(from, to);
        }
        order[1].del(&network, &a, "eth0").unwrap();
        order[0].del(&network, &b, "eth0").unwrap();
        assert_eq!(node.link("cni0").mac, mac);
        assert!(ping(&c, node.ipv4("cni0"), PATIENCE) && ping(&c, node.ipv6("cni0"), PATIENCE));
    }
}
