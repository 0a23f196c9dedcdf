// SPDX-License-Identifier: Apache-2.0
//! CHECK tells the truth: nothing right after ADD, whatever the configuration, and each damage that
//! was done since, by its name. The next ADD makes good what belongs to the network.

use integration_tests::{Network, Node, Outside, PATIENCE, Pod, Runner, ping};
use serde_json::json;

const SUBNETS: [&str; 2] = ["10.88.0.0/24", "fd00:88::/64"];

/// A network of which CHECK has everything to look at.
fn network() -> Network {
    Network::of_bridge(
        "podnet",
        &SUBNETS,
        json!({
            "ipMasq": true,
            "nonMasqueradeCIDRs": ["203.0.113.0/24"],
            "hairpinMode": true,
            "portIsolation": true,
            "macspoofchk": true,
        }),
    )
}

/// A pod of [`network`] to be damaged.
struct Case {
    node: Node,
    runner: Runner,
    pod: Pod,
    port: String,
}

impl Case {
    fn new() -> Self {
        let node = Node::new();
        let runner = Runner::new(&node);
        let pod = runner.attach(&network(), &node);
        let port = runner.port(&network(), &pod);
        let checked = runner.check(&network(), &pod, "eth0");
        checked.unwrap_or_else(|failure| panic!("{failure}"));
        Self {
            node,
            runner,
            pod,
            port,
        }
    }

    /// Asserts that CHECK names each of `words`, with code 105.
    fn assert_found(&self, damage: &str, words: &[&str]) {
        let failure = self.runner.check(&network(), &self.pod, "eth0");
        let Err(failure) = failure else {
            panic!("{damage} is not noticed")
        };
        let (code, msg) = failure.error();
        assert_eq!(code, 105, "{damage}: {msg}");
        for word in words {
            assert!(msg.contains(word), "{damage}: {word:?} is not in {msg:?}");
        }
    }
}

#[test]
fn what_add_made_is_right_whatever_the_configuration() {
    let lists = [
        json!({}),
        json!({"isGateway": false}),
        json!({"isDefaultGateway": true}),
        json!({"ipMasq": true}),
        json!({"ipMasq": true, "isGateway": false, "ipMasqBackend": "iptables"}),
        json!({"ipMasq": true, "nonMasqueradeCIDRs": ["203.0.113.7/24", "203.0.113.0/24"]}),
        json!({"macspoofchk": true}),
        json!({"hairpinMode": true}),
        json!({"promiscMode": true}),
        json!({"portIsolation": true}),
        json!({"enabledad": true}),
        json!({"mtu": 1280, "forceAddress": true, "dns": {"domain": "own.example"}}),
        json!({"cniVersion": "0.4.0"}),
        json!({"cniVersion": "1.0.0"}),
    ];
    for keys in lists {
        let node = Node::new();
        let _outside = Outside::new(&node, 1500);
        let (runner, network) = (
            Runner::new(&node),
            Network::of_bridge("podnet", &SUBNETS, keys.clone()),
        );
        let pods = [(); 2].map(|()| runner.attach(&network, &node));
        for pod in &pods {
            let checked = runner.check(&network, pod, "eth0");
            checked.unwrap_or_else(|failure| panic!("{keys}: {failure}"));
        }
        runner.del(&network, &pods[0], "eth0").unwrap();
        runner.check(&network, &pods[1], "eth0").unwrap();
    }
}

#[test]
fn what_add_made_on_layer_2_is_right() {
    for keys in [
        json!({}),
        json!({"ipMasq": true, "macspoofchk": true}),
        json!({"disableContainerInterface": true}),
        json!({"isGateway": true, "hairpinMode": true}),
    ] {
        let node = Node::new();
        let network = Network::of_layer2("podnet", keys.clone());
        let runner = Runner::new(&node);
        let pod = runner.attach(&network, &node);
        let checked = runner.check(&network, &pod, "eth0");
        checked.unwrap_or_else(|failure| panic!("{keys}: {failure}"));
    }
}

#[test]
fn damage_in_the_pod_is_named() {
    for (damage, words) in [
        (
            "address delete 10.88.0.2/24 dev eth0",
            &["10.88.0.2/24"][..],
        ),
        ("address delete fd00:88::2/64 dev eth0", &["fd00:88::2/64"]),
        ("route delete default", &["0.0.0.0/0"]),
        ("-6 route delete default", &["::/0"]),
        ("link set eth0 down", &["eth0", "down"]),
        (
            "link set eth0 address 02:00:00:00:00:77",
            &["eth0", "02:00:00:00:00:77"],
        ),
        ("link set eth0 name eth9", &["eth0"]),
        ("link delete eth0", &["eth0"]),
    ] {
        let case = Case::new();
        case.pod.ip(damage);
        case.assert_found(damage, words);
    }
}

#[test]
fn damage_to_bridge_and_port_is_named() {
    for (damage, words) in [
        ("link set PORT nomaster", &["PORT", "cni0"][..]),
        ("link set PORT down", &["PORT", "down"]),
        (
            "link set PORT type bridge_slave hairpin off",
            &["hairpin", "PORT"],
        ),
        (
            "link set PORT type bridge_slave isolated off",
            &["isolat", "PORT"],
        ),
        ("link set cni0 down", &["cni0", "down"]),
        (
            "address delete 10.88.0.1/24 dev cni0",
            &["cni0", "10.88.0.1/24"],
        ),
        (
            "address delete fd00:88::1/64 dev cni0",
            &["cni0", "fd00:88::1/64"],
        ),
        ("link delete cni0", &["cni0"]),
    ] {
        let case = Case::new();
        case.node.ip(&damage.replace("PORT", &case.port));
        let words: Vec<_> = words
            .iter()
            .map(|word| word.replace("PORT", &case.port))
            .collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        case.assert_found(damage, &words);
    }
}

#[test]
fn forwarding_that_was_turned_off_is_named_and_turned_on_again() {
    for (switch, words) in [
        ("ipv4/ip_forward", "ipv4/ip_forward"),
        ("ipv6/conf/all/forwarding", "ipv6/conf/all/forwarding"),
    ] {
        let case = Case::new();
        case.node.write(format!("/proc/sys/net/{switch}"), "0");
        case.assert_found(switch, &[words]);
        case.runner.attach(&network(), &case.node);
        case.runner.check(&network(), &case.pod, "eth0").unwrap();
    }
}

#[test]
fn lost_masquerade_rules_are_named_and_come_back() {
    for damage in [
        "flush ruleset",
        "delete table inet podwire",
        "flush chain inet podwire postrouting",
        "flush chain inet podwire exempt",
        "flush chain inet podwire masq-podnet",
    ] {
        let case = Case::new();
        case.node.tool("nft", damage);
        case.assert_found(damage, &["podwire"]);
        case.runner.attach(&network(), &case.node);
        if damage != "flush ruleset" {
            case.runner.check(&network(), &case.pod, "eth0").unwrap();
        }
    }
}

#[test]
fn lost_source_checks_are_named() {
    for (damage, words) in [
        ("flush set bridge podwire sources", &["sources"][..]),
        ("flush set bridge podwire guarded", &["guarded"]),
        ("flush chain bridge podwire prerouting", &["prerouting"]),
        ("delete table bridge podwire", &["bridge podwire"]),
    ] {
        let case = Case::new();
        case.node.tool("nft", damage);
        case.assert_found(damage, words);
    }
}

#[test]
fn all_damage_is_named_at_once() {
    let case = Case::new();
    case.pod.ip("address delete 10.88.0.2/24 dev eth0");
    case.node.ip("address delete 10.88.0.1/24 dev cni0");
    case.node.write("/proc/sys/net/ipv4/ip_forward", "0");
    case.node.tool("nft", "flush ruleset");
    let words = [
        "10.88.0.2/24",
        "10.88.0.1/24",
        "ip_forward",
        "inet podwire",
        "sources",
    ];
    case.assert_found("all of it", &words);
}

/// What others may change in good order is no damage.
#[test]
fn what_is_not_the_attachments_is_not_damage() {
    let case = Case::new();
    case.node.ip("link set cni0 address 02:00:00:00:00:99");
    case.node.ip("address add 10.55.0.1/24 dev cni0");
    case.pod.ip("address add 10.66.0.1/24 dev eth0");
    case.pod.ip("route add 10.67.0.0/16 dev eth0");
    case.node.tool("nft", "add table inet others");
    case.runner.check(&network(), &case.pod, "eth0").unwrap();
    assert!(ping(&case.pod, "10.88.0.1".parse().unwrap(), PATIENCE));
}

#[test]
fn the_lease_that_is_gone_is_named() {
    let case = Case::new();
    let lease = "/var/lib/cni/networks/podnet/10.88.0.2";
    case.node.run(|| std::fs::remove_file(lease).unwrap());
    case.assert_found("no lease", &["10.88.0.2"]);
}

#[test]
fn check_needs_the_result_of_add() {
    let case = Case::new();
    case.runner.forget(&network(), case.pod.name(), "eth0");
    let (code, msg) = case
        .runner
        .check(&network(), &case.pod, "eth0")
        .unwrap_err()
        .error();
    assert_eq!((code, msg.contains("prevResult")), (7, true), "{msg}");
}
