// SPDX-License-Identifier: Apache-2.0
//! What is there at both ends after an ADD, as an operator sees it with `ip`.

use integration_tests::{Node, Outside, Runner};
use serde_json::{Value, json};

use crate::network;

fn routes(place: &integration_tests::Place, family: &str, device: &str) -> Vec<String> {
    let text = place.ip(&format!("{family} -json route show dev {device}"));
    let routes: Value = serde_json::from_str(&text).expect("ip prints JSON");
    let word = |route: &Value, key: &str| route[key].as_str().unwrap_or("-").to_owned();
    let routes = routes.as_array().into_iter().flatten();
    let mut lines: Vec<_> = routes
        .map(|it| {
            let [dst, gateway] = ["dst", "gateway"].map(|key| word(it, key));
            format!("{dst} via {gateway}")
        })
        .filter(|line| !line.starts_with("fe80::/64"))
        .collect();
    lines.sort();
    lines
}

#[test]
fn the_pods_only_neighbour_is_its_gateway() {
    let node = Node::new();
    let pod = Runner::new(&node).attach(&network(json!({})), &node);
    assert_eq!(
        routes(&pod, "-4", "eth0"),
        [
            "10.88.0.0/24 via 10.88.0.1",
            "10.88.0.1 via -",
            "default via 10.88.0.1",
        ]
    );
    assert_eq!(
        routes(&pod, "-6", "eth0"),
        [
            "default via fd00:88::1",
            "fd00:88::/64 via fd00:88::1",
            "fd00:88::1 via -",
        ]
    );
    let shown = pod.ip("address show dev eth0 scope global");
    assert!(!shown.contains("tentative"), "{shown}");
    let addresses: Vec<_> = pod
        .addresses("eth0")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses, ["10.88.0.2/24", "fd00:88::2/64"]);
}

#[test]
fn the_host_has_the_gateway_alone_and_a_route_to_each_address() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = network(json!({}));
    let pods = [(); 2].map(|()| runner.attach(&network, &node));
    for (pod, last) in pods.iter().zip([2, 3]) {
        let port = runner.port(&network, pod);
        let addresses: Vec<_> = node
            .addresses(&port)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(addresses, ["10.88.0.1/32", "fd00:88::1/128"]);
        let to = |it: &str| format!("{it}{last} via -");
        assert_eq!(routes(&node, "-4", &port), [to("10.88.0.")]);
        let v6 = routes(&node, "-6", &port);
        assert!(v6.contains(&to("fd00:88::")), "{v6:?}");
        let shown = node.ip(&format!("address show dev {port} scope global"));
        assert!(!shown.contains("tentative"), "{shown}");
        let alias = node.link(&port).alias.expect("it says whose it is");
        assert_eq!(alias, format!("podwire podnet {} eth0", pod.name()));
    }
    for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        assert_eq!(node.read(format!("/proc/sys/net/{switch}")).trim(), "1");
    }
}

#[test]
fn both_ends_have_mac_addresses_of_their_own() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = network(json!({}));
    let pod = runner.attach(&network, &node);
    let port = runner.port(&network, &pod);
    let macs = [node.link(&port).mac, pod.link("eth0").mac];
    for mac in macs {
        assert_eq!(
            mac.octets()[0] & 3,
            2,
            "{mac} is not a local unicast address"
        );
    }
    assert_ne!(macs[0], macs[1]);
    let result = runner.result(&network, pod.name(), "eth0").unwrap();
    for (interface, mac) in macs.iter().enumerate() {
        assert_eq!(result["interfaces"][interface]["mac"], mac.to_string());
    }
}

#[test]
fn the_result_names_host_and_container() {
    let node = Node::new();
    let _outside = Outside::new(&node, 1400);
    let runner = Runner::new(&node);
    let network = network(json!({}));
    let pod = runner.attach(&network, &node);
    let result = runner.result(&network, pod.name(), "eth0").unwrap();
    let port = runner.port(&network, &pod);
    let expected = json!([
        {"name": port, "mac": node.link(&port).mac.to_string(), "mtu": 1400},
        {"name": "eth0", "mac": pod.link("eth0").mac.to_string(), "mtu": 1400,
         "sandbox": pod.netns()},
    ]);
    assert_eq!(result["interfaces"], expected);
    assert_eq!(
        result["ips"],
        json!([
            {"address": "10.88.0.2/24", "gateway": "10.88.0.1", "interface": 1},
            {"address": "fd00:88::2/64", "gateway": "fd00:88::1", "interface": 1},
        ])
    );
    assert_eq!(
        result["routes"],
        json!([{"dst": "::/0"}, {"dst": "0.0.0.0/0"}])
    );
}

/// The host must not be led by a pod, nor the pod past its host.
#[test]
fn neither_end_can_be_led_astray() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = network(json!({}));
    let pod = runner.attach(&network, &node);
    let port = runner.port(&network, &pod);
    let value = |place: &integration_tests::Place, path: &str| {
        let path = format!("/proc/sys/net/{path}");
        place.run(|| std::fs::read_to_string(&path)).unwrap()
    };
    assert_eq!(
        value(&node, &format!("ipv6/conf/{port}/accept_ra")).trim(),
        "0"
    );
    for path in [
        "ipv4/conf/all/accept_redirects",
        "ipv4/conf/eth0/accept_redirects",
        "ipv6/conf/eth0/accept_redirects",
    ] {
        assert_eq!(value(&pod, path).trim(), "0", "{path}");
    }
}
