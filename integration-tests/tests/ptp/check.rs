// SPDX-License-Identifier: Apache-2.0
//! CHECK tells the truth: nothing right after ADD, and each damage by its name.

use integration_tests::{Node, Outside, Pod, Runner};
use serde_json::json;

use crate::network;

/// A pod to be damaged.
struct Case {
    node: Node,
    runner: Runner,
    network: integration_tests::Network,
    pod: Pod,
    port: String,
}

impl Case {
    fn new() -> Self {
        let node = Node::new();
        let runner = Runner::new(&node);
        let network = network(json!({"ipMasq": true}));
        let pod = runner.attach(&network, &node);
        let port = runner.port(&network, &pod);
        let checked = runner.check(&network, &pod, "eth0");
        checked.unwrap_or_else(|failure| panic!("{failure}"));
        Self {
            node,
            runner,
            network,
            pod,
            port,
        }
    }

    fn assert_found(&self, damage: &str, words: &[&str]) {
        let failure = self.runner.check(&self.network, &self.pod, "eth0");
        let Err(failure) = failure else {
            panic!("{damage} is not noticed")
        };
        let (code, msg) = failure.error();
        assert_eq!(code, 105, "{damage}: {msg}");
        for word in words {
            let word = word.replace("PORT", &self.port);
            assert!(msg.contains(&word), "{damage}: {word:?} is not in {msg:?}");
        }
    }
}

#[test]
fn what_add_made_is_right_whatever_the_configuration() {
    for keys in [
        json!({}),
        json!({"ipMasq": true, "nonMasqueradeCIDRs": ["203.0.113.0/24"]}),
        json!({"mtu": 1280, "dns": {"domain": "own.example"}}),
        json!({"cniVersion": "0.4.0"}),
        json!({"cniVersion": "1.0.0"}),
    ] {
        let node = Node::new();
        let _outside = Outside::new(&node, 1500);
        let (runner, network) = (Runner::new(&node), network(keys.clone()));
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
fn damage_in_the_pod_is_named() {
    for (damage, words) in [
        (
            "address delete 10.88.0.2/24 dev eth0",
            &["10.88.0.2/24"][..],
        ),
        ("address delete fd00:88::2/64 dev eth0", &["fd00:88::2/64"]),
        ("route delete default", &["0.0.0.0/0"]),
        ("-6 route delete default", &["::/0"]),
        ("route delete 10.88.0.0/24", &["10.88.0.0/24 via 10.88.0.1"]),
        (
            "-6 route delete fd00:88::/64",
            &["fd00:88::/64 via fd00:88::1"],
        ),
        ("-6 route delete fd00:88::1", &["route to fd00:88::1/128"]),
        ("link set eth0 down", &["eth0", "down"]),
        (
            "link set eth0 address 02:00:00:00:00:77",
            &["02:00:00:00:00:77"],
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
fn damage_on_the_host_is_named() {
    for (damage, words) in [
        ("link set PORT down", &["PORT", "down"][..]),
        (
            "address delete 10.88.0.1/32 dev PORT",
            &["PORT", "10.88.0.1/32"],
        ),
        (
            "address delete fd00:88::1/128 dev PORT",
            &["PORT", "fd00:88::1/128"],
        ),
        (
            "route delete 10.88.0.2",
            &["route to 10.88.0.2/32 by", "PORT"],
        ),
        (
            "-6 route delete fd00:88::2",
            &["route to fd00:88::2/128 by"],
        ),
    ] {
        let case = Case::new();
        case.node.ip(&damage.replace("PORT", &case.port));
        case.assert_found(damage, words);
    }
}

#[test]
fn forwarding_and_rules_that_are_gone_are_named() {
    for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        let case = Case::new();
        case.node.write(format!("/proc/sys/net/{switch}"), "0");
        case.assert_found(switch, &[switch]);
        case.runner.attach(&case.network, &case.node);
        case.runner.check(&case.network, &case.pod, "eth0").unwrap();
    }
    let case = Case::new();
    case.node.tool("nft", "flush ruleset");
    case.assert_found("no rules", &["podwire"]);
}

#[test]
fn what_is_not_the_attachments_is_not_damage() {
    let case = Case::new();
    case.node
        .ip(&format!("address add 10.55.0.1/24 dev {}", case.port));
    case.pod.ip("address add 10.66.0.1/24 dev eth0");
    case.pod.ip("route add 10.67.0.0/16 dev eth0");
    case.runner.check(&case.network, &case.pod, "eth0").unwrap();
}
