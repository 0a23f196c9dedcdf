// SPDX-License-Identifier: Apache-2.0
//! IPv6: addresses can be used when ADD returns, duplicates are found where that is asked for, and
//! a host without IPv6 attaches pods with IPv4.

use integration_tests::{Network, Node, PATIENCE, Place, Runner, State, ping};
use serde_json::{Value, json};

const SUBNETS: [&str; 2] = ["10.88.0.0/24", "fd00:88::/64"];
const DISABLE: &str = "/proc/sys/net/ipv6/conf/all/disable_ipv6";

fn network(keys: Value) -> Network {
    Network::of_bridge("podnet", &SUBNETS, keys)
}

/// All addresses of an interface, the kernel's own link-local ones too, that can't be used yet.
fn tentative(place: &Place, interface: &str) -> Vec<String> {
    let index = place.link(interface).index;
    let all = place.rtnl().addresses(index).expect("the kernel tells");
    assert!(
        all.iter().any(|address| address.network.is_ipv6()),
        "{interface}"
    );
    let tentative = all.iter().filter(|address| address.tentative);
    tentative
        .map(|address| address.network.to_string())
        .collect()
}

/// What a network's address store keeps when no address is in use.
fn store_of(network: &str) -> [String; 5] {
    [
        format!("directory /var/lib/cni/networks/{network}"),
        format!("networks/{network}/lock"),
        format!("networks/{network}/last_reserved_ip"),
        format!("directory /var/lib/cni/networks/.podwire/{network}"),
        format!("networks/.podwire/{network}/stamp"),
    ]
}

#[test]
fn no_address_is_tentative_when_add_returns() {
    let node = Node::new();
    let pod = Runner::new(&node).attach(&network(json!({})), &node);
    assert_eq!(tentative(&node, "cni0"), [""; 0], "of the bridge");
    assert_eq!(tentative(&pod, "eth0"), [""; 0], "of the pod");
    assert!(ping(&pod, "fd00:88::1".parse().unwrap(), PATIENCE));
}

#[test]
fn with_detection_add_returns_when_it_is_over() {
    let node = Node::new();
    let (runner, network) = (Runner::new(&node), network(json!({"enabledad": true})));
    let pod = runner.attach(&network, &node);
    assert_eq!(tentative(&pod, "eth0"), [""; 0]);
    assert!(ping(&pod, "fd00:88::1".parse().unwrap(), PATIENCE));
    runner.check(&network, &pod, "eth0").unwrap();
}

#[test]
fn a_duplicate_on_the_link_is_found_and_add_leaves_nothing() {
    let node = Node::new();
    let runner = Runner::new(&node);
    // Two networks that hand out the same addresses on one bridge.
    let of = |name, keys| Network::of_bridge(name, &SUBNETS, keys);
    let holder = runner.attach(&of("first", json!({})), &node);
    let careful = of(
        "second",
        json!({"enabledad": true, "ipMasq": true, "macspoofchk": true}),
    );
    let elsewhere = of(
        "third",
        json!({"enabledad": true, "bridge": "cni1", "ipMasq": true, "macspoofchk": true}),
    );
    // The rules that belong to networks are there before; addresses are counted on.
    let _keeper = runner.attach(&elsewhere, &node);
    let pod = node.pod("retried");
    let before = State::of(&node);

    let (code, msg) = runner.add(&careful, &pod, "eth0").unwrap_err().error();
    assert_eq!(code, 103, "{msg}");
    assert!(msg.contains("fd00:88::2"), "{msg}");
    assert_eq!(pod.interfaces(), [""; 0]);
    let rules_of_the_network = ["masq-second", "\"comment\":\"second "];
    let store = store_of("second");
    let kept: Vec<_> = store
        .iter()
        .map(String::as_str)
        .chain(rules_of_the_network)
        .collect();
    before.assert_nothing_left(&node, &kept);

    runner
        .del(&of("first", json!({})), &holder, "eth0")
        .unwrap();
    runner.add(&careful, &pod, "eth0").unwrap();
    assert!(ping(&pod, "fd00:88::1".parse().unwrap(), PATIENCE));
}

#[test]
fn a_host_without_ipv6_attaches_pods_with_ipv4() {
    let node = Node::new();
    node.write(DISABLE, "1");
    node.write(DISABLE.replace("all", "default"), "1");
    let runner = Runner::new(&node);
    let network = Network::of_bridge("podnet", &SUBNETS[..1], json!({"ipMasq": true}));
    let pods = [(); 2].map(|()| runner.attach(&network, &node));
    assert!(ping(&pods[0], pods[1].ipv4("eth0"), PATIENCE));
    assert!(ping(&node, pods[0].ipv4("eth0"), PATIENCE));
    runner.check(&network, &pods[0], "eth0").unwrap();
    runner.del(&network, &pods[0], "eth0").unwrap();
}

#[test]
fn a_host_without_ipv6_refuses_an_ipv6_gateway_and_keeps_nothing_of_it() {
    let node = Node::new();
    node.write(DISABLE, "1");
    node.write(DISABLE.replace("all", "default"), "1");
    let runner = Runner::new(&node);
    let _keeper = runner.attach(&Network::of_bridge("v4", &SUBNETS[..1], json!({})), &node);
    let pod = node.pod("refused");
    let before = State::of(&node);
    let (code, msg) = runner
        .add(&network(json!({})), &pod, "eth0")
        .unwrap_err()
        .error();
    assert_eq!(code, 100, "{msg}");
    assert!(
        msg.contains("fd00:88::1/64") && msg.contains("cni0"),
        "{msg}"
    );
    assert_eq!(pod.interfaces(), [""; 0]);
    let store = store_of("podnet");
    let kept: Vec<_> = store.iter().map(String::as_str).collect();
    before.assert_nothing_left(&node, &kept);
}

#[test]
fn a_pod_whose_ipv6_is_off_gets_it_for_its_interface() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let pod = node.pod("off");
    pod.run(|| std::fs::write(DISABLE, "1")).unwrap();
    pod.run(|| std::fs::write(DISABLE.replace("all", "default"), "1"))
        .unwrap();
    runner.add(&network(json!({})), &pod, "eth0").unwrap();
    assert!(ping(&pod, "fd00:88::1".parse().unwrap(), PATIENCE));
}

#[test]
fn an_address_outlives_its_link_going_down() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let pod = runner.attach(&network(json!({})), &node);
    let before = pod.addresses("eth0");
    pod.ip("link set eth0 down");
    pod.ip("link set eth0 up");
    assert_eq!(pod.addresses("eth0"), before);
    assert!(ping(&pod, "fd00:88::1".parse().unwrap(), PATIENCE));
}

/// A pod must not become its host's router.
#[test]
fn the_host_takes_no_router_advertisements_from_pods() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = Network::of_layer2("layer2", json!({}));
    let pod = runner.attach(&network, &node);
    let result = runner.result(&network, pod.name(), "eth0").unwrap();
    for name in [&json!("cni0"), &result["interfaces"][1]["name"]] {
        let path = format!(
            "/proc/sys/net/ipv6/conf/{}/accept_ra",
            name.as_str().unwrap()
        );
        assert_eq!(
            node.run(|| std::fs::read_to_string(&path)).unwrap().trim(),
            "0",
            "{path}"
        );
    }
}

/// Others may use the bridge, and depend on duplicates being found.
#[test]
fn a_bridge_of_the_host_goes_on_detecting_duplicates() {
    for (made_before, accept_dad) in [(true, "1"), (false, "0")] {
        let node = Node::new();
        if made_before {
            node.ip("link add cni0 up type bridge");
        }
        Runner::new(&node).attach(&network(json!({})), &node);
        let found = node.read("/proc/sys/net/ipv6/conf/cni0/accept_dad");
        assert_eq!(found.trim(), accept_dad, "made before: {made_before}");
    }
}
