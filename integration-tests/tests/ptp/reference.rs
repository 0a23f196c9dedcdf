// SPDX-License-Identifier: Apache-2.0
//! Nodes that change from the reference plugin to Podwire's, or back, with their pods running.

use integration_tests::{Bench, Network, Node, PATIENCE, Runner, bench, binaries, ping};
use serde_json::{Value, json};
use std::time::Instant;

use crate::{bench as bench_of_ptp, network};

const WAYS: [&str; 3] = ["iptables", "nftables", ""];

fn go(bench: &Bench) -> Runner {
    Runner::with_plugins(&bench.node, binaries::go_plugins())
}

/// Network `pods` of the bench, masqueraded in one of the reference plugin's ways or not at all.
fn masqueraded(bench: &Bench, way: &str) -> Network {
    let keys = match way {
        "" => json!({"ipMasq": false}),
        way => json!({"ipMasqBackend": way}),
    };
    bench.network.with(&keys)
}

/// The index is Podwire's own and notes foreign leases too; the tables are what the reference
/// plugin makes when it looks for rules to remove.
fn assert_clean(bench: &Bench, way: &str) {
    let mut left = bench.differences();
    let kept = ["/.podwire/", "nft table ip nat", "nft table ip6 nat"];
    left.retain(|line| !kept.iter().any(|word| line.contains(word)));
    assert_eq!(left, [""; 0], "{way}");
}

#[test]
fn del_takes_all_that_the_reference_plugin_made_and_spares_its_other_pods() {
    for way in WAYS {
        let mut bench = bench_of_ptp();
        let (network, go) = (masqueraded(&bench, way), go(&bench));
        let old = bench.node.pod("old");
        go.add(&network, &old, "eth0").unwrap();
        bench.settle();
        for with_result in [true, false] {
            let pod = bench.node.pod("a");
            let result = go.add(&network, &pod, "eth0").unwrap();
            assert!(bench.differences().len() >= 3, "{way}");
            let mut configuration = bench::configuration(&network);
            if with_result {
                configuration["prevResult"] = result;
            }
            let call = bench.call_with("DEL", "a", &configuration);
            call.run(&bench.node).assert_silent();
            assert_eq!(pod.interfaces(), [""; 0], "{way}");
            assert_clean(&bench, way);
            for address in bench.keeper.both_addresses() {
                assert!(ping(&old, address, PATIENCE), "{way}: {address}");
            }
        }
    }
}

#[test]
fn del_takes_what_the_reference_plugin_made_though_the_namespace_is_gone() {
    for way in WAYS {
        let mut bench = bench_of_ptp();
        let network = masqueraded(&bench, way);
        let old = bench.node.pod("old");
        go(&bench).add(&network, &old, "eth0").unwrap();
        bench.settle();
        let pod = bench.node.pod("a");
        go(&bench).add(&network, &pod, "eth0").unwrap();
        pod.vanish();
        bench.call("DEL", "a").run(&bench.node).assert_silent();
        // The kernel ends the namespace's veth pair in its own time.
        let until = Instant::now() + PATIENCE;
        let pair = |line: &String| line.contains("veth");
        while bench.differences().iter().any(pair) && Instant::now() < until {}
        assert_clean(&bench, way);
    }
}

#[test]
fn check_finds_a_pod_of_the_reference_plugin_as_it_was_made() {
    for way in WAYS {
        let bench = bench_of_ptp();
        let network = masqueraded(&bench, way);
        let pod = bench.node.pod("a");
        let result = go(&bench).add(&network, &pod, "eth0").unwrap();
        let mut configuration = bench::configuration(&network);
        configuration["prevResult"] = result;
        let call = bench.call_with("CHECK", "a", &configuration);
        let outcome = call.run(&bench.node);
        assert!(outcome.success(), "{way}: {outcome}");
        bench.node.ip("route delete 10.1.5.3");
        assert_eq!(call.run(&bench.node).error().0, 105, "{way}");
    }
}

#[test]
fn the_reference_plugin_takes_our_pods() {
    let bench = bench_of_ptp();
    let pod = bench.attach("a");
    let result = bench.runner.result(&bench.network, "a", "eth0").unwrap();
    let mut configuration = bench.configuration();
    configuration["prevResult"] = result;
    let checked = bench::call(&go(&bench), &bench.network, "CHECK", "a");
    let checked = checked.stdin(configuration.to_string()).run(&bench.node);
    assert!(checked.success(), "{checked}");
    let call = bench::call(&go(&bench), &bench.network, "DEL", "a");
    call.stdin(configuration.to_string())
        .run(&bench.node)
        .assert_silent();
    assert_eq!(pod.interfaces(), [""; 0]);
    bench
        .runner
        .gc(&bench.network, &[("keeper", "eth0")])
        .unwrap();
    assert_clean(&bench, "GC");
}

#[test]
fn a_result_is_that_of_the_reference_plugin() {
    for version in ["0.2.0", "0.3.1", "0.4.0", "1.0.0"] {
        let [ours, theirs] = [binaries::plugins().to_owned(), binaries::go_plugins()].map(|path| {
            let node = Node::new();
            let runner = Runner::with_plugins(&node, path);
            let pod = node.pod("a");
            let result = runner.add(&network(json!({"cniVersion": version})), &pod, "eth0");
            without_chance(result.unwrap_or_else(|failure| panic!("{version}: {failure}")))
        });
        assert_eq!(ours, theirs, "{version}");
    }
}

fn without_chance(mut result: Value) -> Value {
    let interfaces = result["interfaces"].as_array_mut().into_iter().flatten();
    for interface in interfaces {
        interface["mac"] = json!("...");
        if interface["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("veth"))
        {
            interface["name"] = json!("...");
        }
    }
    result
}

/// Both leave pods that reach each other.
#[test]
fn pods_of_both_plugins_are_neighbours() {
    let bench = bench_of_ptp();
    let theirs = bench.node.pod("theirs");
    go(&bench).add(&bench.network, &theirs, "eth0").unwrap();
    for (from, to) in [(&theirs, &bench.keeper), (&bench.keeper, &theirs)] {
        for address in to.both_addresses() {
            assert!(ping(from, address, PATIENCE), "{address}");
        }
    }
}
