// SPDX-License-Identifier: Apache-2.0
//! One table of configurations, put to Podwire's plugin and to the reference plugin: the same
//! results, in each version of the protocol.

use integration_tests::bench::call;
use integration_tests::{Node, Outcome, Runner, binaries};
use serde_json::{Value, json};

use crate::network;

const VERSIONS: [&str; 7] = [
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
];

/// Keys of a configuration, and CNI_ARGS.
fn cases() -> Vec<(Value, &'static str)> {
    let own = json!({"addresses": [{"address": "10.1.2.3/24", "gateway": "10.1.2.1"}]});
    let whole = json!({
        "addresses": [
            {"address": "10.1.2.3/24", "gateway": "10.1.2.1"},
            {"address": "fd00:1::3/64", "gateway": "fd00:1::1"},
        ],
        "routes": [
            {"dst": "0.0.0.0/0"},
            {"dst": "198.51.100.0/24", "gw": "10.1.2.9", "mtu": 1300, "priority": 7},
            {"dst": "::/0", "gw": "fd00:1::1"},
        ],
        "dns": {"nameservers": ["10.1.2.1"], "domain": "a.example", "search": ["b.example"]},
    });
    let list = |ips: Value| json!({"ipam": own, "runtimeConfig": {"ips": ips}});
    let args = |ips: Value| json!({"ipam": own, "args": {"cni": {"ips": ips}}});
    let both = json!({"ipam": own, "args": {"cni": {"ips": ["10.4.0.4/24"]}},
        "runtimeConfig": {"ips": ["10.5.0.5/24"]}});
    let placeholder = json!({"ipam": {"addresses": [{"address": "of the runtime"}]},
        "runtimeConfig": {"ips": ["10.5.0.5/24"]}});
    let kubernetes = "IgnoreUnknown=1;K8S_POD_NAME=a;IP=10.9.0.9/16;GATEWAY=10.9.0.1";
    vec![
        (json!({ "ipam": whole }), ""),
        (json!({"ipam": whole}), "IP=fd00:9::9/64"),
        (json!({ "ipam": own }), ""),
        (json!({"ipam": own}), "IP=;GATEWAY="),
        (json!({"ipam": own}), "GATEWAY=10.1.2.7"),
        (json!({"ipam": {}}), kubernetes),
        (
            json!({"ipam": {}}),
            "IP=10.9.0.9/16, fd00::9/64;GATEWAY=fd00::1,10.9.0.1",
        ),
        (
            json!({"ipam": {}}),
            "IP=10.9.0.9/16;GATEWAY=10.9.0.1,10.9.0.2,192.0.2.1",
        ),
        (list(json!(["10.3.0.3/24", "fd00:3::3/64"])), kubernetes),
        (list(json!([])), ""),
        (args(json!(["10.3.0.3/24"])), kubernetes),
        (both, ""),
        (placeholder, ""),
    ]
}

/// The same, of addresses that are unusual.
fn unusual() -> Vec<(Value, &'static str)> {
    let address = |keys: Value| json!({"ipam": {"addresses": [keys]}});
    vec![
        (
            address(json!({"address": "10.1.2.3/32", "gateway": "169.254.1.1"})),
            "",
        ),
        (
            address(json!({"address": "10.1.2.0/24", "gateway": ""})),
            "",
        ),
        (
            address(json!({"ADDRESS": "10.1.2.255/24", "Gateway": null})),
            "",
        ),
        (address(json!({"address": "::ffff:10.1.2.3/120"})), ""),
        (
            address(json!({"address": "10.1.2.1/24", "gateway": "10.1.2.1"})),
            "",
        ),
        (address(json!({"address": "127.0.0.9/8"})), ""),
    ]
}

fn add(runner: &Runner, node: &Node, version: &str, case: &(Value, &str)) -> Outcome {
    let network = network(version, &case.0);
    call(runner, &network, "ADD", "a")
        .env("CNI_ARGS", case.1)
        .run(node)
}

#[test]
fn results_are_those_of_the_reference_plugin() {
    let node = Node::new();
    let ours = Runner::new(&node);
    let theirs = Runner::with_plugins(&node, binaries::go_plugins());
    for case in cases().into_iter().chain(unusual()) {
        for version in VERSIONS {
            let answer = |runner| {
                let outcome = add(runner, &node, version, &case);
                outcome.success().then(|| outcome.json())
            };
            let (found, expected) = (answer(&ours), answer(&theirs));
            // Two addresses of a family are refused by both before 0.3.0.
            assert!(
                expected.is_some() || version < "0.3.0",
                "{version} {case:?}"
            );
            assert_eq!(found, expected, "{version} {case:?}");
        }
    }
}

/// What both refuse, with the reference plugin's words.
#[test]
fn refusals_are_those_of_the_reference_plugin() {
    let node = Node::new();
    let ours = Runner::new(&node);
    let theirs = Runner::with_plugins(&node, binaries::go_plugins());
    let own = json!({"addresses": [{"address": "10.1.2.3/24"}]});
    let two = json!({"addresses": [{"address": "10.1.2.3/24"}, {"address": "10.1.2.4/24"}]});
    for (version, keys, args, words) in [
        ("1.0.0", json!({}), "", "IPAM config missing 'ipam' key"),
        (
            "1.0.0",
            json!({"ipam": {"addresses": [{"address": "10.1.2.3"}]}}),
            "",
            "the 'address' field is expected to be in CIDR notation, got: '10.1.2.3'",
        ),
        (
            "1.0.0",
            json!({"ipam": own}),
            "IP=10.1.2.9",
            "the 'ip' field is expected to be in CIDR notation, got: '10.1.2.9'",
        ),
        (
            "1.0.0",
            json!({"ipam": own}),
            "GATEWAY=x",
            "invalid gateway address: x",
        ),
        (
            "1.0.0",
            json!({"ipam": own, "args": {"cni": {"ips": ["10.1.2.9"]}}}),
            "",
            "an entry in the 'ips' field is NOT in CIDR notation, got: '10.1.2.9'",
        ),
        (
            "0.2.0",
            json!({"ipam": two}),
            "",
            "CNI version 0.2.0 does not support more than 1 address per family",
        ),
        (
            "0.2.0",
            json!({"ipam": {}}),
            "",
            "cannot convert: no valid IP addresses",
        ),
    ] {
        for runner in [&ours, &theirs] {
            let case = (keys.clone(), args);
            let outcome = add(runner, &node, version, &case);
            let (code, text) = outcome.error();
            assert!(text.contains(words), "{code} {text}");
        }
    }
}

#[test]
fn without_addresses_a_result_is_the_rest() {
    let node = Node::new();
    let routes = json!([{"dst": "0.0.0.0/0", "gw": "10.1.2.1"}]);
    let case = (json!({"ipam": {"routes": routes}}), "");
    for directory in [binaries::plugins(), &binaries::go_plugins()] {
        let runner = Runner::with_plugins(&node, directory);
        let result = add(&runner, &node, "1.1.0", &case).result();
        assert_eq!(result["routes"], routes);
        assert_eq!(result["ips"], Value::Null);
    }
}
