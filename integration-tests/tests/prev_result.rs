// SPDX-License-Identifier: Apache-2.0
//! prevResult that is missing, malformed or of another version: ADD and CHECK refuse it, DEL does
//! without.

use integration_tests::binaries::PLUGINS;
use integration_tests::{Bench, Network, Runner, changed};
use serde_json::{Value, json};

/// What is no result under a configuration of 1.1.0; code and words of the error.
fn malformed() -> Vec<(Value, u64, &'static str)> {
    let ip = |ip: Value| json!({"cniVersion": "1.1.0", "ips": [ip]});
    vec![
        (json!("text"), 6, "expected"),
        (json!(5), 6, "expected"),
        (json!([]), 6, "expected"),
        (json!(true), 6, "expected"),
        (
            json!({"cniVersion": 1.1}),
            6,
            "cniVersion: expected a string",
        ),
        (json!({"cniVersion": "9.9.9"}), 1, "9.9.9"),
        (
            json!({"cniVersion": "0.2.0"}),
            6,
            "CNI 0.2.0 under a configuration of CNI 1.1.0",
        ),
        (
            json!({"cniVersion": "0.4.0"}),
            6,
            "CNI 0.4.0 under a configuration of CNI 1.1.0",
        ),
        (json!({"ips": {}}), 6, "ips: expected"),
        (
            json!({"interfaces": [{"name": 5}]}),
            6,
            "interfaces[0].name: expected a string",
        ),
        (
            json!({"interfaces": ["eth0"]}),
            6,
            "interfaces[0]: expected",
        ),
        (json!({"dns": []}), 6, "dns: expected"),
        (ip(json!({})), 7, "ips[0]: missing field `address`"),
        (
            ip(json!({"address": "10.1.5.9"})),
            7,
            "ips[0].address: invalid CIDR address: 10.1.5.9",
        ),
        (
            ip(json!({"address": "10.1.5.9/24", "gateway": "x"})),
            7,
            "ips[0].gateway: invalid IP",
        ),
        (
            ip(json!({"address": "10.1.5.9/24", "interface": "2"})),
            6,
            "ips[0].interface: expected",
        ),
        (
            json!({"routes": [{"dst": "default"}]}),
            7,
            "routes[0].dst: invalid CIDR",
        ),
    ]
}

#[test]
fn add_and_check_refuse_what_is_no_result() {
    let bench = Bench::new();
    let _pod = bench.node.pod("a");
    for (result, code, word) in malformed() {
        for (plugin, verb) in PLUGINS
            .iter()
            .flat_map(|p| ["ADD", "CHECK"].map(|v| (p, v)))
        {
            let whole = changed(&bench.configuration(), "type", json!(plugin));
            let whole = changed(&whole, "prevResult", result.clone());
            let call = bench.call_with(verb, "a", &whole);
            let words = ["could not parse prevResult", word];
            call.run(&bench.node).assert_refused(code, &words);
        }
        bench.assert_clean();
    }
}

#[test]
fn del_does_without_a_result() {
    let bench = Bench::new();
    let mut results: Vec<_> = malformed().into_iter().map(|(result, ..)| result).collect();
    results.push(json!(null));
    results.push(json!({"interfaces": [{"name": "eth0"}], "ips": []}));
    for result in results {
        let pod = bench.attach("a");
        let whole = changed(&bench.configuration(), "prevResult", result);
        bench
            .call_with("DEL", "a", &whole)
            .run(&bench.node)
            .assert_silent();
        assert_eq!(pod.interfaces(), [""; 0]);
        bench.assert_clean();
    }
}

#[test]
fn check_needs_a_result() {
    let mut bench = Bench::new();
    let _pod = bench.attach("a");
    bench.settle();
    for plugin in ["bridge", "flannel", "host-local"] {
        for result in [json!(null), json!("absent")] {
            let mut whole = changed(&bench.configuration(), "type", json!(plugin));
            whole["prevResult"] = result;
            if whole["prevResult"] == "absent" {
                whole.as_object_mut().unwrap().remove("prevResult");
            }
            let call = bench.call_with("CHECK", "a", &whole);
            bench.assert_refuses(&call, 7, &["Required prevResult missing"]);
        }
    }
}

#[test]
fn a_result_without_a_version_has_its_configurations() {
    let bench = Bench::new();
    let _pod = bench.attach("a");
    let result = bench.runner.result(&bench.network, "a", "eth0").unwrap();
    let mut whole = bench.configuration();
    for version in [json!(""), json!(null), json!("1.0.0")] {
        whole["prevResult"] = result.clone();
        whole["prevResult"]["cniVersion"] = version;
        bench
            .call_with("CHECK", "a", &whole)
            .run(&bench.node)
            .assert_silent();
    }
}

#[test]
fn loopback_hands_on_what_was_there() {
    let bench = Bench::new();
    let pod = bench.attach("a");
    let result = bench.runner.result(&bench.network, "a", "eth0").unwrap();
    let runner = Runner::new(&bench.node);
    let chain = json!({
        "cniVersion": "1.1.0",
        "name": "pods",
        "plugins": [bench.configuration(), {"type": "loopback"}],
    });
    bench.runner.del(&bench.network, &pod, "eth0").unwrap();
    let network = Network::new(chain);
    let chained = runner.add(&network, &pod, "eth0").unwrap();
    assert_eq!(chained["ips"][0]["gateway"], result["ips"][0]["gateway"]);
    assert_eq!(chained["routes"], result["routes"]);
    assert_eq!(chained["interfaces"][2]["name"], "eth0");
    assert!(pod.ip("-brief link show lo").contains("UP"));
    runner.check(&network, &pod, "eth0").unwrap();
    runner.del(&network, &pod, "eth0").unwrap();
    bench.assert_clean();
}

#[test]
fn an_index_that_leads_nowhere_is_no_reason_to_panic() {
    let bench = Bench::new();
    let _pod = bench.attach("a");
    let result = bench.runner.result(&bench.network, "a", "eth0").unwrap();
    let mut whole = bench.configuration();
    for index in [json!(3), json!(4_000_000_000_u64)] {
        whole["prevResult"] = result.clone();
        whole["prevResult"]["ips"][0]["interface"] = index;
        let outcome = bench.call_with("CHECK", "a", &whole).run(&bench.node);
        assert!(outcome.success() || outcome.error().0 == 105, "{outcome}");
        bench
            .call_with("DEL", "nobody", &whole)
            .run(&bench.node)
            .assert_silent();
    }
}

/// Interfaces, addresses and routes of plugins behind are theirs to check; no gateway of the
/// bridge belongs to them.
#[test]
fn what_plugins_behind_report_is_not_missed() {
    let bench = Bench::new();
    let pod = bench.attach("a");
    let mut result = bench.runner.result(&bench.network, "a", "eth0").unwrap();
    let call = |result: &Value| {
        let whole = changed(&bench.configuration(), "prevResult", result.clone());
        bench.call_with("CHECK", "a", &whole).run(&bench.node)
    };
    pod.ip("link add net1 up type veth peer name net2");
    pod.ip("link set net2 up");
    pod.ip("address add 10.66.0.5/24 dev net1");
    pod.ip("route add 10.67.0.0/16 via 10.66.0.1");
    let extend = |list: &mut Value, item| list.as_array_mut().unwrap().push(item);
    let interface = json!({"name": "net1", "sandbox": "/run/netns/a"});
    extend(&mut result["interfaces"], interface);
    extend(
        &mut result["ips"],
        json!({"address": "10.66.0.5/24", "interface": 3}),
    );
    let route = json!({"dst": "10.67.0.0/16", "gw": "10.66.0.1"});
    extend(&mut result["routes"], route);
    call(&result).assert_silent();
    pod.ip("route delete 10.67.0.0/16");
    let (code, text) = call(&result).error();
    assert!(
        code == 105 && text.contains("10.67.0.0/16"),
        "{code} {text}"
    );
}
