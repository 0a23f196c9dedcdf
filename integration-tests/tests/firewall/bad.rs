// SPDX-License-Identifier: Apache-2.0
//! What is refused, before anything is changed; and the versions.

use integration_tests::bench::{self, Bench};
use integration_tests::{Network, changed};
use serde_json::{Value, json};

fn configuration() -> Value {
    json!({"cniVersion": "1.1.0", "name": "pods", "type": "firewall"})
}

#[test]
fn values_that_cannot_be_are_refused() {
    let bench = Bench::new();
    let base = changed(
        &configuration(),
        "prevResult",
        json!({"cniVersion": "1.1.0"}),
    );
    for (key, value, words) in [
        (
            "ingressPolicy",
            json!("closed"),
            ["unknown ingress policy", "\"closed\""],
        ),
        ("backend", json!("ufw"), ["unrecognized backend", "\"ufw\""]),
        (
            "iptablesAdminChainName",
            json!("FORWARD"),
            ["iptablesAdminChainName", "\"FORWARD\""],
        ),
        (
            "iptablesAdminChainName",
            json!("a b"),
            ["iptablesAdminChainName", "\"a b\""],
        ),
        (
            "ingressPolicy",
            json!("isolated"),
            ["\"isolated\"", "\"bridge\""],
        ),
    ] {
        let conf = changed(&base, key, value);
        for verb in ["ADD", "CHECK"] {
            let call = bench.call_with(verb, "keeper", &conf);
            bench.assert_refuses(&call, 7, &words);
        }
        let conf = changed(&conf, "prevResult", Value::Null);
        bench
            .call_with("DEL", "keeper", &conf)
            .run(&bench.node)
            .assert_silent();
    }
}

#[test]
fn a_way_is_opened_for_addresses_that_the_container_has() {
    let bench = Bench::new();
    let told = json!({
        "cniVersion": "1.1.0",
        "interfaces": [{"name": "eth0", "sandbox": "/run/netns/keeper"}],
        "ips": [{"address": "10.9.9.9/24", "interface": 0}],
    });
    let conf = changed(&configuration(), "prevResult", told);
    let add = bench.call_with("ADD", "keeper", &conf);
    let words = ["prevResult does not match the sandbox", "10.9.9.9"];
    bench.assert_refuses(&add, 7, &words);
}

#[test]
fn a_result_is_needed_to_add_and_to_check() {
    let bench = Bench::new();
    let add = bench.call_with("ADD", "keeper", &configuration());
    bench.assert_refuses(&add, 7, &["must be called as chained plugin"]);
    let check = bench.call_with("CHECK", "keeper", &configuration());
    bench.assert_refuses(&check, 7, &["prevResult missing"]);
}

#[test]
fn versions_begin_with_0_4_0() {
    let bench = Bench::new();
    let call = bench.call_with("VERSION", "keeper", &configuration());
    let answer = call.run(&bench.node).result();
    assert_eq!(
        answer["supportedVersions"],
        json!(["0.4.0", "1.0.0", "1.1.0"])
    );
    for version in ["0.3.1", "2.0.0"] {
        let conf = changed(&configuration(), "cniVersion", json!(version));
        let call = bench.call_with("ADD", "keeper", &conf);
        bench.assert_refuses(&call, 1, &["incompatible CNI versions", version]);
    }
    // The runtime goes on to the plugins before, whose ADD has succeeded.
    let conf = changed(&configuration(), "cniVersion", json!("0.3.1"));
    let del = bench.call_with("DEL", "keeper", &conf);
    del.run(&bench.node).assert_silent();
}

#[test]
fn every_version_gets_the_result_of_the_plugin_before() {
    let bench = Bench::new();
    for version in ["0.4.0", "1.0.0", "1.1.0"] {
        let text = bench.network.text().replace("1.1.0", version);
        let bare = Network::parse(&text);
        let network = bare.followed_by(json!({"type": "firewall"}));
        let pod = bench.node.any_pod();
        bench.runner.add(&network, &pod, "eth0").unwrap();
        let result = bench.runner.result(&network, pod.name(), "eth0").unwrap();
        assert_eq!(result["cniVersion"], version);
        let given = json!({"cniVersion": version, "name": "pods", "type": "firewall", "prevResult": result});
        let call = bench::call(&bench.runner, &Network::new(given), "ADD", pod.name());
        assert_eq!(call.run(&bench.node).result(), result);
        bench.runner.check(&network, &pod, "eth0").unwrap();
        bench.runner.del(&network, &pod, "eth0").unwrap();
    }
}
