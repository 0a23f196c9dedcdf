// SPDX-License-Identifier: Apache-2.0
//! Bad input, and an ADD that fails half way: nothing of it is left.

use integration_tests::Bench;
use serde_json::{Value, json};

use crate::{alone, chain, ifbs, interfaces, limit, limits};

/// What the plugin reads behind `bridge`, with keys of its own.
fn configuration(previous: &Value, keys: &Value) -> Value {
    let mut whole = alone(keys);
    if !previous.is_null() {
        whole["prevResult"] = previous.clone();
    }
    whole
}

#[test]
fn limits_that_cannot_be_are_refused_before_anything_is_made() {
    let mut bench = Bench::new();
    let pod = bench.attach("pod");
    let result = bench.runner.result(&bench.network, "pod", "eth0").unwrap();
    bench.settle();
    let port = bench.runner.port(&bench.network, &pod);
    let missing_burst = "if rate is set, burst must also be set";
    let missing_rate = "if burst is set, rate must also be set";
    let too_small = "a full frame of";
    for (keys, words) in [
        (
            json!({"ingressRate": 8}),
            vec!["ingressRate is 8", missing_burst],
        ),
        (
            json!({"egressRate": 8}),
            vec!["egressRate is 8", missing_burst],
        ),
        (
            json!({"ingressBurst": 8}),
            vec!["ingressBurst is 8", missing_rate],
        ),
        (
            json!({"runtimeConfig": {"bandwidth": {"egressBurst": 8}}}),
            vec!["runtimeConfig.bandwidth.egressBurst is 8", missing_rate],
        ),
        (
            json!({"ingressRate": -1, "ingressBurst": 80}),
            vec!["ingressRate", "-1"],
        ),
        (
            json!({"egressRate": 80, "egressBurst": 34_359_738_360_u64}),
            vec!["burst cannot be more than 4GB"],
        ),
        (
            json!({"egressRate": 7, "egressBurst": 34_359_738_360_u64}),
            vec!["egressRate is 7", "less than a byte a second"],
        ),
        (
            json!({"ingressRate": 80, "ingressBurst": 1513 * 8}),
            vec!["ingressBurst is 1513 bytes", too_small, "1514 (12112 bits)"],
        ),
        (
            json!({"ingressRate": 80, "ingressBurst": 16000, "egressRate": 80, "egressBurst": 8}),
            vec!["egressBurst is 1 bytes", too_small, &port],
        ),
    ] {
        let call = bench.call_with("ADD", "pod", &configuration(&result, &keys));
        bench.assert_refuses(&call, 7, &words);
        let shown = bench.node.tool("tc", &format!("qdisc show dev {port}"));
        assert!(
            !shown.contains("tbf") && !shown.contains("ingress"),
            "{keys}: {shown}"
        );
    }
}

#[test]
fn add_needs_a_veth_pair_that_another_plugin_made() {
    let mut bench = Bench::new();
    let pod = bench.attach("pod");
    let result = bench.runner.result(&bench.network, "pod", "eth0").unwrap();
    bench.settle();
    let with = |previous: &Value, keys: &Value| configuration(previous, keys);
    let add = |configuration: &Value| bench.call_with("ADD", "pod", configuration);
    for keys in [json!({}), limits()] {
        let alone = add(&with(&Value::Null, &keys));
        bench.assert_refuses(&alone, 7, &["must be called as chained plugin"]);
    }
    let call = bench.call_with("CHECK", "pod", &with(&Value::Null, &limits()));
    bench.assert_refuses(&call, 7, &["prevResult"]);
    let whole = with(&result, &limits());
    let elsewhere = add(&whole).env("CNI_IFNAME", "net9");
    bench.assert_refuses(&elsewhere, 7, &["the sandbox has no interface \"net9\""]);
    let gone = add(&whole).env("CNI_NETNS", "/run/netns/none");
    bench.assert_refuses(&gone, 8, &["failed to open netns \"/run/netns/none\""]);
    pod.ip("link add br9 type bridge");
    let bridge = add(&whole).env("CNI_IFNAME", "br9");
    let words = ["\"br9\"", "it has no veth peer on the host"];
    bench.assert_refuses(&bridge, 7, &words);
    // A broken prevResult is no reason not to know what the kernel has.
    let other = with(&json!({"cniVersion": "1.1.0", "ips": []}), &limits());
    assert_eq!(interfaces(&add(&other).run(&bench.node).result()).len(), 1);
    bench
        .call_with("DEL", "pod", &other)
        .run(&bench.node)
        .assert_silent();
}

#[test]
fn disciplines_of_others_are_left_alone() {
    let mut bench = Bench::new();
    let pod = bench.attach("pod");
    let result = bench.runner.result(&bench.network, "pod", "eth0").unwrap();
    bench.settle();
    let port = bench.runner.port(&bench.network, &pod);
    let tc = |arguments: &str| bench.node.tool("tc", &format!("qdisc {arguments}"));
    for (others, direction, word) in [
        ("root htb", "ingress", "htb"),
        ("ingress", "egress", "ingress"),
        ("clsact", "egress", "clsact"),
    ] {
        tc(&format!("add dev {port} {others}"));
        // What follows counts packets.
        let kinds = || {
            let shown = tc(&format!("show dev {port}"));
            let words = |line: &str| line.split(" r2q").next().map(str::to_owned);
            shown.lines().map(words).collect::<Vec<_>>()
        };
        let before = kinds();
        let whole = configuration(&result, &limit(direction));
        let call = bench.call_with("ADD", "pod", &whole);
        let words = [&*port, "has the queueing discipline", word, "already"];
        bench.assert_refuses(&call, 107, &words);
        let both = bench.call_with("ADD", "pod", &configuration(&result, &limits()));
        bench.assert_refuses(&both, 107, &words);
        assert_eq!(kinds(), before);
        tc(&format!("del dev {port} {others}"));
    }
}

#[test]
fn an_add_that_fails_half_way_takes_back_what_it_made() {
    let mut bench = Bench::new();
    let network = chain(&bench, &limits());
    let pod = bench.node.pod("pod");
    // Both names that the ifb of net1 may have.
    let names = ["eth0", "net1"].map(|name| {
        let result = bench.runner.add(&network, &pod, name).unwrap();
        interfaces(&result).last().unwrap().to_string()
    });
    for name in ["eth0", "net1"] {
        bench.runner.del(&network, &pod, name).unwrap();
    }
    for name in &names {
        bench.node.ip(&format!("link add {name} type bridge"));
    }
    bench.settle();
    let failure = bench.runner.add(&network, &pod, "net1").unwrap_err();
    failure
        .outcome
        .assert_refused(107, &[&names[0], &names[1], "are taken by others"]);
    let shown = bench.node.tool("tc", "qdisc show");
    assert!(
        !shown.contains("tbf") && !shown.contains("ingress"),
        "{shown}"
    );
    bench.runner.del(&network, &pod, "net1").unwrap();
    bench.assert_clean();
    let mut there = ifbs(&bench.node);
    there.sort();
    assert_eq!(there.len(), 2, "what has the names stays");
}

#[test]
fn what_a_lost_del_left_is_no_obstacle() {
    let mut bench = Bench::new();
    bench.settle();
    let network = chain(&bench, &limits());
    let pod = bench.node.pod("pod");
    bench.runner.add(&network, &pod, "eth0").unwrap();
    // The chain's first plugin alone is told that the pod is gone.
    bench.runner.del(&bench.network, &pod, "eth0").unwrap();
    let left = ifbs(&bench.node);
    assert_eq!(left.len(), 1);
    let result = bench.runner.add(&network, &pod, "eth0").unwrap();
    assert_eq!(ifbs(&bench.node), [*interfaces(&result).last().unwrap()]);
    bench.runner.check(&network, &pod, "eth0").unwrap();
    bench.runner.del(&network, &pod, "eth0").unwrap();
    bench.assert_clean();
}
