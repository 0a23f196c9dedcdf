// SPDX-License-Identifier: Apache-2.0
//! `ingressPolicy`: which pods may reach which, whatever the bridge's own packets go through.

use integration_tests::{Outside, Pod};
use serde_json::{Value, json};

use crate::site::{NO, Site, YES, guarded, network, reaches, reaches_by_port};

/// Whether the packets that stay in a bridge pass iptables.
const SETTINGS: [&str; 2] = ["0", "1"];

fn filter_bridged(site: &Site, on: &str) {
    for protocol in ["iptables", "ip6tables"] {
        let path = format!("/proc/sys/net/bridge/bridge-nf-call-{protocol}");
        site.node.write(path, on);
    }
}

/// The node, the world outside and answers reach every pod.
fn assert_no_island(site: &Site, pods: &[&Pod]) {
    for pod in pods {
        assert_eq!(site.reaches_outside(pod), YES, "{}", site.ruleset());
        assert_eq!(reaches(&site.outside, pod), YES);
        assert_eq!(reaches(&site.node, pod), YES);
    }
}

#[test]
fn same_bridge_keeps_other_bridges_away() {
    for bridged in SETTINGS {
        let site = Site::new();
        filter_bridged(&site, bridged);
        let (here, there) = (guarded(5, "same-bridge"), guarded(6, "same-bridge"));
        let [a, b] = ["a", "b"].map(|name| site.attach(&here, name));
        let c = site.attach(&there, "c");
        let open = site.attach(&network(7, &json!({})), "open");
        assert_eq!(reaches(&a, &b), YES, "bridged: {bridged}");
        for (from, to) in [(&a, &c), (&c, &a)] {
            assert_eq!(reaches(from, to), NO, "bridged: {bridged}");
        }
        // A bridge without a policy is the world outside, as with the reference plugin.
        assert_eq!(reaches(&open, &a), YES);
        assert_eq!(reaches(&a, &open), YES);
        assert_no_island(&site, &[&a, &b, &c, &open]);
    }
}

#[test]
fn isolated_keeps_every_pod_away() {
    for bridged in SETTINGS {
        let site = Site::new();
        filter_bridged(&site, bridged);
        let (alone, there) = (guarded(5, "isolated"), guarded(6, "same-bridge"));
        let [a, b] = ["a", "b"].map(|name| site.attach(&alone, name));
        let c = site.attach(&there, "c");
        for (from, to) in [(&a, &b), (&b, &a), (&a, &c), (&c, &a)] {
            assert_eq!(reaches(from, to), NO, "bridged: {bridged}");
        }
        assert_no_island(&site, &[&a, &b, &c]);
    }
}

/// Two networks on one bridge, with a subnet for each, so that packets are routed, and with one.
#[test]
fn an_open_pod_of_the_same_bridge_does_not_reach_an_isolated_one() {
    let routed = network(6, &json!({})).with(&json!({"bridge": "cni5"}));
    let range = |subnet, start| json!([{"subnet": subnet, "rangeStart": start}]);
    let ranges = [
        range("10.1.5.0/24", "10.1.5.100"),
        range("fd00:1:5::/64", "fd00:1:5::100"),
    ];
    let bridged = routed.with(&json!({"ipam": {"type": "host-local", "ranges": ranges}}));
    for open in [routed, bridged] {
        let site = Site::new();
        filter_bridged(&site, "0");
        let a = site.attach(&guarded(5, "isolated"), "a");
        let [b, c] = ["b", "c"].map(|name| site.attach(&open, name));
        assert_eq!(reaches(&b, &a), NO, "{}", open.text());
        assert_eq!(reaches(&a, &b), NO);
        assert_eq!(reaches(&b, &c), YES);
    }
}

/// The host routes what is in a VLAN of a bridge by an interface of that VLAN.
#[test]
fn vlans_are_kept_away_from_each_other() {
    let site = Site::new();
    let pods = [5, 6].map(|number| {
        let pod = of_vlan(&site, number, "a");
        make_gateway(&site, number);
        guard(&site, number, "same-bridge", &pod);
        pod
    });
    for (from, to) in [(0, 1), (1, 0)] {
        assert_eq!(reaches(&pods[from], &pods[to]), NO);
    }
    assert_no_island(&site, &pods.each_ref());
}

/// That interface is behind a port of the bridge, which is not one of another pod.
#[test]
fn an_isolated_pod_reaches_the_gateway_of_its_vlan() {
    let site = Site::new();
    let pods = ["a", "b"].map(|name| of_vlan(&site, 5, name));
    make_gateway(&site, 5);
    for pod in &pods {
        guard(&site, 5, "isolated", pod);
    }
    assert_eq!(reaches(&pods[0], &pods[1]), NO);
    assert_no_island(&site, &pods.each_ref());
}

/// A pod of a bridge, not guarded yet.
fn of_vlan(site: &Site, number: u8, name: &str) -> Pod {
    site.attach(&network(number, &json!({})), &format!("pod{number}{name}"))
}

/// Moves the gateway's addresses to an interface of a VLAN, made as plugin `bridge` makes it, on a
/// bridge that knows no VLANs.
fn make_gateway(site: &Site, number: u8) {
    let bridge = format!("cni{number}");
    let ip = |arguments: String| site.node.ip(&arguments);
    ip(format!(
        "link add {bridge}.100 up type veth peer name gw{number}"
    ));
    ip(format!("link set gw{number} up master {bridge}"));
    for (gateway, nodad) in [
        (format!("10.1.{number}.1/24"), ""),
        (format!("fd00:1:{number}::1/64"), " nodad"),
    ] {
        ip(format!("address del {gateway} dev {bridge}"));
        ip(format!("address add {gateway} dev {bridge}.100{nodad}"));
    }
}

/// Adds `firewall` behind what has made the pod's interface, with the VLAN's interface in its result.
fn guard(site: &Site, number: u8, policy: &str, pod: &Pod) {
    let guarded = guarded(number, policy);
    let open = network(number, &json!({}));
    let result = site.runner.result(&open, pod.name(), "eth0");
    let mut result = result.expect("the pod is attached");
    let interfaces = result["interfaces"].as_array_mut();
    let interfaces = interfaces.expect("a list of interfaces");
    interfaces.push(json!({"name": format!("cni{number}.100")}));
    let list: Value = serde_json::from_str(&guarded.text()).expect("a conflist is JSON");
    let plugin = &list["plugins"][1];
    let call = |verb| {
        let call = site.runner.call(verb, &guarded, plugin, Some(&result));
        call.env("CNI_CONTAINERID", pod.name())
            .env("CNI_NETNS", pod.netns().display().to_string())
            .env("CNI_IFNAME", "eth0")
    };
    for verb in ["ADD", "CHECK"] {
        assert!(call(verb).run(&site.node).success(), "{verb}");
    }
}

#[test]
fn a_port_of_the_node_is_no_way_around() {
    let site = Site::new();
    let (here, there) = (guarded(5, "same-bridge"), guarded(6, "isolated"));
    let pods = [
        site.attach(&here, "a"),
        site.attach(&there, "b"),
        site.attach(&there, "c"),
    ];
    site.map_port(&pods[2]);
    for from in &pods[..2] {
        assert!(!reaches_by_port(from, &pods[2], Outside::NODE_V4));
    }
    assert!(reaches_by_port(&site.outside, &pods[2], Outside::NODE_V4));
}

/// The same packets pass and the same are dropped as with the reference plugin, where the bridge's
/// own packets pass iptables; without that the reference plugin's `isolated` does nothing.
#[test]
fn the_reference_plugin_drops_the_same() {
    let site = Site::of_reference();
    filter_bridged(&site, "1");
    let (alone, there) = (guarded(5, "isolated"), guarded(6, "same-bridge"));
    let [a, b] = ["a", "b"].map(|name| site.attach(&alone, name));
    let [c, d] = ["c", "d"].map(|name| site.attach(&there, name));
    let open = site.attach(&network(7, &json!({})), "open");
    for (from, to) in [(&a, &b), (&a, &c), (&c, &a)] {
        assert_eq!(reaches(from, to), NO);
    }
    for (from, to) in [(&c, &d), (&open, &a), (&a, &open)] {
        assert_eq!(reaches(from, to), YES);
    }
    assert_no_island(&site, &[&a, &b, &c, &d, &open]);
    filter_bridged(&site, "0");
    assert_eq!(reaches(&a, &b), YES);
}

#[test]
fn rules_do_not_grow_with_pods() {
    let site = Site::new();
    let network = guarded(5, "isolated");
    let rules = || {
        let ruleset = site.ruleset();
        let rule = |line: &&str| line.contains("drop") || line.contains("vmap");
        ruleset.lines().filter(rule).count()
    };
    let _first = site.attach(&network, "first");
    let with_one = rules();
    let pods: Vec<_> = (0..8)
        .map(|n| site.attach(&network, &format!("pod{n}")))
        .collect();
    assert_eq!(rules(), with_one);
    for pod in &pods {
        site.detach(&network, pod);
    }
    assert_eq!(rules(), with_one);
}
