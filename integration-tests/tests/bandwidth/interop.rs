// SPDX-License-Identifier: Apache-2.0
//! Nodes that change from the reference plugin to Podwire's, or back, with their pods running.

use integration_tests::{Bench, Network, Runner, bench, binaries};
use serde_json::{Value, json};

use crate::{BURST, CRAWL, alone, assert_passes, chain, flood, ifbs, interfaces};

/// Rates whose bursts both plugins can say without a rest.
fn whole() -> Value {
    json!({
        "ingressRate": 1_000_000, "ingressBurst": 400_000,
        "egressRate": 8_000_000, "egressBurst": 800_000,
    })
}

fn go(bench: &Bench) -> Runner {
    Runner::with_plugins(&bench.node, binaries::go_plugins())
}

#[test]
fn what_the_reference_plugin_made_is_checked_and_deleted() {
    let bench = Bench::new();
    let network = chain(&bench, &whole());
    for with_result in [true, false] {
        let pod = bench.node.pod("pod");
        let result = go(&bench).add(&network, &pod, "eth0").unwrap();
        let ifb = *interfaces(&result).last().unwrap();
        assert_eq!(ifbs(&bench.node), [ifb]);
        let mut plugin = alone(&whole());
        if with_result {
            plugin["prevResult"] = result.clone();
        }
        if with_result {
            let check = bench.call_with("CHECK", "pod", &plugin);
            check.run(&bench.node).assert_silent();
        }
        bench
            .call_with("DEL", "pod", &plugin)
            .run(&bench.node)
            .assert_silent();
        assert_eq!(ifbs(&bench.node), [""; 0]);
        go(&bench).del(&network, &pod, "eth0").unwrap();
    }
}

#[test]
fn what_we_made_is_checked_and_deleted_by_the_reference_plugin() {
    let bench = Bench::new();
    let network = chain(&bench, &whole());
    let pod = bench.node.pod("pod");
    let result = bench.runner.add(&network, &pod, "eth0").unwrap();
    let mut plugin = alone(&whole());
    plugin["prevResult"] = result;
    let reference = |verb: &str| {
        let network = Network::new(plugin.clone());
        bench::call(&go(&bench), &network, verb, "pod")
            .stdin(plugin.to_string())
            .run(&bench.node)
    };
    reference("CHECK").assert_silent();
    reference("DEL").assert_silent();
    assert_eq!(ifbs(&bench.node), [""; 0]);
    bench.runner.del(&network, &pod, "eth0").unwrap();
    bench.assert_clean();
}

/// The same floods that meet Podwire's limits meet the reference plugin's. At ten bytes a second that
/// one lets no full frame pass: it says the burst in ticks, of which the kernel takes 4.29 seconds for
/// the largest frame.
#[test]
fn the_reference_plugin_lets_as_much_pass_where_it_lets_anything_pass() {
    for (rate, passes) in [(CRAWL, false), (2000, true)] {
        let bench = Bench::new();
        let keys = json!({
            "ingressRate": rate, "ingressBurst": BURST * 8,
            "egressRate": rate, "egressBurst": BURST * 8,
        });
        let pod = bench.node.pod("pod");
        let added = go(&bench).add(&chain(&bench, &keys), &pod, "eth0");
        added.unwrap();
        let (own, keeper) = (pod.ipv4("eth0"), bench.keeper.ipv4("eth0"));
        if passes {
            assert_passes(&bench.keeper, &pod, own, BURST);
            assert_passes(&pod, &bench.keeper, keeper, BURST);
        } else {
            assert_eq!(flood(&bench.keeper, &pod, own, 0), 0);
        }
    }
}
