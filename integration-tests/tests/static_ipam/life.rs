// SPDX-License-Identifier: Apache-2.0
//! Pods with addresses that somebody else has chosen: they reach each other, and all verbs work.

use std::net::IpAddr;

use integration_tests::bench::{call, configuration};
use integration_tests::{Bench, Network, PATIENCE, ping};
use serde_json::{Value, json};

use crate::network;

const VERSIONS: [&str; 7] = [
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
];

/// The network `pods` of a bench with addresses by `static`, and none of its own.
fn pods(bench: &Bench, version: &str) -> Network {
    let mut whole = bench.configuration();
    whole["cniVersion"] = json!(version);
    whole["ipam"] = json!({"type": "static", "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]});
    Network::new(whole)
}

fn with_addresses(network: &Network, addresses: Value) -> Network {
    let mut whole = configuration(network);
    whole["ipam"]["addresses"] = addresses;
    Network::new(whole)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn pods_reach_others_by_addresses_of_the_configuration_in_every_version() {
    let bench = Bench::new();
    for (version, host) in VERSIONS.into_iter().zip(70..) {
        let pod = bench.node.pod("a");
        let addresses = [format!("10.1.5.{host}"), format!("fd00:1:5::{host}")];
        let [v4, v6] = addresses.each_ref();
        let addresses = json!([
            {"address": format!("{v4}/24"), "gateway": "10.1.5.1"},
            {"address": format!("{v6}/64"), "gateway": "fd00:1:5::1"},
        ]);
        let network = with_addresses(&pods(&bench, version), addresses);
        let added = bench.runner.add(&network, &pod, "eth0");
        added.unwrap_or_else(|failure| panic!("{version}: {failure}"));
        for address in [ip(v4), ip(v6)] {
            assert!(
                ping(&bench.keeper, address, PATIENCE),
                "{version} {address}"
            );
        }
        for address in [bench.keeper.ipv4("eth0"), bench.keeper.ipv6("eth0")] {
            assert!(ping(&pod, address, PATIENCE), "{version} {address}");
        }
        if version >= "0.4.0" {
            bench
                .runner
                .check(&network, &pod, "eth0")
                .unwrap_or_else(|it| panic!("{it}"));
        }
        if version >= "1.1.0" {
            bench
                .runner
                .status(&network)
                .unwrap_or_else(|it| panic!("{it}"));
            let valid = [("a", "eth0"), ("keeper", "eth0")];
            bench
                .runner
                .gc(&network, &valid)
                .unwrap_or_else(|it| panic!("{it}"));
            assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
        }
        for _ in ["once", "twice"] {
            bench
                .runner
                .del(&network, &pod, "eth0")
                .unwrap_or_else(|it| panic!("{it}"));
        }
        bench.assert_clean();
    }
}

#[test]
fn a_runtime_chooses_addresses_by_args_and_by_capability() {
    let bench = Bench::new();
    let base = pods(&bench, "1.0.0").with_at(0, &json!({"capabilities": {"ips": true}}));
    let args = "IP=10.1.5.88/24;GATEWAY=10.1.5.1;IgnoreUnknown=1;K8S_POD_NAME=a";
    let by_args = integration_tests::Runner::new(&bench.node).with_args(args);
    let by_capability = integration_tests::Runner::new(&bench.node)
        .with_args(args)
        .with_capability("ips", json!(["10.1.5.99/24", "fd00:1:5::99/64"]));
    for (runner, addresses) in [
        (by_args, vec!["10.1.5.88"]),
        (by_capability, vec!["10.1.5.99", "fd00:1:5::99"]),
    ] {
        let pod = bench.node.pod("a");
        let result = runner
            .add(&base, &pod, "eth0")
            .unwrap_or_else(|it| panic!("{it}"));
        assert_eq!(
            result["ips"].as_array().map(Vec::len),
            Some(addresses.len())
        );
        for address in addresses {
            assert!(ping(&bench.keeper, ip(address), PATIENCE), "{address}");
        }
        runner
            .check(&base, &pod, "eth0")
            .unwrap_or_else(|it| panic!("{it}"));
        runner
            .del(&base, &pod, "eth0")
            .unwrap_or_else(|it| panic!("{it}"));
        bench.assert_clean();
    }
}

#[test]
fn check_compares_the_result_with_the_configuration() {
    let bench = Bench::new();
    let own = json!({"addresses": [{"address": "10.1.5.77/24", "gateway": "10.1.5.1"}]});
    let network = network("1.0.0", &json!({ "ipam": own }));
    let check = |ips: Value| {
        let mut whole = configuration(&network);
        whole["prevResult"] = json!({"cniVersion": "1.0.0", "ips": ips});
        call(&bench.runner, &network, "CHECK", "a")
            .stdin(whole.to_string())
            .run(&bench.node)
    };
    let right = json!({"address": "10.1.5.77/24", "gateway": "10.1.5.1"});
    check(json!([right])).assert_silent();
    check(json!([{"address": "fd00::1/64"}, right])).assert_silent();
    let lacks = "prevResult lacks the address 10.1.5.77";
    check(json!([])).assert_refused(105, &[lacks]);
    check(json!([{"address": "10.1.5.7/24"}])).assert_refused(105, &[lacks]);
    let other = json!([{"address": "10.1.5.77/24", "gateway": "10.1.5.254"}]);
    check(other).assert_refused(105, &["10.1.5.77 without its gateway 10.1.5.1"]);
    let without = call(&bench.runner, &network, "CHECK", "a");
    without
        .run(&bench.node)
        .assert_refused(7, &["Required prevResult missing"]);
}

/// Whatever is wrong with a configuration by now, there is nothing that could be left.
#[test]
fn del_and_gc_need_nothing() {
    let bench = Bench::new();
    for keys in [
        json!({}),
        json!({"ipam": 5}),
        json!({"ipam": {"addresses": [{"address": "nonsense"}]}}),
    ] {
        let del = call(&bench.runner, &network("1.1.0", &keys), "DEL", "a");
        let del = del.env("CNI_ARGS", "IP=nonsense;x");
        for netns in ["", "/run/netns/gone", "/run/netns/keeper"] {
            del.clone()
                .env("CNI_NETNS", netns)
                .run(&bench.node)
                .assert_silent();
        }
    }
    let keys = json!({"ipam": {}, "cni.dev/valid-attachments": []});
    call(&bench.runner, &network("1.1.0", &keys), "GC", "")
        .run(&bench.node)
        .assert_silent();
    bench.assert_clean();
}
