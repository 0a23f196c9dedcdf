// SPDX-License-Identifier: Apache-2.0
//! Packets of an attachment fit the overlay, and those that do not are answered: none is lost
//! without a word between a node and its pods.

use integration_tests::{LoneNode, Network, PATIENCE, Pod, ping, ping_sized, ping_unfragmented};
use nix::errno::Errno;
use serde_json::{Value, json};

/// What the overlay leaves of the underlay's 1500 bytes.
const CARRIED: usize = 1450;

fn network(bridge: &Value) -> Network {
    Network::of_lone_node(&json!({"nodes": LoneNode::nodes(1)})).with(bridge)
}

/// The node reaches a pod with packets of exactly the MTU, learns that larger ones do not pass, and
/// cuts what it may cut.
fn assert_nothing_lost(site: &LoneNode, pod: &Pod) {
    let address = pod.ipv4("eth0");
    let whole = |length| ping_unfragmented(&site.node, address, length, PATIENCE);
    assert!(whole(CARRIED).is_ok(), "{:?}", whole(CARRIED));
    let error = whole(CARRIED + 1).expect_err("it is too long");
    assert_eq!(
        error.raw_os_error(),
        Some(Errno::EMSGSIZE as i32),
        "{error}"
    );
    assert!(ping_sized(&site.node, address, 4000, PATIENCE));
    let gateway = site.node.ipv4("cni0");
    assert!(ping_unfragmented(pod, gateway, CARRIED, PATIENCE).is_ok());
    assert!(ping_sized(pod, gateway, 4000, PATIENCE));
}

#[test]
fn bridge_and_pods_have_the_overlays_mtu_from_the_first_pod_on() {
    let site = LoneNode::new();
    let network = network(&json!({}));
    for _ in 0..3 {
        let pod = site.node.any_pod();
        let result = site.add(&network, &pod);
        for index in 0..3 {
            assert_eq!(result["interfaces"][index]["mtu"], CARRIED, "{result}");
        }
        assert_eq!(site.node.mtu("cni0"), 1450);
        assert_nothing_lost(&site, &pod);
    }
}

#[test]
fn the_kernel_is_left_to_lower_the_bridge() {
    let site = LoneNode::new();
    let network = network(&json!({}));
    let pod = site.runner.attach(&network.first_plugin(), &site.node);
    assert_eq!(site.node.mtu("cni0"), 1500);
    let call = site.vxlan(&site.runner, &network, &pod);
    let outcome = call.run(&site.node);
    assert!(outcome.success() && outcome.stderr.is_empty(), "{outcome}");
    assert_eq!(outcome.result()["interfaces"][0]["mtu"], 1450);
    // By hand it would not follow its ports any more.
    let port = site.runner.port(&network, &pod);
    site.node.ip(&format!("link set {port} mtu 1400"));
    assert_eq!(site.node.mtu("cni0"), 1400);
}

#[test]
fn a_bridge_that_is_told_more_is_given_less() {
    let site = LoneNode::new();
    let network = network(&json!({"mtu": 1500}));
    for _ in 0..3 {
        let pod = site.node.any_pod();
        let result = site.add(&network, &pod);
        assert_eq!(result["interfaces"][0]["mtu"], CARRIED, "{result}");
        assert_nothing_lost(&site, &pod);
        assert_eq!(site.check(&network, &pod), None);
    }
}

#[test]
fn less_than_the_overlay_carries_stays() {
    let site = LoneNode::new();
    let network = network(&json!({"mtu": 1300}));
    let pod = site.node.any_pod();
    let result = site.add(&network, &pod);
    assert_eq!(result["interfaces"][2]["mtu"], 1300, "{result}");
    assert_eq!(pod.mtu("eth0"), 1300);
    assert_eq!(site.check(&network, &pod), None);
}

#[test]
fn the_smaller_of_two_families_counts() {
    let site = LoneNode::new();
    let own = json!({"name": "own", "underlay": ["192.0.2.2", "2001:db8::2"],
        "podCIDRs": ["10.200.0.0/24", "fd00:200::/64"]});
    let keys = json!({"nodes": [own], "network": ["10.200.0.0/16", "fd00:200::/48"]});
    let pod = site.node.any_pod();
    site.add(&Network::of_lone_node(&keys), &pod);
    assert_eq!(site.node.mtu("podwire.1"), 1450);
    assert_eq!((pod.mtu("eth0"), site.node.mtu("cni0")), (1430, 1430));
}

#[test]
fn the_underlays_mtu_may_be_said_to_be_less() {
    let site = LoneNode::new();
    let keys = json!({"nodes": LoneNode::nodes(1), "mtu": 1400});
    let pod = site.node.any_pod();
    site.add(&Network::of_lone_node(&keys), &pod);
    assert_eq!((site.node.mtu("podwire.1"), pod.mtu("eth0")), (1350, 1350));
}

/// The kernel would take IPv6 from the bridge, and so the gateway from all of its pods.
#[test]
fn an_mtu_that_would_end_ipv6_of_the_bridge_is_refused() {
    let site = LoneNode::new();
    let ranges = json!([[{"subnet": "10.200.0.0/24"}], [{"subnet": "fd00:200::/64"}]]);
    let small = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(1), "mtu": 1300}));
    let network = small.with(&json!({"ipam": {"type": "host-local", "ranges": ranges}}));
    let first = site.runner.attach(&network.first_plugin(), &site.node);
    let pod = site.node.any_pod();
    let failed = site.runner.add(&network, &pod, "eth0").unwrap_err();
    let (code, text) = failed.error();
    assert_eq!(code, 7, "{text}");
    let words = "invalid mtu 1250 (must be 1280 or more for the address fd00:200::1/64)";
    assert!(text.contains(words), "{text}");
    assert!(ping(&first, site.node.ipv6("cni0"), PATIENCE));
}

#[test]
fn check_names_what_is_too_large() {
    let site = LoneNode::new();
    let network = network(&json!({}));
    let pod = site.node.any_pod();
    let result = site.add(&network, &pod);
    let port = result["interfaces"][1]["name"].as_str().unwrap();
    pod.ip("link set eth0 mtu 1500");
    let (code, text) = site.check(&network, &pod).unwrap();
    assert_eq!(
        (code, &*text),
        (
            105,
            "\"eth0\" has the MTU 1500, and the overlay carries 1450"
        )
    );
    pod.ip("link set eth0 mtu 1450");
    site.node.ip(&format!("link set {port} mtu 1500"));
    let (code, text) = site.check(&network, &pod).unwrap();
    assert!(code == 105 && text.contains(port), "{text}");
    assert!(text.contains("\"cni0\" has the MTU 1500"), "{text}");
    site.node.ip("link set cni0 mtu 1450");
    site.node.ip(&format!("link set {port} mtu 1450"));
    assert_eq!(site.check(&network, &pod), None);
}

#[test]
fn a_pod_on_the_underlays_own_bridge_is_refused() {
    let site = LoneNode::new();
    let node = &site.node;
    for command in [
        "link add br0 up type bridge",
        "link set eth0 master br0",
        "address flush dev eth0",
        "address add 192.0.2.2/24 dev br0",
        "route add default via 192.0.2.1",
    ] {
        node.ip(command);
    }
    let network = network(&json!({"bridge": "br0"}));
    let pod = node.any_pod();
    let (code, text) = site.refused(&network, &pod);
    assert!(
        code == 7 && text.contains("would lower each other"),
        "{text}"
    );
    assert_eq!((pod.mtu("eth0"), node.mtu("br0")), (1500, 1500));
}

#[test]
fn without_an_interface_there_is_nothing_to_fit() {
    let site = LoneNode::new();
    let keys = json!({"nodes": LoneNode::nodes(1)});
    let list: Value = serde_json::from_str(&Network::of_lone_node(&keys).text()).unwrap();
    let plugins = json!([{"type": "loopback"}, list["plugins"][1]]);
    let network = json!({"cniVersion": "1.1.0", "name": "pods", "plugins": plugins});
    let (code, text) = site.refused(&Network::new(network), &site.node.any_pod());
    assert!(
        code == 7 && text.contains("no interface \"eth0\""),
        "{text}"
    );
}
