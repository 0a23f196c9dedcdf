// SPDX-License-Identifier: Apache-2.0
//! What the keys do, and what is refused, by ADD and beforehand by STATUS.

use integration_tests::{Bench, Network, Node, Outside, PATIENCE, Runner, changed, ping};
use serde_json::{Value, json};

use crate::{bench, network};

#[test]
fn without_mtu_the_device_of_the_default_route_decides() {
    let node = Node::new();
    let _outside = Outside::new(&node, 1280);
    let runner = Runner::new(&node);
    for (keys, mtu) in [
        (json!({}), 1280),
        (json!({"mtu": 1400}), 1400),
        (json!({"mtu": 9000}), 9000),
    ] {
        let network = network(keys);
        let pod = runner.attach(&network, &node);
        assert_eq!(pod.link("eth0").mtu, mtu);
        assert_eq!(node.link(&runner.port(&network, &pod)).mtu, mtu);
        runner.del(&network, &pod, "eth0").unwrap();
    }
}

#[test]
fn dns_of_the_configuration_replaces_that_of_ipam() {
    let node = Node::new();
    node.write("/run/lab/resolv.conf", "nameserver 192.0.2.53\n");
    let runner = Runner::new(&node);
    let of_ipam = network(json!({})).with_at(
        0,
        &json!({"ipam": {"type": "host-local",
        "ranges": [[{"subnet": "10.88.0.0/24"}]], "resolvConf": "/run/lab/resolv.conf"}}),
    );
    for (keys, expected) in [
        (json!({}), json!({"nameservers": ["192.0.2.53"]})),
        (
            json!({"dns": {"domain": "own.example"}}),
            json!({"domain": "own.example"}),
        ),
    ] {
        let network = of_ipam.with(&keys);
        let pod = runner.attach(&network, &node);
        let result = runner.result(&network, pod.name(), "eth0").unwrap();
        assert_eq!(result["dns"], expected);
    }
}

#[test]
fn values_that_cannot_be_are_refused_and_change_nothing() {
    let bench = bench();
    let _pod = bench.node.pod("a");
    for (key, value, words) in [
        ("mtu", json!(67), "invalid mtu 67"),
        ("mtu", json!(-1), "invalid mtu -1"),
        ("mtu", json!(65536), "invalid mtu 65536"),
        ("ipMasqBackend", json!("x"), r#"unknown ipmasq backend "x""#),
        (
            "nonMasqueradeCIDRs",
            json!(["10.0.0.1"]),
            "invalid CIDR address: 10.0.0.1",
        ),
        ("ipam", Value::Null, "ipam.type is missing"),
        ("ipam", json!({}), "ipam.type is missing"),
        ("ipam", json!({"type": ""}), "ipam.type is missing"),
        ("ipam", json!({"type": "a/b"}), "invalid plugin name: a/b"),
        ("ipam", json!({"type": "ptp"}), "can't be its own delegate"),
    ] {
        let configuration = changed(&bench.configuration(), key, value);
        for verb in ["ADD", "STATUS"] {
            let call = bench.call_with(verb, "a", &configuration);
            bench.assert_refuses(&call, 7, &[words]);
        }
    }
}

#[test]
fn an_mtu_that_ipv6_cannot_do_with_is_refused_and_ipv4_does_with_it() {
    let bench = bench();
    let pod = bench.node.pod("a");
    let configuration = changed(&bench.configuration(), "mtu", json!(1279));
    let call = bench.call_with("ADD", "a", &configuration);
    bench.assert_refuses(&call, 7, &["invalid mtu 1279", "1280", "fd00:1:5::3/64"]);
    assert_eq!(pod.interfaces(), [""; 0]);
    let v4 = Network::of_ptp("v4", &["10.88.0.0/24"], json!({"mtu": 1279}));
    let pod = bench.runner.attach(&v4, &bench.node);
    assert!(ping(&bench.node, pod.ipv4("eth0"), PATIENCE));
}

#[test]
fn status_tells_what_ipam_says() {
    let bench = bench();
    bench.runner.status(&bench.network).unwrap();
    let configuration = changed(&bench.configuration(), "ipam", json!({"type": "missing"}));
    let status = bench.call_with("STATUS", "a", &configuration);
    bench.assert_refuses(&status, 50, &["missing"]);
}

/// A pod of an IPAM plugin that says what a test wants it to.
fn told(bench: &Bench, says: &Value) -> (String, Value) {
    let path = bench.script(
        "told",
        &format!("cat >/dev/null; [ $CNI_COMMAND != ADD ] || echo '{says}'"),
    );
    let configuration = changed(&bench.configuration(), "ipam", json!({"type": "told"}));
    (path, configuration)
}

#[test]
fn several_addresses_of_a_family_are_all_reached() {
    let bench = bench();
    let says = json!({"cniVersion": "1.1.0", "ips": [
        {"address": "10.1.5.77/24", "gateway": "10.1.5.1"},
        {"address": "10.1.5.78/24", "gateway": "10.1.5.1"},
        {"address": "10.77.0.5/32", "gateway": "169.254.1.1"},
        {"address": "fd00:1:5::77/64", "gateway": "fd00:1:5::1"},
        {"address": "fd00:77::5/128", "gateway": "fe80::77"},
    ], "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"},
                  {"dst": "198.51.100.0/24", "gw": "169.254.1.1", "mtu": 1300}]});
    let (path, configuration) = told(&bench, &says);
    let pod = bench.node.pod("a");
    let call = bench.call_with("ADD", "a", &configuration);
    let result = call.env("CNI_PATH", &path).run(&bench.node).result();
    for address in pod.all_addresses() {
        assert!(ping(&bench.node, address, PATIENCE), "{address}");
        assert!(ping(&bench.keeper, address, PATIENCE), "{address}");
    }
    for address in [bench.keeper.ipv4("eth0"), bench.keeper.ipv6("eth0")] {
        assert!(ping(&pod, address, PATIENCE), "{address}");
    }
    let told = pod.ip("route get 198.51.100.1");
    assert!(
        told.contains("via 169.254.1.1") && told.contains("mtu 1300"),
        "{told}"
    );
    let mut with_result = configuration.clone();
    with_result["prevResult"] = result;
    for verb in ["CHECK", "DEL"] {
        let call = bench.call_with(verb, "a", &with_result);
        call.env("CNI_PATH", &path).run(&bench.node).assert_silent();
    }
    bench.assert_clean();
}

#[test]
fn addresses_that_leave_the_host_without_one_are_refused() {
    let bench = bench();
    let pod = bench.node.pod("a");
    for (ips, code, words) in [
        (json!([]), 101, "missing IP config"),
        (
            json!([{"address": "10.1.5.77/24"}]),
            101,
            "no gateway for 10.1.5.77/24",
        ),
        (
            json!([{"address": "10.1.5.77/24", "gateway": "10.1.5.77"}]),
            103,
            "the gateway's own address",
        ),
    ] {
        let says = json!({"cniVersion": "1.1.0", "ips": ips});
        let (path, configuration) = told(&bench, &says);
        let call = bench.call_with("ADD", "a", &configuration);
        bench.assert_refuses(&call.env("CNI_PATH", path), code, &[words]);
        assert_eq!(pod.interfaces(), [""; 0]);
    }
}

#[test]
fn each_version_is_answered_in_its_own_shape() {
    for version in [
        "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
    ] {
        let node = Node::new();
        let runner = Runner::new(&node);
        let network: Network = network(json!({"cniVersion": version}));
        let pod = runner.attach(&network, &node);
        let result = runner.result(&network, pod.name(), "eth0").unwrap();
        assert_eq!(result["cniVersion"], version);
        if version < "0.3.0" {
            assert_eq!(result["ip4"]["ip"], "10.88.0.2/24", "{version}");
            assert_eq!(result["ip6"]["gateway"], "fd00:88::1", "{version}");
        } else {
            assert_eq!(result["ips"][0]["interface"], 1, "{version}");
            let mtu = &result["interfaces"][0]["mtu"];
            assert_eq!(mtu.is_null(), version < "1.1.0", "{version}");
        }
        runner.del(&network, &pod, "eth0").unwrap();
        assert_eq!(pod.interfaces(), [""; 0]);
    }
}
