// SPDX-License-Identifier: Apache-2.0
//! Keys of `bridge` about what is made: MTU, the gateway's address, default routes, the container's
//! MAC address, DNS settings, and layer 2 without any of the rest.

use std::time::Duration;

use integration_tests::{Failure, Network, Node, Outside, PATIENCE, Runner, ping, ping_sized};
use serde_json::{Value, json};

const SUBNET: [&str; 1] = ["10.88.0.0/24"];

fn network(keys: Value) -> Network {
    Network::of_bridge("podnet", &SUBNET, keys)
}

fn add(runner: &Runner, network: &Network, node: &Node) -> Result<Value, Failure> {
    runner.add(network, &node.any_pod(), "eth0")
}

#[test]
fn an_explicit_mtu_is_that_of_bridge_and_pair() {
    let node = Node::new();
    let network = network(json!({"mtu": 9000}));
    let runner = Runner::new(&node);
    let (pod, other) = (
        runner.attach(&network, &node),
        runner.attach(&network, &node),
    );
    let port = runner.port(&network, &pod);
    for mtu in [
        node.link("cni0").mtu,
        node.link(&port).mtu,
        pod.link("eth0").mtu,
    ] {
        assert_eq!(mtu, 9000);
    }
    assert!(ping_sized(&pod, other.ipv4("eth0"), 9000 - 28, PATIENCE));
}

#[test]
fn without_mtu_the_device_of_the_default_route_decides() {
    for keys in [json!({}), json!({"mtu": 0})] {
        let node = Node::new();
        let _outside = Outside::new(&node, 1400);
        let pod = Runner::new(&node).attach(&network(keys), &node);
        assert_eq!([node.link("cni0").mtu, pod.link("eth0").mtu], [1400; 2]);
        assert!(ping_sized(&pod, Outside::NODE_V4, 1400 - 28, PATIENCE));
    }
    let node = Node::new();
    let pod = Runner::new(&node).attach(&network(json!({})), &node);
    assert_eq!([node.link("cni0").mtu, pod.link("eth0").mtu], [1500; 2]);
}

#[test]
fn the_mtu_of_a_bridge_is_raised_and_never_lowered() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let mut pods = Vec::new();
    for (wanted, bridge) in [(1500, 1500), (9000, 9000), (1400, 9000)] {
        let pod = runner.attach(&network(json!({"mtu": wanted})), &node);
        assert_eq!(node.link("cni0").mtu, bridge);
        assert_eq!(pod.link("eth0").mtu, wanted);
        pods.push(pod);
    }
    // Of a bridge that somebody else made, too.
    node.ip("link add theirs mtu 1400 type bridge");
    runner.attach(&network(json!({"bridge": "theirs", "mtu": 1450})), &node);
    assert_eq!(node.link("theirs").mtu, 1450);
    runner.attach(&network(json!({"bridge": "theirs", "mtu": 1300})), &node);
    assert_eq!(node.link("theirs").mtu, 1450);
}

#[test]
fn the_result_tells_the_mtu_where_its_version_can() {
    for (version, expected) in [("1.1.0", json!(1300)), ("1.0.0", Value::Null)] {
        let node = Node::new();
        let network = network(json!({"mtu": 1300, "cniVersion": version}));
        let result = add(&Runner::new(&node), &network, &node).unwrap();
        for interface in result["interfaces"].as_array().unwrap() {
            assert_eq!(interface["mtu"], expected, "{version}: {interface}");
        }
    }
}

#[test]
fn force_address_replaces_an_address_in_the_way() {
    let node = Node::new();
    let runner = Runner::new(&node);
    node.ip("link add cni0 type bridge");
    node.ip("address add 10.88.0.9/16 dev cni0");
    node.ip("address add 10.99.0.1/24 dev cni0");
    let (code, msg) = add(&runner, &network(json!({})), &node)
        .unwrap_err()
        .error();
    assert_eq!(code, 107, "{msg}");
    assert!(
        msg.contains("10.88.0.1/24") && msg.contains("10.88.0.9/16"),
        "{msg}"
    );

    let pod = runner.attach(&network(json!({"forceAddress": true})), &node);
    let mut addresses: Vec<_> = node
        .addresses("cni0")
        .iter()
        .map(ToString::to_string)
        .collect();
    addresses.sort();
    assert_eq!(
        addresses,
        ["10.88.0.1/24", "10.99.0.1/24"],
        "the other subnet stays"
    );
    assert!(ping(&pod, "10.88.0.1".parse().unwrap(), PATIENCE));
}

#[test]
fn a_default_gateway_and_a_default_route_of_ipam_are_one_route() {
    for routes in [json!([{"dst": "0.0.0.0/0"}]), json!([])] {
        let node = Node::new();
        let outside = Outside::new(&node, 1500);
        outside.add_route_back("10.88.0.0/24".parse().unwrap());
        let ipam =
            json!({"type": "host-local", "ranges": [[{"subnet": SUBNET[0]}]], "routes": routes});
        let keys = json!({"isGateway": false, "isDefaultGateway": true, "ipam": ipam});
        let runner = Runner::new(&node);
        let pod = runner.attach(&network(keys.clone()), &node);
        assert_eq!(pod.ip("route show default").lines().count(), 1);
        assert!(ping(&pod, Outside::V4, PATIENCE));
        let result = runner
            .result(&network(keys.clone()), pod.name(), "eth0")
            .unwrap();
        assert_eq!(result["routes"].as_array().unwrap().len(), 1);
        runner.check(&network(keys), &pod, "eth0").unwrap();
    }
}

#[test]
fn the_mac_address_is_runtime_configs_before_args_before_cni_args() {
    let [capability, args, cni_args] = [1, 2, 3].map(|n: u8| format!("02:00:00:00:00:0{n}"));
    let with_args = json!({"capabilities": {"mac": true}, "args": {"cni": {"mac": args}}});
    let without = json!({"capabilities": {"mac": true}});
    let node = Node::new();
    let environment = || Runner::new(&node).with_args(&format!("IgnoreUnknown=1;MAC={cni_args}"));
    let all = environment().with_capability("mac", json!(capability));
    for (runner, keys, expected) in [
        (all, with_args.clone(), &capability),
        (environment(), with_args.clone(), &args),
        (environment(), without, &cni_args),
        (Runner::new(&node), with_args, &args),
    ] {
        let pod = runner.attach(&network(keys), &node);
        assert_eq!(pod.link("eth0").mac.to_string(), *expected);
        let result = runner
            .result(&network(json!({})), pod.name(), "eth0")
            .unwrap();
        assert_eq!(result["interfaces"][2]["mac"], *expected);
        runner.del(&network(json!({})), &pod, "eth0").unwrap();
    }
    for bad in ["nonsense", "01:00:5e:00:00:01", "00:00:00:00:00:00"] {
        let keys = json!({"args": {"cni": {"mac": bad}}});
        assert_eq!(
            add(&Runner::new(&node), &network(keys), &node)
                .unwrap_err()
                .error()
                .0,
            7
        );
    }
}

#[test]
fn dns_of_the_network_replaces_that_of_ipam() {
    let node = Node::new();
    let runner = Runner::new(&node);
    node.write(
        "/run/lab/resolv.conf",
        "nameserver 192.0.2.53\nsearch ipam.example\n",
    );
    let ipam = json!({
        "type": "host-local",
        "ranges": [[{"subnet": SUBNET[0]}]],
        "resolvConf": "/run/lab/resolv.conf",
    });
    let of_ipam = add(&runner, &network(json!({"ipam": ipam})), &node).unwrap();
    assert_eq!(
        of_ipam["dns"],
        json!({"nameservers": ["192.0.2.53"], "search": ["ipam.example"]})
    );
    let own = json!({"domain": "own.example"});
    let replaced = network(json!({"ipam": ipam, "dns": own}));
    assert_eq!(add(&runner, &replaced, &node).unwrap()["dns"], own);
}

#[test]
fn a_network_of_layer_2_carries_what_pods_put_on_it() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = Network::of_layer2("layer2", json!({"ipMasq": true, "macspoofchk": true}));
    let pods = [1, 2].map(|n| {
        let pod = runner.attach(&network, &node);
        assert!(pod.link("eth0").up);
        let result = runner.result(&network, pod.name(), "eth0").unwrap();
        assert!(result.get("ips").is_none_or(|ips| *ips == json!([])));
        pod.add_address("eth0", format!("10.9.0.{n}/24").parse().unwrap());
        pod
    });
    assert!(ping(&pods[0], pods[1].ipv4("eth0"), PATIENCE));
    assert_eq!(node.addresses("cni0"), []);
    for pod in &pods {
        runner.check(&network, pod, "eth0").unwrap();
        runner.del(&network, pod, "eth0").unwrap();
    }
}

#[test]
fn a_network_without_gateway_gives_addresses_alone() {
    let node = Node::new();
    let runner = Runner::new(&node);
    let network = network(json!({"isGateway": false}));
    let (a, b) = (
        runner.attach(&network, &node),
        runner.attach(&network, &node),
    );
    assert!(ping(&a, b.ipv4("eth0"), PATIENCE));
    assert_eq!(node.addresses("cni0"), []);
    assert!(
        !ping(&node, a.ipv4("eth0"), Duration::from_millis(50)),
        "no route leads there"
    );
    runner.check(&network, &a, "eth0").unwrap();
}
