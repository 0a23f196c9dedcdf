// SPDX-License-Identifier: Apache-2.0
//! Each version of the protocol as runtimes of its time know it: the shape of results, and the
//! verbs that exist.

use std::path::Path;

use integration_tests::{Bench, Network, Node, PATIENCE, Runner, bench, binaries, ping};
use serde_json::{Value, json};

const VERSIONS: [&str; 7] = [
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
];
const PLUGINS: [&str; 3] = ["bridge", "host-local", "loopback"];

/// A dual-stack network with everything in its result that a version may have to leave out.
fn network(plugin: &str, version: &str) -> Network {
    let routes = json!([
        {"dst": "0.0.0.0/0"},
        {"dst": "198.51.100.0/24", "gw": "10.1.5.9", "mtu": 1300, "priority": 7},
        {"dst": "::/0"},
    ]);
    let ranges = json!([[{"subnet": "10.1.5.0/24"}], [{"subnet": "fd00:1:5::/64"}]]);
    Network::new(json!({
        "cniVersion": version,
        "name": "pods",
        "type": plugin,
        "bridge": "cni0",
        "isGateway": true,
        "mtu": 1400,
        "ipam": {"type": "host-local", "ranges": ranges, "routes": routes},
    }))
}

/// The result of an ADD on a fresh node.
fn result(plugins: &Path, plugin: &str, version: &str) -> Value {
    let node = Node::new();
    let runner = Runner::with_plugins(&node, plugins);
    let pod = node.pod("a");
    let mut result = runner
        .add(&network(plugin, version), &pod, "eth0")
        .unwrap_or_else(|failure| panic!("{version}: {failure}"));
    for interface in interfaces(&mut result) {
        hide_chance(interface);
    }
    result
}

fn interfaces(result: &mut Value) -> &mut [Value] {
    let list = result.get_mut("interfaces").and_then(Value::as_array_mut);
    list.map_or(&mut [], Vec::as_mut_slice)
}

/// What is different each time becomes `...`: MAC addresses, and names that a plugin makes up.
fn hide_chance(interface: &mut Value) {
    let is_mac = |text: &str| text.parse::<net::Mac>().is_ok();
    assert!(interface["mac"].as_str().is_some_and(is_mac), "{interface}");
    interface["mac"] = json!("...");
    let made_up = |name: &str| name.starts_with("veth");
    if interface["name"].as_str().is_some_and(made_up) {
        interface["name"] = json!("...");
    }
}

/// What `bridge` and `host-local` have to say of [`network`] in this version.
fn expected(plugin: &str, version: &str) -> Value {
    let (v4, v6) = ("10.1.5.2/24", "fd00:1:5::2/64");
    if version < "0.3.0" {
        return json!({
            "cniVersion": version,
            "ip4": {
                "ip": v4,
                "gateway": "10.1.5.1",
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "198.51.100.0/24", "gw": "10.1.5.9"}],
            },
            "ip6": {"ip": v6, "gateway": "fd00:1:5::1", "routes": [{"dst": "::/0"}]},
            "dns": {},
        });
    }
    let mut ips = json!([
        {"address": v4, "gateway": "10.1.5.1"},
        {"address": v6, "gateway": "fd00:1:5::1"},
    ]);
    let routes = bench::configuration(&network(plugin, version))["ipam"]["routes"].clone();
    let mut result = json!({"cniVersion": version, "routes": routes});
    if version < "1.0.0" {
        ips[0]["version"] = json!("4");
        ips[1]["version"] = json!("6");
        result["dns"] = json!({});
    }
    if plugin == "bridge" {
        result["interfaces"] = json!([
            {"name": "cni0", "mac": "..."},
            {"name": "...", "mac": "..."},
            {"name": "eth0", "mac": "...", "sandbox": "/run/netns/a"},
        ]);
        for index in 0..2 {
            ips[index]["interface"] = json!(2);
        }
        for index in 0..3 {
            if version == "1.1.0" {
                result["interfaces"][index]["mtu"] = json!(1400);
            }
        }
    }
    result["ips"] = ips;
    result
}

#[test]
fn a_result_has_the_shape_of_its_version() {
    for version in VERSIONS {
        for plugin in ["bridge", "host-local"] {
            let found = result(binaries::plugins(), plugin, version);
            assert_eq!(found, expected(plugin, version), "{plugin} {version}");
        }
    }
}

#[test]
fn a_result_is_that_of_the_reference_plugins() {
    for version in VERSIONS {
        for plugin in ["bridge", "host-local"] {
            let mut ours = result(binaries::plugins(), plugin, version);
            // What only Podwire reports.
            for interface in interfaces(&mut ours) {
                interface.as_object_mut().unwrap().remove("mtu");
            }
            let theirs = result(&binaries::go_plugins(), plugin, version);
            assert_eq!(ours, theirs, "{plugin} {version}");
        }
    }
}

#[test]
fn loopback_has_the_shape_of_its_version() {
    let ip = |address| json!({"address": address, "interface": 0});
    for version in VERSIONS {
        let mut lo = json!({
            "cniVersion": version,
            "interfaces": [{"name": "lo", "mac": "...", "sandbox": "/run/netns/a"}],
            "ips": [ip("127.0.0.1/8"), ip("::1/128")],
        });
        if version < "1.0.0" {
            lo["ips"][0]["version"] = json!("4");
            lo["ips"][1]["version"] = json!("6");
            lo["dns"] = json!({});
        }
        if version < "0.3.0" {
            let (v4, v6) = (json!({"ip": "127.0.0.1/8"}), json!({"ip": "::1/128"}));
            lo = json!({"cniVersion": version, "ip4": v4, "ip6": v6, "dns": {}});
        }
        let found = result(binaries::plugins(), "loopback", version);
        assert_eq!(found, lo, "{version}");
    }
}

#[test]
fn a_version_that_is_not_said_is_the_first_one() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let _pod = node.pod("a");
    let network = network("bridge", "0.1.0");
    let mut configuration = bench::configuration(&network);
    for unsaid in [json!(null), json!("")] {
        configuration["cniVersion"] = unsaid;
        let call = |verb| bench::call(&runner, &network, verb, "a");
        let add = call("ADD").stdin(configuration.to_string()).run(&node);
        assert_eq!(add.result()["cniVersion"], "0.1.0");
        let del = call("DEL").stdin(configuration.to_string());
        del.run(&node).assert_silent();
    }
}

#[test]
fn verbs_begin_with_their_version() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let pod = node.pod("a");
    for (verb, first) in [("CHECK", "0.4.0"), ("GC", "1.1.0"), ("STATUS", "1.1.0")] {
        for (plugin, version) in PLUGINS.iter().flat_map(|p| VERSIONS.map(|v| (p, v))) {
            let network = network(plugin, version);
            let result = runner.add(&network, &pod, "eth0").unwrap();
            let mut configuration = bench::configuration(&network);
            configuration["prevResult"] = result;
            configuration["cni.dev/valid-attachments"] =
                json!([{"containerID": "a", "ifname": "eth0"}]);
            let call = bench::call(&runner, &network, verb, "a");
            let outcome = call.stdin(configuration.to_string()).run(&node);
            if version < first {
                let words = [format!("config version does not allow {verb}")];
                outcome.assert_refused(1, &words.each_ref().map(String::as_str));
            } else {
                outcome.assert_silent();
            }
            runner.del(&network, &pod, "eth0").unwrap();
        }
    }
}

#[test]
fn cnitool_drives_every_version() {
    for version in VERSIONS {
        let node = Node::new();
        node.install(&network("bridge", version));
        let (a, b) = (node.pod("a"), node.pod("b"));
        let cnitool = |verb, pod| node.cnitool(verb, "pods", pod, &[]);
        let result = cnitool("add", &a).result();
        assert_eq!(result["cniVersion"], version);
        cnitool("add", &b).result();
        for address in [b.ipv4("eth0"), b.ipv6("eth0")] {
            assert!(ping(&a, address, PATIENCE), "{version}");
        }
        if version >= "0.4.0" {
            cnitool("check", &a).assert_silent();
        }
        cnitool("status", &a).assert_silent();
        cnitool("gc", &a).assert_silent();
        for pod in [&a, &b] {
            cnitool("del", pod).assert_silent();
            assert_eq!(pod.interfaces(), [""; 0]);
        }
        assert_eq!(bench::leases(&node, "pods"), [""; 0]);
    }
}

#[test]
fn layer_2_has_no_result_before_0_3_0_and_is_refused_before_any_change() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    for (version, bridge) in [("0.1.0", "cni0"), ("0.2.0", "cni0"), ("0.2.0", "new0")] {
        let keys = json!({"cniVersion": version, "bridge": bridge});
        let network = Network::of_layer2("flat", keys);
        let call = bench::call(&bench.runner, &network, "ADD", "a");
        bench.assert_refuses(&call, 7, &[version, "without addresses", "0.3.0", "ipam"]);
        assert_eq!(pod.interfaces(), [""; 0]);
    }
}

#[test]
fn two_addresses_of_a_family_have_no_result_before_0_3_0_but_their_end() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let configuration = |version: &str| {
        let ranges = json!([[{"subnet": "10.1.6.0/24"}], [{"subnet": "10.1.7.0/24"}]]);
        let keys = json!({"cniVersion": version, "ipam": {"type": "host-local", "ranges": ranges}});
        bench::configuration(&Network::of_bridge("pods", &[], keys))
    };
    let refused = "CNI version 0.2.0 does not support more than 1 address per family";
    let call = |verb, version| bench.call_with(verb, "a", &configuration(version));
    bench.assert_refuses(&call("ADD", "0.2.0"), 7, &[refused]);
    call("ADD", "0.3.1").run(&bench.node).result();
    // A configuration that was set back meanwhile.
    call("DEL", "0.2.0").run(&bench.node).assert_silent();
    assert_eq!(pod.interfaces(), [""; 0]);
    assert_eq!(bench.leases(), ["10.1.5.2", "fd00:1:5::2"]);
}
